//! What a command is told about its request: CGI's variables, and arguments from a template.
//!
//! Everything that a client chooses is in variables that begin with `HTTP_`, in `QUERY_STRING` and in what has to do with
//! the path, so that it can't pass for something else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Request, Uri};
use percent_encoding::percent_decode_str;

/// The headers in which the trigger says how it routed the request (it removes a client's own of these names), and
/// the variable for each.
const ROUTING: [(&str, &str); 7] = [
    (PATH_INFO, "X_RAW_PATH_INFO"),
    ("spin-full-url", "X_FULL_URL"),
    ("spin-matched-route", "X_MATCHED_ROUTE"),
    ("spin-base-path", "X_BASE_PATH"),
    ("spin-raw-component-route", "X_RAW_COMPONENT_ROUTE"),
    (COMPONENT_ROUTE, "X_COMPONENT_ROUTE"),
    (CLIENT_ADDR, "X_CLIENT_ADDR"),
];
const PATH_INFO: &str = "spin-path-info";
const COMPONENT_ROUTE: &str = "spin-component-route";
const CLIENT_ADDR: &str = "spin-client-addr";
const PATH_MATCH: &str = "spin-path-match-";

/// What stands for a value that is not ASCII.
const CORRUPT: &str = "CORRUPT VALUE";

/// The arguments: the template with the request's path and its query's parts, cut at every blank.
pub(super) fn arguments(template: &str, uri: &Uri) -> Vec<String> {
    let query = uri.query().unwrap_or_default().replace('&', " ");
    let line = template.replace("${SCRIPT_NAME}", uri.path()).replace("${ARGS}", &query);
    line.split(' ').map(str::to_owned).collect()
}

/// The variables.
pub(super) fn variables(request: &Request<Bytes>) -> BTreeMap<String, String> {
    let headers = request.headers();
    let told = |name: &str| headers.get(name).map_or(Cow::Borrowed(""), text);
    let mut variables: BTreeMap<String, String> =
        headers.iter().filter_map(|(name, value)| Some((variable(name)?, text(value).into_owned()))).collect();
    let authority = request.uri().authority().cloned().or_else(|| host_header(request));
    if let Some(authority) = &authority {
        // A client of HTTP/2 names the host in the target only.
        variables.entry("HTTP_HOST".to_owned()).or_insert_with(|| authority.to_string());
    }
    let default_port = if request.uri().scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let client = told(CLIENT_ADDR);
    let client = client.parse::<SocketAddr>().map_or_else(|_| client.to_string(), |address| address.ip().to_string());
    let path_info = told(PATH_INFO);
    for (name, value) in [
        ("AUTH_TYPE", Cow::Borrowed("")),
        ("REMOTE_USER", Cow::Borrowed("")),
        ("CONTENT_LENGTH", request.body().len().to_string().into()),
        ("CONTENT_TYPE", told(CONTENT_TYPE.as_str())),
        ("GATEWAY_INTERFACE", "CGI/1.1".into()),
        ("SERVER_SOFTWARE", "WAGI/1".into()),
        ("SERVER_PROTOCOL", format!("{:?}", request.version()).into()),
        ("QUERY_STRING", request.uri().query().unwrap_or_default().into()),
        ("REQUEST_METHOD", request.method().as_str().into()),
        ("REMOTE_ADDR", client.as_str().into()),
        ("REMOTE_HOST", client.as_str().into()),
        ("SCRIPT_NAME", told(COMPONENT_ROUTE)),
        ("PATH_TRANSLATED", decoded(&path_info).into()),
        ("PATH_INFO", path_info),
        ("SERVER_NAME", authority.as_ref().map_or("localhost", Authority::host).into()),
        ("SERVER_PORT", authority.as_ref().and_then(Authority::port_u16).unwrap_or(default_port).to_string().into()),
    ] {
        variables.insert(name.to_owned(), value.into_owned());
    }
    variables
}

/// The variable of a header; none for one that a script must not have.
fn variable(name: &HeaderName) -> Option<String> {
    if let Some((_, variable)) = ROUTING.iter().find(|(header, _)| name == header) {
        return Some((*variable).to_owned());
    }
    let upper = |name: &str| name.to_ascii_uppercase().replace('-', "_");
    if let Some(captured) = name.as_str().strip_prefix(PATH_MATCH) {
        return Some(format!("X_PATH_MATCH_{}", upper(captured)));
    }
    // `HTTP_PROXY` would be taken for a setting by many a library (CVE-2016-5385).
    let kept_back = name == AUTHORIZATION || name == CONNECTION || name == "proxy";
    (!kept_back).then(|| format!("HTTP_{}", upper(name.as_str())))
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    Cow::Borrowed(value.to_str().unwrap_or(CORRUPT))
}

fn host_header(request: &Request<Bytes>) -> Option<Authority> {
    request.headers().get(HOST)?.to_str().ok()?.parse().ok()
}

/// No variable can hold a NUL.
fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &[u8])]) -> BTreeMap<String, String> {
        let mut request = Request::post(target).body(Bytes::from_static(b"body")).expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        variables(&request)
    }

    #[test]
    fn every_variable_of_a_request() {
        let variables = request(
            "http://example.com:8080/base/anna/a%20b?x=1&y=%20",
            &[
                ("host", b"example.com:8080"),
                ("content-type", b"text/x"),
                ("x-own", b"first"),
                ("x-own", b"last"),
                ("x-bytes", b"\xff"),
                ("authorization", b"secret"),
                ("connection", b"close"),
                ("proxy", b"http://evil/"),
                ("spin-path-info", b"/a%20b%00"),
                ("spin-full-url", b"http://example.com:8080/base/anna/a%20b?x=1&y=%20"),
                ("spin-matched-route", b"/base/:user-id/..."),
                ("spin-base-path", b"/"),
                ("spin-raw-component-route", b"/base/:user-id/..."),
                ("spin-component-route", b"/base/:user-id"),
                ("spin-client-addr", b"[::1]:4711"),
                ("spin-path-match-user-id", b"anna"),
            ],
        );
        let expected = [
            ("AUTH_TYPE", ""),
            ("CONTENT_LENGTH", "4"),
            ("CONTENT_TYPE", "text/x"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("HTTP_CONTENT_TYPE", "text/x"),
            ("HTTP_HOST", "example.com:8080"),
            ("HTTP_X_BYTES", "CORRUPT VALUE"),
            ("HTTP_X_OWN", "last"),
            ("PATH_INFO", "/a%20b%00"),
            ("PATH_TRANSLATED", "/a b\u{fffd}"),
            ("QUERY_STRING", "x=1&y=%20"),
            ("REMOTE_ADDR", "::1"),
            ("REMOTE_HOST", "::1"),
            ("REMOTE_USER", ""),
            ("REQUEST_METHOD", "POST"),
            ("SCRIPT_NAME", "/base/:user-id"),
            ("SERVER_NAME", "example.com"),
            ("SERVER_PORT", "8080"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", "WAGI/1"),
            ("X_BASE_PATH", "/"),
            ("X_CLIENT_ADDR", "[::1]:4711"),
            ("X_COMPONENT_ROUTE", "/base/:user-id"),
            ("X_FULL_URL", "http://example.com:8080/base/anna/a%20b?x=1&y=%20"),
            ("X_MATCHED_ROUTE", "/base/:user-id/..."),
            ("X_PATH_MATCH_USER_ID", "anna"),
            ("X_RAW_COMPONENT_ROUTE", "/base/:user-id/..."),
            ("X_RAW_PATH_INFO", "/a%20b%00"),
        ];
        let found: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn where_nothing_is_said_there_is_a_default() {
        let found = request("/p", &[]);
        for (name, value) in
            [("SERVER_NAME", "localhost"), ("SERVER_PORT", "80"), ("CONTENT_TYPE", ""), ("QUERY_STRING", "")]
        {
            assert_eq!(found[name], value, "{name}");
        }
        assert!(!found.contains_key("HTTP_HOST"));
        let found = request("https://a/p", &[]);
        assert_eq!((found["SERVER_PORT"].as_str(), found["HTTP_HOST"].as_str()), ("443", "a"));
        assert_eq!(request("/p", &[("host", b"b:81")])["SERVER_PORT"], "81");
    }

    #[test]
    fn arguments_come_from_the_template() {
        let default = "${SCRIPT_NAME} ${ARGS}";
        let arguments = |template, target: &str| super::arguments(template, &target.parse().expect("a target"));
        assert_eq!(arguments(default, "/p?a=1&b=2"), ["/p", "a=1", "b=2"]);
        assert_eq!(arguments(default, "/p"), ["/p", ""]);
        assert_eq!(arguments("php ${SCRIPT_NAME}.php  x", "/p?a"), ["php", "/p.php", "", "x"]);
        assert_eq!(arguments("", "/p"), [""]);
    }
}
