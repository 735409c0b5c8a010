//! What a host asks before it starts a trigger. The answers need no environment.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Outcome;
use crate::process::{Process, excerpt};
use crate::session::app_folder;
use crate::subject::Subject;

/// How long an answer may take: a person waits for it.
const ANSWER: Duration = Duration::from_secs(10);

/// `--help-args-only`.
pub(super) fn help(subject: &Subject) -> Outcome {
    let (stdout, _) = ask(subject, "--help-args-only")?;
    if stdout.trim().is_empty() {
        return Err("it prints nothing on standard output".to_owned().into());
    }
    // A host puts the answer below its own.
    match stdout.lines().find(|line| line.trim_start().starts_with("Usage:")) {
        Some(line) => Err(format!("it prints more than the options: {}", excerpt(line)).into()),
        None => Ok(()),
    }
}

/// `--launch-metadata-only`.
pub(super) fn metadata(subject: &Subject) -> Outcome {
    let (stdout, stderr) = ask(subject, "--launch-metadata-only")?;
    check_metadata(&stderr).map_err(|why| format!("standard error: {why}"))?;
    match stdout.trim().is_empty() {
        true => Ok(()),
        false => Ok(check_metadata(&stdout).map_err(|why| format!("standard output: {why}"))?),
    }
}

/// Whether it tells of a flag.
pub(super) fn has_flag(subject: &Subject, name: &str) -> Result<bool, String> {
    let (_, stderr) = ask(subject, "--launch-metadata-only")?;
    let told: Value = serde_json::from_str(&stderr).map_err(|error| format!("its metadata is not JSON: {error}"))?;
    let flags = told["all_flags"].as_array().into_iter().flatten();
    Ok(flags.into_iter().any(|flag| flag["long"] == name))
}

/// Standard output and error of the answer.
fn ask(subject: &Subject, question: &str) -> Result<(String, String), String> {
    let folder = app_folder("")?;
    let mut command = subject.command(folder.path());
    command.arg(question);
    let mut process = Process::start(command, folder.path())?;
    process.must_exit(0, ANSWER, question)?;
    Ok((process.stdout(), process.stderr()))
}

fn check_metadata(text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON ({error}): {}", excerpt(text)))?;
    let Some(flags) = value.get("all_flags").and_then(Value::as_array) else {
        return Err(format!("no list \"all_flags\" in {}", excerpt(text)));
    };
    flags.iter().try_for_each(|flag| match flag {
        Value::Object(flag) => check_flag(flag),
        other => Err(format!("a flag is not an object: {other}")),
    })
}

/// A positional argument is an empty object.
fn check_flag(flag: &Map<String, Value>) -> Result<(), String> {
    let is_name = |value: &Value, dashes: &str| {
        let name = value.as_str().and_then(|text| text.strip_prefix(dashes));
        name.is_some_and(|name| !name.is_empty() && !name.starts_with('-') && !name.contains(['=', ' ']))
    };
    let wrong = |key: &str, value: &Value| Err(format!("a flag has the {key} {value}"));
    let is_list_of_names =
        |value: &Value| value.as_array().is_some_and(|names| names.iter().all(|name| is_name(name, "--")));
    if let Some(aliases) = flag.get("aliases").filter(|aliases| !is_list_of_names(aliases)) {
        return wrong("aliases", aliases);
    }
    if let Some(scope) = flag.get("scope").filter(|scope| !scope.is_string()) {
        return wrong("scope", scope);
    }
    match (flag.get("long"), flag.get("short"), flag.get("takes_value")) {
        (Some(long), ..) if !is_name(long, "--") => wrong("long name", long),
        (_, Some(short), _) if !is_name(short, "-") => wrong("short name", short),
        (.., Some(takes)) if !takes.is_boolean() => wrong("takes_value", takes),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Trouble;
    use crate::subject::tests::script;

    #[test]
    fn help_is_options_only() {
        assert_eq!(help(&script("test $0 = --help-args-only && echo '  --listen <ADDRESS>'")), Ok(()));
        let why = "it prints more than the options: Usage: x".to_owned();
        assert_eq!(help(&script("echo 'Usage: x'")), Err(why.into()));
        assert!(help(&script("echo x; exit 1")).is_err());
        assert!(help(&script("true")).is_err());
    }

    #[test]
    fn metadata_is_a_list_of_flags() {
        let good = r#"echo '{"all_flags": [{"short": "-L", "long": "--log-dir", "takes_value": true}, {}]}' >&2"#;
        assert_eq!(metadata(&script(good)), Ok(()));
        let Err(Trouble::Fault(why)) = metadata(&script("echo 'a log line' >&2")) else { panic!("no JSON") };
        assert!(why.starts_with("standard error: not JSON") && why.ends_with("a log line"), "{why}");
        let aliases = r#"{"long": "--log-dir", "aliases": ["logs"]}"#;
        for flags in [r#"{"long": "log-dir"}"#, r#"{"short": "L"}"#, r#"{"takes_value": "yes"}"#, "1", aliases] {
            assert!(check_metadata(&format!(r#"{{"all_flags": [{flags}]}}"#)).is_err(), "{flags}");
        }
    }
}
