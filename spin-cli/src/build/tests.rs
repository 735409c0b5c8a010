//! Building small apps with commands that only write files.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"x\"\n[trigger]\n";

fn manifest(components: &str) -> Manifest {
    Manifest::parse(&format!("{HEAD}{components}"), Path::new("spin.toml")).unwrap()
}

fn build(manifest: &Manifest, dir: &Path, only: &[&str]) -> (Result<(), BuildError>, String) {
    let ui = Ui::remembering();
    let only: Vec<_> = only.iter().map(|&id| id.to_owned()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let built = runtime.block_on(super::build(&Draft::from(manifest.clone()), dir, &Selection::of(&only), &ui));
    (built, ui.written())
}

const TWO: &str = r#"
[component.a]
source = "a.wasm"
[component.a.build]
command = "echo a >> log"
[component.b]
source = "b.wasm"
[component.b.build]
command = ["echo b1 >> ../log", "echo b2 >> ../log"]
workdir = "sub"
"#;

#[test]
fn every_command_runs_where_it_belongs() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let (built, written) = build(&manifest(TWO), dir.path(), &[]);
    built.unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "a\nb1\nb2\n");
    let expected = format!(
        "Building component a with `echo a >> log`\nBuilding component b (2 commands)\nWorking directory: \"{}\"\n\
         Running build step 1/2 for component b with 'echo b1 >> ../log'\n\
         Running build step 2/2 for component b with 'echo b2 >> ../log'\nFinished building all Spin components\n",
        dir.path().join("sub").display()
    );
    assert_eq!(written, expected);
    assert!(!dir.path().join(".spin").exists(), "no profile was ever used");
}

#[test]
fn only_the_named_components_are_built() {
    let dir = tempfile::tempdir().unwrap();
    build(&manifest(TWO), dir.path(), &["a"]).0.unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "a\n");
    let report = Report::from(build(&manifest(TWO), dir.path(), &["a", "bb"]).0.unwrap_err());
    assert_eq!(report.message(), "there is no component `bb`");
    assert_eq!(report.stable_code(), Some("app::unknown-component"));
}

#[test]
fn a_failure_names_component_and_exit_code_and_ends_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let failing = TWO.replace("echo a >> log", "exit 3");
    let report = Report::from(build(&manifest(&failing), dir.path(), &[]).0.unwrap_err());
    assert_eq!(report.message(), "the build command of component `a` failed with exit code 3");
    assert!(!dir.path().join("log").exists());
    let (built, _) = build(&manifest(TWO), dir.path(), &["b"]);
    assert!(matches!(built, Err(BuildError::Start { .. })), "there is no folder sub");
}

#[test]
fn a_component_is_built_whatever_else_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "{HEAD}[component.b]\nbuild.command = \"echo b >> log\"\n[component.a]\nsource = \"a.wasm\"\nnonsense = 1\n\
         build.command = \"echo a >> log\"\n"
    );
    build_draft(&text, None, dir.path()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "b\na\n");
}

fn build_draft(text: &str, profile: Option<&str>, dir: &Path) -> Result<(), BuildError> {
    let draft = Draft::parse(text, Path::new("spin.toml"), profile).unwrap();
    assert!(!draft.problems.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(super::build(&draft, dir, &Selection::All, &Ui::remembering()))
}

#[test]
fn a_profile_is_kept_to_whatever_else_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "{HEAD}[component.b]\nbuild.command = \"echo b >> log\"\n\
         profile.debug.build.command = \"echo debug b >> log\"\n"
    );
    build_draft(&text, Some("debug"), dir.path()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "debug b\n");
    let report = Report::from(build_draft(&text, Some("debgu"), dir.path()).unwrap_err());
    assert!(report.message().contains("has a profile `debgu`\n"), "{report:?}");
    assert!(report.message().contains("`source` is missing"), "{report:?}");
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "debug b\n", "nothing more");
}

#[test]
fn nothing_is_built_if_it_is_not_entirely_clear_what() {
    let dir = tempfile::tempdir().unwrap();
    let build = "build.command = \"touch log\"\n";
    for wrong in [
        "[component.b]\nsource = \"b\"\nbuild = { command = \"true\", workdir = \"/tmp\" }",
        "[component.b]\nsource = \"b\"\nbuild = { command = \"true\", workdir = 3 }",
        "[component.b]\nsource = \"b\"\nbuild = { command = \"true\", comand = \"true\" }",
        "[component.b]\nsource = \"b\"\nbuild = { command = [\"true\", 3] }",
        "[component.b]\nsource = \"b\"\nbuild = { command = [] }",
        "[component.b]\nsource = \"b\"\nbuild = { command = \"\" }",
        "[component.b]\nsource = \"b\"\nbuild = \"true\"",
        "[component.b]\nsource = \"b\"\nprofile.debug.build.comand = \"true\"",
        "[component.b]\nsource = \"b\"\nprofile.debug.biuld.command = \"true\"",
        "[component.b]\nsource = \"b\"\nprofile.debug = \"true\"",
        "[component.b]\nsource = \"b\"\nprofile = \"debug\"",
        "[component.b_b]\nsource = \"b\"",
        "[component]\nb = \"b\"",
    ] {
        let text = format!("{HEAD}[component.a]\nsource = \"a\"\n{build}{wrong}\n");
        let report = Report::from(build_draft(&text, None, dir.path()).expect_err(wrong));
        assert_eq!(report.stable_code(), Some("manifest::invalid"), "{wrong}");
    }
    let old = format!(
        "spin_manifest_version = \"1\"\nname = \"x\"\ntrigger.type = \"x\"\n[[component]]\n{build}source = \"a\"\n"
    );
    for wrong in ["", "id = \"_\"", "id = \"a\"\n[[component]]\nid = \"a\"\nsource = \"b\""] {
        let report = Report::from(build_draft(&format!("{old}{wrong}\n"), None, dir.path()).expect_err(wrong));
        assert_eq!(report.stable_code(), Some("manifest::invalid"), "{wrong}");
    }
    assert!(!dir.path().join("log").exists());
}

#[test]
fn an_app_without_commands_is_built_already() {
    let dir = tempfile::tempdir().unwrap();
    let (built, written) = build(&manifest("[component.a]\nsource = \"a.wasm\"\n"), dir.path(), &[]);
    built.unwrap();
    assert!(written.contains("nothing to build"), "{written}");
}

#[test]
fn the_profile_of_the_last_build_is_noted_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let anonymous = manifest(
        "[component.a]\nsource = \"a.wasm\"\n[component.a.build]\ncommand = \"true\"\n\
         [component.a.profile.debug]\nbuild.command = \"echo debug > log\"\n",
    );
    let debug = anonymous.with_profile("debug").unwrap();
    assert_eq!(other_profile(&debug, dir.path()), None, "nothing was built yet");
    build(&debug, dir.path(), &[]).0.unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "debug\n");
    let mark = dir.path().join(".spin/last-build.txt");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "debug");
    assert_eq!(other_profile(&debug, dir.path()), None);
    assert!(other_profile(&anonymous, dir.path()).unwrap().contains("with the profile `debug`"));
    build(&anonymous, dir.path(), &[]).0.unwrap();
    assert_eq!(fs::read_to_string(&mark).unwrap(), "<anonymous>");
    assert!(other_profile(&debug, dir.path()).unwrap().contains("without a profile"));
    fs::write(&mark, format!("x\nError: y{}", "z".repeat(100_000))).unwrap();
    let warning = other_profile(&debug, dir.path()).unwrap();
    assert!(warning.len() < 300 && !warning.contains('\n'), "{warning}");
}
