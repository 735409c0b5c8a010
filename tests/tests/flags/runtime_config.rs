//! `--runtime-config-file`: its keys, whose paths are seen from the file's folder, and its mistakes.

use insta::assert_snapshot;

use super::{DEFAULTS, Site};

#[test]
fn folders_are_seen_from_the_files_own() {
    let site = Site::new();
    let rows = [
        ("state_dir = \"state\"\n", "etc/state/logs"),
        ("log_dir = \"logs\"\n", "etc/logs"),
        ("state_dir = \"other\"\nlog_dir = \"../var/logs\"\n", "etc/../var/logs"),
    ];
    for (text, folder) in rows {
        let file = site.world.write("etc/config.toml", text);
        let (_, ended) = site.ask(site.up(&["--runtime-config-file", file.to_str().unwrap(), "--quiet"]), "/print");
        let folder = site.world.path(folder);
        assert!(folder.join("new_stdout.txt").exists(), "{}", ended.snapshot());
        let notice = format!("Logging component stdio to \"{}/\"\n", folder.display());
        assert!(ended.stderr.contains(&notice), "{notice}{}", ended.snapshot());
    }
    for text in ["state_dir = \"\"\n", "log_dir = \"\"\nstate_dir = \"state-not\"\n"] {
        site.write("config.toml", text);
        let (_, ended) = site.ask(site.up(&["--runtime-config-file=config.toml"]), "/print");
        assert!(!ended.stderr.contains("Logging"), "{}", ended.snapshot());
    }
    assert!(!site.path(".spin").exists() && !site.path("state-not").exists());
}

#[test]
fn flags_win_over_the_file() {
    let site = Site::new();
    site.write("config.toml", "state_dir = \"file\"\nlog_dir = \"file\"\n");
    let up = site.up(&["--runtime-config-file", "config.toml", "--log-dir", "flag"]);
    site.ask(up, "/print");
    assert!(site.path("flag/new_stdout.txt").exists() && !site.path("file").exists());
    site.write("config.toml", "state_dir = \"file\"\n");
    let up = site.up(&["--runtime-config-file", "config.toml", "--state-dir", "flag"]);
    site.ask(up, "/print");
    assert!(site.path("flag/logs/new_stdout.txt").exists() && !site.path("file").exists());
}

#[test]
fn the_file_can_be_named_by_a_variable_and_the_flag_wins() {
    let site = Site::new();
    let provider = |value: &str| format!("[[variables_provider]]\ntype = \"static\"\nvalues = {{ a = \"{value}\" }}\n");
    site.write("variable.toml", &provider("variable"));
    site.write("flag.toml", &provider("flag"));
    let up = || site.up(&[]).env("RUNTIME_CONFIG_FILE", "variable.toml");
    let (answer, ended) = site.ask(up(), "/variable/all");
    assert_eq!(answer, DEFAULTS.replacen("default", "variable", 1));
    let line = "Using runtime config [variables_provider: static] from \"variable.toml\"\n";
    assert!(ended.stderr.contains(line), "{}", ended.snapshot());
    let (answer, _) = site.ask(up().args(["--runtime-config-file", "flag.toml", "--quiet"]), "/variable/all");
    assert_eq!(answer, DEFAULTS.replacen("default", "flag", 1));
}

#[test]
fn mistakes_are_named_all_at_once_with_their_places() {
    let site = Site::new();
    site.write(
        "config.toml",
        r#"state_dri = "state"
log_dir = 5
max_instance_memory = "1 GB"

[key_value_store.default]
type = "aws_dynamo"
secret_key = "s3cret"

[[client_tls]]
component_ids = ["new"]

[[variables_provider]]
type = "static"
values = { a = "s3cret", b = 5 }

[[variables_provider]]
type = "env"
dotenv_paht = "app.env"

[[variables_provider]]
type = "vault"
token = "s3cret"

[[config_provider]]
type = "other"
"#,
    );
    site.write("broken.toml", "log_dir = \"s3cret\n");
    let runs = ["config.toml", "broken.toml", "nowhere.toml"].map(|file| {
        let refused = site.up(&["--runtime-config-file", file]).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.snapshot());
        refused.snapshot()
    });
    assert!(!site.path(".spin").exists(), "nothing was begun");
    assert_snapshot!(runs.join("\n"));
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let site = Site::new();
    std::fs::write(site.path("config.toml"), b"log_dir = \"\"\n\xff\n").unwrap();
    let refused = site.up(&["--runtime-config-file", "config.toml"]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("config.toml:2:1: the file is not valid UTF-8"), "{}", refused.snapshot());
}
