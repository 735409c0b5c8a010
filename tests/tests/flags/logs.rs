//! `--log-dir`, `--truncate-logs`, `--state-dir`, `--follow` and `--quiet`.

use std::path::Path;

use insta::assert_snapshot;
use spin_tests::http;

use super::Site;

const LINE: &str = "probe: a line on stdout\n";

#[track_caller]
fn assert_logged(folder: &Path, stderr: &str) {
    let log = folder.join("new_stdout.txt");
    assert_eq!(std::fs::read_to_string(&log).unwrap_or_default(), LINE, "{}", log.display());
    let notice = format!("Logging component stdio to \"{}/\"\n", folder.display());
    assert!(stderr.contains(&notice), "{notice}{stderr}");
}

#[test]
fn the_log_folder_in_every_spelling() {
    let site = Site::new();
    let absolute = |name: &str| site.world.path(name).display().to_string();
    let rows = [
        (vec!["-L".to_owned(), absolute("logs-1")], site.world.path("logs-1")),
        (vec![format!("-L{}", absolute("logs-2"))], site.world.path("logs-2")),
        (vec![format!("--log-dir={}", absolute("deep/logs-3"))], site.world.path("deep/logs-3")),
        (vec!["--log-dir".to_owned(), "logs-4".to_owned()], site.path("logs-4")),
        (vec!["--".to_owned(), "--log-dir=logs-5".to_owned()], site.path("logs-5")),
    ];
    for (flags, folder) in rows {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (_, ended) = site.ask(site.up(&flags), "/print");
        assert_logged(&folder, &ended.stderr);
    }
    let (_, ended) = site.ask(site.up(&[]).env("SPIN_LOG_DIR", "logs-6"), "/print");
    assert_logged(&site.path("logs-6"), &ended.stderr);
    let (_, ended) = site.ask(site.up(&["-L", "logs-7"]).env("SPIN_LOG_DIR", "logs-not"), "/print");
    assert_logged(&site.path("logs-7"), &ended.stderr);
    assert!(!site.path("logs-not").exists() && !site.path(".spin").exists());
}

#[test]
fn an_empty_log_folder_is_none() {
    let site = Site::new();
    for up in [site.up(&["--log-dir", ""]), site.up(&["--log-dir="]), site.up(&[]).env("SPIN_LOG_DIR", "")] {
        let (_, ended) = site.ask(up, "/print");
        assert!(ended.stderr.contains(LINE) && !ended.stderr.contains("Logging"), "{}", ended.snapshot());
        assert!(!site.path(".spin").exists());
    }
}

#[test]
fn the_state_folder_holds_the_logs_unless_there_is_none() {
    let site = Site::new();
    let absolute = site.world.path("state-1");
    for (flag, folder) in [(absolute.to_str().unwrap(), absolute.clone()), ("state-2", site.path("state-2"))] {
        let (_, ended) = site.ask(site.up(&["--state-dir", flag]), "/print");
        assert_logged(&folder.join("logs"), &ended.stderr);
    }
    let (_, ended) = site.ask(site.up(&["--state-dir="]), "/print");
    assert!(!ended.stderr.contains("Logging"), "{}", ended.snapshot());
    assert!(!site.path(".spin").exists());
}

#[test]
fn logs_are_appended_to_or_all_emptied() {
    let site = Site::new();
    site.write("logs/gone_stderr.txt", "of a component that is no more\n");
    site.write("logs/notes.txt", "not a log\n");
    let read = |name: &str| std::fs::read_to_string(site.path("logs").join(name)).unwrap();
    site.ask(site.up(&["-L", "logs"]), "/print");
    site.ask(site.up(&["-L", "logs"]), "/print");
    assert_eq!(read("new_stdout.txt"), LINE.repeat(2));
    assert_eq!(read("gone_stderr.txt"), "of a component that is no more\n");
    site.ask(site.up(&["-L", "logs", "--truncate-logs"]), "/print");
    assert_eq!(read("new_stdout.txt"), LINE);
    assert_eq!(read("gone_stderr.txt"), "");
    assert_eq!(read("notes.txt"), "not a log\n");
}

#[test]
fn follow_chooses_with_and_without_log_files() {
    let site = Site::new();
    for folder in ["logs", ""] {
        let up = site.up(&["-L", folder, "--follow", "new"]).start();
        let address = up.serving();
        http::get(address, "/p2/print");
        http::get(address, "/p3/print");
        let ended = up.stop().success();
        assert_eq!(ended.stderr.matches("probe: ").count(), 2, "{}", ended.snapshot());
        let up = site.up(&["-L", folder, "--follow=old", "--follow", "new"]).start();
        let address = up.serving();
        http::get(address, "/p2/print");
        http::get(address, "/p3/print");
        let ended = up.stop().success();
        assert_eq!(ended.stderr.matches("probe: ").count(), 4, "{}", ended.snapshot());
    }
}

#[test]
fn quiet_in_every_spelling_with_and_without_log_files() {
    let site = Site::new();
    for flag in ["-q", "--quiet", "--sh", "--shush"] {
        let (_, ended) = site.ask(site.up(&[flag, "-L", "logs"]), "/print");
        assert!(!ended.stderr.contains("probe: "), "{}", ended.snapshot());
        assert!(ended.stderr.contains("Logging component stdio to"), "{}", ended.snapshot());
        let (_, ended) = site.ask(site.up(&[flag, "-L", ""]), "/print");
        assert!(!ended.stderr.contains("probe: "), "{}", ended.snapshot());
    }
    assert_eq!(std::fs::read_to_string(site.path("logs/new_stdout.txt")).unwrap(), LINE.repeat(4));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let site = Site::new();
    let unknown = site.up(&["--follow", "newer", "--follow", "old", "--follow", "../x"]).run();
    assert_eq!(unknown.code, Some(1), "{}", unknown.snapshot());
    let both = site.up(&["--follow", "new", "--quiet"]).run();
    assert_eq!(both.code, Some(2), "{}", both.snapshot());
    assert_snapshot!([unknown.snapshot(), both.snapshot()].join("\n"));
}
