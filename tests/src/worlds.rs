//! Guests of every generation, made on the spot: core modules and components that import everything of a world.
//!
//! The worlds are those of `tests/data/worlds.wit`; what they import stands in `wit/`, and of WASI in `tests/data/wasi/`. So
//! that an interface that is new in one of these is imported by the next run.
//!
//! The runtime's own tests use this file too, to know what is linked.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    InterfaceId, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmImport, WorldId, WorldItem,
    WorldKey,
};

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// The last 0.2 whose signatures are there; those of the others are the same.
const NEWEST: usize = 12;
/// The release of 0.3, and its candidate, which has the same signatures.
const RELEASE: &str = "0.3.0";
const CANDIDATE: &str = "0.3.0-rc-2026-03-15";
const SNAPSHOTS: [&str; 2] = ["0.2.0-rc-2023-10-18", "0.2.0-rc-2023-11-10"];

/// Every version of WASI that components may be of.
pub fn wasi_versions() -> Vec<String> {
    let releases = (0..=NEWEST).map(|patch| format!("0.2.{patch}"));
    SNAPSHOTS.map(str::to_owned).into_iter().chain(releases).chain([CANDIDATE, RELEASE].map(str::to_owned)).collect()
}

/// Packages that are served by a newer version of theirs, with that one.
const OLDER: [(&str, &str, &str); 2] =
    [("spin:postgres", "4.0.0", "spin-postgres-4.2.0"), ("spin:sqlite", "3.0.0", "spin-sqlite-3.1.0")];

/// Worlds with all that they import.
pub struct Worlds {
    resolve: Resolve,
    worlds: Vec<(String, WorldId)>,
}

impl Worlds {
    /// Those of `tests/data/worlds.wit`, and `more`: further ones in WIT.
    pub fn read(more: &str) -> Self {
        let worlds = file("tests/data/worlds.wit");
        let text = format!("{worlds}\n{more}\n{}\n{}", wasi(), ours());
        let mut resolve = Resolve::default();
        let parsed = resolve.push_source("worlds.wit", &text);
        let package = parsed.unwrap_or_else(|error| panic!("{}", resolve.render_error(&error)));
        let worlds = resolve.packages[package].worlds.iter().map(|(name, id)| (name.clone(), *id)).collect();
        Self { resolve, worlds }
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.worlds.iter().map(|(name, _)| name.as_str())
    }

    /// All that they are made of.
    pub fn resolve(&self) -> &Resolve {
        &self.resolve
    }

    fn id(&self, world: &str) -> WorldId {
        let found = self.worlds.iter().find(|(name, _)| name == world);
        found.unwrap_or_else(|| panic!("there is no world {world}")).1
    }

    /// What the documentation of a world says.
    pub fn documentation(&self, world: &str) -> &str {
        self.resolve.worlds[self.id(world)].docs.contents.as_deref().unwrap_or_default().trim()
    }

    /// The interfaces that a world imports and that have anything but types, by name.
    pub fn imports(&self, world: &str) -> Vec<String> {
        let imports = self.interfaces(self.id(world)).filter(|(_, id)| !self.is_of_types(*id));
        imports.map(|(key, _)| self.resolve.name_world_key(key)).collect()
    }

    fn interfaces(&self, world: WorldId) -> impl Iterator<Item = (&WorldKey, InterfaceId)> {
        self.resolve.worlds[world].imports.iter().filter_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } => Some((key, *id)),
            _ => None,
        })
    }

    fn is_of_types(&self, interface: InterfaceId) -> bool {
        let interface = &self.resolve.interfaces[interface];
        let mut types = interface.types.values().map(|id| &self.resolve.types[*id].kind);
        interface.functions.is_empty() && !types.any(|kind| matches!(kind, TypeDefKind::Resource))
    }

    /// A core module of this world: it imports every function of every interface, each under the id
    /// `$"INTERFACE#FUNCTION"`, and has `memory`, a `cabi_realloc`, and beside that what `imports` and `code` are in the text
    /// format.
    pub fn module(&self, world: &str, imports: &str, code: &str) -> Vec<u8> {
        let world = self.id(world);
        let mut text = format!("(module {imports}\n");
        for (key, id) in self.interfaces(world) {
            self.import(key, id, &mut text);
        }
        text.push_str(
            r#"(memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))"#,
        );
        let _ = write!(text, "\n{code})");
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        embed_component_metadata(&mut module, &self.resolve, world, StringEncoding::UTF8)
            .expect("a world of this module");
        module
    }

    fn import(&self, key: &WorldKey, id: InterfaceId, text: &mut String) {
        let interface = &self.resolve.interfaces[id];
        let name = self.resolve.name_world_key(key);
        for (function, func) in &interface.functions {
            let signature = self.resolve.wasm_signature(AbiVariant::GuestImport, func);
            let import = WasmImport::Func { interface: Some(key), func };
            let (module, field) = self.resolve.wasm_import_name(ABI, import);
            let (params, results) = (types(&signature.params), types(&signature.results));
            let _ = writeln!(
                text,
                r#"(import "{module}" "{field}" (func $"{name}#{function}" (param {params}) (result {results})))"#
            );
        }
        for (resource, id) in &interface.types {
            if matches!(self.resolve.types[*id].kind, TypeDefKind::Resource) {
                let intrinsic = ResourceIntrinsic::ImportedDrop;
                let import = WasmImport::ResourceIntrinsic { interface: Some(key), resource: *id, intrinsic };
                let (module, field) = self.resolve.wasm_import_name(ABI, import);
                let _ = writeln!(text, r#"(import "{module}" "{field}" (func $"{name}#drop-{resource}" (param i32)))"#);
            }
        }
    }
}

/// The component that such a module is.
pub fn component(module: &[u8]) -> Vec<u8> {
    let encoder = ComponentEncoder::default().validate(true).merge_imports_based_on_semver(false).module(module);
    let mut encoder = encoder.expect("a module with a world");
    encoder.encode().unwrap_or_else(|error| panic!("{error:?}"))
}

fn types(types: &[WasmType]) -> String {
    let names = types.iter().map(|ty| match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    });
    names.collect::<Vec<_>>().join(" ")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member's folder").to_owned()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packages of all versions of WASI.
fn wasi() -> String {
    let second = file("tests/data/wasi/0.2.12.wit");
    let third = file("tests/data/wasi/0.3.0.wit");
    let mut text: String = SNAPSHOTS.iter().map(|version| file(&format!("tests/data/wasi/{version}.wit"))).collect();
    for patch in 0..=NEWEST {
        text.push_str(&second.replace("@0.2.12", &format!("@0.2.{patch}")));
    }
    text + &third + &third.replace(&format!("@{RELEASE}"), &format!("@{CANDIDATE}"))
}

/// The packages in `wit/`.
fn ours() -> String {
    let mut folders: Vec<_> = std::fs::read_dir(repository().join("wit")).expect("a folder").flatten().collect();
    folders.sort_by_key(std::fs::DirEntry::file_name);
    let mut text = String::new();
    for folder in folders.into_iter().filter(|folder| folder.path().is_dir()) {
        let (package, items) = package(&folder.path());
        let name = folder.file_name();
        let _ = writeln!(text, "package {package} {{ {items} }}");
        for (of, version, newer) in OLDER.into_iter().filter(|(.., newer)| name == *newer) {
            let (_, items) = self::package(&repository().join("wit").join(newer));
            let _ = writeln!(text, "package {of}@{version} {{ {items} }}");
        }
    }
    text
}

/// The name of the package in a folder, and what is in it.
fn package(folder: &Path) -> (String, String) {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|file| file.path()).collect();
    files.sort();
    let (mut name, mut items) = (None, String::new());
    for file in files {
        for line in std::fs::read_to_string(&file).expect("a text").lines() {
            match line.strip_prefix("package ").and_then(|rest| rest.strip_suffix(';')) {
                Some(package) => name = Some(package.to_owned()),
                None => items.extend([line, "\n"]),
            }
        }
    }
    let name = name.unwrap_or_else(|| panic!("no package in {}", folder.display()));
    // The second generation's is the first's.
    if name == "fermyon:spin@2.0.0" && !folder.join("llm.wit").exists() {
        items.push_str(&file("wit/fermyon-spin/llm.wit"));
    }
    (name, items)
}
