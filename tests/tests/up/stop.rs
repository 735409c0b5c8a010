//! A request to stop before the app runs: while it is built, while its code is fetched, and while files are copied.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use spin_tests::{Invocation, Signal};

use super::super::Echo;

/// Less than the grace of a build command, so that what only a kill would end fails the test.
const SOON: Duration = Duration::from_secs(8);

fn manifest(command: &str) -> String {
    format!(
        "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.echo]]\ncomponent = \"a\"\n\
         [component.a]\nsource = \"a.wasm\"\nbuild.command = '''{command}'''\n"
    )
}

/// Two processes that wait: one in the background, one that the shell waits for. The world tells if one is left.
const WAITS: &str = "sleep 600 & echo building; sleep 600; echo not reached";

fn builds(echo: &Echo, dir: &std::path::Path) -> [Invocation; 2] {
    [echo.world.spin(["build"]).in_dir(dir), echo.up(&["--build"]).in_dir(dir)]
}

#[test]
fn a_signal_ends_a_build_with_everything_that_it_started() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let echo = Echo::new();
        let app = echo.app(&manifest(WAITS), &["a.wasm"]);
        for build in builds(&echo, app.dir()) {
            let build = build.start();
            build.stdout().wait_for("building");
            build.signal(signal);
            let ended = build.finish_within(SOON);
            assert_eq!(ended.code, Some(code), "{}", ended.snapshot());
            assert!(ended.stderr.contains("build::stopped"), "{}", ended.snapshot());
            assert!(!ended.stdout.contains("not reached"), "{}", ended.snapshot());
        }
    }
}

#[test]
fn a_second_signal_kills_a_build_that_does_not_heed_the_first() {
    let echo = Echo::new();
    let stubborn = "trap 'echo heard' TERM; echo building; while true; do sleep 600 & wait; done";
    let app = echo.app(&manifest(stubborn), &["a.wasm"]);
    let build = echo.world.spin(["build"]).in_dir(app.dir()).start();
    build.stdout().wait_for("building");
    build.signal(Signal::TERM);
    build.stdout().wait_for("heard");
    build.signal(Signal::TERM);
    assert_eq!(build.finish_within(SOON).code, Some(143));
}

#[test]
fn ctrl_c_ends_a_build_on_a_terminal() {
    let echo = Echo::new();
    let app = echo.app(&manifest(WAITS), &["a.wasm"]);
    let mut build = echo.world.spin(["build"]).in_dir(app.dir()).start_on_terminal();
    // The command itself is told before, in which the word is too.
    build.output().line_within(SOON, |line| line.trim() == "building").unwrap();
    build.press_ctrl_c();
    assert_eq!(build.finish_within(SOON).code(), Some(130), "{}", build.snapshot());
}

#[test]
fn a_command_that_hears_of_ctrl_c_before_us_has_not_failed() {
    let echo = Echo::new();
    // We are told as soon as we have taken note of its end.
    let first = "(while kill -0 $$ 2>/dev/null; do :; done; kill -INT $PPID; exec sleep 600) & exit 1";
    let app = echo.app(&manifest(first), &["a.wasm"]);
    for build in builds(&echo, app.dir()) {
        let ended = build.start().finish_within(SOON);
        assert_eq!(ended.code, Some(130), "{}", ended.snapshot());
        assert!(ended.stderr.contains("build::stopped"), "{}", ended.snapshot());
    }
}

#[test]
fn what_a_finished_build_leaves_running_is_not_ours_to_end() {
    let echo = Echo::new();
    // It ends when this test has looked.
    let app =
        echo.app(&manifest("mkfifo held; (read line < held; echo \"$line\" > told) >/dev/null 2>&1 &"), &["a.wasm"]);
    echo.up(&["--build"]).in_dir(app.dir()).run().success();
    std::fs::write(app.dir().join("held"), "alive\n").unwrap();
    let deadline = std::time::Instant::now() + SOON;
    while std::fs::read_to_string(app.dir().join("told")).unwrap_or_default() != "alive\n" {
        assert!(std::time::Instant::now() < deadline, "it was ended");
        std::thread::yield_now();
    }
}

#[test]
fn a_download_that_is_given_up_leaves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let echo = Echo::new();
    let source = format!(
        "{{ url = \"http://{}/a.wasm\", digest = \"sha256:{}\" }}",
        listener.local_addr().unwrap(),
        "0".repeat(64)
    );
    let app = echo.app(&manifest("true").replace("\"a.wasm\"", &source), &[]);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let up = echo.up(&[]).in_dir(app.dir()).start();
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        // A part of it, and then nothing.
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\ncode").unwrap();
        let folder = echo.world.cache().join("registry/wasm");
        let deadline = std::time::Instant::now() + SOON;
        while std::fs::read_dir(&folder).into_iter().flatten().count() == 0 {
            assert!(std::time::Instant::now() < deadline, "nothing is fetched");
            std::thread::yield_now();
        }
        up.signal(signal);
        assert_eq!(up.finish_within(SOON).code, Some(code));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{signal:?}");
    }
}

#[test]
fn a_signal_ends_the_copying_of_files() {
    let echo = Echo::new();
    let app = echo.app(&format!("{}files = [\"large\"]\n", manifest("true")), &["a.wasm", "large"]);
    // So large that it is not copied in time.
    std::fs::File::options().write(true).open(app.dir().join("large")).unwrap().set_len(64 << 30).unwrap();
    let temp = echo.world.path("tmp");
    let is_copying = || {
        let mut folders = std::fs::read_dir(&temp).unwrap().map(|entry| entry.unwrap().path());
        folders.any(|folder| folder.join("gen-1/assets/a/large").exists())
    };
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let up = echo.up(&[]).in_dir(app.dir()).start();
        let deadline = std::time::Instant::now() + SOON;
        while !is_copying() {
            assert!(std::time::Instant::now() < deadline, "nothing is copied");
            std::thread::yield_now();
        }
        up.signal(signal);
        assert_eq!(up.finish_within(SOON).code, Some(code));
        assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0, "{signal:?}");
    }
}
