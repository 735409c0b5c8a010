//! `spin plugins lock`: pins an app to the plugins that would run it now.

use std::path::PathBuf;

use spin_app_model::Manifest;
use spin_catalogue::PluginName;
use spin_plugin_manager::{PinError, Pins};

use crate::context::Context;
use crate::load;
use crate::report::{Exit, Report};
use crate::source::{self, Source};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application: a manifest or a directory with a spin.toml [default: spin.toml, here or above]
    #[arg(short, long, alias = "file", value_name = "APPLICATION")]
    from: Option<PathBuf>,
}

impl From<PinError> for Report {
    fn from(error: PinError) -> Self {
        Self::of(&error).code(error.code())
    }
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let found = source::find(args.from.as_deref(), &ctx.current_dir, None)?;
    source::announce(&found, &ctx.ui);
    let Source::Manifest(manifest) = found.source else {
        let message = "a bare component has no file of pins; only an app with a manifest does";
        return Err(Report::usage(message).code("pins::no-manifest"));
    };
    let app = Manifest::read(&manifest).map_err(|error| Report::of(&error).code(error.code()))?;
    let plugins = ctx.plugins()?;
    let mut pins = Vec::new();
    for trigger_type in load::trigger_types(&app) {
        let name =
            PluginName::for_trigger(trigger_type.as_str()).map_err(|error| Report::of(&error).code(error.code()))?;
        if let Some((variable, _)) = ctx.plugin_override(&name) {
            let message = format!("plugin '{name}' cannot be pinned: {variable} names another executable for it");
            return Err(Report::new(message).code("pins::override").help(format!("unset {variable}")));
        }
        let pin = plugins.pin(&name).await?;
        pins.push((name, pin));
    }
    let (path, pins) = (Pins::path(&manifest), pins.into_iter().collect::<Pins>());
    // A file that cannot be read is what this command is there to replace.
    if Pins::read(&path).ok().flatten().as_ref() == Some(&pins) {
        ctx.ui.result(&format!("{} is up to date", path.display()));
        return Ok(Exit::OK);
    }
    pins.write(&path)?;
    for (name, pin) in pins.iter() {
        ctx.ui.result(&format!("{name} {} from {}", pin.version, pin.from));
    }
    ctx.ui.result(&format!("Written to {}", path.display()));
    Ok(Exit::OK)
}
