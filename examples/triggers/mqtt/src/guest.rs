//! What a component exports for this trigger: `handle-message`, of `spin:mqtt-trigger@3.0.0`.

use std::sync::Arc;

use bindings::MqttIndices as Exports;
use bindings::spin::mqtt_trigger::mqtt_types::{Error as GuestError, Metadata};
use spin_trigger_kit::{Component, Error, Events, tracing};

#[allow(missing_docs, reason = "generated")]
mod bindings {
    spin_trigger_kit::bindgen!({
        inline: "
            package spin:mqtt-trigger@3.0.0;
            interface mqtt-types {
                type payload = list<u8>;
                record metadata { topic: string }
                variant error { other(string) }
            }
            world mqtt {
                use mqtt-types.{payload, metadata, error};
                export handle-message: func(message: payload, metadata: metadata) -> result<_, error>;
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

impl Guest {
    /// # Errors
    /// When the component doesn't export what is called.
    pub(crate) fn new(component: Arc<Component>, events: Events) -> Result<Self, Error> {
        let exports = Exports::new(component.pre()).map_err(|error| {
            let id = component.id();
            let message =
                format!("component \"{id}\" does not export handle-message as spin:mqtt-trigger has it: {error:#}");
            Error::new("mqtt::no-handler", message)
        })?;
        Ok(Self { component, exports, events })
    }

    /// Gives it a message. What goes wrong is told; a message is never given twice for that.
    pub(crate) async fn handle(&self, topic: String, payload: Vec<u8>) {
        let told = topic.clone();
        if let Err(problem) = self.events.handle(self.call(topic, payload)).await {
            tracing::error!(component = %self.component.id(), topic = told, "message not handled: {problem}");
        }
    }

    async fn call(&self, topic: String, payload: Vec<u8>) -> Result<(), String> {
        let mut event = self.component.instantiate().await.map_err(|error| error.to_string())?;
        let guest = self.exports.load(&mut event.store, &event.instance).map_err(|error| format!("{error:#}"))?;
        let meter = event.meter();
        match meter.run(guest.call_handle_message(&mut event.store, &payload, &Metadata { topic })).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(GuestError::Other(message))) => Err(format!("it returned an error: {message}")),
            Err(trap) => Err(format!("{trap:#}")),
        }
    }
}
