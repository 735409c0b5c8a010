//! Core modules of the first generation of SDKs: wit-bindgen 0.2, of before the component model.
//!
//! They import `wasi-outbound-http`, `spin-config`, …, export `handle-http-request` or `handle-redis-message`, and let the
//! host have memory by `canonical_abi_realloc`. All those functions take and give, word for word and byte for byte, what the
//! canonical ABI of today makes of the functions of `fermyon:spin` without a version. So nothing is put between: the
//! module's imports and exports are called what they are called today, it gets the world that says their types, and the
//! encoder checks every signature against it.
//!
//! What a handler gives back is not freed (`canonical_abi_free`): a component of this world has an instance for one event,
//! whose memory ends with it. A `_start` isn't called: that of TinyGo's modules runs a `main` which has nothing to do with
//! events. An `_initialize` is, as that of every module.

use std::collections::BTreeSet;

use wasm_encoder::reencode::{Error as ReencodeError, Reencode, RoundtripReencoder};
use wasm_encoder::{ExportSection, ImportSection, Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId, WorldItem};

use super::{AdaptError, encode_error, exported_functions, imports};

/// The package with every interface that one of [`IMPORTS`] and [`EXPORTS`] needs.
const PACKAGE: [&str; 14] = [
    include_str!("../../wit/fermyon-spin/package.wit"),
    include_str!("../../wit/fermyon-spin/config.wit"),
    include_str!("../../wit/fermyon-spin/http.wit"),
    include_str!("../../wit/fermyon-spin/http-types.wit"),
    include_str!("../../wit/fermyon-spin/inbound-http.wit"),
    include_str!("../../wit/fermyon-spin/inbound-redis.wit"),
    include_str!("../../wit/fermyon-spin/key-value.wit"),
    include_str!("../../wit/fermyon-spin/llm.wit"),
    include_str!("../../wit/fermyon-spin/mysql.wit"),
    include_str!("../../wit/fermyon-spin/postgres.wit"),
    include_str!("../../wit/fermyon-spin/rdbms-types.wit"),
    include_str!("../../wit/fermyon-spin/redis.wit"),
    include_str!("../../wit/fermyon-spin/redis-types.wit"),
    include_str!("../../wit/fermyon-spin/sqlite.wit"),
];

/// What modules import from, and the interface that it is today.
const IMPORTS: [(&str, &str); 8] = [
    ("key-value", "key-value"),
    ("llm", "llm"),
    ("outbound-mysql", "mysql"),
    ("outbound-pg", "postgres"),
    ("outbound-redis", "redis"),
    ("spin-config", "config"),
    ("sqlite", "sqlite"),
    ("wasi-outbound-http", "http"),
];

/// A handler, and the interface and function that it is today.
const EXPORTS: [(&str, &str, &str); 2] = [
    ("handle-http-request", "inbound-http", "handle-request"),
    ("handle-redis-message", "inbound-redis", "handle-message"),
];

/// Functions whose name has changed with that of their interface.
fn function<'n>(module: &str, name: &'n str) -> &'n str {
    match (module, name) {
        ("wasi-outbound-http", "request") => "send-request",
        _ => name,
    }
}

/// By which the host gets memory for what it gives to the module. The encoder knows this name.
const REALLOC: &str = "canonical_abi_realloc";

/// The functions that only modules of this generation export.
const MARKS: [&str; 4] = [REALLOC, "canonical_abi_free", EXPORTS[0].0, EXPORTS[1].0];

/// Whether functions that a module exports tell that it is of the first generation.
pub(super) fn is_of(functions: &[&str]) -> bool {
    MARKS.into_iter().any(|name| functions.contains(&name))
}

/// The module by the names of today, with its world.
///
/// # Errors
/// When it handles no event, or imports what nothing offers.
pub(super) fn modernize(module: &[u8]) -> Result<Vec<u8>, AdaptError> {
    let functions = exported_functions(module);
    let handlers: Vec<_> = EXPORTS.into_iter().filter(|(name, ..)| functions.contains(name)).collect();
    let Some((handler, ..)) = handlers.first() else { return Err(AdaptError::NoHandler) };
    if !functions.contains(&REALLOC) {
        return Err(AdaptError::NoRealloc(handler));
    }
    let imports = imports(module);
    let interfaces: BTreeSet<_> = imports.iter().filter_map(|(module, _)| interface(module)).collect();
    let (resolve, world) = world(&interfaces, handlers.iter().map(|(_, interface, _)| *interface))?;
    if let Some((module, name)) = imports.iter().find(|(module, name)| !is_offered(&resolve, world, module, name)) {
        return Err(AdaptError::NotOffered { module: (*module).to_owned(), name: (*name).to_owned() });
    }
    let mut renamed = rename(module).map_err(encode_error)?;
    embed_component_metadata(&mut renamed, &resolve, world, StringEncoding::UTF8).map_err(encode_error)?;
    Ok(renamed)
}

/// The interface that a module of imports is today.
fn interface(module: &str) -> Option<&'static str> {
    IMPORTS.into_iter().find(|(name, _)| *name == module).map(|(_, interface)| interface)
}

/// The world with these imports and exports.
fn world<'i>(
    imports: &BTreeSet<&str>,
    exports: impl Iterator<Item = &'i str>,
) -> Result<(Resolve, WorldId), AdaptError> {
    let imports = imports.iter().map(|name| format!("import {name};"));
    let items: String = imports.chain(exports.map(|name| format!("export {name};"))).collect();
    let text = format!("{}world guest {{ {items} }}", PACKAGE.concat());
    let mut resolve = Resolve::default();
    let package = resolve.push_str("first-generation.wit", &text).map_err(encode_error)?;
    let world = resolve.select_world(&[package], None).map_err(encode_error)?;
    Ok((resolve, world))
}

/// Whether a world has what a module imports by its own names.
fn is_offered(resolve: &Resolve, world: WorldId, module: &str, name: &str) -> bool {
    let interfaces = resolve.worlds[world].imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
        _ => None,
    });
    interface(module).is_some_and(|interface| {
        interfaces
            .filter(|known| known.name.as_deref() == Some(interface))
            .any(|known| known.functions.contains_key(function(module, name)))
    })
}

/// The module with every import and handler called what it is called today. All else is as it was, byte for byte.
fn rename(module: &[u8]) -> Result<Vec<u8>, ReencodeError> {
    let mut made = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(ReencodeError::ParseError)? {
            Payload::ImportSection(section) => {
                let mut imports = ImportSection::new();
                for import in section.into_imports() {
                    let import = import.map_err(ReencodeError::ParseError)?;
                    let ty = RoundtripReencoder.entity_type(import.ty)?;
                    match interface(import.module) {
                        Some(interface) => {
                            let name = function(import.module, import.name);
                            imports.import(&format!("fermyon:spin/{interface}"), name, ty)
                        }
                        None => imports.import(import.module, import.name, ty),
                    };
                }
                made.section(&imports);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export.map_err(ReencodeError::ParseError)?;
                    let kind = RoundtripReencoder.export_kind(export.kind)?;
                    match EXPORTS.into_iter().find(|(name, ..)| *name == export.name) {
                        Some((_, interface, function)) => {
                            exports.export(&format!("fermyon:spin/{interface}#{function}"), kind, export.index)
                        }
                        None => exports.export(export.name, kind, export.index),
                    };
                }
                made.section(&exports);
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    made.section(&RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Ok(made.finish())
}

#[cfg(test)]
mod tests {
    use super::super::component;
    use super::super::tests::names;

    fn module(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("a module")
    }

    #[test]
    fn a_handler_of_requests_becomes_a_component_of_the_interfaces_of_today() {
        let made = component(&module(include_str!("../../../tests/guests/first-generation/http.wat")));
        let [mut imports, exports] = names(&made.expect("a component"));
        imports.retain(|name| !name.starts_with("wasi:"));
        imports.sort_unstable();
        let expected = ["config", "http", "http-types", "key-value"].map(|name| format!("fermyon:spin/{name}"));
        assert_eq!(imports, expected);
        assert_eq!(exports, ["fermyon:spin/inbound-http"]);
    }

    #[test]
    fn a_handler_of_messages_becomes_one_too() {
        let made = component(&module(include_str!("../../../tests/guests/first-generation/redis.wat")));
        let [_, exports] = names(&made.expect("a component"));
        assert_eq!(exports, ["fermyon:spin/inbound-redis"]);
    }

    #[test]
    fn every_function_that_is_offered_has_the_signature_of_then() {
        let words = |count: usize| "i32 ".repeat(count);
        let functions = [
            ("wasi-outbound-http", "request", words(11)),
            ("spin-config", "get-config", words(3)),
            ("outbound-redis", "publish", words(7)),
            ("outbound-redis", "set", words(7)),
            ("outbound-redis", "get", words(5)),
            ("outbound-redis", "incr", words(5)),
            ("outbound-redis", "del", words(5)),
            ("outbound-redis", "smembers", words(5)),
            ("outbound-redis", "sadd", words(7)),
            ("outbound-redis", "srem", words(7)),
            ("outbound-redis", "execute", words(7)),
            ("outbound-pg", "query", words(7)),
            ("outbound-pg", "execute", words(7)),
            ("outbound-mysql", "query", words(7)),
            ("outbound-mysql", "execute", words(7)),
            ("sqlite", "open", words(3)),
            ("sqlite", "execute", words(6)),
            ("sqlite", "close", words(1)),
            ("key-value", "open", words(3)),
            ("key-value", "get", words(4)),
            ("key-value", "set", words(6)),
            ("key-value", "delete", words(4)),
            ("key-value", "exists", words(4)),
            ("key-value", "get-keys", words(2)),
            ("key-value", "close", words(1)),
            ("llm", "infer", format!("{}f32 i32 f32 i32 f32 i32", words(6))),
            ("llm", "generate-embeddings", words(5)),
        ];
        assert!(super::IMPORTS.iter().all(|(module, _)| functions.iter().any(|(known, ..)| known == module)));
        let imports: String = functions
            .iter()
            .map(|(module, name, parameters)| format!("(import \"{module}\" \"{name}\" (func (param {parameters})))"))
            .collect();
        let made = component(&module(&format!(
            r#"(module {imports} (memory (export "memory") 1)
                (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "handle-http-request") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                    unreachable)
                (func (export "handle-redis-message") (param i32 i32) (result i32) unreachable))"#
        )));
        let [_, exports] = names(&made.expect("a component"));
        assert_eq!(exports, ["fermyon:spin/inbound-http", "fermyon:spin/inbound-redis"]);
    }
}
