//! The JSON schemas of the messages, derived from the types that are sent and read.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::{HostMessage, TriggerMessage};
use crate::lock::canonical::Node;

/// The schemas of a line of the control channel, from the host and from a trigger, each with the name of its file below
/// `docs/schemas`: the same bytes with every build.
///
/// They describe the messages that this version knows. A message of another name and fields that a schema doesn't know
/// are to be ignored.
///
/// ```
/// let [(name, schema), _] = spin_app_model::launch::message_schemas();
/// assert_eq!(name, "host-message.schema.json");
/// assert!(schema.contains("http://json-schema.org/draft-07/schema#"));
/// ```
#[must_use]
pub fn message_schemas() -> [(&'static str, String); 2] {
    [("host-message.schema.json", schema::<HostMessage>()), ("trigger-message.schema.json", schema::<TriggerMessage>())]
}

fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    Node::Free(schema.as_value()).print() + "\n"
}
