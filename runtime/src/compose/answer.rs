//! What a function answers that a dependency may not use: the error that its interface has for that, as bytes of the
//! canonical ABI.

use wit_parser::{Function, Resolve, SizeAlign, Type, TypeDefKind};

/// Cases of error types, in the order in which they are preferred: what hosts answer when something is not permitted, then
/// what comes nearest to it in interfaces that know no such thing.
pub(super) const CASES: [&str; 14] = [
    "access-denied",
    "HTTP-request-denied",
    "destination-not-allowed",
    "access",
    "not-permitted",
    "invalid-address",
    "connection-failed",
    "undefined",
    "invalid-input",
    "unexpected-error",
    "store-error",
    "other",
    "upstream",
    "error",
];

/// The most bytes of an answer, many times what any interface of the host needs. What would be larger is refused by a trap.
const LARGEST: usize = 4096;

/// The answer of one function.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its core function returns this.
    Value(i32),
    /// Its core function returns the address of this, aligned to eight bytes.
    Memory(Vec<u8>),
    /// There is no way to say no.
    Trap,
}

/// Where a text lies in the adapter's memory.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) address: u32,
    pub(super) length: u32,
}

/// What `function` answers, with `text` where its error has a place for one.
pub(super) fn answer(resolve: &Resolve, sizes: &SizeAlign, function: &Function, text: Text) -> Answer {
    let Some(result) = &function.result else { return Answer::Trap };
    let size = sizes.size(result).size_wasm32();
    if size > LARGEST {
        return Answer::Trap;
    }
    let bytes = vec![0; size];
    match kind(resolve, result) {
        // Nothing is there: no variables of the environment, no folders.
        Some(TypeDefKind::List(_) | TypeDefKind::Option(_)) => Answer::Memory(bytes),
        Some(TypeDefKind::Result(either)) => {
            let Some(error) = &either.err else {
                return if either.ok.is_none() { Answer::Value(1) } else { Answer::Memory(with_first(bytes, 1)) };
            };
            let cases = [either.ok.as_ref(), either.err.as_ref()];
            let at = sizes.payload_offset(wit_parser::Int::U8, cases).size_wasm32();
            let mut bytes = with_first(bytes, 1);
            if write(resolve, sizes, error, text, &mut bytes[at..]) { Answer::Memory(bytes) } else { Answer::Trap }
        }
        _ => Answer::Trap,
    }
}

fn with_first(mut bytes: Vec<u8>, first: u8) -> Vec<u8> {
    if let Some(place) = bytes.first_mut() {
        *place = first;
    }
    bytes
}

/// Writes a refusal as a value of the error type `ty`, if it has one.
fn write(resolve: &Resolve, sizes: &SizeAlign, ty: &Type, text: Text, bytes: &mut [u8]) -> bool {
    if matches!(ty, Type::String) {
        bytes[..4].copy_from_slice(&text.address.to_le_bytes());
        bytes[4..8].copy_from_slice(&text.length.to_le_bytes());
        return true;
    }
    match kind(resolve, ty) {
        Some(TypeDefKind::Type(inner)) => write(resolve, sizes, inner, text, bytes),
        Some(TypeDefKind::Enum(cases)) => match preferred(cases.cases.iter().map(|case| case.name.as_str())) {
            Some(index) => write_tag(index, bytes),
            None => false,
        },
        Some(TypeDefKind::Variant(variant)) => {
            let Some(index) = preferred(variant.cases.iter().map(|case| case.name.as_str())) else { return false };
            let at =
                sizes.payload_offset(variant.tag(), variant.cases.iter().map(|case| case.ty.as_ref())).size_wasm32();
            write_tag(index, bytes)
                && match &variant.cases[index].ty {
                    None => true,
                    // What is optional is absent, which the zeros there say.
                    Some(ty) if matches!(kind(resolve, ty), Some(TypeDefKind::Option(_))) => true,
                    Some(ty) => write(resolve, sizes, ty, text, &mut bytes[at..]),
                }
        }
        _ => false,
    }
}

/// Tags of more than one byte begin with the lowest one.
fn write_tag(index: usize, bytes: &mut [u8]) -> bool {
    match (u8::try_from(index), bytes.first_mut()) {
        (Ok(index), Some(place)) => {
            *place = index;
            true
        }
        _ => false,
    }
}

fn preferred<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    CASES.iter().find_map(|case| names.clone().position(|name| name == *case))
}

/// What a type is, behind all its names.
pub(super) fn kind<'a>(resolve: &'a Resolve, ty: &Type) -> Option<&'a TypeDefKind> {
    let Type::Id(mut id) = *ty else { return None };
    loop {
        match &resolve.types[id].kind {
            TypeDefKind::Type(Type::Id(inner)) => id = *inner,
            kind => return Some(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::inherit::SETS;
    use crate::host::tests::worlds::Worlds;
    use crate::interface;

    #[test]
    fn nothing_of_the_host_that_can_fail_traps_when_it_is_denied() {
        let worlds = Worlds::read("");
        let resolve = worlds.resolve();
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        let (mut trapping, mut count) = (Vec::new(), 0);
        for (id, interface) in &resolve.interfaces {
            let name = resolve.id_of(id).unwrap_or_default();
            if !SETS.iter().any(|(_, names)| names.contains(&interface::path(&name))) {
                continue;
            }
            for function in interface.functions.values() {
                let result = function.result.as_ref().and_then(|ty| kind(resolve, ty));
                if matches!(result, Some(TypeDefKind::Result(_))) {
                    count += 1;
                    if answer(resolve, &sizes, function, Text { address: 8, length: 1 }) == Answer::Trap {
                        trapping.push(format!("{name} {}", function.name));
                    }
                }
            }
        }
        assert!(trapping.is_empty(), "{trapping:#?}");
        assert!(count > 500, "{count}");
    }

    const WIT: &str = r#"package our:pkg;
        interface all {
            enum code { unknown, access-denied, other }
            variant denied { first(u64), HTTP-request-denied, other(string) }
            variant vague { too-many, other(string) }
            variant of-option { internal(u32), other(option<string>) }
            variant strange { broken }
            variant october { invalid-url(string), unexpected-error(string) }
            type alias = vague;
            none: func();
            number: func() -> u32;
            listed: func() -> list<string>;
            absent: func() -> option<u64>;
            bare: func() -> result;
            half: func() -> result<u32>;
            text: func() -> result<u8, string>;
            of-code: func() -> result<_, code>;
            of-denied: func() -> result<u8, denied>;
            of-vague: func() -> result<u64, alias>;
            of-absent: func() -> result<_, of-option>;
            of-strange: func() -> result<_, strange>;
            of-october: func() -> result<u8, october>;
            largest: func() -> result<list<u8, 4092>, string>;
            too-large: func() -> result<list<u8, 4093>, string>;
            far-too-large: func() -> result<list<u8, 400000000>, string>;
        }"#;

    #[test]
    fn every_kind_of_result_is_refused_in_its_own_way() {
        let mut resolve = Resolve::default();
        resolve.push_source("all.wit", WIT).expect("WIT");
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        let (_, interface) = resolve.interfaces.iter().next().expect("one");
        let text = Text { address: 0x0102, length: 3 };
        let of = |name: &str| answer(&resolve, &sizes, &interface.functions[name], text);
        let memory = |bytes: &[u8]| Answer::Memory(bytes.to_vec());
        let said = [2, 1, 0, 0, 3, 0, 0, 0];
        for (name, expected) in [
            ("none", Answer::Trap),
            ("number", Answer::Trap),
            ("of-strange", Answer::Trap),
            ("too-large", Answer::Trap),
            ("far-too-large", Answer::Trap),
            ("listed", memory(&[0; 8])),
            ("absent", memory(&[0; 16])),
            ("bare", Answer::Value(1)),
            ("half", memory(&[1, 0, 0, 0, 0, 0, 0, 0])),
            ("text", memory(&[&[1, 0, 0, 0], &said[..]].concat())),
            ("of-code", memory(&[1, 1])),
            ("of-october", memory(&[&[1, 0, 0, 0, 1, 0, 0, 0], &said[..]].concat())),
            ("largest", memory(&[&[1, 0, 0, 0], &said[..], &[0; 4084]].concat())),
            ("of-denied", memory(&[&[1, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 15][..]].concat())),
            ("of-vague", memory(&[&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], &said[..], &[0; 4]].concat())),
            ("of-absent", memory(&[&[1, 0, 0, 0, 1], &[0; 15][..]].concat())),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
