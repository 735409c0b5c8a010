//! A list that messages are taken from, and are not lost before they are handled.
//!
//! Keys at the server, for a list `L`:
//!
//! | key | what is in it |
//! |---|---|
//! | `L` | messages that wait: producers push on the left (`LPUSH`), the right end is next |
//! | `L:processing:ID` | messages that the instance `ID` has taken and not settled |
//! | `L:instances` | a sorted set: when each `ID` was last heard of, in the server's milliseconds |
//! | `L:dead` | messages that failed as often as they may, unless the entry names another list |
//!
//! A message is moved from `L` to `L:processing:ID` by one command, and removed from there when it was handled. Whoever isn't
//! heard of for the time `claim_after` is taken for dead, and others put its messages back. An `ID` stands for a connection, so
//! that what was moved while a connection was lost is found again in the same way.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, pipe};
use spin_trigger_kit::tokio::sync::watch;
use spin_trigger_kit::tokio::time::sleep;
use spin_trigger_kit::{Counter, Stop, tokio, tracing};

use crate::connect::Commands;
use crate::delivery::{Counts, Outcome, Running, Settling, WAITING, answer, batch, deliver, message, waited_answer};
use crate::permissions::{self, Needed};
use crate::plan::ListSource;
use crate::queue::{Handle, Places};
use crate::server::{ConnectFailure, Ended, Server, Session};

/// How long somebody stays known who wasn't heard of: longer than a command that it sent before can still take effect.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Takes messages from a list.
pub struct ListWorker<H> {
    list: ListSource,
    handler: Arc<H>,
    places: Places,
    counts: Counts,
    /// What the names of all its instances begin with.
    name: String,
    connections: u32,
    /// Those of connections whose messages may still be under way.
    instances: Vec<Weak<Instance>>,
    current: watch::Sender<Option<MultiplexedConnection>>,
    settling: Settling,
    running: Running,
}

/// One that messages are taken by; kept by each of its messages.
#[derive(Debug)]
struct Instance {
    id: String,
    processing: String,
}

/// The connections, and whom messages are taken by.
pub struct Connection {
    taking: Commands,
    settling: Commands,
    instance: Arc<Instance>,
}

impl<H: Handle> ListWorker<H> {
    /// One that has no connection yet.
    pub fn new(list: ListSource, handler: Arc<H>, places: Places, counts: Counts) -> Self {
        let (current, settling) = Settling::new();
        Self {
            list,
            handler,
            places,
            counts,
            name: format!("{:016x}", fastrand::u64(..)),
            connections: 0,
            instances: Vec::new(),
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

    /// The commands that are sent for the list.
    fn needed(&self, instance: &Instance) -> [Needed; 9] {
        let (list, processing, known) = (&*self.list.name, &*instance.processing, &*known(&self.list.name));
        [
            Needed::new("BLMOVE", &[list, processing], &["RIGHT", "LEFT", "1"]),
            Needed::new("LMOVE", &[list, processing], &["RIGHT", "LEFT"]),
            Needed::new("LMOVE", &[processing, list], &["LEFT", "RIGHT"]),
            Needed::new("LREM", &[processing], &["1", ""]),
            Needed::new("LPUSH", &[&self.list.delivery.dead_letter], &[""]),
            Needed::new("ZADD", &[known], &["0", &instance.id]),
            Needed::new("ZREM", &[known], &[&instance.id]),
            Needed::new("ZRANGEBYSCORE", &[known], &["-inf", "0"]),
            Needed::new("ZREMRANGEBYSCORE", &[known], &["-inf", "0"]),
        ]
    }

    fn tender(&self) -> Tender {
        let (list, recovered) = (self.list.clone(), self.counts.recovered.clone());
        Tender { list, recovered, instances: self.instances.clone() }
    }

    /// Takes messages until the end is asked for.
    async fn take(&mut self, connection: &mut Connection, stop: &Stop) -> RedisResult<()> {
        let (list, instance) = (self.list.name.clone(), Arc::clone(&connection.instance));
        let taking = &mut connection.taking.connection;
        // Whether the list had as much as was asked for the last time.
        let mut is_full = false;
        while !stop.is_requested() {
            let taken: Vec<Option<Vec<u8>>> = if is_full {
                let mut commands = pipe();
                for _ in 0..batch(self.places.free()) {
                    commands.cmd("LMOVE").arg(&list).arg(&instance.processing).arg("RIGHT").arg("LEFT");
                }
                answer(commands.query_async(taking)).await?
            } else {
                let mut command = redis::cmd("BLMOVE");
                command.arg(&list).arg(&instance.processing).arg("RIGHT").arg("LEFT").arg(WAITING.as_secs());
                vec![waited_answer(command.query_async(taking)).await?]
            };
            is_full = taken.iter().all(Option::is_some);
            for payload in taken.into_iter().flatten() {
                // What gets no place any more is given back.
                let Some(place) = stop.unless_requested(self.places.acquire()).await else { return Ok(()) };
                let work = self.work(payload, Arc::clone(&instance), stop.clone());
                self.running.begin(place, work);
            }
        }
        Ok(())
    }

    /// Handles a message and settles it.
    fn work(&self, payload: Vec<u8>, instance: Arc<Instance>, stop: Stop) -> impl Future<Output = ()> + Send + use<H> {
        let (handler, settling, counts) = (Arc::clone(&self.handler), self.settling.clone(), self.counts.clone());
        let (attempts, dead_letter) = (self.list.delivery.attempts, self.list.delivery.dead_letter.clone());
        let message = message(&self.list.name, payload);
        async move {
            let outcome = deliver(&*handler, &message, attempts, &counts.retries, &stop).await;
            let mut commands = pipe();
            commands.cmd("LREM").arg(&instance.processing).arg(1).arg(&message.payload);
            match outcome {
                Outcome::Handled => {}
                Outcome::Failed => {
                    tracing::warn!(
                        "a message of {} failed {attempts} times: it is put into {dead_letter}",
                        message.origin
                    );
                    commands.atomic().cmd("LPUSH").arg(&dead_letter).arg(&message.payload);
                    counts.dead_letters.add(1);
                }
                Outcome::Interrupted => return,
            }
            settling.settle(&commands).await;
        }
    }
}

/// Says who is alive, and looks after what the dead have left.
#[derive(Clone)]
struct Tender {
    list: ListSource,
    recovered: Counter,
    /// Those whose messages may be under way.
    instances: Vec<Weak<Instance>>,
}

impl Tender {
    /// Does it every now and then, until that fails.
    async fn tend(self, mut commands: MultiplexedConnection) -> RedisError {
        loop {
            if let Err(error) = self.tend_once(&mut commands).await {
                return error;
            }
            sleep(self.list.delivery.claim_after / 3).await;
        }
    }

    async fn tend_once(&self, commands: &mut MultiplexedConnection) -> RedisResult<()> {
        let now = self.say_alive(commands).await?;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let dead = now.saturating_sub(milliseconds(self.list.delivery.claim_after));
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(known(&self.list.name)).arg("-inf").arg(dead);
        let found: Vec<String> = answer(command.query_async(commands)).await?;
        for id in found {
            let count = self.put_back(&id, commands).await?;
            if count > 0 {
                tracing::info!("{count} messages of {} are taken over from {id}, which is gone", self.list.name);
                self.recovered.add(count);
            }
        }
        let mut command = redis::cmd("ZREMRANGEBYSCORE");
        command.arg(known(&self.list.name)).arg("-inf").arg(dead.saturating_sub(milliseconds(FORGOTTEN)));
        answer(command.query_async(commands)).await
    }

    /// Makes all instances known whose messages may be under way. Gives the server's time.
    async fn say_alive(&self, commands: &mut MultiplexedConnection) -> RedisResult<u64> {
        let (seconds, micros): (u64, u64) = answer(redis::cmd("TIME").query_async(commands)).await?;
        let now = seconds * 1000 + micros / 1000;
        let mut command = redis::cmd("ZADD");
        command.arg(known(&self.list.name));
        for instance in self.instances.iter().filter_map(Weak::upgrade) {
            command.arg(now).arg(&instance.id);
        }
        answer(command.query_async::<()>(commands)).await?;
        Ok(now)
    }

    /// Puts what `id` has taken back to where it came from, so that the oldest is next.
    async fn put_back(&self, id: &str, commands: &mut MultiplexedConnection) -> RedisResult<u64> {
        let mut command = redis::cmd("LMOVE");
        command.arg(processing(&self.list.name, id)).arg(&self.list.name).arg("LEFT").arg("RIGHT");
        let mut count = 0;
        while answer(command.query_async::<Option<Vec<u8>>>(commands)).await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Gives back what was not begun, or not handled; from then on nobody looks for it.
    async fn leave(&self, id: &str, mut commands: MultiplexedConnection) -> RedisResult<()> {
        self.put_back(id, &mut commands).await?;
        let mut command = redis::cmd("ZREM");
        command.arg(known(&self.list.name)).arg(id);
        answer(command.query_async(&mut commands)).await
    }
}

fn processing(list: &str, id: &str) -> String {
    format!("{list}:processing:{id}")
}

fn known(list: &str) -> String {
    format!("{list}:instances")
}

impl<H: Handle> Session for ListWorker<H> {
    type Connection = Connection;

    async fn connect(&mut self, server: &Server) -> Result<Connection, ConnectFailure> {
        let (mut taking, mut settling) =
            tokio::try_join!(server.connector.commands(&server.address), server.connector.commands(&server.address),)?;
        // A key of another type is told of at start.
        redis::cmd("LLEN").arg(&self.list.name).query_async::<u64>(&mut settling.connection).await?;
        self.connections += 1;
        let id = format!("{}-{}", self.name, self.connections);
        let instance = Arc::new(Instance { processing: processing(&self.list.name, &id), id });
        self.instances.retain(|earlier| earlier.strong_count() > 0);
        self.instances.push(Arc::downgrade(&instance));
        permissions::check(&mut taking.connection, &self.needed(&instance)).await?;
        // Known before anything is taken, or nobody would look for it.
        self.tender().say_alive(&mut settling.connection).await?;
        // Its receivers are messages under way; there may be none.
        self.current.send_replace(Some(settling.connection.clone()));
        Ok(Connection { taking, settling, instance })
    }

    async fn serve(&mut self, mut connection: Connection, stop: &Stop) -> Ended {
        let commands = connection.settling.connection.clone();
        let mut tending = std::pin::pin!(self.tender().tend(commands.clone()));
        let taken = tokio::select! {
            biased;
            error = &mut tending => Err(error),
            taken = self.take(&mut connection, stop) => taken,
        };
        if let Err(error) = taken {
            let needed = self.needed(&connection.instance);
            return permissions::ended(error, &mut connection.taking.connection, &needed).await;
        }
        tokio::select! {
            error = &mut tending => tracing::debug!("{error}"),
            () = self.running.finished() => {}
        }
        if let Err(error) = self.tender().leave(&connection.instance.id, commands).await {
            tracing::debug!("{}: what was taken stays for others to find: {error}", self.list.name);
        }
        Ended::Stopped
    }
}
