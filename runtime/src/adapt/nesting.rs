//! How deep a file nests, which is looked at before anything else reads it.
//!
//! Components lie in components, and types of components and of instances in each other. Whoever reads such a type calls
//! itself for each that lies in it, so that a few kilobytes could use up the stack, which ends the process; and components
//! within components cost their readers far more than they are long. Types that only name each other are counted by
//! the validator.

use wasmparser::{BinaryReader, BinaryReaderError, ComponentType, ComponentTypeDeclaration, Parser, Payload};

use super::producers;

/// The most levels that are read. Tools make one for each composition and a handful for types.
const MOST: usize = 100;

/// What a file nests too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooDeep {
    /// Components and modules in components.
    #[error("components that lie in each other more than {MOST} levels deep")]
    Components,
    /// Types of components and instances in such types.
    #[error("types that lie in each other more than {MOST} levels deep")]
    Types,
}

/// Looks at a component or a module, and at the worlds that a module has in its custom sections. What can't be read is left
/// to those who read further.
///
/// # Errors
/// When something lies more than a hundred levels deep.
pub(crate) fn check(binary: &[u8]) -> Result<(), TooDeep> {
    std::iter::once(binary).chain(producers::sections(binary)).try_for_each(check_one)
}

fn check_one(binary: &[u8]) -> Result<(), TooDeep> {
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(binary) {
        match payload {
            Ok(Payload::ComponentSection { .. } | Payload::ModuleSection { .. }) if depth == MOST => {
                return Err(TooDeep::Components);
            }
            Ok(Payload::ComponentSection { .. } | Payload::ModuleSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentTypeSection(types)) if are_too_deep(&binary[types.range()]) == Ok(true) => {
                return Err(TooDeep::Types);
            }
            _ => {}
        }
    }
    Ok(())
}

const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;
const TYPE: u8 = 0x01;

/// Whether types of a section lie too deep in each other. The bytes of those that hold others are known here; all else is
/// read by the reader that everyone uses, as it holds nothing.
fn are_too_deep(section: &[u8]) -> Result<bool, ReadError> {
    let mut reader = BinaryReader::new(section, 0);
    // How many are still to come on each level: types of the section, then declarations of a type.
    let mut left = vec![reader.read_var_u32()?];
    while let Some(count) = left.last_mut() {
        if *count == 0 {
            left.pop();
            continue;
        }
        *count -= 1;
        if left.len() > 1 {
            if next(&reader)? != TYPE {
                reader.read::<ComponentTypeDeclaration<'_>>()?;
                continue;
            }
            reader.read_u8()?;
        }
        if !matches!(next(&reader)?, COMPONENT | INSTANCE) {
            reader.read::<ComponentType<'_>>()?;
        } else if left.len() > MOST {
            return Ok(true);
        } else {
            reader.read_u8()?;
            left.push(reader.read_var_u32()?);
        }
    }
    Ok(false)
}

fn next(reader: &BinaryReader<'_>) -> Result<u8, BinaryReaderError> {
    reader.clone().read_u8()
}

/// That a section can't be read, of which nothing more is asked.
#[derive(Debug, PartialEq, Eq)]
struct ReadError;

impl From<BinaryReaderError> for ReadError {
    fn from(_: BinaryReaderError) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with this section.
    fn component(id: u8, content: &[u8]) -> Vec<u8> {
        section(b"\0asm\x0d\0\x01\0", id, content)
    }

    fn section(of: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
        use wasm_encoder::{CustomSection, Encode};

        let mut binary = of.to_vec();
        binary.push(id);
        match id {
            // A custom section has a name before its content.
            0 => CustomSection { name: "component-type:x".into(), data: content.into() }.encode(&mut binary),
            _ => content.encode(&mut binary),
        }
        binary
    }

    /// The content of a type section: types of components or instances, this many levels of them.
    fn types(kind: u8, levels: usize) -> Vec<u8> {
        let mut content = vec![1];
        for _ in 1..levels {
            content.extend([kind, 1, TYPE]);
        }
        content.extend([kind, 0]);
        content
    }

    fn components(levels: usize) -> Vec<u8> {
        (0..levels).fold(b"\0asm\x0d\0\x01\0".to_vec(), |inner, _| component(4, &inner))
    }

    #[test]
    fn types_lie_so_deep_and_no_deeper() {
        for kind in [COMPONENT, INSTANCE] {
            for (levels, expected) in [(1, Ok(())), (100, Ok(())), (101, Err(TooDeep::Types))] {
                assert_eq!(check(&component(7, &types(kind, levels))), expected, "{levels}");
            }
            // Whoever read this would have no stack left.
            let deep = component(7, &types(kind, 500_000));
            assert_eq!(check(&deep), Err(TooDeep::Types));
            assert_eq!(check(&component(4, &deep)), Err(TooDeep::Types), "in a component within");
        }
    }

    #[test]
    fn all_that_stands_between_types_is_passed_over() {
        let mut content = types(COMPONENT, 200);
        content.splice(0..1, [2, COMPONENT, 3, TYPE, INSTANCE, 0, TYPE, 0x40, 0, 1, 0, 4, 0, 1, b'e', 1, 0]);
        assert_eq!(check(&component(7, &content)), Err(TooDeep::Types));
        // The validator can read it as well.
        let text = r#"(component (type (component
            (type $r (record (field "a" u8))) (import "x" (func (param "p" $r)))
            (core type (module (import "a" "b" (func)))) (type (instance (export "f" (func async))))
            (export "y" (type (sub resource))))) (type (list u8)) (type (func)))"#;
        assert_eq!(check(&wat::parse_str(text).expect("a component")), Ok(()));
    }

    #[test]
    fn components_lie_so_deep_and_no_deeper() {
        assert_eq!(check(&components(100)), Ok(()));
        assert_eq!(check(&components(101)), Err(TooDeep::Components));
        assert_eq!(check(&component(4, &components(10_000))), Err(TooDeep::Components));
        let side_by_side = (0..1000).fold(components(0), |all, _| section(&all, 4, &components(0)));
        assert_eq!(check(&side_by_side), Ok(()));
    }

    #[test]
    fn worlds_of_modules_are_looked_at() {
        let module = b"\0asm\x01\0\0\0";
        let deep = component(7, &types(COMPONENT, 300_000));
        let older = [&b"\x03\x00\x01w"[..], &deep].concat();
        for world in [deep, older] {
            assert_eq!(check(&section(module, 0, &world)), Err(TooDeep::Types));
        }
        assert_eq!(check(&section(module, 0, &components(101))), Err(TooDeep::Components));
        assert_eq!(check(&section(module, 0, &component(7, &types(COMPONENT, 9)))), Ok(()));
        assert_eq!(check(b"nothing"), Ok(()));
        assert_eq!(check(&component(7, &[5])), Ok(()), "left to others");
    }
}
