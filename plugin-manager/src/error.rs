//! The errors of the facade, and what they say alike. Every one has a stable `code`.

mod install;
mod resolve;

pub use install::InstallError;
pub use resolve::ResolveError;

use spin_catalogue::{PluginName, ReleaseVersion};

use crate::installed::Origin;

fn version_text(version: Option<&ReleaseVersion>) -> String {
    version.map(|version| format!(" {version}")).unwrap_or_default()
}

/// What installs the very same version again: the highest one of a catalogue may be lower by now, and would change
/// nothing.
pub(crate) fn again_text(name: &PluginName, version: &ReleaseVersion, origin: &Origin) -> String {
    match origin {
        Origin::ManifestFile(path) => format!("spin plugins install --file \"{}\"", path.display()),
        Origin::ManifestUrl(url) => format!("spin plugins install --url {url}"),
        _ => format!("spin plugins install {name}@{version}"),
    }
}

fn looked_text(catalogues: &[String]) -> String {
    if catalogues.is_empty() {
        return "no catalogue is configured; `spin plugins catalogue add` adds one, SPIN_CATALOGUES names folders"
            .to_owned();
    }
    let names: Vec<_> = catalogues.iter().map(|name| format!("'{name}'")).collect();
    let noun = if names.len() == 1 { "catalogue" } else { "catalogues" };
    format!("it is not in {noun} {}", names.join(", "))
}

fn nearest_text(nearest: Option<&PluginName>) -> String {
    nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}
