//! Metrics as the text that Prometheus reads, version 0.0.4 of its format.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{
    EVENT_DURATION, EVENT_FAILURES, EVENTS, LIVE_INSTANCES, LabelName, MEMORY, Metric, MetricName, MetricValue,
    RELOADS, TRIGGER_RESTARTS, TRIGGER_UP,
};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is said of the metrics whose names have a meaning in every trigger.
const HELP: &[(&str, &str)] = &[
    (EVENTS, "Events that were handled, failed ones included."),
    (EVENT_FAILURES, "Events that failed."),
    (EVENT_DURATION, "How long events took."),
    (LIVE_INSTANCES, "Instances of components that exist now."),
    (MEMORY, "Resident memory of the trigger's process."),
    (TRIGGER_UP, "Whether the trigger runs and answers."),
    (TRIGGER_RESTARTS, "How often the trigger was started anew."),
    (RELOADS, "Reloads of the application."),
];

/// Writes metrics in the order of their names and labels, those of a name together below one head.
///
/// What would make the text invalid is left out: of two metrics that differ in nothing but their values the second, and
/// one whose name stands for another type already.
#[must_use]
pub fn prometheus_text<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> String {
    let mut families: BTreeMap<&MetricName, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        families.entry(&metric.name).or_default().push(metric);
    }
    let mut text = String::new();
    for (name, metrics) in families {
        let kind = kind(metrics[0]);
        if let Some((_, help)) = HELP.iter().find(|(known, _)| *known == name.as_str()) {
            line(&mut text, format_args!("# HELP {name} {help}"));
        }
        line(&mut text, format_args!("# TYPE {name} {kind}"));
        let mut written = BTreeSet::new();
        for metric in metrics {
            if self::kind(metric) == kind && written.insert(&metric.labels) {
                samples(&mut text, metric);
            }
        }
    }
    text
}

fn kind(metric: &Metric) -> &'static str {
    match metric.value {
        MetricValue::Counter(_) => "counter",
        MetricValue::Gauge(_) => "gauge",
        MetricValue::Histogram(_) => "histogram",
    }
}

fn samples(text: &mut String, Metric { name, labels, value }: &Metric) {
    let plain = label_set(labels, None);
    match value {
        MetricValue::Counter(value) | MetricValue::Gauge(value) => line(text, format_args!("{name}{plain} {value}")),
        MetricValue::Histogram(histogram) => {
            for (bound, count) in &histogram.buckets {
                let labels = label_set(labels, Some(&bound.to_string()));
                line(text, format_args!("{name}_bucket{labels} {count}"));
            }
            let (all, count) = (label_set(labels, Some("+Inf")), histogram.count);
            line(text, format_args!("{name}_bucket{all} {count}"));
            line(text, format_args!("{name}_sum{plain} {}", histogram.sum));
            line(text, format_args!("{name}_count{plain} {count}"));
        }
    }
}

/// `{a="1",b="2"}`, or nothing if there is no label.
fn label_set(labels: &BTreeMap<LabelName, String>, bound: Option<&str>) -> String {
    let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = own.chain(bound.map(|bound| ("le", bound)));
    let written: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    match written.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", written.join(",")),
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string does not fail");
}
