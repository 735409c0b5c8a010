//! Trees of files, and what entries of a manifest make of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use spin_app_model::Manifest;

use super::*;

/// What a future comes to.
fn done<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A folder with an app that has these entries.
struct App(tempfile::TempDir);

impl App {
    fn new() -> Self {
        let app = Self(tempfile::tempdir().unwrap());
        for file in [
            "a.txt",
            "b.md",
            ".dot",
            "static/one.css",
            "static/.hidden",
            "static/deep/two.css",
            "static/deep/er/three.css",
            "odd[1]/x",
        ] {
            app.write(file, file);
        }
        app
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn plan(&self, entries: &str, placing: Placing) -> (Plan, Findings) {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"x\"\n[trigger]\n\
             [component.c]\nsource = \"c.wasm\"\n{entries}\n"
        );
        let manifest = Manifest::parse(&text, &self.path().join("spin.toml")).unwrap();
        plan(&manifest.needs().files[0], self.path(), placing)
    }

    /// The tree that the entries come to, as `path=content` where the content is not the path.
    fn copies(&self, entries: &str) -> Vec<String> {
        let (plan, findings) = self.plan(entries, Placing::Copies);
        assert!(findings.problems.is_empty(), "{findings:?}");
        let target = tempfile::tempdir().unwrap();
        let (mut resolved, mut count) = (Resolved::default(), 0);
        done(plan.carry_out(target.path(), &mut resolved, &mut || count += 1)).unwrap();
        assert_eq!(count, plan.copies());
        let root = target.path().join("c");
        let files = expand::below(&root, Path::new("")).unwrap();
        assert_eq!(files.len(), count);
        let show = |file: PathBuf| {
            let content = fs::read_to_string(root.join(&file)).unwrap();
            let file = file.display().to_string();
            if file == content { file } else { format!("{file}={content}") }
        };
        files.into_iter().map(show).collect()
    }

    fn problem(&self, entries: &str, placing: Placing) -> String {
        let (_, findings) = self.plan(entries, placing);
        findings.problems.first().map(|problem| problem.message.clone()).unwrap_or_default()
    }
}

const STATIC: &[&str] = &["static/.hidden", "static/deep/er/three.css", "static/deep/two.css", "static/one.css"];

#[test]
fn a_file_lands_at_its_own_path_and_cannot_be_excluded() {
    let app = App::new();
    assert_eq!(app.copies(r#"files = ["a.txt", "./static/../b.md"]"#), ["a.txt", "b.md"]);
    assert_eq!(app.copies("files = [\"a.txt\"]\nexclude_files = [\"*\"]"), ["a.txt"]);
}

#[test]
fn a_folder_lands_once_with_everything_below_it() {
    let app = App::new();
    assert_eq!(app.copies(r#"files = ["static"]"#), STATIC);
    assert_eq!(app.copies(r#"files = ["./static/"]"#), STATIC);
    assert_eq!(app.copies(r#"files = ["odd[1]"]"#), ["odd[1]/x"], "what exists is no glob");
}

#[test]
fn a_star_stays_within_its_part_and_two_do_not() {
    let app = App::new();
    assert_eq!(app.copies(r#"files = ["./*"]"#), [".dot", "a.txt", "b.md"]);
    assert_eq!(app.copies(r#"files = ["static/*"]"#), ["static/.hidden", "static/one.css"]);
    assert_eq!(app.copies(r#"files = ["static/**/*"]"#), STATIC);
    assert_eq!(
        app.copies(r#"files = ["**/*.css"]"#),
        ["static/deep/er/three.css", "static/deep/two.css", "static/one.css"]
    );
    assert_eq!(app.copies(r#"files = ["*/deep/*.css"]"#), ["static/deep/two.css"]);
    assert_eq!(app.copies(r#"files = ["?.[tm]*"]"#), ["a.txt", "b.md"]);
    assert_eq!(app.copies(r#"files = ["**/er/*"]"#), ["static/deep/er/three.css"]);
}

#[test]
fn a_glob_without_files_is_a_warning() {
    let app = App::new();
    let (plan, findings) = app.plan(r#"files = ["static/*.js", "static/**"]"#, Placing::Copies);
    assert_eq!(plan.copies(), 0);
    let messages: Vec<_> = findings.warnings.iter().map(|warning| &*warning.message).collect();
    assert_eq!(messages, ["no file matches `static/*.js`", "no file matches `static/**`"]);
    assert_eq!(findings.warnings[1].help.as_deref(), Some("write `static/**/*` for the files of all folders"));
}

#[test]
fn excluded_are_files_of_folders_and_globs_and_their_star_crosses_slashes() {
    let app = App::new();
    let with = |exclude: &str| app.copies(&format!("files = [\"static\"]\nexclude_files = [{exclude}]"));
    assert_eq!(with(r#""*.css""#), ["static/.hidden"]);
    assert_eq!(with(r#""static/deep/*""#), ["static/.hidden", "static/one.css"]);
    assert_eq!(with(r#""**/.*", "./static/one.css""#), ["static/deep/er/three.css", "static/deep/two.css"]);
    assert_eq!(with(r#""one.css""#), STATIC, "the path is that from the manifest");
}

#[test]
fn placed_entries_land_at_their_destination() {
    let app = App::new();
    let placed = |source: &str, destination: &str| {
        app.copies(&format!("files = [{{ source = \"{source}\", destination = \"{destination}\" }}]"))
    };
    assert_eq!(
        placed("static/deep", "/x"),
        ["x/er/three.css=static/deep/er/three.css", "x/two.css=static/deep/two.css"]
    );
    assert_eq!(placed("static/deep/er", "//"), ["three.css=static/deep/er/three.css"]);
    assert_eq!(placed("a.txt", "/y/z.txt"), ["y/z.txt=a.txt"]);
    assert_eq!(placed("a.txt", "z.txt"), ["z.txt=a.txt"]);
    let both =
        r#"files = [{ source = "a.txt", destination = "b.md" }, "b.md", { source = "a.txt", destination = "c" }]"#;
    assert_eq!(app.copies(both), ["b.md", "c=a.txt"], "the later of two counts");
}

#[test]
fn links_are_followed_and_circles_end() {
    let app = App::new();
    symlink("../a.txt", app.path().join("static/link.txt")).unwrap();
    symlink("nowhere", app.path().join("static/dangling")).unwrap();
    symlink("..", app.path().join("static/deep/up")).unwrap();
    symlink("static/deep/er", app.path().join("er")).unwrap();
    assert_eq!(app.copies(r#"files = ["er"]"#), ["er/three.css=static/deep/er/three.css"]);
    let copies = app.copies(r#"files = ["static/**/*"]"#);
    assert_eq!(copies.len(), 5, "{copies:?}");
    assert!(copies.contains(&"static/link.txt=a.txt".to_owned()), "{copies:?}");
}

#[test]
fn copies_can_be_changed_and_belong_to_us_alone() {
    let app = App::new();
    fs::set_permissions(app.path().join("a.txt"), PermissionsExt::from_mode(0o444)).unwrap();
    let (plan, _) = app.plan(r#"files = ["a.txt"]"#, Placing::Copies);
    let target = tempfile::tempdir().unwrap();
    fs::create_dir_all(target.path().join("c/left")).unwrap();
    done(plan.carry_out(target.path(), &mut Resolved::default(), &mut || {})).unwrap();
    assert_eq!(fs::metadata(target.path().join("c/a.txt")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!target.path().join("c/left").exists(), "what an earlier run left is gone");
    fs::remove_file(app.path().join("a.txt")).unwrap();
    let error = done(plan.carry_out(target.path(), &mut Resolved::default(), &mut || {})).unwrap_err();
    assert_eq!(Report::from(error).stable_code(), Some("files::copy"));
}

#[test]
fn a_large_file_is_copied_in_parts_and_whole() {
    let app = App::new();
    let file = fs::File::create(app.path().join("large")).unwrap();
    // Three parts, of which the last is small; and exactly two.
    for (length, parts) in [((32 << 20) + 1, 3), (32 << 20, 3)] {
        file.set_len(length).unwrap();
        let (plan, _) = app.plan(r#"files = ["large"]"#, Placing::Copies);
        let target = tempfile::tempdir().unwrap();
        let (mut resolved, mut tick) = (Resolved::default(), || {});
        let copying = plan.carry_out(target.path(), &mut resolved, &mut tick);
        let mut copying = std::pin::pin!(copying);
        let mut pauses = 0;
        done(std::future::poll_fn(|context| {
            let polled = copying.as_mut().poll(context);
            pauses += usize::from(polled.is_pending());
            polled
        }))
        .unwrap();
        assert_eq!(pauses, parts);
        assert_eq!(fs::metadata(target.path().join("c/large")).unwrap().len(), length);
    }
}

#[test]
fn one_path_is_not_both_a_file_and_a_folder() {
    let app = App::new();
    let entries = r#"files = ["static/one.css", { source = "a.txt", destination = "static/one.css/x" }]"#;
    assert!(app.problem(entries, Placing::Copies).contains("both as a file and as a folder"));
}

#[test]
fn direct_mounts_are_folders_of_the_app_and_nothing_else() {
    let app = App::new();
    let problem = |entries: &str| app.problem(entries, Placing::DirectMounts);
    assert_eq!(problem(r#"files = ["static", { source = "./static/deep", destination = "/x" }]"#), "");
    assert!(problem(r#"files = ["a.txt"]"#).starts_with("`a.txt` is not a folder"));
    assert!(problem(r#"files = ["static/*"]"#).starts_with("`static/*` is not a folder"));
    assert!(problem("files = [\"static\"]\nexclude_files = [\"x\"]").contains("nothing can be excluded"));
    assert!(problem(r#"files = [{ source = "..", destination = "/x" }]"#).starts_with("`..` is outside"));
}

#[test]
fn thousands_of_files_are_copied() {
    let app = App::new();
    for number in 0..5000 {
        app.write(&format!("many/{}/{number}", number % 50), "");
    }
    assert_eq!(app.copies(r#"files = ["many/**/*"]"#).len(), 5000);
}

#[test]
fn links_that_multiply_end_with_what_to_do() {
    let app = App::new();
    for link in 0..12 {
        fs::create_dir_all(app.path().join(format!("f{link}"))).unwrap();
        for other in 0..12 {
            symlink(format!("../f{other}"), app.path().join(format!("f{link}/l{other}"))).unwrap();
        }
    }
    let (_, findings) = app.plan(r#"files = ["./f*/**/*"]"#, Placing::Copies);
    let problem = &findings.problems[0];
    assert!(problem.message.contains("`./f*/**/*`"), "{problem:?}");
    assert!(problem.message.contains("more than 100000 files and folders"), "{problem:?}");
    assert!(problem.help.as_deref().unwrap().contains("one by one"), "{problem:?}");
}

#[test]
fn names_that_are_not_utf_8_are_found_and_excluded() {
    use std::os::unix::ffi::OsStrExt;
    let app = App::new();
    let odd = Path::new("static").join(std::ffi::OsStr::from_bytes(b"o\xffd.css"));
    fs::write(app.path().join(&odd), "").unwrap();
    let copies = |entries: &str| app.plan(entries, Placing::Copies).0.copies();
    assert_eq!(copies("files = [\"static/*.css\"]"), 2);
    assert_eq!(copies("files = [\"static/*.css\"]\nexclude_files = [\"static/o?d.css\"]"), 1);
    assert_eq!(copies("files = [\"static\"]\nexclude_files = [\"*.css\"]"), 1);
}

#[test]
fn what_is_neither_a_file_nor_a_folder_is_named() {
    let app = App::new();
    let pipe = app.path().join("static/pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let expected = format!("\"{}\" is neither a file nor a folder, and can't be copied", pipe.display());
    for entry in
        ["\"static\"", "\"static/p*\"", "\"static/pipe\"", "{ source = \"static/pipe\", destination = \"/x\" }"]
    {
        assert_eq!(app.problem(&format!("files = [{entry}]"), Placing::Copies), expected, "{entry}");
    }
    assert_eq!(app.problem("files = [\"static\"]\nexclude_files = [\"*/pipe\"]", Placing::Copies), "");
}

#[test]
fn a_working_directory_in_the_app_is_none_of_its_files() {
    let app = App::new();
    let work = app.path().join("static/work");
    let generation = crate::workdir::PrivateDir::named(&work).unwrap().first_generation().unwrap();
    fs::write(generation.join("spin.lock"), "secret").unwrap();
    app.write("static/work/mine", "static/work/mine");
    symlink("work/gen-1/spin.lock", app.path().join("static/link")).unwrap();
    let expected: Vec<_> = STATIC.iter().map(|&file| file.to_owned()).chain(["static/work/mine".to_owned()]).collect();
    assert_eq!(app.copies("files = [\"static/**/*\"]"), expected);
    for named in ["static/work/gen-1", "static/link", "static/work/spin.lock", "static/work/gen-1/*"] {
        let problem = app.problem(&format!("files = [\"{named}\"]"), Placing::Copies);
        assert!(problem.ends_with("it is part of a working directory of spin"), "{named}: {problem}");
    }

    let (plan, findings) = app.plan("files = [\"static\"]", Placing::DirectMounts);
    assert!(findings.problems.is_empty(), "{findings:?}");
    let assets = generation.canonicalize().unwrap().join("assets");
    let error = done(plan.carry_out(&assets, &mut Resolved::default(), &mut || {})).unwrap_err();
    assert_eq!(Report::from(error).stable_code(), Some("files::working-directory"));
}

#[test]
fn direct_mounts_are_at_places_that_guests_find_and_each_at_its_own() {
    let app = App::new();
    let guests = |destination: &str| {
        let entry = format!("files = [{{ source = \"static\", destination = \"{destination}\" }}]");
        let (plan, findings) = app.plan(&entry, Placing::DirectMounts);
        let Work::Mount(mounts) = plan.work else { panic!("{plan:?}") };
        assert!(findings.problems.is_empty(), "{findings:?}");
        mounts.into_iter().map(|mount| mount.guest).collect::<Vec<_>>()
    };
    for (written, seen) in
        [("/x", "/x"), ("x/y", "x/y"), ("/", "/"), (".", "/"), ("/a/../b", "/b"), ("./b/", "/b"), ("/a//b", "/a/b")]
    {
        assert_eq!(guests(written), [seen], "{written}");
    }
    let twice = "files = [\"static\",\n{ source = \"odd[1]\", destination = \"/./static/\" }]";
    let problem = app.problem(twice, Placing::DirectMounts);
    assert_eq!(problem, "`odd[1]` would be seen at \"/static\", as is what line 7, column 10 names");
}
