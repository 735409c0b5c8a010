//! What is answered to those who ask how an app is. Pure functions.

use hyper::StatusCode;
use serde_json::{Value, json};
use spin_app_model::launch::metrics::{Metric, RELOADS, TRIGGER_RESTARTS, TRIGGER_UP, prometheus_text};

use crate::supervise::board::{Answer, Board, Condition, Shown};
use crate::supervise::restart::OnExit;

/// The label that says which trigger a metric is of. Only ours counts.
const TRIGGER: &str = "trigger";

/// Whether the app is alive: every trigger runs and can be spoken with, or is about to be started again by us; who restarts
/// the whole app for that would only do it a second time. One without its channel is never ready again by itself.
pub(super) fn health(board: &Board) -> (StatusCode, Value) {
    let is_down = |shown: &Shown| match shown.condition {
        Condition::Ended => shown.on_exit != OnExit::Ignore,
        Condition::Unreachable => true,
        Condition::Starting | Condition::Ready | Condition::Waiting => false,
    };
    let is_well = board.is_draining || !board.triggers.iter().any(is_down);
    answer(is_well, if is_well { "healthy" } else { "unhealthy" }, board, &[])
}

/// Whether the app takes events: all triggers do, but those that may end and have.
pub(super) fn readiness(board: &Board, answers: &[Answer]) -> (StatusCode, Value) {
    let all_ready = board.triggers.iter().zip(answers).all(|(shown, answer)| match shown.condition {
        Condition::Ready => is_ready(answer),
        Condition::Ended => shown.on_exit == OnExit::Ignore,
        Condition::Starting | Condition::Unreachable | Condition::Waiting => false,
    });
    let word = match (board.is_draining, all_ready) {
        (true, _) => "draining",
        (false, true) => "ready",
        (false, false) => "not ready",
    };
    answer(word == "ready", word, board, answers)
}

/// What triggers count, and what is known of them here.
pub(super) fn metrics(board: &Board, answers: &[Answer]) -> String {
    let mut metrics = Vec::new();
    for (shown, answer) in board.triggers.iter().zip(answers) {
        let up = shown.condition == Condition::Ready && *answer != Answer::Missing;
        metrics.extend(Metric::gauge(name(TRIGGER_UP), f64::from(u8::from(up))).map(|metric| of(shown, metric)));
        let restarts = Metric::counter(name(TRIGGER_RESTARTS), shown.restarts as f64);
        metrics.extend(restarts.map(|metric| of(shown, metric)));
    }
    for &(outcome, count) in &board.reloads {
        let reloads = Metric::counter(name(RELOADS), count as f64);
        metrics.extend(reloads.map(|metric| metric.with_label(label("outcome"), outcome.as_str())));
    }
    for (shown, answer) in board.triggers.iter().zip(answers) {
        if let Answer::Status(status) = answer {
            let own = status.metrics.iter().filter(|metric| !is_ours(metric));
            metrics.extend(own.map(|metric| of(shown, metric.clone())));
        }
    }
    prometheus_text(&metrics)
}

fn is_ready(answer: &Answer) -> bool {
    match answer {
        Answer::Status(status) => status.ready,
        Answer::Mute => true,
        Answer::Missing => false,
    }
}

fn answer(is_well: bool, word: &str, board: &Board, answers: &[Answer]) -> (StatusCode, Value) {
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let triggers: Vec<Value> = board
        .triggers
        .iter()
        .enumerate()
        .map(|(number, shown)| {
            let state = match (shown.condition, answers.get(number)) {
                (Condition::Ready, Some(Answer::Missing)) => "not answering",
                (Condition::Ready, Some(answer)) if !is_ready(answer) => "not ready",
                (condition, _) => condition.as_str(),
            };
            json!({
                "type": shown.trigger_type.as_str(),
                "state": state,
                "on_exit": shown.on_exit.to_string(),
                "restarts": shown.restarts,
            })
        })
        .collect();
    (status, json!({ "status": word, "triggers": triggers }))
}

fn of(shown: &Shown, metric: Metric) -> Metric {
    metric.with_label(label(TRIGGER), shown.trigger_type.as_str())
}

fn is_ours(metric: &Metric) -> bool {
    [TRIGGER_UP, TRIGGER_RESTARTS, RELOADS].contains(&metric.name().as_str())
}

fn name(name: &str) -> spin_app_model::launch::metrics::MetricName {
    name.parse().expect("the names above are names of metrics")
}

fn label(name: &str) -> spin_app_model::launch::metrics::LabelName {
    name.parse().expect("the names above are names of labels")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use spin_app_model::launch::Status;

    use super::*;
    use crate::supervise::reload::Outcome;

    fn shown(name: &str, condition: Condition, on_exit: OnExit) -> Shown {
        Shown { trigger_type: name.parse().unwrap(), condition, on_exit, restarts: 0, asks: None }
    }

    fn board(triggers: Vec<Shown>) -> Board {
        Board { triggers, ..Board::default() }
    }

    fn status(ready: bool, metrics: Vec<Metric>) -> Answer {
        Answer::Status(Status::new(1, ready, metrics))
    }

    #[test]
    fn an_app_is_unhealthy_while_a_trigger_is_down_that_should_not_be() {
        for (condition, on_exit, expected) in [
            (Condition::Starting, OnExit::End, 200),
            (Condition::Ready, OnExit::End, 200),
            (Condition::Unreachable, OnExit::Ignore, 503),
            (Condition::Waiting, OnExit::Restart, 200),
            (Condition::Ended, OnExit::End, 503),
            (Condition::Ended, OnExit::Ignore, 200),
        ] {
            let mut board = board(vec![shown("http", condition, on_exit)]);
            assert_eq!(health(&board).0.as_u16(), expected, "{condition:?} {on_exit}");
            board.is_draining = true;
            assert_eq!(health(&board).0.as_u16(), 200, "an end in order is no illness");
        }
    }

    #[test]
    fn an_app_is_ready_when_all_are_but_those_that_may_end() {
        for (condition, on_exit, answer, expected) in [
            (Condition::Starting, OnExit::End, Answer::Mute, 503),
            (Condition::Ready, OnExit::End, Answer::Mute, 200),
            (Condition::Ready, OnExit::End, status(true, vec![]), 200),
            (Condition::Ready, OnExit::End, status(false, vec![]), 503),
            (Condition::Ready, OnExit::End, Answer::Missing, 503),
            (Condition::Unreachable, OnExit::End, Answer::Mute, 503),
            (Condition::Waiting, OnExit::Restart, Answer::Mute, 503),
            (Condition::Ended, OnExit::Ignore, Answer::Mute, 200),
        ] {
            let mut board = board(vec![shown("http", Condition::Ready, OnExit::End), shown("zzz", condition, on_exit)]);
            let answers = [Answer::Mute, answer];
            assert_eq!(readiness(&board, &answers).0.as_u16(), expected, "{condition:?} {answers:?}");
            board.is_draining = true;
            assert_eq!(readiness(&board, &answers).0.as_u16(), 503);
        }
    }

    #[test]
    fn the_body_has_a_line_for_every_trigger() {
        let board =
            board(vec![shown("http", Condition::Ready, OnExit::End), shown("job", Condition::Ended, OnExit::Ignore)]);
        let (_, body) = readiness(&board, &[Answer::Missing, Answer::Mute]);
        assert_eq!(
            body,
            json!({"status": "not ready", "triggers": [
                {"type": "http", "state": "not answering", "on_exit": "end", "restarts": 0},
                {"type": "job", "state": "ended", "on_exit": "ignore", "restarts": 0},
            ]})
        );
    }

    #[test]
    fn metrics_of_all_triggers_are_told_apart_by_a_label_of_ours() {
        let events = || Metric::counter(name("spin_events_total"), 3.0).unwrap();
        let forged = events().with_label(label("component"), "a").with_label(label(TRIGGER), "other");
        let up = Metric::gauge(name(TRIGGER_UP), 7.0).unwrap();
        let mut board =
            board(vec![shown("http", Condition::Ready, OnExit::End), shown("zzz", Condition::Ready, OnExit::Restart)]);
        board.triggers[1].restarts = 2;
        board.reloads = vec![(Outcome::Committed, 1)];
        let text = metrics(&board, &[status(true, vec![forged, up]), Answer::Missing]);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"spin_events_total{component="a",trigger="http"} 3"#,
                r#"spin_reloads_total{outcome="committed"} 1"#,
                r#"spin_trigger_restarts_total{trigger="http"} 0"#,
                r#"spin_trigger_restarts_total{trigger="zzz"} 2"#,
                r#"spin_trigger_up{trigger="http"} 1"#,
                r#"spin_trigger_up{trigger="zzz"} 0"#,
            ]
        );
    }
}
