//! The running app, as a trigger sees it.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use spin_app_model::ComponentId;
use spin_app_model::launch::Endpoint;
use spin_app_model::lock::LockedApp;
use spin_component_runtime::Component;
use spin_component_runtime::http::Loopback;
use spin_component_runtime::permits::Permits;
use spin_component_runtime::variables::Variables;

use crate::control::Control;
use crate::counter::Counter;
use crate::declared::Declared;
use crate::error::Error;
use crate::metrics::{Events, Metrics};
use crate::readiness::Readiness;
use crate::trigger::Trigger;

/// The running app: one generation of it. Cheap to clone; whoever keeps a clone, or a component, keeps the generation and
/// its files.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    components: spin_component_runtime::App,
    variables: Variables,
    locked: LockedApp,
    metrics: Metrics,
    readiness: Readiness,
    when_ready: Mutex<Option<WhenReady>>,
    hook: Hook,
    lease: Arc<Lease>,
}

type WhenReady = Box<dyn FnOnce(Vec<Endpoint>) + Send>;

/// Makes new events use a generation that was prepared: see [`App::on_reload`].
pub type Swap = Box<dyn FnOnce() + Send>;

type Ask = Box<dyn Fn(&App) -> Result<Swap, Error> + Send + Sync>;

/// How the trigger takes new generations, if it has said so. The same in all of them.
pub(crate) type Hook = Arc<OnceLock<Ask>>;

/// Held by everything of a generation; tells the host when it is dropped and another one has taken its place.
#[derive(Default)]
pub(crate) struct Lease {
    control: OnceLock<Control>,
    successor: OnceLock<u64>,
}

impl Lease {
    pub(crate) fn belongs_to(&self, control: Control) {
        let _ = self.control.set(control);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(control), Some(successor)) = (self.control.get(), self.successor.get()) {
            control.retired(*successor);
        }
    }
}

impl App {
    pub(crate) fn new(
        components: spin_component_runtime::App,
        variables: Variables,
        locked: LockedApp,
        metrics: Metrics,
        readiness: Readiness,
        hook: Hook,
        lease: Arc<Lease>,
    ) -> Self {
        let when_ready = Mutex::default();
        let inner = Inner { components, variables, locked, metrics, readiness, when_ready, hook, lease };
        Self { inner: Arc::new(inner) }
    }

    /// A component that one of the trigger's entries names: prepared once, invoked as often as there are events.
    ///
    /// # Errors
    /// When none does.
    pub fn component(&self, id: &ComponentId) -> Result<Arc<Component>, Error> {
        Ok(self.inner.components.component(id)?)
    }

    /// The events of a component: whoever handles them through it has them counted.
    pub fn events(&self, id: &ComponentId) -> Events {
        self.inner.metrics.events(id)
    }

    /// A counter of the trigger's own among the metrics: the same one whenever its name and labels are the same, in all
    /// generations of the app. Names end in `_total`; the host adds the label `trigger`.
    ///
    /// # Errors
    /// For a name that Prometheus doesn't take.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter, Error> {
        self.inner.metrics.counters.counter(name, labels)
    }

    /// Whether the trigger is ready after it has said so once: a trigger interrupts it while a source of its events is away.
    pub fn readiness(&self) -> &Readiness {
        &self.inner.readiness
    }

    /// What this generation declares for a trigger of type `T`.
    ///
    /// # Errors
    /// For fields that the trigger doesn't know. The kit has read it before, so there are none for the trigger's own type.
    pub fn declared<T: Trigger>(&self) -> Result<Declared<T>, Error> {
        Declared::read(&self.inner.locked)
    }

    /// A template with the values of the app's variables, `{{ name }}`; `place` names the field in errors.
    ///
    /// # Errors
    /// For a malformed template and an unknown variable.
    pub fn expand(&self, template: &str, place: &str) -> Result<String, Error> {
        Ok(self.inner.variables.expand(template, place)?)
    }

    /// Tells a person, on standard output, what the trigger serves and where: the start-up listing.
    pub fn announce(listing: &str) {
        let mut stdout = std::io::stdout().lock();
        // A closed terminal or pipe must not end an app that serves.
        let _ = stdout.write_all(listing.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Tells the host that events are taken from now on, and where. Only the first call counts.
    pub fn ready(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        let when_ready = self.inner.when_ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tell) = when_ready {
            tell(endpoints.into_iter().collect());
        }
    }

    /// Lets this trigger take new generations of its app while it runs, to be called before [`App::ready`].
    ///
    /// The hook gets a generation whose components are compiled and whose configuration has been read. It makes of it what
    /// the trigger needs, without using any of it yet, and returns what will make new events use it; that is called if all
    /// triggers of the app can go on, and must not fail. An error leaves everything as it is.
    ///
    /// Without a hook the kit makes a new trigger with [`Trigger::new`], requests the end of the old one and runs the new
    /// one, while the events of the old one that are in flight go on to their end. So a trigger needs a hook only if it holds
    /// what can't be had twice, such as a listening socket. Only the first hook counts.
    pub fn on_reload(&self, hook: impl Fn(&App) -> Result<Swap, Error> + Send + Sync + 'static) {
        let _ = self.inner.hook.set(Box::new(hook));
    }

    /// Lets components send requests to the app itself, through this trigger; to be called once for each generation, before
    /// it takes events. A trigger that does so can meet the host requirement `local_service_chaining`.
    pub fn reach_itself_through(&self, loopback: Weak<dyn Loopback>) {
        self.inner.components.reach_itself_through(loopback);
    }

    /// The places for live instances, of all components together.
    pub fn instances(&self) -> &Arc<Permits> {
        self.inner.components.instances()
    }

    pub(crate) fn components(&self) -> &spin_component_runtime::App {
        &self.inner.components
    }

    pub(crate) fn hook(&self) -> Hook {
        Arc::clone(&self.inner.hook)
    }

    pub(crate) fn has_hook(&self) -> bool {
        self.inner.hook.get().is_some()
    }

    /// What the trigger makes of the generation `next`.
    pub(crate) fn ask_hook(&self, next: &App) -> Result<Swap, Error> {
        match self.inner.hook.get() {
            Some(ask) => ask(next),
            None => Ok(Box::new(|| {})),
        }
    }

    /// What [`App::ready`] does.
    pub(crate) fn when_ready(&self, tell: impl FnOnce(Vec<Endpoint>) + Send + 'static) {
        *self.inner.when_ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tell));
    }

    /// New events are served by the generation `id`; the host is told when the last one of this generation has ended.
    pub(crate) fn replaced_by(self, id: u64) {
        let _ = self.inner.lease.successor.set(id);
    }
}
