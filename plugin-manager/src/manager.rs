//! [`PluginManager`], the facade. Each method is one sentence; the work is in the modules it names.

use spin_catalogue::{CompatibilityCheck, PluginName, ReleaseVersion};

use crate::activate::ActivateError;
use crate::error::{InstallError, ResolveError};
use crate::gc::{Collection, Garbage};
use crate::installed::{Executable, Installed};
use crate::listing::{Described, Listing, Outdated, Unusable};
use crate::mirror::{Mirror, MirrorError, MirrorRequest};
use crate::pinned::PinError;
use crate::pins::Pin;
use crate::plan::{InstallPlan, InstallRequest};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::source::{Catalogue, Refreshed};
use crate::store::{Clock, Store, StoreError, Verification};
use crate::uninstall::Uninstalled;
use crate::verify::Verified;
use crate::web::Web;

/// Finds and installs plugins.
#[derive(Clone, Debug)]
pub struct PluginManager {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) web: Web,
}

impl PluginManager {
    /// A manager of the store in `settings.data_dir`. Touches no file.
    pub fn new(settings: Settings) -> Self {
        Self::with_clock(settings, jiff::Timestamp::now)
    }

    /// As [`new`](Self::new), with the clock that records take their time from.
    pub fn with_clock(settings: Settings, clock: Clock) -> Self {
        let store = Store::new(&settings.data_dir, settings.platform, clock);
        let web = Web::new(settings.network, settings.credentials.clone());
        Self { settings, store, web }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every installed version of every plugin, by name and then by version. Those that the public Spin installed
    /// are among them, unless the same version is in our store too.
    pub fn installed(&self) -> Result<Vec<Installed>, StoreError> {
        crate::resolve::installed(self)
    }

    /// The installed versions of `name`, the lowest first.
    pub fn installed_of(&self, name: &PluginName) -> Result<Vec<Installed>, StoreError> {
        crate::resolve::installed_of(self, name)
    }

    /// The executable of `name` that shall be started, compared with its record: of the version that was
    /// [activated](Self::activate), if it fits this host, else of the highest installed version that does.
    pub fn resolve(&self, name: &PluginName) -> Result<Executable, ResolveError> {
        self.resolve_with(name, CompatibilityCheck::Enforced, Verification::IfTouched)
    }

    /// As [`resolve`](Self::resolve), with a say in how strict it is.
    pub fn resolve_with(
        &self,
        name: &PluginName,
        compatibility: CompatibilityCheck,
        verification: Verification,
    ) -> Result<Executable, ResolveError> {
        crate::resolve::resolve(self, name, compatibility, verification)
    }

    /// As [`resolve`](Self::resolve), of the release that an app is pinned to and of no other.
    pub fn resolve_pinned(
        &self,
        name: &PluginName,
        pin: &Pin,
        verification: Verification,
    ) -> Result<Executable, ResolveError> {
        crate::pinned::resolve(self, name, pin, verification)
    }

    /// The pin of the release that [`resolve`](Self::resolve) gives, or, if none is installed, of the one that would be
    /// installed. Uses the network as [`plan`](Self::plan) does.
    pub async fn pin(&self, name: &PluginName) -> Result<Pin, PinError> {
        crate::pinned::pin(self, name).await
    }

    /// Brings the local copies of catalogues that lie elsewhere up to date. Needs a tokio runtime. Where that fails the
    /// old copy stays, and what came of each is told.
    pub async fn refresh(&self, progress: &dyn Progress) -> Vec<Refreshed> {
        crate::source::refresh(self, progress).await
    }

    /// The configured catalogues and what is known of each on this machine.
    pub fn catalogues(&self) -> Vec<Catalogue> {
        crate::source::status(self)
    }

    /// What installing `request` would do, for the user to agree to. Changes nothing that is installed. Uses the network
    /// for manifests and signatures that are not on this machine, and needs a tokio runtime then.
    pub async fn plan(&self, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
        crate::plan::plan(self, request).await
    }

    /// Carries out `plan`. Needs a tokio runtime. Whenever it ends, killed or not, what was installed before is
    /// intact, and the new version is either there and complete or not there.
    pub async fn install(&self, plan: &InstallPlan, progress: &dyn Progress) -> Result<Installed, InstallError> {
        crate::install::install(self, plan, progress).await
    }

    /// Makes an installed version the one that is used, until it is uninstalled or another is activated. Needs a tokio
    /// runtime. One of the public Spin's cannot be activated, since it has no record.
    pub async fn activate(
        &self,
        name: &PluginName,
        version: &ReleaseVersion,
        progress: &dyn Progress,
    ) -> Result<(), ActivateError> {
        crate::activate::activate(self, name, version, progress).await
    }

    /// Uninstalls one version of `name`, or all of them. Needs a tokio runtime. Whenever it ends, killed or not, what is
    /// recorded is there and complete. What the public Spin has installed is told of and stays.
    pub async fn uninstall(
        &self,
        name: &PluginName,
        version: Option<&ReleaseVersion>,
        progress: &dyn Progress,
    ) -> Result<Uninstalled, StoreError> {
        crate::uninstall::uninstall(self, name, version, progress).await
    }

    /// Compares every file of every installed version of `names`, of all plugins if there are none, with its record.
    pub fn verify(&self, names: &[PluginName]) -> Result<Vec<Verified>, StoreError> {
        crate::verify::verify(self, names)
    }

    /// Everything there is: in the catalogues, and installed.
    pub fn list(&self) -> Result<Listing, StoreError> {
        crate::listing::list(self, None)
    }

    /// What is installed, as [`list`](Self::list) has it. No catalogue is looked at.
    pub fn list_installed(&self) -> Result<Listing, StoreError> {
        crate::listing::list_installed(self)
    }

    /// All about `name`, which need not be installed.
    pub async fn describe(&self, name: &PluginName) -> Result<Described, ResolveError> {
        crate::listing::describe(self, name).await
    }

    /// The installed plugins of which a catalogue has a higher version, and the catalogues that could not be asked.
    pub fn outdated(&self) -> Result<(Vec<Outdated>, Vec<Unusable>), StoreError> {
        crate::listing::outdated(self)
    }

    /// The installed plugins of which a catalogue is known to have a higher version, if nobody was given them for a day.
    /// What cannot be read is passed over. Uses no network.
    pub fn notice(&self) -> Vec<Outdated> {
        crate::notice::due(self)
    }

    /// Everything there is of one plugin, as [`list`](Self::list) has it.
    pub fn list_of(&self, name: &PluginName) -> Result<Listing, StoreError> {
        crate::listing::list(self, Some(name))
    }

    /// The names of all plugins in the catalogues, as far as those can be read.
    pub fn catalogued_names(&self) -> Vec<PluginName> {
        crate::listing::names(self)
    }

    /// Copies releases with their archives into a catalogue folder. Needs a tokio runtime, and uses the network for what is
    /// not on this machine. Killed at any point, the folder is the catalogue that it was or the new one.
    pub async fn mirror(&self, request: &MirrorRequest<'_>, progress: &dyn Progress) -> Result<Mirror, MirrorError> {
        crate::mirror::mirror(self, request, progress).await
    }

    /// Removes versions that nobody uses, and what unfinished work has left. Needs a tokio runtime.
    pub async fn collect_garbage(
        &self,
        collection: Collection,
        progress: &dyn Progress,
    ) -> Result<Garbage, StoreError> {
        crate::gc::collect(self, collection, progress).await
    }
}
