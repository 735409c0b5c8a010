//! Where `spin up` looks for a manifest that nobody named.

use super::super::Echo;

const MANIFEST: &str = "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.echo]]\ncomponent = \"a\"\n\
    [component.a]\nsource = \"a.wasm\"\n";

#[test]
fn a_manifest_above_is_announced_by_its_distance() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["a.wasm", "one/two/three/four/x"]);
    for (below, above) in [
        ("one", "parent"),
        ("one/two", "grandparent"),
        ("one/two/three", "great-grandparent"),
        ("one/two/three/four", "great-great-grandparent"),
    ] {
        let up = echo.up(&[]).in_dir(app.dir().join(below)).run().success();
        let notice = format!(
            "No 'spin.toml' in current directory. Using 'spin.toml' from {above} directory ({})",
            app.dir().display()
        );
        assert!(up.stderr.contains(&notice), "{below}: {}", up.snapshot());
    }
    let here = echo.up(&[]).in_dir(app.dir()).run().success();
    assert!(!here.stderr.contains("No 'spin.toml'"), "{}", here.snapshot());
}

#[test]
fn the_search_ends_after_nineteen_levels() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["a.wasm"]);
    let deep = |levels: usize| {
        let folder = app.dir().join(vec!["d"; levels].join("/"));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    echo.up(&[]).in_dir(deep(19)).run().success();
    let lost = echo.up(&[]).in_dir(deep(20)).run();
    assert_eq!(lost.code, Some(1), "{}", lost.snapshot());
    assert!(lost.stderr.contains("source::not-found"), "{}", lost.snapshot());
}

#[test]
fn the_search_ends_behind_the_root_of_a_repository() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["a.wasm", "repository/below/x"]);
    let below = app.dir().join("repository/below");
    let git = app.dir().join("repository/.git");
    // That of a worktree or a submodule is a file, and what is above belongs to it.
    std::fs::write(&git, "gitdir: elsewhere\n").unwrap();
    echo.up(&[]).in_dir(&below).run().success();
    std::fs::remove_file(&git).unwrap();
    std::fs::create_dir(&git).unwrap();
    assert_eq!(echo.up(&[]).in_dir(&below).run().code, Some(1));
    // In the root itself it is found, and the root's own folder is not above.
    std::fs::create_dir(app.dir().join(".git")).unwrap();
    std::fs::remove_dir(&git).unwrap();
    echo.up(&[]).in_dir(&below).run().success();
}
