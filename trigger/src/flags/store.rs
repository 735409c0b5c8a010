//! The forms of `--key-value` and `--sqlite`.

/// `KEY=VALUE`; the value may be anything.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("needs the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A statement, or `@FILE` with statements, which `:LABEL` may follow: the database that they are for.
pub(super) fn sqlite(text: &str) -> Result<String, String> {
    let Some(file) = text.strip_prefix('@') else {
        return match text.trim().is_empty() {
            true => Err("needs a statement, or @FILE or @FILE:LABEL".to_owned()),
            false => Ok(text.to_owned()),
        };
    };
    let (path, label) = file.rsplit_once(':').unwrap_or((file, "default"));
    match (path.is_empty(), label.is_empty()) {
        (true, _) => Err("needs the name of a file behind the @".to_owned()),
        (_, true) => Err("needs the label of a database behind the colon".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_split_at_the_first_sign() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(key_value("a="), Ok(("a".to_owned(), String::new())));
        assert!(key_value("s3cret").is_err_and(|why| !why.contains("s3cret")));
    }

    #[test]
    fn statements_and_files() {
        for text in ["SELECT ':'", "@a.sql", "@a.sql:stock", "@/x:y/a.sql:stock"] {
            assert!(sqlite(text).is_ok(), "{text}");
        }
        for text in ["", " ", "@", "@:stock", "@a.sql:"] {
            assert!(sqlite(text).is_err(), "{text:?}");
        }
    }
}
