//! A host of the test's own, for one trigger: starts it on a control channel and says what a test wants to say.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use serde_json::{Value, json};

use crate::output::Output;
use crate::process::{Invocation, Running};
use crate::world::World;

/// The host's end of the channel. The trigger ends when this is dropped.
#[derive(Debug)]
pub struct Host {
    stream: UnixStream,
    lines: Output,
}

impl Host {
    /// Starts `trigger` for the generation that lies in `folder`: `spin.lock` in it, and whatever that names.
    ///
    /// # Panics
    ///
    /// If it can't be started, or doesn't say hello.
    #[track_caller]
    pub fn start(world: &World, trigger: Invocation, folder: &Path) -> (Self, Running) {
        let socket = world.path("run/control.sock");
        let listener = UnixListener::bind(&socket).expect("a socket can be bound in the world");
        let address = format!("unix:{}", socket.display());
        let trigger = trigger.env("SPIN_CONTROL", address).env("SPIN_WORKING_DIR", folder);
        let running = trigger.env("SPIN_LOCKED_URL", locked_url(folder)).start();
        let (stream, _) = listener.accept().expect("the trigger connects");
        let (lines, _) = Output::collect(stream.try_clone().expect("a socket can be had twice"));
        let host = Self { stream, lines };
        host.lines.wait_for("{\"hello\":");
        host.say(&json!({ "welcome": { "protocol": 1, "features": ["reload", "status"] } }));
        (host, running)
    }

    /// Says a message.
    ///
    /// # Panics
    ///
    /// If the trigger is gone.
    #[track_caller]
    pub fn say(&self, message: &Value) {
        (&self.stream).write_all(format!("{message}\n").as_bytes()).expect("the trigger hears it");
    }

    /// Announces the generation `id`, which lies in `folder`.
    #[track_caller]
    pub fn announce(&self, id: u64, folder: &Path) {
        self.say(&json!({ "reload": { "id": id, "locked_url": locked_url(folder), "working_dir": folder } }));
    }

    /// Waits for a message that the trigger sends; earlier ones count as seen.
    ///
    /// # Panics
    ///
    /// If it does not come.
    #[track_caller]
    pub fn wait_for(&self, message: &str) -> String {
        self.lines.wait_for(message)
    }

    /// All that the trigger has sent.
    pub fn heard(&self) -> String {
        self.lines.text()
    }
}

fn locked_url(folder: &Path) -> String {
    format!("file://{}/spin.lock", folder.display())
}
