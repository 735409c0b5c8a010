//! The running app, as a trigger sees it.

use std::io::Write;
use std::sync::{Arc, Weak};

use spin_app_model::ComponentId;
use spin_app_model::launch::Endpoint;
use spin_component_runtime::Component;
use spin_component_runtime::http::Loopback;
use spin_component_runtime::permits::Permits;
use spin_component_runtime::variables::Variables;

use crate::control::Control;
use crate::error::Error;

/// The running app. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    components: spin_component_runtime::App,
    variables: Variables,
    control: Control,
}

impl App {
    pub(crate) fn new(components: spin_component_runtime::App, variables: Variables, control: Control) -> Self {
        Self { inner: Arc::new(Inner { components, variables, control }) }
    }

    /// A component that one of the trigger's entries names.
    ///
    /// # Errors
    /// When none does.
    pub fn component(&self, id: &ComponentId) -> Result<Arc<Component>, Error> {
        Ok(self.inner.components.component(id)?)
    }

    /// A template with the values of the app's variables, `{{ name }}`; `place` names the field in errors.
    ///
    /// # Errors
    /// For a malformed template and an unknown variable.
    pub fn expand(&self, template: &str, place: &str) -> Result<String, Error> {
        Ok(self.inner.variables.expand(template, place)?)
    }

    /// Tells a person, on standard output, what the trigger serves and where: the start-up listing.
    pub fn announce(&self, listing: &str) {
        let mut stdout = std::io::stdout().lock();
        // A closed terminal or pipe must not end an app that serves.
        let _ = stdout.write_all(listing.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Tells the host that events are taken from now on, and where.
    pub fn ready(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.inner.control.ready(endpoints.into_iter().collect());
    }

    /// Lets components send requests to the app itself, through this trigger; to be called once, before events are taken.
    /// A trigger that does so can meet the host requirement `local_service_chaining`.
    pub fn reach_itself_through(&self, loopback: Weak<dyn Loopback>) {
        self.inner.components.reach_itself_through(loopback);
    }

    /// The places for live instances, of all components together.
    pub fn instances(&self) -> &Arc<Permits> {
        self.inner.components.instances()
    }
}
