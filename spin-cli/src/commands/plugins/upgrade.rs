//! `spin plugins upgrade [NAME…]`: goes to newer versions of plugins, or with `--downgrade` back to older ones.
//!
//! Versions lie side by side, so this installs one if need be and then makes it the one that is used. What was used
//! before stays until `spin plugins gc`.

use std::path::PathBuf;

use semver::{Op, VersionReq};
use spin_catalogue::{PluginName, ReleaseVersion};
use spin_plugin_manager::{InstallError, InstallPlan, InstallRequest, Installed, Origin, PluginManager, Secret, What};
use url::Url;

use super::install::{not_activated, report, versioned};
use super::of_store;
use super::wanted::{Wanted, requirement};
use crate::context::Context;
use crate::obtain;
use crate::report::{Exit, Report};

mod choice;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins, each perhaps with a version; on a terminal, one is asked if none is named
    #[arg(value_name = "NAME[@VERSION]", conflicts_with_all = ["all", "file", "url"])]
    plugins: Vec<Wanted>,
    /// Upgrade everything that is installed
    #[arg(short, long, conflicts_with_all = ["file", "url"])]
    all: bool,
    /// The manifest file of a plugin that is in no catalogue
    #[arg(short, long, value_name = "PATH", conflicts_with = "url")]
    file: Option<PathBuf>,
    /// The address of the manifest of a plugin that is in no catalogue
    #[arg(short, long)]
    url: Option<Url>,
    /// What the server of --url wants to see as `Authorization`, as with install
    #[arg(long, requires = "url", value_name = "VALUE")]
    auth_header_value: Option<String>,
    /// The version, if one plugin is named without one
    #[arg(short, long, value_name = "VERSION", requires = "plugins", value_parser = requirement)]
    version: Option<VersionReq>,
    /// Go to that version even if it is older
    #[arg(short, long)]
    downgrade: bool,
    /// Install without asking
    #[arg(short, long)]
    yes: bool,
    /// Install even what says that it does not work with this version
    #[arg(long)]
    override_compatibility_check: bool,
}

/// What there is to do for one plugin.
enum Step {
    /// Nothing: this version is used and nothing is above it.
    UpToDate(PluginName, ReleaseVersion),
    /// The version is there; it is only not the one that is used.
    Activate { name: PluginName, version: ReleaseVersion, from: ReleaseVersion },
    /// It must be installed.
    Install { plan: Box<InstallPlan>, from: Option<ReleaseVersion> },
}

struct Upgrade<'a> {
    plugins: PluginManager,
    downgrade: bool,
    agreed: bool,
    override_compatibility: bool,
    ctx: &'a Context,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let upgrade = Upgrade {
        plugins: ctx.refreshed_plugins().await?,
        downgrade: args.downgrade,
        agreed: args.yes || ctx.auto_install,
        override_compatibility: args.override_compatibility_check,
        ctx,
    };
    if args.all {
        return upgrade.all().await;
    }
    let authorization = args.auth_header_value.map(Secret::new);
    let what: Vec<_> = match (args.file, args.url) {
        (Some(path), _) => vec![What::ManifestFile(path)],
        (_, Some(url)) => vec![What::ManifestUrl { url, authorization }],
        _ if args.plugins.is_empty() => match choice::ask(&upgrade.plugins, ctx).await? {
            Some(names) => names.into_iter().map(|name| What::ByName { name, version: None }).collect(),
            None => return Ok(Exit::OK),
        },
        _ => {
            let wanted = versioned(args.plugins, args.version)?.into_iter();
            wanted.map(|Wanted { name, version }| What::ByName { name, version }).collect()
        }
    };
    // All are looked up before the first is changed: a mistyped name should cost nothing.
    let mut steps = Vec::new();
    for what in what {
        steps.push(upgrade.decide(what).await?);
    }
    for step in steps {
        upgrade.carry_out(step).await?;
    }
    Ok(Exit::OK)
}

impl Upgrade<'_> {
    /// Upgrades everything. One plugin that cannot be upgraded does not keep the others from it.
    async fn all(&self) -> Result<Exit, Report> {
        let ui = &self.ctx.ui;
        let mut names: Vec<_> = self.plugins.installed().map_err(of_store)?.into_iter().map(|held| held.name).collect();
        names.dedup();
        if names.is_empty() {
            ui.result("No currently installed plugins to upgrade.");
            return Ok(Exit::OK);
        }
        let (mut up_to_date, mut exit) = (true, Exit::OK);
        for name in names {
            let outcome = match self.decide(What::ByName { name, version: None }).await {
                Ok(Step::UpToDate(..)) => continue,
                // From a manifest file, or in a catalogue that is not configured any more.
                Err(report) if report.stable_code() == Some("plugin::unknown") => continue,
                Ok(step) => self.carry_out(step).await,
                Err(report) => Err(report),
            };
            up_to_date = false;
            if let Err(report) = outcome {
                ui.error(&report);
                exit = report.exit_code();
            }
        }
        if up_to_date {
            ui.result("All plugins are up to date");
        }
        Ok(exit)
    }

    /// Finds out what there is to do, and whether it may be done.
    async fn decide(&self, what: What) -> Result<Step, Report> {
        if let What::ByName { name, version: Some(version) } = &what
            && is_exact(version)
            && let Some(step) = self.go_back(name, version)?
        {
            return Ok(step);
        }
        let named =
            matches!(&what, What::ByName { version: Some(_), .. } | What::ManifestFile(_) | What::ManifestUrl { .. });
        let plan = self.plan(what).await.map_err(report)?;
        let Some(used) = self.used(&plan.name)? else {
            return Ok(Step::Install { plan: Box::new(plan), from: None });
        };
        if plan.version < used.version && !self.downgrade {
            return match named {
                true => Err(older(&plan.name, &plan.version, &used.version)),
                false => Ok(Step::UpToDate(plan.name, used.version)),
            };
        }
        Ok(match (plan.already, plan.version == used.version) {
            (true, true) => Step::UpToDate(plan.name, used.version),
            (true, false) => Step::Activate { name: plan.name, version: plan.version, from: used.version },
            (false, _) => Step::Install { plan: Box::new(plan), from: Some(used.version) },
        })
    }

    /// A version that is named exactly and installed needs no catalogue, which may not even have it any more.
    fn go_back(&self, name: &PluginName, version: &VersionReq) -> Result<Option<Step>, Report> {
        let fits = |held: &&Installed| held.version.semver().is_some_and(|held| version.matches(held));
        let installed = self.plugins.installed_of(name).map_err(of_store)?;
        let held = installed.iter().find(fits).filter(|held| held.origin != Origin::PublicLayout);
        let (Some(held), Some(used)) = (held, self.used(name)?) else { return Ok(None) };
        if held.version == used.version {
            // Whether it is intact is for the plan to find out.
            return Ok(None);
        }
        if held.version < used.version && !self.downgrade {
            return Err(older(name, &held.version, &used.version));
        }
        let (name, version) = (name.clone(), held.version.clone());
        Ok(Some(Step::Activate { name, version, from: used.version }))
    }

    async fn plan(&self, what: What) -> Result<InstallPlan, InstallError> {
        self.plugins.plan(&InstallRequest { what, override_compatibility: self.override_compatibility }).await
    }

    /// The installed version that is used, or the highest if none fits.
    fn used(&self, name: &PluginName) -> Result<Option<Installed>, Report> {
        let installed = self.plugins.installed_of(name).map_err(of_store)?;
        Ok(installed.into_iter().max_by_key(|held| held.active))
    }

    async fn carry_out(&self, step: Step) -> Result<(), Report> {
        let Self { plugins, ctx, agreed, .. } = self;
        let (name, version, from) = match step {
            Step::UpToDate(name, version) => {
                ctx.ui.result(&format!("Plugin '{name}' {version} is up to date"));
                return Ok(());
            }
            Step::Activate { name, version, from } => (name, version, Some(from)),
            Step::Install { plan, from } => {
                if !obtain::agree(&plan, *agreed, ctx).await? {
                    ctx.ui.result(&format!("Plugin '{}' will not be installed", plan.name));
                    return Ok(());
                }
                obtain::install(plugins, &plan, &ctx.ui).await.map_err(report)?;
                (plan.name, plan.version, from)
            }
        };
        plugins.activate(&name, &version, &ctx.ui).await.map_err(not_activated)?;
        ctx.ui.result(&match from {
            None => format!("Plugin '{name}' was installed successfully!"),
            Some(from) if from == version => format!("Plugin '{name}' {version} was installed again"),
            Some(from) if from > version => format!("Plugin '{name}' was downgraded from {from} to {version}"),
            Some(from) => format!("Plugin '{name}' was upgraded from {from} to {version}"),
        });
        if let Some(used) = self.used(&name)?.filter(|used| used.version != version) {
            ctx.ui.notice(&format!("It does not fit, so version {} stays the one that is used", used.version));
        }
        Ok(())
    }
}

fn older(name: &PluginName, version: &ReleaseVersion, used: &ReleaseVersion) -> Report {
    Report::new(format!("version {version} of '{name}' is older than {used}, which is used"))
        .code("plugin::older")
        .help(format!("to go back, spin plugins upgrade {name}@{version} --downgrade"))
}

/// Whether only one version fulfils the requirement.
fn is_exact(requirement: &VersionReq) -> bool {
    matches!(&requirement.comparators[..], [one] if one.op == Op::Exact && one.patch.is_some())
}
