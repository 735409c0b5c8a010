//! Which executable to start: the store, then the public Spin's folder, then a truthful error that looks into the
//! catalogues.

use std::cmp::Reverse;

use spin_catalogue::nearest::nearest;
use spin_catalogue::resolve::obstacle;
use spin_catalogue::{CompatibilityCheck, PluginName, Query, Reason, ReleaseVersion};

use crate::error::ResolveError;
use crate::installed::{Executable, Installed};
use crate::manager::PluginManager;
use crate::source::{self, NoOffer};
use crate::store::{StoreError, Verification, VerifyError};
use crate::{public_layout, store::Release};

/// Everything that is installed.
pub(crate) fn installed(manager: &PluginManager) -> Result<Vec<Installed>, StoreError> {
    let store = &manager.store;
    let mut found = Vec::new();
    for name in store.names()? {
        for release in store.record(&name)?.releases {
            found.push(Installed {
                executable: store.executable(&name, &release),
                version: release.version,
                protocols: release.protocols,
                spin_compatibility: release.spin_compatibility,
                origin: release.origin,
                name: name.clone(),
            });
        }
    }
    for public in public_layout::installed(&manager.settings)? {
        if !found.iter().any(|ours| ours.name == public.name && ours.version == public.version) {
            found.push(public);
        }
    }
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// The executable of `name` that may be started.
pub(crate) fn resolve(
    manager: &PluginManager,
    name: &PluginName,
    compatibility: CompatibilityCheck,
    verification: Verification,
) -> Result<Executable, ResolveError> {
    let host = manager.settings.host(compatibility);
    let mut unfit: Option<(ReleaseVersion, Reason)> = None;
    let mut fits = |version: &ReleaseVersion, requirement: &str, protocols: &[u32]| {
        let reason = obstacle(requirement, protocols, &host);
        match reason {
            None => true,
            Some(reason) => {
                // The first one is the highest: that is the one to explain.
                unfit.get_or_insert((version.clone(), reason));
                false
            }
        }
    };

    let mut releases = manager.store.record(name)?.releases;
    releases.sort_by(|a, b| Reverse(&a.version).cmp(&Reverse(&b.version)));
    if let Some(release) = releases.iter().find(|held| fits(&held.version, &held.spin_compatibility, &held.protocols)) {
        return start_from_store(manager, name, release, verification);
    }
    if let Some(public) = public_layout::find(&manager.settings, name)?
        && fits(&public.version, &public.spin_compatibility, &public.protocols)
    {
        let Installed { name, version, executable, protocols, origin, .. } = public;
        return Ok(Executable { name, version, path: executable, protocols, origin });
    }
    Err(explain(manager, name, unfit))
}

fn start_from_store(
    manager: &PluginManager,
    name: &PluginName,
    release: &Release,
    verification: Verification,
) -> Result<Executable, ResolveError> {
    let (name, version, origin) = (name.clone(), release.version.clone(), release.origin.clone());
    match manager.store.verify(&name, release, verification) {
        Ok(path) => Ok(Executable { name, version, path, protocols: release.protocols.clone(), origin }),
        Err(VerifyError::Missing(path)) => Err(ResolveError::Missing { name, version, origin, path }),
        Err(VerifyError::Differs(path)) => Err(ResolveError::Tampered { name, version, origin, path }),
        Err(VerifyError::Store(error)) => Err(error.into()),
    }
}

/// Nothing installed can be started: says why, and what would help.
fn explain(manager: &PluginManager, name: &PluginName, unfit: Option<(ReleaseVersion, Reason)>) -> ResolveError {
    let query = Query { version: None, host: manager.settings.host(CompatibilityCheck::Enforced) };
    let offer = source::offer(&manager.settings.catalogues, name, &query);
    let name = name.clone();
    match (unfit, offer) {
        (Some((version, reason)), offer) => {
            let fits = offer.ok().map(|offer| offer.release.version);
            ResolveError::Incompatible { name, version: Some(version), reason: Box::new(reason), fits }
        }
        (None, Ok(offer)) => {
            ResolveError::Available { name, version: offer.release.version, catalogue: offer.catalogue }
        }
        (None, Err(NoOffer::Refused(refusal))) => {
            ResolveError::Incompatible { name, version: refusal.version, reason: Box::new(refusal.reason), fits: None }
        }
        (None, Err(NoOffer::Broken { catalogue, source })) => ResolveError::Catalogue { name, catalogue, source },
        (None, Err(NoOffer::Unknown { nearest: in_catalogue, catalogues })) => {
            // What is installed counts as known as well; the catalogues come first, being the larger set.
            let installed = || {
                let names: Vec<_> = installed(manager).ok()?.into_iter().map(|held| held.name).collect();
                nearest(name.as_str(), names.iter().map(PluginName::as_str))?.parse().ok()
            };
            let nearest = in_catalogue.or_else(installed);
            ResolveError::Unknown { name, nearest, catalogues }
        }
    }
}
