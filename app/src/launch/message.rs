//! What the lines of the control channel say: one JSON object a line, with one key, the name of the message.
//!
//! Unknown messages and unknown fields are ignored, so that either side may be newer than the other.
//!
//! The optional parts have modules of their own: `reload` and `status`.

mod reload;
mod status;

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::TriggerType;

pub use reload::{Generation, RELOAD, Rejected, Reload};
pub use status::{STATUS, Status, StatusRequest};

/// The optional parts of the protocol that this crate describes, as they are named in [`Hello::features`].
pub const FEATURES: &[&str] = &[RELOAD, STATUS];

/// A message from a trigger to its host.
///
/// ```
/// use spin_app_model::launch::{Progress, TriggerMessage};
///
/// let message = TriggerMessage::Progress(Progress::new("compile", 1, 3));
/// let line = message.encode();
/// assert_eq!(line, "{\"progress\":{\"phase\":\"compile\",\"done\":1,\"of\":3}}\n");
/// assert_eq!(TriggerMessage::decode(line.as_bytes())?, Some(message));
/// # Ok::<(), spin_app_model::launch::MessageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TriggerMessage {
    /// The first line, before any other work.
    Hello(Hello),
    /// How far the start is; optional.
    Progress(Progress),
    /// Listening or subscribed.
    Ready(Ready),
    /// The start failed; the process is about to exit.
    Failed(Failed),
    /// A new generation can be used: the first answer to a reload.
    Prepared(Generation),
    /// A new generation can't be run: the other one.
    Rejected(Rejected),
    /// New events are served by this generation from now on.
    Committed(Generation),
    /// The last event of the generation that this one replaced has ended; nothing of its folder is used any more.
    Retired(Generation),
    /// The answer to a request for the status.
    Status(Status),
}

/// A message from the host to a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HostMessage {
    /// The answer to a hello.
    Welcome(Welcome),
    /// Stop accepting, finish what runs, exit with 0.
    Drain(Drain),
    /// Prepare a new generation of the app.
    Reload(Reload),
    /// Use the generation that was prepared.
    Commit(Generation),
    /// Forget the generation that was announced.
    Abort(Generation),
    /// Say how you are.
    Status(StatusRequest),
}

/// A trigger introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Hello {
    /// The protocols it speaks.
    pub protocols: Vec<u32>,
    /// The trigger type it serves.
    #[serde(rename = "type")]
    pub trigger_type: TriggerType,
    /// Its own version.
    pub version: String,
    /// Optional parts of the protocol that it knows.
    #[serde(default)]
    pub features: Vec<String>,
}

/// The host accepts a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Welcome {
    /// The protocol that both speak from now on.
    pub protocol: u32,
    /// Optional parts of the protocol that both know.
    #[serde(default)]
    pub features: Vec<String>,
}

/// How far the start of a trigger is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing, for example `compile`.
    pub phase: String,
    /// How many steps are done.
    pub done: u64,
    /// How many there are.
    pub of: u64,
}

/// A trigger serves its application from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ready {
    /// Where it can be reached, or what it is subscribed to.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// A place where events come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Endpoint {
    /// What kind of place it is, for example `http`.
    pub kind: String,
    /// Its address, in the form usual for the kind, for example a URL.
    pub address: String,
}

/// A trigger cannot start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Failed {
    /// A stable code, for example `http::address-in-use`.
    pub code: String,
    /// What happened, where, and what to do next.
    pub message: String,
}

/// The host asks a trigger to end in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Drain {
    /// How many milliseconds events in flight may still take.
    pub grace_ms: u64,
}

/// Why a line is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The line is not UTF-8.
    #[error("a line on the control channel is not valid UTF-8 (first bad byte at {at})")]
    NotUtf8 {
        /// The offset of the first bad byte.
        at: usize,
    },
    /// The line is not a JSON object with one key.
    #[error("a line on the control channel is not a message ({reason}): {excerpt}")]
    NotAMessage {
        /// What is wrong.
        reason: String,
        /// The beginning of the line, harmless to print.
        excerpt: String,
    },
    /// The message is a known one, but its fields are not those it must have.
    #[error("bad \"{name}\" message on the control channel: {reason}")]
    BadFields {
        /// The name of the message.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl MessageError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "control::not-utf8",
            Self::NotAMessage { .. } => "control::not-a-message",
            Self::BadFields { .. } => "control::bad-fields",
        }
    }
}

impl TriggerMessage {
    /// The message as a line, with its end.
    #[must_use]
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a line, with or without its end. `None` for a message of a name that this version does not know.
    ///
    /// # Errors
    ///
    /// When the line is not a message, or a known message has wrong fields.
    pub fn decode(line: &[u8]) -> Result<Option<Self>, MessageError> {
        let (name, body) = split(line)?;
        Ok(Some(match name.as_str() {
            "hello" => Self::Hello(fields("hello", body)?),
            "progress" => Self::Progress(fields("progress", body)?),
            "ready" => Self::Ready(fields("ready", body)?),
            "failed" => Self::Failed(fields("failed", body)?),
            "prepared" => Self::Prepared(fields("prepared", body)?),
            "rejected" => Self::Rejected(fields("rejected", body)?),
            "committed" => Self::Committed(fields("committed", body)?),
            "retired" => Self::Retired(fields("retired", body)?),
            "status" => Self::Status(fields("status", body)?),
            _ => return Ok(None),
        }))
    }

    /// The name of the message, as it is on the channel.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Progress(_) => "progress",
            Self::Ready(_) => "ready",
            Self::Failed(_) => "failed",
            Self::Prepared(_) => "prepared",
            Self::Rejected(_) => "rejected",
            Self::Committed(_) => "committed",
            Self::Retired(_) => "retired",
            Self::Status(_) => "status",
        }
    }
}

impl HostMessage {
    /// The message as a line, with its end.
    #[must_use]
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a line, with or without its end. `None` for a message of a name that this version does not know.
    ///
    /// # Errors
    ///
    /// When the line is not a message, or a known message has wrong fields.
    pub fn decode(line: &[u8]) -> Result<Option<Self>, MessageError> {
        let (name, body) = split(line)?;
        Ok(Some(match name.as_str() {
            "welcome" => Self::Welcome(fields("welcome", body)?),
            "drain" => Self::Drain(fields("drain", body)?),
            "reload" => Self::Reload(fields("reload", body)?),
            "commit" => Self::Commit(fields("commit", body)?),
            "abort" => Self::Abort(fields("abort", body)?),
            "status" => Self::Status(fields("status", body)?),
            _ => return Ok(None),
        }))
    }

    /// The name of the message, as it is on the channel.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Drain(_) => "drain",
            Self::Reload(_) => "reload",
            Self::Commit(_) => "commit",
            Self::Abort(_) => "abort",
            Self::Status(_) => "status",
        }
    }
}

impl Hello {
    /// A hello that offers [`PROTOCOL`](super::PROTOCOL) and no features.
    #[must_use]
    pub fn new(trigger_type: TriggerType, version: impl Into<String>) -> Self {
        Self { protocols: vec![super::PROTOCOL], trigger_type, version: version.into(), features: Vec::new() }
    }

    /// The same with these features.
    #[must_use]
    pub fn with_features(mut self, features: &[&str]) -> Self {
        self.features = features.iter().map(|&feature| feature.to_owned()).collect();
        self
    }
}

impl Welcome {
    /// A welcome without features.
    #[must_use]
    pub fn new(protocol: u32) -> Self {
        Self { protocol, features: Vec::new() }
    }
}

impl Progress {
    /// Step `done` of `of` in a phase.
    #[must_use]
    pub fn new(phase: impl Into<String>, done: u64, of: u64) -> Self {
        Self { phase: phase.into(), done, of }
    }
}

impl Ready {
    /// Ready, reachable at these places.
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self { endpoints }
    }
}

impl Endpoint {
    /// A place of some kind.
    #[must_use]
    pub fn new(kind: impl Into<String>, address: impl Into<String>) -> Self {
        Self { kind: kind.into(), address: address.into() }
    }
}

impl Failed {
    /// A failure; an enormous message is cut.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: cut(message.into()) }
    }
}

impl Drain {
    /// A request to end within `grace`.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) }
    }

    /// How long events in flight may still take.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

/// An error that quotes a whole file must still fit a line.
fn cut(mut message: String) -> String {
    const MAX_BYTES: usize = 64 * 1024;
    if message.len() > MAX_BYTES {
        message.truncate(message.floor_char_boundary(MAX_BYTES));
        message.push('…');
    }
    message
}

fn encode(message: &impl Serialize) -> String {
    let mut line = serde_json::to_string(message).expect("messages are plain data with string keys");
    line.push('\n');
    line
}

/// Takes a line apart into the name of the message and its body.
fn split(line: &[u8]) -> Result<(String, Value), MessageError> {
    let text = std::str::from_utf8(line).map_err(|error| MessageError::NotUtf8 { at: error.valid_up_to() })?;
    let refuse = |reason: String| MessageError::NotAMessage { reason, excerpt: excerpt(text) };
    let value: Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let Value::Object(object) = value else {
        return Err(refuse("not a JSON object".to_owned()));
    };
    let mut entries = object.into_iter();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry),
        _ => Err(refuse("not an object with exactly one key".to_owned())),
    }
}

fn fields<T: DeserializeOwned>(name: &'static str, body: Value) -> Result<T, MessageError> {
    serde_json::from_value(body).map_err(|error| MessageError::BadFields { name, reason: error.to_string() })
}

/// The beginning of a line, with everything that could move a terminal's cursor spelled out.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 80;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests;
