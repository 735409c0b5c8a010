//! How many wait for something.

use tokio::sync::watch;

/// One who waits, for as long as it is kept.
pub(super) struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    pub(super) fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
