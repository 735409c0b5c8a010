//! Tests of packing: the bytes are always the same, and what is packed can be installed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;
use crate::testing::{World, linux, name};

#[test]
fn the_same_executable_gives_the_same_bytes_wherever_and_however_it_lies() {
    let (one, two) = (World::new(), World::new());
    let first = one.pack("trigger-demo", "1.0.0", ">=4.0, <5", &[1]);
    // Another file name, mode and time.
    let executable = two.path("differently-named");
    fs::write(&executable, "#!/bin/sh\necho trigger-demo 1.0.0\n").unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o600)).unwrap();
    File::options().write(true).open(&executable).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let request = PackRequest {
        name: name("trigger-demo"),
        version: semver::Version::new(1, 0, 0),
        executable: &executable,
        assets: None,
        description: "for a test",
        license: "MIT",
        homepage: None,
        spin_compatibility: ">=4.0, <5",
        protocols: &[1],
        platform: linux(),
        catalogue_dir: &two.path("catalogue"),
    };
    let second = pack(&request).unwrap();
    assert_eq!(first.sha256, second.sha256);
    for file in
        ["index.json", "manifests/trigger-demo/trigger-demo.json", "manifests/trigger-demo/trigger-demo@1.0.0.json"]
    {
        let read = |world: &World| fs::read_to_string(world.path("catalogue").join(file)).unwrap();
        assert_eq!(read(&one), read(&two), "{file}");
    }
    assert_eq!(fs::read(first.archive).unwrap(), fs::read(second.archive).unwrap());

    // Packing again changes nothing, not even the serial.
    let before = fs::read(two.path("catalogue/index.json")).unwrap();
    pack(&request).unwrap();
    assert_eq!(fs::read(two.path("catalogue/index.json")).unwrap(), before);
}

#[test]
fn gnu_tar_reads_the_archive() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[1]);
    let Ok(output) = Command::new("tar").arg("-tvzf").arg(&packed.archive).output() else { return };
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(listing.starts_with("-rwxr-xr-x 0/0") && listing.trim_end().ends_with("trigger-demo"), "{listing}");
    assert_eq!(listing.lines().count(), 1);
}

#[test]
fn packages_for_other_platforms_and_other_versions_stay() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[1]);
    world.pack("trigger-demo", "1.1.0-rc.1", "*", &[1]);
    world.pack("trigger-demo", "0.9.0", "*", &[1]);
    let executable = world.path("executable");
    let catalogue = world.path("catalogue");
    let mut request = PackRequest {
        name: name("trigger-demo"),
        version: semver::Version::new(1, 0, 0),
        executable: &executable,
        assets: None,
        description: "for a test",
        license: "MIT",
        homepage: None,
        spin_compatibility: "*",
        protocols: &[1],
        platform: "macos-aarch64".parse().unwrap(),
        catalogue_dir: &catalogue,
    };
    pack(&request).unwrap();
    let directory = Directory::open(&catalogue).unwrap();
    let releases = directory.releases(&request.name).unwrap().releases;
    let versions: Vec<_> = releases.iter().map(|release| release.version.as_str()).collect();
    assert_eq!(versions, ["1.1.0-rc.1", "1.0.0", "0.9.0"]);
    assert_eq!(releases[1].platforms, ["linux-amd64", "macos-aarch64"]);
    let (latest, _) = directory.manifest(&request.name, &layout::latest_manifest(&request.name)).unwrap();
    assert_eq!(latest.version, "1.0.0", "neither the pre-release nor what was packed last");
    assert_eq!(latest.packages.len(), 2);

    request.spin_compatibility = "whatever";
    assert_eq!(pack(&request).unwrap_err().code(), "plugin::bad-compatibility");
    request.spin_compatibility = "*";
    request.name = name("up");
    assert_eq!(pack(&request).unwrap_err().code(), "plugin::reserved-name");
    request.name = name("trigger-demo");
    let folder = world.path("");
    request.executable = &folder;
    assert_eq!(pack(&request).unwrap_err().code(), "pack::executable");
}

#[test]
fn a_catalogue_without_an_index_gets_one_that_hides_nothing() {
    let world = World::new();
    world.pack("trigger-old", "1.0.0", "*", &[]);
    fs::remove_file(world.path("catalogue/index.json")).unwrap();
    world.pack("trigger-new", "1.0.0", "*", &[]);
    assert!(world.install("trigger-old").is_ok());
    assert!(world.install("trigger-new").is_ok());
}

/// Packs the folder `share` beside an executable.
fn pack_with_assets(world: &World) -> Result<Packed, PackError> {
    let executable = world.path("executable");
    fs::write(&executable, "#!/bin/sh\n").unwrap();
    pack(&PackRequest {
        name: name("demo"),
        version: semver::Version::new(1, 0, 0),
        executable: &executable,
        assets: Some(&world.path("share")),
        description: "for a test",
        license: "MIT",
        homepage: None,
        spin_compatibility: "*",
        protocols: &[],
        platform: linux(),
        catalogue_dir: &world.path("catalogue"),
    })
}

#[test]
fn assets_lie_beside_the_executable_once_it_is_installed() {
    let world = World::new();
    // As long as a header can take it.
    let deep = format!("share/{}/{}/page.html", "d".repeat(100), "e".repeat(50));
    for file in ["share/page.html", "share/bin/tool", &deep] {
        fs::create_dir_all(world.path(file).parent().unwrap()).unwrap();
        fs::write(world.path(file), file).unwrap();
    }
    fs::create_dir(world.path("share/empty")).unwrap();
    fs::set_permissions(world.path("share/bin/tool"), fs::Permissions::from_mode(0o775)).unwrap();
    let first = pack_with_assets(&world).unwrap();
    assert_eq!(pack_with_assets(&world).unwrap(), first, "the same bytes again");
    let executable = world.install("demo").unwrap().executable;
    let installed = executable.parent().unwrap();
    for (file, mode) in [("page.html", 0o644), ("bin/tool", 0o755), (deep.strip_prefix("share/").unwrap(), 0o644)] {
        assert_eq!(fs::read_to_string(installed.join(file)).unwrap(), format!("share/{file}"));
        assert_eq!(fs::metadata(installed.join(file)).unwrap().permissions().mode() & 0o777, mode, "{file}");
    }
    assert!(world.manager().verify(&[]).unwrap().iter().all(|one| one.damage.is_none()));
}

/// Puts something into a folder of assets.
type Spoil<'a> = &'a dyn Fn(&Path);

#[test]
fn an_asset_that_could_not_be_installed_is_not_packed() {
    let spoilers: [(&str, Spoil<'_>); 6] = [
        ("neither a file nor a folder", &|share| {
            std::os::unix::fs::symlink("/etc/passwd", share.join("link")).unwrap()
        }),
        ("begin with a letter or a digit", &|share| fs::write(share.join(".hidden"), "").unwrap()),
        ("begin with a letter or a digit", &|share| fs::write(share.join("a b"), "").unwrap()),
        ("two of that name", &|share| fs::write(share.join("Demo"), "").unwrap()),
        ("too long for an archive", &|share| fs::write(share.join("f".repeat(101)), "").unwrap()),
        ("No such file", &|share| fs::remove_dir(share).unwrap()),
    ];
    for (said, spoil) in spoilers {
        let world = World::new();
        fs::create_dir(world.path("share")).unwrap();
        spoil(&world.path("share"));
        let error = pack_with_assets(&world).unwrap_err();
        assert!(error.code() == "pack::asset" && error.to_string().contains(said), "{error}");
        assert!(!world.path("catalogue").exists());
    }
}
