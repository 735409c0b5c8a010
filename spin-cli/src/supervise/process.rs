//! What `/proc` tells about processes: who descends from whom.
//!
//! A trigger may be a script that starts the real program. Such a grandchild may speak on the control channel, and
//! it must not outlive the app.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid};
use spin_app_model::launch::{ControlAddress, env};
use tokio::signal::unix::SignalKind;

/// A chain of parents longer than this is not one that a trigger makes.
const DEEPEST: usize = 64;

/// Whether `process` is `ancestor` or was started, directly or not, by it.
pub(super) fn descends_from(process: Pid, ancestor: Pid) -> bool {
    std::iter::successors(Some(process), |&process| parent(process)).take(DEEPEST).any(|process| process == ancestor)
}

/// What triggers and build commands leave behind: processes whose parent has ended, and that are our children since.
#[derive(Debug)]
pub(crate) struct Orphans {
    /// Whose children they are: ours. `None` if there are none to look for.
    parent: Option<Pid>,
    /// Children that are none of ours: `server & exec spin up` hands the server down.
    strangers: Vec<Pid>,
    /// The triggers themselves, which are waited for elsewhere.
    triggers: Vec<Pid>,
    /// The marks of triggers that have ended, whose orphans are killed as they appear.
    doomed: Vec<Vec<u8>>,
    /// Tells that a child has ended; `None` if that cannot be heard.
    ended: Option<tokio::signal::unix::Signal>,
}

impl Orphans {
    /// From now on the processes whose parent ends become our children, so that they can be found.
    pub(crate) fn adopt() -> Self {
        let this = rustix::process::getpid();
        let strangers = children_of(this);
        // Best effort: without it (a kernel older than 3.4) only grandchildren of a trigger that ends can be missed.
        _ = rustix::process::set_child_subreaper(Some(this));
        // Without this one, dead orphans stay in the table of processes until we end.
        let ended = tokio::signal::unix::signal(SignalKind::child()).ok();
        Self { parent: Some(this), strangers, triggers: Vec::new(), doomed: Vec::new(), ended }
    }

    /// For tests, many of which share this process and its children.
    #[cfg(test)]
    pub(super) fn nobodys() -> Self {
        Self { parent: None, strangers: Vec::new(), triggers: Vec::new(), doomed: Vec::new(), ended: None }
    }

    /// Notes a child that is no orphan but a trigger.
    pub(super) fn except(&mut self, trigger: Pid) {
        self.triggers.push(trigger);
    }

    /// Takes note that a trigger has ended.
    pub(super) fn ended(&mut self, trigger: Pid) {
        self.triggers.retain(|&known| known != trigger);
    }

    /// Kills what a trigger that has ended leaves behind: whatever was started with its control channel in the
    /// environment. For when the app goes on: it must neither be in the way of the trigger's next start nor outlive it.
    pub(super) fn doom(&mut self, control: &ControlAddress) {
        self.doomed.push(format!("{}={control}", env::CONTROL).into_bytes());
        self.kill_doomed();
    }

    /// Kills what is doomed among our children. Their own children become ours and are found when they have ended.
    fn kill_doomed(&mut self) {
        let mut doomed = std::mem::take(&mut self.doomed);
        let orphans = if doomed.is_empty() { Vec::new() } else { self.all() };
        let marked: Vec<_> = orphans.into_iter().filter_map(|orphan| Some((orphan, environment(orphan)?))).collect();
        doomed.retain(|mark| {
            let has_mark = |variables: &[u8]| variables.split(|&byte| byte == 0).any(|variable| variable == mark);
            let of_mark: Vec<Pid> =
                marked.iter().filter(|(_, variables)| has_mark(variables)).map(|&(orphan, _)| orphan).collect();
            for &orphan in &of_mark {
                // It can only fail for one that has ended meanwhile, or belongs to another user by now.
                _ = kill_process(orphan, Signal::KILL);
            }
            !of_mark.is_empty()
        });
        self.doomed = doomed;
    }

    /// Buries orphans as they end, for ever. Can be cancelled at any time.
    pub(super) async fn bury(&mut self) {
        loop {
            self.an_end().await;
            self.reap();
            self.kill_doomed();
        }
    }

    /// Asks every orphan to end, as if it were a trigger that knows only protocol 0, until there is none. Can be
    /// cancelled at any time. Only for when all triggers have ended.
    pub(crate) async fn drain(&mut self) {
        self.forget_triggers();
        let mut told = Vec::new();
        loop {
            self.reap();
            let orphans = self.all();
            if orphans.is_empty() {
                return;
            }
            for orphan in orphans {
                if !told.contains(&orphan) {
                    // It can only fail for one that has ended meanwhile, or belongs to another user by now.
                    _ = kill_process(orphan, Signal::TERM);
                    told.push(orphan);
                }
            }
            self.an_end().await;
        }
    }

    /// Kills the orphans, and those that this makes orphans, until there is none.
    ///
    /// Only for when all triggers have ended. Each one is killed and then waited for, so its number cannot belong to
    /// another process; its own children then become ours.
    pub(crate) fn kill(mut self) {
        self.forget_triggers();
        loop {
            let orphans = self.all();
            if orphans.is_empty() {
                return;
            }
            for orphan in orphans {
                if kill_process(orphan, Signal::KILL).is_err() || waitpid(Some(orphan), WaitOptions::empty()).is_err() {
                    // It belongs to another user by now, and must not keep us from the next one.
                    self.strangers.push(orphan);
                }
            }
        }
    }

    /// The same when this is dropped, be it early.
    pub(crate) fn kill_at_last(self) -> impl Drop {
        struct AtLast(Option<Orphans>);
        impl Drop for AtLast {
            fn drop(&mut self) {
                if let Some(orphans) = self.0.take() {
                    orphans.kill();
                }
            }
        }
        AtLast(Some(self))
    }

    /// They have ended, and their numbers may be those of other processes by now.
    fn forget_triggers(&mut self) {
        self.triggers.clear();
    }

    fn all(&self) -> Vec<Pid> {
        let mut children = self.parent.map(children_of).unwrap_or_default();
        children.retain(|child| !self.strangers.contains(child) && !self.triggers.contains(child));
        children
    }

    async fn an_end(&mut self) {
        match &mut self.ended {
            Some(ended) => _ = ended.recv().await,
            None => std::future::pending().await,
        }
    }

    fn reap(&self) {
        for orphan in self.all() {
            // Those that have not ended are passed over.
            _ = waitpid(Some(orphan), WaitOptions::NOHANG);
        }
    }
}

fn children_of(parent_pid: Pid) -> Vec<Pid> {
    // Looking for some means reading about every process of the machine, and as a rule there are none.
    if parent_pid == rustix::process::getpid() && !has_children() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|&process| parent(process) == Some(parent_pid))
        .collect()
}

/// Whether this process has a child, be it one that has ended and was not waited for.
fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// The environment that a process was started with; none if it has ended.
fn environment(process: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{}/environ", process.as_raw_nonzero())).ok()
}

fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    parent_in(&stat)
}

/// The parent in the text of `/proc/<pid>/stat`: the second field after the program's name, which stands in
/// parentheses and may itself hold spaces and parentheses.
fn parent_in(stat: &[u8]) -> Option<Pid> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_program_name() {
        let pid = |raw| Pid::from_raw(raw);
        assert_eq!(parent_in(b"7 (sh) S 42 7 7 0"), pid(42));
        assert_eq!(parent_in(b"7 (a) R 1 (b) S 42 7 7 0"), pid(42));
        assert_eq!(parent_in(b"7 (\xff) S 42 7"), pid(42));
        assert_eq!(parent_in(b"7 (init) S 0 7"), None);
        assert_eq!(parent_in(b"7 sh S"), None);
    }

    /// Says that the test below runs in a process of its own.
    const ALONE: &str = "SPIN_TEST_ALONE";

    /// A shell that leaves a process behind; gives the number of that process.
    fn leave_behind(orphans: &mut Orphans, script: &str) -> Pid {
        let script = format!("{script} >/dev/null & echo $!");
        let mut shell = std::process::Command::new("sh");
        let shell = shell.args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        orphans.except(Pid::from_child(&shell));
        let said = shell.wait_with_output().unwrap().stdout;
        Pid::from_raw(String::from_utf8(said).unwrap().trim().parse().unwrap()).unwrap()
    }

    /// In a process of its own, because all tests of one process have the same children.
    #[test]
    fn orphans_are_buried_and_killed_and_strangers_are_not() {
        if std::env::var_os(ALONE).is_none() {
            let this = std::env::current_exe().unwrap();
            let name = "supervise::process::tests::orphans_are_buried_and_killed_and_strangers_are_not";
            let status = std::process::Command::new(this).args(["--exact", name]).env(ALONE, "1").status().unwrap();
            assert!(status.success());
            return;
        }
        let mut stranger = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut orphans = runtime.block_on(async { Orphans::adopt() });

        let stubborn = leave_behind(&mut orphans, "trap '' TERM; sleep 600");
        leave_behind(&mut orphans, "sleep 600");
        leave_behind(&mut orphans, "true");
        let fewer_than = async |children| {
            let fewer = async {
                while children_of(rustix::process::getpid()).len() >= children {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(60), fewer).await.unwrap();
        };
        // One ends by itself, and is no child of ours any more as soon as it is buried; one ends when it is asked to.
        runtime.block_on(async {
            tokio::select! { () = orphans.bury() => {}, () = fewer_than(4) => {} }
        });
        runtime.block_on(async {
            tokio::select! { () = orphans.drain() => {}, () = fewer_than(3) => {} }
        });
        let left = children_of(rustix::process::getpid());
        assert!(left.len() == 2 && left.contains(&Pid::from_child(&stranger)) && left.contains(&stubborn), "{left:?}");

        assert!(has_children());
        orphans.kill();
        assert_eq!(children_of(rustix::process::getpid()), [Pid::from_child(&stranger)]);
        drop(stranger.stdin.take());
        assert!(has_children(), "one that has ended, too, until it is waited for");
        assert!(stranger.wait().unwrap().success(), "it was not killed");
        assert!(!has_children());
    }

    #[test]
    fn children_and_grandchildren_descend_and_strangers_do_not() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let this = rustix::process::getpid();
        assert!(descends_from(pid, pid));
        assert!(descends_from(pid, this));
        assert!(!descends_from(this, pid));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
