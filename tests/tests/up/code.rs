//! Where the code of components comes from: downloads with a digest, bare files, the text form.

use sha2::{Digest, Sha256};
use spin_tests::web::Web;
use spin_tests::{World, http};

use super::super::Echo;

fn manifest(url: &str, digest: &str) -> String {
    format!(
        "spin_manifest_version = 2\napplication = {{ name = \"app\" }}\n[[trigger.echo]]\ncomponent = \"a\"\n\
         [component.a]\nsource = {{ url = \"{url}\", digest = \"sha256:{digest}\" }}\n"
    )
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn downloads_are_verified_and_kept() {
    let code = b"the code of a component".to_vec();
    let web = Web::start([("/a.wasm", code.clone()), ("/b.wasm", b"another".to_vec())]);
    let echo = Echo::new();
    let app = echo.app(&manifest(&web.url("/a.wasm"), &digest(&code)), &[]);
    let file = |lock: &serde_json::Value| {
        let url = lock["components"][0]["source"]["source"].as_str().unwrap().to_owned();
        std::path::PathBuf::from(url.strip_prefix("file://").unwrap().replace("%20", " "))
    };
    let first = file(&echo.lock(app.dir(), &[]));
    assert!(first.starts_with(echo.world.cache()), "{}", first.display());
    assert_eq!(std::fs::read(&first).unwrap(), code);
    // From the cache: nobody is asked again, and `--cache-dir` is another cache.
    assert_eq!(file(&echo.lock(app.dir(), &[])), first);
    assert_eq!(web.asked(), ["/a.wasm"]);
    let other = echo.world.path("other cache");
    let second = file(&echo.lock(app.dir(), &["--cache-dir", other.to_str().unwrap()]));
    assert!(second.starts_with(&other), "{}", second.display());
    assert_eq!(web.asked(), ["/a.wasm", "/a.wasm"]);

    // What is kept is compared at every start.
    std::fs::write(&first, "tampered with").unwrap();
    assert_eq!(std::fs::read(file(&echo.lock(app.dir(), &[]))).unwrap(), code);
}

#[test]
fn what_is_not_what_the_manifest_says_is_not_kept() {
    let web = Web::start([("/a.wasm", b"something else".to_vec())]);
    let echo = Echo::new();
    let app = echo.app(&manifest(&web.url("/a.wasm"), &digest(b"the code")), &[]);
    let refused = echo.up(&[]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    for part in ["spin.toml:6:10", "source::digest-mismatch", &digest(b"the code"), &digest(b"something else")] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.snapshot());
    }
    let kept: Vec<_> = std::fs::read_dir(echo.world.cache().join("registry/wasm")).into_iter().flatten().collect();
    assert!(kept.is_empty(), "{kept:?}");

    let gone = echo.app(&manifest(&web.url("/gone.wasm"), &digest(b"the code")), &[]);
    let refused = echo.up(&[]).in_dir(gone.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("404"), "{}", refused.snapshot());
}

#[test]
fn components_in_registries_are_refused_by_name() {
    let echo = Echo::new();
    let manifest = manifest("https://example.com", &digest(b"")).replace(
        "{ url = \"https://example.com\"",
        "{ registry = \"example.com\", package = \"a:b\", version = \"1.0.0\" } #",
    );
    let app = echo.app(&manifest, &[]);
    let refused = echo.up(&[]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("spin.toml:6:10") && refused.stderr.contains("a:b@"), "{}", refused.snapshot());
}

/// Traps when it is called, which a client sees as 500.
const TEXT: &str = r#"(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $out))
  (core module $code (func (export "handle") (param i32 i32) unreachable))
  (core instance $code (instantiate $code))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $code "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
"#;

#[test]
fn the_text_form_is_served_too() {
    let world = World::new();
    world.install("trigger-http");
    let file = world.write("apps/app.wat", TEXT);
    let up = world.spin(["up", "-f", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]).start();
    assert_eq!(http::get(up.serving(), "/").status, 500);
    let up = up.stop().success();
    assert!(up.stderr.contains("unreachable"), "{}", up.snapshot());

    let file = world.write("apps/broken.wat", TEXT.replace("core module", "core moduel"));
    let refused = world.spin(["up", "-f", file.to_str().unwrap()]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("broken.wat:7:"), "{}", refused.snapshot());
}
