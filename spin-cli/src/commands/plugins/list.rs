//! `spin plugins list`: what is installed and what is available, and the form in which `search` lists it too.

use clap::ValueEnum;
use spin_plugin_manager::{Installed, Listed, Listing, Origin, Reason, ReleaseVersion};

use super::documents::{self, Plugin};
use super::of_store;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List only what is installed
    #[arg(long, conflicts_with_all = ["all", "summary"])]
    installed: bool,
    /// List every version there is; this is what happens without a flag
    #[arg(long, conflicts_with = "summary")]
    all: bool,
    /// List only the highest version of each plugin
    #[arg(long)]
    summary: bool,
    /// List only plugins whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// How a listing is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Form {
    /// Print lines or a JSON array
    #[arg(long, value_name = "FORMAT", default_value = "plain", hide_possible_values = true)]
    format: Format,
    /// Print a JSON array: the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Plain,
    Json,
}

/// A line of a listing.
pub(super) struct Row<'a> {
    listed: &'a Listed,
    /// What is installed of it: this version or, in a summary, perhaps another.
    installed: Option<&'a Installed>,
    /// Whether other versions of it are installed too, so that one must tell which is used.
    several: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let plugins = if args.installed { ctx.plugins()? } else { ctx.refreshed_plugins().await? };
    let listing = if args.installed { plugins.list_installed() } else { plugins.list() };
    let listing = listing.map_err(of_store)?;
    let rows = if args.summary { summary(&listing.rows) } else { every_version(&listing.rows) };
    print(&listing, rows, args.filter.as_deref(), &args.form, ctx);
    Ok(Exit::OK)
}

/// Prints the rows whose name contains `filter`.
pub(super) fn print(listing: &Listing, mut rows: Vec<Row<'_>>, filter: Option<&str>, form: &Form, ctx: &Context) {
    for unusable in &listing.unusable {
        ctx.ui.warning(&unusable.to_string());
    }
    if let Some(filter) = filter {
        let filter = filter.to_lowercase();
        rows.retain(|row| row.listed.name.as_str().contains(&filter));
    }
    if form.json || form.format == Format::Json {
        ctx.ui.result(&documents::print(&rows.iter().map(Row::document).collect::<Vec<_>>()));
    } else if rows.is_empty() {
        ctx.ui.result("No plugins found");
    } else {
        for row in rows {
            ctx.ui.result(&row.line());
        }
    }
}

/// A row for every version.
pub(super) fn every_version(listed: &[Listed]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for versions in listed.chunk_by(|a, b| a.name == b.name) {
        let several = versions.iter().filter(|listed| listed.installed.is_some()).count() > 1;
        rows.extend(versions.iter().map(|listed| Row { listed, installed: listed.installed.as_ref(), several }));
    }
    rows
}

/// A row for the highest version of every plugin, with what is installed of that plugin.
fn summary(listed: &[Listed]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for versions in listed.chunk_by(|a, b| a.name == b.name) {
        // The one that is used, else the highest.
        let installed = versions.iter().filter_map(|listed| listed.installed.as_ref()).max_by_key(|held| held.active);
        rows.extend(versions.last().map(|listed| Row { listed, installed, several: false }));
    }
    rows
}

impl Row<'_> {
    /// `name version`, whether it is installed, and why it does not fit.
    fn line(&self) -> String {
        let Listed { name, version, .. } = self.listed;
        format!("{name} {version}{}", self.marks())
    }

    pub(super) fn version(&self) -> &ReleaseVersion {
        &self.listed.version
    }

    /// What stands behind the version, each in brackets.
    pub(super) fn marks(&self) -> String {
        let mut marks = String::new();
        if let Some(held) = self.installed {
            match held.version == self.listed.version {
                true => marks.push_str(" [installed]"),
                false => marks.push_str(&format!(" [installed version: {}]", held.version)),
            }
            if held.active && self.several {
                marks.push_str(" [active]");
            }
            if held.origin == Origin::PublicLayout {
                marks.push_str(" [by the public spin]");
            }
        }
        match &self.listed.obstacle {
            None => {}
            Some(Reason::Compatibility { requirement, .. }) => {
                marks.push_str(&format!(" [requires Spin {requirement}]"));
            }
            Some(Reason::Yanked) => marks.push_str(" [withdrawn]"),
            Some(_) => marks.push_str(" [incompatible]"),
        }
        marks
    }

    pub(super) fn document(&self) -> Plugin {
        let Listed { name, version, catalogue, spin_compatibility, protocols, obstacle, .. } = self.listed;
        Plugin {
            name: name.to_string(),
            installed: self.installed.is_some(),
            version: version.to_string(),
            installed_version: self.installed.map(|held| held.version.to_string()),
            active: self.installed.is_some_and(|held| held.active),
            compatible: obstacle.is_none(),
            reason: obstacle.as_ref().map(ToString::to_string),
            spin_compatibility: spin_compatibility.clone(),
            protocols: protocols.clone(),
            catalogue: catalogue.clone(),
            from: self.installed.map(|held| held.origin.to_string()),
        }
    }
}
