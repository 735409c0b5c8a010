//! Names for requests: `x-request-id` and W3C trace context.
//!
//! A client's or proxy's name for a request is kept if it is well-formed, so that a line in its log and one in ours can
//! be put together. The component gets it as a header; the response is the component's, and nothing is added to it.
//!
//! A trace is continued, not begun: the component gets the trace of the client with a span of this server's own, which
//! the access log tells. Without a valid `traceparent` it gets none, because nobody else would know of that trace.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's name.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The trace that a request belongs to: <https://www.w3.org/TR/trace-context/>.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What vendors add to it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest name that is taken over.
const LONGEST_ID: usize = 128;
/// The longest `tracestate` that is handed on; the standard asks for at least this much.
const LONGEST_STATE: usize = 512;

/// Makes names that no other process makes.
///
/// They are a counter under SipHash with a key of this process: as good as random, and no system call for each.
pub struct Ids {
    key: RandomState,
    next: AtomicU64,
}

/// What a request is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `x-request-id`.
    pub request: HeaderValue,
    /// The trace, if the client sent one.
    pub trace: Option<Trace>,
}

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of the whole trace: 32 digits.
    pub trace_id: String,
    /// Of this server's part: 16 digits.
    pub span_id: String,
    flags: String,
}

impl Default for Ids {
    fn default() -> Self {
        Self { key: RandomState::new(), next: AtomicU64::new(0) }
    }
}

impl Ids {
    /// Names a request, and puts the names into its headers in the place of those that the client sent.
    pub fn name(&self, headers: &mut HeaderMap) -> Names {
        let request = only(headers, &REQUEST_ID).filter(|id| is_id(id.as_bytes())).cloned();
        let request = request.unwrap_or_else(|| self.request_id());
        headers.insert(REQUEST_ID, request.clone());
        let sent = only(headers, &TRACEPARENT).and_then(|value| parse_traceparent(value.as_bytes()));
        let trace = sent.map(|(trace_id, flags)| Trace { trace_id, span_id: format!("{:016x}", self.number()), flags });
        match &trace {
            Some(Trace { trace_id, span_id, flags }) => {
                let value = HeaderValue::try_from(format!("00-{trace_id}-{span_id}-{flags}"));
                headers.insert(TRACEPARENT, value.expect("made of digits and hyphens"));
                if !is_state(headers) {
                    headers.remove(TRACESTATE);
                }
            }
            None => {
                headers.remove(TRACEPARENT);
                headers.remove(TRACESTATE);
            }
        }
        Names { request, trace }
    }

    fn request_id(&self) -> HeaderValue {
        let mut id = [0; 32];
        for (place, number) in id.chunks_exact_mut(16).zip([self.number(), self.number()]) {
            place.copy_from_slice(&digits(number));
        }
        HeaderValue::from_bytes(&id).expect("made of digits")
    }

    /// Never zero, which would be no span.
    fn number(&self) -> u64 {
        self.key.hash_one(self.next.fetch_add(1, Ordering::Relaxed)).max(1)
    }
}

/// Sixteen hexadecimal digits. By hand, because every request needs two of them and formatting takes ten times as long.
fn digits(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| DIGITS[(number >> (60 - 4 * at) & 15) as usize])
}

/// The header's value, unless there are several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// What stands in a log without quotes and can't be taken for anything else there.
fn is_id(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:+/=@".contains(b))
}

/// The trace and the flags of `version-trace-parent-flags`. Of later versions, only what version 00 has is read.
fn parse_traceparent(value: &[u8]) -> Option<(String, String)> {
    let (known, rest) = value.split_at_checked("00-".len() + 32 + "-".len() + 16 + "-00".len())?;
    let known = std::str::from_utf8(known).ok()?;
    let mut parts = known.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let nonzero = |text: &str| text.bytes().any(|b| b != b'0');
    let valid = digits(version, 2)
        && version != "ff"
        && (rest.is_empty() || (version != "00" && rest.starts_with(b"-")))
        && (digits(trace, 32) && nonzero(trace))
        && (digits(parent, 16) && nonzero(parent))
        && digits(flags, 2);
    valid.then(|| (trace.to_owned(), flags.to_owned()))
}

/// Whether what vendors added is short and printable. What it says is theirs to judge.
fn is_state(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TRACESTATE);
    values.iter().map(HeaderValue::len).sum::<usize>() <= LONGEST_STATE
        && values.iter().all(|value| value.as_bytes().iter().all(|b| matches!(b, b' '..=b'~' | b'\t')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn named(sent: &[(&str, &str)]) -> (Names, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        (Ids::default().name(&mut headers), headers)
    }

    #[test]
    fn a_well_formed_name_is_kept_and_any_other_is_replaced() {
        for id in ["a", "7f3e-AZ_09.x:y/z+==@", &"x".repeat(128)] {
            let (names, headers) = named(&[("x-request-id", id)]);
            assert_eq!((names.request.to_str().unwrap(), &headers[REQUEST_ID]), (id, &names.request));
        }
        for sent in [vec![], vec![""], vec!["a b"], vec!["a\"b"], vec!["a", "b"], vec![&"x".repeat(129)]] {
            let pairs: Vec<_> = sent.iter().map(|value| ("x-request-id", *value)).collect();
            let (names, headers) = named(&pairs);
            assert!(names.request.len() == 32 && is_id(names.request.as_bytes()), "{sent:?}: {names:?}");
            assert_eq!(headers.get_all(REQUEST_ID).iter().collect::<Vec<_>>(), [&names.request], "{sent:?}");
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX, 0xf << 60] {
            assert_eq!(std::str::from_utf8(&digits(number)).unwrap(), format!("{number:016x}"));
        }
    }

    #[test]
    fn names_differ() {
        let ids = Ids::default();
        let mut made: Vec<_> = (0..1000).map(|_| ids.request_id().to_str().unwrap().to_owned()).collect();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 1000);
        assert_ne!(ids.request_id(), Ids::default().request_id());
    }

    #[test]
    fn a_trace_is_continued_with_a_span_of_our_own() {
        let sent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let (names, headers) = named(&[("traceparent", &sent), ("tracestate", "a=1,b=2"), ("tracestate", "c=3")]);
        let trace = names.trace.unwrap();
        assert_eq!(trace.trace_id, TRACE);
        assert_ne!(trace.span_id, "b7ad6b7169203331");
        assert_eq!(headers[TRACEPARENT], format!("00-{TRACE}-{}-01", trace.span_id));
        assert_eq!(headers.get_all(TRACESTATE).iter().count(), 2);
        // What a later version adds isn't understood, so it isn't handed on.
        let (_, headers) = named(&[("traceparent", &format!("01-{TRACE}-b7ad6b7169203331-01-more"))]);
        assert!(headers[TRACEPARENT].to_str().unwrap().starts_with("00-"));
    }

    #[test]
    fn a_malformed_trace_is_dropped_with_its_state() {
        for sent in [
            String::new(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("01-{TRACE}-b7ad6b7169203331-01more"),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00_{TRACE}_b7ad6b7169203331_01"),
            format!("00-{}-7ad6b7169203331-01", TRACE.to_owned() + "0"),
        ] {
            let (names, headers) = named(&[("traceparent", &sent), ("tracestate", "a=1")]);
            assert_eq!(names.trace, None, "{sent}");
            assert!(!headers.contains_key(TRACEPARENT) && !headers.contains_key(TRACESTATE), "{sent}");
        }
        let good = format!("00-{TRACE}-b7ad6b7169203331-00");
        let (names, headers) = named(&[("traceparent", &good), ("tracestate", &format!("a={}", "x".repeat(511)))]);
        assert!(names.trace.is_some() && !headers.contains_key(TRACESTATE));
        let (names, _) = named(&[("traceparent", &good), ("traceparent", &good)]);
        assert_eq!(names.trace, None, "two");
    }
}
