//! The user's configuration, `<config>/spin/config.toml`: catalogues and credentials.
//!
//! ```toml
//! version = 1
//!
//! [[catalogue]]
//! name = "ours"
//! url = "https://plugins.example.org/"     # or git = "…" with branch = "…", or path = "…"
//! keys = ["RWQ…"]
//! require_signature = true
//!
//! [[credential]]
//! host = "plugins.example.org"
//! authorization_env = "PLUGINS_TOKEN"      # or authorization = "Bearer …"
//! ```
//!
//! Everything that is wrong with it is told at once, with its place. `edit` changes it and keeps the user's words.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use spin_app_model::document::{self, Invalid, Report as Findings, Table};
use spin_plugin_manager::{CatalogueName, CatalogueSource, Credential, Place, PlaceError, Secret, Trust};

use crate::report::Report;

pub(crate) mod edit;

/// The catalogue that comes with the program. In the file its name only says where among the others it stands.
pub(crate) const BUNDLED: &str = "bundled";

/// The version of the format.
const VERSION: u64 = 1;

/// What a user has configured.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Catalogues that are asked before the one that came with the program.
    pub(crate) before_bundled: Vec<CatalogueSource>,
    /// Those that are asked after it: all, unless the file names it.
    pub(crate) after_bundled: Vec<CatalogueSource>,
    pub(crate) credentials: Vec<Credential>,
}

impl Config {
    /// Reads the file; without one, nothing is configured. `variable` looks up the environment.
    pub(crate) fn read(path: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Report> {
        let invalid = |error: Invalid| Report::new(error.to_string()).code("config::invalid");
        match text(path)? {
            Some(text) => Self::parse(&text, path, variable).map_err(invalid),
            None => Ok(Self::default()),
        }
    }

    fn parse(text: &str, path: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let findings = Findings::new(text);
        let mut config = Self::default();
        if let Some(fields) = document::parse(text, &findings) {
            let table = Table::document(&fields, &findings, "the configuration");
            table.expect_only(&["version", "catalogue", "credential"], &[]);
            if table.count("version").is_some_and(|version| version != VERSION)
                && let Some(span) = table.key_span("version")
            {
                findings.problem(&span, format!("this version of spin reads configurations of version {VERSION}"));
            }
            config.read_catalogues(&table, path.parent().unwrap_or(Path::new("/")));
            let credentials = table.tables("credential", "a `[[credential]]` table");
            config.credentials = credentials.iter().filter_map(|table| credential(table, &variable)).collect();
        }
        findings.into_error(path).map_or(Ok(config), Err)
    }

    fn read_catalogues(&mut self, document: &Table<'_, '_>, folder: &Path) {
        let mut names = BTreeSet::new();
        for table in document.tables("catalogue", "a `[[catalogue]]` table") {
            table.expect_only(&["name", "path", "url", "git", "branch", "keys", "require_signature"], &[]);
            let Some(name) = table.text("name") else {
                if table.get("name").is_none() {
                    table.missing("name", "messages, records and pins call the catalogue by it");
                }
                continue;
            };
            if !names.insert(name.value.clone()) {
                let message = format!("there are two catalogues with the name `{}`", name.value);
                table.report.add(name.at, message, Some("give each a name of its own".to_owned()));
                continue;
            }
            if name.value == BUNDLED {
                table.expect_only(&["name"], &[]);
                self.before_bundled.append(&mut self.after_bundled);
                continue;
            }
            match name.value.parse() {
                Ok(name) => self.after_bundled.extend(catalogue(&table, name, folder)),
                Err(error) => {
                    let error: PlaceError = error;
                    table.report.add(name.at, format!("{}: {error}", table.field_name("name")), None);
                }
            }
        }
    }
}

/// The text of the file; `None` if there is none.
fn text(path: &Path) -> Result<Option<String>, Report> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("could not read the configuration {}: {error}", path.display());
            return Err(Report::new(message).code("config::unreadable"));
        }
        Ok(bytes) => bytes,
    };
    let text = String::from_utf8(bytes).map_err(|error| Invalid::not_utf8(path, &error));
    text.map(Some).map_err(|error| Report::new(error.to_string()).code("config::invalid"))
}

fn catalogue(table: &Table<'_, '_>, name: CatalogueName, folder: &Path) -> Option<CatalogueSource> {
    let keys = table.texts("keys").into_iter().filter_map(|key| match key.value.parse() {
        Ok(key) => Some(key),
        Err(error) => {
            let error: spin_plugin_manager::KeyError = error;
            table.report.add(key.at, format!("in {}: {error}", table.field_name("keys")), None);
            None
        }
    });
    let trust = Trust { keys: keys.collect(), require_signature: table.flag("require_signature").unwrap_or(false) };
    if trust.require_signature && table.texts("keys").is_empty() {
        table.missing("keys", "require_signature needs the keys that may have signed");
    }
    let given = ["path", "url", "git"].into_iter().filter(|key| table.get(key).is_some()).collect::<Vec<_>>();
    let [key] = given.as_slice() else {
        let message = format!("{} must have one of `path`, `url` and `git`", table.name());
        table.report.problem(table.header(), message);
        return None;
    };
    if *key != "git"
        && let Some(span) = table.key_span("branch")
    {
        table.report.problem(&span, format!("{} is for git only", table.field_name("branch")));
    }
    let place = |error: PlaceError| error.to_string();
    let source = match *key {
        "path" => {
            let path = folder.join(table.plain_text("path")?);
            Ok(CatalogueSource::directory(name.as_str(), path, trust))
        }
        "url" => CatalogueSource::web(name, table.parsed("url", "a place", |text| text.parse().map_err(place))?, trust),
        _ => {
            let url = table.parsed("git", "a repository", |text| text.parse().map_err(place));
            let branch = table.parsed("branch", "a branch", |text| text.parse().map_err(place));
            CatalogueSource::git(name, url?, branch, trust)
        }
    };
    let at = table.key_span(key).unwrap_or(table.header().clone());
    source.map_err(|error| table.report.problem(&at, error.to_string())).ok()
}

/// A credential; none if the variable that holds it is not set, so that the server has to say what it thinks of that.
fn credential(table: &Table<'_, '_>, variable: impl Fn(&str) -> Option<String>) -> Option<Credential> {
    table.expect_only(&["host", "authorization", "authorization_env"], &[]);
    let host = table.plain_text("host");
    if table.get("host").is_none() {
        table.missing("host", "it is sent to that server only");
    }
    if let Some(host) = host.as_ref().filter(|host| host.contains('/') || host.contains('@')) {
        let message = format!("{} must be a host, or host:port, and not {host:?}", table.field_name("host"));
        table.report.problem(&table.key_span("host").unwrap_or(table.header().clone()), message);
    }
    match (table.plain_text("authorization"), table.plain_text("authorization_env")) {
        (Some(authorization), None) => Some(Credential { host: host?, authorization: Secret::new(authorization) }),
        (None, Some(name)) => Some(Credential { host: host?, authorization: Secret::new(variable(&name)?) }),
        _ => {
            let message = format!("{} must have one of `authorization` and `authorization_env`", table.name());
            table.report.problem(table.header(), message);
            None
        }
    }
}

/// What the place of a catalogue is called in the file, and on the command line.
pub(crate) fn kind(place: &Place) -> &'static str {
    match place {
        Place::Directory(_) => "path",
        Place::Web { .. } => "url",
        Place::Git { .. } => "git",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn parse(text: &str) -> Result<Config, String> {
        let variable = |name: &str| (name == "TOKEN").then(|| "Bearer hush".to_owned());
        Config::parse(text, Path::new("/c/config.toml"), variable).map_err(|error| error.to_string())
    }

    #[test]
    fn catalogues_and_credentials_are_read() {
        let config = parse(&format!(
            "version = 1\n\
             [[catalogue]]\nname = \"a\"\npath = \"local\"\n\
             [[catalogue]]\nname = \"b\"\nurl = \"https://b.example/x\"\nkeys = [\"{KEY}\"]\nrequire_signature = true\n\
             [[catalogue]]\nname = \"c\"\ngit = \"https://c.example/x\"\nbranch = \"main\"\n\
             [[credential]]\nhost = \"b.example\"\nauthorization_env = \"TOKEN\"\n\
             [[credential]]\nhost = \"c.example\"\nauthorization = \"Basic x\"\n\
             [[credential]]\nhost = \"d.example\"\nauthorization_env = \"ABSENT\"\n"
        ))
        .unwrap();
        let places: Vec<_> = config.after_bundled.iter().map(|source| source.place.to_string()).collect();
        assert_eq!(places, ["/c/local", "https://b.example/x/", "https://c.example/x (branch main)"]);
        assert!(config.after_bundled[1].trust.require_signature);
        let hosts: Vec<_> = config.credentials.iter().map(|credential| credential.host.as_str()).collect();
        assert_eq!(hosts, ["b.example", "c.example"]);
        assert_eq!(config.credentials[0].authorization, Secret::new("Bearer hush"));
        assert!(parse("").unwrap().after_bundled.is_empty());
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let error = parse(
            "version = 2\nverion = 1\n\
             [[catalogue]]\nname = \"Upper\"\npath = \"/x\"\n\
             [[catalogue]]\nname = \"a\"\n\
             [[catalogue]]\nname = \"b\"\npath = \"/x\"\nurl = \"https://x.example\"\n\
             [[catalogue]]\nname = \"b\"\npath = \"/x\"\n\
             [[catalogue]]\nname = \"c\"\nurl = \"http://x.example\"\n\
             [[catalogue]]\nname = \"d\"\ngit = \"ext::sh -c x\"\nbranch = \"-x\"\n\
             [[catalogue]]\nname = \"e\"\nurl = \"https://x.example\"\nbranch = \"x\"\nrequire_signature = true\n\
             [[catalogue]]\nname = \"f\"\npath = \"/x\"\nkeys = [\"nonsense\"]\n\
             [[catalogue]]\npath = \"/x\"\n\
             [[credential]]\nhost = \"https://x.example/\"\nauthorization = \"hush\"\n\
             [[credential]]\nauthorization = \"hush\"\nauthorization_env = \"X\"\n",
        )
        .unwrap_err();
        let lines: Vec<_> = error.lines().filter(|line| !line.starts_with("  help")).collect();
        let places: Vec<_> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
        let expected = [
            "1:1", "2:1", "4:8", "6:1", "8:1", "13:8", "17:1", "20:7", "21:10", "22:1", "25:1", "30:9", "31:1", "34:1",
            "36:1", "36:1",
        ];
        let expected: Vec<_> = expected.iter().map(|place| format!("/c/config.toml:{place}")).collect();
        assert_eq!(places, expected, "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn text_that_is_no_toml_is_told_with_its_place() {
        assert!(parse("[[catalogue]\n").unwrap_err().starts_with("/c/config.toml:1:"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, b"# \xff").unwrap();
        let error = Config::read(&path, |_| None).unwrap_err();
        assert_eq!(error.stable_code(), Some("config::invalid"));
        assert!(Config::read(&folder.path().join("absent"), |_| None).unwrap().credentials.is_empty());
    }
}
