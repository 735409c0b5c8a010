//! Components made for the last release candidate of WASI 0.3, whose interfaces are those of the release.
//!
//! To the engine a pre-release is another thing than the release, so such a component would find nothing to link to. Here
//! the candidate's version is written over, in all names of imports and exports, with a release of the same length: the
//! engine serves every 0.3.x with what it has. It is one that will never be, because a component may import
//! an interface as of the candidate and as of the release, and a name can't be imported twice.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentInstance, ComponentType, ComponentTypeDeclaration,
    InstanceTypeDeclaration, Parser, Payload,
};

const CANDIDATE: &str = "0.3.0-rc-2026-03-15";
const STAND_IN: &str = "0.3.100000020260315";
const _: () = assert!(CANDIDATE.len() == STAND_IN.len());

/// Makes a component of the release out of one of the candidate; leaves others as they are. What can't be read is left to
/// the engine, whose message is better.
pub(crate) fn rename(mut component: Vec<u8>) -> Vec<u8> {
    let mut places = Places { start: component.as_ptr() as usize, found: Vec::new() };
    let read: Result<(), BinaryReaderError> =
        Parser::new(0).parse_all(&component).try_for_each(|payload| places.of_payload(payload?));
    if read.is_ok() {
        for at in places.found {
            component[at..at + STAND_IN.len()].copy_from_slice(STAND_IN.as_bytes());
        }
    }
    component
}

/// A name as the component's author knows it.
pub(crate) fn original(name: &str) -> String {
    name.replace(STAND_IN, CANDIDATE)
}

/// Where the candidate's version stands.
struct Places {
    /// Where the component begins in memory.
    start: usize,
    found: Vec<usize>,
}

impl Places {
    fn of_payload(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    self.of_name(import?.name.name);
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    self.of_name(export?.name.name);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    match instance? {
                        ComponentInstance::Instantiate { args, .. } => {
                            args.iter().for_each(|argument| self.of_name(argument.name));
                        }
                        ComponentInstance::FromExports(exports) => {
                            exports.iter().for_each(|export| self.of_name(export.name.name));
                        }
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    self.of_alias(&alias?);
                }
            }
            Payload::ComponentTypeSection(types) => {
                for ty in types {
                    self.of_type(&ty?);
                }
            }
            // Names of core modules are among themselves.
            _ => {}
        }
        Ok(())
    }

    fn of_type(&mut self, ty: &ComponentType<'_>) {
        match ty {
            ComponentType::Component(declarations) => {
                for declaration in declarations {
                    match declaration {
                        ComponentTypeDeclaration::Import(import) => self.of_name(import.name.name),
                        ComponentTypeDeclaration::Export { name, .. } => self.of_name(name.name),
                        ComponentTypeDeclaration::Alias(alias) => self.of_alias(alias),
                        ComponentTypeDeclaration::Type(ty) => self.of_type(ty),
                        ComponentTypeDeclaration::CoreType(_) => {}
                    }
                }
            }
            ComponentType::Instance(declarations) => {
                for declaration in declarations {
                    match declaration {
                        InstanceTypeDeclaration::Export { name, .. } => self.of_name(name.name),
                        InstanceTypeDeclaration::Alias(alias) => self.of_alias(alias),
                        InstanceTypeDeclaration::Type(ty) => self.of_type(ty),
                        InstanceTypeDeclaration::CoreType(_) => {}
                    }
                }
            }
            ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => {}
        }
    }

    fn of_alias(&mut self, alias: &ComponentAlias<'_>) {
        if let ComponentAlias::InstanceExport { name, .. } = alias {
            self.of_name(name);
        }
    }

    /// A name is a part of the component's own bytes.
    fn of_name(&mut self, name: &str) {
        let version = name.strip_suffix(CANDIDATE).filter(|rest| rest.starts_with("wasi:") && rest.ends_with('@'));
        if let Some(rest) = version {
            self.found.push(name.as_ptr() as usize - self.start + rest.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_BOTH: &str = r#"(component
        (import "wasi:clocks/system-clock@0.3.0" (instance $release (export "f" (func))))
        (import "wasi:clocks/system-clock@0.3.0-rc-2026-03-15" (instance $candidate (export "f" (func))))
        (type (component
            (import "wasi:cli/environment@0.3.0-rc-2026-03-15" (instance))
            (export "wasi:cli/run@0.3.0-rc-2026-03-15" (instance))))
        (component $inner
            (import "wasi:cli/environment@0.3.0-rc-2026-03-15" (func))
            (core module (import "wasi:cli/environment@0.3.0-rc-2026-03-15" "g" (func)) (memory 1)
                (data (i32.const 0) "wasi:cli/environment@0.3.0-rc-2026-03-15")))
        (instance (instantiate $inner (with "wasi:cli/environment@0.3.0-rc-2026-03-15" (func $candidate "f"))))
        (instance $made (export "wasi:http/types@0.3.0-rc-2026-03-15" (func $release "f")))
        (alias export $made "wasi:http/types@0.3.0-rc-2026-03-15" (func))
        (export "wasi:http/handler@0.3.0-rc-2026-03-15" (instance $release))
        (export "other:http/handler@0.3.0-rc-2026-03-15" (instance $release)))"#;

    #[test]
    fn every_name_of_the_candidate_is_renamed_and_nothing_else() {
        let component = rename(wat::parse_str(OF_BOTH).expect("a component"));
        let text = String::from_utf8_lossy(&component);
        let count = |version: &str| text.matches(version).count();
        // The core module's import and its data, and another package that happens to have such a version.
        assert_eq!((count(CANDIDATE), count(STAND_IN)), (3, 8), "{text}");
        let mut validator = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all());
        validator.validate_all(&component).expect("a component still");
    }

    #[test]
    fn what_knows_nothing_of_the_candidate_is_left_alone() {
        let component = wat::parse_str(r#"(component (import "wasi:http/types@0.3.0" (instance)))"#).expect("one");
        assert_eq!(rename(component.clone()), component);
        assert_eq!(rename(component[..20].to_vec()), component[..20]);
    }

    #[test]
    fn names_are_shown_as_their_author_knows_them() {
        assert_eq!(original(&format!("wasi:http/types@{STAND_IN}")), format!("wasi:http/types@{CANDIDATE}"));
    }
}
