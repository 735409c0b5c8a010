//! The notice that there are newer versions: to a person, once a day, and without asking anybody.

use std::time::Duration;

use spin_tests::World;
use spin_tests::web::Web;

use super::{app_of, catalogue, configured, pack_stub};

const SOON: Duration = Duration::from_secs(30);
const NOTICE: &str = "trigger-stub 1.1.0 is available, and 1.0.0 is used: spin plugins upgrade trigger-stub";

#[test]
fn a_person_is_told_once_and_nobody_is_asked() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    configured(&world, &["plugins", "catalogue", "add", "web", "--url", &web.url("/c")]).run().success();
    configured(&world, &["plugins", "install", "trigger-stub", "--yes"]).run().success();
    pack_stub(&world, "trigger-stub", "1.1.0", ">=4.0");
    web.put_folder("/c", &catalogue(&world));
    let app = app_of(&world, "stub");
    let up = || {
        let asked = web.asked().len();
        let mut up = configured(&world, &["up"]).in_dir(app.dir()).start_on_terminal();
        assert!(up.finish_within(SOON).success() && up.output().ended_within(SOON), "{}", up.snapshot());
        assert_eq!(web.asked().len(), asked, "the network is not used");
        up.output().text()
    };
    assert!(!up().contains(NOTICE), "nobody knows of it yet");

    configured(&world, &["plugins", "update"]).run().success();
    // The day of the run above is over.
    std::fs::write(world.data().join("plugin-store/v1/noticed"), "2020-01-01T00:00:00Z").unwrap();
    let piped = configured(&world, &["up"]).in_dir(app.dir()).run().success();
    assert!(!piped.stderr.contains("is available"), "a script is not told\n{}", piped.snapshot());
    let told = up();
    assert!(told.contains(NOTICE) && told.find("stub runs") < told.find(NOTICE), "after the work\n{told}");
    assert!(!up().contains(NOTICE), "once a day");
}

#[test]
fn an_external_command_is_no_exception() {
    let world = World::new();
    pack_stub(&world, "stub", "1.0.0", ">=4.0");
    let spin = |words: &[&str]| world.spin(words).env("SPIN_CATALOGUES", catalogue(&world));
    spin(&["plugins", "install", "stub", "--yes"]).run().success();
    pack_stub(&world, "stub", "1.1.0", ">=4.0");
    let mut stub = spin(&["stub"]).start_on_terminal();
    stub.output().wait_for("stub 1.1.0 is available, and 1.0.0 is used: spin plugins upgrade stub");
    assert!(stub.finish_within(SOON).success(), "{}", stub.snapshot());
}
