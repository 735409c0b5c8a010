//! Bringing what is known of catalogues up to date before a command looks into them.
//!
//! Also the notice that there are newer versions. A command that looks for plugins goes through [`Context::refreshed_plugins`]; nothing on the way to starting an app
//! does.

use std::time::Duration;

use spin_plugin_manager::{Outdated, PluginManager, Refreshed};

use crate::context::Context;
use crate::report::Report;

impl Context {
    /// The plugin manager, after its catalogues were asked for news. Where one cannot be asked, a warning says how old
    /// the knowledge is that is used instead. Without a network nobody is asked.
    pub(crate) async fn refreshed_plugins(&self) -> Result<PluginManager, Report> {
        let plugins = self.plugins()?;
        if !self.is_offline() {
            let all = plugins.refresh(&self.ui).await;
            self.ui.clear_progress();
            for refreshed in &all {
                if let Some(text) = failure(refreshed) {
                    self.ui.warning(&text);
                }
            }
        }
        Ok(plugins)
    }
}

/// Says that there are newer versions, after something was run for a person: at most once a day, and from what the
/// commands that ask for news have left on this machine.
pub(crate) fn tell_newer(ctx: &Context) {
    if !ctx.ui.is_seen() {
        return;
    }
    // What cannot be found out is no trouble of who ran something else.
    let Ok(plugins) = ctx.plugins() else { return };
    for Outdated { name, version, newer, .. } in plugins.notice() {
        if let Some((newer, _)) = newer {
            let text = format!("{name} {newer} is available, and {version} is used: spin plugins upgrade {name}");
            ctx.ui.notice(&text);
        }
    }
}

/// Why a catalogue was not refreshed, and what is known of it nevertheless.
pub(crate) fn failure(refreshed: &Refreshed) -> Option<String> {
    let Refreshed { catalogue, outcome, age, .. } = refreshed;
    let error = outcome.as_ref().err()?;
    let known = match age {
        Some(age) => format!("what is known of it is {} old", in_words(*age)),
        None => "nothing is known of it".to_owned(),
    };
    Some(format!("catalogue '{catalogue}' could not be refreshed: {error}; {known}"))
}

/// A length of time, as exactly as anybody needs it.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..60 => return "less than a minute".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_words() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(words(0), "less than a minute");
        assert_eq!(words(60), "1 minute");
        assert_eq!(words(7_199), "1 hour");
        assert_eq!(words(86_400), "24 hours");
        assert_eq!(words(10 * 86_400), "10 days");
    }
}
