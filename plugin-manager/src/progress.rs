//! How an installation tells how far it is. Libraries never print; the terminal's side implements [`Progress`].

/// Told about the steps of an installation. Steps follow one another: every `start` is followed by a `finish`
/// unless the step fails.
pub trait Progress: Send + Sync {
    /// A step begins. `total` is its size in bytes, if that is known.
    fn start(&self, label: &str, total: Option<u64>);
    /// `bytes` more of the step are done.
    fn advance(&self, bytes: u64);
    /// The step is done.
    fn finish(&self);
}

/// A [`Progress`] that tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
