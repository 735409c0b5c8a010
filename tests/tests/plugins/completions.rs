//! Completions: what real shells offer behind `spin`.

use std::time::Duration;

use insta::assert_snapshot;
use spin_tests::World;

use super::{catalogue, pack_stub, session};

/// A world with a command and a trigger installed, and more to be had.
fn world() -> World {
    let world = World::new();
    pack_stub(&world, "stub", "1.0.0", ">=4.0");
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    session(&world, &["plugins install stub trigger-stub --yes"]);
    pack_stub(&world, "stub", "1.1.0", ">=4.0");
    pack_stub(&world, "other", "0.1.0", ">=4.0");
    world
}

/// The lines that every shell is asked about; the last word is the one to complete.
const LINES: [&str; 17] = [
    "spin s",
    "spin plugins i",
    "spin plugins install ",
    "spin plugins install st",
    "spin plugins install stub@",
    "spin plugins install --version 1 o",
    "spin plugins uninstall ",
    "spin plugins uninstall stub@",
    "spin plugins list --format ",
    "spin plugins list --format=p",
    "spin plugins list --s",
    "spin plugins install --no-such-flag trigger-",
    "spin up --loc",
    "spin build --com",
    "spin cache ",
    "spin cache warm --prof",
    "spin completions ",
];

/// What a shell offers for each line, as the `script` prints it that gets the line as `$1`.
fn offers(world: &World, shell: &str, flags: &[&str], script: &str) -> String {
    let bin = world.dist().bin("spin");
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let offer = |line: &&str| {
        let run = world.command(shell).args(flags).args([script, line]).env("PATH", &path);
        let run = run.env("SPIN_CATALOGUES", catalogue(world)).run().success();
        assert_eq!(run.stderr, "", "{shell}: {line}");
        format!("{line}|\n{}", run.stdout)
    };
    LINES.iter().map(offer).collect()
}

#[test]
fn bash_offers_commands_plugins_and_versions() {
    let world = world();
    let script = "set -u; source <(spin completions bash); COMP_LINE=$0; COMP_POINT=${#COMP_LINE}; \
        complete -p spin >/dev/null; _spin 2>&1; printf '  %s\\n' \"${COMPREPLY[@]-}\"";
    assert_snapshot!(offers(&world, "/usr/bin/bash", &["--norc", "-c"], script));
}

/// Where bash divides words at `@`, only what is behind it must be put in.
#[test]
fn a_version_is_completed_on_a_terminal() {
    let world = world();
    let bin = world.dist().bin("spin");
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let bash = world.command("/usr/bin/bash").args(["--norc", "--noprofile", "-i"]).env("PATH", path).env("PS1", "> ");
    let mut bash = bash.env("SPIN_CATALOGUES", catalogue(&world)).start_on_terminal();
    bash.type_text("source <(spin completions bash); echo ready-$((1+1))\n");
    bash.output().wait_for("ready-2");
    // What the line has become shows when it is run.
    bash.type_text("spin plugins inst\toth\t--yes\n");
    bash.output().wait_for("Plugin 'other' was installed successfully!");
    bash.type_text("spin plugins uninst\tother@0\t\n");
    bash.output().wait_for("Plugin 'other' 0.1.0 was successfully uninstalled");
    bash.type_text("exit\n");
    bash.finish_within(Duration::from_secs(30));
}

#[test]
fn fish_offers_the_same() {
    let world = world();
    let script = "spin completions fish | source; complete --do-complete $argv[1] | string replace -r '^' '  '";
    assert_snapshot!(offers(&world, "/usr/bin/fish", &["--no-config", "-c"], script));
}

/// zsh completes in its line editor only; what the function hands to it is caught.
#[test]
fn zsh_offers_the_same() {
    let world = world();
    let script = "compdef() { :; }; compadd() { shift; printf '  %s\\n' \"$@\"; }; _files() { :; }; \
        eval \"$(spin completions zsh)\"; words=(\"${(@s: :)0}\"); CURRENT=$#words; _spin";
    assert_snapshot!(offers(&world, "/usr/bin/zsh", &["-f", "-c"], script));
}
