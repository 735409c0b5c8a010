//! References, duplicate names, templates, and files that are not there.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::manifest::{Draft, Manifest};

fn with(rest: &str) -> String {
    format!("spin_manifest_version = 2\n[application]\nname = 'a'\n{rest}")
}

fn refusal(rest: &str) -> String {
    Manifest::parse(&with(rest), Path::new("t")).unwrap_err().to_string()
}

#[test]
fn a_trigger_must_name_a_component_that_is_declared() {
    let near = refusal("[[trigger.http]]\ncomponent = 'hallo'\n[component.hello]\nsource = 'a'\n");
    assert_eq!(near, "t:5:13: no component `hallo` is declared\n  help: did you mean `hello`?");
    let far = refusal("[[trigger.http]]\ncomponent = 'other'\n[component.hello]\nsource = 'a'\n");
    assert_eq!(far, "t:5:13: no component `other` is declared\n  help: declare it: `[component.other]`");
}

#[test]
fn what_is_declared_badly_is_declared_all_the_same() {
    let text = refusal(
        "[[trigger.http]]\ncomponent = 'a'\n[variables]\nv = 'text'\n\
         [component]\na = {}\nb = { source = 'b', variables = { x = '{{ v }}' } }\n",
    );
    assert_eq!(
        text,
        "\
t:7:5: variable `v` must be a table, not a text
t:9:1: the key `source` is missing in component `a`
  help: name the component's wasm file: `source = \"hello.wasm\"`"
    );
}

#[test]
fn many_mistakes_are_found_in_a_moment() {
    let mut text = with("[variables]\n");
    for number in 0..6000 {
        writeln!(text, "some-variable-{number} = {{ default = '' }}").unwrap();
    }
    for number in 0..6000 {
        writeln!(text, "[[trigger.http]]\ncomponent = 'component-nr-{number}-x'").unwrap();
        writeln!(text, "[component.component-nr-a{number}]\nsource = 'a'\nvariables = {{ v = '{{{{ v{number} }}}}' }}")
            .unwrap();
        writeln!(text, "dependencies = {{ 'x:y' = {{ component = 'component-nr-b{number}' }} }}").unwrap();
    }
    let begin = Instant::now();
    let draft = Draft::parse(&text, Path::new("t"), None).unwrap();
    assert!(draft.problems.omitted() > 10_000 && draft.manifest.missing_files(Path::new("/none")).len() == 6000);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn two_triggers_may_not_have_one_id() {
    let text = refusal("[[trigger.http]]\nid = 'x'\n[[trigger.redis]]\nid = 'x'\n");
    assert_eq!(text, "t:7:6: two triggers have the id `x`\n  help: the other one is in line 5");
}

#[test]
fn templates_may_only_use_declared_variables() {
    let text = refusal(
        "[trigger]\n[variables]\nhost = { default = 'x' }\n[component.a]\nsource = 'a'\n\
         allowed_outbound_hosts = ['https://{{ hots }}']\n\
         [component.a.variables]\nother = 'x'\nuses_own = '{{ other }}'\nopen = '{{ host'\nbad = '{{ A B }}'\n",
    );
    assert_eq!(
        text,
        "\
t:9:27: no variable `hots` is declared
  help: did you mean `host`?
t:12:12: no variable `other` is declared
  help: declare it: `other = { required = true }` below `[variables]`
t:13:8: unmatched '{{' in template: close it with '}}'
t:14:7: `A B` is not a variable name: it must start with a lower-case letter"
    );
}

#[test]
fn missing_wasm_files_are_reported_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = with(
        "[trigger]\n[component.here]\nsource = 'sub/../here.wasm'\n\
         [component.gone]\nsource = 'gone.wasm'\n[component.unbuilt]\nsource = 'x.wasm'\nbuild = { command = 'make' }\n",
    );
    fs::write(folder.path().join("here.wasm"), "").unwrap();
    let mut draft = Draft::parse(&text, Path::new("t"), None).unwrap();
    let manifest = draft.manifest.clone();
    draft.problems.add_further(manifest.missing_files(folder.path()));
    assert_eq!(
        draft.finished().unwrap_err().to_string(),
        "\
t:8:10: the wasm file of component `gone` does not exist: `gone.wasm`
  help: correct the path, which is relative to the manifest
t:10:10: the wasm file of component `unbuilt` does not exist: `x.wasm`
  help: build it first: `spin build`, or `spin up --build`"
    );
    for name in ["gone.wasm", "x.wasm"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    assert_eq!(manifest.missing_files(folder.path()), []);
}
