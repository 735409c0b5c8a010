//! Taking a JSON object apart field by field, so that an error can say where it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::LockError;

/// A JSON object whose known fields are taken out one by one; what is left at the end is unknown.
pub(super) struct Fields {
    at: String,
    object: Map<String, Value>,
}

impl Fields {
    /// Opens an object. `at` is empty for the whole document.
    pub(super) fn of(at: impl Into<String>, value: Value) -> Result<Self, LockError> {
        let at = at.into();
        match value {
            Value::Object(object) => Ok(Self { at, object }),
            other => Err(mismatch(&at, "an object", &other)),
        }
    }

    /// The place of a field, for messages.
    pub(super) fn at(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// An error about a field.
    pub(super) fn malformed(&self, key: &str, message: impl Into<String>) -> LockError {
        LockError::Malformed { at: self.at(key), message: message.into() }
    }

    /// A field that may hold anything, `null` included.
    pub(super) fn required(&mut self, key: &str) -> Result<Value, LockError> {
        self.object.remove(key).ok_or_else(|| self.malformed(key, "the field is missing"))
    }

    /// A field that may be absent; `null` counts as absent.
    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn required_text(&mut self, key: &str) -> Result<String, LockError> {
        let value = self.required(key)?;
        text(&self.at(key), value)
    }

    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<String>, LockError> {
        let at = self.at(key);
        self.optional(key).map(|value| text(&at, value)).transpose()
    }

    /// A truth value, false if absent.
    pub(super) fn flag(&mut self, key: &str) -> Result<bool, LockError> {
        match self.optional(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(mismatch(&self.at(key), "true or false", &other)),
        }
    }

    /// An object, empty if absent.
    pub(super) fn object(&mut self, key: &str) -> Result<Map<String, Value>, LockError> {
        match self.optional(key) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(other) => Err(mismatch(&self.at(key), "an object", &other)),
        }
    }

    /// An object whose values are read by `read`, which also gets their place; empty if absent.
    pub(super) fn each_entry<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, Value) -> Result<T, LockError>,
    ) -> Result<BTreeMap<String, T>, LockError> {
        let at = self.at(key);
        let entries = self.object(key)?.into_iter();
        entries.map(|(name, value)| Ok((name.clone(), read(&format!("{at}.{name}"), value)?))).collect()
    }

    /// A list whose items are read by `read`, which also gets their place; empty if absent.
    pub(super) fn each_item<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, Value) -> Result<T, LockError>,
    ) -> Result<Vec<T>, LockError> {
        let at = self.at(key);
        match self.optional(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let items = items.into_iter().enumerate();
                items.map(|(index, item)| read(&format!("{at}[{index}]"), item)).collect()
            }
            Some(other) => Err(mismatch(&at, "a list", &other)),
        }
    }

    /// Like [`each_item`](Self::each_item), but the list must be there.
    pub(super) fn each_required_item<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, Value) -> Result<T, LockError>,
    ) -> Result<Vec<T>, LockError> {
        if !self.object.contains_key(key) {
            return Err(self.malformed(key, "the field is missing"));
        }
        self.each_item(key, read)
    }

    /// The fields that nobody took.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.object
    }
}

/// A text at a place.
pub(super) fn text(at: &str, value: Value) -> Result<String, LockError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(mismatch(at, "a text", &other)),
    }
}

/// The error for a value of the wrong kind.
pub(super) fn mismatch(at: &str, expected: &str, found: &Value) -> LockError {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let at = if at.is_empty() { "the document" } else { at };
    LockError::Malformed { at: at.to_owned(), message: format!("expected {expected}, found {kind}") }
}
