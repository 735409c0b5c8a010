//! `--variable`: values of variables, from the command line itself or from files.

use std::collections::BTreeMap;

use crate::error::Error;

/// What one `--variable` says. Messages never quote a value: it may be a secret.
#[derive(Clone)]
pub(crate) enum Given {
    /// `NAME=VALUE`
    Value { name: String, value: String },
    /// `NAME=@FILE`: the file's whole text.
    File { name: String, path: String },
    /// `@FILE.json`: an object of strings.
    Json { path: String },
    /// `@FILE.toml`: a table of strings.
    Toml { path: String },
}

impl Given {
    /// Reads the text of the flag, and no file yet.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix('@') {
            return match path.rsplit_once('.') {
                Some((_, "json")) => Ok(Self::Json { path: path.to_owned() }),
                Some((_, "toml")) => Ok(Self::Toml { path: path.to_owned() }),
                _ => Err(format!("@{path}: expected a file ending in .json or .toml")),
            };
        }
        let (name, value) =
            text.split_once('=').ok_or("needs the form NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml")?;
        let name = name.to_owned();
        Ok(match value.strip_prefix('@') {
            Some(path) => Self::File { name, path: path.to_owned() },
            None => Self::Value { name, value: value.to_owned() },
        })
    }
}

/// All values; later ones win.
///
/// # Errors
/// For a file that can't be read or doesn't hold what it should.
pub(super) fn values(given: &[Given]) -> Result<BTreeMap<String, String>, Error> {
    let mut values = BTreeMap::new();
    for given in given {
        let read = match given {
            Given::Value { name, value } => Ok(BTreeMap::from([(name.clone(), value.clone())])),
            Given::File { name, path } => {
                read(path).map(|text| BTreeMap::from([(name.clone(), text)])).map_err(|why| format!("{name}={why}"))
            }
            Given::Json { path } => read(path).and_then(|text| json(path, &text)),
            Given::Toml { path } => read(path).and_then(|text| toml(path, &text)),
        };
        values.extend(read.map_err(|why| Error::new("trigger::variable-flag", format!("--variable {why}")))?);
    }
    Ok(values)
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("@{path}: {error}"))
}

fn json(path: &str, text: &str) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("@{path}: not an object of strings (line {}, column {})", error.line(), error.column())
    })
}

fn toml(path: &str, text: &str) -> Result<BTreeMap<String, String>, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("@{path}: not a table of strings (line {line})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Given {
        Given::parse(text).expect("a form of --variable")
    }

    #[test]
    fn values_come_from_arguments_and_files_and_later_ones_win() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let given = [
            parse(&format!("@{}", file("a.json", r#"{"a": "1", "b": "2"}"#))),
            parse(&format!("@{}", file("a.toml", "c = '3'\nd = '4'"))),
            parse(&format!("d=@{}", file("d", "the text\n"))),
            parse("b=x=y"),
            parse("e="),
        ];
        let expected = [("a", "1"), ("b", "x=y"), ("c", "3"), ("d", "the text\n"), ("e", "")];
        let values = values(&given).expect("all can be read");
        assert!(values.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{values:?}");
    }

    #[test]
    fn other_forms_are_refused_and_not_repeated() {
        let error = Given::parse("s3cret").err().expect("no value");
        assert!(error.contains("NAME=VALUE") && !error.contains("s3cret"), "{error}");
        for text in ["@file.yaml", "@file", "@"] {
            assert!(Given::parse(text).err().expect("no table").contains(".json or .toml"), "{text}");
        }
    }

    #[test]
    fn a_file_of_another_form_is_refused_by_line_and_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("a.json", "{\n \"a\": [\"s3cret\"]}"), ("a.toml", "b = 's3cret'\na = ['s3cret']\n")] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            let error = values(&[parse(&format!("@{}", path.display()))]).expect_err("no table of strings").message();
            assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
        }
    }
}
