//! What was used last of something that others choose, so that there is an end to how much is kept.

/// At most so many things, each by its key. The one that was used most recently comes first.
pub(crate) struct Recent<K, V> {
    most: usize,
    kept: Vec<(K, V)>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// For at most `most` of them.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Vec::new() }
    }

    /// What is kept for `key`, or is made for it; and what was used least recently, if it had to go for that.
    pub(crate) fn get_or_insert(&mut self, key: K, make: impl FnOnce() -> V) -> (V, Option<V>) {
        let entry = match self.kept.iter().position(|(known, _)| *known == key) {
            Some(at) => self.kept.remove(at),
            None => (key, make()),
        };
        let value = entry.1.clone();
        self.kept.insert(0, entry);
        let forgotten = if self.kept.len() > self.most { self.kept.pop() } else { None };
        (value, forgotten.map(|(_, value)| value))
    }

    /// Forgets what `keep` says no to.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.kept.retain(|(_, value)| keep(value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.get_or_insert("a", || 1), (1, None));
        assert_eq!(recent.get_or_insert("b", || 2), (2, None));
        assert_eq!(recent.get_or_insert("a", || 9), (1, None), "it is there");
        assert_eq!(recent.get_or_insert("c", || 3), (3, Some(2)));
        recent.retain(|value| *value == 3);
        assert_eq!(recent.get_or_insert("a", || 4), (4, None));
        assert!(!recent.is_empty());
    }
}
