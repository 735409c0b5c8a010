//! `spin plugins catalogue add|remove|list`: where plugins are looked for.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};
use schemars::JsonSchema;
use serde::Serialize;
use spin_plugin_manager::{
    Catalogue, CatalogueName, CatalogueSource, GitBranch, GitUrl, Place, Trust, TrustedKey, WebRoot,
};

use crate::config::{edit, kind};
use crate::context::Context;
use crate::news::in_words;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for plugins in one more catalogue
    Add(Box<Add>),
    /// Look there no more
    Remove {
        /// The name of the catalogue
        name: String,
    },
    /// List the catalogues, the most trusted first
    List {
        /// Print a JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("place").required(true).args(["url", "git", "path"]))]
struct Add {
    /// What messages, records and pins call it
    name: CatalogueName,
    /// The address of the folder that holds its index.json
    #[arg(long)]
    url: Option<WebRoot>,
    /// A git repository
    #[arg(long, value_name = "REPOSITORY")]
    git: Option<GitUrl>,
    /// A folder on this machine
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// The branch of the git repository
    #[arg(long, requires = "git")]
    branch: Option<GitBranch>,
    /// A public key of minisign that its index and archives may be signed with; may be given again
    #[arg(long = "key", value_name = "RW…")]
    keys: Vec<TrustedKey>,
    /// Refuse what is not signed
    #[arg(long, requires = "keys")]
    require_signature: bool,
}

pub(crate) fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::Add(args) => add(*args, ctx),
        Command::Remove { name } => {
            let path = ctx.config_file()?;
            edit::remove(path, &name)?;
            ctx.ui.result(&format!("Removed catalogue '{name}' from {}", path.display()));
            Ok(Exit::OK)
        }
        Command::List { json } => {
            list(json, ctx)?;
            Ok(Exit::OK)
        }
    }
}

fn add(args: Add, ctx: &Context) -> Result<Exit, Report> {
    let Add { name, url, git, path, branch, keys, require_signature } = args;
    let trust = Trust { keys, require_signature };
    let source = match (url, git, path) {
        (Some(root), ..) => CatalogueSource::web(name, root, trust),
        (_, Some(url), _) => CatalogueSource::git(name, url, branch, trust),
        (.., path) => {
            let path = ctx.current_dir.join(path.unwrap_or_default());
            Ok(CatalogueSource::directory(name.as_str(), path, trust))
        }
    };
    let source = source.map_err(|error| Report::usage(error.to_string()).code(error.code()))?;
    let file = ctx.config_file()?;
    edit::add(file, &source)?;
    ctx.ui.result(&format!("Added catalogue '{}' to {}", source.name, file.display()));
    if ctx.catalogues_are_named() {
        ctx.ui.notice("SPIN_CATALOGUES is set, and while it is, catalogues of the configuration are not asked");
    }
    Ok(Exit::OK)
}

/// A catalogue, as `spin plugins catalogue list` prints it. They come in the order in which they are asked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// What messages, records and pins call it.
    name: String,
    /// `path` for a folder, `url` for one on the web, `git` for a repository.
    kind: &'static str,
    /// The folder, address or repository.
    place: String,
    /// The branch. Only there if it is not the repository's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// The numbers of the keys that it may be signed with.
    keys: Vec<String>,
    /// Whether what is not signed is refused.
    require_signature: bool,
    /// For how long nobody has asked for news, in seconds. Only there if it lies elsewhere and is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    /// The serial of its index. Only there if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    /// The number of the key that has signed its index. Only there if one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    /// Why it cannot be used. Only there if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Why a catalogue cannot be used.
#[derive(Serialize, JsonSchema)]
struct Problem {
    /// A stable code.
    code: &'static str,
    /// What is wrong.
    message: String,
}

fn list(json: bool, ctx: &Context) -> Result<(), Report> {
    let catalogues = ctx.plugins()?.catalogues();
    if json {
        let rows: Vec<_> = catalogues.iter().map(row).collect();
        ctx.ui.result(&serde_json::to_string_pretty(&rows).expect("rows are plain data"));
    } else if catalogues.is_empty() {
        ctx.ui.result("No catalogues found");
    } else {
        catalogues.iter().for_each(|catalogue| ctx.ui.result(&line(catalogue)));
    }
    Ok(())
}

fn row(Catalogue { source, knowledge, .. }: &Catalogue) -> Row {
    let (place, branch) = match &source.place {
        Place::Git { url, branch, .. } => (url.to_string(), branch.as_ref().map(ToString::to_string)),
        place => (place.to_string(), None),
    };
    let known = knowledge.as_ref().ok();
    Row {
        name: source.name.clone(),
        kind: kind(&source.place),
        place,
        branch,
        keys: source.trust.keys.iter().map(|key| key.id().to_string()).collect(),
        require_signature: source.trust.require_signature,
        age_seconds: known.and_then(|known| known.age).map(|age| age.as_secs()),
        serial: known.and_then(|known| known.serial),
        signed_by: known.and_then(|known| known.signed_by).map(|key| key.to_string()),
        problem: knowledge.as_ref().err().map(|error| Problem { code: error.code(), message: error.to_string() }),
    }
}

fn line(Catalogue { source, knowledge, .. }: &Catalogue) -> String {
    let mut line = format!("{} {}", source.name, source.place);
    match knowledge {
        Ok(known) => {
            if let Some(age) = known.age {
                line.push_str(&format!(" [asked {} ago]", in_words(age)));
            }
            if let Some(key) = known.signed_by {
                line.push_str(&format!(" [signed by {key}]"));
            }
        }
        Err(error) => line.push_str(&format!(" [{error}]")),
    }
    line
}
