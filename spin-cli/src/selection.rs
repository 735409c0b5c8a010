//! Running some components of an app and not the others: `-c ID`.
//!
//! The others are taken out before anything is done for them: their code need not be there, their files are not copied.
//! Only what the chosen ones are composed with stays until the app is locked.

use spin_app_model::hosts::AllowedHost;
use spin_app_model::manifest::{Component, DependencySource, Located, Problem, Trigger};
use spin_app_model::{LockedApp, Manifest};
use spin_catalogue::nearest::nearest;

use crate::report::Report;

/// The end of the names by which components reach each other.
const INTERNAL: &str = "spin.internal";

/// Which components of an app are run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Selection {
    #[default]
    All,
    Only(Vec<String>),
}

/// There are no components of these ids.
#[derive(Debug, thiserror::Error)]
#[error("there is no component {}", unknown.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))]
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
        manifest.triggers.retain(|trigger| runs(trigger).next().is_some() && runs(trigger).all(|id| self.has(id)));
        let run: Vec<_> = manifest.triggers.iter().flat_map(runs).map(str::to_owned).collect();
        let (kept, others): (Vec<_>, Vec<_>) = std::mem::take(&mut manifest.components)
            .into_iter()
            .partition(|component| run.iter().any(|id| *id == component.id.value.as_str()));
        let mistakes = kept.iter().flat_map(|component| unreachable(component, &kept)).collect();
        let needed = |other: &Component| kept.iter().any(|component| is_composed_with(component, other));
        let needed: Vec<_> = others.into_iter().filter(needed).collect();
        manifest.components = kept;
        manifest.components.extend(needed);
        mistakes
    }

    /// Takes out of a locked app the components that only stayed for their code.
    pub(crate) fn finish(&self, app: &mut LockedApp) {
        app.components.retain(|component| self.has(component.id.as_str()));
    }
}

/// The components that a trigger names.
fn runs(trigger: &Trigger) -> impl Iterator<Item = &str> {
    trigger.component.iter().chain(trigger.components.values().flatten()).map(|id| id.value.as_str())
}

fn is_composed_with(component: &Component, other: &Component) -> bool {
    let mut sources = component.dependencies.iter().map(|dependency| &dependency.source.value);
    sources.any(|source| matches!(source, DependencySource::Component(id) if *id == other.id.value))
}

/// The hosts that a component may connect to and that are components that are not run. Templates are not known yet.
fn unreachable(component: &Component, kept: &[Component]) -> Vec<Problem> {
    let literal = component.allowed_outbound_hosts.iter().filter(|host| !host.value.contains("{{"));
    let mistake = |host: &Located<String>| {
        let target = internal(&host.value)?;
        let id = &component.id.value;
        let message = match target {
            Some(name) if kept.iter().any(|one| one.id.value.as_str().eq_ignore_ascii_case(&name)) => return None,
            Some(name) => format!("component `{id}` connects to component `{name}`, which -c leaves out"),
            None => format!("component `{id}` may connect to any other component, and -c leaves some out"),
        };
        Some(Problem::new(host.at, message).help("name both with -c, or leave -c out"))
    };
    literal.filter_map(mistake).collect()
}

/// The component that an allowed host names; `Some(None)` for any component.
fn internal(host: &str) -> Option<Option<String>> {
    if !AllowedHost::parse(host).is_ok_and(|host| host.is_internal()) {
        return None;
    }
    let (_, rest) = host.trim().split_once("://")?;
    let name = rest.split(['/', ':']).next()?.trim_end_matches('.').to_ascii_lowercase();
    let component = name.strip_suffix(INTERNAL)?.strip_suffix('.')?;
    Some((component != "*").then(|| component.to_owned()))
}
