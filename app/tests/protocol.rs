//! The trigger protocol as others read it: the schemas of its messages, and the examples of its document.
//!
//! `SPIN_BLESS=1` writes the schemas into their files instead of comparing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;
use spin_app_model::launch::metrics::Metric;
use spin_app_model::launch::{HostMessage, TriggerMessage, message_schemas};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The schemas, compiled: of the host's messages, and of triggers'.
struct Judge {
    schemas: Schemas,
    host: SchemaIndex,
    trigger: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let [host, trigger] = message_schemas().map(|(name, text)| {
            let mut compiler = Compiler::new();
            compiler.set_default_draft(Draft::V7);
            let url = format!("file:///{name}");
            compiler.add_resource(&url, serde_json::from_str(&text).unwrap()).unwrap();
            compiler.compile(&url, &mut schemas).unwrap()
        });
        Self { schemas, host, trigger }
    }

    fn accepts(&self, from: &str, message: &Value) -> bool {
        let schema = if from == "host" { self.host } else { self.trigger };
        self.schemas.validate(message, schema).is_ok()
    }
}

/// Whether the reader of that side's messages takes it as one that it knows.
fn reads(from: &str, line: &str) -> bool {
    match from {
        "host" => matches!(HostMessage::decode(line.as_bytes()), Ok(Some(_))),
        _ => matches!(TriggerMessage::decode(line.as_bytes()), Ok(Some(_))),
    }
}

/// The messages of the document's tables: who sends it, and the line with its dots filled in.
fn messages() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(docs().join("trigger-protocol.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let messages = rows.filter_map(|row| {
        let (from, rest) = row.split_once(" | `{")?;
        let message = format!("{{{}", rest.split_once("` |")?.0).replace("[…]", "[]");
        Some((from.to_owned(), message))
    });
    messages.collect()
}

#[test]
fn the_files_are_the_schemas_of_this_version() {
    for (name, schema) in message_schemas() {
        let path = docs().join("schemas").join(name);
        if std::env::var_os("SPIN_BLESS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(file == schema, "{} is not current; run this test with SPIN_BLESS=1", path.display());
    }
}

#[test]
fn the_messages_of_the_document_are_read_and_fit_the_schemas() {
    let judge = Judge::new();
    let messages = messages();
    for (from, line) in &messages {
        assert!(reads(from, line), "{from}: {line}");
        assert!(judge.accepts(from, &serde_json::from_str(line).unwrap()), "{from}: {line}");
    }
    // One of each: a name that stands in a schema stands in the document.
    for (from, (_, schema)) in ["host", "trigger"].iter().zip(message_schemas()) {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let names = schema["oneOf"].as_array().unwrap().iter().map(|form| form["required"][0].as_str().unwrap());
        for name in names {
            let start = format!("{{\"{name}\": ");
            assert!(messages.iter().any(|(by, line)| by == from && line.starts_with(&start)), "{from}: {name}");
        }
    }
}

#[test]
fn the_metrics_of_the_document_are_read() {
    let text = std::fs::read_to_string(docs().join("trigger-protocol.md")).unwrap();
    let block = text.split("```json\n").find(|block| block.starts_with("{\"name\"")).unwrap();
    let metrics = serde_json::Deserializer::from_str(block.split("```").next().unwrap()).into_iter::<Metric>();
    assert_eq!(metrics.map(Result::unwrap).count(), 3);
}

#[test]
fn a_schema_refuses_what_the_reader_refuses() {
    let judge = Judge::new();
    let metric = |metric: &str| format!(r#"{{"status": {{"id": 1, "ready": true, "metrics": [{metric}]}}}}"#);
    let bad = [
        ("host", r#"{"welcome": {}}"#.to_owned()),
        ("host", r#"{"drain": {"grace_ms": -1}}"#.to_owned()),
        ("host", r#"{"commit": {"id": "2"}}"#.to_owned()),
        ("host", r#"{"reload": {"id": 2}}"#.to_owned()),
        ("trigger", r#"{"hello": {"protocols": 1, "type": "http", "version": "1"}}"#.to_owned()),
        ("trigger", r#"{"prepared": {"id": 2}, "ready": {}}"#.to_owned()),
        ("trigger", r#"{"rejected": {"id": 2, "code": "x"}}"#.to_owned()),
        ("trigger", metric(r#"{"type": "gauge", "name": "no name", "value": 1}"#)),
        ("trigger", metric(r#"{"type": "histogram", "name": "a", "value": 1}"#)),
        ("trigger", metric(r#"{"name": "a", "value": 1}"#)),
    ];
    for (from, line) in &bad {
        assert!(!reads(from, line), "{from}: {line}");
        assert!(!judge.accepts(from, &serde_json::from_str(line).unwrap()), "{from}: {line}");
    }
    let newer = r#"{"commit": {"id": 2, "at": "noon"}}"#;
    assert!(reads("host", newer) && judge.accepts("host", &serde_json::from_str(newer).unwrap()));
}
