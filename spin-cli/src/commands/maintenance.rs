//! `spin maintenance`: files about this program, for people who write manifests, documents and packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use spin_app_model::manifest::schema_json;

use crate::commands::documents;
use crate::context::Context;
use crate::report::{Exit, Report};

/// Subcommands of the public command line that this version does not have.
const LATER: &[&str] = &["generate-reference", "generate-completions"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the JSON schema of spin.toml, for editors.
    GenerateManifestSchema {
        /// The file to write [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write the JSON schemas of what commands print with --json.
    GenerateOutputSchemas {
        /// The folder to write them into
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::GenerateManifestSchema { output: None } => ctx.ui.styled(&schema_json()),
        Command::GenerateManifestSchema { output: Some(file) } => {
            write(&ctx.current_dir.join(file), &schema_json(), "name a file in a folder that exists, or leave -o out")?;
        }
        Command::GenerateOutputSchemas { output } => {
            for (name, schema) in documents::schemas() {
                write(&ctx.current_dir.join(&output).join(name), &schema, "name a folder that exists")?;
            }
        }
        Command::Other(words) => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            let report = if LATER.contains(&word.as_ref()) {
                Report::usage(format!("`spin maintenance {word}` is not in this version of spin"))
                    .code("usage::not-yet")
            } else {
                Report::usage(format!("'{word}' is not a known command of spin maintenance"))
                    .code("usage::unknown-command")
            };
            return Err(report.help("all commands are in spin maintenance --help"));
        }
    }
    Ok(Exit::OK)
}

fn write(path: &Path, text: &str, help: &str) -> Result<(), Report> {
    std::fs::write(path, text).map_err(|error| {
        Report::new(format!("cannot write {}: {error}", path.display())).code("maintenance::write").help(help)
    })
}
