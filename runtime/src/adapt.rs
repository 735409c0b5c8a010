//! What a file of code is, the text form of WebAssembly, and core modules that can be made components.
//!
//! Toolchains of before the component model make core modules. Which of the engine's adapters is put between one and
//! WASI 0.2 is read off the module, by the rules of the public ecosystem (host-interfaces: legacy core modules):
//!
//! 1. One with a `component-type` section that wit-bindgen 0.5 or later wrote has a world of its own: the reactor adapter.
//! 2. One with a `_start` and no trace of bindings is a program: the command adapter.
//! 3. Any other that exports what only SDKs of before wit-bindgen 0.5 did gets a world, and the reactor adapter
//!    (`first_generation`).
//! 4. What is left can't be adapted, and is told why.
//!
//! The conversion takes about ten milliseconds, so its result isn't kept; the compiled code is.

mod first_generation;
pub mod nesting;
pub(crate) mod pre_release;
mod producers;
#[cfg(test)]
mod refusals;

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{ExternalKind, Parser, Payload};
use wit_component::ComponentEncoder;

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Component,
    /// A core module, which [`component`] may make a component.
    Module,
    /// Nothing that runs here: what it is instead.
    Other(&'static str),
}

/// Why a core module can't be made a component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// Its C library gives memory back to itself twice (wasi-libc issue 377).
    #[error(
        "it was built with clang {0}, whose WASI library corrupts memory (wasi-sdk before 19, wasi-libc issue 377); \
         build it with a newer one"
    )]
    Toolchain(String),
    /// Its bindings are of an ABI that nothing adapts.
    #[error(
        "cannot adapt modules created with wit-bindgen version {0}; build it with an SDK that uses wit-bindgen 0.5 or later"
    )]
    WitBindgen(String),
    /// It is a program that imports something beside WASI.
    #[error(
        "it is a program of WASI preview 1 and imports \"{name}\" of \"{module}\", which programs are not offered; build it \
         without that import, or for the target wasm32-wasip2"
    )]
    Program {
        /// The module of the import.
        module: String,
        /// Its name there.
        name: String,
    },
    /// It is of the SDKs of before the component model, and handles no event.
    #[error(
        "it was built with an SDK of the first generation and exports neither handle-http-request nor \
         handle-redis-message, so that nothing can call it; build it as a handler, or with a newer SDK"
    )]
    NoHandler,
    /// It handles events, and nothing can be given to it.
    #[error("it exports {0} and no function canonical_abi_realloc to have memory by; build it with a newer SDK")]
    NoRealloc(&'static str),
    /// It imports what was never offered to modules of its generation, or isn't any more.
    #[error(
        "it was built with an SDK of the first generation and imports \"{name}\" of \"{module}\", which this version of \
         the trigger does not offer; build it with a newer SDK"
    )]
    NotOffered {
        /// The module of the import.
        module: String,
        /// Its name there.
        name: String,
    },
    /// It says nothing about what it imports and exports.
    #[error(
        "it is a core module that says nothing of its interfaces: neither a program with _start nor bindings of \
         wit-bindgen; build it with a newer SDK, or for the target wasm32-wasip2"
    )]
    NoInterfaces,
    /// The encoder refuses it.
    #[error("{0}; build it with a newer SDK, or for the target wasm32-wasip2")]
    Encode(String),
}

/// The first clang whose WASI library can be adapted.
const FIRST_SOUND_CLANG: [u32; 3] = [15, 0, 7];

/// The binary form of what a file holds. Text is only looked for where the name promises it, so that anything else that
/// isn't WebAssembly is called that.
pub(crate) fn binary(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, wat::Error> {
    if path.extension().is_none_or(|extension| extension != "wat") {
        return Ok(bytes);
    }
    let binary = wat::parse_bytes(&bytes).map(Cow::into_owned);
    binary.map_err(|mut error| {
        error.set_path(path);
        error
    })
}

/// What a file is, by its first bytes.
pub(crate) fn kind(bytes: &[u8]) -> FileKind {
    match bytes.get(..8) {
        Some([0x00, b'a', b's', b'm', _, _, 0x01, 0x00]) => FileKind::Component,
        Some([0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00]) => FileKind::Module,
        _ => FileKind::Other("is not WebAssembly"),
    }
}

/// The adapter that a module needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adapter {
    Reactor,
    Command,
    /// The reactor adapter, for a module that needs a world first.
    FirstGeneration,
}

/// The component that a core module is when an adapter is put to it.
///
/// # Errors
/// When no adapter fits, and when it imports what isn't WASI preview 1.
pub(crate) fn component(module: &[u8]) -> Result<Vec<u8>, AdaptError> {
    match adapter(module)? {
        Adapter::Reactor => encode(module, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        Adapter::Command => encode(module, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        Adapter::FirstGeneration => {
            encode(&first_generation::modernize(module)?, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        }
    }
}

fn encode(module: &[u8], adapter: &[u8]) -> Result<Vec<u8>, AdaptError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode())
        .map_err(encode_error)
}

fn encode_error(error: impl Display) -> AdaptError {
    AdaptError::Encode(format!("{error:#}"))
}

fn adapter(module: &[u8]) -> Result<Adapter, AdaptError> {
    if let Some(version) = producers::wit_bindgen(module) {
        return if is_adaptable(&version) { Ok(Adapter::Reactor) } else { Err(AdaptError::WitBindgen(version)) };
    }
    let functions = exported_functions(module);
    let exports = |name: &str| functions.contains(&name);
    let has_bindings = exports("cabi_realloc") || exports("canonical_abi_realloc") || producers::has_world(module);
    if exports("_start") && !has_bindings {
        if let Some(version) = producers::clang(module).filter(|version| is_unsound(version)) {
            return Err(AdaptError::Toolchain(version));
        }
        return match imports(module).first() {
            Some(&(module, name)) => Err(AdaptError::Program { module: module.to_owned(), name: name.to_owned() }),
            None => Ok(Adapter::Command),
        };
    }
    match (first_generation::is_of(&functions), producers::has_world(module)) {
        (true, _) => Ok(Adapter::FirstGeneration),
        // Its tools don't name themselves, but have said what it imports and exports.
        (false, true) => Ok(Adapter::Reactor),
        (false, false) => Err(AdaptError::NoInterfaces),
    }
}

/// Whether the ABI of a wit-bindgen such as `0.16.0` is the one that components have: since 0.5, and no later rule is known.
fn is_adaptable(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    match parts.as_slice() {
        ["0", minor] | ["0", minor, _] => minor.parse::<u32>().is_ok_and(|minor| minor >= 5),
        _ => false,
    }
}

/// The functions that a module exports. What can't be read is left to the encoder, whose message is better.
fn exported_functions(module: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Ok(Payload::ExportSection(exports)) = payload {
            let functions = exports.into_iter().flatten().filter(|export| export.kind == ExternalKind::Func);
            names.extend(functions.map(|export| export.name));
        }
    }
    names
}

/// What a module imports beside WASI preview 1: modules and names. What can't be read is left to the encoder here too.
fn imports(module: &[u8]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Ok(Payload::ImportSection(section)) = payload {
            let imports = section.into_imports().flatten().map(|import| (import.module, import.name));
            found.extend(imports.filter(|(module, _)| *module != WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME));
        }
    }
    found
}

/// Whether a version such as `15.0.6 (https://…)` or `14.0.4-wasi-sdk` is before the first sound one. Any other form, such as
/// that of a distribution (`14.0.0-1ubuntu1`), says nothing of the library, and isn't known to be broken.
fn is_unsound(version: &str) -> bool {
    let version = version.split(' ').next().unwrap_or_default();
    let number = version.strip_suffix("-wasi-sdk").unwrap_or(version);
    let parts: Result<Vec<u32>, _> = number.split('.').map(str::parse).collect();
    parts.is_ok_and(|parts| <[u32; 3]>::try_from(parts).is_ok_and(|version| version < FIRST_SOUND_CLANG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_converted_where_the_name_says_so() {
        let of = |text: &str, path: &str| binary(text.into(), Path::new(path));
        assert_eq!(kind(&of("(component)", "a.wat").expect("a component")), FileKind::Component);
        assert_eq!(of("(component)", "a.wasm").expect("unchanged"), b"(component)");
        let error = of("(component\n  (imprt))", "a.wat").expect_err("a misspelled word").to_string();
        assert!(error.contains("a.wat:2:4"), "{error}");
    }

    fn module(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("a module")
    }

    /// The names of what a component imports and exports.
    pub(super) fn names(component: &[u8]) -> [Vec<String>; 2] {
        let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0);
        for payload in Parser::new(0).parse_all(component) {
            match payload.expect("a component") {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    imports.extend(section.into_iter().map(|import| import.expect("an import").name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    exports.extend(section.into_iter().map(|export| export.expect("an export").name.name.to_owned()));
                }
                _ => {}
            }
        }
        [imports, exports]
    }

    const COMMAND: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(kind(b"\0asm\x0d\0\x01\0..."), FileKind::Component);
        assert_eq!(kind(b"\0asm\x01\0\0\0"), FileKind::Module);
        assert!(matches!(kind(b"#!/bin/sh"), FileKind::Other(what) if what.contains("not WebAssembly")));
        assert!(matches!(kind(b""), FileKind::Other(_)));
    }

    #[test]
    fn a_section_that_only_has_the_name_is_no_trace_of_bindings() {
        let text =
            r#"(module (memory (export "memory") 1) (func (export "_start")) (@custom "component-type:world" ""))"#;
        assert_eq!(adapter(&module(text)).expect("a program"), Adapter::Command);
    }

    #[test]
    fn versions_of_bindings_whose_abi_is_known() {
        for version in ["0.5.0", "0.5", "0.16.0", "0.57.1"] {
            assert!(is_adaptable(version), "{version}");
        }
        for version in ["0.4.9", "0.2.0", "1.0.0", "0.x.0", "0", "", "0.5.0.1", "a"] {
            assert!(!is_adaptable(version), "{version}");
        }
    }

    /// A module with the bindings of a world that imports and exports something, as wit-bindgen of that version makes it.
    fn bound(version: &str, is_older_form: bool) -> Vec<u8> {
        let module = r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "our:pkg/gives" "number" (func $number (result i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "our:pkg/takes#run") (result i32) (i32.add (call $yield) (call $number))))"#;
        let wit = "package our:pkg;
            interface gives { number: func() -> u32; }
            interface takes { run: func() -> u32; }
            world both { import gives; export takes; }";
        producers::with_world(&self::module(module), wit, version, is_older_form)
    }

    #[test]
    fn a_module_with_a_world_becomes_that_component() {
        for is_older_form in [false, true] {
            let made = component(&bound("0.16.0", is_older_form)).expect("a component");
            let [imports, exports] = names(&made);
            assert!(imports.iter().any(|name| name == "our:pkg/gives"), "{imports:?}");
            assert_eq!(exports, ["our:pkg/takes"]);
        }
    }

    #[test]
    fn a_command_becomes_a_component_that_exports_run() {
        let made = component(&module(COMMAND)).expect("a component");
        assert_eq!(kind(&made), FileKind::Component);
        let [_, exports] = names(&made);
        assert!(matches!(exports.as_slice(), [run] if run.starts_with("wasi:cli/run@0.2.")), "{exports:?}");
    }

    #[test]
    fn toolchains_that_corrupt_memory_are_known_by_their_version() {
        for version in ["14.0.4", "15.0.6 (https://github.com/llvm)", "15.0.6-wasi-sdk", "14.0.4-wasi-sdk (x)"] {
            assert!(is_unsound(version), "{version}");
        }
        for version in [
            "15.0.7",
            "15.0.7 (x)",
            "15.0.7-wasi-sdk",
            "16.0.0",
            "22.1.0",
            "15",
            "14.0",
            "14.0.0.1",
            "14.0.0-1ubuntu1",
            "14.0.0git",
            "unknown",
            "",
        ] {
            assert!(!is_unsound(version), "{version}");
        }
    }
}
