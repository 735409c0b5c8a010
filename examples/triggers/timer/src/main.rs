use spin_trigger_kit::tokio::{task::JoinSet, time};
use spin_trigger_kit::{App, ComponentId, Declared, Error, NoFlags, Stop, Trigger, bindgen, serde, tracing};
bindgen!({ inline: "package a:b; world timer { export handle-timer-request: func(); }", exports: { default: async } });
#[derive(serde::Deserialize)]
#[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
struct Entry { component: ComponentId, interval_secs: u64 }
struct TimerTrigger(Vec<Entry>);

impl Trigger for TimerTrigger {
    const TYPE: &'static str = "timer";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Entry;
    type Settings = ();
    type Flags = NoFlags;
    fn new(_: NoFlags, declared: Declared<Self>) -> Result<Self, Error> {
        Ok(Self(declared.entries.into_iter().map(|entry| entry.config).collect()))
    }
    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let mut timers = JoinSet::new();
        for Entry { component: id, interval_secs } in self.0 {
            let (component, events, stop) = (app.component(&id)?, app.events(&id), stop.clone());
            let exports = TimerIndices::new(component.pre())?;
            timers.spawn(async move {
                let mut ticks = time::interval(time::Duration::from_secs(interval_secs));
                while stop.unless_requested(ticks.tick()).await.is_some() {
                    let call = async {
                        let mut event = component.instantiate().await?;
                        let (meter, guest) = (event.meter(), exports.load(&mut event.store, &event.instance)?);
                        Ok::<_, Error>(meter.run(guest.call_handle_timer_request(&mut event.store)).await?)
                    };
                    events.handle(call).await.unwrap_or_else(|error| tracing::error!("{error}"));
                }
            });
        }
        app.ready([]);
        stop.requested().await;
        Ok(drop(timers.join_all().await))
    }
}
fn main() -> std::process::ExitCode { spin_trigger_kit::main::<TimerTrigger>() }
