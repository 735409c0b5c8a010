//! What a metric may be, and that the text reads back as what was written.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn name(text: &str) -> MetricName {
    text.parse().unwrap()
}

fn label(text: &str) -> LabelName {
    text.parse().unwrap()
}

#[test]
fn names_are_those_that_prometheus_takes() {
    for good in ["a", "_a1", "spin_events_total", "A", &"x".repeat(128)] {
        assert!(good.parse::<MetricName>().is_ok() && good.parse::<LabelName>().is_ok(), "{good}");
    }
    for bad in ["", "1a", "a-b", "a:b", "a b", "é", "a\n", &"x".repeat(129)] {
        assert!(bad.parse::<MetricName>().is_err() && bad.parse::<LabelName>().is_err(), "{bad:?}");
    }
    for reserved in ["le", "quantile", "__name__"] {
        let error = reserved.parse::<LabelName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{reserved:?} is not the name of a label: Prometheus has a meaning of its own for it")
        );
        assert!(reserved.parse::<MetricName>().is_ok());
    }
}

#[test]
fn values_that_say_nothing_are_refused() {
    let error = Metric::counter(name("a_total"), -1.0).unwrap_err();
    assert_eq!(error.to_string(), "metric a_total: a counter can't be negative");
    for value in [f64::NAN, f64::INFINITY] {
        assert!(Metric::counter(name("a"), value).is_err() && Metric::gauge(name("a"), value).is_err());
    }
    assert!(Metric::gauge(name("a"), -0.5).is_ok());
    let histogram = |buckets: &[(f64, u64)], sum| Metric::histogram(name("a"), buckets.to_vec(), sum, 5);
    assert!(histogram(&[], 1.0).is_ok() && histogram(&[(0.1, 2), (1.0, 2)], 1.0).is_ok());
    assert!(histogram(&[], f64::NAN).is_err());
    for buckets in [[(1.0, 1), (1.0, 2)], [(0.1, 2), (1.0, 1)], [(0.1, 2), (1.0, 6)], [(0.1, 1), (f64::INFINITY, 5)]] {
        assert!(histogram(&buckets, 1.0).is_err(), "{buckets:?}");
    }
}

#[test]
fn what_comes_over_the_channel_is_checked_too() {
    let read = |value: serde_json::Value| serde_json::from_value::<Metric>(value);
    let metric = read(json!({"name": "a", "type": "counter", "value": 12, "unit": "things"})).unwrap();
    assert_eq!(metric, Metric::counter(name("a"), 12.0).unwrap());
    let error = read(json!({"name": "a", "type": "counter", "labels": {"le": "1"}, "value": 12})).unwrap_err();
    assert!(error.to_string().contains("\"le\" is not the name of a label"), "{error}");
    assert!(read(json!({"name": "a", "type": "counter", "value": -1})).is_err());
    assert!(read(json!({"name": "a", "type": "gauge", "value": null})).is_err());
    assert!(
        read(json!({"name": "a", "type": "histogram", "buckets": [[1, 3], [2, 1]], "sum": 0, "count": 3})).is_err()
    );
}

#[test]
fn metrics_of_a_name_stand_together_below_one_head() {
    let of = |component: &str| {
        let labelled = |metric: Metric| metric.with_label(label("component"), component);
        [
            labelled(Metric::counter(name(EVENTS), 12.0).unwrap()),
            labelled(Metric::histogram(name(EVENT_DURATION), vec![(0.005, 3), (0.1, 11)], 0.31, 12).unwrap()),
        ]
    };
    let others = [
        Metric::gauge(name("temperature"), -0.5).unwrap(),
        // Nobody can tell these from others, or they are of another type.
        Metric::gauge(name("temperature"), 4.0).unwrap(),
        Metric::counter(name("temperature"), 4.0).unwrap().with_label(label("room"), "a"),
    ];
    let text = prometheus_text(of("hello").iter().chain(&others).chain(&of("back\\slash \"quoted\"\nline")));
    let expected = r##"# HELP spin_event_duration_seconds How long events took.
# TYPE spin_event_duration_seconds histogram
spin_event_duration_seconds_bucket{component="hello",le="0.005"} 3
spin_event_duration_seconds_bucket{component="hello",le="0.1"} 11
spin_event_duration_seconds_bucket{component="hello",le="+Inf"} 12
spin_event_duration_seconds_sum{component="hello"} 0.31
spin_event_duration_seconds_count{component="hello"} 12
spin_event_duration_seconds_bucket{component="back\\slash \"quoted\"\nline",le="0.005"} 3
spin_event_duration_seconds_bucket{component="back\\slash \"quoted\"\nline",le="0.1"} 11
spin_event_duration_seconds_bucket{component="back\\slash \"quoted\"\nline",le="+Inf"} 12
spin_event_duration_seconds_sum{component="back\\slash \"quoted\"\nline"} 0.31
spin_event_duration_seconds_count{component="back\\slash \"quoted\"\nline"} 12
# HELP spin_events_total Events that were handled, failed ones included.
# TYPE spin_events_total counter
spin_events_total{component="hello"} 12
spin_events_total{component="back\\slash \"quoted\"\nline"} 12
# TYPE temperature gauge
temperature -0.5
"##;
    assert_eq!(text, expected);
}

/// Reads a sample line as Prometheus does: name, labels, value.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    while let Some(label) = rest.strip_prefix(['{', ',']) {
        let (key, quoted) = label.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, character) => value.push(character),
            }
        };
        labels.insert(key.to_owned(), value);
        rest = &quoted[end + 1..];
    }
    let value = rest.trim_start_matches('}').strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap())
}

proptest! {
    #[test]
    fn the_text_reads_back_as_what_was_written(
        metric in "[a-zA-Z_][a-zA-Z0-9_]{0,9}",
        labels in prop::collection::btree_map("[a-z][a-z0-9]{2,4}", "(.|\n|\\\\|\"){0,12}", 0..4),
        value in 0.0..1e18,
    ) {
        let mut metric = Metric::counter(name(&metric), value).unwrap();
        for (key, text) in &labels {
            metric = metric.with_label(label(key), text);
        }
        let text = prometheus_text([&metric]);
        // Split at newlines alone, as Prometheus does.
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap().split('\n').collect();
        prop_assert_eq!(lines.len(), 2);
        prop_assert_eq!(lines[0], format!("# TYPE {} counter", metric.name()));
        prop_assert_eq!(sample(lines[1]), (metric.name().to_string(), labels, value));
    }

    #[test]
    fn what_was_sent_is_what_is_read(
        counts in prop::collection::vec((0.001..1e6, 0u64..100), 0..6), sum in -1e6..1e6, more in 0u64..9,
    ) {
        let (mut bound, mut count) = (0.0, 0);
        let buckets = counts.iter().map(|(step, values)| { bound += step; count += values; (bound, count) }).collect();
        let metric = Metric::histogram(name("a"), buckets, sum, count + more).unwrap().with_label(label("b"), "c");
        let line = serde_json::to_string(&metric).unwrap();
        prop_assert_eq!(serde_json::from_str::<Metric>(&line).unwrap(), metric);
    }
}
