//! Components made for a pre-release of WASI: the last candidate of 0.3, and the two snapshots of 2023 from which 0.2.0 came.
//!
//! To the engine a pre-release is another thing than the release, so such a component would find nothing to link to. Here
//! the pre-release's version is written over, in all names of imports and exports, with a release of the same length: the
//! engine serves every 0.2.x and 0.3.x with what it has. It is one that will never be, because a component may import
//! an interface as of the pre-release and as of the release, and a name can't be imported twice.
//!
//! The candidate is the release in all but its name. Of the snapshots, a few interfaces have functions that the release has by
//! the same name and with another type. These keep their names, and the host has them besides (`host/snapshots.rs`).

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentInstance, ComponentType, ComponentTypeDeclaration,
    InstanceTypeDeclaration, Parser, Payload,
};

/// A pre-release, and the release that stands for it.
struct Alias {
    pre_release: &'static str,
    stand_in: &'static str,
    /// The interfaces that are linked by their own names.
    kept: &'static [&'static str],
}

const CANDIDATE: Alias = Alias { pre_release: "0.3.0-rc-2026-03-15", stand_in: "0.3.100000020260315", kept: &[] };
const NOVEMBER: Alias =
    Alias { pre_release: "0.2.0-rc-2023-11-10", stand_in: "0.2.100000020231110", kept: &["wasi:http/types"] };
const OCTOBER: Alias = Alias {
    pre_release: "0.2.0-rc-2023-10-18",
    stand_in: "0.2.100000020231018",
    kept: &[
        "wasi:clocks/timezone",
        "wasi:filesystem/types",
        "wasi:http/outgoing-handler",
        "wasi:http/types",
        "wasi:sockets/ip-name-lookup",
    ],
};
const ALIASES: [Alias; 3] = [CANDIDATE, NOVEMBER, OCTOBER];
const _: () = {
    let mut index = 0;
    while index < ALIASES.len() {
        assert!(ALIASES[index].pre_release.len() == ALIASES[index].stand_in.len());
        index += 1;
    }
};

/// Makes a component of the release out of one of a pre-release; leaves others as they are. What can't be read is left to
/// the engine, whose message is better.
pub(crate) fn rename(component: Vec<u8>) -> Vec<u8> {
    rename_of(component, &ALIASES)
}

/// The same for the candidate alone. It has the release's types, so components of both fit together, and may be given to each
/// other, if they are renamed before.
pub(crate) fn rename_candidate(component: Vec<u8>) -> Vec<u8> {
    rename_of(component, &[CANDIDATE])
}

/// A name as a component has it for which [`rename`] was called.
pub(crate) fn renamed(name: &str) -> String {
    renamed_of(name, &ALIASES)
}

/// The same for [`rename_candidate`].
pub(crate) fn candidate_renamed(name: &str) -> String {
    renamed_of(name, &[CANDIDATE])
}

fn renamed_of(name: &str, aliases: &[Alias]) -> String {
    match stand_in(aliases, name) {
        Some((rest, stand_in)) => format!("{rest}{stand_in}"),
        None => name.to_owned(),
    }
}

fn rename_of(mut component: Vec<u8>, aliases: &'static [Alias]) -> Vec<u8> {
    let mut places = Places { start: component.as_ptr() as usize, aliases, found: Vec::new() };
    let read: Result<(), BinaryReaderError> =
        Parser::new(0).parse_all(&component).try_for_each(|payload| places.of_payload(payload?));
    if read.is_ok() {
        for (at, stand_in) in places.found {
            component[at..at + stand_in.len()].copy_from_slice(stand_in.as_bytes());
        }
    }
    component
}

/// Names as the component's author knows them.
pub(crate) fn original(text: &str) -> String {
    ALIASES.iter().fold(text.to_owned(), |text, alias| text.replace(alias.stand_in, alias.pre_release))
}

/// What of a name stays when it is renamed, and what comes behind that.
fn stand_in<'n>(aliases: &[Alias], name: &'n str) -> Option<(&'n str, &'static str)> {
    aliases.iter().find_map(|alias| {
        let rest = name.strip_suffix(alias.pre_release)?;
        let interface = rest.strip_suffix('@').filter(|interface| interface.starts_with("wasi:"))?;
        (!alias.kept.contains(&interface)).then_some((rest, alias.stand_in))
    })
}

/// Where a pre-release's version stands.
struct Places {
    /// Where the component begins in memory.
    start: usize,
    aliases: &'static [Alias],
    /// With what is to stand there instead.
    found: Vec<(usize, &'static str)>,
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
        if let Some((rest, stand_in)) = stand_in(self.aliases, name) {
            self.found.push((name.as_ptr() as usize - self.start + rest.len(), stand_in));
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
        assert_eq!((count(CANDIDATE.pre_release), count(CANDIDATE.stand_in)), (3, 8), "{text}");
        let mut validator = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all());
        validator.validate_all(&component).expect("a component still");
    }

    #[test]
    fn the_candidate_can_be_renamed_alone() {
        assert_eq!(candidate_renamed("wasi:http/types@0.3.0-rc-2026-03-15"), "wasi:http/types@0.3.100000020260315");
        assert_eq!(candidate_renamed("wasi:io/poll@0.2.0-rc-2023-10-18"), "wasi:io/poll@0.2.0-rc-2023-10-18");
        let text = r#"(component (import "wasi:io/poll@0.2.0-rc-2023-10-18" (instance)))"#;
        let component = wat::parse_str(text).expect("one");
        assert_eq!(rename_candidate(component.clone()), component);
        assert_ne!(rename(component.clone()), component);
    }

    #[test]
    fn what_knows_nothing_of_the_candidate_is_left_alone() {
        let component = wat::parse_str(r#"(component (import "wasi:http/types@0.3.0" (instance)))"#).expect("one");
        assert_eq!(rename(component.clone()), component);
        assert_eq!(rename(component[..20].to_vec()), component[..20]);
    }

    #[test]
    fn names_are_shown_as_their_author_knows_them() {
        let name = |version: &str| format!("wasi:io/streams@{version}");
        for alias in ALIASES {
            assert_eq!(original(&name(alias.stand_in)), name(alias.pre_release));
        }
    }

    #[test]
    fn interfaces_that_the_release_has_otherwise_keep_their_names() {
        for (name, is_kept) in [
            ("wasi:http/types@0.2.0-rc-2023-10-18", true),
            ("wasi:http/types@0.2.0-rc-2023-11-10", true),
            ("wasi:http/types@0.3.0-rc-2026-03-15", false),
            ("wasi:filesystem/types@0.2.0-rc-2023-10-18", true),
            ("wasi:filesystem/types@0.2.0-rc-2023-11-10", false),
            ("wasi:http/incoming-handler@0.2.0-rc-2023-10-18", false),
            ("wasi:http/types@0.2.0", true),
            ("wasi:http/types", true),
        ] {
            assert_eq!(stand_in(&ALIASES, name).is_none(), is_kept, "{name}");
        }
    }
}
