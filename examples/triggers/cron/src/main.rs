//! The cron trigger: calls components at the times of a cron expression.
//!
//! ```toml
//! [[trigger.cron]]
//! component = "cleaner"
//! cron_expression = "0 30 4 * * *"   # seconds first; a seventh field is for years
//! time_zone = "Europe/Berlin"        # UTC if left out
//! allow_overlap = false              # whether a run may begin while the one before still goes on
//! ```
//!
//! | Module | Responsible for |
//! |---|---|
//! | `schedule` | which times an expression names |
//! | `guest` | what a component exports, and calling it |
//!
//! Times that pass while the trigger does not run, or while the machine sleeps, are not made up for.

mod guest;
mod schedule;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use guest::Guest;
use jiff::Timestamp;
use schedule::Schedule;
use spin_trigger_kit::serde::Deserialize;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::{App, ComponentId, Declared, Error, NoFlags, Stop, Trigger, tokio, tracing};

/// How often the clock is looked at: it may be set, and it goes on while the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// A `[[trigger.cron]]` entry.
#[derive(Clone, Deserialize)]
#[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
struct Entry {
    component: ComponentId,
    cron_expression: String,
    time_zone: Option<String>,
    #[serde(default)]
    allow_overlap: bool,
}

/// When to call what.
struct CronTrigger(Vec<(Entry, Schedule)>);

impl Trigger for CronTrigger {
    const TYPE: &'static str = "cron";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Entry;
    type Settings = ();
    type Flags = NoFlags;

    fn new(_: NoFlags, declared: Declared<Self>) -> Result<Self, Error> {
        let jobs = declared.entries.into_iter().map(|entry| {
            let schedule = Schedule::parse(&entry.config.cron_expression, entry.config.time_zone.as_deref());
            let schedule = schedule
                .map_err(|problem| Error::new("cron::schedule", format!("trigger \"{}\": {problem}", entry.id)))?;
            Ok((entry.config, schedule))
        });
        jobs.collect::<Result<_, _>>().map(Self)
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let mut jobs = JoinSet::new();
        for (entry, schedule) in self.0 {
            let guest = Guest::new(app.component(&entry.component)?, app.events(&entry.component))?;
            jobs.spawn(keep(schedule, Arc::new(guest), entry.allow_overlap, stop.clone()));
        }
        app.ready([]);
        jobs.join_all().await;
        // A schedule that names no more times is no reason to end the app.
        stop.requested().await;
        Ok(())
    }
}

/// Calls `guest` at every time of `schedule`, until the end is asked for; then waits for the calls that still run.
async fn keep(schedule: Schedule, guest: Arc<Guest>, allow_overlap: bool, stop: Stop) {
    let mut running = JoinSet::new();
    let mut last = Timestamp::now();
    while let Some(next) = schedule.after(last) {
        tokio::select! {
            () = wait_until(next) => {}
            () = stop.requested() => break,
        }
        // What the clock has passed meanwhile is not made up for.
        last = next.max(Timestamp::now());
        while running.try_join_next().is_some() {}
        if !allow_overlap && !running.is_empty() {
            tracing::warn!(component = guest.id(), "the run at {next} is left out: the one before still goes on");
            continue;
        }
        let guest = Arc::clone(&guest);
        running.spawn(async move {
            if let Err(failure) = guest.call(u64::try_from(next.as_second()).unwrap_or(0)).await {
                tracing::error!(component = guest.id(), "the run at {next} failed: {failure}");
            }
        });
    }
    running.join_all().await;
}

async fn wait_until(time: Timestamp) {
    while let Ok(left) = Duration::try_from(time.duration_since(Timestamp::now()))
        && !left.is_zero()
    {
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

fn main() -> ExitCode {
    spin_trigger_kit::main::<CronTrigger>()
}
