//! Composed components, run on a host with a variable and with resources.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Component, Linker, Resource, ResourceType, Val};
use wasmtime::{Config, Engine, Store};

use super::*;

mod refusals;

const NOTHING: Inherit = Inherit::Nothing;
const ALL: Inherit = Inherit::All;

fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A component that exports, under its own names, functions that it imports: each of an interface and a name.
fn forwarding(functions: &[(&str, &str)]) -> Vec<u8> {
    let parts = functions.iter().enumerate().map(|(index, (interface, name))| {
        format!(
            r#"(import "{interface}" (instance $i{index} (export "tell" (func (result string)))))
            (alias export $i{index} "tell" (func $f{index}))
            (export "{name}" (func $f{index}))"#
        )
    });
    binary(&format!("(component {})", parts.collect::<String>()))
}

/// A component whose `interface` has a function `tell`: the core function of that name, which answers the address of a
/// string. What it calls is imported by `imports`, and lowered by `lowered` to an instance `$host`.
fn telling(interface: &str, imports: &str, lowered: &str, code: &str) -> Vec<u8> {
    binary(&format!(
        r#"(component
        {imports}
        (core module $memory
            (memory (export "memory") 1)
            (global $free (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3)))))
        (core instance $m (instantiate $memory))
        {lowered}
        (core module $code {code})
        (core instance $c (instantiate $code (with "host" (instance $host)) (with "m" (instance $m))))
        (func $tell (result string) (canon lift (core func $c "tell") (memory $m "memory") (realloc (func $m "realloc"))))
        (instance $out (export "tell" (func $tell)))
        (export "{interface}" (instance $out)))"#
    ))
}

/// A dependency that says this.
fn saying(interface: &str, word: &str) -> Vec<u8> {
    let code = format!(
        r#"(import "m" "memory" (memory 1)) (data (i32.const 0) "\08\00\00\00\{:02x}\00\00\00{word}")
        (func (export "tell") (result i32) (i32.const 0))"#,
        word.len()
    );
    telling(interface, "", "(core instance $host)", &code)
}

/// A dependency that says the value of a variable, or why it has none.
fn reading_a_variable(interface: &str) -> Vec<u8> {
    reading_a_variable_besides(interface, "")
}

/// The same with further imports and exports.
fn reading_a_variable_besides(interface: &str, more: &str) -> Vec<u8> {
    telling(
        interface,
        &format!(
            r#"{more} (import "fermyon:spin/variables@2.0.0" (instance $variables
            (type $variant (variant (case "invalid-name" string) (case "undefined" string) (case "provider" string)))
            (export "error" (type $error (eq $variant)))
            (export "get" (func (param "name" string) (result (result string (error $error)))))))"#
        ),
        r#"(core func $get (canon lower (func $variables "get")
            (memory $m "memory") (realloc (func $m "realloc"))))
        (core instance $host (export "get" (func $get)))"#,
        r#"(import "host" "get" (func $get (param i32 i32 i32))) (import "m" "memory" (memory 1))
        (data (i32.const 0) "name")
        (func (export "tell") (result i32)
            (call $get (i32.const 0) (i32.const 4) (i32.const 64))
            (if (result i32) (i32.load8_u (i32.const 64)) (then (i32.const 72)) (else (i32.const 68))))"#,
    )
}

fn dependency<'a>(name: &'a str, bytes: Vec<u8>, inherit: &'a Inherit) -> Dependency<'a> {
    Dependency { name, bytes, export: None, inherit }
}

/// A component with a dependency that may do nothing, which is told so.
pub(crate) fn sample() -> Vec<u8> {
    let dependencies = vec![dependency(TELL, reading_a_variable(TELL), &NOTHING)];
    compose(forwarding(&[(TELL, "tell")]), dependencies).expect("composed")
}

/// A host with a variable, and with requests that it counts when they are dropped.
struct Host {
    engine: Engine,
    linker: Linker<()>,
    dropped: Arc<AtomicUsize>,
}

fn host() -> Host {
    let engine = Engine::new(Config::new().wasm_component_model_async(true)).expect("an engine");
    let mut linker = Linker::new(&engine);
    let mut variables = linker.instance("fermyon:spin/variables@2.0.0").expect("a name");
    let get = |_: wasmtime::StoreContextMut<'_, ()>, _: ComponentFunc, _: &[Val], results: &mut [Val]| {
        results[0] = Val::Result(Ok(Some(Box::new(Val::String("of the host".into())))));
        Ok(())
    };
    variables.func_new("get", get).expect("a function");
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut types = linker.instance("wasi:http/types@0.2.3").expect("a name");
    for name in ["outgoing-request", "request-options"] {
        let dropped = Arc::clone(&dropped);
        let drop = move |_: wasmtime::StoreContextMut<'_, ()>, _: u32| {
            dropped.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        types.resource(name, ResourceType::host::<u8>(), drop).expect("a resource");
        let new = |_: wasmtime::StoreContextMut<'_, ()>, (): ()| Ok((Resource::<u8>::new_own(1),));
        types.func_wrap(&format!("[constructor]{name}"), new).expect("a function");
    }
    Host { engine, linker, dropped }
}

impl Host {
    fn call(&self, composed: &[u8], export: &str) -> wasmtime::Result<String> {
        self.call_of(composed, None, export)
    }

    /// The same for a function of an interface.
    fn call_of(&self, composed: &[u8], interface: Option<&str>, export: &str) -> wasmtime::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let component = Component::new(&self.engine, composed)?;
            let mut store = Store::new(&self.engine, ());
            let instance = self.linker.instantiate_async(&mut store, &component).await?;
            let within = interface.map(|name| instance.get_export_index(&mut store, None, name).expect("exported"));
            let function = instance.get_export_index(&mut store, within.as_ref(), export).expect("exported");
            let function = instance.get_typed_func::<(), (String,)>(&mut store, &function)?;
            // Twice, as what was left over by the first call would trip the second.
            function.call_async(&mut store, ()).await?;
            Ok(function.call_async(&mut store, ()).await?.0)
        })
    }
}

const TELL: &str = "our:talk/tell@1.2.0";

#[test]
fn a_dependency_sees_of_the_host_what_it_inherits() {
    let main = forwarding(&[(TELL, "tell")]);
    let denied = "dependency \"our:talk\" does not inherit \"variables\"";
    let keys = |keys: &[&str]| Inherit::Some(keys.iter().map(|key| (*key).to_owned()).collect());
    for (inherit, expected) in [
        (NOTHING, denied),
        (keys(&[]), denied),
        (keys(&["files", "allowed_outbound_hosts"]), denied),
        (keys(&["files", "variables"]), "of the host"),
        (ALL, "of the host"),
    ] {
        let dependencies = vec![dependency("our:talk", reading_a_variable(TELL), &inherit)];
        let composed = compose(main.clone(), dependencies).expect("composed");
        assert_eq!(host().call(&composed, "tell").expect("called"), expected, "{inherit:?}");
    }
}

#[test]
fn what_the_main_component_may_use_is_not_touched() {
    // The main one reads the variable itself, next to a dependency that may not.
    let talk = r#"(import "our:talk/tell@1.2.0" (instance $talk (export "tell" (func (result string)))))
        (export "tell" (func $talk "tell"))"#;
    let main = reading_a_variable_besides("our:own/variables", talk);
    let dependencies = vec![dependency(TELL, reading_a_variable(TELL), &NOTHING)];
    let composed = compose(main, dependencies).expect("composed");
    let host = host();
    assert!(host.call(&composed, "tell").expect("called").contains("does not inherit"));
    assert_eq!(host.call_of(&composed, Some("our:own/variables"), "tell").expect("called"), "of the host");
}

#[test]
fn two_dependencies_of_one_package() {
    let main = forwarding(&[(TELL, "tell"), ("our:talk/shout@1.2.0", "shout"), ("our:talk/tell@2.0.0", "newer")]);
    let of = |names: [&'static str; 3]| {
        let [tell, shout, newer] = names;
        let dependencies = vec![
            dependency(tell, saying(TELL, "hello"), &NOTHING),
            dependency(shout, saying("our:talk/shout@1.2.5", "HELLO"), &NOTHING),
            dependency(newer, saying("our:talk/tell@2.0.0", "hi"), &NOTHING),
        ];
        let composed = compose(main.clone(), dependencies).expect("composed");
        ["tell", "shout", "newer"].map(|export| host().call(&composed, export).expect(export))
    };
    let expected = ["hello", "HELLO", "hi"];
    assert_eq!(of(["our:talk/tell@1.0.0", "our:talk/shout", "our:talk@2.0.0"]), expected);
    // One for the rest of the package.
    assert_eq!(of(["our:talk/tell@1.2.0", "our:talk@1.0.0", "our:talk/tell@2.1.0"]), expected);
}

const HANDLER: &str = "our:talk/handler@1.0.0";

#[test]
fn a_candidates_component_gives_resources_to_a_releases() {
    // The main one hands a request of the candidate on; the dependency takes one of the release.
    let types = |version: &str| {
        format!(
            r#"(import "wasi:http/types@{version}" (instance $types
                (export "request" (type (sub resource)))
                (export "[constructor]request" (func (result (own 0))))))
            (alias export $types "request" (type $request))"#
        )
    };
    let main = binary(&format!(
        r#"(component {}
            (import "{HANDLER}" (instance $handler
                (export "request" (type $r (eq $request)))
                (export "take" (func (param "request" (own $r))))))
            (core func $new (canon lower (func $types "[constructor]request")))
            (core func $take (canon lower (func $handler "take")))
            (core module $code
                (import "host" "new" (func $new (result i32))) (import "host" "take" (func $take (param i32)))
                (func (export "run") (call $take (call $new))))
            (core instance $code (instantiate $code (with "host" (instance
                (export "new" (func $new)) (export "take" (func $take))))))
            (func (export "run") (canon lift (core func $code "run"))))"#,
        types("0.3.0-rc-2026-03-15")
    ));
    let taking = binary(&format!(
        r#"(component {}
            (core func $drop (canon resource.drop $request))
            (core module $code
                (import "host" "drop" (func $drop (param i32)))
                (func (export "take") (param i32) (call $drop (local.get 0))))
            (core instance $code (instantiate $code (with "host" (instance (export "drop" (func $drop))))))
            (func $take (param "request" (own $request)) (canon lift (core func $code "take")))
            (component $shape
                (import "request" (type $request (sub resource)))
                (import "take" (func $take (param "request" (own $request))))
                (export $exported "request" (type $request))
                (export "take" (func $take) (func (param "request" (own $exported)))))
            (instance $out (instantiate $shape (with "request" (type $request)) (with "take" (func $take))))
            (export "{HANDLER}" (instance $out)))"#,
        types("0.3.0")
    ));
    let composed = compose(main, vec![dependency(HANDLER, taking, &ALL)]).expect("composed");
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let dropped = Arc::new(AtomicUsize::new(0));
    // Both import one and the same by now, and the engine serves it with the release.
    let mut types = linker.instance("wasi:http/types@0.3.0").expect("a name");
    let count = Arc::clone(&dropped);
    let drop = move |_: wasmtime::StoreContextMut<'_, ()>, _: u32| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    types.resource("request", ResourceType::host::<u8>(), drop).expect("a resource");
    let new = |_: wasmtime::StoreContextMut<'_, ()>, (): ()| Ok((Resource::<u8>::new_own(1),));
    types.func_wrap("[constructor]request", new).expect("a function");
    let mut store = Store::new(&engine, ());
    let component = Component::new(&engine, composed).expect("valid");
    let instance = linker.instantiate(&mut store, &component).expect("instantiated");
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("exported");
    run.call(&mut store, ()).expect("called");
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "by whom it was given to");
}

#[test]
fn an_export_of_another_name_can_be_meant() {
    let main = forwarding(&[(TELL, "tell")]);
    let other = "other:words/say@0.1.0";
    for export in [other, "other:words/say"] {
        let dependencies =
            vec![Dependency { export: Some(export), ..dependency(TELL, saying(other, "hello"), &NOTHING) }];
        let composed = compose(main.clone(), dependencies).expect("composed");
        assert_eq!(host().call(&composed, "tell").expect("called"), "hello");
    }
    let plain = binary(
        r#"(component (import "say-it" (instance $i (export "tell" (func (result string)))))
            (export "tell" (func $i "tell")))"#,
    );
    let dependencies = vec![Dependency { export: Some(other), ..dependency("say-it", saying(other, "hey"), &NOTHING) }];
    let composed = compose(plain, dependencies).expect("composed");
    assert_eq!(host().call(&composed, "tell").expect("called"), "hey");
}

/// A dependency that sends a request, and says which case of the error it gets.
fn sending_a_request() -> Vec<u8> {
    telling(
        TELL,
        r#"(import "wasi:http/types@0.2.3" (instance $types
            (export "outgoing-request" (type $r (sub resource)))
            (export "request-options" (type $o (sub resource)))
            (export "[constructor]outgoing-request" (func (result (own $r))))
            (export "[constructor]request-options" (func (result (own $o))))
            (type $text (option string))
            (type $c (variant (case "DNS-timeout") (case "HTTP-request-denied") (case "internal-error" $text)))
            (export "error-code" (type (eq $c)))))
        (alias export $types "outgoing-request" (type $request))
        (alias export $types "request-options" (type $options))
        (alias export $types "error-code" (type $error-code))
        (import "wasi:http/outgoing-handler@0.2.3" (instance $handler
            (export "outgoing-request" (type $r (eq $request)))
            (export "request-options" (type $o (eq $options)))
            (export "error-code" (type $e (eq $error-code)))
            (export "handle" (func
                (param "request" (own $r)) (param "options" (option (own $o))) (result (result u32 (error $e)))))
            (export "peek" (func (param "request" (borrow $r)) (result (result (error $e)))))))"#,
        r#"(core func $request (canon lower (func $types "[constructor]outgoing-request")))
        (core func $options (canon lower (func $types "[constructor]request-options")))
        (core func $handle (canon lower (func $handler "handle")
            (memory $m "memory") (realloc (func $m "realloc"))))
        (core func $peek (canon lower (func $handler "peek") (memory $m "memory") (realloc (func $m "realloc"))))
        (core instance $host (export "request" (func $request)) (export "options" (func $options))
            (export "handle" (func $handle)) (export "peek" (func $peek)))"#,
        r#"(import "host" "request" (func $request (result i32))) (import "host" "options" (func $options (result i32)))
        (import "host" "handle" (func $handle (param i32 i32 i32 i32)))
        (import "host" "peek" (func $peek (param i32 i32)))
        (import "m" "memory" (memory 1))
        (data (i32.const 0) "0123456789")
        (func (export "tell") (result i32) (local $r i32)
            (local.set $r (call $request))
            (call $peek (local.get $r) (i32.const 64))
            (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then unreachable))
            (call $handle (local.get $r) (i32.const 1) (call $options) (i32.const 64))
            (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
            (i32.store (i32.const 96) (i32.load8_u (i32.const 68)))
            (i32.store (i32.const 100) (i32.const 1))
            (i32.const 96))"#,
    )
}

#[test]
fn resources_of_the_host_go_through_the_adapter_and_are_dropped_there() {
    let dependencies = vec![dependency("our:talk", sending_a_request(), &NOTHING)];
    let composed = compose(forwarding(&[(TELL, "tell")]), dependencies).expect("composed");
    let host = host();
    // The case HTTP-request-denied.
    assert_eq!(host.call(&composed, "tell").expect("called"), "1");
    assert_eq!(host.dropped.load(Ordering::Relaxed), 4, "two calls, each with a request and options");
}

#[test]
fn where_nothing_says_no_the_trap_tells_the_key() {
    let dependency = telling(
        TELL,
        r#"(import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
            (export "bucket" (type $b (sub resource)))
            (export "count" (func (result u32)))))
        (alias export $store "bucket" (type $bucket))
        (import "our:more/things" (instance $things
            (export "bucket" (type $b (eq $bucket)))
            (export "peek" (func (param "b" (borrow $b)) (result u32)))))"#,
        r#"(core func $count (canon lower (func $store "count")))
        (core instance $host (export "count" (func $count)))"#,
        r#"(import "host" "count" (func $count (result i32))) (import "m" "memory" (memory 1))
        (func (export "tell") (result i32) (call $count))"#,
    );
    // What takes resources that are denied is denied with them: nothing of it is left to be imported.
    let dependencies = vec![super::tests::dependency("our:talk", dependency, &NOTHING)];
    let composed = compose(forwarding(&[(TELL, "tell")]), dependencies).expect("composed");
    let error = format!("{:?}", host().call(&composed, "tell").expect_err("a trap"));
    let expected = "count of wasi:keyvalue/store@0.2.0-draft2 is denied to dependency our:talk: add key_value_stores to its \
                    inherit_configuration";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn an_asynchronous_interface_is_denied_too() {
    let dependency = telling(
        TELL,
        r#"(import "wasi:http/client@0.3.0" (instance $client
            (type $c (enum "unknown" "HTTP-request-denied"))
            (export "error-code" (type $e (eq $c)))
            (export "send" (func async (param "url" string) (result (result (error $e)))))))"#,
        r#"(core func $send (canon lower (func $client "send")
            async (memory $m "memory") (realloc (func $m "realloc"))))
        (core instance $host (export "send" (func $send)))"#,
        r#"(import "host" "send" (func $send (param i32 i32 i32) (result i32))) (import "m" "memory" (memory 1))
        (data (i32.const 0) "01")
        (func (export "tell") (result i32)
            ;; It has returned at once.
            (if (i32.ne (call $send (i32.const 0) (i32.const 1) (i32.const 64)) (i32.const 2)) (then unreachable))
            (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
            (i32.store (i32.const 96) (i32.load8_u (i32.const 65)))
            (i32.store (i32.const 100) (i32.const 1))
            (i32.const 96))"#,
    );
    let dependencies = vec![super::tests::dependency("our:talk", dependency, &NOTHING)];
    let composed = compose(forwarding(&[(TELL, "tell")]), dependencies).expect("composed");
    assert_eq!(host().call(&composed, "tell").expect("called"), "1");
}
