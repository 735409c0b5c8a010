//! What the file may say, and every mistake in it.

use std::path::PathBuf;

use spin_component_runtime::LlmApi;

use super::*;

fn parse(text: &str) -> Result<RuntimeConfig, String> {
    RuntimeConfig::parse(text, Path::new("/etc/app/config.toml")).map_err(|invalid| invalid.to_string())
}

fn valid(text: &str) -> RuntimeConfig {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    parse(text).err().expect("there are mistakes")
}

#[test]
fn an_empty_file_decides_nothing() {
    let config = valid("");
    assert!(config.state_dir.is_none() && config.log_dir.is_none() && config.max_instance_memory.is_none());
    assert!(config.variables_providers().is_empty());
}

#[test]
fn paths_are_seen_from_the_files_folder() {
    let config = valid("state_dir = 'state'\nlog_dir = '/var/log/app'");
    assert_eq!(config.state_dir, Some(Folder::At("/etc/app/state".into())));
    assert_eq!(config.log_dir, Some(Folder::At("/var/log/app".into())));
    assert_eq!(valid("log_dir = ''").log_dir, Some(Folder::None));
    let config = valid("[[variables_provider]]\ntype = 'env'\ndotenv_path = 'app.env'");
    let [VariablesProvider::Env { dotenv_path, .. }] = config.variables_providers.as_slice() else {
        panic!("one provider of the type env")
    };
    assert_eq!(dotenv_path, &Some(PathBuf::from("/etc/app/app.env")));
}

#[test]
fn numbers_may_have_any_form_that_toml_knows() {
    for (text, bytes) in [("134217728", 134_217_728), ("0x10_0000", 1 << 20), ("0", 0)] {
        assert_eq!(valid(&format!("max_instance_memory = {text}")).max_instance_memory, Some(bytes));
    }
}

#[test]
fn providers_keep_their_order_and_their_old_name() {
    for key in ["variables_provider", "config_provider"] {
        let config =
            valid(&format!("[[{key}]]\ntype = 'env'\n[[{key}]]\ntype = 'static'\nvalues = {{ a = 's3cret' }}"));
        assert_eq!(
            config.summary(Path::new("config.toml")),
            "Using runtime config [variables_provider: env], [variables_provider: static] from \"config.toml\""
        );
    }
    assert_eq!(valid("log_dir = ''").summary(Path::new("c.toml")), "Using runtime config from \"c.toml\"");
}

#[test]
fn stores_and_databases_are_where_the_file_says() {
    let config = valid(
        r#"
[key_value_store.default]
type = "redis"
url = "rediss://:s3cret@example.com/1"
[key_value_store.other]
type = "spin"
path = "data/other.db"
[key_value_store.memory]
type = "spin"
[sqlite_database.default]
type = "spin"
path = "/var/app.db"
allow_attach_file = true
[sqlite_database.remote]
type = "libsql"
url = "https://db.example.com"
token = "s3cret"
[[variables_provider]]
type = "env"
"#,
    );
    let sqlite = |path: Option<&str>| KeyValueStore::Sqlite { path: path.map(PathBuf::from) };
    let stores = [
        ("default", KeyValueStore::Redis { url: "rediss://:s3cret@example.com/1".to_owned() }),
        ("memory", sqlite(None)),
        ("other", sqlite(Some("/etc/app/data/other.db"))),
    ];
    assert_eq!(config.key_value_stores, BTreeMap::from(stores.map(|(label, store)| (label.to_owned(), store))));
    let databases = [
        ("default", SqliteDatabase::Local { path: Some("/var/app.db".into()), allow_attach_file: true }),
        ("remote", SqliteDatabase::Libsql { url: "https://db.example.com".to_owned(), token: "s3cret".to_owned() }),
    ];
    assert_eq!(config.sqlite_databases, BTreeMap::from(databases.map(|(label, found)| (label.to_owned(), found))));
    assert_eq!(
        config.summary(Path::new("c.toml")),
        "Using runtime config [key_value_store.default: redis], [key_value_store.memory: spin], \
         [key_value_store.other: spin], [sqlite_database.default: spin], [sqlite_database.remote: libsql], \
         [variables_provider: env] from \"c.toml\""
    );
}

#[test]
fn connections_are_limited_as_the_file_says() {
    let config =
        valid("[outbound_networking]\nblock_networks = ['private', '10.0.0.0/8', '::1']\nmax_total_connections = 7");
    assert_eq!(config.egress.blocked, ["private", "10.0.0.0/8", "::1"].map(|entry| entry.parse().expect("a network")));
    assert_eq!(config.egress.max_connections, Some(7));
    assert_eq!(valid("[outbound_networking]").egress.max_connections, None);
    let config = valid(
        "[outbound_redis]\nmax_connections = 1\n[outbound_pg]\nmax_connections = 2\n[outbound_mysql]\nmax_connections = 3\n\
         [outbound_mqtt]\nmax_connections = 4\nmax_payload_size_bytes = 0",
    );
    let servers = [&config.outbound_redis, &config.outbound_pg, &config.outbound_mysql];
    assert_eq!(servers.map(|options| options.max_connections), [Some(1), Some(2), Some(3)]);
    assert_eq!((config.outbound_mqtt.max_connections, config.outbound_mqtt.max_payload), (Some(4), Some(0)));
    let config = valid("[outbound_redis]\n[outbound_mqtt]");
    let MqttOptions { max_connections, max_payload } = config.outbound_mqtt;
    assert_eq!((config.outbound_redis.max_connections, max_connections, max_payload), (None, None, None));
}

#[test]
fn requests_are_sent_as_the_file_says() {
    for (text, pooling, most) in [
        ("", true, None),
        ("[outbound_http]", true, None),
        ("[outbound_http]\nconnection_pooling = false", false, None),
        ("[outbound_http]\nmax_connections = 7", true, Some(7)),
        ("[outbound_http]\nmax_concurrent_requests = 7", true, Some(7)),
    ] {
        let options = valid(text).outbound_http;
        assert_eq!((options.connection_pooling, options.max_connections), (pooling, most), "{text}");
    }
}

#[test]
fn models_are_where_the_file_says() {
    assert!(valid("").llm_compute.is_none());
    assert!(matches!(valid("[llm_compute]\ntype = 'spin'").llm_compute, Some(LlmCompute::Local)));
    let server = |more: &str| {
        format!("[llm_compute]\ntype = 'remote_http'\nurl = 'https://models.test/base'\nauth_token = 's3cret'\n{more}")
    };
    for (more, expected) in
        [("", LlmApi::Spin), ("api_type = 'default'", LlmApi::Spin), ("api_type = 'open_ai'", LlmApi::OpenAi)]
    {
        let config = valid(&server(more));
        assert_eq!(
            config.summary(Path::new("c.toml")),
            "Using runtime config [llm_compute: remote_http] from \"c.toml\""
        );
        let Some(LlmCompute::RemoteHttp { url, auth_token, api }) = config.llm_compute else { panic!("a server") };
        assert_eq!((url.as_str(), auth_token.as_str(), api), ("https://models.test/base", "s3cret", expected));
    }
}

#[test]
fn tls_is_chosen_by_component_and_host() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tls/config.toml"));
    let entry = |more: &str| {
        let text =
            format!("[[client_tls]]\ncomponent_ids = ['a', 'b-2']\nhosts = ['A.test', '::1', '127.0.0.1']\n{more}");
        let config = RuntimeConfig::parse(&text, folder).unwrap_or_else(|problems| panic!("{problems}"));
        config.outbound_http.client_tls.into_iter().next().expect("one entry")
    };
    let tls = entry("");
    assert_eq!(tls.components, ["a", "b-2"]);
    assert_eq!((tls.hosts.len(), tls.identity.is_some()), (3, false));
    // What is said, and whether the platform's roots and those of browsers count.
    for (more, platform, webpki) in [
        ("", true, false),
        ("ca_use_webpki_roots = true", false, true),
        ("ca_use_webpki_roots = true\nca_use_platform_roots = true", true, true),
        ("ca_roots_file = 'ca.pem'", false, false),
        ("ca_roots_file = 'ca.pem'\nca_use_platform_roots = true", true, false),
    ] {
        let trust = entry(more).trust;
        assert_eq!((trust.platform, trust.webpki), (platform, webpki), "{more}");
    }
    assert!(entry("client_cert_file = 'server.pem'\nclient_private_key_file = 'server.key'").identity.is_some());
}

#[test]
fn every_mistake_is_named_with_its_place_and_no_value() {
    let text = r#"state_dir = 5
log_dri = "s3cret"
max_instance_memory = "s3cret"
outbound_htp = true
[key_value_store]
a = "s3cret"
[key_value_store.b]
url = "redis://:s3cret@127.0.0.1"
[key_value_store.c]
type = "redis"
url = "http://:s3cret@127.0.0.1"
[key_value_store.d]
type = "redis"
path = "s3cret"
[key_value_store.e]
type = "azure_cosmos"
key = "s3cret"
[key_value_store.f]
type = "reddis"
[key_value_store.g]
type = "spin"
path = 5
[sqlite_database.a]
type = "spin"
allow_attach_file = "yes"
paht = "s3cret"
[sqlite_database.b]
type = "libsql"
url = "libsql://s3cret"
[sqlite_database.c]
type = "libsql"
token = "s3cret"
[llm_compute]
type = "remote_htp"
url = "s3cret"
[[client_tls]]
[[client_tls]]
component_ids = []
hosts = ["other.test:443", "a.test", 5]
ca_roots_file = "nowhere.pem"
client_cert_file = "server.pem"
ca_roots = "s3cret.pem"
[[client_tls]]
component_ids = ["not an id", "good"]
hosts = ["a.test"]
ca_use_platform_roots = false
client_private_key_file = "server.key"
[outbound_networking]
block_networks = ["private", "10.0.0.0/99", 5]
max_total_connections = 0
max_socket_connections = 0
max_open_connections = 5
[outbound_http]
connection_pooling = "yes"
max_connections = 0
max_concurrent_requests = 5
max_requests = 5
[outbound_redis]
[[variables_provider]]
values = { a = "s3cret" }
[[variables_provider]]
type = "static"
[[variables_provider]]
type = "static"
values = { token = 5, other = ["s3cret"], good = "s3cret" }
valeus = { token = "s3cret" }
[[variables_provider]]
type = "env"
prefix = 5
dotenv_path = true
token = "s3cret"
[[variables_provider]]
type = "vault"
token = "s3cret"
[[variables_provider]]
type = "azure_key_vault"
[[variables_provider]]
type = "statik"
[[variables_provider]]
type = 5
"#;
    let problems = problems(text);
    assert!(!problems.contains("s3cret"), "{problems}");
    insta::assert_snapshot!(problems);
}

#[test]
fn other_mistakes() {
    let texts = [
        "variables_provider = 's3cret'",
        "[variables_provider]\ntype = 'env'",
        "variables_provider = ['s3cret']",
        "[[variables_provider]]\ntype = 'env'\n[[config_provider]]\ntype = 'nev'",
        "max_instance_memory = -1",
        "max_instance_memory = 99999999999999999999",
        "max_instance_memory = 1.5",
        "log_dir = 's3cret",
        "log_dir = ''\nlog_dir = 's3cret'",
        "nothing_like_anything = 1",
        "llm_compute = 's3cret'",
        "[llm_compute]",
        "[llm_compute]\ntype = 'spin'\nurl = 's3cret'",
        "[llm_compute]\ntype = 'remote_http'\nurl = 's3cret'\nauth_token = 'a\u{fc}s3cret'\napi_type = 'open_a'",
        "[llm_compute]\ntype = 'remote_http'\nmodel = 's3cret'",
        "[llm_compute]\ntype = 'remote_http'\nurl = 'https://:s3cret@models.test'\nauth_token = ''",
        "[llm_compute]\ntype = 'remote_http'\nurl = 'https://models.test/?key=s3cret'\nauth_token = ''",
        "[sqlite_database.a]\ntype = 'libsql'\nurl = 'https://s3cret@db.test'\ntoken = ''",
        "[sqlite_database.a]\ntype = 'libsql'\nurl = 'https://db.test/#s3cret'\ntoken = ''",
        "outbound_pg = 's3cret'\n[outbound_mysql]\nmax_connections = 0\n[outbound_mqtt]\nmax_payload_size_bytes = -1\nmax = 5",
        "client_tls = 's3cret'",
        "[client_tls]",
        "[[client_tls]]\ncomponent_ids = ['a']\nhosts = ['a.test']\nca_use_webpki_roots = 'yes'\nca_roots_file = '/dev/null'",
        "[[client_tls]]\ncomponent_ids = ['a']\nhosts = ['a.test']\nclient_cert_file = '/dev/null'\nclient_private_key_file = '/dev/null'",
    ];
    let all: Vec<String> = texts.iter().map(|text| problems(text)).collect();
    let all = all.join("\n\n");
    assert!(!all.contains("s3cret"), "{all}");
    insta::assert_snapshot!(all);
}
