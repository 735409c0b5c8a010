//! What a trigger counts besides its events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spin_app_model::launch::metrics::{LabelName, Metric, MetricName};

use crate::error::Error;

/// A number that only rises, told among the metrics; see [`App::counter`](crate::App::counter). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How much it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

type Labels = BTreeMap<LabelName, String>;

/// All counters of the process, by name and labels. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<(MetricName, Labels), Counter>>>);

impl Counters {
    /// The counter of this name and these labels: the same one whenever it is asked for.
    ///
    /// # Errors
    /// For a name that Prometheus doesn't take.
    pub(crate) fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter, Error> {
        let failed = |error| Error::new("trigger::metric", error);
        let name: MetricName = name.parse().map_err(failed)?;
        let labels = labels
            .iter()
            .map(|(label, value)| Ok((label.parse().map_err(failed)?, (*value).to_owned())))
            .collect::<Result<Labels, Error>>()?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(all.entry((name, labels)).or_default().clone())
    }

    #[allow(clippy::cast_precision_loss, reason = "a count beyond 2^53 may lose its last digits")]
    pub(crate) fn collect(&self) -> Vec<Metric> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter_map(|((name, labels), counter)| {
                let metric = Metric::counter(name.clone(), counter.get() as f64).ok()?;
                Some(labels.iter().fold(metric, |metric, (label, value)| metric.with_label(label.clone(), value)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use spin_app_model::launch::metrics::prometheus_text;

    use super::*;

    #[test]
    fn one_name_with_the_same_labels_is_one_counter() {
        let counters = Counters::default();
        let counter = |labels: &[(&str, &str)]| counters.counter("lost_total", labels).expect("a name");
        counter(&[("server", "a")]).add(2);
        counter(&[("server", "b")]).add(1);
        counter(&[("server", "a")]).add(3);
        assert_eq!(counter(&[("server", "a")]).get(), 5);
        let text = prometheus_text(&counters.collect());
        assert!(text.ends_with("lost_total{server=\"a\"} 5\nlost_total{server=\"b\"} 1\n"), "{text}");
    }

    #[test]
    fn what_prometheus_does_not_take_is_refused() {
        let error = Counters::default().counter("no name", &[]).expect_err("a space");
        assert!(error.to_string().contains("no name"), "{error}");
    }
}
