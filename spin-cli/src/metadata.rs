//! What a trigger tells of itself before it is started: `--launch-metadata-only`.
//!
//! The public ecosystem has the answer on standard error; ours is on standard output as well, where no remark of a
//! library can get into it. Members that are not known here are ignored.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use spin_app_model::launch::env;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::context::Context;
use crate::environment::ChildEnvironment;
use crate::supervise::spawn::{Output, Program, Stdin};
use crate::triggers::Resolved;

/// What makes a trigger tell this and nothing else.
const METADATA_ONLY: &str = "--launch-metadata-only";

/// Printing it needs no work; a trigger that takes longer has not understood.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than any list of flags has.
const MOST_BYTES: u64 = 1024 * 1024;

/// What a trigger tells of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    all_flags: Vec<Flag>,
    /// The keys of `[application.trigger.TYPE]` that are for the host.
    #[serde(default)]
    settings: Vec<String>,
}

/// One of its flags. An argument that is no flag has no name at all.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Flag {
    short: Option<String>,
    long: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    /// `None` if it doesn't tell.
    pub(crate) takes_value: Option<bool>,
    scope: Option<String>,
}

impl Flag {
    /// Whether this is the long name or an alias of it, `--` included.
    pub(crate) fn is_long(&self, name: &str) -> bool {
        self.long.iter().chain(&self.aliases).any(|known| known == name)
    }

    /// Whether this is its letter, `-` included.
    pub(crate) fn is_short(&self, name: &str) -> bool {
        self.short.as_deref() == Some(name)
    }

    /// Whether its effect is the app's, so that one trigger does for all.
    pub(crate) fn is_of_app(&self) -> bool {
        self.scope.as_deref() == Some("app")
    }
}

impl Metadata {
    pub(crate) fn flag(&self, is_it: impl Fn(&Flag) -> bool) -> Option<&Flag> {
        self.all_flags.iter().find(|flag| is_it(flag))
    }

    pub(crate) fn long_names(&self) -> impl Iterator<Item = &str> {
        self.all_flags.iter().flat_map(|flag| flag.long.iter().chain(&flag.aliases)).map(String::as_str)
    }

    /// Whether it takes words that belong to no flag.
    pub(crate) fn takes_words(&self) -> bool {
        self.all_flags.iter().any(|flag| flag.short.is_none() && flag.long.is_none())
    }

    /// Whether a key of the manifest's settings for its type is for the host.
    pub(crate) fn leaves_to_host(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting == key)
    }
}

/// Why a trigger tells nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no answer to {METADATA_ONLY} within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("its answer to {METADATA_ONLY} is not the JSON it should be: {0}")]
    NotMetadata(serde_json::Error),
}

/// Asks a trigger. Dropping the future ends the process.
pub(crate) async fn ask(trigger: &Resolved, ctx: &Context) -> Result<Metadata, MetadataError> {
    let mut environment = ChildEnvironment::trigger(&ctx.executable);
    environment.set(env::PLUGINS_SUPPRESS_COMPATIBILITY_WARNINGS, "1");
    let (path, args) = (trigger.path.clone(), vec![METADATA_ONLY.into()]);
    let program = Program { path, args, environment, stdin: Stdin::Empty, output: Output::Piped };
    let mut child = program.spawn()?;
    let streams = (child.stdout.take(), child.stderr.take());
    let (Some(stdout), Some(stderr)) = streams else { return Err(io::Error::other("there is no pipe").into()) };
    let answer = async {
        let (stdout, stderr) = tokio::join!(read(stdout), read(stderr));
        child.wait().await?;
        Ok::<_, io::Error>((stdout?, stderr?))
    };
    let (stdout, stderr) = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| MetadataError::Silent)??;
    // The exit code says nothing: public hosts don't look at it.
    understand(&stdout, &stderr)
}

fn understand(stdout: &[u8], stderr: &[u8]) -> Result<Metadata, MetadataError> {
    serde_json::from_slice(stdout).or_else(|_| serde_json::from_slice(stderr)).map_err(MetadataError::NotMetadata)
}

async fn read(stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_answer_is_on_either_stream() {
        let answer = br#"{"all_flags": [{"long": "--x"}], "later": 1, "settings": ["on_exit"]}"#;
        for (stdout, stderr) in [(&answer[..], &b"noise"[..]), (b"", answer), (b"noise", answer)] {
            let told = understand(stdout, stderr).unwrap();
            assert!(told.flag(|flag| flag.is_long("--x")).is_some());
            assert!(told.leaves_to_host("on_exit") && !told.leaves_to_host("x") && !told.takes_words());
        }
        assert!(understand(b"", b"warning: {").is_err());
        assert!(understand(b"{}", b"").is_err());
    }
}
