//! Catalogues that the user has configured: adding, refreshing, what is known of them without a network.

use insta::assert_snapshot;
use spin_tests::World;
use spin_tests::web::Web;

use super::{app_of, catalogue, configured, pack_stub};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

/// Runs commands one after the other; what they say, together.
fn steps(world: &World, commands: &[&str]) -> String {
    let run = |command: &&str| configured(world, &command.split(' ').collect::<Vec<_>>()).run().snapshot();
    commands.iter().map(run).collect::<Vec<_>>().join("\n")
}

#[test]
fn catalogues_are_added_listed_and_removed() {
    let world = World::new();
    std::fs::create_dir_all(catalogue(&world)).unwrap();
    let path = catalogue(&world);
    let said = steps(
        &world,
        &[
            "plugins catalogue list",
            "plugins catalogue add spin --git https://github.com/spinframework/spin-plugins",
            &format!("plugins catalogue add here --path {}", path.display()),
            &format!("plugins catalogue add ours --url https://plugins.example.org --key {KEY} --require-signature"),
            "plugins catalogue list",
            "plugins catalogue list --json",
            "plugins catalogue add here --url https://other.example.org",
            "plugins catalogue remove here",
            "plugins catalogue remove here",
        ],
    );
    let file = std::fs::read_to_string(world.path("config/spin/config.toml")).unwrap();
    assert_snapshot!(format!("{said}\n--- config.toml\n{file}"));
}

#[test]
fn the_list_is_what_its_schema_says() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    for (name, flag, place) in [
        ("web", "--url", web.url("/c")),
        ("absent", "--path", world.path("absent").display().to_string()),
        ("git", "--git", "git@example.org:x".to_owned()),
    ] {
        let add = ["plugins", "catalogue", "add", name, flag, &place, "--key", KEY];
        let branch: &[&str] = if name == "git" { &["--branch", "next"] } else { &[] };
        configured(&world, &[&add[..], branch].concat()).run().success();
    }
    configured(&world, &["plugins", "install", "trigger-stub", "--yes"]).run();
    let listed = configured(&world, &["plugins", "catalogue", "list", "--json"]).run().success();
    let document: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert!(document[0]["ageSeconds"].is_u64() && document[0]["serial"] == 1, "{document}");
    assert_eq!(document[1]["problem"]["code"], "catalogue::unreadable");
    assert_eq!(document[2]["problem"]["code"], "catalogue::never-fetched");

    let file = spin_tests::repository().join("docs/schemas/plugins-catalogue-list.schema.json");
    let (mut compiler, mut schemas) = (boon::Compiler::new(), boon::Schemas::new());
    let schema = compiler.compile(file.to_str().unwrap(), &mut schemas).unwrap();
    assert!(schemas.validate(&document, schema).is_ok(), "{document}");
}

#[test]
fn what_is_no_catalogue_is_not_added() {
    let world = World::new();
    assert_snapshot!(steps(
        &world,
        &[
            "plugins catalogue add spin",
            "plugins catalogue add Spin --path /x",
            "plugins catalogue add ../x --path /x",
            "plugins catalogue add x --url http://plugins.example.org",
            "plugins catalogue add x --url https://me:secret@plugins.example.org",
            "plugins catalogue add x --git ext::sh",
            "plugins catalogue add x --git=--upload-pack=x",
            "plugins catalogue add x --git https://example.org/x --branch=-x",
            "plugins catalogue add x --url https://plugins.example.org --require-signature",
            "plugins catalogue add x --url https://plugins.example.org --key nonsense",
        ]
    ));
    assert!(!world.path("config/spin").exists());
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_places() {
    let world = World::new();
    let config = "[[catalogue]]\nname = \"a\"\nurl = \"http://plugins.example.org\"\nkey = \"x\"\n\
        [[credential]]\nhost = \"plugins.example.org\"\n";
    world.write("config/spin/config.toml", config);
    assert_snapshot!(steps(&world, &["plugins update", "plugins catalogue remove a"]));
}

#[test]
fn a_catalogue_on_the_web_is_used_with_a_network_and_without() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    let add = format!("plugins catalogue add web --url {}", web.url("/c"));
    let online = steps(
        &world,
        &[
            &add,
            "plugins install trigger-stub --yes --offline",
            "plugins update",
            "plugins update",
            "plugins install trigger-stub --yes --offline",
            "plugins install trigger-stub --yes",
            "plugins catalogue list",
        ],
    );
    drop(web);
    let offline = steps(
        &world,
        &[
            "plugins install trigger-stub --yes",
            "plugins install trigger-stub --yes --offline",
            "plugins update",
            "plugins update --offline",
        ],
    );
    assert_snapshot!(format!("{online}\n{offline}"));
}

#[test]
fn starting_an_app_asks_nobody() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    configured(&world, &["plugins", "catalogue", "add", "web", "--url", &web.url("/c")]).run().success();
    let app = app_of(&world, "stub");
    let unknown = configured(&world, &["up", "--yes"]).in_dir(app.dir()).run();
    assert!(unknown.stderr.contains("spin plugins update"), "{}", unknown.snapshot());
    assert!(web.asked().is_empty());
    configured(&world, &["plugins", "install", "trigger-stub", "--yes"]).run().success();
    let asked = web.asked();
    let up = configured(&world, &["up"]).in_dir(app.dir()).run().success();
    assert!(up.stdout.contains("stub runs"));
    assert_eq!(web.asked(), asked);
}

#[test]
fn a_manifest_on_the_web_installs_too() {
    let world = World::new();
    let packed = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    let manifest = packed.manifest.strip_prefix(catalogue(&world)).unwrap();
    let url = web.url(&format!("/c/{}", manifest.display()));
    let said = steps(
        &world,
        &[
            &format!("plugins install --url {url} --yes --offline"),
            &format!("plugins install --url {url} --yes"),
            &format!("plugins install --url {url} --yes"),
            "plugins list",
            &format!("plugins install --url {} --yes", web.url("/absent.json")),
            &format!("plugins install --url {} --yes", web.url("/c/index.json")),
            &format!("plugins install --url {url} --auth-header-value x --yes"),
            "plugins install --url file:///etc/passwd --yes",
            "plugins install --url http://plugins.example/trigger-stub.json --yes",
        ],
    );
    assert_snapshot!(said);
}
