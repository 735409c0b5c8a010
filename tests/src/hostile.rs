//! Hostile cases, as data: `tests/data/hostile.txt`.

use std::collections::BTreeSet;

const FILE: &str = include_str!("../data/hostile.txt");

/// The cases of this key: what each is made of.
///
/// # Panics
///
/// If there are none.
#[track_caller]
pub fn cases(key: &str) -> Vec<Vec<&'static str>> {
    let cases: Vec<_> = lines().filter(|(of, _)| *of == key).map(|(_, case)| case).collect();
    assert!(!cases.is_empty(), "there are no cases `{key}` in tests/data/hostile.txt");
    cases
}

/// The one case of this key.
///
/// # Panics
///
/// If there is none, or another one that would never be tried.
#[track_caller]
pub fn only(key: &str) -> Vec<&'static str> {
    let mut cases = cases(key);
    assert_eq!(cases.len(), 1, "the test of `{key}` tries one case only");
    cases.remove(0)
}

/// All keys.
pub fn keys() -> BTreeSet<&'static str> {
    lines().map(|(key, _)| key).collect()
}

fn lines() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    FILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let mut fields = line.split('|').map(str::trim);
        (fields.next().unwrap_or_default(), fields.collect())
    })
}
