//! Reading an app again while it runs.

use spin_app_model::TriggerType;

use super::flags::Flags;
use super::{code, start};
use crate::context::Context;
use crate::load;
use crate::report::Report;
use crate::source::Source;
use crate::supervise::{Generation, Loader};
use crate::workdir::PrivateDir;

/// Reads the app again, with the flags that it was started with. Nothing is built, and no plugin is looked for.
pub(super) struct Reloader<'a> {
    pub(super) source: &'a Source,
    /// The trigger types that run.
    pub(super) types: Vec<TriggerType>,
    pub(super) flags: &'a Flags,
    pub(super) workdir: &'a PrivateDir,
    pub(super) ctx: &'a Context,
}

impl Loader for Reloader<'_> {
    async fn load(&self, id: u64) -> Result<Generation, Report> {
        let Self { source, flags, ctx, .. } = self;
        if let Source::Wasm(_) = source {
            return Err(Report::new("a bare component has no manifest that could be read again")
                .code("reload::no-manifest")
                .help("restart it to run a newer one"));
        }
        let prepared = load::open(source, flags.profile.as_deref(), &ctx.current_dir)?.prepare(&flags.wishes())?;
        for warning in &prepared.warnings {
            ctx.ui.warning(warning);
        }
        self.same_triggers(flags.started(prepared.trigger_types())?)?;
        let code = code(&prepared, flags, ctx).await?;
        let folder = self.workdir.generation(id)?;
        start::generation(id, folder, prepared, code, flags, ctx).await
    }

    fn make_current(&self, id: u64) -> Result<(), Report> {
        Ok(self.workdir.make_current(id)?)
    }

    fn remove(&self, id: u64) {
        self.workdir.remove_generation(id);
    }
}

impl Reloader<'_> {
    /// A reload starts and ends no process.
    fn same_triggers(&self, mut now: Vec<TriggerType>) -> Result<(), Report> {
        let mut before = self.types.clone();
        now.sort();
        before.sort();
        if now == before {
            return Ok(());
        }
        let list = |types: &[TriggerType]| types.iter().map(TriggerType::as_str).collect::<Vec<_>>().join(", ");
        let message =
            format!("restart needed: the trigger types of the app are {} now, and were {}", list(&now), list(&before));
        Err(Report::new(message).code("reload::restart-needed"))
    }
}
