//! Guests of every generation, each of which imports all that its SDK's world has, uses next to nothing of it, and answers.
//!
//! They are made here, of the worlds in `tests/data/worlds.wit` and of further ones.

use std::fmt::Write as _;

use spin_tests::worlds::{self, Worlds};
use spin_tests::{App, http};

use super::{craft, entry, refused, serve_with};

/// How a guest answers: in the text format, with its version in the place of `VERSION`.
#[derive(Clone, Copy)]
enum Handler {
    /// `fermyon:spin/inbound-http`.
    Inbound,
    /// `wasi:http/incoming-handler` of this version.
    Incoming(&'static str),
    /// `wasi:http/handler` of this version.
    Third(&'static str),
}

const OCTOBER: &str = "0.2.0-rc-2023-10-18";
const NOVEMBER: &str = "0.2.0-rc-2023-11-10";
const CANDIDATE: &str = "0.3.0-rc-2026-03-15";

impl Handler {
    fn module(self, worlds: &Worlds, world: &str, imports: &str) -> Vec<u8> {
        const IMPORTS: &str = include_str!("../../guests/generations/handler-imports.wat");
        let (further, code, version) = match self {
            Self::Inbound => ("", include_str!("../../guests/generations/inbound-http.wat"), ""),
            Self::Incoming(OCTOBER) => ("", include_str!("../../guests/generations/october.wat"), OCTOBER),
            Self::Incoming(version) => ("", include_str!("../../guests/generations/incoming-handler.wat"), version),
            Self::Third(version) => (IMPORTS, include_str!("../../guests/generations/handler.wat"), version),
        };
        let of = |text: &str| text.replace("VERSION", version);
        worlds.module(world, &format!("{imports}{}", of(further)), &of(code))
    }

    /// Asks a guest of this kind something.
    #[track_caller]
    fn ask(self, address: std::net::SocketAddr, world: &str) {
        let path = format!("/{world}/some/path?q=1");
        // Twice: whatever is left of the first request is in the way of the second.
        for _ in 0..2 {
            let response = http::get(address, &path);
            let expected = if let Self::Third(_) = self { (202, "") } else { (200, path.as_str()) };
            assert_eq!((response.status, response.text().as_str()), expected, "{world}");
            let length = response.text().len().to_string();
            assert_eq!(response.header("content-length"), Some(length.as_str()), "{world}: nobody waits for its end");
            let is_october = matches!(self, Self::Incoming(OCTOBER));
            assert_eq!(response.header("x-made") == Some("october"), is_october, "{world}");
        }
    }
}

/// Further worlds: one for each 0.2, and mixtures.
fn further() -> (String, Vec<(String, Handler)>) {
    let (mut text, mut rows) = (String::new(), Vec::new());
    let mut add = |name: &str, items: &str, handler| {
        let _ = writeln!(text, "world {name} {{ {items} }}");
        rows.push((name.to_owned(), handler));
    };
    let second =
        |version: &str| format!("include wasi:cli/imports@{version}; import wasi:http/outgoing-handler@{version};");
    for version in worlds::wasi_versions() {
        // The pre-releases are those of worlds that exist; here are the releases, each for itself.
        if let Some(patch) = version.strip_prefix("0.2.").filter(|patch| patch.parse::<u8>().is_ok()) {
            let export = format!("export wasi:http/incoming-handler@{version};");
            let version: &'static str = version.clone().leak();
            add(&format!("second-v{patch}"), &(second(version) + &export), Handler::Incoming(version));
        }
    }
    let all: String = ["0.2.0", "0.2.3", "0.2.6", "0.2.9", "0.2.10", "0.2.12"].map(second).concat();
    add("seconds", &format!("{all} export wasi:http/incoming-handler@0.2.4;"), Handler::Incoming("0.2.4"));
    let export = |version: &str| format!("export wasi:http/handler@{version};");
    let third = |version: &str| format!("include wasi:cli/imports@{version}; import wasi:http/client@{version};");
    add("third", &(third("0.3.0") + &export("0.3.0")), Handler::Third("0.3.0"));
    add("candidate", &(third(CANDIDATE) + &export(CANDIDATE)), Handler::Third(CANDIDATE));
    add("second-and-third", &(second("0.2.6") + &third("0.3.0") + &export("0.3.0")), Handler::Third("0.3.0"));
    let both = third("0.3.0") + &third(CANDIDATE);
    add("both-thirds", &(both.clone() + &export("0.3.0")), Handler::Third("0.3.0"));
    add("both-thirds-of-the-candidate", &(both + &export(CANDIDATE)), Handler::Third(CANDIDATE));
    let snapshots = [OCTOBER, NOVEMBER]
        .map(|version| format!("include wasi:cli/reactor@{version}; import wasi:http/outgoing-handler@{version};"));
    let export = format!("export wasi:http/incoming-handler@{NOVEMBER};");
    add("all-seconds", &(snapshots.concat() + &all + &export), Handler::Incoming(NOVEMBER));
    (text, rows)
}

/// The worlds of SDKs, and how their guests answer.
const SDKS: [(&str, Handler); 9] = [
    ("spin1", Handler::Inbound),
    ("spin2-october", Handler::Incoming(OCTOBER)),
    ("november", Handler::Incoming(NOVEMBER)),
    ("spin2", Handler::Incoming("0.2.0")),
    ("spin3", Handler::Incoming("0.2.0")),
    ("spin3-late", Handler::Incoming("0.2.0")),
    ("spin3-javascript", Handler::Incoming("0.2.10")),
    ("spin4", Handler::Third(CANDIDATE)),
    ("spin4-final", Handler::Third("0.3.0")),
];

/// Serves guests, each below the path that its name is.
#[track_caller]
fn serve_all(guests: &[(String, Handler, Vec<u8>)]) {
    let entries: String = guests.iter().map(|(name, ..)| entry(name, &format!("/{name}/..."), name, "")).collect();
    let served = serve_with(&entries, &[], |app| {
        for (name, _, code) in guests {
            std::fs::write(app.dir().join(format!("{name}.wasm")), code).unwrap();
        }
    });
    for (name, handler, _) in guests {
        handler.ask(served.address, name);
    }
    served.up.stop().success();
}

#[test]
fn components_that_import_all_of_their_sdks_world_answer() {
    let worlds = Worlds::read("");
    assert_eq!(worlds.names().collect::<Vec<_>>(), SDKS.map(|(name, _)| name), "each world has a guest");
    let guests =
        SDKS.map(|(name, handler)| (name.to_owned(), handler, worlds::component(&handler.module(&worlds, name, ""))));
    serve_all(&guests);
}

#[test]
fn components_of_every_version_of_wasi_and_of_mixtures_answer() {
    let (text, rows) = further();
    let worlds = Worlds::read(&text);
    let guests: Vec<_> = rows
        .into_iter()
        .map(|(name, handler)| {
            let component = worlds::component(&handler.module(&worlds, &name, ""));
            (name, handler, component)
        })
        .collect();
    serve_all(&guests);
}

#[test]
fn modules_with_a_world_of_their_own_answer() {
    // What the other kinds of modules do is in `first_generation` and `wagi`.
    const PREVIEW1: &str = r#"(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))"#;
    let worlds = Worlds::read("");
    let guests = SDKS.map(|(name, handler)| (name.to_owned(), handler, handler.module(&worlds, name, PREVIEW1)));
    serve_all(&guests);
}

/// The matrix of `hosts` is about a component of 0.3, whose engine knows tasks; these run on the other one.
#[test]
fn components_without_tasks_have_stores_and_databases() {
    let worlds = Worlds::read(
        "world stores {
            import fermyon:spin/key-value@2.0.0;
            import fermyon:spin/sqlite@2.0.0;
            include wasi:cli/imports@0.2.0;
            export wasi:http/incoming-handler@0.2.0;
        }",
    );
    let code = include_str!("../../guests/generations/stores.wat").replace("VERSION", "0.2.0");
    let code = worlds::component(&worlds.module("stores", "", &code));
    let lists = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]\n";
    let served = serve_with(&(entry("stores", "/...", "stores", "") + lists), &[], |app| {
        std::fs::write(app.dir().join("stores.wasm"), code).unwrap();
    });
    for _ in 0..2 {
        let response = http::get(served.address, "/");
        assert_eq!((response.status, response.text().as_str()), (200, "kept"), "{}", served.up.stderr().text());
    }
    served.up.stop().success();
}

/// One that runs where the component model's tasks are known, called by one that doesn't and by one that does.
#[test]
fn a_component_of_the_first_generation_is_called_from_within_the_app() {
    let worlds = Worlds::read(
        "world first-with-tasks { import spin:variables/variables@3.0.0; export fermyon:spin/inbound-http; }",
    );
    let code = worlds::component(&Handler::Inbound.module(&worlds, "first-with-tasks", ""));
    let callers: String = ["probe-p2", "probe-p3"]
        .map(|probe| {
            entry(probe, &format!("/{probe}/..."), probe, "")
                + "allowed_outbound_hosts = [\"http://*.spin.internal\"]\n"
        })
        .concat();
    let served = serve_with(&(callers + &entry("first", "/first/...", "first", "")), &[], |app| {
        std::fs::write(app.dir().join("first.wasm"), code).unwrap();
    });
    for probe in ["probe-p2", "probe-p3"] {
        for _ in 0..2 {
            let path = format!("/{probe}/forward?url=http%3A//first.spin.internal/some/path");
            let response = http::get(served.address, &path);
            assert_eq!((response.status, response.text().as_str()), (200, "/some/path"), "{probe}");
        }
    }
    served.up.stop().success();
}

/// A module whose world was written by this version of wit-bindgen, as the world says itself.
fn by_wit_bindgen(module: &[u8], version: &str) -> Vec<u8> {
    let sections = wasmparser::Parser::new(0).parse_all(module).filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::CustomSection(section) if section.name().starts_with("component-type") => {
            Some(section.range())
        }
        _ => None,
    });
    let range = sections.last().unwrap();
    let length = |length: usize| craft::leb(u32::try_from(length).unwrap());
    let text = |text: &str| [length(text.len()), text.into()].concat();
    let producers: Vec<u8> =
        [text("producers"), vec![1], text("processed-by"), vec![1], text("wit-bindgen-rust"), text(version)].concat();
    let producers = [vec![0], length(producers.len()), producers].concat();
    let start = range.start - length(range.len()).len() - 1;
    let length = length(range.len() + producers.len());
    [&module[..start], &[0], &length, &module[range.clone()], &producers, &module[range.end..]].concat()
}

#[test]
fn modules_of_wit_bindgen_answer_if_its_version_is_known() {
    let worlds = Worlds::read("");
    let module = Handler::Incoming("0.2.0").module(&worlds, "spin3", "");
    let guests: Vec<_> = ["0.5.0", "0.16.0"]
        .into_iter()
        .enumerate()
        .map(|(index, version)| (format!("bound{index}"), Handler::Incoming("0.2.0"), by_wit_bindgen(&module, version)))
        .collect();
    serve_all(&guests);
    let ended = refused(&entry("old", "/...", "odd", ""), |app| {
        std::fs::write(app.dir().join("odd.wasm"), by_wit_bindgen(&module, "0.2.0")).unwrap();
    });
    for part in ["component \"old\": ", "cannot adapt modules created with wit-bindgen version 0.2.0"] {
        assert!(ended.stderr.contains(part), "no `{part}`\n{}", ended.snapshot());
    }
}

/// A section of a component: types, each of which lies in the one before it.
fn nested_types(levels: usize) -> Vec<u8> {
    let content: Vec<u8> = [vec![1], [0x41, 1, 1].repeat(levels), vec![0x41, 0]].concat();
    [vec![7], craft::leb(u32::try_from(content.len()).unwrap()), content].concat()
}

#[test]
fn what_nests_too_deep_is_told_so_by_a_process_that_lives() {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    let types = [COMPONENT, &nested_types(300_000)].concat();
    let name = [&[16], &b"component-type:x"[..]].concat();
    let section = [name, types.clone()].concat();
    let module =
        [b"\0asm\x01\0\0\0\0", craft::leb(u32::try_from(section.len()).unwrap()).as_slice(), &section].concat();
    let components = (0..2000).fold(COMPONENT.to_vec(), |inner, _| {
        [COMPONENT, &[4], &craft::leb(u32::try_from(inner.len()).unwrap()), &inner].concat()
    });
    for (code, what) in [(types, "types"), (module, "types"), (components, "components")] {
        let ended = refused(&entry("old", "/...", "odd", ""), |app| {
            std::fs::write(app.dir().join("odd.wasm"), code).unwrap();
        });
        for part in
            ["component \"old\": ", &format!("odd.wasm has {what} that lie in each other more than 100 levels deep")]
        {
            assert!(ended.stderr.contains(part), "no `{part}`\n{}", ended.snapshot());
        }
    }
}

fn put(app: &App, text: &str) {
    std::fs::write(app.dir().join("odd.wasm"), wat::parse_str(text).unwrap()).unwrap();
}

#[test]
fn what_a_pre_release_never_had_is_named_as_its_author_knows_it() {
    for version in [OCTOBER, NOVEMBER, CANDIDATE] {
        let ended = refused(&entry("old", "/...", "odd", ""), |app| {
            put(
                app,
                &format!(r#"(component (import "wasi:cli/environment@{version}" (instance (export "odd" (func)))))"#),
            );
        });
        for part in ["component \"old\" imports", &format!("wasi:cli/environment@{version}"), "odd"] {
            assert!(ended.stderr.contains(part), "no `{part}`\n{}", ended.snapshot());
        }
    }
}

#[test]
fn a_handler_without_its_function_is_named_as_its_author_knows_it() {
    for export in [
        "wasi:http/incoming-handler@0.2.0-rc-2023-10-18",
        "wasi:http/handler@0.3.0-rc-2026-03-15",
        "wasi:http/handler@0.3.0",
        "fermyon:spin/inbound-http",
    ] {
        let ended = refused(&entry("old", "/...", "odd", ""), |app| {
            put(app, &format!(r#"(component (instance $i) (export "{export}" (instance $i)))"#));
        });
        let expected =
            format!("component \"old\" exports {export}, but not as that is defined: instance export `{export}` does");
        assert!(ended.stderr.contains(&expected), "{}", ended.snapshot());
    }
}

#[test]
fn what_is_no_web_assembly_is_told_so() {
    for code in [&b"#!/bin/sh\n"[..], b"", b"\0asm\x0e\0\0\0"] {
        let ended = refused(&entry("old", "/...", "odd", ""), |app| {
            std::fs::write(app.dir().join("odd.wasm"), code).unwrap();
        });
        let line = ended.stderr.lines().find(|line| line.contains("component \"old\": "));
        let line = line.unwrap_or_else(|| panic!("no such line\n{}", ended.snapshot()));
        assert!(line.ends_with("/odd.wasm is not WebAssembly"), "{line}");
    }
}
