//! Where the programs under test are, and whether they were built from the sources as they are now.
//!
//! `SPIN_TEST_DIST` names a folder that `cargo xtask test` makes: `bin/` with the programs and
//! `catalogue/` with the packed plugins. Without it, or with a program older than its sources,
//! tests fail and say so: a pass of yesterday's program would be worth nothing.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The variable that names the folder with the programs under test.
pub const VARIABLE: &str = "SPIN_TEST_DIST";

/// Each program with the top-level folders that its sources are in.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("spin", &["app", "catalogue", "plugin-manager", "spin-cli"]),
    ("trigger-http", &["app", "runtime", "trigger", "trigger-http", "wit"]),
    ("trigger-redis", &["app", "runtime", "trigger", "trigger-redis", "wit"]),
    ("trigger-command", &["app", "runtime", "trigger", "examples/triggers/command", "wit"]),
    ("trigger-cron", &["app", "runtime", "trigger", "examples/triggers/cron", "wit"]),
    ("trigger-mqtt", &["app", "runtime", "trigger", "examples/triggers/mqtt", "wit"]),
    ("spin-trigger-conformance", &["app", "conformance"]),
];

/// The folder with the programs under test.
#[derive(Debug, Clone)]
pub struct Dist {
    root: PathBuf,
}

impl Dist {
    /// The folder that `SPIN_TEST_DIST` names, checked.
    ///
    /// # Panics
    ///
    /// If the variable is not set, or a program is older than its sources. One that is missing is missed by whoever needs it.
    pub fn from_env() -> Self {
        let Some(root) = std::env::var_os(VARIABLE) else {
            panic!("{VARIABLE} is not set: these tests run built programs; start them with `cargo xtask test`");
        };
        let root = std::path::absolute(&root).expect("the working directory is readable");
        let dist = Self { root };
        for (program, folders) in PROGRAMS {
            let program = dist.root.join("bin").join(program);
            if program.exists()
                && let Err(problem) = check(&program, folders, &repository())
            {
                panic!("{problem}; build the programs with `cargo xtask test`");
            }
        }
        let catalogue = dist.catalogue();
        assert!(catalogue.join("index.json").is_file(), "no index.json in {}", catalogue.display());
        dist
    }

    /// The path of the program `name`.
    ///
    /// # Panics
    ///
    /// If it is missing.
    pub fn bin(&self, name: &str) -> PathBuf {
        let program = self.root.join("bin").join(name);
        assert!(program.exists(), "{} does not exist; build the programs with `cargo xtask test`", program.display());
        program
    }

    /// The catalogue with the packed plugins.
    pub fn catalogue(&self) -> PathBuf {
        self.root.join("catalogue")
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The root of the repository that these tests were built from.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are in a folder of the repository").to_path_buf()
}

/// The committed component `name`: a guest of `tests/guests`, or `hello`, the example.
pub fn guest(name: &str) -> PathBuf {
    let folder = if name == "hello" { "examples/hello" } else { "tests/guests" };
    let path = repository().join(folder).join(format!("{name}.wasm"));
    assert!(path.is_file(), "no guest `{name}`: {} does not exist", path.display());
    path
}

/// Whether `program` is there and at least as new as everything in `folders`.
fn check(program: &Path, folders: &[&str], repository: &Path) -> Result<(), String> {
    let built = modified(program).ok_or_else(|| format!("{} does not exist", program.display()))?;
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for folder in folders {
        let folder = repository.join(folder);
        for part in ["src", "Cargo.toml", ""] {
            // A folder without `src` (wit) counts as a whole.
            let part = if part.is_empty() && folder.join("src").exists() { continue } else { folder.join(part) };
            visit(&part, &mut newest);
        }
    }
    match newest {
        Some((changed, path)) if changed > built => {
            Err(format!("{} is stale: {} was changed after it was built", program.display(), path.display()))
        }
        _ => Ok(()),
    }
}

fn visit(path: &Path, newest: &mut Option<(SystemTime, PathBuf)>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            visit(&entry.path(), newest);
        }
        return;
    }
    let source = path.extension().is_some_and(|ext| ext == "rs" || ext == "toml" || ext == "wit");
    if let (true, Some(changed)) = (source, modified(path))
        && newest.as_ref().is_none_or(|(so_far, _)| changed > *so_far)
    {
        *newest = Some((changed, path.to_path_buf()));
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, create_dir_all, write};
    use std::time::Duration;

    #[test]
    fn a_program_older_than_a_source_is_stale() {
        let repository = tempfile::tempdir().expect("a temporary folder");
        let source = repository.path().join("app/src/deep/lib.rs");
        create_dir_all(source.parent().expect("it has a parent")).expect("a folder");
        write(&source, "").expect("a file");
        let program = repository.path().join("spin");
        let missing = check(&program, &["app"], repository.path()).expect_err("it does not exist");
        assert!(missing.contains("does not exist"), "{missing}");

        write(&program, "").expect("a file");
        assert_eq!(check(&program, &["app"], repository.path()), Ok(()));

        let later = SystemTime::now() + Duration::from_secs(60);
        File::options().write(true).open(&source).and_then(|file| file.set_modified(later)).expect("a time");
        let stale = check(&program, &["app"], repository.path()).expect_err("it is stale");
        assert!(stale.contains("deep/lib.rs was changed after"), "{stale}");
    }
}
