//! Progress that is drawn on a terminal and is silent anywhere else.

use std::io::IsTerminal;
use std::sync::PoisonError;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Sink, Ui, plain};

const BYTES: &str = "{msg} {bar:30} {bytes}/{total_bytes}";
const ENDLESS: &str = "{msg} {bytes}";
const STEPS: &str = "{msg} {pos}/{len}";

impl Ui {
    /// Shows "`label` done/of"; replaces what was shown before.
    pub(crate) fn show_steps(&self, label: &str, done: u64, of: u64) {
        if done >= of {
            return self.clear_progress();
        }
        let mut slot = self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = slot.get_or_insert_with(|| self.bar(STEPS, Some(of)));
        bar.set_message(plain(label).into_owned());
        bar.set_length(of);
        bar.set_position(done);
    }

    /// Takes the bar off the terminal.
    pub(crate) fn clear_progress(&self) {
        if let Some(bar) = self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    fn bar(&self, template: &str, total: Option<u64>) -> ProgressBar {
        let drawn = matches!(self.inner.sink, Sink::Terminal) && std::io::stderr().is_terminal();
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        ProgressBar::with_draw_target(total, target).with_style(style)
    }
}

impl spin_plugin_manager::Progress for Ui {
    fn start(&self, label: &str, total: Option<u64>) {
        let bar = self.bar(if total.is_some() { BYTES } else { ENDLESS }, total);
        bar.set_message(plain(label).into_owned());
        *self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(bytes);
        }
    }

    fn finish(&self) {
        self.clear_progress();
    }
}
