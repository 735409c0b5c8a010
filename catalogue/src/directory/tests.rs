//! Tests of reading a catalogue folder.
#![allow(clippy::unwrap_used, reason = "tests")]

use tempfile::TempDir;

use super::*;

fn manifest(name: &str, version: &str) -> String {
    format!(r#"{{"name":"{name}","version":"{version}","spinCompatibility":">=2","license":"MIT","packages":[]}}"#)
}

fn catalogue(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn versions(listing: &Listing) -> Vec<&str> {
    let mut versions: Vec<_> = listing.releases.iter().map(|release| &release.version).collect();
    versions.sort();
    versions.into_iter().map(|version| version.as_str()).collect()
}

#[test]
fn a_folder_without_an_index_is_scanned() {
    let folder = catalogue(&[
        ("manifests/x/x.json", &manifest("x", "2.0.0")),
        ("manifests/x/x@1.0.0.json", &manifest("x", "1.0.0")),
        ("manifests/x/x@2.0.0.json", &manifest("x", "2.0.0")),
        ("manifests/x/x@0.1.0.json", &manifest("x", "0.1")),
        ("manifests/x/x@3.0.0.json", "not json"),
        ("manifests/x/x@4.0.0.json", &manifest("y", "4.0.0")),
        ("manifests/x/README.md", "ignored"),
        ("manifests/y/y.json", &manifest("y", "1.0.0")),
        ("manifests/Bad Name/z.json", "ignored"),
        ("README.md", "ignored"),
    ]);
    let directory = Directory::open(folder.path()).unwrap();
    let listing = directory.releases(&"x".parse().unwrap()).unwrap();
    assert_eq!(versions(&listing), ["0.1", "1.0.0", "2.0.0"]);
    assert_eq!(listing.skipped.len(), 2);
    let two = listing.releases.iter().find(|release| release.version == "2.0.0").unwrap();
    assert_eq!(two.path.as_str(), "manifests/x/x@2.0.0.json", "the file named after its version wins");
    assert!(directory.releases(&"unknown".parse().unwrap()).unwrap().releases.is_empty());
    assert_eq!(directory.names().unwrap(), ["x".parse().unwrap(), "y".parse().unwrap()]);
}

#[test]
fn an_index_is_the_only_authority_where_there_is_one() {
    let index = r#"{"schema":1,"serial":3,"plugins":{"x":[{"version":"1.0.0","spinCompatibility":">=2","platforms":["linux-amd64"],"path":"manifests/x/x@1.0.0.json"}]}}"#;
    let folder = catalogue(&[
        ("index.json", index),
        ("manifests/x/x@1.0.0.json", &manifest("x", "1.0.0")),
        ("manifests/x/x@2.0.0.json", &manifest("x", "2.0.0")),
        ("manifests/y/y.json", &manifest("y", "1.0.0")),
    ]);
    let directory = Directory::open(folder.path()).unwrap();
    let listing = directory.releases(&"x".parse().unwrap()).unwrap();
    assert_eq!(versions(&listing), ["1.0.0"]);
    assert_eq!(directory.names().unwrap(), ["x".parse().unwrap()]);
    let (read, bytes) = directory.manifest(&"x".parse().unwrap(), &listing.releases[0].path).unwrap();
    assert_eq!((read.version.as_str(), bytes.len()), ("1.0.0", manifest("x", "1.0.0").len()));
}

#[test]
fn what_cannot_be_used_is_named() {
    let missing = Directory::open(Path::new("/nonexistent/catalogue")).unwrap_err();
    assert_eq!(missing.code(), "catalogue::unreadable");
    assert!(missing.to_string().contains("/nonexistent/catalogue"));
    let folder = catalogue(&[("index.json", r#"{"schema":9}"#)]);
    let newer = Directory::open(folder.path()).unwrap_err();
    assert_eq!(newer.code(), "catalogue::bad-index");
    assert!(newer.to_string().contains("schema 9"), "{newer}");
    let folder = catalogue(&[("manifests/x/x.json", &manifest("y", "1.0.0"))]);
    let directory = Directory::open(folder.path()).unwrap();
    let other = directory.manifest(&"x".parse().unwrap(), &layout::latest_manifest(&"x".parse().unwrap())).unwrap_err();
    assert_eq!(other.code(), "catalogue::other-name");
    let large = directory.read(&layout::latest_manifest(&"x".parse().unwrap()), 10).unwrap_err();
    assert_eq!(large.code(), "catalogue::too-large");
}

#[test]
fn fifty_thousand_manifests_cost_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    for plugin in 0..50 {
        let plugin = format!("p{plugin}");
        fs::create_dir_all(manifests.join(&plugin)).unwrap();
        let first = manifests.join(format!("{plugin}/{plugin}.json"));
        fs::write(&first, manifest(&plugin, "1.0.0")).unwrap();
        for version in 1..1_000 {
            fs::hard_link(&first, manifests.join(format!("{plugin}/{plugin}@1.{version}.0.json"))).unwrap();
        }
    }
    let started = std::time::Instant::now();
    let directory = Directory::open(folder.path()).unwrap();
    assert_eq!(directory.names().unwrap().len(), 50);
    assert_eq!(directory.releases(&"p7".parse().unwrap()).unwrap().releases.len(), 1);
    assert!(directory.releases(&"p777".parse().unwrap()).unwrap().releases.is_empty());
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn more_manifests_of_one_plugin_than_are_read_are_an_error_and_not_a_part_of_the_truth() {
    let folder = catalogue(&[("manifests/x/x.json", &manifest("x", "1.0.0"))]);
    let first = folder.path().join("manifests/x/x.json");
    for version in 0..MAX_RELEASES {
        fs::hard_link(&first, folder.path().join(format!("manifests/x/x@{version}.0.0.json"))).unwrap();
    }
    let error = Directory::open(folder.path()).unwrap().releases(&"x".parse().unwrap()).unwrap_err();
    assert_eq!(error.code(), "catalogue::too-many");
    assert!(error.to_string().contains("index.json"), "{error}");
}

#[test]
fn manifests_nested_a_hundred_thousand_deep_are_passed_over() {
    let deep = format!(r#"{{"name":"x","version":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    let hidden = manifest("x", "3.0.0")
        .replace("\"license\"", &format!("\"more\":{}{},\"license\"", "[".repeat(100_000), "]".repeat(100_000)));
    let twice = manifest("x", "4.0.0").replace("\"license\"", "\"version\":\"5.0.0\",\"license\"");
    let folder = catalogue(&[
        ("manifests/x/x.json", &manifest("x", "1.0.0")),
        ("manifests/x/x@2.0.0.json", &deep),
        ("manifests/x/x@3.0.0.json", &hidden),
        ("manifests/x/x@4.0.0.json", &twice),
    ]);
    let listing = Directory::open(folder.path()).unwrap().releases(&"x".parse().unwrap()).unwrap();
    assert_eq!(versions(&listing), ["1.0.0", "3.0.0"], "what is not looked at takes no stack");
    assert_eq!(listing.skipped.len(), 2);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let outside = catalogue(&[("x.json", &manifest("x", "6.6.6")), ("y/y.json", &manifest("y", "6.6.6"))]);
    let folder = catalogue(&[("manifests/x/x@1.0.0.json", &manifest("x", "1.0.0"))]);
    symlink(outside.path().join("x.json"), folder.path().join("manifests/x/x.json")).unwrap();
    symlink(outside.path().join("y"), folder.path().join("manifests/y")).unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let listing = directory.releases(&"x".parse().unwrap()).unwrap();
    assert_eq!(versions(&listing), ["1.0.0"]);
    assert_eq!(listing.skipped[0].code(), "catalogue::not-a-file");
    assert!(directory.releases(&"y".parse().unwrap()).is_err());

    symlink(outside.path().join("x.json"), folder.path().join("index.json")).unwrap();
    assert_eq!(Directory::open(folder.path()).unwrap_err().code(), "catalogue::not-a-file");
    // The root itself may be a link: the user named it.
    let link = outside.path().join("link");
    symlink(outside.path().join("y"), &link).unwrap();
    assert!(Directory::open(&link).is_ok());
}
