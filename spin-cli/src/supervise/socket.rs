//! Where a trigger's control channel is reached: a socket in a private folder, for one connection of the right peer.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use spin_app_model::launch::{AddressError, ControlAddress, MAX_SOCKET_PATH_BYTES};
use tokio::net::{UnixListener, UnixStream};

use super::process;
use crate::report::Report;
use crate::workdir::{PrivateDir, WorkDirError};

/// The folder of all sockets of this process, 0700.
pub(crate) struct SocketDir(PrivateDir);

/// A bound socket that waits for its trigger. The path goes when this does.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    address: ControlAddress,
}

/// Why a control channel cannot be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("cannot make the folder of the control sockets")]
    Folder(#[from] WorkDirError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("cannot bind the control socket \"{}\"", path.display())]
    Bind { path: PathBuf, source: io::Error },
}

impl From<SocketError> for Report {
    fn from(error: SocketError) -> Self {
        Self::of(&error).code("control::socket").help("name a short, writable folder in TMPDIR")
    }
}

impl SocketDir {
    /// Makes the folder in the first of `bases` that exists and allows a socket's path in it: short enough, and text.
    pub(crate) fn create(bases: &[PathBuf]) -> Result<Self, SocketError> {
        // The random part of the folder's name and the socket's own take less than this.
        const ROOM: usize = "/spinup-abcdef/99999.sock".len();
        let fits = |base: &PathBuf| base.to_str().is_some_and(|base| base.len() + ROOM <= MAX_SOCKET_PATH_BYTES);
        // Measured without links, as the folder's own path will be.
        let real = bases.iter().filter(|base| base.is_absolute()).filter_map(|base| base.canonicalize().ok());
        let mut failure = None;
        for base in real.filter(fits).chain(["/tmp".into()]) {
            match PrivateDir::create(&base) {
                Ok(folder) => return Ok(Self(folder)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.expect("the last resort was tried, so something failed").into())
    }

    /// Binds the socket of the `number`th trigger.
    pub(super) fn bind(&self, number: usize) -> Result<Socket, SocketError> {
        let path = self.0.path().join(format!("{number}.sock"));
        let address = ControlAddress::unix(path.clone())?;
        let listener = UnixListener::bind(&path).and_then(|listener| {
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        Ok(Socket { listener: listener.map_err(|source| SocketError::Bind { path, source })?, address })
    }
}

impl Socket {
    /// What `SPIN_CONTROL` says.
    pub(super) fn address(&self) -> &ControlAddress {
        &self.address
    }

    /// The first connection whose peer is `child` or was started by it; any other is closed at once.
    /// Can be cancelled without losing one.
    pub(super) async fn accept(&self, child: Pid) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let peer = stream.peer_cred()?.pid().and_then(Pid::from_raw);
            if peer.is_some_and(|peer| process::descends_from(peer, child)) {
                return Ok(stream);
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(self.address.path());
    }
}

fn remove(path: &Path) {
    // Nothing depends on it: the folder goes with the process, or at the next start.
    drop(std::fs::remove_file(path));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_private_and_accepts_only_descendants() {
        let base = tempfile::tempdir().unwrap();
        let folder = SocketDir::create(&[base.path().to_owned()]).unwrap();
        let socket = folder.bind(0).unwrap();
        let path = socket.address().path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);

        // This process is not a descendant of a child that it starts.
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let stranger = UnixStream::connect(&path).await.unwrap();
        tokio::select! {
            biased;
            accepted = socket.accept(Pid::from_child(&child)) => panic!("a stranger was accepted: {accepted:?}"),
            // The stranger sees the end of its connection once it was taken from the queue and refused.
            readable = stranger.readable() => readable.unwrap(),
        }
        assert_eq!(stranger.try_read(&mut [0; 1]).unwrap(), 0);

        let friend = UnixStream::connect(&path).await.unwrap();
        socket.accept(rustix::process::getpid()).await.unwrap();
        drop((friend, socket));
        assert!(!path.exists());
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_base_that_leaves_no_room_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("x".repeat(90));
        std::fs::create_dir(&deep).unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&deep, &link).unwrap();
        let odd = base.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
        std::fs::create_dir(&odd).unwrap();
        let missing = base.path().join("missing");
        let folder = SocketDir::create(&[deep, link, odd, missing, base.path().to_owned()]).unwrap();
        assert_eq!(folder.0.path().parent(), Some(base.path().canonicalize().unwrap().as_path()));
    }
}
