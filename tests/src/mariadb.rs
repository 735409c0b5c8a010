//! A MariaDB server of the test's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::certificates::Issued;
use crate::output::{Output, PATIENCE};
use crate::process::{Process, Signal};
use crate::server;
use crate::user::User;

/// A running server, on a loopback port, with a database `app` that everybody may use. Dropping it ends it.
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    log: Output,
    address: SocketAddr,
    options: Vec<String>,
    // Deleted after the server has ended: fields are dropped in order.
    folder: TempDir,
}

impl MariaDb {
    /// Starts a server with an empty database and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If MariaDB isn't installed, or it does not start.
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
        let data = format!("--datadir={}", folder.path().join("data").display());
        let mut create = program("mariadb-install-db");
        create.current_dir(folder.path()).args(["--no-defaults", &data, "--skip-test-db"]);
        // Its temporary tables have names that are taken in the folder of all.
        create.env("TMPDIR", folder.path());
        create.arg("--auth-root-authentication-method=normal");
        let created = create.output().unwrap_or_else(|error| panic!("{}: {error}", missing()));
        assert!(created.status.success(), "no data folder:\n{}", String::from_utf8_lossy(&created.stderr));
        let mut options = vec![data];
        if let Some(tls) = tls {
            for (option, from) in [("--ssl-cert", &tls.certificate), ("--ssl-key", &tls.key)] {
                let to = folder.path().join(option.trim_start_matches('-'));
                std::fs::copy(from, &to).expect("a file of the test can be copied");
                std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).expect("a file of our own");
                give_to_owner(&to);
                options.push(format!("{option}={}", to.display()));
            }
        }
        let server = server::on_a_free_port(folder, |port, folder| Self::try_start(port, options.clone(), folder));
        server.query_in("", "CREATE DATABASE app");
        server
    }

    fn try_start(port: u16, options: Vec<String>, folder: TempDir) -> Result<Self, (String, TempDir)> {
        let mut command = program("mariadbd");
        command.current_dir(folder.path()).arg("--no-defaults").args(&options);
        command.args(["--bind-address=127.0.0.1", &format!("--port={port}")]);
        command.arg(format!("--socket={}", folder.path().join("socket").display()));
        command.arg("--innodb-flush-log-at-trx-commit=0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", missing()));
        let (log, _) = Output::collect(child.stderr.take().expect("stderr is a pipe"));
        let process = Process::new(child);
        match log.line_within(PATIENCE, |line| line.contains("ready for connections")) {
            Ok(_) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                Ok(Self { process, log, address, options, folder })
            }
            Err(_) => Err((log.text(), folder)),
        }
    }

    /// Ends it at once, with all that its clients are doing; [`Stopped::start`] starts it again where it was.
    #[track_caller]
    pub fn kill(self) -> Stopped {
        let Self { mut process, address, options, folder, .. } = self;
        process.signal(Signal::KILL);
        process.wait(PATIENCE).expect("it ends at once");
        Stopped { port: address.port(), options, folder }
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

    /// Runs SQL as a client of its own (`mariadb`), and gives the rows, each value as a text.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.query_in("app", sql)
    }

    #[track_caller]
    fn query_in(&self, database: &str, sql: &str) -> Vec<Vec<String>> {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-N", "-B", "-P", &self.port().to_string()]);
        client.args(["-e", sql]).args((!database.is_empty()).then_some(database));
        server::rows(&mut client, sql, missing())
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

    /// Starts it again, at the same address.
    #[track_caller]
    pub fn start(self) -> MariaDb {
        MariaDb::try_start(self.port, self.options, self.folder)
            .unwrap_or_else(|(log, _)| panic!("the server does not start again:\n{log}"))
    }
}

fn url(port: u16) -> String {
    format!("mysql://root@127.0.0.1:{port}/app")
}

fn missing() -> &'static str {
    "MariaDB cannot be started: apt-get install mariadb-server"
}

/// One of its programs, as the user that may run it: it refuses root.
fn program(name: &str) -> Command {
    // Debian puts it where only root looks.
    let path = Path::new("/usr/sbin").join(name);
    let mut command = if path.is_file() { Command::new(path) } else { Command::new(name) };
    if let Some(user) = User::instead_of_root("mysql") {
        user.runs(&mut command);
    }
    command
}

fn give_to_owner(path: &Path) {
    if let Some(user) = User::instead_of_root("mysql") {
        user.gets(path);
    }
}
