//! The messages of a status: the host asks, a trigger answers how it is and what it has counted.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::launch::MAX_LINE_BYTES;
use crate::launch::metrics::Metric;

/// The feature of [`Hello`](super::Hello) that stands for these messages.
pub const STATUS: &str = "status";

/// The host wants to know how a trigger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StatusRequest {
    /// A number that the answer repeats.
    pub id: u64,
}

/// How a trigger is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Status {
    /// The number of the request.
    pub id: u64,
    /// Whether it takes new events: after its `ready`, and until it drains.
    pub ready: bool,
    /// What it has counted. Metrics of types that this version does not know are left out when it is read.
    #[serde(default, deserialize_with = "metrics_of_known_types")]
    pub metrics: Vec<Metric>,
}

impl StatusRequest {
    /// A request of this number.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self { id }
    }
}

impl Status {
    /// What is left of a line when everything but the metrics has been written.
    const ROOM_FOR_METRICS: usize = MAX_LINE_BYTES - 1024;

    /// The answer to request `id`. Metrics that no longer fit a line are left out.
    #[must_use]
    pub fn new(id: u64, ready: bool, mut metrics: Vec<Metric>) -> Self {
        let mut length = 0;
        metrics.retain(|metric| {
            length += super::encode(metric).len();
            length <= Self::ROOM_FOR_METRICS
        });
        Self { id, ready, metrics }
    }
}

fn metrics_of_known_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Metric>, D::Error> {
    let metrics = Vec::<Value>::deserialize(deserializer)?;
    let known = metrics.into_iter().filter(|metric| !Metric::is_of_unknown_type(metric));
    known.map(|metric| serde_json::from_value(metric).map_err(serde::de::Error::custom)).collect()
}
