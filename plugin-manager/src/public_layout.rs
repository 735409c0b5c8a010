//! Plugins that the public Spin has installed in the same data folder: `plugins/manifests/NAME.json` and
//! `plugins/NAME/NAME`. They are read, rank below ours and are never changed.
//!
//! That layout keeps no digest of the executable, so there is nothing to compare it with: it is started as it is,
//! as the public Spin would.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use spin_catalogue::{PluginManifest, PluginName, entry};

use crate::installed::{Installed, Origin};
use crate::settings::Settings;
use crate::store::StoreError;

fn root(settings: &Settings) -> PathBuf {
    settings.data_dir.join("plugins")
}

/// Everything that is installed there. Files that are no manifests are passed over, as the public Spin does.
pub(crate) fn installed(settings: &Settings) -> Result<Vec<Installed>, StoreError> {
    let folder = root(settings).join("manifests");
    let items = match fs::read_dir(&folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        items => items.map_err(|error| StoreError::io("list", &folder, error))?,
    };
    let mut found = Vec::new();
    for item in items {
        let file = item.map_err(|error| StoreError::io("list", &folder, error))?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".json")).and_then(|name| name.parse().ok());
        if let Some(name) = name {
            found.extend(find(settings, &name)?);
        }
    }
    Ok(found)
}

/// The plugin `name`, if it is installed there and complete.
pub(crate) fn find(settings: &Settings, name: &PluginName) -> Result<Option<Installed>, StoreError> {
    let root = root(settings);
    let path = root.join("manifests").join(format!("{name}.json"));
    let mut json = Vec::new();
    let read = fs::File::open(&path).and_then(|file| file.take(entry::MAX_BYTES).read_to_end(&mut json));
    match read {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(StoreError::io("read", &path, error)),
        Ok(_) => {}
    }
    let Ok(manifest) = PluginManifest::parse(&json) else { return Ok(None) };
    let executable = root.join(name.as_str()).join(settings.platform.executable_name(name));
    if manifest.name != *name || !executable.is_file() {
        return Ok(None);
    }
    Ok(Some(Installed {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        executable,
        protocols: manifest.protocols().to_vec(),
        spin_compatibility: manifest.spin_compatibility,
        license: manifest.license,
        origin: Origin::PublicLayout,
        archive: None,
        installed: None,
        active: false,
        signed_by: None,
    }))
}
