//! `--disable-cache` and `--cache`: whether and where compiled code is kept.

use insta::assert_snapshot;

use super::{Site, files_below};

#[test]
fn without_the_cache_nothing_is_kept() {
    let site = Site::new();
    let kept = || !files_below(&site.world.cache().join("aot")).is_empty();
    site.ask(site.up(&["--disable-cache"]), "/");
    for yes in ["true", "1", "yes"] {
        site.ask(site.up(&[]).env("DISABLE_WASMTIME_CACHE", yes), "/");
        assert!(!kept(), "{yes}");
    }
    site.ask(site.up(&[]).env("DISABLE_WASMTIME_CACHE", "false"), "/");
    assert!(kept());
}

#[test]
fn the_cache_is_where_its_configuration_says() {
    let site = Site::new();
    site.world.write("etc/cache.toml", "[cache]\ndirectory = \"compiled\"\ncleanup-interval = \"30m\"\n");
    let file = site.world.path("etc/cache.toml");
    let compiled = || files_below(&site.world.path("etc/compiled"));
    site.ask(site.up(&["--cache", file.to_str().unwrap()]), "/");
    let first = compiled();
    assert_eq!(first.len(), 4, "code and a note for each component: {first:?}");
    assert!(!site.world.cache().join("aot").exists());

    // The same file by the variable; what is there is used, not written anew.
    let written = |path| std::fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = first.iter().map(written).collect();
    // No cache is no contradiction to a variable that says no.
    let up = site.up(&[]).env("WASMTIME_CACHE_FILE", &file).env("DISABLE_WASMTIME_CACHE", "0");
    site.ask(up, "/");
    assert_eq!(compiled().iter().map(written).collect::<Vec<_>>(), before);

    site.world.write("etc/off.toml", "[cache]\nenabled = false\n");
    site.ask(site.up(&["--cache=../../etc/off.toml"]), "/");
    assert!(!site.world.cache().join("aot").exists());
}

#[test]
fn a_component_cannot_write_where_compiled_code_is() {
    let site = Site::new();
    site.write("cache.toml", "[cache]\ndirectory = \"assets/compiled\"\n");
    let flags = ["--cache", "cache.toml", "--direct-mounts", "--allow-transient-write"];
    let refused = site.up(&flags).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("assets"), "{}", refused.snapshot());
    site.ask(site.up(&flags[..3]), "/");
}

#[test]
fn wrong_cache_flags_are_refused() {
    let site = Site::new();
    let text = "[cache]\nenabled = 1\ndirectroy = \"/x\"\nworker-event-queue-size = \"16\"\n[caches]\n";
    site.write("cache.toml", text);
    let wrong = site.up(&["--cache", "cache.toml"]).run();
    let missing = site.up(&["--cache", "nowhere.toml"]).run();
    for refused in [&wrong, &missing] {
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    }
    let both = site.up(&["--cache", "cache.toml", "--disable-cache"]).run();
    let by_variable = site.up(&["--disable-cache"]).env("WASMTIME_CACHE_FILE", "cache.toml").run();
    for refused in [&both, &by_variable] {
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    }
    assert_snapshot!([wrong, missing, both].map(|refused| refused.snapshot()).join("\n"));
}
