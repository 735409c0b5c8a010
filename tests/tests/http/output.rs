//! What components print: the files, the terminal, and what does not get through to it.

use spin_tests::http;

use super::{BOTH, serve};

#[test]
fn output_goes_to_files_and_to_standard_error() {
    let served = serve(BOTH, &[]);
    for (generation, id) in [("p2", "old"), ("p3", "new")] {
        assert_eq!(http::get(served.address, &format!("/{generation}/print")).status, 200);
        served.up.stderr().wait_for("probe: a line on stdout");
        served.up.stderr().wait_for("probe: a line on stderr");
        for stream in ["stdout", "stderr"] {
            let path = served.app.dir().join(format!(".spin/logs/{id}_{stream}.txt"));
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("probe: a line on {stream}\n"), "{}", path.display());
        }
    }
    assert!(!served.up.stdout().text().contains("probe: a line"), "standard output is the trigger's");
}

#[test]
fn quiet_shows_nothing_and_follow_chooses() {
    let served = serve(BOTH, &["--follow", "new"]);
    http::get(served.address, "/p2/print");
    http::get(served.address, "/p3/print");
    served.up.stderr().wait_for("probe: a line on stderr");
    assert_eq!(served.up.stderr().text().matches("probe: ").count(), 2, "{}", served.up.stderr().text());

    let served = serve(BOTH, &["--quiet"]);
    http::get(served.address, "/p3/print");
    let log = served.app.dir().join(".spin/logs/new_stdout.txt");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "probe: a line on stdout\n");
    let ended = served.up.stop();
    assert!(!ended.stderr.contains("probe: "), "{}", ended.snapshot());
}

#[test]
fn a_log_folder_can_be_named_emptied_or_refused() {
    let served = serve(BOTH, &["--log-dir", "logs-here"]);
    http::get(served.address, "/p3/print");
    let log = served.app.dir().join("logs-here/new_stdout.txt");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "probe: a line on stdout\n");
    assert!(!served.app.dir().join(".spin").exists());

    let served = serve(BOTH, &["--log-dir", ""]);
    http::get(served.address, "/p3/print");
    served.up.stderr().wait_for("probe: a line on stdout");
    assert!(!served.app.dir().join(".spin").exists());
}
