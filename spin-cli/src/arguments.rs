//! Telling the flags of `spin up` from those of the triggers.
//!
//! `spin up` takes a handful of flags; whatever else is on the line belongs to the trigger, whose flags this program
//! does not know. The line is walked once, from left to right, token by token:
//!
//! * `--name` and `--name=value` are ours if the name (or an alias) is; without `=`, a flag that takes a value takes
//!   the next token too, unless that one looks like a flag.
//! * `-abc` is ours if every letter up to the first that takes a value is; the rest of the token, or the next one, is
//!   that value: `-eK=V`, `-fPATH`, `-yf PATH`.
//! * After `--` nothing is ours.
//! * Anything else goes to the trigger as the whole token it was, in the order it was written.
//!
//! The value of a trigger's flag that is spelled like a flag of ours (`--listen -y`) is taken for ours, because we
//! cannot know that `--listen` wants a value; `--listen=-y` or a `--` before it is the way around.
//!
//! Which of several triggers gets what, [`groups`] says.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

pub(crate) mod groups;

/// A flag that is not the trigger's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    longs: Vec<String>,
    shorts: Vec<char>,
    takes_value: bool,
    implemented: bool,
}

/// The flags that are not the trigger's.
#[derive(Clone, Debug)]
pub(crate) struct Table(Vec<Known>);

/// A command line of `spin up`, divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// For the parser of `spin up`.
    pub(crate) ours: Vec<OsString>,
    /// For the triggers, in the order they were written.
    pub(crate) trigger: Vec<OsString>,
    /// What stands behind `--`, which is for the triggers too; `None` if there is no `--`.
    pub(crate) behind: Option<Vec<OsString>>,
}

impl Split {
    /// Everything that is not ours, without the `--`.
    pub(crate) fn not_ours(&self) -> impl Iterator<Item = &OsString> {
        self.trigger.iter().chain(self.behind.iter().flatten())
    }
}

/// A flag that the public command line has and this version does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not in this version of spin")]
pub(crate) struct NotYet(pub(crate) String);

/// What one token is.
enum Token {
    /// One of ours; does the value follow in the next token?
    Ours {
        value_follows: bool,
    },
    NotYet(String),
    Trigger,
}

impl Table {
    /// Reads the table off the parser itself, so that the two cannot disagree.
    pub(crate) fn of(command: &clap::Command) -> Self {
        Self(
            command
                .get_arguments()
                .map(|argument| Known {
                    longs: argument
                        .get_long_and_visible_aliases()
                        .unwrap_or_default()
                        .into_iter()
                        .map(str::to_owned)
                        .chain(argument.get_all_aliases().unwrap_or_default().into_iter().map(str::to_owned))
                        .collect(),
                    shorts: argument.get_short_and_visible_aliases().unwrap_or_default(),
                    takes_value: argument.get_action().takes_values(),
                    implemented: true,
                })
                .collect(),
        )
    }

    /// Adds a flag that is refused by name instead of being handed to the trigger.
    pub(crate) fn not_yet(mut self, longs: &[&str], short: Option<char>, takes_value: bool) -> Self {
        let longs = longs.iter().map(|&long| long.to_owned()).collect();
        self.0.push(Known { longs, shorts: short.into_iter().collect(), takes_value, implemented: false });
        self
    }

    /// Divides a command line.
    pub(crate) fn split(&self, line: impl IntoIterator<Item = OsString>) -> Result<Split, NotYet> {
        let mut split = Split::default();
        let mut line = line.into_iter().peekable();
        while let Some(token) = line.next() {
            if token == "--" {
                split.behind = Some(line.collect());
                break;
            }
            match self.token(&token) {
                Token::Trigger => split.trigger.push(token),
                Token::NotYet(flag) => return Err(NotYet(flag)),
                Token::Ours { value_follows } => {
                    split.ours.push(token);
                    if value_follows && let Some(value) = line.next_if(|next| !looks_like_a_flag(next)) {
                        split.ours.push(value);
                    }
                }
            }
        }
        Ok(split)
    }

    fn token(&self, token: &OsStr) -> Token {
        let bytes = token.as_bytes();
        if let Some(long) = bytes.strip_prefix(b"--") {
            let name = long.split(|&byte| byte == b'=').next().unwrap_or_default();
            let has_value = name.len() < long.len();
            return match self.0.iter().find(|known| known.longs.iter().any(|long| long.as_bytes() == name)) {
                Some(known) if known.implemented => Token::Ours { value_follows: known.takes_value && !has_value },
                Some(_) => Token::NotYet(format!("--{}", String::from_utf8_lossy(name))),
                None => Token::Trigger,
            };
        }
        match bytes.strip_prefix(b"-") {
            Some(cluster) if !cluster.is_empty() => self.cluster(cluster),
            _ => Token::Trigger,
        }
    }

    fn cluster(&self, letters: &[u8]) -> Token {
        for (index, &letter) in letters.iter().enumerate() {
            let Some(known) = self.0.iter().find(|known| known.shorts.contains(&char::from(letter))) else {
                return Token::Trigger;
            };
            if !known.implemented {
                return Token::NotYet(format!("-{}", char::from(letter)));
            }
            if known.takes_value {
                return Token::Ours { value_follows: index + 1 == letters.len() };
            }
        }
        Token::Ours { value_follows: false }
    }
}

/// `-` alone is a value by custom, everything else with a dash in front is a flag.
fn looks_like_a_flag(token: &OsStr) -> bool {
    let bytes = token.as_bytes();
    bytes.first() == Some(&b'-') && bytes.len() > 1
}

/// Divides `KEY=VALUE` at the first `=`; the value may be anything that can be an argument.
pub(crate) fn key_value(text: &OsStr) -> Option<(String, OsString)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=')?;
    let key = std::str::from_utf8(&bytes[..at]).ok()?;
    (!key.is_empty()).then(|| (key.to_owned(), OsString::from_vec(bytes[at + 1..].to_vec())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn table() -> Table {
        let flag = |name: &'static str| clap::Arg::new(name).long(name);
        let command = clap::Command::new("up")
            .disable_help_flag(true)
            .arg(flag("from").short('f'))
            .arg(flag("from-file").alias("file"))
            .arg(flag("env").short('e').action(clap::ArgAction::Append))
            .arg(flag("temp").alias("tmp"))
            .arg(flag("yes").short('y').action(clap::ArgAction::SetTrue))
            .arg(flag("help").short('h').action(clap::ArgAction::SetTrue));
        Table::of(&command).not_yet(&["build"], None, false).not_yet(&["component-id"], Some('c'), true)
    }

    fn split(line: &str) -> (String, String) {
        let split = table().split(line.split_whitespace().map(OsString::from)).unwrap();
        let text = |tokens: &[OsString]| tokens.join(OsStr::new(" ")).into_string().unwrap();
        let behind = split.behind.map(|behind| format!(" | {}", text(&behind)));
        (text(&split.ours), text(&split.trigger) + &behind.unwrap_or_default())
    }

    #[test]
    fn every_token_goes_to_the_one_who_knows_it() {
        let rows = [
            // line, ours, the trigger's
            ("", "", ""),
            ("-f app", "-f app", ""),
            ("-fapp", "-fapp", ""),
            ("-f=app", "-f=app", ""),
            ("--from app", "--from app", ""),
            ("--from=app", "--from=app", ""),
            ("--file app --tmp=/t", "--file app --tmp=/t", ""),
            ("-e K=V -eA=B --env=C=D --env E=F", "-e K=V -eA=B --env=C=D --env E=F", ""),
            ("-yf app", "-yf app", ""),
            ("-yfapp --listen x", "-yfapp", "--listen x"),
            ("--listen 127.0.0.1:0 -f app", "-f app", "--listen 127.0.0.1:0"),
            ("--listen=127.0.0.1:0", "", "--listen=127.0.0.1:0"),
            ("--quiet -q --sh", "", "--quiet -q --sh"),
            ("-L/var/log -L x", "", "-L/var/log -L x"),
            ("-yL", "", "-yL"),
            ("-Ly", "", "-Ly"),
            ("--froms app --fro app", "", "--froms app --fro app"),
            ("positional -", "", "positional -"),
            ("-y -- -y -f x --", "-y", " | -y -f x --"),
            ("-- -- x", "", " | -- x"),
            ("-f - x", "-f -", "x"),
            ("-f", "-f", ""),
            ("-f --listen x", "-f", "--listen x"),
            ("--from -- x", "--from", " | x"),
            ("--variable k=v -e x=y positional", "-e x=y", "--variable k=v positional"),
            ("--= -=", "", "--= -="),
            ("-é", "", "-é"),
            ("a -- --build -c", "", "a | --build -c"),
            ("--help", "--help", ""),
        ];
        for (line, ours, trigger) in rows {
            assert_eq!(split(line), (ours.to_owned(), trigger.to_owned()), "spin up {line}");
        }
    }

    #[test]
    fn flags_of_later_versions_are_named() {
        for (line, flag) in [
            ("--build", "--build"),
            ("--build=true", "--build"),
            ("-cx", "-c"),
            ("-yc x", "-c"),
            ("-x --component-id=a", "--component-id"),
        ] {
            let refused = table().split(line.split_whitespace().map(OsString::from));
            assert_eq!(refused, Err(NotYet(flag.to_owned())), "spin up {line}");
        }
    }

    #[test]
    fn tokens_that_are_not_text_pass_unchanged() {
        let odd = OsString::from_vec(b"--listen=\xff\xfe".to_vec());
        let split = table().split([odd.clone(), OsString::from_vec(b"-f\xff".to_vec())]).unwrap();
        assert_eq!(split.trigger, [odd]);
        assert_eq!(split.ours, [OsString::from_vec(b"-f\xff".to_vec())]);
    }

    #[test]
    fn key_value_divides_at_the_first_sign() {
        assert_eq!(key_value(OsStr::new("A=b=c")), Some(("A".to_owned(), OsString::from("b=c"))));
        assert_eq!(key_value(OsStr::new("A=")), Some(("A".to_owned(), OsString::new())));
        assert_eq!(key_value(OsStr::new("=b")), None);
        assert_eq!(key_value(OsStr::new("A")), None);
    }
}
