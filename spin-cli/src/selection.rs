//! Running some components of an app and not the others: `-c ID`.
//!
//! The others are taken out before anything is done for them: their code need not be there, their files are not copied.
//! Only what the chosen ones are composed with stays until the app is locked.

use std::collections::HashSet;

use spin_app_model::document::quoted;
use spin_app_model::hosts::{AllowedHost, Internal};
use spin_app_model::manifest::{Component, DependencySource, Located, Problem, Trigger};
use spin_app_model::{ComponentId, LockedApp, Manifest};
use spin_catalogue::nearest::nearest;

use crate::report::Report;

/// Which components of an app are run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Selection {
    #[default]
    All,
    Only(Vec<String>),
}

/// There are no components of these ids.
#[derive(Debug, thiserror::Error)]
#[error("there is no component {}", unknown.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(", "))]
pub(crate) struct UnknownComponents {
    pub(crate) unknown: Vec<String>,
    /// A component that the first of them could have meant.
    pub(crate) near: Option<String>,
}

impl From<UnknownComponents> for Report {
    fn from(error: UnknownComponents) -> Self {
        let report = Self::of(&error).code("app::unknown-component");
        match error.near {
            Some(near) => report.help(format!("did you mean `{near}`?")),
            None => report,
        }
    }
}

impl Selection {
    /// What a repeated flag selects: without the flag, everything.
    pub(crate) fn of(ids: &[String]) -> Self {
        if ids.is_empty() { Self::All } else { Self::Only(ids.to_vec()) }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.iter().any(|kept| kept == id),
        }
    }

    /// Checks that everything that is selected is there.
    pub(crate) fn check<'a>(
        &self,
        components: impl IntoIterator<Item = &'a Component> + Clone,
    ) -> Result<(), UnknownComponents> {
        let Self::Only(ids) = self else { return Ok(()) };
        let known = || components.clone().into_iter().map(|component| component.id.value.as_str());
        let unknown: Vec<_> = ids.iter().filter(|id| known().all(|known| known != **id)).cloned().collect();
        match unknown.first() {
            None => Ok(()),
            Some(first) => {
                let near = nearest(first, known()).map(str::to_owned);
                Err(UnknownComponents { unknown, near })
            }
        }
    }

    /// Takes out of a manifest what is not selected: components, unless a selected one is composed with them, and
    /// triggers that run others. A selected component that no trigger runs goes too. Gives what then cannot work.
    pub(crate) fn apply(&self, manifest: &mut Manifest) -> Vec<Problem> {
        let Self::Only(_) = self else { return Vec::new() };
        let runs_selected =
            |trigger: &Trigger| runs(trigger).next().is_some() && runs(trigger).all(|id| self.has(id.as_str()));
        manifest.triggers.retain(runs_selected);
        let run = run_by(&manifest.triggers);
        let (kept, others): (Vec<_>, Vec<_>) = std::mem::take(&mut manifest.components)
            .into_iter()
            .partition(|component| run.contains(&component.id.value));
        let names: HashSet<_> = run.iter().map(|id| id.as_str().to_ascii_lowercase()).collect();
        let problems = kept.iter().flat_map(|component| unreachable(component, &names)).collect();
        let needed: HashSet<_> = kept.iter().flat_map(is_composed_with).cloned().collect();
        manifest.components = kept;
        manifest.components.extend(others.into_iter().filter(|other| needed.contains(&other.id.value)));
        problems
    }

    /// Takes out of a locked app the components that only stayed in its manifest for their code.
    pub(crate) fn finish(&self, manifest: &Manifest, app: &mut LockedApp) {
        if let Self::Only(_) = self {
            let run = run_by(&manifest.triggers);
            app.components.retain(|component| run.contains(&component.id));
        }
    }
}

/// The components that a trigger names.
fn runs(trigger: &Trigger) -> impl Iterator<Item = &ComponentId> {
    trigger.component.iter().chain(trigger.components.values().flatten()).map(|id| &id.value)
}

fn run_by(triggers: &[Trigger]) -> HashSet<ComponentId> {
    triggers.iter().flat_map(runs).cloned().collect()
}

/// The components whose code is composed into one.
fn is_composed_with(component: &Component) -> impl Iterator<Item = &ComponentId> {
    component.dependencies.iter().filter_map(|dependency| match &dependency.source.value {
        DependencySource::Component(id) => Some(id),
        _ => None,
    })
}

/// The hosts that a component may connect to and that are components that are not run. Templates are not known yet.
/// `kept` has the names of those that are run, in lower case.
fn unreachable(component: &Component, kept: &HashSet<String>) -> Vec<Problem> {
    let id = &component.id.value;
    let problem = |host: Located<String>| {
        let allowed = AllowedHost::parse(&host.value).ok()?;
        let message = match allowed.internal()? {
            Internal::One(name) if kept.contains(name) => return None,
            Internal::One(name) => {
                format!("component `{id}` connects to component {}, which -c leaves out", quoted(name))
            }
            Internal::All => format!("component `{id}` may connect to any other component, and -c leaves some out"),
        };
        Some(Problem::new(host.at, message).help("name both with -c, or leave -c out"))
    };
    component.outbound_hosts().into_iter().filter_map(problem).collect()
}
