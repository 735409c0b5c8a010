//! A server of large language models, in both languages: it repeats what it is told, and notes what that was.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use spin_tests::Upstream;
use spin_tests::upstream::{read_body, read_head};

/// A running server.
pub(super) struct Models {
    upstream: Upstream,
    asked: Asked,
}

/// The path and the body of the last request.
type Asked = Arc<Mutex<Option<(String, Value)>>>;

impl Models {
    /// What a client must send.
    pub(super) const TOKEN: &str = "s3cret";

    pub(super) fn start() -> Self {
        let asked = Asked::default();
        let noted = Arc::clone(&asked);
        let upstream = Upstream::start(move |_, stream| {
            while let Some(head) = read_head(stream)? {
                let body = serde_json::from_slice(&read_body(&head, stream)?)?;
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, answer) = answer(&head, &path, &body);
                *noted.lock().unwrap() = Some((path, body));
                let answer = answer.to_string();
                write!(stream, "HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())?;
            }
            Ok(())
        });
        Self { upstream, asked }
    }

    pub(super) fn port(&self) -> u16 {
        self.upstream.address().port()
    }

    pub(super) fn asked(&self) -> Option<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn clear(&self) {
        *self.asked.lock().unwrap() = None;
    }
}

fn answer(head: &str, path: &str, body: &Value) -> (u16, Value) {
    if !head.lines().any(|line| line == format!("authorization: bearer {}", Models::TOKEN)) {
        return (401, json!({"error": {"message": "who are you?"}}));
    }
    if body["model"] == "unknown" {
        return (404, json!({"error": {"message": "no such model"}}));
    }
    let vectors =
        || body["input"].as_array().expect("a list").iter().map(|text| vec![text.as_str().map_or(0, str::len)]);
    match path {
        "/infer" => {
            let usage = json!({"promptTokenCount": 3, "generatedTokenCount": 1});
            (200, json!({"text": body["prompt"], "usage": usage}))
        }
        "/embed" => (200, json!({"embeddings": vectors().collect::<Vec<_>>(), "usage": {"promptTokenCount": 3}})),
        "/v1/chat/completions" => {
            let usage = json!({"prompt_tokens": 3, "completion_tokens": 1});
            let message = json!({"role": "assistant", "content": body["messages"][0]["content"]});
            (200, json!({"choices": [{"index": 0, "message": message}], "usage": usage}))
        }
        "/v1/embeddings" => {
            let data = vectors().enumerate().map(|(index, vector)| json!({"index": index, "embedding": vector}));
            (200, json!({"data": data.collect::<Vec<_>>(), "usage": {"prompt_tokens": 3}}))
        }
        _ => (404, json!({"error": {"message": "no such path"}})),
    }
}
