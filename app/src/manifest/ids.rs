//! The rules for names that a person may write in a manifest. They are stricter than those for reading a lock.

/// Why a name is not a kebab-case id: words of one case, each starting with a letter, joined by `-`.
pub(super) fn check_kebab(name: &str) -> Result<(), String> {
    check_words(name, '-', '_')
}

/// Why a name is not a lower snake-case id: lower-case words, each starting with a letter, joined by `_`.
pub(super) fn check_snake(name: &str) -> Result<(), String> {
    check_words(name, '_', '-')?;
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err("it must be all lower case".to_owned());
    }
    Ok(())
}

/// Whether a name may label a store: either of the two.
pub(super) fn is_label(name: &str) -> bool {
    check_kebab(name).is_ok() || check_words(name, '_', '-').is_ok()
}

/// A name like the given one that satisfies the kebab-case rule, for suggestions.
pub(super) fn kebab_of(name: &str) -> Option<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let kebab = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    check_kebab(&kebab).is_ok().then_some(kebab)
}

fn check_words(name: &str, separator: char, wrong_separator: char) -> Result<(), String> {
    if name.is_empty() {
        return Err("it is empty".to_owned());
    }
    if name.contains(wrong_separator) {
        return Err(format!("words must be separated with '{separator}', not '{wrong_separator}'"));
    }
    name.split(separator).try_for_each(|word| check_word(word, separator))
}

fn check_word(word: &str, separator: char) -> Result<(), String> {
    let Some(first) = word.chars().next() else {
        return Err(format!("a word between '{separator}' is empty"));
    };
    if !first.is_ascii_alphabetic() {
        return Err(format!("every word must start with a letter, not {first:?}"));
    }
    if let Some(odd) = word.chars().find(|c| !c.is_ascii_alphanumeric()) {
        return Err(format!("words may only have letters and digits, not {odd:?}"));
    }
    let upper = word.chars().any(|c| c.is_ascii_uppercase());
    let lower = word.chars().any(|c| c.is_ascii_lowercase());
    if upper && lower {
        return Err(format!("the word {word:?} must be all lower case or all upper case"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kebab_rules() {
        for name in ["a", "a-b", "HTTP-front", "a1-b2", "X"] {
            assert_eq!(check_kebab(name), Ok(()), "{name}");
        }
        let reason = |name: &str| check_kebab(name).unwrap_err();
        assert_eq!(reason(""), "it is empty");
        assert_eq!(reason("my_comp"), "words must be separated with '-', not '_'");
        assert_eq!(reason("a--b"), "a word between '-' is empty");
        assert_eq!(reason("1abc"), "every word must start with a letter, not '1'");
        assert_eq!(reason("a.b"), "words may only have letters and digits, not '.'");
        assert_eq!(reason("myApp"), "the word \"myApp\" must be all lower case or all upper case");
    }

    #[test]
    fn snake_rules() {
        assert_eq!(check_snake("api_key"), Ok(()));
        assert_eq!(check_snake("API_KEY").unwrap_err(), "it must be all lower case");
        assert_eq!(check_snake("api-key").unwrap_err(), "words must be separated with '_', not '-'");
        assert_eq!(check_snake("a_1").unwrap_err(), "every word must start with a letter, not '1'");
    }

    #[test]
    fn labels_may_be_either() {
        assert!(is_label("default") && is_label("my-store") && is_label("my_store") && is_label("MY_store"));
        assert!(!is_label("my-other_store") && !is_label("") && !is_label("my store"));
    }

    proptest! {
        #[test]
        fn what_is_kebab_can_be_a_component_id(name in "[a-z]{1,4}(-[a-z0-9]{1,4}){0,3}") {
            if check_kebab(&name).is_ok() {
                prop_assert!(name.parse::<crate::ComponentId>().is_ok());
            }
        }

        #[test]
        fn suggestions_are_valid(name in ".{0,20}") {
            if let Some(suggestion) = kebab_of(&name) {
                prop_assert!(check_kebab(&suggestion).is_ok());
            }
        }

        /// What the manifest accepts as a variable's name, a template can name.
        #[test]
        fn snake_ids_are_variable_names(name in "[a-z]{1,3}(_[a-z][a-z0-9]{0,3}){0,3}") {
            prop_assert!(check_snake(&name).is_ok());
            prop_assert!(crate::check_variable_name(&name).is_ok());
        }
    }
}
