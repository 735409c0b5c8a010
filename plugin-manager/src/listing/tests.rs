//! Tests of listing: catalogues and what is installed, side by side.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use super::*;
use crate::testing::{World, name, runtime};
use crate::{CatalogueSource, InstallRequest, PluginManager, What};

/// `name version[ *][ !]`: installed, does not fit.
fn shown(listing: &Listing) -> Vec<String> {
    let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
    let row = |row: &Listed| {
        let (installed, unfit) = (mark(row.installed.is_some(), " *"), mark(row.obstacle.is_some(), " !"));
        format!("{} {}{installed}{unfit}", row.name, row.version)
    };
    listing.rows.iter().map(row).collect()
}

fn world() -> World {
    let world = World::new();
    world.pack("other", "0.1.0", "*", &[]);
    world.pack("trigger-demo", "0.9.0", ">=2", &[1]);
    world.install("trigger-demo").unwrap();
    world.pack("trigger-demo", "0.10.0", ">=2", &[1]);
    world.pack("trigger-demo", "0.11.0", ">=5", &[1]);
    world.pack("trigger-demo", "0.12.0-rc.1", ">=2", &[1]);
    world
}

#[test]
fn every_version_has_one_row_wherever_it_is() {
    let world = world();
    let all = ["other 0.1.0", "trigger-demo 0.9.0 *", "trigger-demo 0.10.0", "trigger-demo 0.11.0 !"];
    let all: Vec<_> = all.into_iter().chain(["trigger-demo 0.12.0-rc.1"]).collect();
    assert_eq!(shown(&world.manager().list().unwrap()), all);
    // The same without an index, and a second catalogue adds only what the first does not have.
    fs::remove_file(world.path("catalogue/index.json")).unwrap();
    assert_eq!(shown(&world.manager().list().unwrap()), all);
    let second = World::new();
    second.pack("other", "0.1.0", "<4", &[]);
    second.pack("other", "0.2.0", "*", &[]);
    let mut settings = world.settings();
    settings.catalogues.push(CatalogueSource { name: "second".into(), ..second.settings().catalogues.remove(0) });
    let listing = PluginManager::new(settings).list().unwrap();
    assert_eq!(shown(&listing)[..2], ["other 0.1.0", "other 0.2.0"]);
    assert_eq!(listing.rows[0].catalogue.as_deref(), Some("bundled"));
    assert_eq!(listing.rows[1].catalogue.as_deref(), Some("second"));
}

#[test]
fn a_catalogue_that_cannot_be_used_hides_nothing_else() {
    let world = world();
    fs::write(world.path("catalogue/index.json"), "{").unwrap();
    let listing = world.manager().list().unwrap();
    assert_eq!(shown(&listing), ["trigger-demo 0.9.0 *"]);
    assert_eq!(listing.unusable.len(), 1);
    assert!(listing.unusable[0].to_string().starts_with("catalogue 'bundled' is passed over: could not use "));
}

#[test]
fn outdated_is_what_an_upgrade_would_change() {
    let world = world();
    let outdated = || world.manager().outdated().unwrap().0;
    let [one] = &outdated()[..] else { panic!("one is installed") };
    assert_eq!((one.version.as_str(), one.newer.as_ref().unwrap().0.as_str()), ("0.9.0", "0.10.0"));
    let (version, reason) = one.hindered.as_ref().unwrap();
    assert_eq!((version.as_str(), reason.code()), ("0.11.0", "plugin::incompatible"));
    world.install("trigger-demo").unwrap();
    assert_eq!(outdated()[0].newer, None, "0.10.0 is used now");
    world.pack("trigger-demo", "0.11.0", ">=4", &[1]);
    world.install("trigger-demo").unwrap();
    assert!(outdated().is_empty(), "a pre-release is nothing to go to");
}

#[test]
fn a_plugin_is_described_whether_it_is_installed_or_not() {
    let world = world();
    let described = runtime().block_on(world.manager().describe(&name("trigger-demo"))).unwrap();
    assert_eq!(described.manifest.unwrap().version, "0.10.0");
    assert_eq!(described.catalogue.as_deref(), Some("bundled"));
    assert_eq!(described.hindered.unwrap().0, "0.11.0");
    assert_eq!(described.versions.rows.len(), 4);

    world.pack("future", "1.0.0", ">=5", &[]);
    let described = runtime().block_on(world.manager().describe(&name("future"))).unwrap();
    assert_eq!((described.manifest.unwrap().version.as_str(), described.hindered.is_some()), ("1.0.0", true));

    let file = world.pack("local", "1.0.0", "*", &[]).manifest;
    world.carry_out(&InstallRequest { what: What::ManifestFile(file), override_compatibility: false }).unwrap();
    fs::remove_dir_all(world.path("catalogue")).unwrap();
    let described = runtime().block_on(world.manager().describe(&name("local"))).unwrap();
    assert!(described.manifest.is_none() && described.versions.rows[0].installed.is_some());

    let unknown = runtime().block_on(world.manager().describe(&name("trigger-dmeo"))).unwrap_err();
    assert_eq!(unknown.code(), "plugin::unknown");
}
