//! `spin up`: runs an app.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::FromArgMatches;
use spin_app_model::manifest::Resolved as Code;

use crate::build;
use crate::context::Context;
use crate::load::{self, Prepared};
use crate::obtain::Consent;
use crate::pinning::Pinning;
use crate::report::{Exit, Report};
use crate::selection::Selection;
use crate::source::{self, Source};
use crate::supervise::signal::AppSignals;
use crate::supervise::socket::SocketDir;
use crate::supervise::{self, Admin};
use crate::triggers;
use crate::workdir::PrivateDir;

pub(crate) mod flags;
mod help;
mod reload;
mod start;

use flags::Flags;
use reload::Reloader;

/// Everything behind `spin up`, not yet divided between it and the triggers.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) line: Vec<OsString>,
    /// The app, if `spin build` has just built it.
    pub(crate) built: Option<Built>,
}

/// What `spin build` has built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) manifest: PathBuf,
    pub(crate) profile: Option<String>,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let split = flags::table().split(args.line)?;
    let command = flags::command(split.ours.iter().any(|flag| flag == flags::COMPILE_ONLY));
    let name = OsString::from(command.get_name());
    let parsed = command.try_get_matches_from(std::iter::once(name).chain(split.ours.clone()));
    let mut flags = match parsed.and_then(|matches| Flags::from_arg_matches(&matches)) {
        Ok(flags) => flags,
        Err(error) => {
            ctx.ui.styled_error(&error.render().ansi().to_string());
            return Ok(Exit::USAGE);
        }
    };
    let is_built = args.built.is_some();
    if let Some(built) = args.built {
        flags.run_what_was_built(built)?;
    }
    let stray = split.not_ours().next().map(OsString::as_os_str).filter(|word| !word.as_bytes().starts_with(b"-"));
    if flags.help {
        return help::run(&flags, stray, ctx).await;
    }

    flags.check()?;
    // From here on there may be things to clean up, so signals ask instead of killing.
    let mut signals = AppSignals::listen().map_err(|error| Report::of(&error).code("environment::signals"))?;
    let (source, prepared, pinning) = find_and_prepare(&flags, is_built, stray, ctx).await?;
    for warning in &prepared.warnings {
        ctx.ui.warning(warning);
    }
    let (code, resolved) = tokio::select! {
        biased;
        stop = signals.stop.next() => return Ok(stop.exit()),
        gathered = gather(&prepared, &pinning, &flags, ctx) => gathered?,
    };
    let Some(resolved) = resolved else {
        return Ok(Exit::USAGE);
    };
    let workdir = match &flags.temp {
        Some(path) => PrivateDir::named(&ctx.current_dir.join(path))?,
        None => PrivateDir::create(&ctx.temp_dir)?,
    };
    let admin = match flags.admin_listen {
        Some(address) => Some(Admin::listen(address, &ctx.ui).await?),
        None => None,
    };
    let sockets = SocketDir::create(&ctx.runtime_dirs)?;
    let (launches, generation) = tokio::select! {
        biased;
        stop = signals.stop.next() => return Ok(stop.exit()),
        started_with = async {
            let launches = start::launches(resolved, &split, &prepared, &flags, ctx).await?;
            let folder = workdir.first_generation()?;
            let generation = start::generation(1, folder, prepared, code, &flags, ctx).await?;
            Ok::<_, Report>((launches, generation))
        } => started_with?,
    };
    let types = launches.iter().map(|launch| launch.trigger_type.clone()).collect();
    let loader = Reloader { source: &source, types, flags: &flags, workdir: &workdir, ctx };
    let app = supervise::App { launches, generation, admin, timing: ctx.timing };
    Ok(supervise::run(app, &loader, &sockets, &mut signals, &ctx.ui).await)
}

/// Gets everything that is elsewhere: code, and plugins, unless the user declines to install one.
async fn gather(
    prepared: &Prepared,
    pinning: &Pinning,
    flags: &Flags,
    ctx: &Context,
) -> Result<(Code, Option<Vec<triggers::Resolved>>), Report> {
    let types = flags.started(prepared.trigger_types())?;
    let code = code(prepared, flags, ctx).await?;
    let consent = if flags.yes || ctx.auto_install { Consent::Given } else { Consent::Ask { default: true } };
    let resolved = triggers::resolve(&types, &flags.overrides(), pinning, consent, ctx).await?;
    Ok((code, resolved))
}

/// Gets the code that is elsewhere.
async fn code(prepared: &Prepared, flags: &Flags, ctx: &Context) -> Result<Code, Report> {
    if !prepared.has_downloads() {
        return Ok(Code::default());
    }
    Ok(prepared.fetch(&ctx.cache_dir(flags.cache_dir.as_deref(), "--cache-dir")?, &ctx.ui).await?)
}

async fn find_and_prepare(
    flags: &Flags,
    built: bool,
    stray: Option<&OsStr>,
    ctx: &Context,
) -> Result<(Source, Prepared, Pinning), Report> {
    let found = source::find(flags.source(), &ctx.current_dir, stray)?;
    source::announce(&found, &ctx.ui);
    let pinning = Pinning::of(&found.source, flags.locked)?;
    let opened = load::open(&found.source, flags.profile.as_deref(), &ctx.current_dir)?;
    let wishes = flags.wishes();
    // Where nothing can be started, nothing is built.
    if opened.local_dir.is_some() && !built && opened.is_worth_building(&wishes) {
        if flags.build || ctx.always_build()? {
            build::build(&opened.draft, opened.app_dir(), &Selection::All, &ctx.ui).await?;
        } else if let Some(warning) = build::other_profile(&opened.draft.manifest, opened.app_dir()) {
            ctx.ui.warning(&warning);
        }
    }
    Ok((found.source, opened.prepare(&wishes)?, pinning))
}
