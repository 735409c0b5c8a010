//! Components that depend on others: where a dependency's code comes from, and what it may do.
//!
//! The main component is a few lines of text: it imports the interface that the trigger calls, and exports it again. So
//! the older probe, which is what it depends on, answers the requests, with the rights of a dependency.

use sha2::{Digest, Sha256};
use spin_tests::web::Web;
use spin_tests::{App, Upstream, World, http, probes};

use super::forward;

const HANDLER: &str = "wasi:http/incoming-handler@0.2.12";

/// Of an older WASI than the probe, so that versions have to be matched.
const MAIN: &str = r#"(component
    (import "wasi:http/types@0.2.3" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $outparam))
    (import "wasi:http/incoming-handler@0.2.3" (instance $inner
        (export "incoming-request" (type $r (eq $request)))
        (export "response-outparam" (type $o (eq $outparam)))
        (export "handle" (func (param "request" (own $r)) (param "response-out" (own $o))))))
    (export "wasi:http/incoming-handler@0.2.3" (instance $inner)))"#;

/// A main component below `/p2` with every right, and this dependency.
fn manifest(settings: &str, dependency: &str, more: &str) -> String {
    format!(
        r#"
[[trigger.http]]
route = "/p2/..."
component = "main"
[component.main]
source = "main.wat"
environment = {{ KIND = "of main" }}
variables = {{ text = "of main" }}
allowed_outbound_hosts = ["http://127.0.0.1:*"]
files = [{{ source = "shared", destination = "/" }}]
{settings}
[component.main.dependencies]
"{HANDLER}" = {dependency}
{more}"#
    )
}

fn app(world: &World, tables: &str) -> App {
    world.install("trigger-http");
    let app = world.app("app", &probes::manifest(tables), &["probe-p2", "wagi-probe-module"]);
    std::fs::write(app.dir().join("main.wat"), MAIN).unwrap();
    std::fs::create_dir(app.dir().join("shared")).unwrap();
    std::fs::write(app.dir().join("shared/note.txt"), "a note").unwrap();
    app
}

/// What the dependency can do: the environment, a variable, a file, a request.
fn abilities(settings: &str, dependency: &str, more: &str) -> [bool; 4] {
    let world = World::new();
    let app = app(&world, &manifest(settings, dependency, more));
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let address = up.serving();
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let found = [
        ("/p2/env/KIND".to_owned(), "of main", ""),
        ("/p2/variable/text".to_owned(), "of main", "error: undefined: "),
        ("/p2/file/read?path=/note.txt".to_owned(), "a note", "error: "),
        (forward("p2", &format!("http://{}/", upstream.address()), ""), "ok", "error: http-request-denied\n"),
    ]
    .map(|(path, allowed, denied)| {
        let answer = http::get(address, &path);
        if answer.status != 200 {
            assert!(answer.text().starts_with(denied), "{path}: {}", answer.text());
            return false;
        }
        assert_eq!(answer.text(), allowed, "{path}");
        true
    });
    assert_eq!(upstream.connections(), usize::from(found[3]), "what is denied does not leave");
    // Nothing that was denied has harmed it.
    assert_eq!(http::get(address, "/p2/other").status, 200);
    found
}

#[test]
fn a_dependency_may_do_what_it_inherits() {
    let of = |inherit: &str| format!("{{ path = \"probe-p2.wasm\"{inherit} }}");
    assert_eq!(abilities("", &of(""), ""), [false; 4], "nothing is inherited");
    assert_eq!(abilities("", &of(", inherit_configuration = true"), ""), [true; 4]);
    let some = of(", inherit_configuration = [\"variables\", \"allowed_outbound_hosts\"]");
    assert_eq!(abilities("", &some, ""), [false, true, false, true]);
    let others = of(", inherit_configuration = [\"environment\", \"files\"]");
    assert_eq!(abilities("", &others, ""), [true, false, true, false]);
    assert_eq!(abilities("dependencies_inherit_configuration = true", &of(""), ""), [true; 4]);
}

#[test]
fn a_dependency_can_be_downloaded_or_another_component_of_the_app() {
    let code = std::fs::read(spin_tests::guest("probe-p2")).unwrap();
    let digest: String = Sha256::digest(&code).iter().map(|byte| format!("{byte:02x}")).collect();
    let web = Web::start([("/probe.wasm", code)]);
    let download =
        |inherit: &str| format!("{{ url = \"{}\", digest = \"sha256:{digest}\"{inherit} }}", web.url("/probe.wasm"));
    assert_eq!(abilities("", &download(""), ""), [false; 4]);
    assert_eq!(abilities("", &download(", inherit_configuration = true"), ""), [true; 4]);
    let other = "[component.probe]\nsource = \"probe-p2.wasm\"\n";
    assert_eq!(abilities("", "{ component = \"probe\" }", other), [false; 4]);
    let some = "{ component = \"probe\", inherit_configuration = [\"files\"] }";
    assert_eq!(abilities("", some, other), [false, false, true, false]);
}

#[test]
fn a_dependency_that_does_not_fit_is_told_before_anything_runs() {
    let world = World::new();
    let tables = manifest("", "{ path = \"probe-p2.wasm\" }", "").replace(HANDLER, "acme:words/say");
    let app = app(&world, &tables);
    let refused = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    let expected = "component \"main\": its dependency \"acme:words/say\" matches none of its imports, which are: \
                    wasi:http/types@0.2.3, wasi:http/incoming-handler@0.2.3";
    assert!(refused.stderr.contains(expected), "{}", refused.snapshot());
}

#[test]
fn a_dependency_that_no_reader_expects_ends_with_an_error_that_names_it() {
    let world = World::new();
    let tables = manifest("", "{ path = \"odd.wat\" }", "").replace(HANDLER, "our:talk/tell");
    let app = app(&world, &tables);
    let main = r#"(component (import "our:talk/tell@1.0.0" (instance $tell (export "tell" (func))))
        (export "wasi:http/incoming-handler@0.2.3" (instance $tell)))"#;
    std::fs::write(app.dir().join("main.wat"), main).unwrap();
    // The function is a method of a resource that the interface has under another's name.
    let odd = r#"(component
        (import "a:b/c" (instance $c (export "r" (type (sub resource)))))
        (alias export $c "r" (type $r))
        (import "wasi:keyvalue/store@0.2.0-draft2" (instance
            (export "r" (type $here (eq $r)))
            (export "[method]r.peek" (func (param "self" (borrow $here)) (result u32)))))
        (core module $code (func (export "tell")))
        (core instance $code (instantiate $code))
        (func $tell (canon lift (core func $code "tell")))
        (instance $out (export "tell" (func $tell)))
        (export "our:talk/tell@1.0.0" (instance $out)))"#;
    std::fs::write(app.dir().join("odd.wat"), odd).unwrap();
    let refused = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    let expected = "component \"main\" with its dependencies \"our:talk/tell\" can't be made ready, as its code holds what \
                    this version can't read";
    assert!(refused.stderr.contains(expected), "{}", refused.snapshot());
}

#[test]
fn a_second_start_converts_composes_and_compiles_nothing() {
    let module = r#"
[[trigger.http]]
route = "/wagi"
component = "module"
executor = { type = "wagi" }
[component.module]
source = "wagi-probe-module.wasm"
"#;
    let world = World::new();
    let app = app(&world, &manifest("", "{ path = \"probe-p2.wasm\" }", module));
    let start = || {
        let spin = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir());
        let up = spin.env("RUST_LOG", "spin_component_runtime=debug").start();
        let address = up.serving();
        for path in ["/p2/other", "/wagi"] {
            assert_eq!(http::get(address, path).status, 200, "{path}");
        }
        up.stderr().wait_for("components are ready")
    };
    // The main component is text, the other one a module.
    let first = start();
    assert!(first.contains("converted=2 composed=1 compiled=2 from_cache=0"), "{first}");
    let second = start();
    assert!(second.contains("converted=0 composed=0 compiled=0 from_cache=2"), "{second}");
    // What is inherited is not in any file, and is a part of what was composed.
    let text = std::fs::read_to_string(app.manifest()).unwrap();
    std::fs::write(
        app.manifest(),
        text.replace("probe-p2.wasm\" }", "probe-p2.wasm\", inherit_configuration = true }"),
    )
    .unwrap();
    let third = start();
    assert!(third.contains("converted=1 composed=1 compiled=1 from_cache=1"), "{third}");
}
