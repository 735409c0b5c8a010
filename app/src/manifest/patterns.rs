//! Globs: whether a text can be one at all. Expanding them is the business of whoever copies files.

/// The characters that make a text a glob.
const MARKS: &[char] = &['*', '?', '['];

/// Whether a text is meant as a glob.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(MARKS)
}

/// Why a text can never be expanded.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    for part in text.split('/') {
        check_stars(part)?;
    }
    check_sets(text)
}

fn check_stars(part: &str) -> Result<(), &'static str> {
    match part.find("**") {
        Some(_) if part.contains("***") => Err("there are more than two `*` in a row"),
        Some(_) if part != "**" => Err("`**` must stand alone between slashes"),
        _ => Ok(()),
    }
}

/// `[…]`, `[!…]`; a `]` that comes first is one of the characters.
fn check_sets(text: &str) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let set = &rest[open + 1..];
        let set = set.strip_prefix('!').unwrap_or(set);
        let first = set.chars().next().map_or(0, char::len_utf8);
        let close = set[first..].find(']').ok_or("a `[` is not closed")?;
        rest = &set[first + close + 1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_that_can_be_expanded() {
        for text in ["a", "*", "**/*", "a/**/b*.t?t", "[abc]", "[!a-z]x", "[]]", "[!]]", "a]", "[[]"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in ["***", "a**", "**b/c", "a/**.txt", "[", "[a", "[]", "[!]", "a[b/c"] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(is_glob("a*") && is_glob("[a]") && !is_glob("a/b.txt"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "[\\[\\]!*?/é-]{0,12}") {
            let _ = check(&text);
        }
    }
}
