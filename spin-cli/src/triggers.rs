//! An executable for every trigger type of an app.
//!
//! A development override comes first and is announced: `--plugin-path NAME=PATH`, then the environment. Without one
//! the plugin manager decides. Nothing here depends on which type it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use spin_app_model::TriggerType;
use spin_catalogue::PluginName;
use spin_plugin_manager::CompatibilityCheck;

use crate::context::Context;
use crate::obtain::{self, Consent, Obtained, Wanted};
use crate::pinning::Pinning;
use crate::report::{Exit, Report};
use crate::supervise::Promise;

/// The executable for one trigger type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) trigger_type: TriggerType,
    pub(crate) plugin: PluginName,
    pub(crate) path: PathBuf,
    pub(crate) promise: Promise,
}

/// The overrides of one command line.
pub(crate) type Overrides = BTreeMap<PluginName, PathBuf>;

/// Finds an executable for each type, in their order. `None` if the user declined to install one.
pub(crate) async fn resolve(
    types: &[TriggerType],
    overrides: &Overrides,
    pinning: &Pinning,
    consent: Consent,
    ctx: &Context,
) -> Result<Option<Vec<Resolved>>, Report> {
    let mut resolved = Vec::new();
    for trigger_type in types {
        let plugin =
            PluginName::for_trigger(trigger_type.as_str()).map_err(|error| Report::of(&error).code(error.code()))?;
        let found = match overridden(&plugin, overrides, ctx)? {
            Some((origin, path)) => {
                pinning.allow_override(&plugin, &origin)?;
                Some((announced(&plugin, &origin, path, ctx), Promise::Nothing))
            }
            None => installed(trigger_type, &plugin, pinning, consent, ctx).await?,
        };
        let Some((path, promise)) = found else { return Ok(None) };
        resolved.push(Resolved { trigger_type: trigger_type.clone(), plugin, path, promise });
    }
    for unused in overrides.keys().filter(|name| !resolved.iter().any(|trigger| trigger.plugin == **name)) {
        ctx.ui.warning(&format!("--plugin-path {unused}: this app has no trigger that needs it"));
    }
    Ok(Some(resolved))
}

/// A development override, checked: what names it, and the file.
pub(crate) fn overridden(
    plugin: &PluginName,
    overrides: &Overrides,
    ctx: &Context,
) -> Result<Option<(String, PathBuf)>, Report> {
    let named = overrides.get(plugin).map(|path| ("--plugin-path".to_owned(), path.clone()));
    let Some((origin, path)) = named.or_else(|| ctx.plugin_override(plugin)) else { return Ok(None) };
    // Collected from its parts, so that `./x` is announced without the dot.
    let path: PathBuf = ctx.current_dir.join(path).components().collect();
    if !path.is_file() {
        let message = format!("{origin} names \"{}\" for {plugin}, which is not a file", path.display());
        return Err(Report::new(message).code("plugin::override-missing"));
    }
    Ok(Some((origin, path)))
}

/// Says that an override is used.
pub(crate) fn announced(plugin: &PluginName, origin: &str, path: PathBuf, ctx: &Context) -> PathBuf {
    ctx.ui.notice(&format!("Using {plugin} from \"{}\" ({origin})", path.display()));
    path
}

async fn installed(
    trigger_type: &TriggerType,
    plugin: &PluginName,
    pinning: &Pinning,
    consent: Consent,
    ctx: &Context,
) -> Result<Option<(PathBuf, Promise)>, Report> {
    let wanted = match pinning.get(plugin)? {
        Some(pin) => Wanted::Pinned(pin, pinning.verification()),
        None => Wanted::Highest(CompatibilityCheck::Enforced),
    };
    match obtain::executable(plugin, wanted, consent, ctx).await {
        Ok(Obtained::Declined) => Ok(None),
        Ok(Obtained::Executable(executable)) => {
            // A plugin that lists only protocol 0 promises nothing.
            let speaks = executable.protocols.iter().any(|&protocol| protocol > 0);
            let promise = if speaks { Promise::Hello } else { Promise::Nothing };
            Ok(Some((executable.path, promise)))
        }
        Err(error) => {
            let report = Report::from(error);
            let message = format!("nothing can run the triggers of type '{trigger_type}': {}", report.message());
            Err(report.say(message).exit(Exit::ERROR))
        }
    }
}
