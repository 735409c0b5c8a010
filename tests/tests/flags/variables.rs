//! `--variable`, providers of variables, and who wins.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use spin_tests::web::Web;

use super::{DEFAULTS, Site};

#[test]
fn every_form_of_the_flag() {
    let site = Site::new();
    site.write("b.txt", "from a file\n");
    site.write("c.json", r#"{"c": "json", "e": "json"}"#);
    site.write("d.toml", "d = 'toml'\n");
    let flags = ["a=x=y", "b=@b.txt", "@c.json", "@d.toml", "e=last wins"].map(|value| format!("--variable={value}"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (answer, _) = site.ask(site.up(&flags), "/variable/all");
    assert_eq!(answer, "x=y/from a file\n/json/toml/last wins");
}

#[test]
fn a_form_that_is_none_is_a_usage_error_and_is_not_repeated() {
    let site = Site::new();
    for (value, expected) in [("s3cret", "NAME=VALUE"), ("@values.yaml", "@values.yaml: expected a file ending in")] {
        let refused = site.up(&["--variable", value]).run();
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected) && !refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let site = Site::new();
    site.write("list.json", r#"["s3cret"]"#);
    site.write("deep.toml", "[a]\nb = 's3cret'\n");
    let rows = [
        ("a=@nowhere", "--variable a=@nowhere: "),
        ("@nowhere.json", "--variable @nowhere.json: "),
        ("@list.json", "--variable @list.json: not an object of strings (line 1"),
        ("@deep.toml", "--variable @deep.toml: not a table of strings (line 1"),
        ("unknown=s3cret", "--variable unknown: the application has no such variable; it has a, b, c, d, e"),
    ];
    for (value, expected) in rows {
        let refused = site.up(&["--variable", value]).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected) && !refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}

#[test]
fn the_flag_the_files_providers_the_environment_and_the_default_in_this_order() {
    let site = Site::new();
    let values = |names: &[&str], value: &str| {
        names.iter().map(|name| format!("{name} = \"{value}\"")).collect::<Vec<_>>().join(", ")
    };
    site.write(
        "config.toml",
        &format!(
            "[[variables_provider]]\ntype = \"static\"\nvalues = {{ {} }}\n\
             [[variables_provider]]\ntype = \"static\"\nvalues = {{ {} }}\n",
            values(&["a", "b"], "first"),
            values(&["a", "b", "c"], "second"),
        ),
    );
    let up = ["A", "B", "C", "D"]
        .iter()
        .fold(site.up(&["--runtime-config-file", "config.toml", "--variable", "a=flag"]), |up, name| {
            up.env(&format!("SPIN_VARIABLE_{name}"), "environment")
        });
    let (answer, _) = site.ask(up, "/variable/all");
    assert_eq!(answer, "flag/first/second/environment/default");
}

#[test]
fn the_process_comes_before_the_file_of_variables() {
    let site = Site::new();
    site.write(
        ".env",
        "# for all\nexport SPIN_VARIABLE_A='usual file'\nSPIN_VARIABLE_B=usual\nSPIN_VARIABLE_C=usual\n",
    );
    let up = |flags: &[&str]| site.up(flags).env("SPIN_VARIABLE_B", "process");
    let (answer, _) = site.ask(up(&[]), "/variable/all");
    assert_eq!(answer, "usual file/process/usual/default/default");

    // A provider of the same kind with another prefix and another file, which is beside the configuration.
    site.world.write("etc/app.env", "MY_A=\"own file\"\nMY_C=own\nMY_D=own\nSPIN_VARIABLE_E=not asked\n");
    let file = site.world.write(
        "etc/config.toml",
        "[[variables_provider]]\ntype = \"env\"\nprefix = \"MY\"\ndotenv_path = \"app.env\"\n",
    );
    let up = up(&["--runtime-config-file", file.to_str().unwrap()]).env("MY_D", "own process");
    let (answer, ended) = site.ask(up, "/variable/all");
    assert_eq!(answer, "own file/process/own/own process/default");
    assert!(ended.stderr.contains("[variables_provider: env]"), "{}", ended.snapshot());
}

#[test]
fn a_file_of_variables_that_was_named_and_is_not_there_is_warned_of() {
    let site = Site::new();
    std::fs::create_dir(site.path(".env")).unwrap();
    site.write("config.toml", "[[variables_provider]]\ntype = \"env\"\ndotenv_path = \"nowhere.env\"\n");
    let (answer, ended) = site.ask(site.up(&["--runtime-config-file", "config.toml"]), "/variable/all");
    assert_eq!(answer, DEFAULTS);
    let warnings: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("can't be read")).collect();
    assert!(matches!(warnings[..], [warning] if warning.contains("nowhere.env")), "{}", ended.snapshot());
}

#[test]
fn a_line_of_such_a_file_that_is_none_is_warned_of_and_not_shown() {
    let site = Site::new();
    site.write(".env", "SPIN_VARIABLE_A=good\nSPIN_VARIABLE_B 's3cret\n");
    let (answer, ended) = site.ask(site.up(&[]), "/variable/all");
    assert_eq!(answer, DEFAULTS.replacen("default", "good", 1));
    assert!(ended.stderr.contains(".env:2: ") && !ended.stderr.contains("s3cret"), "{}", ended.snapshot());
}

#[test]
fn a_value_that_is_no_text_is_refused() {
    let site = Site::new();
    let refused = site.up(&[]).env("SPIN_VARIABLE_A", OsStr::from_bytes(b"s3cret\xff")).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("SPIN_VARIABLE_A is not valid UTF-8"), "{}", refused.snapshot());
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.snapshot());
}

#[test]
fn a_vault_is_a_provider_and_what_it_does_not_have_is_looked_for_on() {
    let (site, web) = (Site::new(), Web::start([]));
    web.put("/v1/kv/data/shop/a", r#"{"data":{"data":{"value":"from the vault"}}}"#);
    let config = |url: &str| {
        let config =
            format!("type = \"vault\"\nurl = \"{url}\"\ntoken = \"s3cret\"\nmount = \"kv\"\nprefix = \"shop\"");
        site.write("config.toml", &format!("[[variables_provider]]\n{config}\n"));
    };
    config(&web.url(""));
    let up = site.up(&["--runtime-config-file", "config.toml"]).env("SPIN_VARIABLE_A", "environment");
    let (answer, _) = site.ask(up.env("SPIN_VARIABLE_B", "environment"), "/variable/all");
    assert!(answer.starts_with("from the vault/environment/"), "{answer}");
    config("http://127.0.0.1:1");
    let refused = site.up(&["--runtime-config-file", "config.toml"]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("http://127.0.0.1:1/v1/kv/data/shop/a"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
}
