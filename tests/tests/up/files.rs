//! The files of a component at size: five thousand, with links, dot files and globs, copied and mounted.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::Echo;

/// Folders, and files in each.
const FOLDERS: usize = 50;
const FILES: usize = 100;

/// What a file holds: its own path, so that it can be told from others.
fn tree() -> BTreeMap<PathBuf, String> {
    let mut tree = BTreeMap::new();
    for folder in 0..FOLDERS {
        // Some below others, some hidden.
        let folder = match folder % 5 {
            0 => format!("site/d{folder}"),
            1 => format!("site/deep/er/d{folder}"),
            2 => format!("site/.hidden/d{folder}"),
            3 => format!("other/d{folder}"),
            _ => format!("site/d{folder}/sub"),
        };
        for file in 0..FILES {
            let name = match file % 4 {
                0 => format!("f{file}.html"),
                1 => format!(".f{file}.css"),
                2 => format!("f {file}.txt"),
                _ => format!("f{file}"),
            };
            let path = PathBuf::from(&folder).join(name);
            tree.insert(path.clone(), path.display().to_string());
        }
    }
    tree
}

fn manifest(files: &str) -> String {
    format!(
        "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.echo]]\ncomponent = \"c\"\n\
         [component.c]\nsource = \"c.wasm\"\n{files}\n"
    )
}

/// Every file below a folder, links followed.
fn below(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(relative, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn is_html(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "html")
}

#[test]
fn five_thousand_files_are_copied_as_the_entries_say() {
    let echo = Echo::new();
    let mut tree = tree();
    assert_eq!(tree.len(), 5_000);
    let app = echo.app(&manifest(""), &["c.wasm"]);
    for (path, content) in &tree {
        echo.world.write(Path::new("apps/app").join(path), content);
    }
    // Links are followed: to a file and to a folder, each inside.
    symlink("d0/f0.html", app.dir().join("site/link.html")).unwrap();
    symlink("d0", app.dir().join("site/linked")).unwrap();
    tree.insert("site/link.html".into(), "site/d0/f0.html".into());
    let of_folder: Vec<_> = tree.iter().filter(|(path, _)| path.starts_with("site/d0")).collect();
    let linked: Vec<_> = of_folder
        .into_iter()
        .map(|(path, content)| (Path::new("site/linked").join(path.strip_prefix("site/d0").unwrap()), content.clone()))
        .collect();

    type Rule = Box<dyn Fn(&Path) -> Option<PathBuf>>;
    let same = |path: &Path| Some(path.to_owned());
    let in_site = |path: &Path| path.starts_with("site");
    let cases: [(&str, bool, Rule); 6] = [
        // The folder lands once, not inside itself.
        (r#"files = ["site"]"#, true, Box::new(move |path| in_site(path).then(|| path.to_owned()))),
        (r#"files = ["./**/*"]"#, true, Box::new(move |path| same(path))),
        (
            r#"files = ["site/*/*.html"]"#,
            true,
            Box::new(move |path| (in_site(path) && path.iter().count() == 3 && is_html(path)).then(|| path.to_owned())),
        ),
        (
            r#"files = [{ source = "site", destination = "/public" }]"#,
            true,
            Box::new(|path| path.strip_prefix("site").ok().map(|path| Path::new("public").join(path))),
        ),
        (
            "files = [\"site\", \"other/**/*\"]\nexclude_files = [\"site/deep/*\", \"*.txt\"]",
            true,
            Box::new(|path| {
                let text = path.extension().is_some_and(|extension| extension == "txt");
                (!text && !path.starts_with("site/deep")).then(|| path.to_owned())
            }),
        ),
        (
            r#"files = ["other", { source = "site/d0/f0.html", destination = "/other/index.html" }]"#,
            false,
            Box::new(|path| match path.to_str().unwrap() {
                "site/d0/f0.html" => Some("other/index.html".into()),
                _ => path.starts_with("other").then(|| path.to_owned()),
            }),
        ),
    ];
    for (index, (entries, with_links, rule)) in cases.iter().enumerate() {
        std::fs::write(app.manifest(), manifest(entries)).unwrap();
        let kept = echo.world.path(format!("kept-{index}"));
        // From elsewhere: paths are relative to the manifest.
        let from = ["-f", app.manifest().to_str().unwrap(), "--temp", kept.to_str().unwrap()];
        let lock = echo.lock(&echo.world.home(), &from);
        let mounts = lock["components"][0]["files"].as_array().unwrap();
        assert_eq!(mounts.len(), 1, "{entries}");
        assert_eq!(mounts[0]["path"], "/");
        let folder = mounts[0]["source"].as_str().unwrap().strip_prefix("file://").unwrap().to_owned();
        let mut expected: BTreeMap<_, _> =
            tree.iter().filter_map(|(path, content)| Some((rule(path)?, content.clone()))).collect();
        if *with_links {
            expected.extend(linked.iter().filter_map(|(path, content)| Some((rule(path)?, content.clone()))));
        }
        if *entries == r#"files = ["./**/*"]"# {
            expected.insert("c.wasm".into(), "c.wasm".into());
            expected.insert("spin.toml".into(), manifest(entries));
        }
        let found = below(Path::new(&folder));
        let missing: Vec<_> = expected.keys().filter(|path| !found.contains_key(*path)).take(5).collect();
        let surplus: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).take(5).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "{entries}: missing {missing:?}, surplus {surplus:?}");
        assert!(found == expected, "{entries}: contents differ");
    }
}

#[test]
fn direct_mounts_show_the_folders_of_the_app_wherever_the_user_is() {
    let echo = Echo::new();
    let app = echo.app(
        &manifest(r#"files = ["site", { source = "other/d3", destination = "/placed" }]"#),
        &["c.wasm", "site/a.txt", "other/d3/b.txt"],
    );
    symlink("d3", app.dir().join("other/link")).unwrap();
    for folder in [app.dir(), &echo.world.home()] {
        let lock = echo.lock(folder, &["-f", app.manifest().to_str().unwrap(), "--direct-mounts"]);
        let url = |path: &str| format!("file://{}", app.dir().join(path).display());
        let expected = serde_json::json!([
            {"source": url("site"), "path": "site"},
            {"source": url("other/d3"), "path": "/placed"},
        ]);
        assert_eq!(lock["components"][0]["files"], expected);
    }
    for (entries, why) in [
        (r#"files = ["site/a.txt"]"#, "must be a folder"),
        (r#"files = ["site/*"]"#, "must be a folder"),
        (r#"files = ["../app/site"]"#, "outside"),
        ("files = [\"site\"]\nexclude_files = [\"*.css\"]", "nothing can be excluded"),
    ] {
        std::fs::write(app.manifest(), manifest(entries)).unwrap();
        let refused = echo.up(&["--direct-mounts"]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains("spin.toml:") && refused.stderr.contains(why), "{}", refused.snapshot());
    }
}

#[test]
fn what_cannot_be_copied_is_told_before_anything_is() {
    let echo = Echo::new();
    let app = echo.app(&manifest(""), &["c.wasm", "a.txt", "d/b.txt"]);
    for (entries, why) in [
        (r#"files = ["nope.txt"]"#, "does not exist and is not a glob"),
        (r#"files = [{ source = "nope", destination = "/x" }]"#, "does not exist"),
        (r#"files = [{ source = "a.txt", destination = "/x/" }]"#, "not a valid destination file name"),
        (r#"files = [{ source = "a.txt", destination = "/x/.." }]"#, "not a valid destination file name"),
        (r#"files = [".."]"#, ""),
        (r#"files = ["."]"#, ""),
        (r#"files = ["../app/a.txt"]"#, "outside"),
    ] {
        std::fs::write(app.manifest(), manifest(entries)).unwrap();
        let refused = echo.up(&[]).in_dir(app.dir()).run();
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{entries}: {}", refused.snapshot());
        assert!(refused.stderr.contains("spin.toml:7:") && refused.stderr.contains(why), "{}", refused.snapshot());
    }
}

/// The files that a component sees, of the working directory that `spin up` with these entries makes.
#[track_caller]
fn copied(echo: &Echo, entries: &str) -> Vec<String> {
    let app = echo.world.path("apps/app");
    std::fs::write(app.join("spin.toml"), manifest(entries)).unwrap();
    let kept = tempfile::tempdir_in(echo.world.path("tmp")).unwrap();
    echo.up(&["--temp", kept.path().to_str().unwrap()]).in_dir(&app).run().success();
    below(&kept.path().join("gen-1/assets/c")).into_keys().map(|path| path.display().to_string()).collect()
}

#[test]
fn folders_without_files_are_nothing() {
    let echo = Echo::new();
    echo.app(&manifest(""), &["c.wasm", "d/a.txt"]);
    std::fs::create_dir_all(echo.world.path("apps/app/d/empty/er")).unwrap();
    std::fs::create_dir_all(echo.world.path("apps/app/none")).unwrap();
    assert_eq!(copied(&echo, r#"files = ["d", "none", { source = "none", destination = "/x" }]"#), ["d/a.txt"]);
}

#[test]
fn what_is_excluded_is_named_by_where_it_is_and_not_by_where_it_is_seen() {
    let echo = Echo::new();
    echo.app(&manifest(""), &["c.wasm", "d/a.txt", "d/b.txt", "e/a.txt"]);
    let placed = r#"files = [{ source = "d", destination = "/e" }]"#;
    assert_eq!(copied(&echo, &format!("{placed}\nexclude_files = [\"d/a.*\"]")), ["e/b.txt"]);
    assert_eq!(copied(&echo, &format!("{placed}\nexclude_files = [\"e/*\"]")), ["e/a.txt", "e/b.txt"]);
}

#[test]
fn every_component_sees_its_own_files_even_if_no_trigger_runs_it() {
    let echo = Echo::new();
    let two = "\n[[trigger.echo]]\ncomponent = \"other\"\n[component.other]\nsource = \"c.wasm\"\nfiles = [\"b.txt\"]\n\
        [component.unused]\nsource = \"c.wasm\"\nfiles = [\"d.txt\"]";
    let app = echo.app(&manifest(&format!("files = [\"a.txt\"]{two}")), &["c.wasm", "a.txt", "b.txt", "d.txt"]);
    let kept = echo.world.path("kept");
    let lock = echo.lock(app.dir(), &["--temp", kept.to_str().unwrap()]);
    for (index, (id, file)) in [("c", "a.txt"), ("other", "b.txt"), ("unused", "d.txt")].into_iter().enumerate() {
        let folder = kept.join("gen-1/assets").join(id);
        let source = format!("file://{}", folder.display());
        assert_eq!(lock["components"][index]["files"], serde_json::json!([{"source": source, "path": "/"}]));
        assert_eq!(below(&folder).into_keys().collect::<Vec<_>>(), [Path::new(file)]);
    }
}

#[test]
fn a_pipe_a_socket_and_a_device_are_named() {
    let echo = Echo::new();
    let app = echo.app(&manifest(r#"files = ["d/*"]"#), &["c.wasm", "d/a.txt"]);
    let odd = app.dir().join("d/odd");
    let _socket = std::os::unix::net::UnixListener::bind(&odd).unwrap();
    for kind in ["socket", "pipe", "device"] {
        match kind {
            "pipe" => rustix::fs::mkfifoat(rustix::fs::CWD, &odd, rustix::fs::Mode::RUSR).unwrap(),
            "device" => symlink("/dev/zero", &odd).unwrap(),
            _ => {}
        }
        let refused = echo.up(&[]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{kind}: {}", refused.snapshot());
        assert!(refused.stderr.contains("d/odd\" is neither a file nor a folder"), "{kind}: {}", refused.snapshot());
        std::fs::remove_file(&odd).unwrap();
    }
    echo.lock(app.dir(), &[]);
}

#[test]
fn a_working_directory_within_the_app_is_none_of_its_files() {
    let echo = Echo::new();
    let files = &["c.wasm", "d/a.txt", "gen-1/mine"];
    let app = echo.app(&manifest(r#"files = ["./**/*"]"#), files);
    let run = |flags: &[&str]| echo.up(flags).in_dir(app.dir()).run();
    for _ in 0..2 {
        run(&["--temp", "d/work"]).success();
        let seen: Vec<_> = below(&app.dir().join("d/work/gen-1/assets/c")).into_keys().collect();
        assert_eq!(seen, ["c.wasm", "d/a.txt", "gen-1/mine", "spin.toml"].map(PathBuf::from));
    }
    // A folder of the user's own that is called like one of ours.
    let refused = run(&["--temp", "."]);
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("workdir::in-the-way"), "{}", refused.snapshot());
    assert_eq!(std::fs::read_to_string(app.dir().join("gen-1/mine")).unwrap(), "gen-1/mine");
    std::fs::write(app.manifest(), manifest(r#"files = ["d"]"#)).unwrap();
    let refused = run(&["--temp", "d/work", "--direct-mounts"]);
    assert!(refused.stderr.contains("files::working-directory"), "{}", refused.snapshot());
}

#[test]
fn starts_at_the_same_time_copy_for_themselves() {
    let echo = Echo::new();
    let app = echo.app(&manifest(r#"files = ["d"]"#), &["c.wasm"]);
    for file in 0..1000 {
        echo.world.write(format!("apps/app/d/{file}"), "content");
    }
    let kept: Vec<_> = (0..4).map(|number| echo.world.path(format!("kept-{number}"))).collect();
    let ups = kept.iter().map(|kept| echo.up(&["--temp", kept.to_str().unwrap()]).in_dir(app.dir()).start());
    for up in ups.collect::<Vec<_>>() {
        up.finish_within(std::time::Duration::from_secs(60)).success();
    }
    for kept in kept {
        let found = below(&kept.join("gen-1/assets/c"));
        assert!(found.len() == 1000 && found.values().all(|content| content == "content"), "{}", found.len());
    }
}

#[test]
fn direct_mounts_at_one_place_are_refused_with_both_places() {
    let echo = Echo::new();
    let entries = "files = [\"d\",\n{ source = \"e\", destination = \"/x/../d\" }]";
    let app = echo.app(&manifest(entries), &["c.wasm", "d/a", "e/b"]);
    let refused = echo.up(&["--direct-mounts"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(
        refused.stderr.contains("spin.toml:8:1: `e` would be seen at \"/d\", as is what line 7"),
        "{}",
        refused.snapshot()
    );
}
