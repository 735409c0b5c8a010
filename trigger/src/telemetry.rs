//! What the trigger itself has to say: lines on standard error, chosen by `RUST_LOG`.

use spin_app_model::launch::env::RUST_LOG;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Warnings and errors unless `RUST_LOG` says otherwise. A library of the engine is quieter: it warns of every
/// connection that a client closes.
const DEFAULT_FILTER: &str = "warn,wasmtime_wasi_http=error,hyper=error";

/// Installs the subscriber of this process.
pub(crate) fn install() {
    let chosen = std::env::var(RUST_LOG).ok().and_then(|chosen| chosen.parse::<Targets>().ok());
    let filter = chosen.unwrap_or_else(|| DEFAULT_FILTER.parse().expect("the default is a filter"));
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false).without_time();
    // An author's own `main` may have installed one before; then that one is meant.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filter_is_one() {
        assert!(DEFAULT_FILTER.parse::<Targets>().is_ok());
    }
}
