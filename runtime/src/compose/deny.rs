//! The deny adapter: a component that a dependency gets in place of the host's interfaces that it may not use.
//!
//! It is made for each dependency out of that dependency's own imports, so it fits every version of an interface. It
//! exports the interfaces that are denied; what these take from others (a request, a folder) it imports, so that these are
//! the same types for the dependency. Its functions answer [what the interface has for that](super::answer). Where
//! it has nothing, the call traps, and the name of the function, which stands in the trap's backtrace, says why.
//!
//! The arguments of a call are never read: the memory that they were put into is free again when the call begins, and
//! handles among them are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, FlatTypes, WasmType};
use wit_parser::{
    Function, Handle, InterfaceId, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, SizeAlign, Type,
    TypeDefKind, TypeId, TypeOwner, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

use super::answer::{Answer, Text, answer, kind};
use crate::adapt::pre_release;

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// A component that denies.
pub(super) struct Adapter {
    pub(super) bytes: Vec<u8>,
    /// The imports of the dependency that it takes over.
    pub(super) interfaces: Vec<String>,
}

/// Makes the adapter for the dependency `name`, whose component is `dependency`. `denied` are the imports that it may not
/// use, each with the key of the manifest that would allow it.
///
/// # Errors
/// When the dependency's imports can't be read, or one that is denied is no interface.
pub(super) fn adapter(
    name: &str,
    dependency: &[u8],
    denied: &BTreeMap<String, &'static str>,
) -> Result<Adapter, String> {
    let decoded = wit_component::decode(dependency).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(mut resolve, world) = decoded else {
        return Err("it is a package of interfaces, not a component".to_owned());
    };
    let keys = interfaces(&resolve, world, denied);
    restrict(&mut resolve, world, &keys);
    let text = Module::new(&resolve, world, name).text(&keys);
    let encode = || {
        let mut module = wat::parse_str(&text)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        Ok(ComponentEncoder::default().validate(true).module(&module)?.encode()?)
    };
    let bytes = encode().map_err(|error: Box<dyn std::error::Error + Send + Sync>| format!("{error:#}"))?;
    let interfaces: Vec<_> = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
    // What isn't taken over would be imported from the host.
    match denied.keys().find(|name| !interfaces.contains(name)) {
        Some(name) => Err(format!("{name} is no interface that it imports")),
        None => Ok(Adapter { bytes, interfaces }),
    }
}

/// The interfaces to deny, each with its key: those named, and those whose functions take resources of these, as nobody
/// else could make them.
fn interfaces(
    resolve: &Resolve,
    world: WorldId,
    denied: &BTreeMap<String, &'static str>,
) -> BTreeMap<InterfaceId, &'static str> {
    let mut keys = BTreeMap::new();
    // In a world, an interface comes after those that it uses.
    for (name, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let of_used = || resolve.interface_direct_deps(*id).filter(|used| has_resources(resolve, *used));
        let key = denied.get(&resolve.name_world_key(name)).copied();
        if let Some(key) = key.or_else(|| of_used().find_map(|used| keys.get(&used).copied())) {
            keys.insert(*id, key);
        }
    }
    keys
}

fn has_resources(resolve: &Resolve, interface: InterfaceId) -> bool {
    resolve.interfaces[interface].types.values().any(|id| matches!(resolve.types[*id].kind, TypeDefKind::Resource))
}

/// Makes the dependency's world that of its adapter: it exports what is denied and imports what that uses.
fn restrict(resolve: &mut Resolve, world: WorldId, denied: &BTreeMap<InterfaceId, &'static str>) {
    let mut used = BTreeSet::new();
    let mut next: Vec<InterfaceId> = denied.keys().copied().collect();
    while let Some(interface) = next.pop() {
        next.extend(resolve.interface_direct_deps(interface).filter(|id| !denied.contains_key(id) && used.insert(*id)));
    }
    let all = std::mem::take(&mut resolve.worlds[world].imports);
    resolve.worlds[world].exports.clear();
    for (key, item) in all {
        match item {
            WorldItem::Interface { id, .. } if denied.contains_key(&id) => {
                resolve.worlds[world].exports.insert(key, item);
            }
            WorldItem::Interface { id, .. } if used.contains(&id) => {
                resolve.worlds[world].imports.insert(key, item);
            }
            _ => {}
        }
    }
}

/// The adapter's core module.
struct Module<'a> {
    resolve: &'a Resolve,
    world: WorldId,
    dependency: &'a str,
    sizes: SizeAlign,
    /// What memory begins with.
    data: Vec<u8>,
    /// Where in it something lies. Many functions have the same answer.
    places: BTreeMap<Vec<u8>, Text>,
    imports: BTreeMap<TypeId, String>,
    functions: String,
}

impl<'a> Module<'a> {
    fn new(resolve: &'a Resolve, world: WorldId, dependency: &'a str) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        // No address is zero, so that none of them reads as none.
        let (data, places) = (vec![0; 8], BTreeMap::new());
        let (imports, functions) = (BTreeMap::new(), String::new());
        Self { resolve, world, dependency, sizes, data, places, imports, functions }
    }

    fn text(mut self, keys: &BTreeMap<InterfaceId, &'static str>) -> String {
        let resolve = self.resolve;
        for (name, item) in &resolve.worlds[self.world].exports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let Some(set) = keys.get(id) else { continue };
            let text = format!("dependency {:?} does not inherit \"{set}\"", self.dependency);
            let text = self.place(text.as_bytes());
            for function in resolve.interfaces[*id].functions.values() {
                self.function(name, function, set, text);
            }
        }
        self.finish()
    }

    /// Puts bytes into memory, where every kind of value can lie.
    fn place(&mut self, bytes: &[u8]) -> Text {
        if let Some(place) = self.places.get(bytes) {
            return *place;
        }
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let address = u32::try_from(self.data.len()).expect("an adapter's answers are some kilobytes");
        self.data.extend(bytes);
        let text = Text { address, length: u32::try_from(bytes.len()).expect("a text of one line") };
        self.places.insert(bytes.to_vec(), text);
        text
    }

    fn function(&mut self, interface: &WorldKey, function: &Function, set: &str, text: Text) {
        let resolve = self.resolve;
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let (answer, why) = match answer(resolve, &self.sizes, function, text) {
            Answer::Value(value) => (format!("i32.const {value}"), String::new()),
            Answer::Memory(bytes) => (format!("i32.const {}", self.place(&bytes).address), String::new()),
            Answer::Trap => {
                let why = format!(
                    "{} of {} is denied to dependency {}: add {set} to its inherit_configuration",
                    function.name,
                    pre_release::original(&resolve.name_world_key(interface)),
                    self.dependency
                );
                ("unreachable".to_owned(), format!("(@name {})", quoted(&why)))
            }
        };
        let drops = if signature.indirect_params { String::new() } else { self.drops(function) };
        let kind = WasmExportKind::Normal;
        let export =
            resolve.wasm_export_name(ABI, WasmExport::Func { interface: Some(interface), func: function, kind });
        let types = |word: &str, types: &[WasmType]| {
            let names: Vec<_> = types.iter().map(|ty| name_of(*ty)).collect();
            format!("({word} {})", names.join(" "))
        };
        let (params, results) = (types("param", &signature.params), types("result", &signature.results));
        let export = quoted(&export);
        let _ = writeln!(
            self.functions,
            "(func {why} (export {export}) {params} {results}\n\
             (global.set $free (global.get $start)) {drops} {answer})"
        );
    }

    /// Gives back the handles among a function's arguments: those that are its own, and those that are lent to it, which
    /// it has to give back before it returns.
    fn drops(&mut self, function: &Function) -> String {
        let mut drops = String::new();
        let mut index = 0;
        for param in &function.params {
            let mut storage = [WasmType::I32; Resolve::MAX_FLAT_PARAMS];
            let mut flat = FlatTypes::new(&mut storage);
            self.resolve.push_flat(&param.ty, &mut flat);
            if let Some(drop) = self.dropper(&param.ty) {
                let _ = write!(drops, "(call {drop} (local.get {index}))");
            } else if let Some(TypeDefKind::Option(inner)) = kind(self.resolve, &param.ty)
                && let Some(drop) = self.dropper(inner)
            {
                let handle = index + 1;
                let _ = write!(drops, "(if (local.get {index}) (then (call {drop} (local.get {handle}))))");
            }
            index += flat.to_vec().len();
        }
        drops
    }

    /// The name of the function that drops handles of type `ty`, if it is that of a handle of something imported.
    fn dropper(&mut self, ty: &Type) -> Option<String> {
        let Some(TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id))) = kind(self.resolve, ty) else {
            return None;
        };
        let mut resource = *id;
        while let TypeDefKind::Type(Type::Id(inner)) = self.resolve.types[resource].kind {
            resource = inner;
        }
        let TypeOwner::Interface(owner) = self.resolve.types[resource].owner else { return None };
        let key = WorldKey::Interface(owner);
        self.resolve.worlds[self.world].imports.get(&key)?;
        let name = format!("$drop{}", resource.index());
        self.imports.entry(resource).or_insert_with(|| {
            let intrinsic = ResourceIntrinsic::ImportedDrop;
            let import = WasmImport::ResourceIntrinsic { interface: Some(&key), resource, intrinsic };
            let (module, field) = self.resolve.wasm_import_name(ABI, import);
            format!("(import {} {} (func {name} (param i32)))\n", quoted(&module), quoted(&field))
        });
        Some(name)
    }

    fn finish(self) -> String {
        let start = self.data.len().next_multiple_of(16);
        let pages = start.div_ceil(65536);
        let data: String = self.data.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        });
        let imports: String = self.imports.into_values().collect();
        let functions = self.functions;
        format!(
            r#"(module
{imports}
(memory (export "memory") {pages})
(data (i32.const 0) "{data}")
(global $start i32 (i32.const {start}))
(global $free (mut i32) (i32.const {start}))
;; A block as large as is asked for, with nothing in it: what is put there is never read.
(func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
  (local $block i32) (local $missing i32)
  (local.set $block (i32.and
    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (global.set $free (i32.add (local.get $block) (local.get $size)))
  (if (i32.lt_u (global.get $free) (local.get $block)) (then unreachable))
  (local.set $missing (i32.sub
    (i32.add (i32.shr_u (global.get $free) (i32.const 16)) (i32.const 1))
    (memory.size)))
  (if (i32.gt_s (local.get $missing) (i32.const 0))
    (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable))))
  (local.get $block))
{functions})"#
        )
    }
}

fn name_of(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// A string of the text form. Names of interfaces have no characters that it would have to escape; names of dependencies,
/// which a lock may hold, could.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let _ = write!(quoted, "\\{byte:02x}");
            }
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted.push('"');
    quoted
}
