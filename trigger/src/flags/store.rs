//! The forms of `--key-value` and `--sqlite`.

use crate::error::Error;

/// The label of the database that a statement is for.
const DEFAULT: &str = "default";

/// `KEY=VALUE`; the value may be anything.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("needs the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What `--sqlite` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statements {
    /// One, for the default database.
    Given(String),
    /// Those of a file.
    File {
        /// Seen from the working folder.
        path: String,
        /// Of the database that they are for.
        label: String,
    },
}

impl Statements {
    /// The label of the database, and the statements.
    pub(super) fn read(&self) -> Result<(String, String), Error> {
        match self {
            Self::Given(statement) => Ok((DEFAULT.to_owned(), statement.clone())),
            Self::File { path, label } => match std::fs::read_to_string(path) {
                Ok(text) => Ok((label.clone(), text)),
                Err(error) => Err(Error::new("trigger::sqlite-flag", format!("--sqlite @{path}: {error}"))),
            },
        }
    }
}

/// A statement, or `@FILE` with statements, which `:LABEL` may follow: the database that they are for.
pub(super) fn sqlite(text: &str) -> Result<Statements, String> {
    let Some(file) = text.strip_prefix('@') else {
        return match text.trim().is_empty() {
            true => Err("needs a statement, or @FILE or @FILE:LABEL".to_owned()),
            false => Ok(Statements::Given(text.to_owned())),
        };
    };
    let (path, label) = file.rsplit_once(':').unwrap_or((file, DEFAULT));
    match (path.is_empty(), label.is_empty()) {
        (true, _) => Err("needs the name of a file behind the @".to_owned()),
        (_, true) => Err("needs the label of a database behind the colon".to_owned()),
        _ => Ok(Statements::File { path: path.to_owned(), label: label.to_owned() }),
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
        let file = |path: &str, label: &str| Statements::File { path: path.to_owned(), label: label.to_owned() };
        for (text, expected) in [
            ("SELECT ':'", Statements::Given("SELECT ':'".to_owned())),
            ("@a.sql", file("a.sql", "default")),
            ("@a.sql:stock", file("a.sql", "stock")),
            ("@/x:y/a.sql:stock", file("/x:y/a.sql", "stock")),
        ] {
            assert_eq!(sqlite(text), Ok(expected), "{text}");
        }
        for text in ["", " ", "@", "@:stock", "@a.sql:"] {
            assert!(sqlite(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_read_when_it_is_needed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("setup.sql");
        let given = sqlite(&format!("@{}:stock", path.display())).expect("a file");
        assert!(given.read().expect_err("not there").message().contains("setup.sql"));
        std::fs::write(&path, "SELECT 1;").expect("written");
        assert_eq!(given.read().expect("there"), ("stock".to_owned(), "SELECT 1;".to_owned()));
        assert_eq!(Statements::Given("x".to_owned()).read().expect("no file"), ("default".to_owned(), "x".to_owned()));
    }
}
