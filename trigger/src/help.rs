//! The two questions that a host asks before it starts a trigger: its options as help text, and its flags as
//! JSON (spec: the trigger contract, help mode and launch metadata).

use clap::{ArgAction, Command};
use serde::Serialize;

/// Asks for the option list only.
pub(crate) const HELP_ARGS_ONLY: &str = "--help-args-only";
/// Asks for the flags as JSON.
pub(crate) const LAUNCH_METADATA_ONLY: &str = "--launch-metadata-only";

/// The flags of a trigger, as the host wants to know them.
#[derive(Serialize)]
struct LaunchMetadata {
    all_flags: Vec<Flag>,
}

/// One flag. Hosts of the public ecosystem look at `long` and `short` and ignore the rest.
#[derive(Default, Serialize)]
struct Flag {
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    long: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    takes_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
}

/// Flags that are the host's own under a host, which is therefore not told of them. By their field.
const BY_HAND: [&str; 1] = ["admin_listen"];

/// Flags whose effect is the app's, not the process's: a host with several triggers gives them to one only.
const APP_SCOPE: [&str; 3] = ["key-value", "sqlite", "truncate-logs"];

pub(crate) fn args_only(command: Command) -> String {
    let hidden = |argument: clap::Arg| {
        let by_hand = BY_HAND.contains(&argument.get_id().as_str());
        if by_hand { argument.hide(true) } else { argument }
    };
    let command = command.mut_args(hidden).disable_help_flag(true).help_template("{all-args}");
    command.clone().render_long_help().to_string()
}

pub(crate) fn launch_metadata(command: &Command) -> String {
    let all_flags = command
        .get_arguments()
        .filter(|argument| {
            let id = argument.get_id().as_str();
            !matches!(id, "help" | "version") && !BY_HAND.contains(&id)
        })
        .map(|argument| {
            let (short, long) = (argument.get_short(), argument.get_long());
            if short.is_none() && long.is_none() {
                return Flag::default();
            }
            Flag {
                short: short.map(|short| format!("-{short}")),
                long: long.map(|long| format!("--{long}")),
                aliases: argument.get_all_aliases().unwrap_or_default().iter().map(|a| format!("--{a}")).collect(),
                takes_value: Some(matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)),
                scope: long.filter(|long| APP_SCOPE.contains(long)).map(|_| "app"),
            }
        })
        .collect();
    serde_json::to_string_pretty(&LaunchMetadata { all_flags }).expect("strings and booleans have a JSON form")
}
