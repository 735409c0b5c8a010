//! What a component exports for this trigger: `handle-cron-event`, of `spin:cron@3.0.0` and of `fermyon:spin-cron@2.0.0`.
//!
//! Both have the same name, and types of the same shape; that one of them is asynchronous makes no difference to a caller.

use std::sync::Arc;

use bindings::CronIndices as Exports;
use bindings::spin::cron::cron_types::{Error as GuestError, Metadata};
use spin_trigger_kit::{Component, Error, Events, InvokeError, wasmtime};

#[allow(missing_docs, reason = "generated")]
mod bindings {
    spin_trigger_kit::bindgen!({
        inline: "
            package spin:cron@3.0.0;
            interface cron-types {
                record metadata { timestamp: u64 }
                variant error { other(string) }
            }
            world cron {
                use cron-types.{metadata, error};
                export handle-cron-event: func(metadata: metadata) -> result<_, error>;
            }
        ",
        exports: { default: async },
    });
}

/// A component that can be called.
pub(crate) struct Guest {
    component: Arc<Component>,
    exports: Exports,
    events: Events,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no instance.
    Invoke(InvokeError),
    /// The component trapped, or used up what it may use.
    Trap(wasmtime::Error),
    /// The component says so.
    Returned(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invoke(error) => error.fmt(formatter),
            Self::Trap(error) => write!(formatter, "{error:#}"),
            Self::Returned(message) => write!(formatter, "it returned an error: {message}"),
        }
    }
}

impl Guest {
    /// # Errors
    /// When the component doesn't export what is called.
    pub(crate) fn new(component: Arc<Component>, events: Events) -> Result<Self, Error> {
        let exports = Exports::new(component.pre()).map_err(|error| {
            let message = format!(
                "component \"{}\" does not export handle-cron-event as spin:cron has it: {error:#}",
                component.id()
            );
            Error::new("cron::no-handler", message)
        })?;
        Ok(Self { component, exports, events })
    }

    /// Its component's name.
    pub(crate) fn id(&self) -> &str {
        self.component.id().as_str()
    }

    /// Calls it for the time `timestamp`, in seconds since 1970.
    ///
    /// # Errors
    /// Those of the guest.
    pub(crate) async fn call(&self, timestamp: u64) -> Result<(), Failure> {
        let call = async {
            let mut event = self.component.instantiate().await.map_err(Failure::Invoke)?;
            let guest = self.exports.load(&mut event.store, &event.instance).map_err(Failure::Trap)?;
            let meter = event.meter();
            match meter.run(guest.call_handle_cron_event(&mut event.store, Metadata { timestamp })).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(GuestError::Other(message))) => Err(Failure::Returned(message)),
                Err(trap) => Err(Failure::Trap(trap)),
            }
        };
        self.events.handle(call).await
    }
}
