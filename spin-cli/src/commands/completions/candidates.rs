//! What could stand in the place of a word: read off the parser, so that the two cannot disagree.

use std::ffi::OsString;

use clap::{Arg, Command};
use spin_catalogue::PluginName;
use spin_plugin_manager::{Listing, PluginManager};

use crate::cli;
use crate::context::Context;

/// The candidates for the last of `words`, which begin as it does. None where only the shell knows, such as files.
pub(super) fn candidates(words: &[OsString], ctx: &Context) -> Vec<String> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let mut root = cli::command();
    // What clap adds by itself, such as --help.
    root.build();
    let Some(place) = Place::behind(&root, before) else { return Vec::new() };
    let mut found = match place.expects {
        Expects::Value(argument) => values(argument),
        Expects::Word if current.starts_with('-') => match current.split_once('=') {
            Some((name, _)) => {
                let values = flag(place.command, name).map(values).unwrap_or_default();
                values.into_iter().map(|value| format!("{name}={value}")).collect()
            }
            None => flags(place.command),
        },
        Expects::Word => words_of(place.command, place.path.as_slice(), current, ctx),
    };
    found.retain(|candidate| candidate.starts_with(&**current));
    found.sort();
    found.dedup();
    found
}

/// Where on the command line a word stands.
struct Place<'a> {
    command: &'a Command,
    /// The names of the commands on the way.
    path: Vec<&'a str>,
    expects: Expects<'a>,
}

/// What may stand there.
enum Expects<'a> {
    /// The value of this flag.
    Value(&'a Arg),
    /// A command, a name or a flag.
    Word,
}

impl<'a> Place<'a> {
    /// The place behind these words; `None` if it belongs to a plugin.
    fn behind(root: &'a Command, words: &[impl AsRef<str>]) -> Option<Self> {
        let mut place = Self { command: root, path: Vec::new(), expects: Expects::Word };
        for word in words.iter().map(AsRef::as_ref) {
            if word == "--" {
                return None;
            }
            place.expects = match place.expects {
                Expects::Value(_) => Expects::Word,
                Expects::Word if word.starts_with('-') => match flag(place.command, word) {
                    Some(flag) if flag.get_action().takes_values() && !word.contains('=') => Expects::Value(flag),
                    _ => Expects::Word,
                },
                Expects::Word => {
                    match place.command.find_subcommand(word) {
                        Some(command) => {
                            place.command = command;
                            place.path.push(command.get_name());
                        }
                        // An external command: what follows is for the plugin to say.
                        None if place.path.is_empty() => return None,
                        None => {}
                    }
                    Expects::Word
                }
            };
        }
        Some(place)
    }
}

/// The flag of a command that is written so.
fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    let is_it = |argument: &&Arg| match name.strip_prefix("--") {
        Some(long) => argument.get_long_and_visible_aliases().is_some_and(|longs| longs.contains(&long)),
        None => argument.get_short().is_some_and(|short| name.ends_with(short)),
    };
    command.get_arguments().find(is_it)
}

/// The flags of a command, as far as it shows them.
fn flags(command: &Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    shown.filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect()
}

/// The values of a flag, if there are only some.
fn values(argument: &Arg) -> Vec<String> {
    let values = argument.get_possible_values();
    values.iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect()
}

/// The commands below a command, and the plugins that it is about.
fn words_of(command: &Command, path: &[&str], current: &str, ctx: &Context) -> Vec<String> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut words: Vec<_> = shown.map(|command| command.get_name().to_owned()).collect();
    let Ok(plugins) = ctx.plugins() else { return words };
    match path {
        // The triggers are plugins too, but nobody runs them by hand.
        [] => words.extend(installed(&plugins).into_iter().filter(|name| !name.starts_with("trigger-"))),
        ["plugins", about] => words.extend(match (*about, current.split_once('@')) {
            ("install" | "mirror" | "upgrade", Some((name, _))) => versions(name, |name| plugins.list_of(name).ok()),
            ("uninstall", Some((name, _))) => versions(name, |name| {
                let mut listing = plugins.list_installed().ok()?;
                listing.rows.retain(|row| row.name == *name);
                Some(listing)
            }),
            ("install" | "mirror" | "search", _) => available(&plugins),
            ("show", _) => [available(&plugins), installed(&plugins)].concat(),
            ("upgrade" | "uninstall" | "verify", _) => installed(&plugins),
            _ => Vec::new(),
        }),
        ["plugins", "catalogue", "remove"] => {
            words.extend(plugins.settings().catalogues.iter().map(|source| source.name.clone()));
        }
        _ => {}
    }
    words
}

fn installed(plugins: &PluginManager) -> Vec<String> {
    let installed = plugins.installed().unwrap_or_default();
    installed.into_iter().map(|held| held.name.to_string()).collect()
}

fn available(plugins: &PluginManager) -> Vec<String> {
    plugins.catalogued_names().iter().map(PluginName::to_string).collect()
}

/// `NAME@VERSION` for every version that is listed.
fn versions(name: &str, list: impl Fn(&PluginName) -> Option<Listing>) -> Vec<String> {
    let rows = name.parse().ok().and_then(|name| list(&name)).map(|listing| listing.rows).unwrap_or_default();
    rows.into_iter().map(|row| format!("{}@{}", row.name, row.version)).collect()
}
