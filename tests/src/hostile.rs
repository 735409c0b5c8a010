//! Hostile cases, as data: `tests/data/hostile.txt`.
//!
//! Each area, which is a test binary, names its cases with the macro of `hostile/named.rs`. The compiler refuses a name that
//! no test uses, and a test in the area compares the names with the file, so that no case is only written down.

use std::collections::BTreeSet;

const FILE: &str = include_str!("../data/hostile.txt");

/// The cases of one key.
#[derive(Debug, Clone, Copy)]
pub struct Cases(&'static str);

impl Cases {
    /// For the macro of `hostile/named.rs`: what is named elsewhere is missed by the comparison.
    pub const fn of(key: &'static str) -> Self {
        Self(key)
    }

    /// What each case is made of.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[track_caller]
    pub fn all(self) -> Vec<Vec<&'static str>> {
        let cases: Vec<_> = lines().filter(|line| line.key == self.0).map(|line| line.fields).collect();
        assert!(!cases.is_empty(), "there are no cases `{}` in tests/data/hostile.txt", self.0);
        cases
    }

    /// The one case.
    ///
    /// # Panics
    ///
    /// If there is none, or another one that would never be tried.
    #[track_caller]
    pub fn only(self) -> Vec<&'static str> {
        let mut cases = self.all();
        assert_eq!(cases.len(), 1, "the test of `{}` tries one case only", self.0);
        cases.remove(0)
    }
}

/// All keys of an area.
pub fn keys(area: &str) -> BTreeSet<&'static str> {
    lines().filter(|line| line.area == area).map(|line| line.key).collect()
}

/// All areas.
pub fn areas() -> BTreeSet<&'static str> {
    lines().map(|line| line.area).collect()
}

struct Line {
    area: &'static str,
    key: &'static str,
    fields: Vec<&'static str>,
}

fn lines() -> impl Iterator<Item = Line> {
    let mut area = "";
    FILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            area = name;
            return None;
        }
        let mut fields = line.split('|').map(str::trim);
        Some(Line { area, key: fields.next().unwrap_or_default(), fields: fields.collect() })
    })
}
