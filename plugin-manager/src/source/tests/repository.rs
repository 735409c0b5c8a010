//! A catalogue in a git repository, made by the test with the program `git`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::testing::{World, install, name, plan};
use crate::{InstallRequest, Trust};

struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// A repository around the world's catalogue.
    fn new(world: &World) -> Self {
        let repository = Self { folder: world.path("catalogue") };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit();
        repository
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false"]);
        let status = git.args(arguments).current_dir(&self.folder).status().expect("the program git is there");
        assert!(status.success(), "{arguments:?}");
    }

    fn source(&self) -> CatalogueSource {
        self.branch(None)
    }

    fn branch(&self, branch: Option<&str>) -> CatalogueSource {
        let branch = branch.map(|branch| branch.parse().unwrap());
        let url = self.folder.to_str().unwrap().parse().unwrap();
        CatalogueSource::git("repo".parse().unwrap(), url, branch, Trust::default()).unwrap()
    }
}

fn demo() -> InstallRequest {
    InstallRequest::by_name(name("trigger-demo"))
}

fn without_index(folder: &Path) {
    fs::remove_file(folder.join("index.json")).unwrap();
}

#[test]
fn a_repository_is_cloned_when_its_branch_has_moved() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let repository = Repository::new(&world);
    let manager = world.knowing(vec![repository.source()]);
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::never-fetched");
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(refresh_one(&manager), Ok(News::Unchanged));
    assert_eq!(install(&manager, &demo()).unwrap().version, "1.0.0");
    let tree = world.path("data/plugin-store/v1/catalogues/repo/tree-1");
    assert!(tree.join("index.json").is_file() && !tree.join(".git").exists());

    world.pack("trigger-demo", "1.1.0", ">=2", &[1]);
    repository.commit();
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.1.0");
}

#[test]
fn a_rewritten_history_needs_no_repair_and_an_older_index_is_refused() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let repository = Repository::new(&world);
    world.pack("trigger-demo", "1.1.0", ">=2", &[1]);
    repository.commit();
    let manager = world.knowing(vec![repository.source()]);
    refresh_one(&manager).unwrap();
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(refresh_one(&manager), Err("catalogue::older-index".to_owned()));
    without_index(&repository.folder);
    repository.commit();
    assert_eq!(refresh_one(&manager), Err("catalogue::older-index".to_owned()), "its serial is hidden");
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    world.pack("trigger-demo", "1.2.0", ">=2", &[1]);
    world.pack("trigger-demo", "1.3.0", ">=2", &[1]);
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.commit();
    repository.git(&["branch", "--force", "main"]);
    assert_eq!(refresh_one(&manager), Ok(News::Updated), "no common history");
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.3.0");
}

#[test]
fn a_branch_is_named_or_the_repository_s_own() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let repository = Repository::new(&world);
    repository.git(&["checkout", "--quiet", "-b", "next/one"]);
    world.pack("trigger-demo", "2.0.0", ">=2", &[1]);
    repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    let version = |branch| {
        let manager = world.knowing(vec![repository.branch(branch)]);
        refresh_one(&manager)?;
        Ok::<_, String>(plan(&manager, &demo()).unwrap().version.to_string())
    };
    assert_eq!(version(None).unwrap(), "1.0.0");
    assert_eq!(version(Some("next/one")).unwrap(), "2.0.0");
    assert_eq!(version(Some("absent")), Err("catalogue::git-failed".to_owned()));
}

#[test]
fn what_is_no_repository_is_told_in_the_words_of_git() {
    let world = World::new();
    fs::create_dir(world.path("catalogue")).unwrap();
    let manager = world.knowing(vec![Repository { folder: world.path("catalogue") }.source()]);
    let all = runtime().block_on(manager.refresh(&crate::Silent));
    let error = all[0].outcome.as_ref().unwrap_err().to_string();
    assert!(error.starts_with("git ls-remote failed: ") && error.contains("repository"), "{error}");
}

#[test]
fn links_in_a_repository_lead_nowhere() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", ">=2", &[1]);
    let folder = world.path("catalogue/manifests/trigger-demo");
    let secret = world.path("secret.json");
    fs::write(&secret, fs::read_to_string(folder.join("trigger-demo.json")).unwrap().replace("1.0.0", "6.6.6"))
        .unwrap();
    symlink(&secret, folder.join("trigger-demo@6.6.6.json")).unwrap();
    symlink("/etc", world.path("catalogue/manifests/etc")).unwrap();
    without_index(&world.path("catalogue"));
    let repository = Repository::new(&world);
    let manager = world.knowing(vec![repository.source()]);
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(plan(&manager, &demo()).unwrap().version, "1.0.0", "the link is no manifest");
    let tree = world.path("data/plugin-store/v1/catalogues/repo/tree-1/manifests");
    let is_link = |path: &str| fs::symlink_metadata(tree.join(path)).unwrap().is_symlink();
    assert!(!is_link("trigger-demo/trigger-demo@6.6.6.json") && !is_link("etc"));
}

#[test]
fn a_git_that_never_ends_is_ended_with_all_it_has_started() {
    let world = World::new();
    let fifo = world.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Whoever has the other end open is alive.
    let mut git = tokio::process::Command::new("sh");
    git.arg("-c").arg(format!("sleep 1000 3>{} & wait", fifo.display()));
    let end = std::thread::spawn(move || fs::read(fifo));
    let limit = std::time::Duration::from_millis(500);
    let error = runtime().block_on(super::super::git::run(git, "clone", limit, crate::Tie::default())).unwrap_err();
    assert_eq!(error.code(), "catalogue::git-timeout");
    assert!(end.join().unwrap().is_ok(), "this would wait for 1000 s");
}
