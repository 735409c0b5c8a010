//! What reading accepts, and the exact words and places of what it refuses.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use crate::manifest::{BuildCommand, Manifest, ManifestError};

/// A manifest that is fine, to which tests append what they are about.
const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger]\n";

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text, Path::new("t"))
}

/// The problems of `HEAD` and `rest`; lines count from the beginning of `rest`.
fn problems(rest: &str) -> String {
    let error = parse(&format!("{HEAD}{rest}")).unwrap_err();
    let mut text = String::new();
    for problem in error.problems() {
        let line = problem.at.line - HEAD.lines().count();
        writeln!(text, "{line}:{}: {}", problem.at.column, problem.message).unwrap();
        if let Some(help) = &problem.help {
            writeln!(text, "  {help}").unwrap();
        }
    }
    text
}

/// The problems of a whole document, without help.
fn messages(text: &str) -> Vec<String> {
    let error = parse(text).unwrap_err();
    error.problems().iter().map(|p| format!("{}:{}: {}", p.at.line, p.at.column, p.message)).collect()
}

#[test]
fn everything_that_can_be_written_is_read() {
    let manifest = parse(
        r#"
spin_manifest_version = 2
[application]
name = "shop"
version = "1.2"
description = "sells"
authors = ["A <a@example.com>"]
targets = ["spin-up:3.2"]
[application.trigger.redis]
address = "redis://localhost:6379"
[application.tool.x]
anything = 2020-01-01
[variables]
token = { required = true, secret = true }
host = { default = "example.com", description = "where to" }
[[trigger.http]]
id = "front"
route = "/..."
component = "cart"
executor = { type = "wagi", argv = "x" }
[[trigger.http]]
route = { private = true }
static_response = { status_code = 404 }
[component.cart]
source = "target/cart.wasm"
description = "the cart"
environment = { MODE = "{{ not a template }}" }
variables = { url = "https://{{ host }}/", secret = "{{token}}" }
allowed_outbound_hosts = ["https://{{ host }}", "redis://localhost:6379"]
key_value_stores = ["default"]
sqlite_databases = ["orders_db"]
ai_models = ["llama2-chat"]
targets = []
tool.x = { y = 1 }
[component.cart.build]
command = ["cargo build", "wasm-opt"]
workdir = "cart"
watch = ["src/**/*.rs"]
[[trigger.redis]]
channel = "orders"
component = "cart"
"#,
    )
    .unwrap();
    assert_eq!(manifest.application.name, "shop");
    assert_eq!(manifest.application.authors, ["A <a@example.com>"]);
    let redis = &manifest.application.trigger_settings[&"redis".parse().unwrap()];
    assert_eq!(redis["address"], "redis://localhost:6379");
    assert!(manifest.variables["token"].required && manifest.variables["token"].secret);
    assert_eq!(manifest.variables["host"].default.as_deref(), Some("example.com"));
    let triggers: Vec<_> =
        manifest.triggers.iter().map(|t| (t.id.value.as_str(), t.trigger_type.as_str(), t.config.clone())).collect();
    assert_eq!(triggers.len(), 3);
    assert_eq!(triggers[0].0, "front");
    assert_eq!(json!(triggers[0].2), json!({ "route": "/...", "executor": { "type": "wagi", "argv": "x" } }));
    assert_eq!((triggers[1].0, triggers[1].1), ("http-trigger1", "http"));
    assert_eq!((triggers[2].0, triggers[2].1), ("cart-redis-trigger", "redis"));
    let cart = &manifest.components[0];
    assert_eq!(cart.environment["MODE"], "{{ not a template }}");
    assert_eq!(cart.variables["secret"].value, "{{token}}");
    let build = cart.build.as_ref().unwrap();
    assert_eq!(build.command, BuildCommand::Several(vec!["cargo build".into(), "wasm-opt".into()]));
    assert_eq!(build.workdir.as_deref(), Some("cart"));
    assert!(manifest.warnings.is_empty());
}

#[test]
fn an_application_without_triggers_or_components_parses() {
    let manifest = parse(HEAD).unwrap();
    assert!(manifest.triggers.is_empty() && manifest.components.is_empty());
}

#[test]
fn versions() {
    let of = |line: &str| messages(&format!("{line}\nnonsense = 1\n"));
    assert_eq!(of(""), ["1:1: the key `spin_manifest_version` is missing in the manifest"]);
    assert_eq!(of("spin_manifest_version = 1"), ["1:25: invalid manifest version: `1`"]);
    assert_eq!(of("spin_manifest_version = '2'"), ["1:25: invalid manifest version: `'2'`"]);
    assert_eq!(of("spin_version = 2"), ["1:16: invalid manifest version: `2`"]);
    assert_eq!(of("spin_version = '2'"), ["1:16: invalid manifest version: `'2'`"]);
    assert_eq!(of("spin_manifest_version = []"), ["1:25: invalid manifest version: `[]`"]);
    let twice = "1:1: the version is given twice: `spin_version` is the old name of the key";
    assert_eq!(of("spin_version = '1'\nspin_manifest_version = '1'"), [twice]);
    for key in ["spin_manifest_version", "spin_version"] {
        assert!(parse(&format!("{key} = '1'\nname = 'a'\ntrigger.type = 'http'\n")).is_ok());
    }
}

#[test]
fn what_is_missing_at_the_top_is_all_named() {
    assert_eq!(
        messages("spin_manifest_version = 2"),
        ["1:1: the key `application` is missing in the manifest", "1:1: the key `trigger` is missing in the manifest"]
    );
    let text = "spin_manifest_version = 2\n[application]\n[trigger]";
    assert_eq!(messages(text), ["2:2: the key `name` is missing in [application]"]);
}

#[test]
fn bad_toml_is_reported_where_it_breaks() {
    let messages = messages("a = \nb = [1,\n");
    assert!(messages.len() >= 2, "{messages:?}");
    assert!(messages[0].starts_with("1:"), "{messages:?}");
    assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
    assert!(parse("a = 1\na = 2").is_err());
}

#[test]
fn unknown_keys_are_errors_with_the_nearest_name() {
    let found = problems("[component.a]\nsource = 'a'\nenviroment = {}\nqqq = 1\n[compnent]\n");
    assert_eq!(
        found,
        "\
3:1: unknown key `enviroment` in component `a`
  did you mean `environment`?
4:1: unknown key `qqq` in component `a`
  known keys are source, description, variables, environment, files, exclude_files, allowed_outbound_hosts, allowed_http_hosts, \
key_value_stores, sqlite_databases, ai_models, targets, build, tool, dependencies, \
dependencies_inherit_configuration, profile
5:2: unknown key `compnent` in the manifest
  did you mean `component`?
"
    );
}

#[test]
fn ids_say_which_rule_they_break_and_what_would_do() {
    let found =
        problems("[component.my_comp]\nsource='a'\n[component.\"1abc\"]\nsource='a'\n[variables]\nmyVar.default=''\n");
    assert_eq!(
        found,
        "\
1:12: `my_comp` is not a component id: words must be separated with '-', not '_'
  write `my-comp`
3:12: `1abc` is not a component id: every word must start with a letter, not '1'
6:1: `myVar` is not a variable name: the word \"myVar\" must be all lower case or all upper case
"
    );
}

#[test]
fn wrong_kinds_say_what_was_expected() {
    let found = problems(
        "[component.a]\nsource = 1\nenvironment = { A = 1 }\nai_models = 'x'\nkey_value_stores = [1, 'a b']\n\
         targets = 'x'\nbuild = { command = 1 }\n[component]\nb = 'x'\n[variables]\nv = { default = 1, secret = 'y' }\n",
    );
    let lines: Vec<_> = found.lines().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(
        lines,
        [
            "2:10: `source` in component `a` must be the path of a file, or a table with a download or a package, not an integer",
            "3:21: `A` in `environment` in component `a` must be a text in quotes, not an integer",
            "4:13: `ai_models` in component `a` must be a list of texts, not a text",
            "5:21: each item of `key_value_stores` in component `a` must be a text in quotes, not an integer",
            "5:24: `a b` in `key_value_stores` in component `a` is not a label",
            "6:11: `targets` in component `a` must be a list, not a text",
            "7:21: `command` in the build of component `a` must be a text or a list of texts, not an integer",
            "9:5: component `b` must be a table, not a text",
            "11:17: `default` in variable `v` must be a text in quotes, not an integer",
            "11:29: `secret` in variable `v` must be true or false, not a text",
        ]
    );
}

#[test]
fn triggers_must_be_lists_of_tables() {
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger.http]\nroute = '/'\n[trigger]\n";
    assert!(parse(text).is_err(), "TOML itself refuses the table twice");
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger.http]\nroute = '/'\n";
    let error = parse(text).unwrap_err().to_string();
    assert_eq!(
        error,
        "t:4:10: the triggers of type `http` must be a list, not a table\n  \
         help: write `[[trigger.http]]`, with two brackets"
    );
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[[trigger.HTTP]]\nroute = 2020-01-01\n";
    assert_eq!(
        messages(text),
        [
            "4:11: `HTTP` is not a trigger type: it must be written in lower case",
            "5:9: the date or time in `route` cannot be passed on to the trigger",
        ]
    );
}

#[test]
fn a_variable_is_required_or_has_a_default() {
    let found = problems("[variables]\na = {}\nb = { required = true, default = '' }\nc = { required = false }\n");
    assert_eq!(
        found,
        "\
2:1: variable `a` must be `required` or have a `default`
  add `required = true` or `default = \"…\"`
3:1: variable `b` is `required` and also has a `default`
  remove one of the two
4:1: variable `c` must be `required` or have a `default`
  add `required = true` or `default = \"…\"`
"
    );
}

#[test]
fn hosts_that_can_never_match_are_refused() {
    let found = problems("[component.a]\nsource='a'\nallowed_outbound_hosts = ['example.com', 'https://x/y']\n");
    assert_eq!(
        found,
        "\
3:27: `example.com` cannot be an allowed outbound host: it has no scheme
  write for example `https://example.com`
3:42: `https://x/y` cannot be an allowed outbound host: it has a path
  hosts are allowed as a whole; leave the path out
"
    );
}

#[test]
fn deprecated_hosts_are_a_warning_with_the_replacement() {
    let manifest =
        parse(&format!("{HEAD}[component.a]\nsource='a'\nallowed_http_hosts = ['x.org', 'self']\n")).unwrap();
    let warning = &manifest.warnings[0];
    assert_eq!((warning.at.line, warning.at.column), (7, 23));
    assert_eq!(warning.message, "`allowed_http_hosts` in component `a` is deprecated");
    let help = r#"add to `allowed_outbound_hosts`: "http://x.org", "https://x.org", "http://self""#;
    assert_eq!(warning.help.as_deref(), Some(help));
}

#[test]
fn ids_of_triggers_are_assigned_around_those_that_are_written() {
    let triggers = "
[[trigger.http]]
component = 'a'
[[trigger.http]]
component = 'a'
[[trigger.http]]
id = ''
[[trigger.redis]]
id = 'http-trigger1'
component = 'a'
[component.a]
source = 'a'
";
    let text = HEAD.replace("[trigger]", "") + triggers;
    let ids: Vec<_> = parse(&text).unwrap().triggers.into_iter().map(|trigger| trigger.id.value).collect();
    assert_eq!(ids, ["a-http-trigger", "http-trigger2", "http-trigger3", "http-trigger1"]);
}

#[test]
fn targets_of_a_component_are_in_the_place_of_those_of_the_application() {
    let text = "[application]\nname = 'a'\ntargets = ['spin-up:3.2', 'x@1']\n[trigger]\n[component.a]\nsource = 'a'\n\
        targets = []\n[component.b]\nsource = 'b'\n";
    let manifest = parse(&format!("spin_manifest_version = 2\n{text}")).unwrap();
    assert_eq!(manifest.application.targets.len(), 2);
    assert_eq!(manifest.components[0].targets, Some(Vec::new()), "that is none, and not those of the application");
    assert_eq!(manifest.components[1].targets, None);
}

#[test]
fn a_file_that_is_not_text_is_refused_where_it_stops_being_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    let error = Manifest::read(&path).unwrap_err();
    assert_eq!(error.code(), "manifest::read");
    assert!(std::error::Error::source(&error).is_some());
    std::fs::write(&path, b"a = 1\nb = \xff\n").unwrap();
    let error = Manifest::read(&path).unwrap_err();
    assert!(error.to_string().ends_with("spin.toml:2:5: the file is not valid UTF-8 from here on"), "{error}");
}

#[test]
fn terminal_codes_in_names_are_not_printed() {
    let found = problems("[component.\"\\u001b[2J\"]\nsource = 'a'\n[\"\\u001b\"]\n");
    assert!(!found.contains('\u{1b}'), "{found:?}");
}

#[test]
fn a_huge_hopeless_manifest_gives_a_short_answer() {
    let mut text = HEAD.to_owned();
    for number in 0..200_000 {
        writeln!(text, "key{number} = 1").unwrap();
    }
    let printed = parse(&text).unwrap_err().to_string();
    assert!(printed.lines().count() < 300 && printed.ends_with("more problems"));
}

/// Whatever a parser of its own depth limit lets through, ours must not fall over.
#[test]
fn depth_is_an_error_and_not_a_crash() {
    for depth in [100, 10_000, 200_000] {
        let dotted = "a.".repeat(depth);
        let texts = [
            format!("[[trigger.x]]\n{dotted}a = 1\n"),
            format!("[application.tool.{dotted}a]\n"),
            format!("[component.a.{dotted}a]\n"),
            format!("[[trigger.x]]\na = {}\n", "[".repeat(depth)),
            format!("[[trigger.x]]\na = {}1{}\n", "{ a = ".repeat(depth), " }".repeat(depth)),
        ];
        for text in texts {
            let _ = parse(&format!("spin_manifest_version = 2\n{text}"));
            let _ = parse(&format!("spin_manifest_version = '1'\n{text}"));
        }
    }
}

#[test]
fn ten_megabytes_are_read_in_good_time() {
    let mut text = HEAD.to_owned();
    for number in 0..100_000 {
        writeln!(
            text,
            "[component.c{number}]\nsource = 'c.wasm'\nenvironment = {{ A = '{number}', B = '{number}' }}\n"
        )
        .unwrap();
    }
    for number in 0..100_000 {
        writeln!(text, "[variables.v{number}]\ndefault = '{number}'").unwrap();
    }
    for number in 0..50_000 {
        writeln!(text, "[[trigger.x]]\n[[trigger.y]]\nid = '{number}_'\ncomponent = {{ source = 'x.wasm' }}").unwrap();
    }
    let text = text.replace("[trigger]\n", "");
    assert!(text.len() > 10_000_000, "{}", text.len());
    let manifest = parse(&text).unwrap();
    assert_eq!((manifest.components.len(), manifest.triggers.len()), (150_000, 100_000));
}

#[test]
fn many_dependencies_are_not_compared_each_with_each() {
    let mut text = format!("{HEAD}[component.a]\nsource = 'a'\n[component.a.dependencies]\n");
    for number in 1..=200_000 {
        writeln!(text, "\"x:y@{number}.0.0\" = {{ path = 'y' }}").unwrap();
    }
    let begin = std::time::Instant::now();
    assert_eq!(parse(&text).unwrap().components[0].dependencies.len(), 200_000);
    assert!(begin.elapsed() < std::time::Duration::from_secs(30), "{:?}", begin.elapsed());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\PC|\n){0,80}") {
        let _ = parse(&text);
        let _ = parse(&format!("{HEAD}{text}"));
    }

    /// Any value in the place of any other is either fine or a problem, never a panic, and always has a place.
    #[test]
    fn any_kind_of_value_anywhere_is_handled(
        table in prop::sample::select(vec![
            "variables", "variables.v", "component", "component.a", "component.a.build", "component.a.variables",
            "component.a.source", "component.a.dependencies", "component.a.dependencies.v", "component.a.profile",
            "component.a.profile.p", "component.a.profile.p.build", "component.a.tool",
        ]),
        key in prop::sample::select(vec![
            "v", "a", "source", "default", "required", "command", "watch", "targets", "files", "variables", "build",
            "url", "digest", "package", "version", "registry", "path", "component", "export", "inherit_configuration",
            "exclude_files", "dependencies", "profile", "tool", "allowed_http_hosts", "allowed_outbound_hosts",
            "\"acme:x/y@1.0.0\"", "dependencies_inherit_configuration", "ai_models", "key_value_stores",
        ]),
        value in prop::sample::select(vec![
            "1", "-1.5", "nan", "true", "2020-01-01", "'x'", "''", "[]", "[1]", "['x']", "{}", "{ a = 1 }", "'{{'",
            "'1.0.0'", "'*'", "[{ source = 'x', destination = 'y' }]", "{ version = '1' }", "{ component = 'a' }",
        ]),
    ) {
        let text = format!("{HEAD}[{table}]\n{key} = {value}\n");
        let old = "spin_version = '1'\nname = 'a'\ntrigger.type = 'x'\n[[component]]\nid = 'a'\n";
        let _ = parse(&format!("{old}{key} = {value}\n"));
        if let Err(error) = parse(&text) {
            prop_assert!(!error.problems().is_empty());
            for problem in error.problems() {
                prop_assert!((5..=6).contains(&problem.at.line), "{}", error);
            }
        }
    }
}
