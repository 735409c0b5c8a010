//! Every row of hostile cases is there, in an area that takes its cases.

use spin_tests::hostile;

/// The test binaries that name their cases, and compare the names with the file.
const AREAS: [&str; 5] = ["executors", "hosts", "http", "redis", "triggers"];

#[test]
fn every_row_of_hostile_cases_has_some_that_an_area_takes() {
    assert!(hostile::areas().into_iter().eq(AREAS), "an area without tests: {:?}", hostile::areas());
    let keys = AREAS.into_iter().flat_map(hostile::keys);
    let rows: Vec<&str> = keys.filter_map(|key| key.split(' ').next()).collect();
    for row in ["9", "10", "11", "12", "13", "14", "15", "16", "20", "21", "22", "25"] {
        assert!(rows.contains(&row), "row {row} has no case");
    }
}
