//! A bare `.wasm` file as an application: the manifest that nobody wrote.

use std::path::Path;

use serde_json::{Map, Value};

use super::parse::assign_id;
use super::schema::{Application, Component, Manifest, SourceRef, Trigger};
use crate::document::{Located, Position, Problems};
use crate::names::TriggerType;

impl Manifest {
    /// The application that a bare wasm file stands for: one component that answers every HTTP request.
    ///
    /// The path is kept as given; it is resolved by [`LockOptions::in_directory`](super::LockOptions::in_directory).
    ///
    /// ```
    /// use std::path::Path;
    /// use spin_app_model::Manifest;
    ///
    /// let manifest = Manifest::for_wasm(Path::new("build/hello.wasm"));
    /// assert_eq!(manifest.application.name, "hello");
    /// assert_eq!(manifest.triggers[0].trigger_type, "http");
    /// assert_eq!(manifest.components[0].id.value, "http-trigger1-component");
    /// ```
    #[must_use]
    pub fn for_wasm(path: &Path) -> Self {
        let trigger_type = TriggerType::http();
        let id = assign_id(&trigger_type, None, &mut 1, |_| true);
        // The ids are those that Spin gives to a trigger without an id and to a component written inside a trigger.
        let component = format!("{id}-component").parse().expect("a trigger's assigned id is made of safe characters");
        let component = Located { value: component, at: Position::START };
        let name = path.file_stem().map_or("wasm-file".into(), |stem| stem.to_string_lossy().into_owned());
        let source = Located { value: SourceRef::File(path.to_owned()), at: Position::START };
        Self {
            path: path.to_owned(),
            application: Application { name, ..Application::default() },
            variables: Default::default(),
            triggers: vec![Trigger {
                id: Located { value: id, at: Position::START },
                trigger_type,
                component: Some(component.clone()),
                components: Default::default(),
                config: Map::from_iter([("route".to_owned(), Value::from("/..."))]),
            }],
            components: vec![Component::new(component, source)],
            profile: None,
            warnings: Problems::default(),
        }
    }
}
