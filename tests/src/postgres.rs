//! A PostgreSQL server of the test's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::certificates::Issued;
use crate::output::{Output, PATIENCE};
use crate::process::{Process, Signal};
use crate::server;
use crate::user::User;

/// A running server, on a loopback port, that everybody may use. Dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    log: Output,
    address: SocketAddr,
    options: Vec<String>,
    // Deleted after the server has ended: `Drop` waits for it.
    folder: TempDir,
}

impl Postgres {
    /// Starts a server with an empty database and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If PostgreSQL isn't installed, or it does not start.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// The same with TLS, which clients need not use.
    #[track_caller]
    pub fn start_with_tls(server: &Issued) -> Self {
        Self::start_with(Some(server))
    }

    #[track_caller]
    fn start_with(tls: Option<&Issued>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        give_to_owner(folder.path());
        let data = folder.path().join("data");
        let mut create = program("initdb");
        create.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let created = create.output().unwrap_or_else(|error| panic!("{}: {error}", missing()));
        assert!(created.status.success(), "initdb fails:\n{}", String::from_utf8_lossy(&created.stderr));
        let mut options = Vec::new();
        if let Some(tls) = tls {
            options.push("ssl=on".to_owned());
            for (name, from) in [("ssl_cert_file", &tls.certificate), ("ssl_key_file", &tls.key)] {
                let to = folder.path().join(name);
                std::fs::copy(from, &to).expect("a file of the test can be copied");
                std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).expect("a file of our own");
                give_to_owner(&to);
                options.push(format!("{name}={}", to.display()));
            }
        }
        server::on_a_free_port(folder, |port, folder| Self::try_start(port, options.clone(), folder))
    }

    fn try_start(port: u16, options: Vec<String>, folder: TempDir) -> Result<Self, (String, TempDir)> {
        let mut command = program("postgres");
        command.current_dir(folder.path()).arg("-D").arg(folder.path().join("data"));
        command.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        command.args(["-c", "fsync=off"]);
        for option in &options {
            command.args(["-c", option]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", missing()));
        let (log, _) = Output::collect(child.stderr.take().expect("stderr is a pipe"));
        let process = Process::new(child);
        match log.line_within(PATIENCE, |line| line.contains("ready to accept connections")) {
            Ok(_) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                Ok(Self { process, log, address, options, folder })
            }
            Err(_) => Err((log.text(), folder)),
        }
    }

    /// Ends it at once, with all that its clients are doing; [`Stopped::start`] starts it again where it was.
    #[track_caller]
    pub fn kill(mut self) -> Stopped {
        self.process.signal(Signal::QUIT);
        self.process.wait(PATIENCE).expect("it ends at once");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary folder can be made"));
        Stopped { port: self.address.port(), options: std::mem::take(&mut self.options), folder }
    }

    /// Its address as components name it.
    pub fn url(&self) -> String {
        url(self.address.port())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its log so far.
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// Runs SQL as a client of its own (`psql`), and gives the rows, each value as a text.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-F", "\t", "-P", "null=null", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-d", &self.url(), "-c", sql]);
        server::rows(&mut psql, sql, missing())
    }
}

impl Drop for Postgres {
    /// Without waiting for clients to leave, as it would by default.
    fn drop(&mut self) {
        self.process.signal(Signal::INT);
        self.process.wait(Duration::from_secs(10));
    }
}

/// A server that has ended, with what it keeps.
#[derive(Debug)]
pub struct Stopped {
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

impl Stopped {
    /// Its address as components name it.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, at the same address.
    #[track_caller]
    pub fn start(self) -> Postgres {
        Postgres::try_start(self.port, self.options, self.folder)
            .unwrap_or_else(|(log, _)| panic!("the server does not start again:\n{log}"))
    }
}

fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

fn missing() -> &'static str {
    "PostgreSQL cannot be started: apt-get install postgresql"
}

/// One of its programs, which Debian keeps in a folder for each version, as the user that may run it: it refuses root.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|program| program.is_file());
    found.sort();
    let mut command = Command::new(found.pop().unwrap_or_else(|| name.into()));
    if let Some(user) = User::instead_of_root("postgres") {
        user.runs(&mut command);
    }
    command
}

fn give_to_owner(path: &Path) {
    if let Some(user) = User::instead_of_root("postgres") {
        user.gets(path);
    }
}
