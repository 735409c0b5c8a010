//! `spin plugins show NAME`: all about one plugin, installed or not.

use spin_catalogue::PluginName;
use spin_plugin_manager::{Described, Installed};
use url::Url;

use super::documents::{self, Details, Hindered, InstalledVersion};
use super::list;
use crate::context::Context;
use crate::obtain::one_line;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugin
    #[arg(value_name = "NAME")]
    name: PluginName,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let described = ctx
        .refreshed_plugins()
        .await?
        .describe(&args.name)
        .await
        .map_err(|error| Report::of(&error).code(error.code()))?;
    for unusable in &described.versions.unusable {
        ctx.ui.warning(&unusable.to_string());
    }
    let details = details(&args.name, &described);
    match args.json {
        true => ctx.ui.result(&documents::print(&details)),
        false => ctx.ui.result(&text(&details, &described)),
    }
    Ok(Exit::OK)
}

fn details(name: &PluginName, described: &Described) -> Details {
    let rows = list::every_version(&described.versions.rows);
    let installed: Vec<_> = described.versions.rows.iter().filter_map(|row| row.installed.as_ref()).collect();
    // Without a manifest in a catalogue, what is installed is all there is.
    let known = installed.iter().max_by_key(|held| held.active);
    let (version, license) = match &described.manifest {
        Some(manifest) => (manifest.version.to_string(), manifest.license.clone()),
        None => known.map(|held| (held.version.to_string(), held.license.clone())).unwrap_or_default(),
    };
    let manifest = described.manifest.as_ref();
    Details {
        schema: documents::SCHEMA,
        name: name.to_string(),
        version,
        license,
        homepage: manifest.and_then(|manifest| manifest.homepage.clone()),
        description: manifest.and_then(|manifest| manifest.description.clone()),
        catalogue: described.catalogue.clone(),
        installed: installed.into_iter().map(installed_version).collect(),
        versions: rows.iter().map(list::Row::document).collect(),
        hindered: described.hindered.as_ref().map(Hindered::new),
    }
}

fn installed_version(held: &Installed) -> InstalledVersion {
    InstalledVersion {
        version: held.version.to_string(),
        active: held.active,
        from: held.origin.to_string(),
        at: held.installed.map(|at| at.to_string()),
        sha256: held.archive.map(|digest| digest.to_string()),
        executable: held.executable.display().to_string(),
    }
}

/// What the public command line prints first, then the rest with a word for each line.
fn text(details: &Details, described: &Described) -> String {
    let mut text = format!("{}: {} (License: {})\n", details.name, details.version, one_line(&details.license));
    if let Some(homepage) = details.homepage.as_deref().filter(|homepage| homepage.parse::<Url>().is_ok()) {
        text.push_str(&format!("{}\n", one_line(homepage)));
    }
    if let Some(description) = &details.description {
        text.push_str(&format!("\n{}\n", one_line(description)));
    }
    text.push('\n');
    if let Some(catalogue) = &details.catalogue {
        text.push_str(&format!("  catalogue: {}\n", one_line(catalogue)));
    }
    for held in &details.installed {
        let InstalledVersion { version, active, from, at, sha256, .. } = held;
        let active = if *active { ", active" } else { "" };
        // What has no time was installed by the public Spin, and says so.
        let from = match at {
            Some(at) => format!("from {}, on {at}", one_line(from)),
            None => one_line(from),
        };
        text.push_str(&format!("  installed: {version}{active}, {from}\n"));
        if let Some(sha256) = sha256 {
            text.push_str(&format!("             sha256 {sha256}\n"));
        }
    }
    let rows = list::every_version(&described.versions.rows);
    let versions = rows.iter().rev().map(|row| format!("{}{}", row.version(), row.marks())).collect::<Vec<_>>();
    text.push_str(&format!("  versions:  {}", versions.join(", ")));
    if let Some((version, reason)) = &described.hindered {
        let remedy = reason.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        text.push_str(&format!("\n  not yet:   {version} {reason}{remedy}"));
    }
    text
}
