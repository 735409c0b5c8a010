//! Dividing the triggers' part of a command line between the triggers, by what each tells of its flags.
//!
//! A single trigger gets everything as it was written, and complains itself. Of several, each gets the groups that it
//! knows; a group is a flag with its value:
//!
//! * `--name=value` and `--name`, by the long name or an alias; `-n` and clusters such as `-nVALUE`. If the flag takes
//!   a value that is not in the token, the next token is that value. A trigger may not tell whether its flag takes one
//!   (the public ones don't); then the next token is the value unless it looks like a flag.
//! * A flag whose scope is the app goes to the first trigger that knows it, and to no other.
//! * A word that is no flag goes to the triggers that take words.
//! * What stands behind `--` goes, `--` and all, to the triggers that take words. If none does, it is divided as the rest.
//!
//! A trigger that told nothing gets everything: nobody knows what it knows. What nobody knows is an error.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use spin_catalogue::nearest::nearest;

use super::{Split, looks_like_a_flag};
use crate::metadata::{Flag, Metadata};
use crate::report::Report;

/// A token that no trigger of the app knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NobodyKnows {
    #[error("no trigger of this app knows the option \"{}\"", option.display())]
    Option {
        option: OsString,
        /// An option that it could have been.
        near: Option<String>,
    },
    #[error("no trigger of this app takes the argument \"{}\"", word.display())]
    Word { word: OsString },
}

impl From<NobodyKnows> for Report {
    fn from(error: NobodyKnows) -> Self {
        let report = Self::usage(error.to_string()).code("usage::trigger-option");
        match error {
            NobodyKnows::Option { near: Some(near), .. } => report.help(format!("did you mean `{near}`?")),
            _ => report.help("the options of the app's triggers are in spin up --help"),
        }
    }
}

/// The arguments of each trigger. `told` has what each told of its flags, if it was asked and told anything.
pub(crate) fn divide(split: &Split, told: &[Option<Metadata>]) -> Result<Vec<Vec<OsString>>, NobodyKnows> {
    let division = Division { told };
    let takers = division.takers_of_words();
    let (options, words): (Vec<_>, _) = match &split.behind {
        Some(words) if !takers.is_empty() => (split.trigger.iter().collect(), Some(words)),
        _ => (split.not_ours().collect(), None),
    };
    let mut divided = match told {
        [_] => vec![options.into_iter().cloned().collect()],
        _ => division.groups(options)?,
    };
    for (trigger, arguments) in divided.iter_mut().enumerate() {
        let is_taker = takers.contains(&trigger);
        if let (Some(words), true) = (words, is_taker || told[trigger].is_none()) {
            arguments.extend(is_taker.then(|| "--".into()));
            arguments.extend_from_slice(words);
        }
    }
    Ok(divided)
}

struct Division<'a> {
    told: &'a [Option<Metadata>],
}

/// What a token is to the triggers that told.
struct Group {
    /// Those that get it, in the order of the app.
    owners: Vec<usize>,
    next: Next,
}

/// What the token behind this one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A group of its own.
    Another,
    /// The flag's value.
    Value,
    /// Its value, unless it looks like a flag.
    ValueUnlessFlag,
}

impl Division<'_> {
    fn groups(&self, tokens: Vec<&OsString>) -> Result<Vec<Vec<OsString>>, NobodyKnows> {
        let mut divided = vec![Vec::new(); self.told.len()];
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let Group { mut owners, next } = self.group(token);
            owners.extend((0..self.told.len()).filter(|&trigger| self.told[trigger].is_none()));
            if owners.is_empty() {
                return Err(self.unknown(token));
            }
            let value = match next {
                Next::Another => None,
                Next::Value => tokens.next(),
                Next::ValueUnlessFlag => tokens.next_if(|next| !looks_like_a_flag(next)),
            };
            for owner in owners {
                divided[owner].extend([Some(token), value].into_iter().flatten().cloned());
            }
        }
        Ok(divided)
    }

    fn group(&self, token: &OsStr) -> Group {
        if !looks_like_a_flag(token) {
            return Group { owners: self.takers_of_words(), next: Next::Another };
        }
        // What is not UTF-8 can only be in a value.
        let text = String::from_utf8_lossy(token.as_bytes());
        if !text.starts_with("--") {
            return self.cluster(&text);
        }
        match text.split_once('=') {
            Some((name, _)) => Group { next: Next::Another, ..self.owned(|flag| flag.is_long(name)) },
            None => self.owned(|flag| flag.is_long(&text)),
        }
    }

    /// `-n`, `-nVALUE`, `-vn VALUE`: letters up to the first that takes a value. Whoever knows all of them gets it.
    fn cluster(&self, text: &str) -> Group {
        let mut owners: Vec<usize> = (0..self.told.len()).collect();
        let mut letters = text[1..].chars().peekable();
        while let Some(letter) = letters.next() {
            let name = format!("-{letter}");
            let group = self.owned(|flag| flag.is_short(&name));
            owners.retain(|owner| group.owners.contains(owner));
            if group.next != Next::Another {
                return Group { owners, next: if letters.peek().is_some() { Next::Another } else { group.next } };
            }
        }
        Group { owners, next: Next::Another }
    }

    /// Who knows a flag. One whose effect is the app's has one owner only.
    fn owned(&self, is_it: impl Fn(&Flag) -> bool) -> Group {
        let known = self.known().filter_map(|(trigger, told)| Some((trigger, told.flag(&is_it)?)));
        let (mut owners, flags): (Vec<_>, Vec<_>) = known.unzip();
        if flags.iter().any(|flag| flag.is_of_app()) {
            owners.truncate(1);
        }
        let next = if flags.iter().any(|flag| flag.takes_value == Some(true)) {
            Next::Value
        } else if flags.iter().any(|flag| flag.takes_value.is_none()) {
            Next::ValueUnlessFlag
        } else {
            Next::Another
        };
        Group { owners, next }
    }

    fn takers_of_words(&self) -> Vec<usize> {
        self.known().filter(|(_, told)| told.takes_words()).map(|(trigger, _)| trigger).collect()
    }

    fn known(&self) -> impl Iterator<Item = (usize, &Metadata)> {
        self.told.iter().enumerate().filter_map(|(trigger, told)| Some((trigger, told.as_ref()?)))
    }

    fn unknown(&self, token: &OsStr) -> NobodyKnows {
        if !looks_like_a_flag(token) {
            return NobodyKnows::Word { word: token.to_owned() };
        }
        let text = token.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        let near = nearest(name, self.known().flat_map(|(_, told)| told.long_names())).map(str::to_owned);
        NobodyKnows::Option { option: OsString::from(name), near }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const WEB: &str = r#"{"all_flags": [
        {"short": "-L", "long": "--log-dir", "takes_value": true},
        {"short": "-q", "long": "--quiet", "aliases": ["--sh"], "takes_value": false},
        {"long": "--listen", "takes_value": true},
        {"long": "--key-value", "takes_value": true, "scope": "app"}
    ]}"#;
    const QUEUE: &str = r#"{"all_flags": [
        {"short": "-L", "long": "--log-dir", "takes_value": true},
        {"short": "-q", "long": "--quiet", "takes_value": false},
        {"short": "-n", "long": "--number", "takes_value": true},
        {"long": "--key-value", "takes_value": true, "scope": "app"}
    ]}"#;
    /// A trigger of the public ecosystem, which doesn't tell what takes a value.
    const PUBLIC: &str = r#"{"all_flags": [{"short": "-p", "long": "--public"}, {"long": "--test"}]}"#;
    /// One that takes words.
    const COMMAND: &str = r#"{"all_flags": [{"long": "--quiet", "takes_value": false}, {}]}"#;

    fn divided(line: &str, told: &[&str]) -> Result<String, String> {
        let mut words = line.split_whitespace().map(OsString::from);
        let trigger = words.by_ref().take_while(|word| word != "--").collect();
        let behind = line.contains("-- ").then(|| words.collect());
        let split = Split { trigger, behind, ..Split::default() };
        let told: Vec<_> = told.iter().map(|told| serde_json::from_str(told).ok()).collect();
        let text = |words: Vec<OsString>| words.join(OsStr::new(" ")).into_string().unwrap();
        let divided = divide(&split, &told).map_err(|error| Report::from(error).message().to_owned())?;
        Ok(divided.into_iter().map(text).collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn each_of_several_triggers_gets_the_groups_that_it_knows() {
        let rows = [
            ("", " | "),
            ("--quiet", "--quiet | --quiet"),
            ("--sh", "--sh | "),
            ("--listen a --number 5", "--listen a | --number 5"),
            ("--listen=a --number=5", "--listen=a | --number=5"),
            ("--listen --quiet -q", "--listen --quiet -q | -q"),
            ("-L /l -L/m", "-L /l -L/m | -L /l -L/m"),
            ("-qL /l", "-qL /l | -qL /l"),
            ("-qn5 -qn 6", " | -qn5 -qn 6"),
            ("--key-value a=b --key-value=c=d", "--key-value a=b --key-value=c=d | "),
            ("-- --quiet --listen a", "--quiet --listen a | --quiet"),
        ];
        for (line, expected) in rows {
            assert_eq!(divided(line, &[WEB, QUEUE]).as_deref(), Ok(expected), "spin up {line}");
        }
    }

    #[test]
    fn what_nobody_knows_is_an_error() {
        let rows = [
            ("--listne=a", "no trigger of this app knows the option \"--listne\""),
            ("-x", "no trigger of this app knows the option \"-x\""),
            ("-qx", "no trigger of this app knows the option \"-qx\""),
            ("--quiet word", "no trigger of this app takes the argument \"word\""),
            ("-", "no trigger of this app takes the argument \"-\""),
        ];
        for (line, expected) in rows {
            assert_eq!(divided(line, &[WEB, QUEUE]), Err(expected.to_owned()), "spin up {line}");
        }
        let near = NobodyKnows::Option { option: "--listne".into(), near: Some("--listen".to_owned()) };
        assert_eq!(Report::from(near).advice(), ["did you mean `--listen`?"]);
    }

    #[test]
    fn a_trigger_that_does_not_tell_about_values_gets_the_next_word() {
        for (line, expected) in [
            ("--public x --quiet", "--quiet | --public x"),
            ("--test --quiet", "--quiet | --test"),
            ("-p x -p=y", " | -p x -p=y"),
        ] {
            assert_eq!(divided(line, &[WEB, PUBLIC]).as_deref(), Ok(expected), "spin up {line}");
        }
    }

    #[test]
    fn words_go_to_those_who_take_words_with_the_dashes() {
        for (line, expected) in [
            ("--quiet word", "--quiet | --quiet word"),
            ("--listen a -- --listen b --", "--listen a | -- --listen b --"),
        ] {
            assert_eq!(divided(line, &[WEB, COMMAND]).as_deref(), Ok(expected), "spin up {line}");
        }
        assert_eq!(divided("--odd -- --quiet", &[COMMAND]).as_deref(), Ok("--odd -- --quiet"));
    }

    #[test]
    fn who_told_nothing_gets_everything() {
        for (line, told, expected) in [
            ("--odd a -- b", &["nothing"][..], "--odd a b"),
            ("--odd --listen b", &[WEB, "nothing"], "--listen b | --odd --listen b"),
            ("--quiet -- a", &[COMMAND, "nothing"], "--quiet -- a | --quiet a"),
        ] {
            assert_eq!(divided(line, told).as_deref(), Ok(expected), "spin up {line}");
        }
    }
}
