//! `spin plugins verify [NAME…]`: every installed file is hashed again.

use spin_catalogue::PluginName;
use spin_plugin_manager::Verified;

use super::documents::{self, Outcome, Verification, VerifiedPlugin};
use super::of_store;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins [default: all that are installed]
    #[arg(value_name = "NAME")]
    plugins: Vec<PluginName>,
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let verified = ctx.plugins()?.verify(&args.plugins).map_err(of_store)?;
    if let Some(missing) = args.plugins.iter().find(|name| verified.iter().all(|one| one.name != **name)) {
        let message = format!("plugin '{missing}' is not installed");
        return Err(Report::new(message).code("plugin::not-installed").help("see spin plugins list --installed"));
    }
    if args.json {
        let plugins = verified.iter().map(document).collect();
        ctx.ui.result(&documents::print(&Verification { schema: documents::SCHEMA, plugins }));
    } else {
        for one in &verified {
            ctx.ui.result(&line(one));
        }
    }
    let damaged = verified.iter().filter(|one| one.damage.is_some()).count();
    if damaged > 0 {
        let message = format!("{damaged} of {} installed versions are not what was installed", verified.len());
        return Err(Report::new(message).code("plugin::damaged"));
    }
    if verified.is_empty() && !args.json {
        ctx.ui.result("No plugins found");
    }
    Ok(Exit::OK)
}

fn line(one: &Verified) -> String {
    let version = one.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let outcome = match &one.damage {
        Some(damage) => damage.to_string(),
        None if one.recorded => "intact".to_owned(),
        None => "not verified: the public spin, which has installed it, keeps nothing to compare it with".to_owned(),
    };
    format!("{}{version}: {outcome}", one.name)
}

fn document(one: &Verified) -> VerifiedPlugin {
    let outcome = match &one.damage {
        Some(_) => Outcome::Damaged,
        None if one.recorded => Outcome::Intact,
        None => Outcome::Unknown,
    };
    VerifiedPlugin {
        name: one.name.to_string(),
        version: one.version.as_ref().map(ToString::to_string),
        outcome,
        problem: one.damage.as_ref().map(ToString::to_string),
        code: one.damage.as_ref().map(|damage| damage.code().to_owned()),
    }
}
