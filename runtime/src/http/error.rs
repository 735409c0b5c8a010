//! Why there is no response.

use std::time::Duration;

use http::HeaderName;
use spin_app_model::ComponentId;

use crate::component::InvokeError;
use crate::limits::{CpuTimeExceeded, EventRecord};
use crate::permits::Full;
use crate::workers::tell_end;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Too many at once, or the pool of instances is exhausted: try again soon.
    #[error("too many requests at once")]
    Busy,
    /// The request is not one that the component can be given.
    #[error(transparent)]
    Request(#[from] BadRequest),
    /// The event used up its processor time.
    #[error("the request used up its processor time")]
    CpuTime,
    /// The head of the response did not come in time.
    #[error("no response within {} s", .0.as_secs_f32())]
    HeadTimeout(Duration),
    /// The instance was ended because of another event: try again.
    #[error("the instance was ended because of another request")]
    InstanceEnded,
    /// The instance trapped; what it trapped with has been logged.
    #[error("the instance trapped")]
    Trapped,
    /// The guest gave what is no response.
    #[error("{0}")]
    BadResponse(String),
    /// The guest gave no response, or an error instead.
    #[error("{0:#}")]
    Failed(wasmtime::Error),
}

/// What is wrong with a request, for a component that takes requests whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// More than is kept in memory.
    #[error("the request's body has more than {limit} bytes, and the component takes it whole")]
    TooLarge {
        /// The most bytes of a body.
        limit: usize,
    },
    /// The client let us wait too long for the body.
    #[error("the request's body did not come within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The body broke off.
    #[error("the request's body could not be read: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// The interface has text where the request has other bytes.
    #[error("the request's header {0} is not UTF-8, and the component takes headers as text")]
    Header(HeaderName),
}

impl EventError {
    /// Why a streaming handler gave an error to the event of `record`, or could not be asked.
    pub(super) fn of_handler(error: wasmtime::Error, record: &EventRecord) -> Self {
        match record.exceeded_cpu_time() {
            true => Self::CpuTime,
            false => Self::of_resources(&error).unwrap_or(Self::Failed(error)),
        }
    }

    /// Why a streaming handler gave nothing at all to the event of `record`.
    pub(super) async fn of_lost_instance(record: &EventRecord) -> Self {
        // Its events are let go of a moment before it is said what became of an instance.
        record.instance_has_ended().await;
        match (record.exceeded_cpu_time(), record.trapped()) {
            (true, _) => Self::CpuTime,
            (false, true) => Self::Trapped,
            (false, false) => Self::InstanceEnded,
        }
    }

    /// Why there was no instance.
    pub(super) fn of_instantiation(error: InvokeError) -> Self {
        match error {
            InvokeError::Full(Full) => Self::Busy,
            InvokeError::Trap(error) => Self::Failed(error),
            InvokeError::Instantiate(error) => Self::of_resources(&error).unwrap_or(Self::Failed(error)),
        }
    }

    /// How a call into an instance that served nothing else ended; tells the log.
    pub(super) fn of_call(component: &ComponentId, error: &wasmtime::Error) -> Self {
        tell_end(component, error);
        Self::of_resources(error).unwrap_or(Self::Trapped)
    }

    /// If it failed for want of what instances use.
    fn of_resources(error: &wasmtime::Error) -> Option<Self> {
        if error.downcast_ref::<CpuTimeExceeded>().is_some() {
            Some(Self::CpuTime)
        } else if error.downcast_ref::<Full>().is_some()
            || error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some()
        {
            Some(Self::Busy)
        } else {
            None
        }
    }
}
