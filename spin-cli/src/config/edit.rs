//! Changing the catalogues in the configuration file. The user's words, comments and order stay as they are.
//!
//! A change that would leave a file that cannot be read is refused, and the file is replaced at once.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use spin_plugin_manager::{CatalogueSource, Place};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::{BUNDLED, Config, kind, text};
use crate::report::Report;

/// Adds a catalogue behind those that are there.
pub(crate) fn add(path: &Path, source: &CatalogueSource) -> Result<(), Report> {
    let name = source.name.as_str();
    let mut document = document(path)?;
    let tables = tables(&mut document, path)?;
    if name == BUNDLED || tables.iter().any(|table| is_named(table, name)) {
        let report = Report::new(format!("there is a catalogue '{name}' already")).code("config::name-taken");
        return Err(report.help(format!("remove it with `spin plugins catalogue remove {name}`, or take another name")));
    }
    tables.push(table(source));
    write(path, &document)
}

/// Removes a catalogue. Its local copy stays, unused.
pub(crate) fn remove(path: &Path, name: &str) -> Result<(), Report> {
    let mut document = document(path)?;
    let tables = tables(&mut document, path)?;
    let Some(at) = tables.iter().position(|table| is_named(table, name)) else {
        let message = format!("there is no catalogue '{name}' in {}", path.display());
        return Err(Report::new(message).code("config::no-such-catalogue"));
    };
    tables.remove(at);
    if tables.is_empty() {
        document.remove("catalogue");
    }
    write(path, &document)
}

fn document(path: &Path) -> Result<DocumentMut, Report> {
    // What is wrong with the file is told in the words of its reader.
    Config::read(path, |_| None)?;
    let text = text(path)?.unwrap_or_else(|| "version = 1\n".to_owned());
    text.parse().map_err(|error: toml_edit::TomlError| unusual(path, &error.to_string()))
}

fn tables<'d>(document: &'d mut DocumentMut, path: &Path) -> Result<&'d mut ArrayOfTables, Report> {
    let tables = document.entry("catalogue").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    tables.as_array_of_tables_mut().ok_or_else(|| unusual(path, "`catalogue` is not written as [[catalogue]] tables"))
}

fn unusual(path: &Path, problem: &str) -> Report {
    Report::new(format!("{} cannot be edited: {problem}", path.display()))
        .code("config::not-editable")
        .help("edit it by hand")
}

fn is_named(table: &Table, name: &str) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name)
}

fn table(source: &CatalogueSource) -> Table {
    let mut table = Table::new();
    table["name"] = value(source.name.as_str());
    let (place, branch) = match &source.place {
        Place::Git { url, branch, .. } => (url.to_string(), branch.as_ref()),
        place => (place.to_string(), None),
    };
    table[kind(&source.place)] = value(place);
    if let Some(branch) = branch {
        table["branch"] = value(branch.as_str());
    }
    if !source.trust.keys.is_empty() {
        table["keys"] = value(source.trust.keys.iter().map(|key| key.as_str()).collect::<Array>());
    }
    if source.trust.require_signature {
        table["require_signature"] = value(true);
    }
    table
}

fn write(path: &Path, document: &DocumentMut) -> Result<(), Report> {
    let failed = |error: std::io::Error| {
        let message = format!("could not write the configuration {}: {error}", path.display());
        Report::new(message).code("config::unwritable").help("check that the folder is yours and the disk is not full")
    };
    // A link, as people have who keep such files elsewhere, stays one.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    fs::create_dir_all(&folder).map_err(failed)?;
    // Private, as it may hold credentials, unless the user has decided otherwise.
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    if let Ok(metadata) = fs::metadata(&target) {
        file.as_file().set_permissions(metadata.permissions()).map_err(failed)?;
    }
    file.write_all(document.to_string().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::{MetadataExt, symlink};

    use spin_plugin_manager::Trust;

    use super::*;

    fn git(name: &str) -> CatalogueSource {
        let (url, branch) = ("https://x.example/r".parse().unwrap(), "main".parse().unwrap());
        CatalogueSource::git(name.parse().unwrap(), url, Some(branch), Trust::default()).unwrap()
    }

    #[test]
    fn the_user_s_words_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.toml");
        add(&path, &git("first")).unwrap();
        let made = fs::read_to_string(&path).unwrap();
        assert_eq!(
            made,
            "version = 1\n\n[[catalogue]]\nname = \"first\"\ngit = \"https://x.example/r\"\nbranch = \"main\"\n"
        );
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let mine = "# mine\n[[catalogue]] # the only one\nname   =   'a'\npath='/x'\n\n# keys\n[[credential]]\nhost = 'x'\nauthorization = 'y'\n";
        fs::write(&path, mine).unwrap();
        add(&path, &git("b")).unwrap();
        let with_b = fs::read_to_string(&path).unwrap();
        for line in mine.lines() {
            assert!(with_b.contains(line), "{line}\n{with_b}");
        }
        assert_eq!(add(&path, &git("a")).unwrap_err().stable_code(), Some("config::name-taken"));
        remove(&path, "b").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), mine);
        assert_eq!(remove(&path, "b").unwrap_err().stable_code(), Some("config::no-such-catalogue"));
        remove(&path, "a").unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("[[catalogue]]"));
    }

    #[test]
    fn a_file_that_is_wrong_is_not_touched_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("config.toml"), folder.path().join("dotfiles.toml"));
        for wrong in ["[[catalogue]\n", "unknown = 1\n", "catalogue = [{ name = 'a', path = '/x' }]\n"] {
            fs::write(&path, wrong).unwrap();
            assert!(add(&path, &git("b")).is_err(), "{wrong}");
            assert_eq!(fs::read_to_string(&path).unwrap(), wrong);
        }
        fs::write(&elsewhere, "").unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&elsewhere, &path).unwrap();
        add(&path, &git("b")).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert!(fs::read_to_string(&elsewhere).unwrap().contains("name = \"b\""));
    }
}
