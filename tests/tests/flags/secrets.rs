//! Values of variables stay where they belong, whoever gives them.

use spin_tests::http;

use super::{Site, files_below};

/// What no line, file or answer but the component's own may hold.
const SECRET: &str = "s3cret";

#[test]
fn values_are_in_no_output_and_in_no_file() {
    let site = Site::new();
    site.write("b.txt", "s3cret-file");
    site.write("c.json", r#"{"c": "s3cret-json"}"#);
    site.write("app.env", "SPIN_VARIABLE_E=s3cret-dotenv\n");
    let config = "[[variables_provider]]\ntype = \"static\"\nvalues = { d = \"s3cret-config\" }\n\
                  [[variables_provider]]\ntype = \"env\"\ndotenv_path = \"app.env\"\n";
    site.write("config.toml", config);
    let given = files_below(&site.world.path("")).len();
    let flags = ["--variable", "b=@b.txt", "--variable", "@c.json", "--runtime-config-file", "config.toml"];
    // Everything that anybody has to say.
    let up = site.up(&flags).env("SPIN_VARIABLE_A", "s3cret-environment").env("RUST_LOG", "trace").start();
    let address = up.serving();
    let answer = http::get(address, "/p3/variable/all").text();
    assert_eq!(answer, "s3cret-environment/s3cret-file/s3cret-json/s3cret-config/s3cret-dotenv");
    http::get(address, "/p3/print");
    http::get(address, "/p3/trap");
    // While it runs the lock is there too, and so are logs and compiled code.
    let files = files_below(&site.world.path(""));
    assert!(files.len() > given + 5, "{files:?}");
    let given = ["b.txt", "c.json", "app.env", "config.toml"].map(|name| site.path(name));
    for file in files.iter().filter(|file| !given.contains(file)) {
        // The probes themselves know nothing of it.
        let bytes = std::fs::read(file).unwrap_or_default();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{} holds a value", file.display());
    }
    let ended = up.stop().success();
    assert!(ended.stderr.contains("probe: a line on stdout"), "{}", ended.snapshot());
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains(SECRET), "{}", ended.snapshot());
    }
}

#[test]
fn values_are_in_no_error() {
    let site = Site::new();
    let refused = |config: &str, flags: &[&str]| {
        site.write("config.toml", config);
        let flags = [&["--runtime-config-file", "config.toml"], flags].concat();
        let refused = site.up(&flags).env("SPIN_VARIABLE_A", "s3cret").env("RUST_LOG", "trace").run();
        assert_ne!(refused.code, Some(0), "{}", refused.snapshot());
        assert!(!(refused.stdout + &refused.stderr).contains(SECRET), "{config} {flags:?}");
    };
    let provider = "[[variables_provider]]\ntype = \"static\"\n";
    for rest in [
        "values = { a = \"s3cret\", b = 1 }",
        "values = { a = \"s3cret\"",
        "values = { a = \"s3cret }",
        "values = \"s3cret\"",
        "values = [\"s3cret\"]",
        "value = { a = \"s3cret\" }",
        "values = { a = \"s3cret\", a = \"s3cret\" }",
        "values.a = s3cret",
    ] {
        refused(&format!("{provider}{rest}\n"), &[]);
    }
    refused("[[variables_provider]]\ntype = \"vault\"\ntoken = \"s3cret\"\nurl = \"http://s3cret@x\"\n", &[]);
    refused("max_instance_memory = \"s3cret\"\n", &[]);
    site.write("bad.json", r#"{"a": "s3cret", "b": ["s3cret"]}"#);
    site.write("bad.toml", "a = 's3cret'\nb = s3cret\n");
    for flags in [
        ["--variable", "@bad.json"],
        ["--variable", "@bad.toml"],
        ["--variable", "unknown=s3cret"],
        ["--variable", "s3cret"],
        ["--follow", "nobody"],
    ] {
        refused(&format!("{provider}values = {{ b = \"s3cret\" }}\n"), &flags);
    }
}
