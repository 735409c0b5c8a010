//! `spin cache` and `--compile-only`: compiled code is made ahead, listed and cleared.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use insta::assert_snapshot;
use serde_json::Value;
use spin_tests::{Finished, World, http};

use super::{Site, files_below};

/// What `spin cache` prints, without its numbers: sizes and days are others each time.
fn cache(world: &World, arguments: &[&str]) -> String {
    let run = world.spin(["cache"]).args(arguments).run().success();
    assert_eq!(run.stderr, "", "{}", run.snapshot());
    let words = run.stdout.split_inclusive([' ', '\n', ',']).map(|word| {
        let bare = word.trim_end_matches([' ', '\n', ',']);
        let is_number =
            bare.starts_with(|c: char| c.is_ascii_digit()) && bare.chars().all(|c| "0123456789.-".contains(c));
        match is_number {
            true => word.replacen(bare, "N", 1),
            false if ["KiB", "MiB"].contains(&bare) => word.replacen(bare, "BYTES", 1),
            false => word.to_owned(),
        }
    });
    let text = words.collect::<String>().replace(world.cache().to_str().unwrap(), "[CACHE]");
    format!("$ spin cache {}\n{text}", arguments.join(" "))
}

/// What `spin cache list --json` prints, which is what its schema says.
fn listed(world: &World) -> Value {
    let run = world.spin(["cache", "list", "--json"]).run().success();
    let list: Value = serde_json::from_str(&run.stdout).unwrap();
    let schema = spin_tests::repository().join("docs/schemas/cache-list.schema.json");
    let (mut compiler, mut schemas) = (boon::Compiler::new(), boon::Schemas::new());
    let compiled = compiler.compile(schema.to_str().unwrap(), &mut schemas).unwrap();
    assert!(schemas.validate(&list, compiled).is_ok(), "{list}");
    list
}

fn code(world: &World) -> Vec<PathBuf> {
    files_below(&world.cache().join("aot"))
}

fn warm(site: &Site, flags: &[&str]) -> Finished {
    site.world.spin(["cache", "warm"]).args(flags).in_dir(site.app.dir()).run()
}

/// How many components a start compiled, and how many it found.
fn compiled_and_found(site: &Site, flags: &[&str]) -> String {
    let (_, said) = site.ask(site.up(flags).env("RUST_LOG", "spin_component_runtime=debug"), "/");
    let at = said.stderr.find("compiled=").unwrap_or_else(|| panic!("{}", said.snapshot()));
    said.stderr[at..].lines().next().unwrap().to_owned()
}

#[test]
fn what_was_compiled_is_listed_and_cleared() {
    let site = Site::new();
    let empty = cache(&site.world, &["list"]) + &cache(&site.world, &["clear"]);
    site.ask(site.up(&[]), "/");
    let list = listed(&site.world);
    let components = list["components"].as_array().unwrap();
    let sum: u64 = code(&site.world).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert_eq!(list["bytes"].as_u64(), Some(sum), "{list}");
    assert_eq!(components.iter().map(|one| one["component"].as_str().unwrap()).collect::<Vec<_>>(), ["new", "old"]);
    for one in components {
        assert_eq!(one["app"], "app", "{list}");
        assert!(one["engine"].as_str().unwrap().starts_with("wasmtime "), "{list}");
    }
    let dry = cache(&site.world, &["list"]) + &cache(&site.world, &["clear", "--dry-run"]);
    assert_eq!(listed(&site.world), list, "a dry run removes nothing");
    let clear = cache(&site.world, &["clear"]) + &cache(&site.world, &["list"]);
    assert_eq!(files_below(&site.world.cache()), Vec::<PathBuf>::new());
    assert_snapshot!([empty, dry, clear].join("\n"));
}

#[test]
fn only_what_was_not_used_for_days_can_be_cleared() {
    let site = Site::new();
    site.ask(site.up(&[]), "/");
    let days = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    let first =
        code(&site.world).into_iter().find(|path| path.extension().is_some_and(|kind| kind == "cwasm")).unwrap();
    let aged = |age| std::fs::File::open(&first).unwrap().set_modified(age).unwrap();
    let unused = || {
        let run = site.world.spin(["cache", "clear", "--unused-for", "30", "--dry-run", "--json"]).run().success();
        let cleared: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(cleared["dryRun"], true);
        cleared["components"].as_array().unwrap().len()
    };
    assert_eq!(unused(), 0);
    aged(days(31));
    assert_eq!(unused(), 1);
    // A start counts as use.
    site.ask(site.up(&[]), "/");
    assert_eq!(unused(), 0);
    aged(days(31));
    site.world.spin(["cache", "clear", "--unused-for=30"]).run().success();
    assert_eq!(listed(&site.world)["components"].as_array().unwrap().len(), 1);
    assert!(!first.exists());
}

#[test]
fn an_app_that_runs_does_not_notice_that_its_code_is_cleared() {
    let site = Site::new();
    // The code is mapped from the cache, not what this process has compiled.
    warm(&site, &[]).success();
    let up = site.up(&[]).start();
    let address = up.serving();
    site.world.spin(["cache", "clear"]).run().success();
    assert!(code(&site.world).is_empty());
    for path in ["/p2/", "/p3/", "/p2/other", "/p3/other"] {
        assert_eq!(http::get(address, path).status, 200, "{path}");
    }
    up.stop().success();
    assert_eq!(compiled_and_found(&site, &[]), "compiled=2 from_cache=0");
}

#[test]
fn a_start_compiles_nothing_after_the_cache_was_warmed() {
    let site = Site::new();
    let first = warm(&site, &[]).success();
    assert!(first.stdout.starts_with("Compiled 2 components. The code is kept below"), "{}", first.snapshot());
    assert_eq!(compiled_and_found(&site, &[]), "compiled=0 from_cache=2");
    let second = warm(&site, &[]).success();
    assert!(second.stdout.starts_with("Compiled 0 components; 2 were compiled already."), "{}", second.snapshot());
    // The same by spin's own flag, and for another engine: options of the trigger have their effect.
    let other = ["--compile-only", "--debug-info", "--quiet"];
    let third = site.world.spin(["up"]).args(other).in_dir(site.app.dir()).run().success();
    assert!(third.stdout.starts_with("Compiled 2 components."), "{}", third.snapshot());
    assert_eq!(compiled_and_found(&site, &["--debug-info"]), "compiled=0 from_cache=2");
}

#[test]
fn a_large_component_that_nobody_has_touched_is_not_read_again() {
    let site = Site::new();
    for name in ["probe-p2.wasm", "probe-p3.wasm"] {
        let file = site.path(name);
        let mut component = std::fs::read(&file).unwrap();
        // A section that means nothing, of a mebibyte: its number, its length, the length of its name, its name.
        let content = [&[1, b'x'], vec![0; 1 << 20].as_slice()].concat();
        component.extend([0, 0x82, 0x80, 0xc0, 0x00]);
        component.extend(content);
        std::fs::write(file, component).unwrap();
    }
    let unread = || {
        let (_, said) = site.ask(site.up(&[]).env("RUST_LOG", "spin_component_runtime=debug"), "/");
        let at = said.stderr.find("unread=").unwrap_or_else(|| panic!("{}", said.snapshot()));
        said.stderr[at..].lines().next().unwrap().to_owned()
    };
    assert_eq!(unread(), "unread=0 converted=0 composed=0 compiled=2 from_cache=0");
    // For two seconds after a file was written nothing is noted about it.
    let notes = || files_below(&site.world.cache().join("aot/sources")).len();
    let began = Instant::now();
    while notes() < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is noted");
        assert!(unread().ends_with("compiled=0 from_cache=2"));
    }
    assert_eq!(unread(), "unread=2 converted=0 composed=0 compiled=0 from_cache=2");
    let touched = site.path("probe-p3.wasm");
    std::fs::write(&touched, std::fs::read(&touched).unwrap()).unwrap();
    assert_eq!(unread(), "unread=1 converted=0 composed=0 compiled=0 from_cache=2");
    let cleared = site.world.spin(["cache", "clear"]).run().success();
    assert!(cleared.stdout.contains("\nRemoved what is known of 2 large files\nFreed"), "{}", cleared.snapshot());
    assert_eq!(files_below(&site.world.cache()), Vec::<PathBuf>::new());
}

#[test]
fn warming_the_cache_needs_nothing_and_leaves_nothing_else() {
    let site = Site::new();
    let manifest = std::fs::read_to_string(site.app.manifest()).unwrap();
    std::fs::write(site.app.manifest(), manifest.replace("a = { default = \"default\" }", "a = { required = true }"))
        .unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let kept = site.world.write("etc/cache.toml", "[cache]\ndirectory = \"compiled\"\n");
    let flags = ["--listen", &address, "--runtime-config-file", "nowhere.toml", "--cache", kept.to_str().unwrap()];
    warm(&site, &flags).success();
    assert_eq!(files_below(&site.world.path("etc/compiled")).len(), 4);
    assert!(!site.path(".spin").exists() && code(&site.world).is_empty());
    let list = site.world.spin(["cache", "list", "--dir", "etc/compiled"]).in_dir(site.world.path("")).run().success();
    assert!(list.stdout.contains("new of app, wasmtime"), "{}", list.snapshot());
}

#[test]
fn every_trigger_of_an_app_compiles_its_components() {
    let world = World::new();
    world.install("trigger-http");
    world.install("trigger-redis");
    let manifest = r#"
spin_manifest_version = 2
[application]
name = "app"
[application.trigger.redis]
address = "redis://127.0.0.1:1"
[[trigger.http]]
route = "/..."
component = "web"
[[trigger.redis]]
channel = "c"
component = "queue"
[component.web]
source = "probe-p3.wasm"
[component.queue]
source = "redis-probe.wasm"
"#;
    let app = world.app("app", manifest, &["probe-p3", "redis-probe"]);
    let warm = world.spin(["cache", "warm"]).in_dir(app.dir()).run().success();
    let mut lines: Vec<&str> = warm.stdout.lines().map(|line| line.split('.').next().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[http] Compiled 1 component", "[redis] Compiled 1 component"], "{}", warm.snapshot());
    assert_eq!(warm.stderr, "", "one that is done is no news: {}", warm.snapshot());
    let list = listed(&world);
    let components = list["components"].as_array().unwrap();
    assert_eq!(components.iter().map(|one| one["component"].as_str().unwrap()).collect::<Vec<_>>(), ["queue", "web"]);
}

/// A trigger of the public ecosystem, which knows nothing of compiling ahead.
const FOREIGN: &str = "#!/bin/sh\n[ \"$1\" = --launch-metadata-only ] && echo '{\"all_flags\": [{\"long\": \"--own\"}]}' >&2 \
                       && exit 0\necho started\n";

#[test]
fn what_cannot_be_compiled_ahead_is_told() {
    let site = Site::new();
    let foreign = site.write("trigger-foreign", FOREIGN);
    std::fs::set_permissions(&foreign, PermissionsExt::from_mode(0o755)).unwrap();
    let plugin = format!("trigger-foreign={}", foreign.display());
    let tables = "[[trigger.foreign]]\ncomponent = \"a\"\n[component.a]\nsource = \"probe-p2.wasm\"\n";
    site.write("foreign.toml", &spin_tests::probes::manifest(tables));
    let broken = tables.replace("foreign", "http").replace("component = \"a\"", "component = \"a\"\nroute = \"/\"");
    site.write("broken.toml", &spin_tests::probes::manifest(&broken.replace("probe-p2", "broken")));
    site.write("broken.wasm", "\0asm\r\0\u{1}\0?");
    let off = site.world.write("etc/off.toml", "[cache]\nenabled = false\n");
    let full = site.world.write("etc/full.toml", "[cache]\ndirectory = \"full.toml\"\n");
    let rows: [(&[&str], i32); 7] = [
        (&["-f", "foreign.toml", "--plugin-path", &plugin], 1),
        (&["-f", "broken.toml"], 1),
        (&["--disable-cache"], 2),
        (&["--cache", off.to_str().unwrap()], 1),
        (&["--cache", full.to_str().unwrap()], 1),
        (&["--admin-listen", "0"], 2),
        (&["--on-trigger-exit", "restart"], 2),
    ];
    let runs = rows.map(|(flags, code)| {
        let refused = warm(&site, flags);
        assert_eq!(refused.code, Some(code), "{flags:?}\n{}", refused.snapshot());
        assert!(!refused.stdout.contains("started"), "{}", refused.snapshot());
        engine_left_out(&refused.snapshot())
    });
    assert_snapshot!(runs.join("\n"));
}

/// The text without the digits that stand for the engine of this machine, and without diagnostics, which have those of keys.
fn engine_left_out(text: &str) -> String {
    let mark = "/aot/";
    let lines =
        text.lines().filter(|line| !line.trim_start().starts_with("WARN")).map(|line| match line.split_once(mark) {
            Some((before, rest)) => {
                format!("{before}{mark}[ENGINE]{}\n", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            }
            None => format!("{line}\n"),
        });
    lines.collect()
}

#[test]
fn what_spin_cache_cannot_do() {
    let world = World::new();
    let blocked = world.write("blocked/aot", "no folder");
    let runs = [
        world.spin(["cache"]).run(),
        world.spin(["cache", "lits"]).run(),
        world.spin(["cache", "clear", "--unused-for", "0"]).run(),
        world.spin(["cache", "list", "--dir"]).args([blocked.parent().unwrap()]).run(),
    ];
    assert_eq!(runs.each_ref().map(|run| run.code), [2, 2, 2, 1].map(Some));
    assert_snapshot!(runs.map(|run| run.snapshot()).join("\n"));
}

#[test]
fn the_help_of_warm_has_the_options_of_the_apps_trigger() {
    let site = Site::new();
    let help = warm(&site, &["--help"]).success();
    for text in ["spin cache warm [OPTIONS]", "--from <APPLICATION>", "--disable-pooling", "--compile-only"] {
        assert!(help.stdout.contains(text), "{text} is missing in\n{}", help.stdout);
    }
}
