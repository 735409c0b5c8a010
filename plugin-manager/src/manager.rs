//! [`PluginManager`], the facade. Each method is one sentence; the work is in the modules it names.

use spin_catalogue::{CompatibilityCheck, PluginName};

use crate::error::{InstallError, ResolveError};
use crate::installed::{Executable, Installed};
use crate::plan::{InstallPlan, InstallRequest};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::store::{Clock, Store, StoreError, Verification};

/// Finds and installs plugins.
#[derive(Clone, Debug)]
pub struct PluginManager {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
}

impl PluginManager {
    /// A manager of the store in `settings.data_dir`. Touches no file.
    pub fn new(settings: Settings) -> Self {
        Self::with_clock(settings, jiff::Timestamp::now)
    }

    /// As [`new`](Self::new), with the clock that records take their time from.
    pub fn with_clock(settings: Settings, clock: Clock) -> Self {
        let store = Store::new(&settings.data_dir, settings.platform, clock);
        Self { settings, store }
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

    /// The executable of `name` that shall be started: of the highest installed version that fits this host,
    /// compared with its record.
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

    /// What installing `request` would do, for the user to agree to. Changes nothing.
    pub fn plan(&self, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
        crate::plan::plan(&self.settings, &self.store, request)
    }

    /// Carries out `plan`. Needs a tokio runtime. Whenever it ends, killed or not, what was installed before is
    /// intact, and the new version is either there and complete or not there.
    pub async fn install(&self, plan: &InstallPlan, progress: &dyn Progress) -> Result<Installed, InstallError> {
        crate::install::install(self, plan, progress).await
    }
}
