//! The users that servers run as, which refuse to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A user that a package has made for its server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    user: u32,
    group: u32,
}

impl User {
    /// The one of this name, if we are root; anybody else runs servers himself.
    #[track_caller]
    pub(crate) fn instead_of_root(name: &str) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            return None;
        }
        let users = std::fs::read_to_string("/etc/passwd").expect("the users of this machine can be read");
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = fields.into_iter().find(|fields| fields[0] == name);
        let found = found.unwrap_or_else(|| panic!("the package of the server has made no user {name}"));
        let number = |at: usize| found[at].parse().expect("users and groups are numbers");
        Some(Self { user: number(2), group: number(3) })
    }

    /// Has a program run as this user.
    pub(crate) fn runs(self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }

    /// Gives this user a file or a folder.
    #[track_caller]
    pub(crate) fn gets(self, path: &Path) {
        chown(path, Some(self.user), Some(self.group)).expect("root may give a file away");
    }
}
