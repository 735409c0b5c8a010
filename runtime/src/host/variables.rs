//! The values that a manifest gives to a component, in the four interfaces that SDKs have used for them.
//!
//! A component sees only the variables of its own manifest entry, so the permission check is the look-up.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasData, Linker};

use crate::host::egress::Egress;
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

use bindings::fermyon::spin::config;
use bindings::fermyon::spin2_0_0::variables as v2;
use bindings::spin::variables::variables as v3;
use bindings::wasi::config::store;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: [
            "wit/fermyon-spin",
            "wit/fermyon-spin-2.0.0",
            "wit/spin-variables-3.0.0",
            "wit/wasi-config-0.2.0-draft-2024-09-27",
        ],
        inline: "
            package host:variables;
            world imports {
                import fermyon:spin/config;
                import fermyon:spin/variables@2.0.0;
                import spin:variables/variables@3.0.0;
                import wasi:config/store@0.2.0-draft-2024-09-27;
            }
        ",
        world: "host:variables/imports",
    });
}

/// The capability.
pub(crate) struct Variables;

impl Capability for Variables {
    type Options = ();
    type App = ();
    type Component = ComponentVariables;
    type Instance = ();

    fn app((): &(), _: &Arc<Egress>) {}

    fn component(_: &Arc<()>, of: &ComponentContext<'_>) -> ComponentVariables {
        ComponentVariables(of.variables.clone())
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        config::add_to_linker::<_, Host>(linker, variables)?;
        v2::add_to_linker::<_, Host>(linker, variables)?;
        store::add_to_linker::<_, Host>(linker, variables)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        v3::add_to_linker::<_, Host>(linker, variables)
    }
}

fn variables(state: &mut HostState) -> &ComponentVariables {
    &state.component.variables
}

/// The variables of one component, resolved.
pub(crate) struct ComponentVariables(BTreeMap<String, String>);

impl ComponentVariables {
    fn get(&self, name: &str) -> Result<String, Missing> {
        if let Some(value) = self.0.get(name) {
            return Ok(value.clone());
        }
        if is_name(name) { Err(Missing::Undefined) } else { Err(Missing::InvalidName) }
    }
}

enum Missing {
    InvalidName,
    Undefined,
}

/// The rule for names of the public resolver (spec: manifest, identifier rules).
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn undefined(name: &str) -> String {
    format!("no variable \"{name}\" for this component: declare it under [component.<id>.variables]")
}

const NAME_RULE: &str = "a variable's name is lower-case words of letters and digits joined by single underscores";

struct Host;

impl HasData for Host {
    type Data<'a> = &'a ComponentVariables;
}

impl config::Host for &ComponentVariables {
    fn get_config(&mut self, key: String) -> Result<String, config::Error> {
        ComponentVariables::get(self, &key).map_err(|missing| match missing {
            Missing::InvalidName => config::Error::InvalidKey(NAME_RULE.to_owned()),
            // Public hosts say so, though the key is a good one.
            Missing::Undefined => config::Error::Provider(undefined(&key)),
        })
    }
}

impl v2::Host for &ComponentVariables {
    fn get(&mut self, name: String) -> Result<String, v2::Error> {
        ComponentVariables::get(self, &name).map_err(|missing| match missing {
            Missing::InvalidName => v2::Error::InvalidName(NAME_RULE.to_owned()),
            Missing::Undefined => v2::Error::Undefined(undefined(&name)),
        })
    }
}

impl v3::Host for &ComponentVariables {}

impl<T: Send + 'static> v3::HostWithStore<T> for Host {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, v3::Error> {
        accessor.with(|mut access| access.get().get(&name)).map_err(|missing| match missing {
            Missing::InvalidName => v3::Error::InvalidName(NAME_RULE.to_owned()),
            Missing::Undefined => v3::Error::Undefined(undefined(&name)),
        })
    }
}

impl store::Host for &ComponentVariables {
    fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(self.0.get(&key).cloned())
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        Ok(self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_lower_snake() {
        for name in ["a", "a_1", "some_name2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", "_a", "a_", "a__b", "A", "a-b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
