//! `spin plugins mirror --to DIR [NAME[@VERSION]…]`: a catalogue in a folder, for machines without a network.

use std::path::PathBuf;

use spin_catalogue::Platform;
use spin_plugin_manager::{MirrorRequest, MirroredPackage, PassedOver};

use super::documents::{self, MirrorContent, MirrorPackage, NotMirrored};
use super::wanted::Wanted;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins, each perhaps with a version [default: all that the catalogues have]
    #[arg(value_name = "NAME[@VERSION]")]
    plugins: Vec<Wanted>,
    /// The catalogue folder to add them to; made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// A platform that it is for, such as linux-aarch64; may be given again [default: this one]
    #[arg(long = "platform", value_name = "OS-ARCH")]
    platforms: Vec<Platform>,
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let plugins = ctx.refreshed_plugins().await?;
    let to = ctx.current_dir.join(&args.to);
    let platforms = if args.platforms.is_empty() { vec![plugins.settings().platform] } else { args.platforms };
    let wanted = args.plugins.into_iter().map(|Wanted { name, version }| (name, version)).collect();
    let mirrored = plugins.mirror(&MirrorRequest { to: &to, plugins: wanted, platforms }, &ctx.ui).await;
    ctx.ui.clear_progress();
    let mirror = mirrored.map_err(|error| Report::of(&error).code(error.code()))?;
    if args.json {
        let packages = mirror.packages.iter().map(document).collect();
        let passed_over = mirror.passed_over.iter().map(not_mirrored).collect();
        ctx.ui.result(&documents::print(&MirrorContent { schema: documents::SCHEMA, packages, passed_over }));
        return Ok(Exit::OK);
    }
    for passed_over in &mirror.passed_over {
        ctx.ui.warning(&format!("not mirrored for {}: {}", passed_over.platform, why(passed_over)));
    }
    for MirroredPackage { name, version, platform, catalogue, new, .. } in &mirror.packages {
        ctx.ui.result(&match new {
            true => format!("Mirrored {name} {version} for {platform} from catalogue '{catalogue}'"),
            false => format!("{name} {version} for {platform} is there already"),
        });
    }
    match mirror.packages.is_empty() {
        true => ctx.ui.result("No plugins found"),
        false => ctx.ui.result("To install from it, on the other machine: spin plugins catalogue add NAME --path DIR"),
    }
    Ok(Exit::OK)
}

fn document(package: &MirroredPackage) -> MirrorPackage {
    MirrorPackage {
        name: package.name.to_string(),
        version: package.version.to_string(),
        platform: package.platform.to_string(),
        catalogue: package.catalogue.clone(),
        archive: package.archive.display().to_string(),
        sha256: package.sha256.to_string(),
        signed: package.signed,
        new: package.new,
    }
}

fn not_mirrored(passed_over: &PassedOver) -> NotMirrored {
    NotMirrored {
        name: passed_over.name.to_string(),
        platform: passed_over.platform.to_string(),
        reason: why(passed_over),
        code: passed_over.reason.code().to_owned(),
    }
}

/// `NAME VERSION requires …`
fn why(PassedOver { name, version, reason, .. }: &PassedOver) -> String {
    let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{name}{version} {reason}")
}
