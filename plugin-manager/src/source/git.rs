//! Getting a catalogue from a git repository, through the program `git`.
//!
//! No repository is kept: `ls-remote` tells whether the branch has moved, and if so, a fresh clone of its newest commit
//! becomes the new tree. So a history that was rewritten, or a repository that was damaged, needs no repair.
//!
//! The program gets its arguments behind `--`, one transport that it may use, no hooks, no links, no questions to ask,
//! a limited time and a limited size; see [`command`]. The user's own configuration stays in force: it knows proxies, authorities and
//! how to prove who the user is.

use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::copy::Mark;
use super::error::CatalogueError;
use super::place::{GitBranch, GitUrl};
use crate::settings::Tie;
use crate::store::StoreError;

/// How long `git ls-remote` may take.
const ASKING: Duration = Duration::from_secs(60);

/// How long `git clone` may take.
const CLONING: Duration = Duration::from_secs(10 * 60);

/// What a clone may take of the disk, in bytes.
const MAX_CLONE: u64 = 512 << 20;

/// How often a clone is measured.
const MEASURED_EVERY: Duration = Duration::from_millis(250);

/// The most that is read of what git says, in bytes.
const MAX_OUTPUT: u64 = 64 << 10;

/// Puts the newest files of a branch into the empty folder `target`. Gives what this version is recognised by, or
/// `None` if that is `held` already.
pub(super) async fn fetch(
    url: &GitUrl,
    branch: Option<&GitBranch>,
    held: Option<String>,
    target: &Path,
    tie: Tie,
) -> Result<Option<Mark>, CatalogueError> {
    let reference = branch.map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
    let mut ask = command(url);
    ask.args(["ls-remote", "--exit-code", "--"]).arg(url.to_string()).arg(&reference);
    let answer = run(ask, "ls-remote", ASKING, tie).await?;
    let revision = revision(&answer)
        .ok_or_else(|| CatalogueError::Git { what: "ls-remote", said: format!("it told no commit for {reference}") })?;
    if held.as_ref() == Some(&revision) {
        return Ok(None);
    }
    let mut clone = command(url);
    clone.args(["clone", "--quiet", "--depth=1", "--single-branch", "--no-tags", "--template="]);
    clone.args(branch.map(|branch| format!("--branch={branch}")));
    clone.arg("--").arg(url.to_string()).arg(target);
    within(target, MAX_CLONE, run(clone, "clone", CLONING, tie)).await?;
    let repository = target.join(".git");
    fs::remove_dir_all(&repository).map_err(|error| StoreError::io("remove", &repository, error))?;
    // Should the branch have moved in between, the next refresh finds another commit than this one, and clones again.
    Ok(Some(Mark { revision: Some(revision), ..Mark::default() }))
}

/// Does something that fills `folder`, and gives it up when there is more than `limit` bytes.
async fn within<T>(
    folder: &Path,
    limit: u64,
    work: impl Future<Output = Result<T, CatalogueError>>,
) -> Result<T, CatalogueError> {
    let outgrown = async {
        let mut measured = tokio::time::interval(MEASURED_EVERY);
        while size_of(folder) <= limit {
            measured.tick().await;
        }
    };
    tokio::select! {
        done = work => done.and_then(|done| match size_of(folder) > limit {
            true => Err(CatalogueError::GitSize { limit }),
            false => Ok(done),
        }),
        () = outgrown => Err(CatalogueError::GitSize { limit }),
    }
}

/// The bytes of all files below a folder. What vanishes meanwhile has none.
fn size_of(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(size).sum()
}

/// The commit that `git ls-remote` tells.
fn revision(answer: &str) -> Option<String> {
    let word = answer.split_whitespace().next()?;
    let is_digest = matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| word.to_owned())
}

/// `git`, tamed.
fn command(url: &GitUrl) -> Command {
    let mut git = Command::new("git");
    for setting in [
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        // A link becomes a file with the name of what it leads to, which is no manifest.
        "core.symlinks=false",
        "core.autocrlf=false",
        "protocol.version=2",
        "submodule.recurse=false",
        "advice.detachedHead=false",
    ] {
        git.args(["-c", setting]);
    }
    git.env("GIT_ALLOW_PROTOCOL", url.protocol())
        .env("GIT_TERMINAL_PROMPT", "0")
        // Where git or ssh would ask somebody, the answer is no.
        .env("GIT_ASKPASS", "false")
        .env("SSH_ASKPASS", "false")
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .env("GIT_HTTP_LOW_SPEED_LIMIT", "100")
        .env("GIT_HTTP_LOW_SPEED_TIME", "30")
        .env("LC_ALL", "C");
    // Set where a hook of another repository calls us.
    for variable in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_CONFIG_PARAMETERS",
        "GIT_TEMPLATE_DIR",
        "GIT_PREFIX",
        "GIT_EXTERNAL_DIFF",
        "GIT_TRACE",
    ] {
        git.env_remove(variable);
    }
    git
}

/// Runs `git` and gives what it wrote to its standard output.
pub(super) async fn run(
    mut git: Command,
    what: &'static str,
    limit: Duration,
    tie: Tie,
) -> Result<String, CatalogueError> {
    tie.0(&mut git);
    // A group of its own, so that the programs it starts end with it.
    let git =
        git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut group = Group(git.spawn().map_err(CatalogueError::NoGit)?);
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let all = async { tokio::join!(read(stdout), read(stderr), group.0.wait()) };
    let (stdout, stderr, status) =
        tokio::time::timeout(limit, all).await.map_err(|_| CatalogueError::GitTime { what, limit })?;
    match status {
        Ok(status) if status.success() => Ok(stdout),
        Ok(status) => Err(CatalogueError::Git { what, said: last_words(&stderr, status) }),
        Err(error) => Err(CatalogueError::Git { what, said: error.to_string() }),
    }
}

/// The last lines that say something: those before tell progress.
fn last_words(stderr: &str, status: ExitStatus) -> String {
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => status.to_string(),
        lines => lines[lines.len().saturating_sub(3)..].join("; "),
    }
}

/// The beginning of what comes from a pipe. The rest is read too, so that nobody waits to write it.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(MAX_OUTPUT).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process and its group, which are killed when dropped before their end.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // The number is there as long as nobody has waited for the process, so it is no other's.
        let id = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = id {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::runtime;

    /// What is cloned is a stub that writes so many bytes, and then says that it is done or waits to be ended.
    fn clone(bytes: u64, then: &str) -> (Result<String, CatalogueError>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("head -c {bytes} /dev/zero >\"$0/pack\"; {then}");
        let mut stub = Command::new("/bin/sh");
        stub.args(["-c", &script]).arg(folder.path());
        let limit = Duration::from_secs(30);
        let run = within(folder.path(), 1000, run(stub, "clone", limit, Tie::default()));
        (runtime().block_on(run), usize::try_from(size_of(folder.path())).unwrap())
    }

    #[test]
    fn a_clone_that_grows_too_large_is_ended_while_it_grows() {
        assert_eq!(clone(1000, "echo done").0.unwrap(), "done\n");
        for then in ["exec cat", "exec sleep 600"] {
            let (ended, size) = clone(1001, then);
            assert!(matches!(ended, Err(CatalogueError::GitSize { limit: 1000 })), "{ended:?} after {size} bytes");
        }
    }
}
