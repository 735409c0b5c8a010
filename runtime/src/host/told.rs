//! What the user is told of what guests do: each thing once. Guests pick what there is to tell, so there is an end to it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What has been told already.
#[derive(Default)]
pub(crate) struct Told(Mutex<HashSet<String>>);

impl Told {
    const MOST: usize = 100;

    /// Whether this is the first time.
    pub(crate) fn is_first(&self, what: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < Self::MOST && told.insert(what.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_an_end() {
        let told = Told::default();
        assert!(told.is_first("a") && !told.is_first("a") && told.is_first("b"));
        let many = (0..1000).filter(|index| told.is_first(&index.to_string())).count();
        assert_eq!(many, Told::MOST - 2);
    }
}
