//! One message, one fresh instance of a component.

use std::sync::Arc;

use spin_trigger_kit::{Component, Error, Events, InvokeError, tracing, wasmtime};

use crate::dispatch::{Handle, Message};
use bindings::RedisTriggerIndices as Exports;

/// What a component exports to be called.
const EXPORT: &str = "fermyon:spin/inbound-redis";

/// The package whose components are called in a way that this trigger doesn't know yet.
const LATER_EXPORT: &str = "spin:redis/inbound-redis@";

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    spin_trigger_kit::bindgen!({
        path: "wit",
        inline: "
            package trigger:redis;
            world redis-trigger {
                export fermyon:spin/inbound-redis;
            }
        ",
        world: "trigger:redis/redis-trigger",
        exports: { default: async },
    });
}

/// Gives messages to a component.
pub struct ComponentHandler {
    component: Arc<Component>,
    exports: Exports,
    events: Events,
}

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// There was no instance.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// The component trapped, or used up what it may use.
    #[error("{0:#}")]
    Trap(wasmtime::Error),
    /// The component says so.
    #[error("it returned an error")]
    Returned,
}

impl ComponentHandler {
    /// A handler for `component`, whose `events` are counted.
    ///
    /// # Errors
    /// When the component doesn't export what is called; names what it exports instead.
    pub fn new(component: Arc<Component>, events: Events) -> Result<Self, Error> {
        let refused = |why: String| {
            let message = format!("component \"{}\" {why}", component.id());
            Error::new("redis::no-handler", message)
        };
        check_exports(&component.exports()).map_err(refused)?;
        let exports =
            Exports::new(component.pre()).map_err(|error| refused(format!("has a wrong {EXPORT}: {error:#}")))?;
        Ok(Self { component, exports, events })
    }

    // The generated binding wants the vector itself.
    #[allow(clippy::ptr_arg, reason = "so is the parameter of the binding")]
    async fn call(&self, payload: &Vec<u8>) -> Result<(), HandlerError> {
        let mut event = self.component.instantiate().await?;
        let guest = self.exports.load(&mut event.store, &event.instance).map_err(HandlerError::Trap)?;
        let guest = guest.fermyon_spin_inbound_redis();
        let meter = event.meter();
        match meter.run(guest.call_handle_message(&mut event.store, payload)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(HandlerError::Returned),
            Err(trap) => Err(HandlerError::Trap(trap)),
        }
    }
}

impl Handle for ComponentHandler {
    async fn handle(&self, message: &Message) {
        if let Err(error) = self.events.handle(self.call(&message.payload)).await {
            let component = self.component.id().as_str();
            tracing::error!(component, channel = message.channel, "message not handled: {error}");
        }
    }
}

fn check_exports(exports: &[String]) -> Result<(), String> {
    if exports.iter().any(|name| name == EXPORT) {
        return Ok(());
    }
    if let Some(later) = exports.iter().find(|name| name.starts_with(LATER_EXPORT)) {
        return Err(format!(
            "exports {later}, which this version of trigger-redis does not call yet; \
             build it with an SDK for Spin 3, which exports {EXPORT}"
        ));
    }
    let found = match exports {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    Err(format!("does not export {EXPORT}, which handles messages of Redis; it exports {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(exports: &[&str]) -> Result<(), String> {
        check_exports(&exports.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_component_that_can_not_be_called_is_told_what_is_missing() {
        assert_eq!(check(&["wasi:cli/run@0.2.0", EXPORT]), Ok(()));
        let message = check(&["wasi:http/handler@0.3.0"]).expect_err("no export");
        assert!(message.contains(EXPORT) && message.contains("it exports wasi:http/handler@0.3.0"), "{message}");
        let message = check(&[]).expect_err("no export");
        assert!(message.ends_with("it exports nothing"), "{message}");
        let message = check(&["spin:redis/inbound-redis@3.0.0"]).expect_err("a later generation");
        assert!(message.contains("spin:redis/inbound-redis@3.0.0, which this version"), "{message}");
    }
}
