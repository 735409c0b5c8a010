//! A catalogue on the web.

use std::fs;
use std::path::Path;

use super::*;
use crate::testing::{After, Server, World, install, name, plan};
use crate::{InstallRequest, Network, Settings, Trust};

fn source(server: &Server) -> CatalogueSource {
    let root = server.url("/catalogue").parse().unwrap();
    CatalogueSource::web("demo".parse().unwrap(), root, Trust::default()).unwrap()
}

/// Puts every file of the world's catalogue on the server.
fn publish(world: &World, server: &Server) {
    fn publish_folder(folder: &Path, below: &str, server: &Server) {
        for item in fs::read_dir(folder).unwrap() {
            let item = item.unwrap();
            let path = format!("{below}/{}", item.file_name().to_str().unwrap());
            match item.file_type().unwrap().is_dir() {
                true => publish_folder(&item.path(), &path, server),
                false => server.put(&path, fs::read(item.path()).unwrap()),
            }
        }
    }
    publish_folder(&world.path("catalogue"), "/catalogue", server);
}

fn demo() -> InstallRequest {
    InstallRequest::by_name(name("trigger-demo"))
}

#[test]
fn a_catalogue_on_the_web_is_fetched_once_and_then_asked_whether_it_changed() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    let manager = world.knowing(vec![source(&server)]);
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::never-fetched");
    assert!(server.asked().is_empty(), "planning asks for no index");

    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(server.asked(), ["GET /catalogue/index.json"], "manifests come when they are needed");
    assert_eq!(refresh_one(&manager), Ok(News::Unchanged));

    server.asked();
    let installed = install(&manager, &demo()).unwrap();
    assert_eq!(installed.version, "1.0.0");
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].ends_with("/trigger-demo@1.0.0.json") && asked[1].ends_with(".tar.gz"), "{asked:?}");
    assert_eq!(manager.catalogues()[0].knowledge.as_ref().unwrap().serial, Some(1));

    world.pack("trigger-demo", "1.1.0", ">=2", &[1]);
    publish(&world, &server);
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.0.0", "nobody has refreshed");
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.1.0");
}

#[test]
fn what_was_needed_once_is_there_without_a_network() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    let online = world.knowing(vec![source(&server)]);
    refresh_one(&online).unwrap();
    let offline = PluginManager::new(Settings { network: Network::Offline, ..online.settings().clone() });
    assert_eq!(plan(&offline, &demo()).unwrap_err().code(), "web::offline");
    plan(&online, &demo()).unwrap();

    server.asked();
    let planned = plan(&offline, &demo()).unwrap();
    let refused = runtime().block_on(offline.install(&planned, &crate::Silent)).unwrap_err();
    assert_eq!(refused.code(), "web::offline");
    assert!(refused.to_string().contains("--offline"), "{refused}");
    assert_eq!(refresh_one(&offline), Err("web::offline".to_owned()));
    assert!(server.asked().is_empty());
    assert!(world.store().is_empty());
}

#[test]
fn where_a_refresh_fails_the_old_copy_stays() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    let manager = world.knowing(vec![source(&server)]);
    refresh_one(&manager).unwrap();
    let answers: [(&[u8], &str); 8] = [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "web::status"),
        (b"HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\n\r\n{}", "web::status"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", "web::failed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "catalogue::bad-index"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n{}", "web::too-large"),
        (b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n", "web::status"),
        (b"HTTP/1.1 302 Found\r\nlocation: /catalogue/index.json\r\ncontent-length: 0\r\n\r\n", "web::failed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{\"schema\":9,\"from\":\"later on\"}", "catalogue::bad-index"),
    ];
    for (answer, code) in answers {
        server.answer("/catalogue/index.json", answer, After::End);
        assert_eq!(refresh_one(&manager), Err(code.to_owned()), "{}", String::from_utf8_lossy(answer));
        assert_eq!(plan(&manager, &demo()).unwrap().version, "1.0.0");
    }
    server.remove("/catalogue/index.json");
    let all = runtime().block_on(manager.refresh(&crate::Silent));
    assert_eq!(all[0].outcome.as_ref().unwrap_err().code(), "web::status");
    assert!(all[0].age.is_some(), "the old knowledge has an age");
    assert!(!world.path("data/plugin-store/v1/catalogues/demo/.incoming").exists());
}

#[test]
fn not_modified_is_an_answer_only_for_those_who_have_something() {
    let (world, server) = (World::new(), Server::start());
    server.answer("/catalogue/index.json", "HTTP/1.1 304 Not Modified\r\n\r\n", After::End);
    let manager = world.knowing(vec![source(&server)]);
    assert_eq!(refresh_one(&manager), Err("web::status".to_owned()));
    // Not even if the copy was removed and the note about it was not.
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    refresh_one(&manager).unwrap();
    fs::remove_dir_all(world.path("data/plugin-store/v1/catalogues/demo/tree-1")).unwrap();
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert!(plan(&manager, &demo()).is_ok());
}

#[test]
fn an_older_index_than_the_one_seen_is_refused() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let old = fs::read(world.path("catalogue/index.json")).unwrap();
    world.pack("trigger-demo", "1.1.0", ">=2", &[1]);
    publish(&world, &server);
    let manager = world.knowing(vec![source(&server)]);
    refresh_one(&manager).unwrap();
    server.put("/catalogue/index.json", old.clone());
    for _ in 0..2 {
        assert_eq!(refresh_one(&manager), Err("catalogue::older-index".to_owned()));
    }
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.1.0");
    // Another place is another catalogue.
    let moved = Server::start();
    moved.put("/catalogue/index.json", old);
    let manager = world.knowing(vec![source(&moved)]);
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::never-fetched");
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
}

#[test]
fn an_expired_index_is_refused_also_when_it_expires_here() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    let with_end = |end: &str| {
        let json = fs::read_to_string(world.path("catalogue/index.json")).unwrap();
        server.put(
            "/catalogue/index.json",
            json.replacen("\"serial\"", &format!("\"expires\": \"{end}\", \"serial\""), 1),
        );
    };
    let at =
        |clock: crate::Clock| PluginManager::with_clock(world.knowing(vec![source(&server)]).settings().clone(), clock);
    let before = || "2026-01-01T00:00:00Z".parse().unwrap();
    let after = || "2026-03-01T00:00:00Z".parse().unwrap();
    with_end("2026-02-01T00:00:00Z");
    assert_eq!(refresh_one(&at(after)), Err("catalogue::expired".to_owned()));
    assert_eq!(refresh_one(&at(before)), Ok(News::Updated));
    assert!(plan(&at(before), &demo()).is_ok());
    assert_eq!(plan(&at(after), &demo()).unwrap_err().code(), "catalogue::expired");
    assert_eq!(refresh_one(&at(after)), Err("catalogue::expired".to_owned()), "unchanged, and no longer good");
    with_end("2026-04-01T00:00:00Z");
    assert_eq!(refresh_one(&at(after)), Ok(News::Updated));
    assert!(plan(&at(after), &demo()).is_ok());
}

#[test]
fn a_manifest_that_is_not_the_one_of_the_index_is_refused_and_not_kept() {
    let (world, server) = (World::new(), Server::start());
    let packed = world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    publish(&world, &server);
    let manager = world.knowing(vec![source(&server)]);
    refresh_one(&manager).unwrap();
    let path = "/catalogue/manifests/trigger-demo/trigger-demo@1.0.0.json";
    server.put(path, fs::read_to_string(&packed.manifest).unwrap().replace("MIT", "GPL"));
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::index-mismatch");
    server.put(path, fs::read(&packed.manifest).unwrap());
    assert!(plan(&manager, &demo()).is_ok(), "the wrong one was not kept");
}

#[test]
fn two_catalogues_are_asked_in_order_and_a_broken_one_is_no_reason_to_ask_the_next() {
    let (world, server) = (World::new(), Server::start());
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let folder = CatalogueSource::directory("folder", world.path("catalogue"), Trust::default());
    let manager = world.knowing(vec![source(&server), folder]);
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::never-fetched");
    let all = runtime().block_on(manager.refresh(&crate::Silent));
    assert!(all[0].outcome.is_err() && all[0].age.is_none());
    assert!(matches!(all[1].outcome, Ok(News::Local)));
    publish(&world, &server);
    runtime().block_on(manager.refresh(&crate::Silent));
    assert_eq!(plan(&manager, &demo()).unwrap().origin.to_string(), "catalogue 'demo'");
}
