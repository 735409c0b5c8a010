//! What a core module tells of the tools that made it, in its custom sections.

use wasmparser::{BinaryReader, Parser, Payload, ProducersSectionReader};

/// The sections that hold a module's world, a component of its own each.
const WORLD: &str = "component-type";

/// The clang that compiled a module.
pub(super) fn clang(module: &[u8]) -> Option<String> {
    processed_by(module, |name| name == "clang")
}

/// The version of the wit-bindgen that wrote a world of this module. The tools of each language have names of their own that
/// begin alike.
pub(super) fn wit_bindgen(module: &[u8]) -> Option<String> {
    worlds(module).find_map(|world| processed_by(world, |name| name.starts_with("wit-bindgen")))
}

/// Whether a module has a world that can be read.
pub(super) fn has_world(module: &[u8]) -> bool {
    worlds(module).next().is_some()
}

fn worlds(module: &[u8]) -> impl Iterator<Item = &[u8]> {
    sections(module).filter(|world| Parser::new(0).parse_all(world).all(|payload| payload.is_ok()))
}

/// What stands where a module's worlds do, whether it can be read or not.
pub(super) fn sections(module: &[u8]) -> impl Iterator<Item = &[u8]> {
    Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) if section.name().starts_with(WORLD) => component(section.data()),
        _ => None,
    })
}

/// The component in a section: all of it, or in the form of before wit-component 0.20 what follows the number of the form,
/// the encoding of texts and the name of the world.
fn component(section: &[u8]) -> Option<&[u8]> {
    match section.first()? {
        0 => Some(section),
        &OLDER_FORM => {
            let mut reader = BinaryReader::new(section, 0);
            reader.read_u8().ok()?;
            reader.read_u8().ok()?;
            reader.read_string().ok()?;
            section.get(reader.original_position()..)
        }
        _ => None,
    }
}

const OLDER_FORM: u8 = 3;

fn processed_by(binary: &[u8], is_it: impl Fn(&str) -> bool) -> Option<String> {
    Parser::new(0).parse_all(binary).find_map(|payload| {
        let Ok(Payload::CustomSection(section)) = payload else { return None };
        if section.name() != "producers" {
            return None;
        }
        let producers = ProducersSectionReader::new(BinaryReader::new(section.data(), section.data_offset())).ok()?;
        let mut fields = producers.into_iter().flatten().filter(|field| field.name == "processed-by");
        fields.find_map(|field| {
            let tool = field.values.into_iter().flatten().find(|value| is_it(value.name))?;
            Some(tool.version.to_owned())
        })
    })
}

/// A module with a world, for tests: as a wit-bindgen of that version writes it.
#[cfg(test)]
pub(super) fn with_world(module: &[u8], wit: &str, version: &str, is_older_form: bool) -> Vec<u8> {
    use wasm_encoder::{CustomSection, Encode, ProducersField, ProducersSection, Section};

    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("world.wit", wit).expect("a package");
    let world = resolve.select_world(&[package], None).expect("one world");
    let encoding = wit_component::StringEncoding::UTF8;
    let mut data = wit_component::metadata::encode(&resolve, world, encoding, None).expect("encoded");
    let (mut tools, mut producers) = (ProducersField::new(), ProducersSection::new());
    tools.value("wit-bindgen-rust", version);
    producers.field("processed-by", &tools);
    data.push(producers.id());
    producers.encode(&mut data);
    if is_older_form {
        data.splice(0..0, *b"\x03\x00\x04both");
    }
    let section = CustomSection { name: "component-type:both".into(), data: data.into() };
    let mut module = module.to_vec();
    module.push(section.id());
    section.encode(&mut module);
    module
}
