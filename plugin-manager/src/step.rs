//! The steps of installing and uninstalling, as points where a test may kill the process. In a build that is not a test this is
//! nothing at all.

/// A point between two changes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The lock is held; nothing was changed.
    Locked,
    /// What killed installations left is gone.
    Swept,
    /// A part of the archive is in the store.
    Fetching,
    /// The archive is in the store and its digest is right.
    Fetched,
    /// Some of its files are unpacked.
    Unpacking,
    /// All of its files are unpacked and on disk.
    Unpacked,
    /// A damaged folder of the same release was moved away.
    MovedAway,
    /// The folder has its final name; the record does not know it.
    Renamed,
    /// The new record is written beside the old one.
    RecordWritten,
    /// The new record is in place.
    Recorded,
    /// The record does not know a release any more; its folder is still there.
    Forgotten,
}

#[cfg(not(test))]
pub(crate) fn reached(_: Step) {}

/// Dies the way a power cut would: no destructor runs.
#[cfg(test)]
pub(crate) fn reached(step: Step) {
    if std::env::var("SPIN_TEST_KILL_AT").is_ok_and(|wanted| wanted == format!("{step:?}")) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
