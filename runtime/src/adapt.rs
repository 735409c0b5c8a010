//! What a file of code is, the text form of WebAssembly, and core modules that can be made components.
//!
//! Toolchains for WASI preview 1 make core modules. One that is a command, a program with a `_start` and nothing but
//! WASI, becomes a component that exports `wasi:cli/run` when the engine's adapter is put between it and WASI 0.2.
//! The conversion takes about ten milliseconds, so its result isn't kept; the compiled code is.

pub(crate) mod release_candidate;

use std::borrow::Cow;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::{ExternalKind, Parser, Payload, ProducersSectionReader};
use wit_component::ComponentEncoder;

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Component,
    /// A core module that [`command`] makes a component.
    Command,
    /// Nothing that runs here: what it is instead, and what to do.
    Other(&'static str),
}

/// Why a core module can't be made a component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// Its C library gives memory back to itself twice (wasi-libc issue 377).
    #[error(
        "it was built with clang {0}, whose WASI library corrupts memory (wasi-sdk before 19); build it with a newer one"
    )]
    Toolchain(String),
    /// The encoder refuses it.
    #[error("{0}")]
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

/// What a file is, by its first bytes and, for a core module, by what it exports.
pub(crate) fn kind(bytes: &[u8]) -> FileKind {
    match bytes.get(..8) {
        Some([0x00, b'a', b's', b'm', _, _, 0x01, 0x00]) => FileKind::Component,
        Some([0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00]) if is_command(bytes) => FileKind::Command,
        Some([0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00]) => FileKind::Other(
            "is a core module, not a component; this version of the trigger runs components and commands of WASI \
             preview 1 only: build it with a newer SDK, or for the target wasm32-wasip2",
        ),
        _ => FileKind::Other("is not WebAssembly"),
    }
}

/// A module with `_start` that needs no bindings of a component's world. What can't be read is left to the engine,
/// whose message is better.
fn is_command(bytes: &[u8]) -> bool {
    let mut starts = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ExportSection(exports)) => {
                for export in exports.into_iter().flatten() {
                    match export.name {
                        "_start" => starts |= export.kind == ExternalKind::Func,
                        "cabi_realloc" | "canonical_abi_realloc" => return false,
                        _ => {}
                    }
                }
            }
            Ok(Payload::CustomSection(section)) if section.name().starts_with("component-type") => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    starts
}

/// The component that a command is when the adapter is put to it.
///
/// # Errors
/// When its toolchain is known to be broken, and when it imports what isn't WASI preview 1.
pub(crate) fn command(module: &[u8]) -> Result<Vec<u8>, AdaptError> {
    if let Some(version) = clang(module)
        && is_unsound(&version)
    {
        return Err(AdaptError::Toolchain(version));
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| AdaptError::Encode(format!("{error:#}")))
}

/// The clang that a module says it was compiled with.
fn clang(module: &[u8]) -> Option<String> {
    let producers = Parser::new(0).parse_all(module).find_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) if section.name() == "producers" => {
            ProducersSectionReader::new(wasmparser::BinaryReader::new(section.data(), section.data_offset())).ok()
        }
        _ => None,
    })?;
    let mut tools = producers.into_iter().flatten().filter(|field| field.name == "processed-by");
    tools.find_map(|field| {
        let clang = field.values.into_iter().flatten().find(|value| value.name == "clang")?;
        Some(clang.version.to_owned())
    })
}

/// Whether a version such as `15.0.6 (https://…)` or `14.0.4-wasi-sdk` is before the first sound one.
fn is_unsound(version: &str) -> bool {
    let number = version.split([' ', '-']).next().unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    let mut part = || parts.next().flatten();
    // One that can't be read is not known to be broken.
    let Some(major) = part() else { return false };
    [major, part().unwrap_or(0), part().unwrap_or(0)] < FIRST_SOUND_CLANG
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

    const COMMAND: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(kind(b"\0asm\x0d\0\x01\0..."), FileKind::Component);
        assert!(matches!(kind(b"\0asm\x01\0\0\0"), FileKind::Other(what) if what.contains("core module")));
        assert!(matches!(kind(b"#!/bin/sh"), FileKind::Other(what) if what.contains("not WebAssembly")));
        assert!(matches!(kind(b""), FileKind::Other(_)));
    }

    #[test]
    fn only_programs_without_bindings_are_commands() {
        assert_eq!(kind(&module(COMMAND)), FileKind::Command);
        for other in [
            r#"(module (func (export "start")))"#,
            r#"(module (global (export "_start") i32 (i32.const 0)))"#,
            r#"(module (func (export "_start")) (func (export "cabi_realloc")))"#,
            r#"(module (func (export "_start")) (func (export "canonical_abi_realloc")))"#,
            r#"(module (func (export "_start")) (@custom "component-type:world" ""))"#,
        ] {
            assert!(matches!(kind(&module(other)), FileKind::Other(_)), "{other}");
        }
    }

    #[test]
    fn a_command_becomes_a_component_that_exports_run() {
        let component = command(&module(COMMAND)).expect("a component");
        assert_eq!(kind(&component), FileKind::Component);
        let exports = Parser::new(0).parse_all(&component).any(|payload| match payload {
            Ok(Payload::ComponentExportSection(exports)) => {
                exports.into_iter().flatten().any(|export| export.name.name.starts_with("wasi:cli/run@0.2."))
            }
            _ => false,
        });
        assert!(exports);
    }

    #[test]
    fn what_imports_more_than_wasi_is_refused_by_the_name_of_the_import() {
        let odd = r#"(module (import "env" "odd" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
        let message = command(&module(odd)).expect_err("refused").to_string();
        assert!(message.contains("env"), "{message}");
    }

    #[test]
    fn toolchains_that_corrupt_memory_are_known_by_their_version() {
        for version in ["14.0.4", "15.0.6 (https://github.com/llvm)", "15.0.6-wasi-sdk", "15"] {
            assert!(is_unsound(version), "{version}");
        }
        for version in ["15.0.7", "15.0.7 (x)", "16.0.0", "22", "unknown", ""] {
            assert!(!is_unsound(version), "{version}");
        }
        let old = r#"(module (memory (export "memory") 1) (func (export "_start"))
            (@custom "producers" "\01\0cprocessed-by\01\05clang\0614.0.4"))"#;
        assert!(matches!(command(&module(old)), Err(AdaptError::Toolchain(version)) if version == "14.0.4"));
    }
}
