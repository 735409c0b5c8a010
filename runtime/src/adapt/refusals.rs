//! What is said of core modules that can't be made components: a case for every rule, with the whole message.

use super::{component, producers};

const HANDLER: &str = r#"(func (export "handle-redis-message") (param i32 i32) (result i32) unreachable)"#;
const REALLOC: &str = r#"(func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) unreachable) (memory (export "memory") 1)"#;

#[track_caller]
fn refused(module: &[u8], message: &str) {
    assert_eq!(component(module).expect_err("refused").to_string(), message);
}

#[track_caller]
fn text_refused(text: &str, message: &str) {
    refused(&wat::parse_str(format!("(module {text})")).expect("a module"), message);
}

#[test]
fn bindings_of_another_abi() {
    let module = wat::parse_str(r#"(module (memory (export "memory") 1))"#).expect("a module");
    for version in ["0.4.0", "1.2.3", "0.x.0", "0.5.0.1"] {
        let module = producers::with_world(&module, "package our:pkg; world empty {}", version, false);
        refused(
            &module,
            &format!(
                "cannot adapt modules created with wit-bindgen version {version}; build it with an SDK that uses \
                 wit-bindgen 0.5 or later"
            ),
        );
    }
}

#[test]
fn bindings_that_are_of_another_world() {
    let module = wat::parse_str(r#"(module (import "our:other/gives" "number" (func)) (memory (export "memory") 1))"#);
    let wit = "package our:pkg; interface gives { number: func() -> u32; } world one { import gives; }";
    refused(
        &producers::with_world(&module.expect("a module"), wit, "0.16.0", false),
        "failed to decode world from module: module was not valid: failed to resolve import `our:other/gives::number`: \
         module requires an import interface named `our:other/gives`; build it with a newer SDK, or for the target \
         wasm32-wasip2",
    );
}

#[test]
fn a_program_of_a_library_that_corrupts_memory() {
    text_refused(
        r#"(memory (export "memory") 1) (func (export "_start"))
            (@custom "producers" "\01\0cprocessed-by\01\05clang\0614.0.4")"#,
        "it was built with clang 14.0.4, whose WASI library corrupts memory (wasi-sdk before 19, wasi-libc issue 377); \
         build it with a newer one",
    );
}

#[test]
fn a_program_that_imports_more_than_wasi() {
    text_refused(
        r#"(import "env" "odd" (func)) (memory (export "memory") 1) (func (export "_start"))"#,
        "it is a program of WASI preview 1 and imports \"odd\" of \"env\", which programs are not offered; build it \
         without that import, or for the target wasm32-wasip2",
    );
}

#[test]
fn one_that_the_encoder_does_not_take() {
    text_refused(
        r#"(import "wasi_snapshot_preview1" "fd_odd" (func)) (memory (export "memory") 1) (func (export "_start"))"#,
        "failed to decode world from module: failed to validate the imports of the adapter module \
         `wasi_snapshot_preview1`: adapter module did not export `fd_odd`; build it with a newer SDK, or for the target \
         wasm32-wasip2",
    );
}

#[test]
fn a_module_that_says_nothing_of_its_interfaces() {
    for text in [
        r#"(func (export "start"))"#,
        r#"(global (export "_start") i32 (i32.const 0))"#,
        r#"(func (export "_start")) (func (export "cabi_realloc"))"#,
        r#"(global (export "handle-http-request") i32 (i32.const 0))"#,
        "",
    ] {
        text_refused(
            text,
            "it is a core module that says nothing of its interfaces: neither a program with _start nor bindings of \
             wit-bindgen; build it with a newer SDK, or for the target wasm32-wasip2",
        );
    }
}

#[test]
fn one_of_the_first_generation_that_handles_nothing() {
    text_refused(
        &format!(r#"{REALLOC} (func (export "_start"))"#),
        "it was built with an SDK of the first generation and exports neither handle-http-request nor \
         handle-redis-message, so that nothing can call it; build it as a handler, or with a newer SDK",
    );
}

#[test]
fn one_of_the_first_generation_that_can_be_given_nothing() {
    text_refused(
        HANDLER,
        "it exports handle-redis-message and no function canonical_abi_realloc to have memory by; build it with a newer SDK",
    );
}

#[test]
fn one_of_the_first_generation_that_imports_what_was_never_offered() {
    for (module, name) in [("wasi-cache", "set"), ("wasi_unstable", "fd_write"), ("spin-config", "set-config")] {
        text_refused(
            &format!(r#"(import "{module}" "{name}" (func)) {REALLOC} {HANDLER}"#),
            &format!(
                "it was built with an SDK of the first generation and imports \"{name}\" of \"{module}\", which this \
                 version of the trigger does not offer; build it with a newer SDK"
            ),
        );
    }
}

#[test]
fn one_of_the_first_generation_with_other_signatures() {
    const REBUILD: &str = "build it with a newer SDK, or for the target wasm32-wasip2";
    text_refused(
        &format!(r#"(import "spin-config" "get-config" (func)) {REALLOC} {HANDLER}"#),
        &format!(
            "failed to decode world from module: module was not valid: failed to resolve import \
             `fermyon:spin/config::get-config`: failed to validate import interface `fermyon:spin/config`: type mismatch \
             for function `get-config`: expected `[I32, I32, I32] -> []` but found `[] -> []`; {REBUILD}"
        ),
    );
    text_refused(
        &format!(r#"{REALLOC} (func (export "handle-redis-message"))"#),
        &format!(
            "failed to decode world from module: module was not valid: failed to classify export \
             `fermyon:spin/inbound-redis#handle-message`: failed to validate export for \
             `fermyon:spin/inbound-redis`: type mismatch for function `handle-message`: expected `[I32, I32] -> [I32]` \
             but found `[] -> []`; {REBUILD}"
        ),
    );
}
