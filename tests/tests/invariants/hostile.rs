//! No hostile case is only written down.

use std::fs::{read_dir, read_to_string};
use std::path::Path;

use spin_tests::{hostile, repository};

#[test]
fn every_hostile_case_is_taken_by_a_test() {
    let mut tests = String::new();
    collect(&repository().join("tests/tests"), &mut tests);
    let keys = hostile::keys();
    let rows: Vec<&str> = keys.iter().filter_map(|key| key.split(' ').next()).collect();
    for row in ["9", "10", "11", "12", "13", "14", "15", "25"] {
        assert!(rows.contains(&row), "row {row} has no case");
    }
    let is_taken = |key: &str| ["cases", "only"].iter().any(|by| tests.contains(&format!("hostile::{by}(\"{key}\")")));
    let left: Vec<_> = keys.iter().filter(|key| !is_taken(key)).collect();
    assert!(left.is_empty(), "no test takes the cases {left:?} of tests/data/hostile.txt");
}

/// Appends the text of all tests below a folder.
fn collect(folder: &Path, into: &mut String) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&read_to_string(&path).unwrap());
        }
    }
}
