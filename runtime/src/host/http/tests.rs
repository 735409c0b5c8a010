//! Where a request goes: by its destination, its nesting, and what the process has.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Empty, Full};
use spin_app_model::lock::LockedApp;

use super::*;
use crate::host::egress::EgressOptions;
use crate::http::{Answering, Chained, MAX_DEPTH};
use crate::variables::Variables;

fn component(egress: &EgressOptions) -> ComponentHttp {
    let json = r#"{"spin_lock_version":0,"triggers":[],"components":[{"id":"one",
        "source":{"content_type":"application/wasm","source":"file:///one.wasm"},
        "metadata":{"allowed_outbound_hosts":["*://*:*"]}}]}"#;
    let app = LockedApp::from_json(json.as_bytes()).expect("a lock");
    let variables = Variables::resolve(&app, &BTreeMap::new(), &[]).now_or_never().expect("nobody to wait for");
    let variables = variables.expect("resolved");
    let one = app.components.first().expect("it is there");
    ComponentHttp {
        component: one.id.clone(),
        gate: Arc::new(Gate::new(&app, one, &variables)),
        network: Arc::new(HttpNetwork::new(Arc::new(Egress::new(egress)), &HttpOptions::default())),
    }
}

/// Notes what comes: for whom, with which URI, how deep.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, whom: &str, request: &Request) -> Answering<'_> {
        let depth = request.extensions().get::<Chained>().map_or(0, |chained| chained.depth);
        let host = request.headers().contains_key(http::header::HOST);
        self.0.lock().expect("no panic").push(format!("{whom} {} depth {depth} host {host}", request.uri()));
        Box::pin(std::future::ready(Response::new(
            Full::new(Bytes::from("done")).map_err(|no| match no {}).boxed_unsync(),
        )))
    }
}

impl Loopback for Notes {
    fn to_app(&self, request: Request) -> Answering<'_> {
        self.note("app", &request)
    }

    fn to_component(&self, component: &str, request: Request) -> Option<Answering<'_>> {
        (component != "nobody").then(|| self.note(component, &request))
    }
}

async fn send(component: &ComponentHttp, url: &str, depth: u8) -> Result<u16, Error> {
    let body = Empty::new().map_err(|no| match no {}).boxed_unsync();
    let request = http::Request::builder().uri(url).header("host", "evil.test").body(body).expect("a request");
    let event = EventContext { depth, ..EventContext::default() };
    component.send(request, Timeouts::new(None), event).await.map(|response| response.status().as_u16())
}

#[tokio::test]
async fn the_app_and_its_components_are_reached_through_the_trigger() {
    let component = component(&EgressOptions::default());
    let notes: Arc<Notes> = Arc::default();
    let weak: Weak<Notes> = Arc::downgrade(&notes);
    component.network.set_loopback(weak);
    assert!(matches!(send(&component, "http://self.alt/a?b", 0).await, Ok(200)));
    assert!(matches!(send(&component, "https://x@Two.Spin.Internal.:81/c", MAX_DEPTH - 1).await, Ok(200)));
    assert!(matches!(send(&component, "http://nobody.spin.internal/", 0).await, Err(Error::DestinationNotFound)));
    for url in ["http://self.alt/", "http://two.spin.internal/"] {
        assert!(matches!(send(&component, url, MAX_DEPTH).await, Err(Error::LoopDetected)), "{url}");
    }
    let noted = notes.0.lock().expect("no panic").clone();
    assert_eq!(noted, ["app /a?b depth 1 host false", "two https://two.spin.internal:81/c depth 16 host false"]);
    drop(notes);
    assert!(matches!(send(&component, "http://self.alt/", 0).await, Err(Error::HttpRequestUriInvalid)), "it is gone");
}

#[tokio::test]
async fn without_a_trigger_that_serves_it_the_app_can_not_be_reached() {
    let component = component(&EgressOptions::default());
    assert!(matches!(send(&component, "http://self.alt/", 0).await, Err(Error::HttpRequestUriInvalid)));
    let error = send(&component, "http://two.spin.internal/", 0).await.err();
    assert!(
        matches!(&error, Some(Error::DnsError { rcode: Some(reason), .. }) if reason == "address not available"),
        "{error:?}"
    );
}

#[tokio::test]
async fn blocked_networks_are_no_destinations() {
    let blocked = vec!["private".parse().expect("an entry")];
    let component = component(&EgressOptions { blocked, ..EgressOptions::default() });
    for url in
        ["http://127.0.0.1/", "https://10.0.0.1/", "http://localhost/", "http://[::ffff:169.254.169.254]/", "http://0/"]
    {
        let error = send(&component, url, 0).await.err();
        assert!(matches!(error, Some(Error::DestinationIpProhibited)), "{url}: {error:?}");
    }
}
