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
