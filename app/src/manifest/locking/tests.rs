//! What becomes of a manifest in the locked application.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn lock(rest: &str) -> LockedApp {
    let text = format!("spin_manifest_version = 2\n[application]\nname = 'a'\n{rest}");
    let path = Path::new("/srv/a/spin.toml");
    Manifest::parse(&text, path).unwrap().lock(&LockOptions::for_manifest(path).unwrap(), &Resolved::default()).unwrap()
}

#[test]
fn one_trigger_type_is_also_written_the_old_way() {
    let app = lock("[application.trigger.http]\nbase = '/'\n[[trigger.http]]\nroute = '/'\n");
    assert_eq!(app.metadata["triggers"], json!({ "http": { "base": "/" } }));
    assert_eq!(app.metadata["trigger"], json!({ "base": "/", "type": "http" }));
    assert_eq!(app.trigger_settings("http"), Some(json!({ "base": "/" })));

    let app = lock("[[trigger.http]]\n[[trigger.redis]]\n");
    assert_eq!(app.metadata["triggers"], json!({}));
    assert!(!app.metadata.contains_key("trigger"));
}

#[test]
fn requests_within_the_application_need_a_host_that_can_chain() {
    let chained = lock("[trigger]\n[component.a]\nsource='a'\nallowed_outbound_hosts=['http://b.spin.internal']\n");
    assert_eq!(chained.must_understand, ["component_host_requirements"]);
    assert_eq!(chained.components[0].host_requirements["local_service_chaining"], "required");
    assert!(chained.to_json().starts_with("{\n  \"spin_lock_version\": 1,"));
    assert_eq!(LockedApp::from_json(chained.to_json().as_bytes()).unwrap(), chained);

    let templated = "[trigger]\n[variables]\nc.default = 'b'\n[component.a]\nsource='a'\n\
                     allowed_outbound_hosts=['http://{{ c }}.spin.internal']\n";
    assert!(lock(templated).must_understand.is_empty());
}

#[test]
fn deprecated_hosts_follow_the_modern_ones() {
    let app = lock(
        "[trigger]\n[component.a]\nsource='a'\nallowed_http_hosts=['x.org']\nallowed_outbound_hosts=['redis://r:1']\n",
    );
    let hosts: Vec<_> = app.components[0].metadata_list("allowed_outbound_hosts").collect();
    assert_eq!(hosts, ["redis://r:1", "http://x.org", "https://x.org"]);
}

#[test]
fn environment_given_at_the_start_wins() {
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger]\n\
                [component.a]\nsource='a'\nenvironment = { A = '1', B = '2' }\n";
    let path = Path::new("/srv/spin.toml");
    let env = [("B", "3"), ("C", "4"), ("C", "5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = LockOptions::for_manifest(path).unwrap().with_env(env);
    let app = Manifest::parse(text, path).unwrap().lock(&options, &Resolved::default()).unwrap();
    let env: Vec<_> = app.components[0].env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=1", "B=3", "C=5"]);
}

#[test]
fn sources_become_absolute_urls() {
    let url_of = |source: &str| {
        let app = lock(&format!("[trigger]\n[component.a]\nsource = '{source}'\n"));
        app.components[0].source.content.source.clone().unwrap()
    };
    assert_eq!(url_of("x.wasm"), "file:///srv/a/x.wasm");
    assert_eq!(url_of("./t/../x y.wasm"), "file:///srv/a/x%20y.wasm");
    assert_eq!(url_of("../b/ü.wasm"), "file:///srv/b/%C3%BC.wasm");
    assert_eq!(url_of("/opt/x.wasm"), "file:///opt/x.wasm");
    assert_eq!(url_of("../../../../x.wasm"), "file:///x.wasm");
}

#[test]
fn mounts_are_written_in_the_order_they_were_noted() {
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger]\n[component.a]\nsource = 'a'\n\
                files = ['b', { source = 'c', destination = '/d' }]\n[component.none]\nsource = 'a'\n";
    let path = Path::new("/srv/a/spin.toml");
    let manifest = Manifest::parse(text, path).unwrap();
    let needs = manifest.needs();
    assert!(needs.sources.is_empty());
    assert_eq!(needs.files.len(), 1);
    let mut resolved = Resolved::default();
    resolved.mount("a".parse().unwrap(), "b", "b");
    resolved.mount("a".parse().unwrap(), "/elsewhere/c", "/d");
    let app = manifest.lock(&LockOptions::for_manifest(path).unwrap(), &resolved).unwrap();
    let files: Vec<_> =
        app.components[0].files.iter().map(|file| (file.content.source.as_deref().unwrap(), &*file.path)).collect();
    assert_eq!(files, [("file:///srv/a/b", "b"), ("file:///elsewhere/c", "/d")]);
    assert!(app.components[1].files.is_empty());
}

/// What is needed more than once is asked for once, where it is named first; in a profile it may be something else.
#[test]
fn code_is_needed_once_and_as_the_profile_says() {
    let url = |name: &str| format!("{{ url = 'https://x/{name}', digest = 'sha256:{}' }}", "0".repeat(64));
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger]\n[component.a]\nsource = {}\n\
         dependencies = {{ 'p:q/r' = {}, 'p:s' = '1' }}\n[component.a.profile.p]\nsource = 'local'\n",
        url("a"),
        url("a"),
    );
    let manifest = Manifest::parse(&text, Path::new("t")).unwrap();
    let needs = |manifest: &Manifest| {
        let needs = manifest.needs();
        let described = needs.described().map(|(at, what)| format!("{}: {what}", at.line));
        described.collect::<Vec<_>>()
    };
    let package = "7: the package `p:s@^1`";
    assert_eq!(needs(&manifest), ["6: the download `https://x/a`", package]);
    assert_eq!(needs(&manifest.with_profile("p").unwrap()), ["7: the download `https://x/a`", package]);
}

/// Whoever changes a manifest after reading gets an error and not half an application.
#[test]
fn dependencies_that_contradict_each_other_are_not_locked() {
    let text = "spin_manifest_version = 2\n[application]\nname = 'a'\n[trigger]\n[component.a]\nsource = 'a'\n\
                dependencies = { 'p:q/r' = { component = 'b' } }\n[component.b]\nsource = 'b'\n";
    let mut manifest = Manifest::parse(text, Path::new("/t")).unwrap();
    manifest.components.pop();
    let error = manifest.lock(&LockOptions::for_manifest(Path::new("/t")).unwrap(), &Resolved::default()).unwrap_err();
    assert!(error.to_string().starts_with("/t:7:28: dependency `b` does not exist"), "{error}");
}

#[test]
fn the_origin_is_the_manifest_made_absolute() {
    let here = std::env::current_dir().unwrap();
    let options = LockOptions::for_manifest(Path::new("./sub/spin.toml")).unwrap();
    assert_eq!(options.base_dir(), here.join("sub"));
    assert_eq!(options.origin, Some(file_url(&here.join("sub/spin.toml"))));
    assert!(LockOptions::for_manifest(Path::new("")).is_err());
    assert_eq!(LockOptions::in_directory(Path::new("")).unwrap().base_dir(), here);
}

#[test]
fn a_bare_wasm_file_answers_every_request() {
    let manifest = Manifest::for_wasm(Path::new("build/hello.wasm"));
    let app = manifest.lock(&LockOptions::in_directory(Path::new("/srv")).unwrap(), &Resolved::default()).unwrap();
    let expected = r#"{
  "spin_lock_version": 0,
  "metadata": {
    "name": "hello",
    "trigger": {
      "type": "http"
    },
    "triggers": {}
  },
  "triggers": [
    {
      "id": "http-trigger1",
      "trigger_type": "http",
      "trigger_config": {
        "component": "http-trigger1-component",
        "route": "/..."
      }
    }
  ],
  "components": [
    {
      "id": "http-trigger1-component",
      "source": {
        "content_type": "application/wasm",
        "source": "file:///srv/build/hello.wasm"
      }
    }
  ]
}"#;
    assert_eq!(app.to_json(), expected);
    assert_eq!(Manifest::for_wasm(Path::new("/")).application.name, "wasm-file");
}

proptest! {
    /// A reader of the lock gets back the path that was checked, whatever is in it.
    #[test]
    fn a_source_survives_the_way_through_its_url(parts in prop::collection::vec("[^/\0]{1,8}", 1..4)) {
        let path = absolute_source(Path::new("/base"), Path::new(&parts.join("/")));
        prop_assume!(path != Path::new("/"));
        let url = Url::parse(&file_url(&path)).unwrap();
        prop_assert_eq!(url.to_file_path().unwrap(), path);
    }
}
