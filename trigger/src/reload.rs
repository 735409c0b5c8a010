//! A new generation of the app while the trigger runs: what the host asks for, step by step.
//!
//! Preparing one is reading its lock, compiling its components and asking the trigger. Nothing of it is used before the host
//! says so, and if anything is wrong the trigger goes on as it was. What then takes the new generation is, unless the trigger
//! has a hook ([`App::on_reload`]), a new value of the trigger whose `run` follows that of the old one.

use std::path::PathBuf;

use spin_app_model::launch::Reload;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::app::{App, Swap};
use crate::control::Control;
use crate::declared::Declared;
use crate::error::Error;
use crate::generation::{Loader, Source};
use crate::stop::Stop;
use crate::trigger::Trigger;

/// What the host wants of generations.
#[derive(Debug)]
pub(crate) enum Order {
    /// Prepare this one.
    Prepare(Reload),
    /// Use the one that was prepared.
    Commit(u64),
    /// Forget it.
    Abort(u64),
}

/// A trigger that takes the place of the one that runs.
pub(crate) struct Start<T> {
    pub(crate) trigger: T,
    pub(crate) app: App,
    pub(crate) stop: Stop,
}

/// Takes the host's orders for a trigger of type `T`.
pub(crate) struct Reloads<T: Trigger> {
    pub(crate) loader: Loader,
    pub(crate) flags: T::Flags,
    pub(crate) control: Control,
    /// The end of the process.
    pub(crate) stop: Stop,
    /// The generation that new events are served by, and the end of the `run` that serves it.
    pub(crate) app: App,
    pub(crate) running: Stop,
    pub(crate) starts: UnboundedSender<Start<T>>,
}

enum Next<T> {
    /// The trigger that runs takes it.
    Swap(Swap),
    /// Another one does.
    Run(Box<T>),
}

impl<T: Trigger> Reloads<T> {
    /// Obeys until there are no more orders.
    pub(crate) async fn obey(mut self, mut orders: UnboundedReceiver<Order>) {
        self.control.health().became_ready().await;
        while let Some(order) = orders.recv().await {
            // Others belong to a generation that has been rejected.
            if let Order::Prepare(reload) = order {
                self.reload(&reload, &mut orders).await;
            }
        }
    }

    async fn reload(&mut self, reload: &Reload, orders: &mut UnboundedReceiver<Order>) {
        // Compiling can't be interrupted, and uses the folder of the generation to its end.
        let prepared = match self.compile(reload).await {
            Ok((app, declared)) => tokio::select! {
                biased;
                () = aborted(reload.id, orders) => Err(Error::new("reload::given-up", "the host has given it up")),
                next = self.next(&app, declared) => next.map(|next| (app, next)),
            },
            Err(error) => Err(error),
        };
        let (app, next) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.control.rejected(reload.id, &error),
        };
        self.control.prepared(reload.id);
        loop {
            match orders.recv().await {
                Some(Order::Commit(id)) if id == reload.id => return self.commit(id, app, next),
                Some(Order::Abort(id)) if id == reload.id => return,
                Some(_) => {}
                None => return,
            }
        }
    }

    async fn compile(&mut self, reload: &Reload) -> Result<(App, Declared<T>), Error> {
        let source = Source::new(&reload.locked_url, PathBuf::from(&reload.working_dir))?;
        let read = self.loader.read::<T>(&source).await?;
        let declared = read.declared::<T>()?;
        Ok((read.prepare(Some(&self.app), &self.control).await?, declared))
    }

    /// What takes the generation once it is committed.
    async fn next(&self, app: &App, declared: Declared<T>) -> Result<Next<T>, Error> {
        if self.app.has_hook() {
            return self.app.ask_hook(app).map(Next::Swap);
        }
        let mut trigger = T::new(self.flags.clone(), declared)?;
        trigger.prepare(app).await?;
        Ok(Next::Run(Box::new(trigger)))
    }

    fn commit(&mut self, id: u64, app: App, next: Next<T>) {
        let old = std::mem::replace(&mut self.app, app.clone());
        let control = self.control.clone();
        let committed = move || {
            control.committed(id);
            // From here on its end is the end of its last event.
            old.replaced_by(id);
        };
        match next {
            Next::Swap(swap) => {
                swap();
                committed();
            }
            Next::Run(trigger) => {
                app.when_ready(move |_| committed());
                // The old one takes no more events before the new one takes its first: none is handled twice.
                self.running.request_without_limit();
                self.running = self.stop.child();
                let start = Start { trigger: *trigger, app, stop: self.running.clone() };
                // If nobody takes it the process is ending.
                let _ = self.starts.send(start);
            }
        }
    }
}

/// Waits until the host gives up the generation `id`.
async fn aborted(id: u64, orders: &mut UnboundedReceiver<Order>) {
    loop {
        match orders.recv().await {
            Some(Order::Abort(aborted)) if aborted == id => return,
            Some(_) => {}
            // The end of the channel has its own consequences.
            None => std::future::pending().await,
        }
    }
}
