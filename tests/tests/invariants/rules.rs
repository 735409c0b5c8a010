//! Every rule of the HTTP trigger is shown by a test, or says why it is not.

use std::collections::BTreeSet;

use spin_tests::rules;

#[test]
fn every_rule_names_tests_of_binaries_that_look_for_them() {
    let rules = rules::all();
    assert!(rules.len() >= 150, "{} rules", rules.len());
    let texts: BTreeSet<&str> = rules.iter().map(|rule| rule.text).collect();
    assert_eq!(texts.len(), rules.len(), "each is written once");
    for rule in rules {
        for named in rule.shown.unwrap_or_default() {
            let binary = named.split("::").next().unwrap_or_default();
            assert!(rules::BINARIES.contains(&binary), "line {}: who looks for {named}?", rule.line);
        }
    }
}
