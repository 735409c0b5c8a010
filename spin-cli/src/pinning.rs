//! What an app's file of pins means for a command: which release of a plugin it must be, and how strictly.

use std::path::{Path, PathBuf};

use spin_catalogue::PluginName;
use spin_plugin_manager::{Pin, Pins, PinsError, Verification};

use crate::report::Report;
use crate::source::Source;

/// The pins of an app.
#[derive(Debug, Default)]
pub(crate) struct Pinning {
    pins: Pins,
    /// Where they are, or would be. A bare component has no such place.
    path: Option<PathBuf>,
    /// Whether nothing but what is pinned may run.
    locked: bool,
}

impl From<PinsError> for Report {
    fn from(error: PinsError) -> Self {
        Self::of(&error).code(error.code())
    }
}

impl Pinning {
    /// Reads the pins of an app.
    pub(crate) fn of(source: &Source, locked: bool) -> Result<Self, Report> {
        let path = match source {
            Source::Manifest(path) => Pins::path(path),
            Source::Wasm(_) if locked => {
                let message = "--locked is for apps with a manifest: a bare component has no file of pins";
                return Err(Report::usage(message).code("pins::no-manifest"));
            }
            Source::Wasm(_) => return Ok(Self::default()),
        };
        let pins = match Pins::read(&path)? {
            Some(pins) => pins,
            None if locked => {
                let message = format!("--locked runs what is pinned, and there is no {}", path.display());
                return Err(Report::new(message).code("pins::missing").help("spin plugins lock writes it"));
            }
            None => Pins::default(),
        };
        Ok(Self { pins, path: Some(path), locked })
    }

    /// The pin of a plugin, if it has one.
    ///
    /// # Errors
    ///
    /// If it has none and nothing else may run.
    pub(crate) fn get(&self, plugin: &PluginName) -> Result<Option<&Pin>, Report> {
        let pin = self.pins.get(plugin);
        if pin.is_none() && self.locked {
            let message = format!("--locked runs what is pinned, and {plugin} is not, in {}", self.shown());
            return Err(Report::new(message).code("pins::not-pinned").help("spin plugins lock pins it"));
        }
        Ok(pin)
    }

    /// Whether an executable that was named for development may run in the place of a plugin.
    pub(crate) fn allow_override(&self, plugin: &PluginName, origin: &str) -> Result<(), Report> {
        if self.locked {
            let message = format!("--locked runs what is pinned, and {origin} names another executable for {plugin}");
            return Err(Report::new(message).code("pins::override").help("leave one of the two out"));
        }
        Ok(())
    }

    /// How closely an executable is looked at before it is started.
    pub(crate) fn verification(&self) -> Verification {
        if self.locked { Verification::Always } else { Verification::IfTouched }
    }

    fn shown(&self) -> String {
        self.path.as_deref().unwrap_or(Path::new("")).display().to_string()
    }
}
