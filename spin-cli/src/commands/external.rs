//! `spin NAME …` for a name that is no command of ours: the plugin of that name, run in our place.

use std::ffi::OsString;

use spin_catalogue::PluginName;
use spin_catalogue::nearest::nearest;
use spin_plugin_manager::{CompatibilityCheck, ResolveError};

use crate::cli;
use crate::context::Context;
use crate::environment::ChildEnvironment;
use crate::obtain::{self, Consent, ObtainError, Obtained, Wanted};
use crate::report::{Exit, Report};
use crate::supervise::pass_through;
use crate::supervise::signal::StopSignals;
use crate::supervise::spawn::{Output, Program, Stdin};
use crate::triggers::{self, Overrides};

/// This one is ours, wherever it stands; the plugin never sees it.
const OVERRIDE: &str = "--override-compatibility-check";

/// The name of the plugin, and its arguments.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) name: OsString,
    pub(crate) args: Vec<OsString>,
    /// What `--plugin-path` in front of the name says.
    pub(crate) overrides: Overrides,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let shown = args.name.to_string_lossy().into_owned();
    let Ok(name) = shown.parse::<PluginName>() else { return Err(unknown(&shown, ctx)) };
    let overridden = args.args.iter().any(|arg| arg == OVERRIDE);
    let found = match triggers::overridden(&name, &args.overrides, ctx)? {
        Some((origin, path)) => Some(triggers::announced(&name, &origin, path, ctx)),
        None => plugin(&name, overridden, ctx).await?,
    };
    // The question was answered with no.
    let Some(path) = found else { return Ok(Exit::USAGE) };

    let args = args.args.into_iter().filter(|arg| arg != OVERRIDE).collect();
    let environment = ChildEnvironment::plugin(&ctx.executable);
    let (path, stdin, output) = (ctx.current_dir.join(path), Stdin::Inherited, Output::Inherited);
    let program = Program { path, args, environment, stdin, output };
    let mut signals = StopSignals::listen().map_err(|error| Report::of(&error).code("environment::signals"))?;
    pass_through(&shown, &program, &mut signals).await
}

/// The executable of an installed plugin, or of one that the user agrees to install now.
async fn plugin(name: &PluginName, overridden: bool, ctx: &Context) -> Result<Option<std::path::PathBuf>, Report> {
    let compatibility = if overridden { CompatibilityCheck::Overridden } else { CompatibilityCheck::Enforced };
    // By default no: a mistyped command must not install anything.
    let consent = if ctx.auto_install { Consent::Given } else { Consent::Ask { default: false } };
    match obtain::executable(name, Wanted::Highest(compatibility), consent, ctx).await {
        Ok(Obtained::Executable(executable)) => Ok(Some(executable.path)),
        Ok(Obtained::Declined) => Ok(None),
        Err(ObtainError::Resolve(error)) => Err(match *error {
            ResolveError::Unknown { .. } => unknown(name.as_str(), ctx),
            ResolveError::Available { .. } => {
                let known = format!("'{name}' is not a known Spin command, but there is such a plugin: {error}");
                Report::usage(known).code(error.code())
            }
            _ => ObtainError::Resolve(error).into(),
        }),
        Err(error) => Err(error.into()),
    }
}

fn unknown(name: &str, ctx: &Context) -> Report {
    let message = format!("'{name}' is not a known Spin command. See spin --help.");
    let report = Report::usage(message).code("usage::unknown-command");
    let (mut installed, mut available) = (Vec::new(), Vec::new());
    if let Ok(plugins) = ctx.plugins() {
        installed = plugins.installed().unwrap_or_default().into_iter().map(|held| held.name).collect();
        available = plugins.catalogued_names();
    }
    // Nobody types the name of a trigger as a command.
    let plugins = installed.iter().chain(&available).map(PluginName::as_str);
    let plugins = plugins.filter(|name| !name.starts_with("trigger-"));
    match nearest(name, cli::NAMES.iter().copied().chain(plugins)) {
        Some(near) if cli::NAMES.contains(&near) || installed.iter().any(|held| held.as_str() == near) => {
            report.help(format!("did you mean: spin {near}"))
        }
        Some(near) => report.help(format!("did you mean: spin {near}, which is a plugin: spin plugins install {near}")),
        None => report,
    }
}
