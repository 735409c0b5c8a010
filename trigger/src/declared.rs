//! What the app declares for a trigger, typed.

use spin_app_model::ComponentId;
use spin_app_model::lock::LockedApp;

use crate::error::Error;
use crate::trigger::Trigger;

/// What the app declares for a trigger of type `T`.
#[non_exhaustive]
pub struct Declared<T: Trigger> {
    /// The app's name.
    pub app_name: String,
    /// The app's version, as text; the ecosystem doesn't require a form.
    pub app_version: Option<String>,
    /// The digest of the image that the app came from, if a host set one.
    pub oci_image_digest: Option<String>,
    /// The app-level settings.
    pub settings: T::Settings,
    /// The entries, in the order of the manifest.
    pub entries: Vec<Entry<T::Config>>,
}

/// One `[[trigger.T]]` entry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry<C> {
    /// The entry's id, written or generated.
    pub id: String,
    /// The component that the entry names, if it names one.
    pub component: Option<ComponentId>,
    /// That component's description.
    pub component_description: Option<String>,
    /// The entry itself.
    pub config: C,
}

impl<T: Trigger> Declared<T> {
    pub(crate) fn read(locked: &LockedApp) -> Result<Self, Error> {
        let config_error =
            |place: String, error: serde_json::Error| Error::new("trigger::config", format!("{place}: {error}"));
        let settings = match locked.trigger_settings(T::TYPE) {
            // An empty table says nothing, also to a trigger that has no settings.
            Some(serde_json::Value::Object(settings)) if settings.is_empty() => T::Settings::default(),
            Some(settings) => serde_json::from_value(settings)
                .map_err(|error| config_error(format!("[application.trigger.{}]", T::TYPE), error))?,
            None => T::Settings::default(),
        };
        let entries = locked
            .triggers_of(T::TYPE)
            .map(|trigger| {
                let place = || format!("trigger \"{}\"", trigger.id);
                let component: Option<ComponentId> = match trigger.trigger_config.get("component") {
                    Some(serde_json::Value::String(id)) => Some(
                        id.parse().map_err(|error| Error::new("trigger::config", format!("{}: {error}", place())))?,
                    ),
                    _ => None,
                };
                let component_description = component
                    .as_ref()
                    .and_then(|id| locked.component(id)?.metadata.get("description")?.as_str())
                    .map(str::to_owned);
                let config = serde_json::from_value(trigger.trigger_config.clone())
                    .map_err(|error| config_error(place(), error))?;
                Ok(Entry { id: trigger.id.clone(), component, component_description, config })
            })
            .collect::<Result<_, Error>>()?;
        let text = |key: &str| locked.metadata.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        Ok(Self {
            app_name: text("name").unwrap_or_default(),
            app_version: text("version"),
            oci_image_digest: text("oci_image_digest"),
            settings,
            entries,
        })
    }

    /// Components of all entries, each once.
    pub(crate) fn components(&self) -> Vec<ComponentId> {
        let mut ids: Vec<ComponentId> = Vec::new();
        for id in self.entries.iter().filter_map(|entry| entry.component.as_ref()) {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        ids
    }
}
