//! Reading a locked application: versions 0 and 1 alike.
//!
//! Versions differ only in what a writer promises: a reader takes every field it knows from either. What it must *not*
//! do is run an application that needs more than it knows, so those checks come before the rest is even looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine as _;
use serde_json::Value;

use super::fields::{Fields, mismatch, text};
use super::model::{
    ContentRef, Inherit, LockedApp, LockedComponent, LockedDependency, LockedFile, LockedSource, LockedTrigger,
    LockedVariable,
};
use super::requirements::{COMPONENT_HOST_REQUIREMENTS, HOST_REQUIREMENTS, KNOWN};
use super::write::BASE64;
use super::{LockError, MAX_LOCK_VERSION};

impl LockedApp {
    /// Reads a lock file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and as [`from_json`](Self::from_json).
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let json = fs::read(path).map_err(|source| LockError::Read { path: path.to_owned(), source })?;
        Self::from_json(&json)
    }

    /// Reads the JSON of a lock file of version 0 or 1.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, is of a newer version, lacks a required field or has one of the wrong kind, or when
    /// the application requires something that this version does not know.
    pub fn from_json(json: &[u8]) -> Result<Self, LockError> {
        let document = serde_json::from_slice(json).map_err(LockError::NotJson)?;
        let mut fields = Fields::of("", document)?;
        check_version(&mut fields)?;
        let must_understand = fields.each_item("must_understand", must_understand)?;
        let app = Self {
            must_understand,
            metadata: fields.object("metadata")?,
            host_requirements: requirements(&mut fields)?,
            variables: fields.each_entry("variables", variable)?,
            triggers: fields.each_required_item("triggers", trigger)?,
            components: fields.each_required_item("components", component)?,
            unknown: fields.rest(),
        };
        app.check_known_requirements()?;
        app.check_unique_components()?;
        Ok(app)
    }

    fn check_known_requirements(&self) -> Result<(), LockError> {
        let of_components = self.components.iter().flat_map(|component| component.host_requirements.keys());
        let all = self.host_requirements.keys().chain(of_components);
        let unknown: BTreeSet<&String> = all.filter(|name| !KNOWN.contains(&name.as_str())).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(LockError::HostRequirements { names: unknown.into_iter().cloned().collect() })
    }

    fn check_unique_components(&self) -> Result<(), LockError> {
        let mut seen = BTreeSet::new();
        match self.components.iter().find(|component| !seen.insert(&component.id)) {
            Some(twice) => Err(LockError::DuplicateComponent { id: twice.id.to_string() }),
            None => Ok(()),
        }
    }
}

fn check_version(fields: &mut Fields) -> Result<(), LockError> {
    let version = fields.required("spin_lock_version")?;
    match version.as_u64() {
        Some(version) if version <= MAX_LOCK_VERSION => Ok(()),
        Some(version) => Err(LockError::Version { found: version.to_string() }),
        None => Err(mismatch("spin_lock_version", "0 or 1", &version)),
    }
}

fn must_understand(at: &str, value: Value) -> Result<String, LockError> {
    let name = text(at, value)?;
    if [HOST_REQUIREMENTS, COMPONENT_HOST_REQUIREMENTS].contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(LockError::MustUnderstand { name })
    }
}

/// Requirements are dropped if the application can do without them; for the others only the name counts.
fn requirements(fields: &mut Fields) -> Result<BTreeMap<String, String>, LockError> {
    let mut requirements = fields.each_entry(HOST_REQUIREMENTS, |_, value| {
        Ok(match value {
            Value::String(text) => text,
            other => other.to_string(),
        })
    })?;
    requirements.retain(|_, level| level != "optional");
    Ok(requirements)
}

fn variable(at: &str, value: Value) -> Result<LockedVariable, LockError> {
    let mut fields = Fields::of(at, value)?;
    Ok(LockedVariable {
        description: fields.optional_text("description")?,
        default: fields.optional_text("default")?,
        secret: fields.flag("secret")?,
    })
}

fn trigger(at: &str, value: Value) -> Result<LockedTrigger, LockError> {
    let mut fields = Fields::of(at, value)?;
    Ok(LockedTrigger {
        id: fields.required_text("id")?,
        trigger_type: name(&mut fields, "trigger_type")?,
        trigger_config: fields.required("trigger_config")?,
        unknown: fields.rest(),
    })
}

fn component(at: &str, value: Value) -> Result<LockedComponent, LockError> {
    let mut fields = Fields::of(at, value)?;
    let code = fields.required("source")?;
    Ok(LockedComponent {
        id: name(&mut fields, "id")?,
        metadata: fields.object("metadata")?,
        source: source(&fields.at("source"), code)?,
        env: fields.each_entry("env", text)?,
        files: fields.each_item("files", file)?,
        config: fields.each_entry("config", text)?,
        dependencies: fields.each_entry("dependencies", dependency)?,
        host_requirements: requirements(&mut fields)?,
        unknown: fields.rest(),
    })
}

fn source(at: &str, value: Value) -> Result<LockedSource, LockError> {
    let mut fields = Fields::of(at, value)?;
    Ok(LockedSource { content_type: fields.required_text("content_type")?, content: content(&mut fields)? })
}

fn file(at: &str, value: Value) -> Result<LockedFile, LockError> {
    let mut fields = Fields::of(at, value)?;
    Ok(LockedFile { content: content(&mut fields)?, path: fields.required_text("path")? })
}

fn content(fields: &mut Fields) -> Result<ContentRef, LockError> {
    let inline = match fields.optional_text("inline")? {
        None => None,
        Some(encoded) => {
            let decoded = BASE64.decode(&encoded);
            Some(decoded.map_err(|error| fields.malformed("inline", format!("not base64: {error}")))?)
        }
    };
    Ok(ContentRef { source: fields.optional_text("source")?, inline, digest: fields.optional_text("digest")? })
}

fn dependency(at: &str, value: Value) -> Result<LockedDependency, LockError> {
    let mut fields = Fields::of(at, value)?;
    let code = fields.required("source")?;
    Ok(LockedDependency {
        source: source(&fields.at("source"), code)?,
        export: fields.optional_text("export")?,
        inherit: inherit(&mut fields)?,
    })
}

fn inherit(fields: &mut Fields) -> Result<Inherit, LockError> {
    let at = fields.at("inherit");
    match fields.optional("inherit") {
        None => Ok(Inherit::Nothing),
        Some(Value::String(all)) if all == "All" => Ok(Inherit::All),
        Some(Value::Object(object)) if object.len() == 1 && object.contains_key("Some") => {
            let mut named = Fields::of(at, Value::Object(object))?;
            Ok(Inherit::Some(named.each_required_item("Some", text)?))
        }
        Some(_) => Err(fields.malformed("inherit", r#"expected "All" or {"Some": [..]}"#)),
    }
}

/// A text that is parsed into one of the name types.
fn name<T>(fields: &mut Fields, key: &str) -> Result<T, LockError>
where
    T: TryFrom<String>,
    T::Error: ToString,
{
    let text = fields.required_text(key)?;
    T::try_from(text).map_err(|error| fields.malformed(key, error.to_string()))
}

#[cfg(test)]
mod tests;
