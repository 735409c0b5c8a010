//! Getting at a plugin's executable: installed already, or installed now because somebody agreed to it.

use spin_catalogue::PluginName;
use spin_plugin_manager::{
    CompatibilityCheck, Executable, InstallError, InstallPlan, InstallRequest, Installed, Pin, PinnedFrom,
    PluginManager, ResolveError, Verification, What,
};

use crate::context::Context;
use crate::report::Report;
use crate::ui::Ui;

/// Whether a missing plugin may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The user said so beforehand.
    Given,
    /// Only if a person at the terminal says so; `default` is what an empty answer means.
    Ask { default: bool },
    /// Not now: the command only wants to know.
    Withheld,
}

/// Which release of a plugin it must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// The highest that fits.
    Highest(CompatibilityCheck),
    /// The one that the app is pinned to, and how closely its executable is looked at.
    Pinned(&'a Pin, Verification),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Obtained {
    Executable(Executable),
    /// The offer was declined.
    Declined,
}

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObtainError {
    #[error(transparent)]
    Resolve(Box<ResolveError>),
    #[error(transparent)]
    Install(Box<InstallError>),
    #[error("there is no place for plugins")]
    Settings(Box<Report>),
}

impl From<ObtainError> for Report {
    fn from(error: ObtainError) -> Self {
        match error {
            ObtainError::Resolve(error) => Self::of(&error).code(error.code()),
            ObtainError::Install(error) => Self::of(&error).code(error.code()),
            ObtainError::Settings(report) => *report,
        }
    }
}

/// The executable of a plugin. If only a catalogue has it, and with consent, it is installed first.
pub(crate) async fn executable(
    name: &PluginName,
    wanted: Wanted<'_>,
    consent: Consent,
    ctx: &Context,
) -> Result<Obtained, ObtainError> {
    let plugins = ctx.plugins().map_err(|report| ObtainError::Settings(Box::new(report)))?;
    let resolve = || match wanted {
        Wanted::Highest(check) => plugins.resolve_with(name, check, Verification::IfTouched).map_err(Box::new),
        Wanted::Pinned(pin, verification) => plugins.resolve_pinned(name, pin, verification).map_err(Box::new),
    };
    let missing = match resolve() {
        Ok(executable) => return Ok(Obtained::Executable(executable)),
        Err(error) if matches!(*error, ResolveError::Available { .. } | ResolveError::PinnedMissing { .. }) => error,
        Err(error) => return Err(ObtainError::Resolve(error)),
    };
    // Whose app it is may name any address: what is said beforehand, to every app alike, is no answer to that.
    let consent = match (consent, wanted) {
        (Consent::Given, Wanted::Pinned(Pin { from: PinnedFrom::Manifest(_), .. }, _)) => {
            Consent::Ask { default: false }
        }
        _ => consent,
    };
    let may = match consent {
        Consent::Given => true,
        Consent::Ask { .. } => ctx.ui.can_ask(),
        Consent::Withheld => false,
    };
    if !may {
        return Err(ObtainError::Resolve(missing));
    }
    let failed = |error| ObtainError::Install(Box::new(error));
    let what = match wanted {
        Wanted::Highest(_) => What::ByName { name: name.clone(), version: None },
        Wanted::Pinned(pin, _) => What::Pinned { name: name.clone(), pin: pin.clone() },
    };
    // An address that an app names is not even asked before somebody agrees to it.
    if let Wanted::Pinned(Pin { from: PinnedFrom::Manifest(address), version, .. }, _) = wanted {
        ctx.ui.remark(&format!("The plugin {name} {version} is needed and not installed. The app says where it is:"));
        ctx.ui.remark(&format!("  from:     {}", one_line(address.as_str())));
        if !ctx.ui.confirm("Look there?", false).await {
            return Ok(Obtained::Declined);
        }
    }
    let plan = plugins.plan(&InstallRequest { what, override_compatibility: false }).await.map_err(failed)?;
    if let Consent::Ask { default } = consent {
        ctx.ui.remark(&format!("The plugin {name} is needed and not installed. It is available:"));
        ctx.ui.remark(&describe(&plan));
        if !ctx.ui.confirm("Install it and go on?", default).await {
            return Ok(Obtained::Declined);
        }
    }
    let installed = install(&plugins, &plan, &ctx.ui).await.map_err(failed)?;
    ctx.ui.remark(&format!("Installed {} {} from {}", installed.name, installed.version, plan.origin));
    Ok(Obtained::Executable(resolve().map_err(ObtainError::Resolve)?))
}

/// Whether a plan may be carried out: because the user said so beforehand, or says so now.
pub(crate) async fn agree(plan: &InstallPlan, agreed: bool, ctx: &Context) -> Result<bool, Report> {
    let InstallPlan { name, version, license, .. } = plan;
    if let Some(reason) = &plan.overridden {
        ctx.ui.warning(&format!("plugin '{name}' {version} {reason}; it is installed because you asked for it"));
    }
    if agreed {
        return Ok(true);
    }
    if !ctx.ui.can_ask() {
        let message = format!("installing '{name}' needs your consent, and there is no terminal to ask on");
        return Err(Report::new(message)
            .code("plugin::no-consent")
            .help(format!("if you agree to its license ({}), add --yes", one_line(license))));
    }
    ctx.ui.remark(&describe(plan));
    Ok(ctx.ui.confirm(&format!("Install plugin '{name}'?"), true).await)
}

/// Carries out a plan, showing how far it is.
pub(crate) async fn install(plugins: &PluginManager, plan: &InstallPlan, ui: &Ui) -> Result<Installed, InstallError> {
    let installed = plugins.install(plan, ui).await;
    // A step that fails never says that it is finished.
    ui.clear_progress();
    installed
}

/// What a person needs to know before agreeing to a plan.
pub(crate) fn describe(plan: &InstallPlan) -> String {
    let InstallPlan { name, version, description, license, package, origin, sha256, .. } = plan;
    let about = description.as_deref().map(|text| format!("\n  about:    {}", one_line(text))).unwrap_or_default();
    let (license, package, origin) = (one_line(license), one_line(&package.to_string()), one_line(&origin.to_string()));
    let signature = plan.signed_by.map(|key| format!("\n  signed:   by {key}")).unwrap_or_default();
    format!(
        "  plugin:   {name} {version}{about}\n  license:  {license}\n  from:     {package} ({origin})\n  sha256:   {sha256}{signature}"
    )
}

/// An author's words on one line and cut, so that they cannot pass for lines of ours or push those off the screen.
pub(crate) fn one_line(text: &str) -> String {
    const SHOWN: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_says_stays_on_its_line() {
        assert_eq!(one_line("Fires\n  sha256:   0\u{2028}\tetc. "), "Fires sha256: 0 etc.");
        assert_eq!(one_line(&"x".repeat(1000)), format!("{}…", "x".repeat(200)));
    }
}
