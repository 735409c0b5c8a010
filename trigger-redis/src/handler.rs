//! One message, one call of a component: on a fresh instance, or on a reused one where the component is made for it.

use std::sync::Arc;
use std::time::Duration;

use spin_trigger_kit::http::InstancePolicy;
use spin_trigger_kit::tokio::time::timeout;
use spin_trigger_kit::{Component, Error, Events, InvokeError, ReuseError, Reused, tracing, wasmtime};

use crate::queue::{Handle, Message, NotHandled};
use fresh::RedisTriggerIndices as Fresh;
use reused::AsyncRedisTriggerIndices as Async;
use reused::spin::redis::redis::Error as RedisError;

/// What components for SDKs up to those for Spin 3 export.
const FRESH: &str = "fermyon:spin/inbound-redis";

/// What components for later SDKs export.
const REUSED: &str = "spin:redis/inbound-redis@3.0.0";

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod fresh {
    spin_trigger_kit::bindgen!({
        path: "wit/fermyon-spin",
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

#[allow(missing_docs, clippy::too_many_arguments, reason = "generated; the WIT files carry the documentation")]
mod reused {
    spin_trigger_kit::bindgen!({
        path: "wit/spin-redis-3.0.0",
        inline: "
            package trigger:redis;
            world async-redis-trigger {
                export spin:redis/inbound-redis@3.0.0;
            }
        ",
        world: "trigger:redis/async-redis-trigger",
    });
}

/// Calls a component.
pub struct ComponentHandler {
    component: Arc<Component>,
    export: Export,
    events: Events,
}

enum Export {
    Fresh(Fresh),
    Reused(Reused<(Vec<u8>,), (Result<(), RedisError>,)>),
}

/// Gives messages to a component, for an entry.
pub struct MessageHandler {
    /// The component.
    pub component: Arc<ComponentHandler>,
    /// How long it may take for a message. The instance of one that takes longer is ended, unless it serves others.
    pub timeout: Duration,
}

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// There was no fresh instance.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// There was no instance to be reused, or it came to its end.
    #[error(transparent)]
    Reuse(#[from] ReuseError),
    /// The component did not return in time.
    #[error("it did not return within {} s; see --message-timeout", .0.as_secs_f32())]
    Timeout(Duration),
    /// The component trapped, or used up what it may use.
    #[error("{0:#}")]
    Trap(wasmtime::Error),
    /// The component says so.
    #[error("it returned an error{}", detail(.0.as_deref()))]
    Returned(Option<String>),
}

fn detail(text: Option<&str>) -> String {
    text.map(|text| format!(": {text:?}")).unwrap_or_default()
}

impl ComponentHandler {
    /// A handler for `component`, whose `events` are counted. Instances that can be reused live as `policy` says.
    ///
    /// # Errors
    /// When the component doesn't export what is called; names what it exports instead.
    pub fn new(component: Arc<Component>, events: Events, policy: InstancePolicy) -> Result<Self, Error> {
        let refused = |why: String| {
            let message = format!("component \"{}\" {why}", component.id());
            Error::new("redis::no-handler", message)
        };
        let name = export_of(&component.exports()).map_err(refused)?;
        let wrong = |error: wasmtime::Error| refused(format!("has a wrong {name}: {error:#}"));
        let export = match name {
            FRESH => Export::Fresh(Fresh::new(component.pre()).map_err(wrong)?),
            _ => {
                let exports = Async::new(component.pre()).map_err(wrong)?;
                let find = move |store: &mut wasmtime::Store<_>, instance: &_| {
                    let guest = exports.load(store, instance)?;
                    Ok(guest.spin_redis_inbound_redis().func_handle_message())
                };
                Export::Reused(Reused::new(&component, policy, find))
            }
        };
        Ok(Self { component, export, events })
    }

    // The generated binding wants the vector itself.
    #[allow(clippy::ptr_arg, reason = "so is the parameter of the binding")]
    async fn call(&self, payload: &Vec<u8>) -> Result<(), HandlerError> {
        match &self.export {
            Export::Fresh(exports) => {
                let mut event = self.component.instantiate().await?;
                let guest = exports.load(&mut event.store, &event.instance).map_err(HandlerError::Trap)?;
                let guest = guest.fermyon_spin_inbound_redis();
                let meter = event.meter();
                match meter.run(guest.call_handle_message(&mut event.store, payload)).await {
                    Ok(answer) => answer.map_err(|_| HandlerError::Returned(None)),
                    Err(trap) => Err(HandlerError::Trap(trap)),
                }
            }
            Export::Reused(export) => {
                let (answer,) = export.call((payload.clone(),)).await?;
                answer.map_err(|error| HandlerError::Returned(Some(why(error))))
            }
        }
    }
}

fn why(error: RedisError) -> String {
    match error {
        RedisError::InvalidAddress => "invalid-address".to_owned(),
        RedisError::TooManyConnections => "too-many-connections".to_owned(),
        RedisError::TypeError => "type-error".to_owned(),
        RedisError::Other(text) => text,
    }
}

impl Handle for MessageHandler {
    async fn handle(&self, message: &Message) -> Result<(), NotHandled> {
        let (ComponentHandler { component, events, .. }, time) = (&*self.component, &self.timeout);
        let called = async {
            let late = |_| Err(HandlerError::Timeout(*time));
            timeout(*time, self.component.call(&message.payload)).await.unwrap_or_else(late)
        };
        events.handle(called).await.map_err(|error| {
            let component = component.id().as_str();
            tracing::error!(component, origin = message.origin, "message not handled: {error}");
            match error {
                HandlerError::Reuse(ReuseError::InstanceEnded) => NotHandled::Innocent,
                _ => NotHandled::Failed,
            }
        })
    }
}

/// Which of a component's exports is called.
fn export_of(exports: &[String]) -> Result<&'static str, String> {
    let found: Vec<&'static str> =
        [FRESH, REUSED].into_iter().filter(|name| exports.iter().any(|export| export == name)).collect();
    match found.as_slice() {
        [name] => Ok(name),
        [] => {
            let others = match exports {
                [] => "nothing".to_owned(),
                names => names.join(", "),
            };
            Err(format!("handles no messages of Redis: it exports {others}; it must export {FRESH} or {REUSED}"))
        }
        _ => Err(format!("exports both {FRESH} and {REUSED}, and only one could be called")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(exports: &[&str]) -> Result<&'static str, String> {
        export_of(&exports.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn either_generation_is_called_and_not_both() {
        assert_eq!(export(&["wasi:cli/run@0.2.0", FRESH]), Ok(FRESH));
        assert_eq!(export(&[REUSED]), Ok(REUSED));
        let message = export(&[REUSED, FRESH]).expect_err("both");
        assert!(message.starts_with("exports both fermyon:spin/inbound-redis and spin:redis/"), "{message}");
    }

    #[test]
    fn a_component_that_can_not_be_called_is_told_what_is_missing() {
        let message = export(&["wasi:http/handler@0.3.0"]).expect_err("no export");
        assert!(message.contains("it exports wasi:http/handler@0.3.0; it must export fermyon:spin"), "{message}");
        assert!(export(&[]).expect_err("no export").contains("it exports nothing;"));
        assert!(export(&["spin:redis/inbound-redis@4.0.0"]).is_err());
    }
}
