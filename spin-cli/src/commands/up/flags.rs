//! The flags of `spin up` itself. All others belong to the triggers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use spin_app_model::TriggerType;
use spin_catalogue::PluginName;

use super::Built;
use crate::arguments::{NotYet, Table, key_value};
use crate::files::Placing;
use crate::load::Wishes;
use crate::report::Report;
use crate::selection::Selection;
use crate::supervise::{OnExit, Task, UnknownOnExit};
use crate::triggers::Overrides;

/// What makes triggers compile and do nothing else: our flag, and theirs.
pub(crate) const COMPILE_ONLY: &str = "--compile-only";

/// Run an application.
#[derive(Debug, Parser)]
#[command(name = "spin up", disable_help_flag = true, args_override_self = true)]
#[command(override_usage = "spin up [OPTIONS] [TRIGGER OPTIONS] [-- TRIGGER OPTIONS]")]
pub(crate) struct Flags {
    /// The application: a manifest, a directory with a spin.toml, or a .wasm file [default: spin.toml, here or above]
    #[arg(short, long, value_name = "APPLICATION")]
    from: Option<PathBuf>,
    /// The same, and never anything but a file or a directory
    #[arg(long, alias = "file", value_name = "PATH", hide = true, conflicts_with = "from")]
    from_file: Option<PathBuf>,
    /// Run the application as it is in this profile of its manifest
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Build the application first [env: SPIN_ALWAYS_BUILD=true]
    #[arg(long)]
    pub(crate) build: bool,
    /// Run only this component, with the triggers that run it; may be repeated
    #[arg(short, long, value_name = "ID")]
    component_id: Vec<String>,
    /// Start only triggers of this type; may be repeated
    #[arg(long, value_name = "TYPE")]
    trigger_type: Vec<TriggerType>,
    /// What becomes of the application when a trigger (of this type) ends: end, restart it, or ignore it [default: end]
    #[arg(long, value_name = "[TYPE=]POLICY", value_parser = on_exit)]
    on_trigger_exit: Vec<(Option<TriggerType>, OnExit)>,
    /// Tell how the application is over HTTP: /healthz, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", value_parser = admin_address)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Set an environment variable in every component
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Use this working directory, and keep it
    #[arg(long, alias = "tmp", value_name = "DIR")]
    pub(crate) temp: Option<PathBuf>,
    /// Keep downloads in this folder, and not in the usual one
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Show components the folders of the application themselves, not copies
    #[arg(long)]
    direct_mounts: bool,
    /// Install missing plugins without asking [env: SPIN_AUTO_INSTALL=1]
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Run only what `spin plugins lock` has pinned, and nothing that was changed since
    #[arg(long)]
    pub(crate) locked: bool,
    /// Run this executable instead of the installed plugin NAME, for development
    #[arg(long, value_name = "NAME=PATH", value_parser = plugin_path)]
    plugin_path: Vec<(PluginName, PathBuf)>,
    /// Compile the application's components for later starts, and run nothing: what `spin cache warm` does
    #[arg(long, hide = true)]
    pub(crate) compile_only: bool,
    /// Print this, and the options of the application's trigger
    #[arg(short, long)]
    pub(crate) help: bool,
}

impl Flags {
    /// What the user named, if anything.
    pub(crate) fn source(&self) -> Option<&Path> {
        self.from.as_deref().or(self.from_file.as_deref())
    }

    /// Makes this about the app that `spin build` has built.
    ///
    /// # Errors
    ///
    /// If the user asks to run another one, or in another profile.
    pub(crate) fn run_what_was_built(&mut self, built: Built) -> Result<(), Report> {
        let stray = if self.source().is_some() { Some("--from") } else { self.profile.as_ref().map(|_| "--profile") };
        if let Some(stray) = stray {
            let message = format!("`{stray}` is given to spin up, which runs what was built");
            return Err(Report::usage(message).code("usage::build").help("write it in front of --, for both"));
        }
        (self.from_file, self.profile) = (Some(built.manifest), built.profile);
        Ok(())
    }

    /// How components come to see their files, and which are run.
    pub(crate) fn wishes(&self) -> Wishes {
        let placing = if self.direct_mounts { Placing::DirectMounts } else { Placing::Copies };
        Wishes { placing, selection: Selection::of(&self.component_id) }
    }

    /// Which of the app's trigger types are started.
    ///
    /// # Errors
    ///
    /// If a flag names one that the app does not have.
    pub(crate) fn started(&self, types: Vec<TriggerType>) -> Result<Vec<TriggerType>, Report> {
        let of_flags =
            self.on_trigger_exit.iter().filter_map(|(of, _)| of.as_ref()).map(|of| ("--on-trigger-exit", of));
        let named = self.trigger_type.iter().map(|named| ("--trigger-type", named));
        if let Some((flag, unknown)) = named.chain(of_flags).find(|(_, named)| !types.contains(named)) {
            let known = types.iter().map(TriggerType::as_str).collect::<Vec<_>>().join(", ");
            return Err(Report::new(format!("{flag}: this app has no trigger of type '{unknown}'"))
                .code("app::no-such-trigger")
                .help(format!("it has triggers of these types: {known}")));
        }
        let is_started = |of: &TriggerType| self.trigger_type.is_empty() || self.trigger_type.contains(of);
        Ok(types.into_iter().filter(is_started).collect())
    }

    /// Refuses flags about an app that runs, if none is to be run.
    ///
    /// # Errors
    ///
    /// Names the first.
    pub(crate) fn check(&self) -> Result<(), Report> {
        let about_running =
            [("--admin-listen", self.admin_listen.is_some()), ("--on-trigger-exit", !self.on_trigger_exit.is_empty())];
        match about_running.iter().find(|(_, is_given)| self.compile_only && *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                Err(Report::usage(format!("{flag} is about an application that runs, and this runs none"))
                    .code("usage::compile-only")
                    .help("leave it out"))
            }
        }
    }

    /// What triggers are started for.
    pub(crate) fn task(&self) -> Task {
        if self.compile_only { Task::Compile } else { Task::Serve }
    }

    /// What the end of a trigger means, if a flag says so. The one that names the type beats the one that doesn't, and of
    /// two the later counts.
    pub(crate) fn on_exit(&self, trigger_type: &TriggerType) -> Option<OnExit> {
        let last = |wanted: Option<&TriggerType>| {
            self.on_trigger_exit.iter().rev().find(|(of, _)| of.as_ref() == wanted).map(|&(_, on_exit)| on_exit)
        };
        last(Some(trigger_type)).or_else(|| last(None))
    }

    /// The development overrides; of two for one plugin, the later counts.
    pub(crate) fn overrides(&self) -> Overrides {
        self.plugin_path.iter().cloned().collect()
    }
}

/// The parser, by the name of the command that it is for.
pub(crate) fn command(compile_only: bool) -> clap::Command {
    let command = Flags::command();
    if !compile_only {
        return command;
    }
    let about = "Compile an application's components, so that starting it compiles nothing.";
    let usage = "spin cache warm [OPTIONS] [TRIGGER OPTIONS] [-- TRIGGER OPTIONS]";
    let options = "The options are those of spin up: some of a trigger decide what is compiled.";
    command.name("spin cache warm").about(about).override_usage(usage).after_help(options)
}

/// Which flags are not the trigger's.
pub(crate) fn table() -> Table {
    Table::of(&Flags::command()).not_yet(&["from-registry"], None, true).not_yet(&["insecure"], Some('k'), false)
}

impl From<NotYet> for Report {
    fn from(error: NotYet) -> Self {
        Self::usage(error.to_string())
            .code("usage::not-yet")
            .help("to hand it to the trigger instead, write -- before it")
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` in it; write KEY=VALUE")?;
    if key.is_empty() {
        return Err("there is no name in front of the `=`; write KEY=VALUE".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// An address with its port; without the address, that of this machine alone.
fn admin_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    let here = || port.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok();
    text.parse().ok().or_else(here).ok_or_else(|| "write ADDRESS:PORT or PORT, such as 127.0.0.1:9090".to_owned())
}

fn on_exit(text: &str) -> Result<(Option<TriggerType>, OnExit), String> {
    let (of, policy) = text.split_once('=').map_or((None, text), |(of, policy)| (Some(of), policy));
    let of = of.map(str::parse).transpose().map_err(|error: spin_app_model::InvalidName| error.to_string())?;
    Ok((of, policy.parse().map_err(|error: UnknownOnExit| error.to_string())?))
}

pub(crate) fn plugin_path(text: &str) -> Result<(PluginName, PathBuf), String> {
    let (name, path) = key_value(text.as_ref()).ok_or("there is no `=` in it; write NAME=PATH")?;
    let name = name.parse().map_err(|error: spin_catalogue::name::NameError| error.to_string())?;
    Ok((name, path.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::ffi::OsString;

    use super::*;

    fn parse(line: &str) -> (Result<Flags, clap::Error>, Vec<OsString>) {
        let split = table().split(line.split_whitespace().map(OsString::from)).unwrap();
        (
            Flags::try_parse_from([OsString::from("up")].into_iter().chain(split.ours.clone())),
            split.not_ours().cloned().collect(),
        )
    }

    #[test]
    fn the_table_is_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn every_way_to_write_a_flag_is_understood() {
        let (flags, trigger) =
            parse("-eA=b --env=C=d=e -fapp --tmp t -y --plugin-path trigger-x=./x --quiet -- --env X=y");
        let flags = flags.unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(flags.env, [pair("A", "b"), pair("C", "d=e")]);
        assert_eq!(flags.source(), Some(Path::new("app")));
        assert_eq!(flags.temp.as_deref(), Some(Path::new("t")));
        assert_eq!(flags.overrides()[&"trigger-x".parse().unwrap()], Path::new("./x"));
        assert!(flags.yes && !flags.help && !flags.build);
        assert_eq!(trigger, ["--quiet", "--env", "X=y"]);

        let (flags, _) = parse("--from a --from b --file=c");
        assert!(flags.is_err(), "one source only");
        assert_eq!(parse("-f a -f b").0.unwrap().source(), Some(Path::new("b")));
        assert_eq!(parse("--file=c").0.unwrap().source(), Some(Path::new("c")));
        for bad in ["-eK", "-e=v", "--env==v", "--plugin-path ../x=y", "--plugin-path x", "-f", "--yes=no"] {
            assert!(parse(bad).0.is_err(), "{bad}");
        }
    }

    #[test]
    fn the_end_of_a_trigger_means_what_the_flag_for_its_type_says() {
        let of = |line: &str, name: &str| parse(line).0.unwrap().on_exit(&name.parse().unwrap());
        for (line, http, redis) in [
            ("", None, None),
            ("--on-trigger-exit ignore", Some(OnExit::Ignore), Some(OnExit::Ignore)),
            ("--on-trigger-exit http=restart --on-trigger-exit=end", Some(OnExit::Restart), Some(OnExit::End)),
            ("--on-trigger-exit http=restart --on-trigger-exit http=end", Some(OnExit::End), None),
        ] {
            assert_eq!((of(line, "http"), of(line, "redis")), (http, redis), "{line}");
        }
        for bad in ["--on-trigger-exit stop", "--on-trigger-exit http=", "--on-trigger-exit =end", "--trigger-type A/b"]
        {
            assert!(parse(bad).0.is_err(), "{bad}");
        }
    }

    #[test]
    fn an_admin_address_without_a_host_is_of_this_machine_alone() {
        let parsed = |text: &str| parse(&format!("--admin-listen={text}")).0.ok().and_then(|flags| flags.admin_listen);
        let address = |text: &str| Some(text.parse().unwrap());
        for text in ["9090", ":9090", "localhost:9090", "127.0.0.1:9090"] {
            assert_eq!(parsed(text), address("127.0.0.1:9090"), "{text}");
        }
        assert_eq!((parsed("0.0.0.0:0"), parsed("[::1]:1")), (address("0.0.0.0:0"), address("[::1]:1")));
        for bad in ["", "example.com:80", "127.0.0.1", "70000", ":"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_compiles_only_runs_nothing_that_could_be_looked_at() {
        assert_eq!(parse("-f a").0.unwrap().task(), Task::Serve);
        let (flags, trigger) = parse(&format!("{COMPILE_ONLY} -f a --disable-pooling"));
        assert_eq!((flags.unwrap().task(), trigger), (Task::Compile, vec![OsString::from("--disable-pooling")]));
        for other in ["--admin-listen=0", "--on-trigger-exit=end"] {
            assert!(parse(other).0.unwrap().check().is_ok(), "{other}");
            assert!(parse(&format!("{COMPILE_ONLY} {other}")).0.unwrap().check().is_err(), "{other}");
        }
        command(true).debug_assert();
    }

    #[test]
    fn only_the_types_that_are_named_are_started() {
        let types = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<TriggerType>>();
        let started = |line: &str| parse(line).0.unwrap().started(types(&["http", "redis", "cron"]));
        assert_eq!(started(""), Ok(types(&["http", "redis", "cron"])));
        assert_eq!(started("--trigger-type cron --trigger-type=http"), Ok(types(&["http", "cron"])));
        for line in ["--trigger-type sqs", "--on-trigger-exit sqs=end"] {
            let refused = started(line).unwrap_err();
            assert!(refused.message().ends_with("this app has no trigger of type 'sqs'"), "{refused:?}");
            assert_eq!(refused.advice(), ["it has triggers of these types: http, redis, cron"]);
        }
    }

    #[test]
    fn what_comes_later_says_so() {
        for flag in ["--from-registry", "-k", "--insecure"] {
            assert!(table().split([OsString::from(flag)]).is_err(), "{flag}");
        }
    }
}
