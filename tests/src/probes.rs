//! The app that most tests of the HTTP trigger run: both probes, each on paths of its own.

use crate::world::{App, World};

/// The two generations of probes; most things must hold for both.
pub const GENERATIONS: [&str; 2] = ["probe-p2", "probe-p3"];

/// Triggers and components of a manifest: the older probe below `/p2`, the newer below `/p3`.
pub const BOTH: &str = r#"
[[trigger.http]]
route = "/p2/..."
component = "old"
[[trigger.http]]
route = "/p3/..."
component = "new"
[component.old]
source = "probe-p2.wasm"
[component.new]
source = "probe-p3.wasm"
"#;

/// [`BOTH`] with further lines for each of the two components.
pub fn both_with(old: &str, new: &str) -> String {
    let line = |generation: &str| format!("source = \"{generation}.wasm\"\n");
    let [first, second] = GENERATIONS.map(line);
    BOTH.replace(&first, &format!("{first}{old}\n")).replace(&second, &format!("{second}{new}\n"))
}

/// A whole manifest of these triggers, components and other tables.
pub fn manifest(tables: &str) -> String {
    format!("spin_manifest_version = 2\napplication = {{ name = \"app\", version = \"1.2.3\" }}\n{tables}")
}

/// Writes an app of these tables, with both probes beside its manifest.
#[track_caller]
pub fn app(world: &World, tables: &str) -> App {
    world.app("app", &manifest(tables), &GENERATIONS)
}
