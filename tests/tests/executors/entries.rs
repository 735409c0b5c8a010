//! What each `[[trigger.http]]` entry says for itself, and what is refused when the app starts.

use spin_tests::{World, http};

use super::{WAGI, entry, refused, serve};

#[test]
fn every_entry_keeps_its_own_executor() {
    let more = |route: &str, executor: &str| {
        format!("[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"probe\"\n{executor}\n")
    };
    let manifest = more("/a/...", "executor = { type = \"wagi\", argv = \"a ${SCRIPT_NAME}\" }")
        + &more("/b/...", "executor = { type = \"wagi\", argv = \"b ${ARGS} end\", entrypoint = \"_start\" }")
        + &entry("probe", "/c/...", "wagi-probe", WAGI);
    let served = serve(&manifest, &[]);
    for (path, arguments) in [
        ("/a/headers?x=1&y", r#"args=["a", "/a/headers"]"#),
        ("/b/headers?x=1&y", r#"args=["b", "x=1", "y", "end"]"#),
        ("/c/headers?x=1&y", r#"args=["/c/headers", "x=1", "y"]"#),
    ] {
        let text = http::get(served.address, path).text();
        assert_eq!(text.lines().next(), Some(arguments), "{path}");
    }
}

#[test]
fn both_names_of_the_usual_executor_choose_by_the_export() {
    let manifest = entry("old", "/old/...", "probe-p2", "executor = { type = \"http\" }")
        + &entry("first", "/first/...", "inbound-probe", "executor = { type = \"spin\" }")
        + &entry("new", "/new/...", "probe-p3", "");
    let served = serve(&manifest, &[]);
    for route in ["old", "first", "new"] {
        assert_eq!(http::get(served.address, &format!("/{route}/x")).text(), "hello from a component\n", "{route}");
    }
}

#[test]
fn an_executor_of_the_wrong_kind_is_refused_by_the_exports() {
    for (source, executor, parts) in [
        ("probe-p2", WAGI, ["failed to find the wasi command interface", "wasi:http/incoming-handler@0.2.12"]),
        ("probe-p3", WAGI, ["failed to find the wasi command interface", "wasi:http/handler@0.3.0"]),
        (
            "wagi-probe",
            "",
            ["handles no HTTP requests: it exports wasi:cli/run@0.2.", "executor = { type = \"wagi\" }"],
        ),
        (
            "wagi-probe-module",
            "executor = { type = \"spin\" }",
            ["it exports wasi:cli/run@0.2.", "fermyon:spin/inbound-http"],
        ),
        ("wagi-probe", "executor = { type = \"wagi\", entrypoint = \"main\" }", ["deprecated 'entrypoint'", "main"]),
        ("wagi-probe", "executor = { type = \"cgi\" }", ["cgi", "expected `http`, `spin` or `wagi`"]),
        ("probe-p2", "executor = { type = \"http\", argv = \"x\" }", ["argv", "wagi"]),
        ("probe-p2", "request_timeout = \"soon\"", ["request_timeout", "a duration such as 30"]),
        ("probe-p2", "max_instance_reuse_count = 0", ["must be at least 1", "a count such as 128"]),
    ] {
        let ended = refused(&entry("probe", "/...", source, executor), |_| ());
        for part in parts {
            assert!(ended.stderr.contains(part), "{source}, {executor}: no `{part}`\n{}", ended.snapshot());
        }
    }
}

#[test]
fn what_exports_nothing_that_fits_or_too_much_is_refused() {
    let exporting = |names: &[&str]| {
        let exports = names.iter().map(|name| format!("(export \"{name}\" (instance $nothing))"));
        wat::parse_str(format!("(component (instance $nothing) {})", exports.collect::<String>())).unwrap()
    };
    for (exports, parts) in [
        (&["fermyon:spin/inbound-http", "wasi:http/handler@0.3.0"][..], &["exports several HTTP handlers"][..]),
        (&["wasi:http/incoming-handler@0.2.3", "wasi:http/handler@0.3.0"], &["several", "incoming-handler@0.2.3"]),
        (&[], &["handles no HTTP requests: it exports nothing", "wasi:http/handler@0.3.x"]),
        (&["wasi:http/handler@0.4.0", "a:b/c"], &["it exports wasi:http/handler@0.4.0, a:b/c"]),
        // Of the name, and of another shape.
        (&["wasi:http/handler@0.3.0"], &["exports wasi:http/handler@0.3.0, but not as that is defined"]),
    ] {
        let ended = refused(&entry("probe", "/...", "odd", ""), |app| {
            std::fs::write(app.dir().join("odd.wasm"), exporting(exports)).unwrap();
        });
        for part in parts {
            assert!(ended.stderr.contains(part), "{exports:?}: no `{part}`\n{}", ended.snapshot());
        }
    }
}

#[test]
fn an_entry_that_can_not_be_is_refused_with_what_is_wrong() {
    const PROBE: &str = "component = \"probe\"\n";
    for (lines, parts) in [
        (String::new(), ["triggers must specify either component or static_response", "one has neither"]),
        (format!("{PROBE}static_response = {{}}"), ["either component or static_response", "one has both"]),
        (format!("{PROBE}rout = \"/x\""), ["rout", "route"]),
        ("static_response = { status_code = 99 }".to_owned(), ["static_response of trigger one", "status_code 99"]),
        ("static_response = { status_code = 65536 }".to_owned(), ["trigger \"one\"", "65536"]),
        ("static_response = { headers = { \"a b\" = \"x\" } }".to_owned(), ["`a b`", "header name"]),
        ("static_response = { headers = { a = \"x\\ry\" } }".to_owned(), ["header `a`", "value"]),
    ] {
        let entry = format!("[[trigger.http]]\nid = \"one\"\nroute = \"/...\"\n{lines}\n");
        let ended = refused(&format!("{entry}[component.probe]\nsource = \"probe-p3.wasm\"\n"), |_| ());
        for part in parts {
            assert!(ended.stderr.contains(part), "{lines}: no `{part}`\n{}", ended.snapshot());
        }
    }
    let ended =
        refused("[[trigger.http]]\ncomponent = \"probe\"\n[component.probe]\nsource = \"probe-p3.wasm\"\n", |_| ());
    assert!(ended.stderr.contains("route"), "{}", ended.snapshot());
}

#[test]
fn of_the_settings_of_all_entries_only_the_base_that_means_nothing_is_accepted() {
    let world = World::new();
    world.install("trigger-http");
    let up = |settings: &str| {
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[application.trigger.http]\n{settings}\n{}",
            entry("probe", "/...", "probe-p3", "").replace("files", "# files")
        );
        let app = world.app("app", &manifest, &["probe-p3"]);
        world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir())
    };
    let running = up("base = \"/\"").start();
    assert_eq!(http::get(running.serving(), "/x").status, 200);
    assert!(running.stop().success().stderr.contains("has no effect and can be removed"));
    for (settings, part) in [("base = \"/api\"", "put it in front of every route"), ("bsae = \"/\"", "bsae")] {
        let ended = up(settings).run();
        assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
        assert!(ended.stderr.contains(part), "{}", ended.snapshot());
    }
}

#[test]
fn a_base_of_a_first_manifest_is_no_other() {
    let world = World::new();
    world.install("trigger-http");
    let up = |base: &str| {
        let manifest = format!(
            "spin_manifest_version = \"1\"\nname = \"app\"\nversion = \"1.0.0\"\n\
             trigger = {{ type = \"http\", base = \"{base}\" }}\n\
             [[component]]\nid = \"probe\"\nsource = \"probe-p2.wasm\"\n[component.trigger]\nroute = \"/x/...\"\n"
        );
        let app = world.app("app", &manifest, &["probe-p2"]);
        world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir())
    };
    let running = up("/").start();
    assert_eq!(http::get(running.serving(), "/x").status, 200);
    running.stop().success();
    let ended = up("/api").run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains("put it in front of every route"), "{}", ended.snapshot());
}

#[test]
fn durations_have_every_suffix_and_ranges() {
    let entries =
        ["\"300ms\"", "\"300000us\"", "\"300000μs\"", "\"300000000ns\"", "\"200ms..400ms\"", "1", "\"1\"", "\"1s\""];
    let manifest: String = entries
        .iter()
        .enumerate()
        .map(|(number, time)| {
            entry(
                &format!("probe-n{number}"),
                &format!("/{number}/..."),
                "probe-p3",
                &format!("request_timeout = {time}"),
            )
        })
        .collect();
    let served = serve(&manifest, &[]);
    for (number, time) in entries.iter().enumerate() {
        let began = std::time::Instant::now();
        assert_eq!(http::get(served.address, &format!("/{number}/sleep?ms=60000")).status, 504, "{time}");
        let waited = began.elapsed().as_millis();
        let least = if number < 5 { 200 } else { 1000 };
        assert!((least..20_000).contains(&waited), "{time}: {waited} ms");
    }
}

#[test]
fn an_entry_has_an_instance_policy_of_its_own() {
    let manifest = entry("new", "/new/...", "probe-p3", "max_instance_reuse_count = 2\nrequest_timeout = \"300ms\"")
        + "[[trigger.http]]\nroute = \"/plain/...\"\ncomponent = \"new\"\n"
        + "[[trigger.http]]\nroute = \"/same/...\"\ncomponent = \"new\"\n"
        + "[[trigger.http]]\nroute = \"/none/...\"\ncomponent = \"new\"\nmax_instance_reuse_count = \"1..2\"\n";
    let served = serve(&manifest, &["--max-instance-reuse-count", "3", "--idle-instance-timeout", "30s"]);
    let counts = |route: &str| -> Vec<String> {
        (0..4).map(|_| http::get(served.address, &format!("/{route}/count")).text().trim().to_owned()).collect()
    };
    assert_eq!(counts("new"), ["1", "2", "1", "2"], "the entry wins over the flag");
    assert_eq!(counts("plain"), ["1", "2", "3", "1"], "where an entry says nothing the flag counts");
    assert_eq!(counts("same"), ["2", "3", "1", "2"], "entries that say the same share their instances");
    assert_eq!(counts("none"), ["1"; 4], "a range doesn't hold its end");
    assert_eq!(http::get(served.address, "/new/sleep?ms=20000").status, 504);
    assert_eq!(http::get(served.address, "/plain/sleep?ms=600").status, 200);
}
