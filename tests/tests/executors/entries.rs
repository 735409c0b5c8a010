//! What each `[[trigger.http]]` entry says for itself, and what is refused when the app starts.

use spin_tests::http;

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
