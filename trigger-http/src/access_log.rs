//! The access log: a line for each request, on demand.
//!
//! It goes to standard output, which is the trigger's own: what components print goes to standard error, so no component
//! can forge a line. With `--format json --access-log=json` standard output is a sequence of JSON values.
//!
//! Lines are written by a thread of their own. A reader that is too slow loses lines, which are counted; no request ever
//! waits for it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderValue, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::{Buf, Bytes};
use serde::Serialize;
use spin_trigger_kit::tokio::sync::mpsc;
use spin_trigger_kit::tokio::task::{self, JoinHandle};
use spin_trigger_kit::tracing;

use crate::ids::{Names, Trace};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

/// How many lines wait for a slow reader.
const WAITING: usize = 4096;

/// Takes lines. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    format: Format,
    lines: mpsc::Sender<String>,
    lost: Arc<AtomicU64>,
}

impl AccessLog {
    /// A log whose lines `write` gets; it may wait. The task ends when the last clone of the log is gone.
    pub fn open(format: Format, mut write: impl FnMut(&str) + Send + 'static) -> (Self, JoinHandle<()>) {
        let (lines, mut waiting) = mpsc::channel::<String>(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = task::spawn_blocking({
            let lost = Arc::clone(&lost);
            move || {
                while let Some(line) = waiting.blocking_recv() {
                    write(&line);
                    match lost.swap(0, Ordering::Relaxed) {
                        0 => {}
                        count => {
                            tracing::warn!("{count} lines of the access log are lost: nobody reads them fast enough")
                        }
                    }
                }
            }
        });
        (Self { format, lines, lost }, writer)
    }

    /// A request that has come; its line is written when the result is dropped.
    pub fn entry(&self, client: SocketAddr, method: &Method, path: &str, names: &Names) -> Entry {
        Entry {
            log: self.clone(),
            began: Instant::now(),
            time: jiff::Timestamp::now(),
            client,
            method: method.clone(),
            path: path.to_owned(),
            status: None,
            bytes: 0,
            component: None,
            request_id: names.request.clone(),
            trace: names.trace.clone(),
        }
    }

    fn write(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A line to be.
pub struct Entry {
    log: AccessLog,
    began: Instant,
    time: jiff::Timestamp,
    client: SocketAddr,
    method: Method,
    path: String,
    status: Option<StatusCode>,
    bytes: u64,
    component: Option<Arc<str>>,
    request_id: HeaderValue,
    trace: Option<Trace>,
}

/// The fields of a line, in this order in both forms.
#[derive(Serialize)]
struct Line<'a> {
    /// When the request came; RFC 3339, in UTC, with milliseconds.
    time: &'a str,
    client: SocketAddr,
    method: &'a str,
    /// Without the query, which may hold secrets.
    path: &'a str,
    /// None if the client went away before there was one.
    status: Option<u16>,
    /// Of the response's body, as far as the connection took it.
    bytes: u64,
    /// From the request's head to the end of the response.
    duration_ms: u64,
    /// The component, or the trigger of a static response.
    component: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<&'a str>,
}

impl Entry {
    /// Says who answers.
    pub fn served_by(&mut self, component: &Arc<str>) {
        self.component = Some(Arc::clone(component));
    }

    /// Says that the head of the response is sent; its body counts with [`Logged`].
    pub fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let line = Line {
            time: &format!("{:.3}", self.time),
            client: self.client,
            method: self.method.as_str(),
            path: &self.path,
            status: self.status.map(|status| status.as_u16()),
            bytes: self.bytes,
            duration_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            component: self.component.as_deref(),
            request_id: self.request_id.to_str().unwrap_or_default(),
            trace_id: self.trace.as_ref().map(|trace| trace.trace_id.as_str()),
            span_id: self.trace.as_ref().map(|trace| trace.span_id.as_str()),
        };
        self.log.write(match self.log.format {
            Format::Text => line.text(),
            Format::Json => serde_json::to_string(&line).expect("a struct of strings and numbers is valid JSON") + "\n",
        });
    }
}

impl Line<'_> {
    fn text(&self) -> String {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let trace = match (self.trace_id, self.span_id) {
            (Some(trace), Some(span)) => format!(" {trace}/{span}"),
            _ => String::new(),
        };
        format!(
            "{} {} \"{} {}\" {status} {} {}ms {} {}{trace}\n",
            self.time,
            self.client,
            self.method,
            // Paths may hold quotes, and beyond ASCII what moves a terminal's cursor.
            self.path.escape_default(),
            self.bytes,
            self.duration_ms,
            self.component.unwrap_or("-"),
            self.request_id,
        )
    }
}

/// The body of a response whose bytes are counted.
pub struct Logged<B> {
    body: B,
    entry: Option<Entry>,
}

impl<B> Logged<B> {
    /// Counts for `entry`, if there is one.
    pub fn new(body: B, entry: Option<Entry>) -> Self {
        Self { body, entry }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Logged<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Some(entry), Poll::Ready(Some(Ok(frame)))) = (&mut self.entry, &polled) {
            entry.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use spin_trigger_kit::tokio::runtime::Runtime;

    use super::*;
    use crate::ids::Ids;

    fn lines(format: Format, path: &str, headers: &[(&'static str, &str)]) -> String {
        let written = Arc::new(Mutex::new(String::new()));
        let to = Arc::clone(&written);
        Runtime::new().unwrap().block_on(async {
            let (log, writer) = AccessLog::open(format, move |line| to.lock().unwrap().push_str(line));
            let mut sent = http::HeaderMap::new();
            for (name, value) in headers {
                sent.insert(*name, value.parse().unwrap());
            }
            let names = Ids::default().name(&mut sent);
            let mut entry = log.entry("127.0.0.1:4711".parse().unwrap(), &Method::GET, path, &names);
            entry.served_by(&"hello".into());
            entry.answered(StatusCode::OK);
            drop(log.entry("[::1]:1".parse().unwrap(), &Method::PUT, path, &names));
            drop((log, entry));
            writer.await.unwrap();
        });
        written.lock().unwrap().clone()
    }

    #[test]
    fn a_line_of_text_has_no_character_that_a_terminal_obeys() {
        let text = lines(Format::Text, "/a\"b\u{9b}2J", &[("x-request-id", "one")]);
        let (time, first) = text.lines().next().unwrap().split_once(' ').unwrap();
        assert_eq!(first, r#"[::1]:1 "PUT /a\"b\u{9b}2J" - 0 0ms - one"#);
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == "2026-01-01T00:00:00.000Z".len(), "{time}");
        let second = text.lines().nth(1).unwrap();
        assert!(second.starts_with(&time[..10]) && second.contains("\" 200 0 ") && second.ends_with("ms hello one"));
    }

    #[test]
    fn a_line_of_json_is_an_object() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let text = lines(Format::Json, "/a", &[("x-request-id", "one"), ("traceparent", trace)]);
        let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 2, "{text}");
        assert_eq!((&objects[0]["status"], &objects[0]["component"]), (&serde_json::Value::Null, &().into()));
        assert_eq!((&objects[1]["status"], &objects[1]["component"]), (&200.into(), &"hello".into()));
        assert_eq!(objects[1]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(objects[1]["span_id"].as_str().unwrap().len(), 16);
    }
}
