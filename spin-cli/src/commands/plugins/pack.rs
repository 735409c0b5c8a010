//! `spin plugins pack EXECUTABLE`: makes a package of a plugin and adds it to a catalogue folder.

use std::path::PathBuf;

use semver::Version;
use spin_catalogue::{Platform, PluginName};
use spin_plugin_manager::{PackRequest, pack};

use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The executable
    #[arg(value_name = "EXECUTABLE")]
    executable: PathBuf,
    /// The catalogue folder to add it to; made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The version of the plugin
    #[arg(long)]
    version: Version,
    /// Its licence
    #[arg(long)]
    license: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: String,
    /// Its name [default: the file name of the executable]
    #[arg(long)]
    name: Option<PluginName>,
    /// Versions of Spin that it works with [default: this one, up to the next major]
    #[arg(long, value_name = "REQUIREMENT")]
    spin_compatibility: Option<String>,
    /// Where to read more
    #[arg(long, value_name = "URL")]
    homepage: Option<String>,
    /// Trigger protocols that it speaks: 1 or 1,2
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    protocols: Vec<u32>,
    /// The platform that it is for, such as linux-aarch64 [default: this one]
    #[arg(long)]
    platform: Option<Platform>,
    /// A folder whose content goes beside the executable
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.executable)?,
    };
    let here = || Report::usage("there is no word for this platform").code("usage::platform").help("add --platform");
    let platform = args.platform.or(Platform::current()).ok_or_else(here)?;
    let packed = pack(&PackRequest {
        name,
        version: args.version,
        executable: &ctx.current_dir.join(&args.executable),
        assets: args.assets.map(|assets| ctx.current_dir.join(assets)).as_deref(),
        description: &args.description,
        license: &args.license,
        homepage: args.homepage.as_deref(),
        spin_compatibility: &args.spin_compatibility.unwrap_or_else(this_major),
        protocols: &args.protocols,
        platform,
        catalogue_dir: &ctx.current_dir.join(&args.to),
    })
    .map_err(|error| Report::of(&error).code(error.code()))?;
    ctx.ui.result(&format!("Packed {}", packed.archive.display()));
    ctx.ui.result(&format!("  manifest: {}", packed.manifest.display()));
    ctx.ui.result(&format!("  sha256:   {}", packed.sha256));
    Ok(Exit::OK)
}

/// The name of a plugin whose executable is called after it.
fn name_of(executable: &std::path::Path) -> Result<PluginName, Report> {
    let file = executable.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    file.parse().map_err(|error: spin_catalogue::name::NameError| {
        Report::usage(error.to_string()).code(error.code()).help("name the plugin with --name NAME")
    })
}

/// A bound above too: plugins that are triggers depend on more than grows.
fn this_major() -> String {
    let Version { major, minor, .. } = crate::environment::spin_version();
    format!(">={major}.{minor}, <{}", major + 1)
}
