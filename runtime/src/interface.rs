//! Names of interfaces, such as `wasi:http/types@0.2.3`.

/// A name without its version, and the version if it has one.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(path, version)| (path, Some(version)))
}

/// A name without its version.
pub(crate) fn path(name: &str) -> &str {
    split(name).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_stands_behind_the_first_sign() {
        assert_eq!(split("a:b/c@1.0.0"), ("a:b/c", Some("1.0.0")));
        assert_eq!(split("a:b/c"), ("a:b/c", None));
        assert_eq!(path("a:b/c@1.0.0-rc@x"), "a:b/c");
    }
}
