//! Installing and resolving from end to end, on real folders.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use spin_catalogue::{CompatibilityCheck, Sha256};

use crate::testing::{Tar, World, gzip, install, name};
use crate::{InstallRequest, Origin, ResolveError, Verification, What, exactly};

use super::*;

mod crash;

fn request(plugin: &str, requirement: &str) -> InstallRequest {
    let version = Some(requirement.parse().unwrap());
    InstallRequest { what: What::ByName { name: name(plugin), version }, override_compatibility: false }
}

#[test]
fn what_is_packed_is_installed_and_found() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.2.3", ">=4.0, <5", &[1]);
    let missing = world.manager().resolve(&name("trigger-demo")).unwrap_err();
    assert_eq!(missing.code(), "plugin::not-installed");
    assert_eq!(
        missing.to_string(),
        "plugin 'trigger-demo' is not installed; version 1.2.3 is available from catalogue 'bundled': \
         run `spin plugins install trigger-demo`"
    );
    let plan = world.plan(&InstallRequest::by_name(name("trigger-demo"))).unwrap();
    assert_eq!((plan.version.as_str(), plan.license.as_str(), plan.already), ("1.2.3", "MIT", false));
    assert_eq!(plan.sha256, packed.sha256);

    let installed = world.install("trigger-demo").unwrap();
    assert_eq!(installed.origin, Origin::Catalogue("bundled".into()));
    let folder = format!("store/trigger-demo/1.2.3-{}/trigger-demo", packed.sha256);
    assert_eq!(world.store(), ["installed/trigger-demo.json".to_owned(), folder]);
    let executable = world.manager().resolve(&name("trigger-demo")).unwrap();
    assert_eq!(executable.path, installed.executable);
    assert_eq!((executable.version.as_str(), &executable.protocols[..]), ("1.2.3", &[1][..]));
    assert_eq!(fs::read_to_string(&executable.path).unwrap(), "#!/bin/sh\necho trigger-demo 1.2.3\n");
    assert_eq!(fs::metadata(&executable.path).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(world.manager().installed().unwrap(), [installed]);
    let again = world.plan(&InstallRequest::by_name(name("trigger-demo"))).unwrap();
    assert!(again.already);
}

#[test]
fn the_record_is_exact_with_a_clock_that_stands_still() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", ">=4", &[1]);
    let manager = crate::PluginManager::with_clock(world.settings(), || jiff::Timestamp::UNIX_EPOCH);
    let installed = install(&manager, &InstallRequest::by_name(name("trigger-demo"))).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(world.path("data/plugin-store/v1/installed/trigger-demo.json")).unwrap())
            .unwrap();
    let metadata = fs::metadata(installed.executable).unwrap();
    assert_eq!((&json["schema"], &json["active"]), (&2.into(), &serde_json::Value::Null));
    let release = &json["releases"][0];
    assert_eq!(release["installed"], "1970-01-01T00:00:00Z");
    assert_eq!(release["origin"], serde_json::json!({"catalogue": "bundled"}));
    assert_eq!(release["executable"]["inode"], metadata.ino());
    assert_eq!(release["executable"]["device"], metadata.dev());
    assert_eq!(release["executable"]["size"], metadata.len());
    assert_eq!(release["executable"]["modified"]["nanoseconds"], metadata.mtime_nsec());
}

#[test]
fn a_wrong_digest_or_a_bad_archive_leaves_nothing() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[]);
    let mut bytes = fs::read(&packed.archive).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&packed.archive, &bytes).unwrap();
    let error = world.install("trigger-demo").unwrap_err();
    assert_eq!(error.code(), "plugin::digest-mismatch");
    assert!(error.to_string().contains(&packed.sha256.to_string()), "{error}");
    assert!(error.to_string().contains(&crate::hash::of(&bytes).to_string()), "{error}");
    assert!(world.store().is_empty());

    for (bytes, code) in [
        (Tar::default().file("evil", b"x").file("../x", b"x").gzipped(), "archive::escaping-path"),
        (Tar::default().file("evil", b"x").entry("link", b'2', 0o777, b"").gzipped(), "archive::entry-kind"),
        (Tar::default().file("other", b"x").gzipped(), "archive::no-executable"),
        (Tar::default().entry("evil", b'0', 0o4755, b"x").gzipped(), "archive::mode"),
        (gzip(b"not tar"), "archive::damaged"),
    ] {
        let manifest = world.manifest_file("evil", &bytes);
        let error = world.carry_out(&InstallRequest::manifest_file(manifest)).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(world.store().is_empty(), "{code}: {:?}", world.store());
        assert!(!world.path("data/plugin-store/v1/store/evil/.incoming").exists());
        assert_eq!(world.manager().resolve(&name("evil")).unwrap_err().code(), "plugin::unknown");
    }
}

#[test]
fn a_refused_upgrade_leaves_the_old_version_in_use() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    world.install("trigger-demo").unwrap();
    let packed = world.pack("trigger-demo", "2.0.0", "*", &[]);
    fs::write(&packed.archive, "damaged").unwrap();
    assert_eq!(world.install("trigger-demo").unwrap_err().code(), "plugin::digest-mismatch");
    assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap().version, "1.0.0");
}

#[test]
fn a_changed_executable_is_found_and_repaired() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    let path = world.install("trigger-demo").unwrap().executable;
    let original = fs::read(&path).unwrap();
    let resolve = || world.manager().resolve(&name("trigger-demo")).map(|_| ()).map_err(|error| error.code());
    let times = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        FileTimes::new().set_modified(metadata.modified().unwrap()).set_accessed(metadata.accessed().unwrap())
    };

    // Touched but the same: fine. So is a copy in its place.
    File::options().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(resolve(), Ok(()));
    fs::remove_file(&path).unwrap();
    fs::write(&path, &original).unwrap();
    assert_eq!(resolve(), Ok(()));

    // As long as before and with the old time set back.
    let before = times(&path);
    let mut changed = original.clone();
    *changed.last_mut().unwrap() = b'#';
    fs::write(&path, &changed).unwrap();
    File::options().write(true).open(&path).unwrap().set_times(before).unwrap();
    assert_eq!(resolve(), Err("plugin::tampered"));
    assert!(!world.plan(&InstallRequest::by_name(name("trigger-demo"))).unwrap().already);
    world.install("trigger-demo").unwrap();
    assert_eq!((resolve(), fs::read(&path).unwrap()), (Ok(()), original.clone()));
    assert_eq!(world.store().len(), 2, "the damaged one is gone");

    fs::write(&path, [original.clone(), b"more".to_vec()].concat()).unwrap();
    assert_eq!(resolve(), Err("plugin::tampered"));
    let elsewhere = world.path("elsewhere");
    fs::write(&elsewhere, &original).unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(resolve(), Err("plugin::tampered"), "a link is not what was installed, wherever it leads");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert_eq!(resolve(), Err("plugin::executable-missing"));
    world.install("trigger-demo").unwrap();
    assert_eq!(resolve(), Ok(()));
}

#[test]
fn the_advice_repairs_the_version_that_is_damaged() {
    let world = World::new();
    let advice = || world.manager().resolve(&name("trigger-demo")).unwrap_err().to_string();
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[]);
    let path = world.install("trigger-demo").unwrap().executable;
    fs::write(&path, "damaged").unwrap();
    assert!(advice().contains("run `spin plugins install trigger-demo@1.0.0`"), "{}", advice());
    fs::remove_file(&path).unwrap();
    assert!(advice().contains("run `spin plugins install trigger-demo@1.0.0`"), "{}", advice());

    world.carry_out(&InstallRequest::manifest_file(&packed.manifest)).unwrap();
    fs::remove_file(&path).unwrap();
    let file = format!("run `spin plugins install --file \"{}\"`", packed.manifest.display());
    assert!(advice().contains(&file), "{}", advice());
}

#[test]
fn always_verifying_trusts_no_times() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    let path = world.install("trigger-demo").unwrap().executable;
    let always =
        || world.manager().resolve_with(&name("trigger-demo"), CompatibilityCheck::Enforced, Verification::Always);
    assert!(always().is_ok());
    // A record that claims the facts of a changed file, but has the old digest.
    let mut record = world.manager().store.record(&name("trigger-demo")).unwrap();
    let old = record.releases[0].executable.sha256;
    let text = fs::read_to_string(&path).unwrap().replace("echo", "ECHO");
    fs::write(&path, text).unwrap();
    record.releases[0].executable = FileFacts::of(&path).unwrap();
    record.releases[0].executable.sha256 = old;
    let Locking::Held(lock) = world.manager().store.lock(&name("trigger-demo")).unwrap() else { panic!("free") };
    world.manager().store.write_record(&lock, &record).unwrap();
    assert!(world.manager().resolve(&name("trigger-demo")).is_ok(), "the quick check sees an untouched file");
    assert_eq!(always().unwrap_err().code(), "plugin::tampered");
}

#[test]
fn compatibility_decides_with_both_numbers_in_the_message() {
    let world = World::new();
    for (plugin, compatibility) in [("a-fits", ">=2.0"), ("b-fits", ">=4.0.2"), ("c-old", "<4"), ("d-new", ">=5")] {
        world.pack(plugin, "1.0.0", compatibility, &[]);
    }
    assert!(world.install("a-fits").is_ok());
    assert!(world.install("b-fits").is_ok());
    for (plugin, compatibility) in [("c-old", "<4"), ("d-new", ">=5")] {
        let sentence = format!("plugin '{plugin}' 1.0.0 requires Spin {compatibility}, this is 4.0.2");
        let install = world.install(plugin).unwrap_err();
        assert_eq!(install.code(), "plugin::incompatible");
        assert!(install.to_string().starts_with(&sentence), "{install}");
        let resolve = world.manager().resolve(&name(plugin)).unwrap_err();
        assert_eq!(resolve.code(), "plugin::incompatible");
        assert!(resolve.to_string().starts_with(&sentence), "{resolve}");

        // Installed against advice, it is still not started unasked.
        let request = InstallRequest { override_compatibility: true, ..InstallRequest::by_name(name(plugin)) };
        assert!(world.plan(&request).unwrap().overridden.is_some());
        world.carry_out(&request).unwrap();
        assert_eq!(world.manager().resolve(&name(plugin)).unwrap_err().code(), "plugin::incompatible");
        let overridden =
            world.manager().resolve_with(&name(plugin), CompatibilityCheck::Overridden, Verification::IfTouched);
        assert_eq!(overridden.unwrap().version, "1.0.0");
    }
}

#[test]
fn the_highest_installed_version_that_fits_is_used() {
    let world = World::new();
    world.pack("trigger-demo", "0.9.0", ">=2", &[]);
    world.pack("trigger-demo", "0.10.0", ">=2", &[]);
    world.pack("trigger-demo", "0.11.0", "<4", &[]);
    world.pack("trigger-demo", "0.12.0-rc.1", ">=2", &[]);
    assert_eq!(world.install("trigger-demo").unwrap().version, "0.10.0");
    let mut old = request("trigger-demo", "=0.11.0");
    old.override_compatibility = true;
    world.carry_out(&old).unwrap();
    let older = request("trigger-demo", "=0.9.0");
    world.carry_out(&older).unwrap();
    assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap().version, "0.10.0");
    let versions: Vec<_> =
        world.manager().installed().unwrap().into_iter().map(|held| held.version.to_string()).collect();
    assert_eq!(versions, ["0.9.0", "0.10.0", "0.11.0"]);
    let exact = exactly(&"0.12.0-rc.1".parse().unwrap());
    world.carry_out(&request("trigger-demo", &exact.to_string())).unwrap();
    assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap().version, "0.12.0-rc.1", "named is asked for");
    assert_eq!(world.carry_out(&request("trigger-demo", "=7.0.0")).unwrap_err().code(), "plugin::no-such-version");
}

#[test]
fn an_installed_plugin_that_no_longer_fits_names_the_version_that_would() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "<4", &[]);
    world
        .carry_out(&InstallRequest { override_compatibility: true, ..InstallRequest::by_name(name("trigger-demo")) })
        .unwrap();
    let alone = world.manager().resolve(&name("trigger-demo")).unwrap_err();
    assert!(alone.to_string().ends_with("; no other version that fits was found"), "{alone}");
    world.pack("trigger-demo", "1.1.0", ">=4", &[]);
    let error = world.manager().resolve(&name("trigger-demo")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin 'trigger-demo' 1.0.0 requires Spin <4, this is 4.0.2; version 1.1.0 fits: run `spin plugins install trigger-demo`"
    );
    assert!(matches!(error, ResolveError::Incompatible { fits: Some(_), .. }));
}

#[test]
fn protocols_must_have_one_in_common() {
    let world = World::new();
    world.pack("trigger-future", "1.0.0", "*", &[2, 3]);
    world.pack("trigger-both", "1.0.0", "*", &[1, 2]);
    world.pack("trigger-plain", "1.0.0", "*", &[]);
    let error = world.install("trigger-future").unwrap_err();
    assert_eq!(error.code(), "plugin::no-common-protocol");
    assert!(error.to_string().contains("speaks trigger protocol 2, 3, this spin speaks 0, 1"), "{error}");
    let error = world.manager().resolve(&name("trigger-future")).unwrap_err();
    assert!(matches!(error, ResolveError::Incompatible { .. }) && error.code() == "plugin::no-common-protocol");
    assert!(world.install("trigger-both").is_ok() && world.install("trigger-plain").is_ok());
    assert!(world.manager().resolve(&name("trigger-plain")).unwrap().protocols.is_empty());
}

#[test]
fn names_are_guarded() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[]);
    assert_eq!(world.install("up").unwrap_err().code(), "plugin::reserved-name");
    let reserved = world.manifest_file("templates", &Tar::default().file("templates", b"x").gzipped());
    assert_eq!(world.carry_out(&InstallRequest::manifest_file(reserved)).unwrap_err().code(), "plugin::reserved-name");
    let traversal = world.path("bad.json");
    fs::write(&traversal, fs::read_to_string(&packed.manifest).unwrap().replace("\"trigger-demo\"", "\"../x\""))
        .unwrap();
    assert_eq!(world.carry_out(&InstallRequest::manifest_file(traversal)).unwrap_err().code(), "plugin::bad-manifest");
    let error = world.install("trigger-dmeo").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no plugin 'trigger-dmeo'; it is not in catalogue 'bundled'; did you mean 'trigger-demo'?"
    );
    let error = world.manager().resolve(&name("trigger-dmeo")).unwrap_err();
    assert!(matches!(error, ResolveError::Unknown { nearest: Some(_), .. }));

    world.edit_manifest(&packed.manifest, |manifest| manifest.name = name("trigger-other"));
    assert_eq!(world.install("trigger-demo").unwrap_err().code(), "catalogue::other-name");
}

#[test]
fn index_and_manifest_must_agree() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.0.0", ">=4", &[1]);
    world.edit_manifest(&packed.manifest, |manifest| manifest.packages[0].sha256 = Sha256::from_bytes([0; 32]));
    assert_eq!(world.install("trigger-demo").unwrap_err().code(), "catalogue::index-mismatch");

    // Without digests in the index the other properties are compared.
    let index = world.path("catalogue/index.json");
    let text = fs::read_to_string(&index).unwrap();
    let digest = text.lines().find(|line| line.contains("\"sha256\"")).unwrap();
    fs::write(&index, text.replace(digest, "").replace("@1.0.0.json\",", "@1.0.0.json\"")).unwrap();
    for (what, json) in [("version", "\"version\": \"9.0.0\""), ("spinCompatibility", "\"spinCompatibility\": \">=3\"")]
    {
        world.pack("trigger-demo", "1.0.0", ">=4", &[1]);
        let text = fs::read_to_string(&index).unwrap();
        let digest = text.lines().find(|line| line.contains("\"sha256\"")).unwrap();
        let start = text.lines().find(|line| line.contains(&format!("\"{what}\""))).unwrap();
        let changed =
            text.replace(digest, "").replace("@1.0.0.json\",", "@1.0.0.json\"").replace(start, &format!("{json},"));
        fs::write(&index, changed).unwrap();
        let error = world.install("trigger-demo").unwrap_err();
        assert_eq!(error.code(), "catalogue::index-mismatch", "{error}");
        assert!(error.to_string().starts_with(&format!("the {what} of ")), "{error}");
        fs::write(&index, text).unwrap();
    }
}

#[test]
fn a_manifest_file_may_name_files_and_a_catalogue_only_its_own() {
    let world = World::new();
    let bytes = Tar::default().file("demo", b"#!/bin/sh\n").file("extra/data", b"d").gzipped();
    let manifest = world.manifest_file("demo", &bytes);
    let installed = world.carry_out(&InstallRequest::manifest_file(&manifest)).unwrap();
    assert_eq!(installed.origin, Origin::ManifestFile(manifest.clone()));
    assert_eq!(fs::read(installed.executable.parent().unwrap().join("extra/data")).unwrap(), b"d");

    let url = format!("file://{}", world.path("made-by-hand.tar.gz").display());
    world.edit_manifest(&manifest, |manifest| {
        manifest.name = name("demo-two");
        manifest.packages[0].url = url.clone();
    });
    // The archive is that of another plugin, so it has no executable of this name.
    assert_eq!(
        world.carry_out(&InstallRequest::manifest_file(&manifest)).unwrap_err().code(),
        "archive::no-executable"
    );
    for (url, code) in [
        ("../x.tar.gz", "plugin::bad-package-url"),
        ("absent.tar.gz", "plugin::package-missing"),
        ("file:///absent.tar.gz", "plugin::package-missing"),
        ("file:///dev/zero", "plugin::package-missing"),
        ("ftp://example.org/x", "plugin::bad-package-url"),
    ] {
        world.edit_manifest(&manifest, |manifest| manifest.packages[0].url = url.into());
        assert_eq!(world.carry_out(&InstallRequest::manifest_file(&manifest)).unwrap_err().code(), code, "{url}");
    }
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[]);
    fs::remove_file(world.path("catalogue/index.json")).unwrap();
    world.edit_manifest(&packed.manifest, |manifest| manifest.packages[0].url = url);
    assert_eq!(world.install("trigger-demo").unwrap_err().code(), "plugin::local-file-from-catalogue");
    let absent = world.carry_out(&InstallRequest::manifest_file("/absent.json")).unwrap_err();
    assert_eq!(absent.code(), "plugin::unreadable-manifest");
    assert!(absent.to_string().contains("/absent.json"));
}

#[test]
fn the_first_catalogue_that_fits_decides_and_a_broken_one_stops() {
    let (one, two) = (World::new(), World::new());
    one.pack("trigger-demo", "1.0.0", "*", &[]);
    two.pack("trigger-demo", "2.0.0", "*", &[]);
    two.pack("trigger-two", "2.0.0", "*", &[]);
    let mut settings = one.settings();
    settings.catalogues.extend(two.settings().catalogues);
    let manager = crate::PluginManager::new(settings);
    let plan = |plugin: &str| crate::testing::plan(&manager, &InstallRequest::by_name(name(plugin)));
    assert_eq!(plan("trigger-demo").unwrap().version, "1.0.0");
    assert_eq!(plan("trigger-two").unwrap().version, "2.0.0");
    fs::write(one.path("catalogue/index.json"), "{").unwrap();
    assert_eq!(plan("trigger-two").unwrap_err().code(), "catalogue::bad-index");
    assert_eq!(manager.resolve(&name("trigger-two")).unwrap_err().code(), "catalogue::bad-index");
}

#[test]
fn plugins_of_the_public_spin_rank_below_ours() {
    let world = World::new();
    let packed = world.pack("trigger-demo", "1.0.0", "*", &[]);
    let public = world.path("data/plugins");
    fs::create_dir_all(public.join("manifests")).unwrap();
    fs::create_dir_all(public.join("trigger-demo")).unwrap();
    let json = fs::read_to_string(&packed.manifest).unwrap().replace("\"1.0.0\"", "\"9.0.0\"");
    fs::write(public.join("manifests/trigger-demo.json"), &json).unwrap();
    fs::write(public.join("manifests/stray.json"), "{").unwrap();
    fs::write(public.join("manifests/.DS_Store"), "").unwrap();
    assert!(world.manager().installed().unwrap().is_empty(), "no executable: not installed");
    fs::write(public.join("trigger-demo/trigger-demo"), "#!/bin/sh\n").unwrap();
    let executable = world.manager().resolve(&name("trigger-demo")).unwrap();
    assert_eq!((executable.version.as_str(), &executable.origin), ("9.0.0", &Origin::PublicLayout));
    world.install("trigger-demo").unwrap();
    assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap().version, "1.0.0");
    assert_eq!(world.manager().installed().unwrap().len(), 2);
    assert_eq!(fs::read_to_string(public.join("manifests/trigger-demo.json")).unwrap(), json);
}

#[test]
fn a_store_that_cannot_be_written_or_read_is_a_clear_error() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    fs::create_dir_all(world.path("data")).unwrap();
    fs::write(world.path("data/plugin-store"), "a file in the way").unwrap();
    let error = world.install("trigger-demo").unwrap_err();
    assert_eq!(error.code(), "store::io");
    assert!(error.to_string().contains("plugin-store"), "{error}");
    fs::remove_file(world.path("data/plugin-store")).unwrap();
    world.install("trigger-demo").unwrap();
    let record = world.path("data/plugin-store/v1/installed/trigger-demo.json");
    let newer = fs::read_to_string(&record).unwrap().replace("\"schema\": 2", "\"schema\": 3");
    fs::write(&record, newer).unwrap();
    assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap_err().code(), "store::newer-record");
    assert_eq!(world.install("trigger-demo").unwrap_err().code(), "store::newer-record");
    assert_eq!(world.manager().installed().unwrap_err().code(), "store::newer-record");
}
