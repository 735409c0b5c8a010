//! Results as texts, in the notation of WIT: `ok`, `ok(some("a"))`, `err(access-denied)`.

use std::fmt::Debug;

/// A value as the answers show it.
pub trait Shown {
    fn shown(&self) -> String;
}

impl Shown for () {
    fn shown(&self) -> String {
        String::new()
    }
}

macro_rules! plain {
    ($($kind:ty),*) => { $(impl Shown for $kind {
        fn shown(&self) -> String {
            self.to_string()
        }
    })* };
}
plain!(bool, i64, u32, u64, usize);

impl Shown for String {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for Vec<u8> {
    fn shown(&self) -> String {
        format!("\"{}\"", self.escape_ascii())
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), |value| format!("some({})", value.shown()))
    }
}

impl<T: Shown> Shown for Vec<(String, T)> {
    fn shown(&self) -> String {
        let pairs: Vec<String> = self.iter().map(|(key, value)| format!("({key:?}, {})", value.shown())).collect();
        format!("[{}]", pairs.join(", "))
    }
}

/// A whole result. An error's case is its name in the generated code, in the spelling of WIT.
pub fn result<T: Shown, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => match value.shown() {
            nothing if nothing.is_empty() => "ok".to_owned(),
            value => format!("ok({value})"),
        },
        Err(error) => format!("err({})", kebab(&format!("{error:?}"))),
    }
}

/// `AccessDenied` as `access-denied`; what is in parentheses stays as it is.
fn kebab(case: &str) -> String {
    let (name, rest) = case.split_at(case.find('(').unwrap_or(case.len()));
    // Generated errors show themselves as `Error::AccessDenied`.
    let name = name.rsplit("::").next().unwrap_or(name);
    let mut spelled = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            spelled.push('-');
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    spelled + rest
}

/// What a call that the probe doesn't know is answered with: the matrix has a mistake.
pub fn unknown(call: &[&str]) -> String {
    format!("the probe doesn't know {call:?}")
}
