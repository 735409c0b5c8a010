//! Loading small apps.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"demo\"\n\
    [[trigger.zzz]]\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n";

fn app(manifest: &str) -> (tempfile::TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("spin.toml"), manifest).unwrap();
    fs::write(dir.path().join("a.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    let source = Source::Manifest(dir.path().join("spin.toml"));
    (dir, source)
}

fn prepare(source: &Source) -> Result<Prepared, LoadError> {
    open(source, None, Path::new("/"))?.prepare(&Wishes::default())
}

fn lock(prepared: Prepared, generation: &Path) -> LockedApp {
    let (env, ui) = ([("K".to_owned(), "V".to_owned())], Ui::remembering());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(prepared.lock(Resolved::default(), &env, generation, &ui)).unwrap()
}

#[test]
fn a_manifest_becomes_a_lock_file_that_only_we_can_read() {
    let (dir, source) = app(MANIFEST);
    let prepared = prepare(&source).unwrap();
    assert_eq!(prepared.local_dir.as_deref(), Some(dir.path()));
    assert_eq!(prepared.trigger_types(), ["zzz"]);
    let app = lock(prepared, dir.path());
    assert_eq!(app.components[0].env["K"], "V");

    let url = write(&app, dir.path()).unwrap();
    let path = url.to_file_path().unwrap();
    assert_eq!(path, dir.path().join("spin.lock"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(LockedApp::read(&path).unwrap().name(), Some("demo"));
}

#[test]
fn a_bare_component_has_no_directory_of_its_own() {
    let (dir, _) = app(MANIFEST);
    let opened = open(&Source::Wasm(dir.path().join("a.wasm")), Some("any"), dir.path()).unwrap();
    let prepared = opened.prepare(&Wishes { placing: Placing::DirectMounts, ..Wishes::default() }).unwrap();
    assert_eq!(prepared.local_dir, None);
    assert_eq!(lock(prepared, dir.path()).triggers.len(), 1);
}

#[test]
fn the_lock_names_the_copies_of_a_component_as_one_folder() {
    let (dir, source) = app(&format!("{MANIFEST}files = [\"static\", \"none/*\"]\n"));
    fs::create_dir(dir.path().join("static")).unwrap();
    fs::write(dir.path().join("static/x"), "x").unwrap();
    let generation = tempfile::tempdir().unwrap();
    let prepared = prepare(&source).unwrap();
    assert!(prepared.warnings[0].ends_with(":8:20: no file matches `none/*`"), "{:?}", prepared.warnings);
    let locked = lock(prepared, generation.path());

    let folder = generation.path().join("assets/a");
    let files = &locked.components[0].files;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].path, "/");
    assert_eq!(files[0].content.source.as_deref(), Some(Url::from_file_path(&folder).unwrap().as_str()));
    assert_eq!(fs::read_to_string(folder.join("static/x")).unwrap(), "x");
}

#[test]
fn the_lock_names_direct_mounts_where_the_manifest_says() {
    let (dir, source) =
        app(&format!("{MANIFEST}files = [\"static\", {{ source = \"./data\", destination = \"/d\" }}]\n"));
    fs::create_dir(dir.path().join("static")).unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    let prepared = open(&source, None, Path::new("/"))
        .unwrap()
        .prepare(&Wishes { placing: Placing::DirectMounts, ..Wishes::default() })
        .unwrap();
    let locked = lock(prepared, &dir.path().join("gen"));
    let files: Vec<_> =
        locked.components[0].files.iter().map(|file| (&*file.path, file.content.source.clone())).collect();
    let url = |name| Some(Url::from_file_path(dir.path().join(name)).unwrap().to_string());
    assert_eq!(files, [("static", url("static")), ("/d", url("data"))]);
    assert!(!dir.path().join("gen").exists(), "nothing is copied");
}

#[test]
fn an_app_that_cannot_run_is_refused_with_all_that_is_wrong() {
    let (_dir, source) = app("spin_manifest_version = 2\n[application]\nname = \"demo\"\n[trigger]\n");
    let error = prepare(&source).unwrap_err();
    assert!(matches!(error, LoadError::NoTriggers { .. }), "{error}");

    let (dir, source) = app(&format!("{MANIFEST}files = [\"nowhere\", \"a.wasm\", \"a.wasm/x*\"]\n"));
    fs::remove_file(dir.path().join("a.wasm")).unwrap();
    let report = Report::from(prepare(&source).unwrap_err());
    assert_eq!(report.stable_code(), Some("manifest::invalid"));
    let path = dir.path().join("spin.toml").display().to_string();
    let lines: Vec<_> = report.message().lines().filter_map(|line| line.strip_prefix(&path)).collect();
    assert_eq!(lines.len(), 3, "{report:?}");
    assert!(lines[0].contains(":7:10: ") && lines[0].contains("a.wasm"), "{report:?}");
    assert!(lines[1].contains(":8:10: `nowhere`"), "{report:?}");
    assert!(lines[2].contains(":8:21: `a.wasm`"), "{report:?}");
}

#[test]
fn only_an_app_that_a_build_can_make_run_is_worth_building() {
    let worth = |text: &str, ids: &[&str]| {
        let (dir, source) = app(text);
        fs::remove_file(dir.path().join("a.wasm")).unwrap();
        let ids: Vec<_> = ids.iter().map(|&id| id.to_owned()).collect();
        let wishes = Wishes { selection: Selection::of(&ids), ..Wishes::default() };
        open(&source, None, Path::new("/")).unwrap().is_worth_building(&wishes)
    };
    assert!(worth(&format!("{MANIFEST}files = [\"built/later\"]\n"), &["a"]), "a build may make what is missing");
    assert!(!worth(&format!("{MANIFEST}nonsense = 1\n"), &[]));
    assert!(!worth(MANIFEST, &["b"]));
    assert!(!worth(&MANIFEST.replace("[[trigger.zzz]]\ncomponent = \"a\"", "[trigger]"), &[]));
    assert!(!worth(THREE, &["idle"]), "nothing runs it");
    assert!(!worth(&THREE.replace("http://c.d", "http://b.spin.internal"), &["a"]));
    let package = "{ package = \"a:b\", version = \"1.0.0\" }";
    assert!(!worth(&MANIFEST.replace("\"a.wasm\"", package), &[]), "nothing gets it");
}

#[test]
fn the_list_of_what_is_wrong_has_an_end() {
    let files = |name: &str| (0..300).map(|number| format!("\"{name}{number}\"")).collect::<Vec<_>>().join(",\n");
    let (_dir, source) = app(&format!("{MANIFEST}files = [{}]\n", files("gone")));
    let report = Report::from(prepare(&source).unwrap_err());
    assert!(report.message().ends_with("spin.toml: and 200 more problems"), "{report:?}");
    let (_dir, source) = app(&format!("{MANIFEST}files = [{}]\n", files("*.none")));
    let warnings = prepare(&source).unwrap().warnings;
    assert_eq!(warnings.len(), 101);
    assert!(warnings[100].ends_with("spin.toml: and 200 more warnings"), "{warnings:?}");
}

#[test]
fn a_profile_is_applied_and_noted_and_must_exist() {
    let profile = "[component.a.profile.debug]\nenvironment = { K2 = \"debug\" }\n";
    let (dir, source) = app(&format!("{MANIFEST}{profile}"));
    let opened = open(&source, Some("debug"), Path::new("/")).unwrap();
    let locked = lock(opened.prepare(&Wishes::default()).unwrap(), dir.path());
    assert_eq!(locked.metadata["profile"], "debug");
    assert_eq!(locked.components[0].env["K2"], "debug");
    let report = Report::from(open(&source, Some("debugg"), Path::new("/")).unwrap_err());
    assert_eq!(report.stable_code(), Some("manifest::unknown-profile"));
}

/// Three components with a trigger each, one of which is composed with the code of another and connects to it.
const THREE: &str = "spin_manifest_version = 2\n[application]\nname = \"demo\"\n\
    [[trigger.x]]\ncomponent = \"a\"\n[[trigger.y]]\ncomponent = \"b\"\n[[trigger.z]]\ncomponent = \"gone\"\n\
    [component.a]\nsource = \"a.wasm\"\nallowed_outbound_hosts = [\"http://c.d\", \"{{ v }}\"]\n\
    dependencies = { \"x:y\" = { component = \"b\" } }\n[component.b]\nsource = \"a.wasm\"\n\
    [component.gone]\nsource = \"gone.wasm\"\nfiles = [\"gone\"]\n[component.idle]\nsource = \"a.wasm\"\n\
    [variables]\nv = { required = true }\n";

fn select(text: &str, ids: &[&str]) -> Result<LockedApp, LoadError> {
    let (dir, source) = app(text);
    let ids: Vec<_> = ids.iter().map(|&id| id.to_owned()).collect();
    let wishes = Wishes { selection: Selection::of(&ids), ..Wishes::default() };
    Ok(lock(open(&source, None, Path::new("/"))?.prepare(&wishes)?, dir.path()))
}

#[test]
fn only_what_was_chosen_is_locked_and_looked_at() {
    let ids = |app: &LockedApp| app.components.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
    let app = select(THREE, &["a"]).unwrap();
    assert_eq!((ids(&app), app.triggers.len()), (vec!["a".to_owned()], 1));
    assert_eq!(app.components[0].dependencies.len(), 1, "the code of b is there");
    let untriggered = THREE.replace("[[trigger.y]]\ncomponent = \"b\"\n", "");
    let app = select(&untriggered, &["a", "b"]).unwrap();
    assert_eq!(ids(&app), ["a"], "nothing runs b, but its code is in a");
    let app = select(THREE, &["b", "a", "idle"]).unwrap();
    assert_eq!((ids(&app), app.triggers.len()), (vec!["a".to_owned(), "b".to_owned()], 2), "nothing runs idle");
    assert!(matches!(select(THREE, &["gone"]), Err(LoadError::Manifest(_))), "its code is not there");
    assert!(matches!(select(THREE, &["idle"]), Err(LoadError::NoTriggers { .. })));
    let report = Report::from(select(THREE, &["ide"]).unwrap_err());
    assert_eq!(report.advice(), ["did you mean `idle`?"]);
}

#[test]
fn a_component_cannot_connect_to_one_that_is_left_out() {
    let refused = |host: &str, ids: &[&str]| match select(&THREE.replace("http://c.d", host), ids) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(refused("http://b.spin.internal", &["a"]).contains("component `a` connects to component `b`, which -c"));
    assert_eq!(refused("http://b.spin.internal", &["a", "b"]), "");
    assert!(refused("http://*.spin.internal", &["a", "b"]).contains("may connect to any other component"));
    let deprecated = THREE.replace(
        "allowed_outbound_hosts = [\"http://c.d\", \"{{ v }}\"]",
        "allowed_http_hosts = [\"b.spin.internal\"]",
    );
    let error = select(&deprecated, &["a"]).unwrap_err().to_string();
    assert!(error.contains("component `a` connects to component `b`, which -c"), "{error}");
    select(&deprecated, &["a", "b"]).unwrap();
}
