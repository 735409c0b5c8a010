//! `--compile-only`: the cache of compiled code is filled for starts to come, and that is all.
//!
//! Nothing is opened, bound, looked up or written beyond that cache, so it can be done where there is neither a network nor a
//! secret, such as where an image is built.

use std::path::Path;

use spin_component_runtime::ahead::{self, Compiled};

use crate::control::Control;
use crate::declared::Declared;
use crate::error::Error;
use crate::flags::CommonFlags;
use crate::generation::Source;
use crate::stop::Stop;
use crate::trigger::Trigger;

/// Compiles what the trigger's entries name. Gives a line that says what that came to.
///
/// # Errors
/// When the app can't be run by this trigger, as far as that can be told from the app and its code alone; when the code
/// can't be kept; and when the end is asked for first.
pub(crate) async fn run<T: Trigger>(
    flags: &CommonFlags,
    source: &Source,
    control: &Control,
    stop: &Stop,
) -> Result<String, Error> {
    let locked = source.read::<T>()?;
    let ids = Declared::<T>::read(&locked)?.components();
    let cache = flags.cache()?.ok_or_else(|| {
        let why = "compiled code is kept nowhere: the cache configuration turns it off, or neither HOME nor \
                   XDG_CACHE_HOME is set";
        Error::new("trigger::no-cache", why)
    })?;
    let (options, folder, control) = (flags.engine(), cache.clone(), control.clone());
    let compiling = tokio::task::spawn_blocking(move || {
        let progress = |done, of| control.progress("compile", done, of);
        ahead::compile(&locked, &ids, &options, &cache, T::link, &progress)
    });
    let compiled = tokio::select! {
        // Compiling can't be interrupted; the process ends with it.
        () = stop.requested() => {
            let why = "the end was asked for before all components were compiled; those that were are kept";
            return Err(Error::new("trigger::interrupted", why));
        }
        compiled = compiling => compiled.map_err(|error| Error::new("trigger::prepare", error))??,
    };
    Ok(outcome(compiled, &folder))
}

fn outcome(compiled: Compiled, folder: &Path) -> String {
    let components = |count: usize| format!("{count} component{}", if count == 1 { "" } else { "s" });
    let already = match compiled.before {
        0 => String::new(),
        before => format!("; {} compiled already", if before == 1 { "1 was".into() } else { format!("{before} were") }),
    };
    format!("Compiled {}{already}. The code is kept below \"{}\"", components(compiled.now), folder.display())
}
