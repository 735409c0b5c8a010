//! The servers that are measured, and where they run.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spin_tests::process::{Invocation, Running};
use spin_tests::{World, http};

use crate::plain;

/// Which cores a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The server on one, the load on another.
    Apart,
    /// Both on all.
    Together,
}

impl Layout {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Apart, Self::Together];

    /// As it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Together => "together",
        }
    }

    fn cores(self, apart: &str) -> String {
        let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
        match self {
            Self::Apart => apart.to_owned(),
            Self::Together => format!("0-{last}"),
        }
    }

    /// The server's cores.
    pub(crate) fn of_server(self) -> String {
        self.cores("0")
    }

    /// The cores of the load.
    pub(crate) fn of_load(self) -> String {
        self.cores("1")
    }
}

/// A server that runs.
pub(crate) struct Server {
    /// As it is called in the report.
    pub(crate) name: &'static str,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// What it consists of; the last one answers.
    pub(crate) processes: Vec<u32>,
    /// What it is asked for under load.
    pub(crate) path: &'static str,
    /// The `wrk` script that makes the requests, unless they are plain ones.
    pub(crate) script: Option<PathBuf>,
    running: Running,
}

impl Server {
    /// `spin up` of the app in `folder`.
    pub(crate) fn spin(world: &World, layout: Layout, name: &'static str, folder: &Path, flags: &[&str]) -> Self {
        let program = world.dist().bin("spin").into_os_string().into_string().expect("a plain path");
        let running = pinned(world, layout).args([&program, "up", "--listen", "127.0.0.1:0"]).args(flags);
        let running = running.in_dir(folder).start();
        let address = running.serving();
        let processes = vec![running.pid(), running.child()];
        Self::answering(name, address, processes, running)
    }

    /// `wasmtime serve` of a component.
    pub(crate) fn wasmtime(
        world: &World,
        layout: Layout,
        name: &'static str,
        program: &Path,
        component: &Path,
        flags: &[&str],
    ) -> Self {
        let running =
            pinned(world, layout).args([program]).args(["serve", "-Scli=y", "--addr", "127.0.0.1:0"]).args(flags);
        let running = running.args([component]).start();
        let line = running.stderr().wait_for("Serving HTTP on http://");
        let (_, address) = line.split_once("http://").expect("it was looked for");
        let address = address.trim().trim_end_matches('/').parse().expect("an address");
        Self::answering(name, address, vec![running.pid()], running)
    }

    /// hyper alone.
    pub(crate) fn plain(world: &World, layout: Layout) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let running = pinned(world, layout).args([program]).args([plain::ARGUMENT, "127.0.0.1:0"]).start();
        let line = running.stdout().wait_for("Serving ");
        let address = line.trim().trim_start_matches("Serving ").parse().expect("an address");
        Self::answering("hyper", address, vec![running.pid()], running)
    }

    fn answering(name: &'static str, address: SocketAddr, processes: Vec<u32>, running: Running) -> Self {
        assert_eq!(http::get(address, "/").status, 200, "{name}");
        Self { name, address, processes, path: "/", script: None, running }
    }

    /// The same, asked for something else, with a body if there is one.
    pub(crate) fn asked(mut self, world: &World, path: &'static str, body: Option<&str>) -> Self {
        self.path = path;
        // A text between brackets of Lua that it has nothing of, which take the first line break away.
        let script = |body| format!("wrk.method = \"POST\"\nwrk.body = [==[\n{body}]==]\n");
        self.script = body.map(|body| world.write(format!("load-{}.lua", self.running.pid()), script(body)));
        self
    }

    /// Processor time that its threads have used so far.
    pub(crate) fn processor_time(&self) -> Duration {
        self.processes.iter().map(|process| processor_time(*process)).sum()
    }

    /// Of this, what its first process has used.
    pub(crate) fn own_time(&self) -> Duration {
        processor_time(self.processes[0])
    }

    /// Bytes of memory, shared ones by share.
    pub(crate) fn memory(&self) -> u64 {
        self.processes.iter().map(|process| proportional(*process)).sum()
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.running.signal(spin_tests::process::Signal::TERM);
        drop(self.running.finish_within(Duration::from_secs(45)));
    }
}

/// A program of `world` on the server's cores.
pub(crate) fn pinned(world: &World, layout: Layout) -> Invocation {
    world.command("/usr/bin/taskset").args(["-c", &layout.of_server()])
}

/// To the nanosecond, of the threads that live.
fn processor_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the server is alive");
    let nanoseconds = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn proportional(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("the server is alive and ours");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("the kernel tells it");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}
