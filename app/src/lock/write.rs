//! Writing a locked application: which fields, in which order, and safely to disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::LockError;
use super::canonical::{Node, sorted_fields};
use super::model::{
    ContentRef, Inherit, LockedApp, LockedComponent, LockedDependency, LockedFile, LockedSource, LockedTrigger,
    LockedVariable,
};

/// Inline content: the standard alphabet, written without padding, read with or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl LockedApp {
    /// The canonical JSON of the application: the same bytes for the same application, always.
    ///
    /// It is of version 0 as long as that can express the application, so that old triggers can read it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let version = u64::from(!self.must_understand.is_empty() || !self.host_requirements.is_empty());
        let mut fields = Fields::default();
        fields.add("spin_lock_version", Node::Number(version));
        fields.add_list("must_understand", &self.must_understand, |name| Node::text(name));
        fields.add_object("metadata", &self.metadata);
        fields.add_texts("host_requirements", &self.host_requirements);
        fields.add_map("variables", &self.variables, variable);
        fields.add("triggers", Node::List(self.triggers.iter().map(trigger).collect()));
        fields.add("components", Node::List(self.components.iter().map(component).collect()));
        fields.add_unknown(&self.unknown);
        fields.into_node().print()
    }

    /// Writes the canonical JSON to a file that only its owner may read: it holds variables in clear text.
    ///
    /// Whoever reads it meanwhile finds either its old content or the whole new one. It isn't made sure that it is on the
    /// disk: a lock is made anew for every start, and nobody needs one after the machine has failed.
    ///
    /// # Errors
    ///
    /// [`LockError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        replace(path, self.to_json().as_bytes()).map_err(|source| LockError::Write { path: path.to_owned(), source })
    }
}

/// Writes a temporary file beside the target, with mode 0600, and renames it over the target.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".spin-lock-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn variable(variable: &LockedVariable) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add_text("description", variable.description.as_deref());
    fields.add_text("default", variable.default.as_deref());
    if variable.secret {
        fields.add("secret", Node::Flag(true));
    }
    fields.into_node()
}

fn trigger(trigger: &LockedTrigger) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add("id", Node::text(&trigger.id));
    fields.add("trigger_type", Node::text(trigger.trigger_type.as_str()));
    fields.add("trigger_config", Node::Free(&trigger.trigger_config));
    fields.add_unknown(&trigger.unknown);
    fields.into_node()
}

fn component(component: &LockedComponent) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add("id", Node::text(component.id.as_str()));
    fields.add_object("metadata", &component.metadata);
    fields.add("source", source(&component.source));
    fields.add_texts("env", &component.env);
    fields.add_list("files", &component.files, file);
    fields.add_texts("config", &component.config);
    fields.add_map("dependencies", &component.dependencies, dependency);
    fields.add_texts("host_requirements", &component.host_requirements);
    fields.add_unknown(&component.unknown);
    fields.into_node()
}

fn source(source: &LockedSource) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add("content_type", Node::text(&source.content_type));
    fields.add_content(&source.content);
    fields.into_node()
}

fn file(file: &LockedFile) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add_content(&file.content);
    fields.add("path", Node::text(&file.path));
    fields.into_node()
}

fn dependency(dependency: &LockedDependency) -> Node<'_> {
    let mut fields = Fields::default();
    fields.add("source", source(&dependency.source));
    fields.add("export", dependency.export.as_deref().map_or(Node::Null, Node::text));
    match &dependency.inherit {
        Inherit::Nothing => {}
        Inherit::All => fields.add("inherit", Node::text("All")),
        Inherit::Some(keys) => {
            let keys = keys.iter().map(|key| Node::text(key)).collect();
            fields.add("inherit", Node::Object(vec![("Some", Node::List(keys))]));
        }
    }
    fields.into_node()
}

/// The fields of an object under construction. Empty things are left out, except by [`Fields::add`].
#[derive(Default)]
struct Fields<'a>(Vec<(&'a str, Node<'a>)>);

impl<'a> Fields<'a> {
    fn add(&mut self, key: &'a str, node: Node<'a>) {
        self.0.push((key, node));
    }

    fn add_text(&mut self, key: &'a str, text: Option<&'a str>) {
        if let Some(text) = text {
            self.add(key, Node::text(text));
        }
    }

    fn add_object(&mut self, key: &'a str, object: &'a Map<String, Value>) {
        if !object.is_empty() {
            self.add(key, Node::sorted(object));
        }
    }

    fn add_list<T>(&mut self, key: &'a str, items: &'a [T], node: impl Fn(&'a T) -> Node<'a>) {
        if !items.is_empty() {
            self.add(key, Node::List(items.iter().map(node).collect()));
        }
    }

    fn add_map<T>(&mut self, key: &'a str, map: &'a BTreeMap<String, T>, node: impl Fn(&'a T) -> Node<'a>) {
        if !map.is_empty() {
            self.add(key, Node::Object(map.iter().map(|(name, value)| (name.as_str(), node(value))).collect()));
        }
    }

    fn add_texts(&mut self, key: &'a str, map: &'a BTreeMap<String, String>) {
        self.add_map(key, map, |text| Node::text(text));
    }

    fn add_content(&mut self, content: &'a ContentRef) {
        self.add_text("source", content.source.as_deref());
        if let Some(bytes) = &content.inline {
            self.add("inline", Node::Text(Cow::Owned(BASE64.encode(bytes))));
        }
        self.add_text("digest", content.digest.as_deref());
    }

    /// Fields of newer versions follow all known ones; one that has become known meanwhile is not written twice.
    fn add_unknown(&mut self, unknown: &'a Map<String, Value>) {
        for (key, node) in sorted_fields(unknown) {
            if self.0.iter().all(|(known, _)| *known != key) {
                self.add(key, node);
            }
        }
    }

    fn into_node(self) -> Node<'a> {
        Node::Object(self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::fs;

    use super::*;

    #[test]
    fn an_empty_application_still_has_its_lists() {
        let json = "{\n  \"spin_lock_version\": 0,\n  \"triggers\": [],\n  \"components\": []\n}";
        assert_eq!(LockedApp::default().to_json(), json);
    }

    #[test]
    fn requirements_make_it_version_1() {
        let mut app = LockedApp::default();
        app.must_understand.push("component_host_requirements".into());
        assert!(app.to_json().starts_with("{\n  \"spin_lock_version\": 1,\n  \"must_understand\": [\n"));
        let mut app = LockedApp::default();
        app.host_requirements.insert("local_service_chaining".into(), "required".into());
        assert!(app.to_json().starts_with("{\n  \"spin_lock_version\": 1,\n  \"host_requirements\": {\n"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spin.lock");
        fs::write(&path, "old and much longer than nothing").unwrap();
        let app = LockedApp::default();
        app.write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), app.to_json());
        assert_eq!(LockedApp::read(&path).unwrap(), app);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("occupied");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("content"), "").unwrap();
        let error = LockedApp::default().write(&path).unwrap_err();
        assert_eq!(error.code(), "lock::write");
        assert!(error.to_string().contains("occupied"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
