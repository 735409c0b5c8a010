//! The program `spin`: loads an app, finds a plugin for every trigger type of it, and supervises those processes.
//!
//! | module | what |
//! |---|---|
//! | [`cli`], [`commands`] | which word is which command, and what each does |
//! | [`arguments`] | whose flag is this: ours or the trigger's? |
//! | [`source`], [`load`] | what to run, and from a manifest to a locked app |
//! | [`files`] | the files that components see |
//! | [`selection`] | some components of an app and not the others |
//! | [`build`](mod@build) | running build commands |
//! | [`compiled_code`] | what triggers have compiled: listing and clearing it |
//! | [`download`] | code that a manifest names by address and digest |
//! | [`triggers`], [`obtain`] | an executable for every trigger type, installed now if need be |
//! | [`metadata`] | what a trigger tells of its flags |
//! | [`pinning`] | which release of a plugin it must be |
//! | [`config`], [`news`] | the user's catalogues and credentials; what is new in them |
//! | [`workdir`] | the private folder of a running app |
//! | [`supervise`] | trigger processes: start, hello, drain, exit code |
//! | [`environment`], [`context`] | variables for plugins, and variables for us |
//! | [`ui`], [`report`] | the only writer to the terminal, and errors as a person reads them |
//!
//! Files on disk: a working directory `spinup-*` and a folder of sockets of the same naming, both in temporary
//! places and both private; what [`spin_plugin_manager`] keeps; copies of files below the working directory; downloads in a
//! cache, and what triggers have compiled beside them; `.spin/last-build.txt` and the pins beside a manifest; `<config>/spin/config.toml`. No WebAssembly engine is in
//! here, and nothing depends on which trigger it is.

use std::process::ExitCode;

mod arguments;
mod build;
mod cli;
mod commands;
mod compiled_code;
mod config;
mod context;
mod download;
mod environment;
mod files;
mod load;
mod metadata;
mod news;
mod obtain;
mod pinning;
mod report;
mod selection;
mod source;
mod supervise;
mod triggers;
mod ui;
mod workdir;

fn main() -> ExitCode {
    let ui = ui::Ui::new();
    // The one TLS provider of this process. It can only be refused if there is one already, which would be this one.
    drop(rustls::crypto::ring::default_provider().install_default());
    // One thread, the main one, so that everything that forks does it here: see `supervise::spawn`.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.error(&report::Report::new(format!("cannot start: {error}")).code("environment::runtime"));
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(cli::run(std::env::args_os().collect(), ui));
    // A question that was never answered still waits for its line; it must not hold us up.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}
