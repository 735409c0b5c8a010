//! Paths by text alone, without a look at the disk.

use std::path::{Component, Path, PathBuf};

/// A path without `.`, and without `..` as far as there is a name or a root in front of it.
///
/// Symbolic links stay as they are, as in the URLs that Spin writes; and a reader of a URL takes the dots out in the same
/// way, so that both mean the same file.
///
/// ```
/// use std::path::Path;
/// use spin_app_model::paths::clean;
///
/// assert_eq!(clean(Path::new("./a/../b.wasm")), Path::new("b.wasm"));
/// assert_eq!(clean(Path::new("../a")), Path::new("../a"));
/// assert_eq!(clean(Path::new("/../a")), Path::new("/a"));
/// ```
#[must_use]
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if clean.has_root() || ends_in_name(&clean) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// Whether a path leads to something below the folder that it is relative to, or to that folder.
#[must_use]
pub fn stays_inside(path: &Path) -> bool {
    clean(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn ends_in_name(path: &Path) -> bool {
    matches!(path.components().next_back(), Some(Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_taken_out_as_far_as_they_can_be() {
        for (path, expected) in [
            ("a/./b//c/", "a/b/c"),
            ("a/b/../../c", "c"),
            ("a/..", ""),
            ("a/../..", ".."),
            ("../../a/..", "../.."),
            ("/a/../..", "/"),
            ("", ""),
        ] {
            assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_path_that_comes_back_has_not_left() {
        for inside in ["a", "a/../b", "./a", ".", "a/.."] {
            assert!(stays_inside(Path::new(inside)), "{inside}");
        }
        for outside in ["..", "a/../../a", "/a", "../a"] {
            assert!(!stays_inside(Path::new(outside)), "{outside}");
        }
    }
}
