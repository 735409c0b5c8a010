//! Labels of stores and databases: the operator says what they stand for, the manifest which of them a component may open.

use std::collections::BTreeSet;

use spin_app_model::ComponentId;
use spin_app_model::lock::LockedComponent;

use super::told::Told;

/// How much of a label is told that a guest has made up, in bytes.
const LONGEST_SHOWN: usize = 64;

/// The labels of one kind that a component may open.
pub(crate) struct Labels {
    component: ComponentId,
    /// The key of the manifest that lists them.
    key: &'static str,
    allowed: BTreeSet<String>,
    told: Told,
}

impl Labels {
    /// Those that a component's metadata has under `list`, which stand under `key` in its manifest.
    pub(crate) fn new(component: &LockedComponent, list: &str, key: &'static str) -> Self {
        let allowed = component.metadata_list(list).map(str::to_owned).collect();
        Self { component: component.id.clone(), key, allowed, told: Told::default() }
    }

    /// Whether the component may open what is called so. If not, the user is told once what to do about it.
    pub(crate) fn allow(&self, label: &str) -> bool {
        if self.allowed.contains(label) {
            return true;
        }
        let shown = &label[..label.floor_char_boundary(LONGEST_SHOWN)];
        if self.told.is_first(shown) {
            let Self { component, key, .. } = self;
            tracing::error!(
                "component \"{component}\" tried to open {shown:?}, which its {key} don't list; to allow it, add \
                 '{key} = [{shown:?}]' to [component.{component}] in spin.toml"
            );
        }
        false
    }
}
