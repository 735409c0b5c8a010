//! `allowed_outbound_hosts`: which forms there are, and what each lets through.
//!
//! Every network is blocked, and names of the table are too long to be looked up anywhere: what is let through goes no
//! further, and its error tells it from what is denied.

use spin_tests::{World, http, probes};

use super::{forward, serve_in};

const DENIED: &str = "error: http-request-denied\n";
const LET_THROUGH: [&str; 3] = [
    "error: destination-ip-prohibited\n",
    "error: dns-error (address not available)\n",
    // Of the app itself.
    "hello from a component\n",
];

const CONFIG: &str = "[outbound_networking]\nblock_networks = [\"0.0.0.0/0\", \"::/0\"]\n";

/// A label that is longer than labels may be.
fn long() -> String {
    "a".repeat(64)
}

/// Entries; what they let through; what they don't. `LONG` stands for [`long`].
const TABLE: &[(&str, &[&str], &[&str])] = &[
    (
        r#"["http://10.1.2.3"]"#,
        &["http://10.1.2.3/", "http://10.1.2.3:80/x?y", "http://u:p@10.1.2.3"],
        &[
            "http://10.1.2.3:81/",
            "https://10.1.2.3/",
            "https://10.1.2.3:80/",
            "http://10.1.2.4/",
            "http://10.1.2.3.LONG",
        ],
    ),
    (r#"["https://10.1.2.3"]"#, &["https://10.1.2.3/", "https://10.1.2.3:443/"], &["http://10.1.2.3/"]),
    (r#"[" http://10.1.2.3/ "]"#, &["http://10.1.2.3/"], &["http://10.1.2.3:81/"]),
    (r#"["http://10.1.2.3:81"]"#, &["http://10.1.2.3:81/"], &["http://10.1.2.3/", "http://10.1.2.3:80/"]),
    (
        r#"["http://10.1.2.3:81..83"]"#,
        &["http://10.1.2.3:81/", "http://10.1.2.3:82/"],
        &["http://10.1.2.3:80/", "http://10.1.2.3:83/", "http://10.1.2.3/"],
    ),
    (r#"["http://10.1.2.3:*"]"#, &["http://10.1.2.3/", "http://10.1.2.3:65535/"], &["https://10.1.2.3/"]),
    (r#"["*://10.1.2.3:80"]"#, &["http://10.1.2.3/", "https://10.1.2.3:80/"], &["https://10.1.2.3/"]),
    (
        r#"["http://*"]"#,
        &["http://10.9.9.9/", "http://LONG.test/", "http://[2001:db8::1]/", "/c0/other", "http://self.alt/c0/other"],
        &["http://10.9.9.9:81/", "https://10.9.9.9/"],
    ),
    (
        r#"["http://*.example.test"]"#,
        &["http://LONG.example.test/", "http://b.LONG.example.test/"],
        &["http://example.test/", "http://LONGexample.test/", "http://LONG.example.test.LONG/", "/c0/other"],
    ),
    (
        r#"["http://LONG.test"]"#,
        &["http://LONG.test/", "http://LONG.TEST./"],
        &["http://b.LONG.test/", "http://10.1.2.3/"],
    ),
    (
        r#"["http://10.0.0.0/8"]"#,
        &["http://10.0.0.0/", "http://10.255.255.255/"],
        &["http://11.0.0.0/", "http://9.255.255.255/", "http://10.0.0.0:81/", "http://LONG.test/"],
    ),
    (r#"["http://10.1.2.3/8:81..90"]"#, &["http://10.9.9.9:89/"], &["http://10.9.9.9:90/", "http://11.1.2.3:81/"]),
    (
        r#"["http://[2001:db8::1]:81"]"#,
        &["http://[2001:db8::1]:81/", "http://[2001:0db8:0:0::1]:81/"],
        &["http://[2001:db8::1]/", "http://[2001:db8::2]:81/"],
    ),
    (r#"["http://[2001:db8::1]"]"#, &["http://[2001:db8::1]/"], &["http://[2001:db8::1]:81/"]),
    (r#"["http://[2001:db8::]/32"]"#, &["http://[2001:db8:ffff::1]/"], &["http://[2001:db9::1]/", "http://10.1.2.3/"]),
    (r#"["http://bücher.LONG.test"]"#, &["http://xn--bcher-kva.LONG.test/"], &["http://bucher.LONG.test/"]),
    (
        r#"["http://self"]"#,
        &["/c0/other", "http://self.alt/c0/other", "http://self.alt:81/c0/other"],
        &["http://10.1.2.3/", "http://c0.spin.internal/other", "http://self/"],
    ),
    (r#"["https://self.alt"]"#, &["/c0/other", "https://self.alt/c0/other"], &["http://10.1.2.3/"]),
    (
        r#"["http://*.spin.internal"]"#,
        &["http://c0.spin.internal/other", "http://c1.spin.internal/other"],
        &["http://nobody.spin.internal/", "/c0/other", "https://c0.spin.internal/other"],
    ),
    (r#"["http://c1.spin.internal"]"#, &["http://c1.spin.internal/other"], &["http://c0.spin.internal/other"]),
    (
        r#"["postgres://10.1.2.3", "redis://10.1.2.3", "mysql://10.1.2.3", "mqtt://10.1.2.3"]"#,
        &[],
        &["http://10.1.2.3/", "http://10.1.2.3:5432/"],
    ),
    (r#"["http://10.1.2.3", "https://10.1.2.4"]"#, &["http://10.1.2.3/", "https://10.1.2.4/"], &["http://10.1.2.4/"]),
    ("[]", &[], &["http://10.1.2.3/", "/c0/other", "http://c0.spin.internal/"]),
];

#[test]
fn every_form_lets_through_what_it_says() {
    let world = World::new();
    let config = world.write("config.toml", CONFIG);
    let component = |(number, (entries, ..)): (usize, &(&str, &[&str], &[&str]))| {
        let entries = entries.replace("LONG", &long());
        format!(
            "[[trigger.http]]\nroute = \"/c{number}/...\"\ncomponent = \"c{number}\"\n\
             [component.c{number}]\nsource = \"{}.wasm\"\nallowed_outbound_hosts = {entries}\n",
            probes::GENERATIONS[number % 2]
        )
    };
    let manifest: String = TABLE.iter().enumerate().map(component).collect();
    let served = serve_in(world, &manifest, &["--runtime-config-file", config.to_str().unwrap()]);
    let mut wrong = Vec::new();
    for (number, (entries, through, denied)) in TABLE.iter().enumerate() {
        let ask = |url: &str| {
            let path = forward(&format!("c{number}"), &url.replace("LONG", &long()), "");
            http::get(served.address, &path).text()
        };
        let through =
            through.iter().map(|url| (url, ask(url))).filter(|(_, text)| !LET_THROUGH.contains(&text.as_str()));
        let denied = denied.iter().map(|url| (url, ask(url))).filter(|(_, text)| text != DENIED);
        wrong.extend(through.chain(denied).map(|(url, text)| format!("{entries} {url}: {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn what_is_no_form_is_refused_before_the_start() {
    let world = World::new();
    world.install("trigger-http");
    let wrong = [
        "10.1.2.3",
        "*",
        ":",
        "?",
        "",
        "{http,https}://a",
        "s3://a:1",
        "http://a.*",
        "http://a.*.b",
        "http://a/path",
        "foo://a",
        "*://a",
        "http://a:x",
        "http://a:9..8",
        "http://10.0.0.0/33",
        "insecure:allow-all",
        "http://{{ nobody }}",
    ];
    let manifest = format!(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"probe\"\n\
         [component.probe]\nsource = \"probe-p3.wasm\"\nallowed_outbound_hosts = [\n{}]\n",
        wrong.map(|entry| format!("{entry:?},\n")).concat()
    );
    let app = probes::app(&world, &manifest);
    let refused = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{}", refused.snapshot());
    let first = 1 + refused
        .stderr
        .split("spin.toml:")
        .nth(1)
        .and_then(|at| at.split(':').next()?.parse::<usize>().ok())
        .unwrap();
    for (index, entry) in wrong.iter().enumerate() {
        let place = format!("spin.toml:{}:", first - 1 + index);
        assert!(refused.stderr.contains(&place), "{entry}: {place}\n{}", refused.snapshot());
    }
}

#[test]
fn hosts_of_the_first_manifests_mean_both_schemes() {
    let world = World::new();
    world.install("trigger-http");
    let config = world.write("config.toml", CONFIG);
    let manifest = r#"spin_version = "1"
name = "old"
version = "1.0.0"
trigger = { type = "http", base = "/" }
[[component]]
id = "probe"
source = "probe-p2.wasm"
allowed_http_hosts = ["10.1.2.3", "10.1.2.4:81", "self"]
[component.trigger]
route = "/probe/..."
"#;
    let app = world.app("app", manifest, &["probe-p2"]);
    let flags = ["up", "--listen", "127.0.0.1:0", "--runtime-config-file", config.to_str().unwrap()];
    let up = world.spin(flags).in_dir(app.dir()).start();
    let address = up.serving();
    for (url, through) in [
        ("http://10.1.2.3/", true),
        ("https://10.1.2.3/", true),
        ("http://10.1.2.4:81/", true),
        ("https://10.1.2.4:81/", true),
        ("http://10.1.2.4/", false),
        ("http://10.1.2.5/", false),
        ("/probe/other", true),
    ] {
        let text = http::get(address, &forward("probe", url, "")).text();
        assert_eq!(text != DENIED, through, "{url}: {text}");
    }
}
