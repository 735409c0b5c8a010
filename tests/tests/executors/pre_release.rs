//! Components of a pre-release of WASI whose interfaces are those of a release.

use spin_tests::{App, http};

use super::{entry, refused, serve_with};

fn put(app: &App, text: &str) {
    std::fs::write(app.dir().join("snapshot.wasm"), wat::parse_str(text).unwrap()).unwrap();
}

#[test]
fn a_component_of_the_second_snapshot_of_2023_answers() {
    let served = serve_with(&entry("old", "/...", "snapshot", ""), &[], |app| {
        put(app, include_str!("../../guests/snapshot/2023-11-10.wat"));
    });
    let response = http::get(served.address, "/a/path?q=1");
    assert_eq!((response.status, response.text().as_str()), (200, "/a/path?q=1"));
}

#[test]
fn what_the_snapshot_has_and_the_release_has_not_is_named() {
    let ended = refused(&entry("old", "/...", "snapshot", ""), |app| {
        put(
            app,
            r#"(component (import "wasi:http/types@0.2.0-rc-2023-11-10" (instance
                (export "request-options" (type $options (sub resource)))
                (export "[method]request-options.connect-timeout-ms"
                    (func (param "self" (borrow $options)) (result (option u64)))))))"#,
        );
    });
    for part in
        ["component \"old\" imports", "wasi:http/types@0.2.0-rc-2023-11-10", "request-options.connect-timeout-ms"]
    {
        assert!(ended.stderr.contains(part), "no `{part}`\n{}", ended.snapshot());
    }
}
