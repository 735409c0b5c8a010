//! Mounted files: what a component can read, and that it can't write, nor get out.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;

use spin_tests::{Finished, Invocation, Running, World, http};

/// A world with a folder of files, and a secret beside it that links lead to.
fn world() -> World {
    let world = World::new();
    world.write("assets/a.txt", "the file a\n");
    world.write("assets/sub/b.txt", "the file b\n");
    world.write("second/c.txt", "the file c\n");
    world.write("secret/s.txt", "the secret\n");
    symlink(world.path("secret/s.txt"), world.path("assets/link-out")).unwrap();
    symlink("../secret", world.path("assets/folder-out")).unwrap();
    symlink("a.txt", world.path("assets/link-in")).unwrap();
    world
}

fn start(world: &World, source: &str, flags: &[&str]) -> Running {
    trigger(world, source, flags).start()
}

/// The trigger for an app whose two components have this folder as their root.
fn trigger(world: &World, source: &str, flags: &[&str]) -> Invocation {
    let trigger = |id: &str, route: &str| serde_json::json!({"id": id, "trigger_type": "http", "trigger_config": {"component": id, "route": route}});
    let component = |id: &str, guest: &str| {
        serde_json::json!({
            "id": id,
            "source": {"content_type": "application/wasm", "source": format!("file://{}", spin_tests::guest(guest).display())},
            "files": [{"source": source, "path": "/"}, {"source": "second", "path": "/second"}],
        })
    };
    let lock = serde_json::json!({
        "spin_lock_version": 0,
        "metadata": {"name": "files"},
        "triggers": [trigger("old", "/p2/..."), trigger("new", "/p3/...")],
        "components": [component("old", "probe-p2"), component("new", "probe-p3")],
    });
    let lock = world.write("lock.json", lock.to_string());
    world
        .program("trigger-http")
        .args(["--listen", "127.0.0.1:0"])
        .args(flags)
        .env("SPIN_LOCKED_URL", format!("file://{}", lock.display()))
        .env("SPIN_WORKING_DIR", world.path(""))
}

fn ask(address: SocketAddr, generation: &str, what: &str) -> String {
    http::get(address, &format!("/{generation}/file/{what}")).text().trim().to_owned()
}

#[test]
fn files_are_read_only_and_have_no_way_out() {
    let world = world();
    // Relative to the working folder.
    let trigger = start(&world, "assets", &[]);
    let address = trigger.serving();
    for generation in ["p2", "p3"] {
        let ask = |what: &str| ask(address, generation, what);
        assert_eq!(ask("list?path=/"), "a.txt folder-out link-in link-out sub", "{generation}");
        for (path, text) in [
            ("/a.txt", "the file a"),
            ("/sub/b.txt", "the file b"),
            ("/sub/../a.txt", "the file a"),
            ("/link-in", "the file a"),
        ] {
            assert_eq!(ask(&format!("read?path={path}")), text, "{generation}: {path}");
        }
        for path in [
            "/link-out",
            "/folder-out/s.txt",
            "/../secret/s.txt",
            "/sub/../../secret/s.txt",
            "../secret/s.txt",
            "/etc/passwd",
        ] {
            let answer = ask(&format!("read?path={path}"));
            assert!(answer.starts_with("error: "), "{generation}: {path}: {answer}");
        }
        for forbidden in [
            "write?path=/a.txt",
            "write?path=/new",
            "remove?path=/a.txt",
            "link?to=/a.txt&path=/hard",
            "rename?path=/a.txt&to=/b.txt",
            "rename?path=/second/c.txt&to=/c.txt",
        ] {
            let answer = ask(forbidden);
            assert!(answer.starts_with("error: "), "{generation}: {forbidden}: {answer}");
        }
    }
    assert_eq!(std::fs::read_to_string(world.path("assets/a.txt")).unwrap(), "the file a\n");
    assert!(!world.path("assets/new").exists() && !world.path("assets/hard").exists());
    assert!(world.path("second/c.txt").exists());
    trigger.stop().success();
}

#[test]
fn writing_is_by_permission_and_never_reaches_what_is_run() {
    let world = world();
    let trigger = start(&world, "assets", &["--allow-transient-write"]);
    let address = trigger.serving();
    assert_eq!(ask(address, "p2", "write?path=/new"), "done");
    assert_eq!(ask(address, "p3", "read?path=/new"), "written by the guest");
    // Out of the mount there is no way for writing either.
    assert!(ask(address, "p2", "write?path=/link-out").starts_with("error: "));
    assert!(ask(address, "p3", "write?path=/folder-out/new").starts_with("error: "));
    assert_eq!(std::fs::read_to_string(world.path("secret/s.txt")).unwrap(), "the secret\n");
    // From one mount to another is within both fences, and out of them is not.
    assert_eq!(ask(address, "p2", "rename?path=/sub/b.txt&to=/second/b.txt"), "done");
    assert_eq!(ask(address, "p3", "read?path=/second/b.txt"), "the file b");
    for out in ["/second/../../secret/b.txt", "/folder-out/b.txt", "../secret/b.txt"] {
        let answer = ask(address, "p3", &format!("rename?path=/second/b.txt&to={out}"));
        assert!(answer.starts_with("error: "), "{out}: {answer}");
    }
    assert!(ask(address, "p2", "rename?path=/folder-out/s.txt&to=/second/s.txt").starts_with("error: "));
    assert!(!world.path("secret/b.txt").exists() && world.path("secret/s.txt").exists());
    trigger.stop().success();

    std::fs::create_dir_all(world.data()).unwrap();
    // The compiled code of this user was made by the start above; nobody may write there.
    for source in [world.cache(), world.cache().join("aot"), world.path(""), world.data()] {
        let refused: Finished = start(&world, source.to_str().unwrap(), &["--allow-transient-write"])
            .finish_within(std::time::Duration::from_secs(60));
        assert_eq!(refused.code, Some(1), "{}\n{}", source.display(), refused.snapshot());
        assert!(refused.stderr.contains("writable"), "{}", refused.snapshot());
    }
}

#[test]
fn a_cache_that_is_yet_to_be_made_behind_a_link_is_out_of_reach() {
    let world = world();
    std::fs::create_dir(world.path("big-disk")).unwrap();
    symlink("big-disk", world.path("caches")).unwrap();
    let refused = trigger(&world, "big-disk", &["--allow-transient-write"])
        .env("XDG_CACHE_HOME", world.path("caches/of-me"))
        .run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("writable"), "{}", refused.snapshot());
    assert!(!world.path("big-disk/of-me").exists());
}

#[test]
fn only_folders_can_be_mounted() {
    let world = world();
    for (source, why) in [("assets/a.txt", "only folders"), ("missing", "No such file")] {
        let refused = start(&world, source, &[]).finish_within(std::time::Duration::from_secs(60));
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(why) && refused.stderr.contains("\"old\""), "{}", refused.snapshot());
    }
}

#[test]
fn the_files_of_a_manifest_are_there_in_both_ways() {
    let manifest = r#"spin_manifest_version = 2
application = { name = "files" }
[[trigger.http]]
route = "/..."
component = "probe"
[component.probe]
source = "probe-p3.wasm"
files = ["static", { source = "single", destination = "/placed" }]
"#;
    for (flags, names) in [(&[][..], "placed static"), (&["--direct-mounts"][..], "")] {
        let world = World::new();
        world.install("trigger-http");
        let app = world.app("app", manifest, &["probe-p3"]);
        for (path, text) in [("static/a.txt", "the file a"), ("single/b.txt", "the file b")] {
            world.write(format!("apps/app/{path}"), text);
        }
        world.write("secret/s.txt", "the secret");
        symlink(world.path("secret/s.txt"), app.dir().join("static/out")).unwrap();
        let arguments = ["up", "--listen", "127.0.0.1:0"].into_iter().chain(flags.iter().copied());
        let up = world.spin(arguments).in_dir(app.dir()).start();
        let address = up.serving();
        let ask = |what: &str| http::get(address, &format!("/file/{what}")).text().trim().to_owned();
        assert_eq!(ask("read?path=static/a.txt"), "the file a", "{flags:?}");
        assert_eq!(ask("read?path=/placed/b.txt"), "the file b", "{flags:?}");
        assert!(ask("write?path=/placed/b.txt").starts_with("error: "), "{flags:?}");
        // A copy is what the link led to; a folder that is mounted as it is has no way out.
        let out = ask("read?path=static/out");
        assert!(if names.is_empty() { out.starts_with("error: ") } else { out == "the secret" }, "{flags:?}: {out}");
        if !names.is_empty() {
            assert_eq!(ask("list?path=/"), names, "{flags:?}");
        }
        up.stop().success();
    }
}
