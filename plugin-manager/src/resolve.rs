//! Which executable to start: the store, then the public Spin's folder, then a truthful error that looks into the
//! catalogues.

use spin_catalogue::nearest::nearest;
use spin_catalogue::resolve::obstacle;
use spin_catalogue::{CompatibilityCheck, PluginName, Query, Reason, ReleaseVersion};

use crate::error::ResolveError;
use crate::installed::{Executable, Installed};
use crate::manager::PluginManager;
use crate::settings::Settings;
use crate::source::{self, NoOffer};
use crate::store::{Record, Store, StoreError, Verification, VerifyError};
use crate::{public_layout, store::Release};

/// Everything that is installed.
pub(crate) fn installed(manager: &PluginManager) -> Result<Vec<Installed>, StoreError> {
    let mut names = manager.store.names()?;
    names.extend(public_layout::installed(&manager.settings)?.into_iter().map(|public| public.name));
    names.sort_unstable();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        found.extend(installed_of(manager, &name)?);
    }
    Ok(found)
}

/// Every installed version of `name`, the lowest first.
pub(crate) fn installed_of(manager: &PluginManager, name: &PluginName) -> Result<Vec<Installed>, StoreError> {
    let PluginManager { settings, store, .. } = manager;
    let record = store.record(name)?;
    let mut found: Vec<_> = record.releases.iter().map(|release| describe(settings, store, &record, release)).collect();
    if let Some(mut public) = public_layout::find(settings, name)?
        && !found.iter().any(|ours| ours.version == public.version)
    {
        let fits = fits(settings, &public.spin_compatibility, &public.protocols);
        public.active = fits && !found.iter().any(|ours| ours.active);
        found.push(public);
    }
    found.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(found)
}

/// What the record says of a release, for others.
pub(crate) fn describe(settings: &Settings, store: &Store, record: &Record, release: &Release) -> Installed {
    let active = in_use(settings, record);
    Installed {
        name: record.name.clone(),
        version: release.version.clone(),
        executable: store.executable(&record.name, release),
        protocols: release.protocols.clone(),
        spin_compatibility: release.spin_compatibility.clone(),
        license: release.license.clone(),
        origin: release.origin.clone(),
        signed_by: release.signed_by,
        archive: Some(release.archive),
        installed: Some(release.installed),
        active: active.is_some_and(|active| active.version == release.version),
    }
}

/// The release that is used: the one that was chosen, if it fits this host, else the highest that fits.
pub(crate) fn in_use<'a>(settings: &Settings, record: &'a Record) -> Option<&'a Release> {
    record.by_preference().into_iter().find(|held| fits(settings, &held.spin_compatibility, &held.protocols))
}

fn fits(settings: &Settings, spin_compatibility: &str, protocols: &[u32]) -> bool {
    obstacle(spin_compatibility, protocols, &settings.host(CompatibilityCheck::Enforced)).is_none()
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
                // The first one was chosen or is the highest: that is the one to explain.
                unfit.get_or_insert((version.clone(), reason));
                false
            }
        }
    };

    let record = manager.store.record(name)?;
    let mut usable = |held: &&Release| fits(&held.version, &held.spin_compatibility, &held.protocols);
    if let Some(release) = record.by_preference().into_iter().find(&mut usable) {
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

pub(crate) fn start_from_store(
    manager: &PluginManager,
    name: &PluginName,
    release: &Release,
    verification: Verification,
) -> Result<Executable, ResolveError> {
    let (name, version, origin) = (name.clone(), release.version.clone(), release.origin.clone());
    let store = &manager.store;
    let verified = match verification {
        // What lies beside an executable is as much a part of it, since it may load it.
        Verification::Always => store.verify_all(&name, release).map(|()| store.executable(&name, release)),
        Verification::IfTouched => store.verify(&name, release, verification),
    };
    match verified {
        Ok(path) => {
            store.note_start(&name, release);
            Ok(Executable { name, version, path, protocols: release.protocols.clone(), origin })
        }
        Err(VerifyError::Missing(path)) => Err(ResolveError::Missing { name, version, origin, path }),
        Err(VerifyError::Differs(path) | VerifyError::Contents(path)) => {
            Err(ResolveError::Tampered { name, version, origin, path })
        }
        Err(VerifyError::Store(error)) => Err(error.into()),
    }
}

/// Nothing installed can be started: says why, and what would help.
fn explain(manager: &PluginManager, name: &PluginName, unfit: Option<(ReleaseVersion, Reason)>) -> ResolveError {
    let query = Query { version: None, host: manager.settings.host(CompatibilityCheck::Enforced) };
    let offer = source::offer(&manager.store, &manager.settings.catalogues, name, &query);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    /// A record of these versions, each with its `spinCompatibility`.
    fn record(releases: &[(u64, &str)], active: Option<u64>) -> Record {
        let golden = include_str!("../tests/data/formats/v2/record.json");
        let mut record: Record = serde_json::from_str(golden).unwrap();
        let pattern = record.releases[1].clone();
        record.releases.clear();
        for (number, requirement) in releases {
            let (version, spin_compatibility) = (version(*number), (*requirement).to_owned());
            record.put(Release { version, spin_compatibility, ..pattern.clone() });
        }
        record.active = active.map(version);
        record
    }

    fn version(number: u64) -> ReleaseVersion {
        semver::Version::new(1, number, 0).into()
    }

    proptest! {
        #[test]
        fn the_chosen_version_is_used_if_it_fits_and_else_nothing_higher_fits(
            releases in proptest::collection::vec((0u64..12, proptest::sample::select(vec![">=4", "<4", ">=5", "?"])), 0..6),
            active in proptest::option::of(0u64..12),
        ) {
            let settings = testing::settings(Path::new("/"));
            let record = record(&releases, active);
            let fits = |held: &Release| held.spin_compatibility == ">=4";
            let chosen = record.releases.iter().find(|held| Some(&held.version) == record.active.as_ref());
            match in_use(&settings, &record) {
                None => prop_assert!(!record.releases.iter().any(fits)),
                Some(used) => {
                    prop_assert!(fits(used));
                    match chosen.filter(|chosen| fits(chosen)) {
                        Some(chosen) => prop_assert_eq!(&used.version, &chosen.version),
                        None => {
                            let mut higher = record.releases.iter().filter(|held| held.version > used.version);
                            prop_assert!(!higher.any(fits));
                        }
                    }
                }
            }
        }
    }
}
