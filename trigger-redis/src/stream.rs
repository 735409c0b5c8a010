//! A stream that messages are taken from as one consumer of a group.
//!
//! The server keeps what was taken and not acknowledged (`XPENDING`). What is being handled here is claimed by its own consumer
//! again and again, so that it doesn't look forgotten; what nobody has looked after for the time `claim_after` is claimed by
//! whoever comes first, this consumer or another.

mod entries;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value, pipe};
use spin_trigger_kit::tokio::sync::watch;
use spin_trigger_kit::tokio::time::sleep;
use spin_trigger_kit::{Stop, tokio, tracing};

use crate::connect::Commands;
use crate::delivery::{Counts, Outcome, Running, Settling, WAITING, answer, batch, deliver, message, waited_answer};
use crate::permissions::{self, Needed};
use crate::plan::StreamSource;
use crate::queue::{Handle, Places};
use crate::server::{ConnectFailure, Ended, Server, Session};
use entries::{Entry, Fields};

/// Takes messages from a stream.
pub struct StreamWorker<H> {
    stream: StreamSource,
    handler: Arc<H>,
    places: Places,
    counts: Counts,
    consumer: String,
    under_way: UnderWay,
    /// When to look for what others have left.
    next_claim: Instant,
    current: watch::Sender<Option<MultiplexedConnection>>,
    settling: Settling,
    running: Running,
}

/// The entries that are handled here or wait for a place.
#[derive(Clone, Debug, Default)]
struct UnderWay(Arc<Mutex<HashSet<String>>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None if it is already.
    fn add(&self, id: &str) -> Option<Mark> {
        self.lock().insert(id.to_owned()).then(|| Mark(self.clone(), id.to_owned()))
    }

    fn ids(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }
}

/// One entry is under way as long as this lives.
struct Mark(UnderWay, String);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// The connections.
pub struct Connection {
    taking: Commands,
    settling: Commands,
}

impl<H: Handle> StreamWorker<H> {
    /// One that has no connection yet.
    pub fn new(stream: StreamSource, handler: Arc<H>, places: Places, counts: Counts) -> Self {
        let (current, settling) = Settling::new();
        Self {
            stream,
            handler,
            places,
            counts,
            consumer: format!("spin-{:016x}", fastrand::u64(..)),
            under_way: UnderWay::default(),
            next_claim: Instant::now(),
            current,
            settling,
            running: Running::default(),
        }
    }

    /// Waits until everything that was begun is done.
    pub async fn finished(self) {
        let Self { current, mut running, .. } = self;
        // From here on there is no other connection to wait for.
        drop(current);
        running.finished().await;
    }

    /// The commands that are sent for the stream.
    fn needed(&self) -> [Needed; 8] {
        let StreamSource { name, group, .. } = &self.stream;
        let (name, group, consumer) = (&**name, &**group, &*self.consumer);
        [
            Needed::with_prefix("XGROUP", &["CREATE"], &[name], &[group, "0"]),
            Needed::with_prefix("XGROUP", &["DELCONSUMER"], &[name], &[group, consumer]),
            Needed::with_prefix("XREADGROUP", &["GROUP", group, consumer, "STREAMS"], &[name], &[">"]),
            Needed::new("XACK", &[name], &[group, "0-0"]),
            Needed::new("XCLAIM", &[name], &[group, consumer, "0", "0-0"]),
            Needed::new("XAUTOCLAIM", &[name], &[group, consumer, "0", "0-0"]),
            Needed::new("XPENDING", &[name], &[group]),
            Needed::new("XADD", &[&self.stream.delivery.dead_letter], &["*", &self.stream.field, ""]),
        ]
    }

    /// Takes entries until the end is asked for.
    async fn take(&mut self, connection: &mut MultiplexedConnection, stop: &Stop) -> RedisResult<()> {
        while !stop.is_requested() {
            if self.next_claim <= Instant::now() {
                self.claim(connection, stop).await?;
            }
            let mut command = redis::cmd("XREADGROUP");
            command.arg("GROUP").arg(&self.stream.group).arg(&self.consumer);
            command.arg("COUNT").arg(batch(self.places.free())).arg("BLOCK").arg(WAITING.as_millis() as u64);
            command.arg("STREAMS").arg(&self.stream.name).arg(">");
            let read: Value = waited_answer(command.query_async(connection)).await?;
            let entries = entries::of_read(read)?.into_iter().map(|entry| (entry, 1)).collect();
            self.begin(entries, stop).await;
        }
        Ok(())
    }

    /// Takes over what nobody has looked after.
    async fn claim(&mut self, connection: &mut MultiplexedConnection, stop: &Stop) -> RedisResult<()> {
        let count = batch(self.places.free());
        let idle = u64::try_from(self.stream.delivery.claim_after.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(&self.stream.name).arg(&self.stream.group).arg(&self.consumer).arg(idle);
        command.arg("0-0").arg("COUNT").arg(count);
        let claimed = entries::of_claim(answer(command.query_async(connection)).await?)?;
        // As long as there are as many as were asked for, there may be more.
        if claimed.len() < count {
            self.next_claim = Instant::now() + self.stream.delivery.claim_after / 2;
        }
        let claimed: Vec<Entry> =
            claimed.into_iter().filter(|entry| !self.under_way.lock().contains(&entry.id)).collect();
        if claimed.is_empty() {
            return Ok(());
        }
        let mut commands = pipe();
        for Entry { id, .. } in &claimed {
            commands.cmd("XPENDING").arg(&self.stream.name).arg(&self.stream.group).arg(id).arg(id).arg(1);
        }
        let pending: Vec<Value> = answer(commands.query_async(connection)).await?;
        self.counts.recovered.add(claimed.len() as u64);
        let deliveries = pending.iter().map(entries::deliveries);
        self.begin(claimed.into_iter().zip(deliveries).collect(), stop).await;
        Ok(())
    }

    /// Begins to handle entries, each handed over so many times. Those that get no place any more stay with the server.
    async fn begin(&mut self, entries: Vec<(Entry, u32)>, stop: &Stop) {
        // Those that wait for a place aren't forgotten either.
        let mark = |(entry, delivery): (Entry, u32)| Some((self.under_way.add(&entry.id)?, entry, delivery));
        let marked: Vec<_> = entries.into_iter().filter_map(mark).collect();
        for (mark, entry, delivery) in marked {
            let Some(place) = stop.unless_requested(self.places.acquire()).await else { return };
            let work = self.work(entry, delivery, stop.clone());
            self.running.begin(place, async move {
                work.await;
                drop(mark);
            });
        }
    }

    /// Handles an entry and settles it.
    fn work(&self, entry: Entry, delivery: u32, stop: Stop) -> impl Future<Output = ()> + Send + use<H> {
        let (handler, settling, counts) = (Arc::clone(&self.handler), self.settling.clone(), self.counts.clone());
        let stream = self.stream.clone();
        async move {
            let Entry { id, fields } = entry;
            let mut commands = pipe();
            let acknowledge = |commands: &mut redis::Pipeline| {
                commands.cmd("XACK").arg(&stream.name).arg(&stream.group).arg(&id);
            };
            // It was deleted meanwhile.
            let Some(fields) = fields else {
                acknowledge(&mut commands);
                return settling.settle(&commands).await;
            };
            let outcome = handled(&*handler, &stream, &id, &fields, delivery, &counts, &stop).await;
            match outcome {
                Outcome::Handled => {}
                Outcome::Failed => {
                    commands.atomic().cmd("XADD").arg(&stream.delivery.dead_letter).arg("*");
                    for (name, value) in &fields {
                        commands.arg(name).arg(value);
                    }
                    counts.dead_letters.add(1);
                }
                Outcome::Interrupted => return,
            }
            acknowledge(&mut commands);
            settling.settle(&commands).await;
        }
    }
}

/// What becomes of an entry.
async fn handled<H: Handle>(
    handler: &H,
    stream: &StreamSource,
    id: &str,
    fields: &Fields,
    delivery: u32,
    counts: &Counts,
    stop: &Stop,
) -> Outcome {
    let (name, dead_letter, attempts) = (&stream.name, &stream.delivery.dead_letter, stream.delivery.attempts);
    let Some((_, payload)) = fields.iter().find(|(field, _)| field == stream.field.as_bytes()) else {
        tracing::warn!("entry {id} of {name} has no field {:?}: it is put into {dead_letter}", stream.field);
        return Outcome::Failed;
    };
    // Those who had it before were gone before they could say what became of it.
    let Some(left) = attempts.checked_sub(delivery.saturating_sub(1)).filter(|left| *left > 0) else {
        tracing::warn!("entry {id} of {name} was handed over {delivery} times in vain: it is put into {dead_letter}");
        return Outcome::Failed;
    };
    let outcome = deliver(handler, &message(name, payload.clone()), left, &counts.retries, stop).await;
    if outcome == Outcome::Failed {
        tracing::warn!("entry {id} of {name} failed {attempts} times: it is put into {dead_letter}");
    }
    outcome
}

/// Shows the server every now and then that what is under way is not forgotten.
async fn tend(
    stream: StreamSource,
    consumer: String,
    under_way: UnderWay,
    mut commands: MultiplexedConnection,
) -> RedisError {
    loop {
        sleep(stream.delivery.claim_after / 3).await;
        let ids = under_way.ids();
        if ids.is_empty() {
            continue;
        }
        let mut command = redis::cmd("XCLAIM");
        command.arg(&stream.name).arg(&stream.group).arg(&consumer).arg(0).arg(ids).arg("JUSTID");
        if let Err(error) = answer(command.query_async::<Value>(&mut commands)).await {
            return error;
        }
    }
}

/// Takes a consumer that has nothing pending out of its group; with one that has, its entries would be forgotten.
async fn leave(stream: &StreamSource, consumer: &str, mut commands: MultiplexedConnection) -> RedisResult<()> {
    let mut command = redis::cmd("XPENDING");
    command.arg(&stream.name).arg(&stream.group).arg("-").arg("+").arg(1).arg(consumer);
    let pending: Vec<Value> = answer(command.query_async(&mut commands)).await?;
    if pending.is_empty() {
        let mut command = redis::cmd("XGROUP");
        command.arg("DELCONSUMER").arg(&stream.name).arg(&stream.group).arg(consumer);
        answer(command.query_async::<Value>(&mut commands)).await?;
    }
    Ok(())
}

impl<H: Handle> Session for StreamWorker<H> {
    type Connection = Connection;

    async fn connect(&mut self, server: &Server) -> Result<Connection, ConnectFailure> {
        let (mut taking, mut settling) =
            tokio::try_join!(server.connector.commands(&server.address), server.connector.commands(&server.address),)?;
        permissions::check(&mut taking.connection, &self.needed()).await?;
        // From the stream's beginning: what was added before anybody listened is not lost.
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(&self.stream.name).arg(&self.stream.group).arg("0").arg("MKSTREAM");
        match command.query_async::<Value>(&mut settling.connection).await {
            Ok(_) => {}
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            Err(error) => return Err(error.into()),
        }
        self.next_claim = Instant::now();
        // Its receivers are messages under way; there may be none.
        self.current.send_replace(Some(settling.connection.clone()));
        Ok(Connection { taking, settling })
    }

    async fn serve(&mut self, mut connection: Connection, stop: &Stop) -> Ended {
        let commands = connection.settling.connection.clone();
        let tending = tend(self.stream.clone(), self.consumer.clone(), self.under_way.clone(), commands.clone());
        let mut tending = std::pin::pin!(tending);
        let taken = tokio::select! {
            biased;
            error = &mut tending => Err(error),
            taken = self.take(&mut connection.taking.connection, stop) => taken,
        };
        if let Err(error) = taken {
            return permissions::ended(error, &mut connection.taking.connection, &self.needed()).await;
        }
        tokio::select! {
            error = &mut tending => tracing::debug!("{error}"),
            () = self.running.finished() => {}
        }
        if let Err(error) = leave(&self.stream, &self.consumer, commands).await {
            tracing::debug!("{}: the consumer stays in its group: {error}", self.stream.name);
        }
        Ended::Stopped
    }
}
