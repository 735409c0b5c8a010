//! Against a server of the test's own, which does only what it is told to.

#![allow(clippy::unwrap_used, reason = "tests")]

use spin_trigger_kit::tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use spin_trigger_kit::tokio::net::{TcpListener, TcpStream};
use spin_trigger_kit::tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use spin_trigger_kit::tokio::task::JoinHandle;

use spin_trigger_kit::tokio::sync::mpsc::UnboundedSender;
use spin_trigger_kit::{Counter, Readiness};

use super::*;
use crate::connect::Connector;
use crate::plan::QueueOptions;
use crate::queue::{Handle, NotHandled, Places};
use crate::server::{OnDisconnect, ServerError};

/// The server's side of one connection.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn accept(listener: &TcpListener) -> Self {
        Self { stream: BufReader::new(listener.accept().await.unwrap().0) }
    }

    /// The next command: an array of bulk strings.
    async fn command(&mut self) -> Vec<String> {
        let words = self.length('*').await;
        let mut command = Vec::new();
        for _ in 0..words {
            let mut word = vec![0; self.length('$').await + 2];
            self.stream.read_exact(&mut word).await.unwrap();
            command.push(String::from_utf8(word[..word.len() - 2].to_vec()).unwrap());
        }
        command
    }

    async fn length(&mut self, mark: char) -> usize {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.trim_end().strip_prefix(mark).unwrap().parse().unwrap()
    }

    async fn send(&mut self, bytes: &str) {
        self.stream.get_mut().write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The next command that isn't about the connection itself, such as the client's name.
    async fn request(&mut self) -> Vec<String> {
        loop {
            let command = self.command().await;
            if command[0] != "CLIENT" {
                return command;
            }
            self.send("+OK\r\n").await;
        }
    }

    /// Confirms an un/subscription of each channel.
    async fn confirm(&mut self, request: &[String]) {
        let (kind, channels) = (request[0].to_lowercase(), &request[1..]);
        for (count, channel) in channels.iter().enumerate() {
            let answer = format!("*3\r\n{}{}:{}\r\n", bulk(&kind), bulk(channel), count + 1);
            self.send(&answer).await;
        }
    }

    async fn subscribed(listener: &TcpListener) -> Self {
        let mut client = Self::accept(listener).await;
        let request = client.request().await;
        assert_eq!(request, ["SUBSCRIBE", "one", "two"]);
        client.confirm(&request).await;
        client
    }

    async fn publish(&mut self, channel: &str, payload: &str) {
        let message = format!("*3\r\n{}{}{}", bulk("message"), bulk(channel), bulk(payload));
        self.send(&message).await;
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Tells the test of every message.
struct Tell(&'static str, UnboundedSender<String>);

impl Handle for Tell {
    async fn handle(&self, message: &Message) -> Result<(), NotHandled> {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.1.send(format!("{}: {payload}", self.0)).map_err(|_| NotHandled::Failed)
    }
}

/// A subscriber that runs: `one` has the handler a, `two` has a and b.
struct Running {
    task: JoinHandle<Result<(), ServerError>>,
    /// For every connection whether it is the first.
    subscribed: UnboundedReceiver<bool>,
    handled: UnboundedReceiver<String>,
    /// Gives it other topics.
    changes: UnboundedSender<Topics>,
    places: Places,
    tell: UnboundedSender<String>,
    readiness: Readiness,
    disconnects: Counter,
    stop: Stop,
}

/// A queue that `name` works off.
fn queue(name: &'static str, tell: &UnboundedSender<String>, places: &Places) -> Arc<Queue> {
    let queue = Arc::new(Queue::new(QueueOptions::default(), Counter::default()));
    let (working, handler, places) = (Arc::clone(&queue), Arc::new(Tell(name, tell.clone())), places.clone());
    tokio::spawn(async move { working.work_off(&handler, &places).await });
    queue
}

fn start(port: u16, on_disconnect: OnDisconnect) -> Running {
    let address = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let (tell, handled) = unbounded_channel();
    let places = Places::new(4);
    let queue = |name| queue(name, &tell, &places);
    let topics = vec![
        (Topic::Channel("one".to_owned()), vec![queue("a")]),
        (Topic::Channel("two".to_owned()), vec![queue("a"), queue("b")]),
    ];
    let (sender, subscribed) = unbounded_channel();
    let (readiness, disconnects, stop) = (Readiness::default(), Counter::default(), Stop::default());
    let server = Server::new(address, Connector::default(), on_disconnect, readiness.clone(), disconnects.clone());
    let stopping = stop.clone();
    let (mut subscriber, changes) = Subscriber::new(topics);
    let task = tokio::spawn(async move {
        let result = server.keep(&mut subscriber, |is_first| sender.send(is_first).unwrap(), &stopping).await;
        subscriber.close();
        result
    });
    Running { task, subscribed, handled, changes, places, tell, readiness, disconnects, stop }
}

impl Running {
    async fn handled(&mut self, count: usize) -> Vec<String> {
        let mut handled = Vec::new();
        for _ in 0..count {
            handled.push(self.handled.recv().await.unwrap());
        }
        handled.sort();
        handled
    }
}

async fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_message_reaches_every_component_of_its_channel_also_after_a_loss() {
    let (listener, port) = server().await;
    let mut running = start(port, OnDisconnect::Reconnect);
    let mut client = Client::subscribed(&listener).await;
    assert_eq!(running.subscribed.recv().await, Some(true));
    client.publish("one", "first").await;
    client.publish("two", "second").await;
    assert_eq!(running.handled(3).await, ["a: first", "a: second", "b: second"]);
    assert!(!running.readiness.is_interrupted());
    drop(client);
    let mut client = Client::accept(&listener).await;
    let request = client.request().await;
    assert!(running.readiness.is_interrupted(), "it is not subscribed");
    assert_eq!(running.disconnects.get(), 1);
    client.confirm(&request).await;
    assert_eq!(running.subscribed.recv().await, Some(false));
    assert!(!running.readiness.is_interrupted());
    client.publish("one", "third").await;
    assert_eq!(running.handled(1).await, ["a: third"]);
}

#[tokio::test]
async fn a_server_that_is_down_is_waited_for() {
    let (listener, port) = server().await;
    drop(listener);
    let mut running = start(port, OnDisconnect::Reconnect);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let _client = Client::subscribed(&listener).await;
    assert_eq!(running.subscribed.recv().await, Some(true));
}

#[tokio::test]
async fn other_topics_on_the_same_connection_miss_nothing_and_get_nothing_twice() {
    let (listener, port) = server().await;
    let mut running = start(port, OnDisconnect::Reconnect);
    let mut client = Client::subscribed(&listener).await;
    running.subscribed.recv().await.unwrap();
    let (tell, places) = (running.tell.clone(), running.places.clone());
    let queue = |name| queue(name, &tell, &places);
    let topics = |name, channels: [&str; 2]| {
        channels.map(|channel| (Topic::Channel(channel.to_owned()), vec![queue(name)])).into_iter().collect()
    };
    running.changes.send(topics("new", ["two", "three"])).unwrap();
    let request = client.request().await;
    assert_eq!(request, ["SUBSCRIBE", "three"]);
    client.confirm(&request).await;
    let request = client.request().await;
    assert_eq!(request, ["UNSUBSCRIBE", "one"]);
    for (channel, payload) in [("one", "last"), ("two", "kept"), ("three", "first")] {
        client.publish(channel, payload).await;
    }
    client.confirm(&request).await;
    assert_eq!(running.handled(3).await, ["a: last", "new: first", "new: kept"]);

    running.changes.send(topics("newer", ["three", "two"])).unwrap();
    running.stop.request(Duration::from_secs(5));
    let request = client.request().await;
    assert_eq!(request[0], "UNSUBSCRIBE", "what is subscribed to already is not asked for again");
    client.publish("two", "at the end").await;
    client.confirm(&request).await;
    assert!(running.task.await.unwrap().is_ok());
    assert!(running.handled.recv().await.unwrap().ends_with(": at the end"));
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_handled() {
    let (listener, port) = server().await;
    let mut running = start(port, OnDisconnect::Reconnect);
    let mut client = Client::subscribed(&listener).await;
    running.subscribed.recv().await.unwrap();
    running.stop.request(Duration::from_secs(5));
    let request = client.request().await;
    assert_eq!(request, ["UNSUBSCRIBE", "one", "two"]);
    client.publish("one", "in time").await;
    client.confirm(&request).await;
    assert!(running.task.await.unwrap().is_ok());
    drop(running.tell);
    assert_eq!(running.handled.recv().await.as_deref(), Some("a: in time"));
    assert_eq!(running.handled.recv().await, None);
}

#[tokio::test]
async fn the_end_is_not_kept_waiting_by_a_server_that_is_down() {
    let (listener, port) = server().await;
    drop(listener);
    let running = start(port, OnDisconnect::Reconnect);
    running.stop.request(Duration::from_secs(5));
    assert!(running.task.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_refusal_at_start_is_an_error() {
    let (listener, port) = server().await;
    let running = start(port, OnDisconnect::Reconnect);
    let mut client = Client::accept(&listener).await;
    client.request().await;
    client.send("-NOPERM No permissions to access a channel\r\n").await;
    let error = running.task.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "redis::refused");
    assert!(error.to_string().contains("No permissions to access a channel"), "{error}");
}

#[tokio::test]
async fn with_the_flag_a_loss_is_an_error() {
    let (listener, port) = server().await;
    let running = start(port, OnDisconnect::Exit);
    drop(Client::subscribed(&listener).await);
    let error = running.task.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "redis::disconnected");
    assert!(error.to_string().starts_with(&format!("disconnected from redis://127.0.0.1:{port}: ")), "{error}");

    drop(listener);
    let error = start(port, OnDisconnect::Exit).task.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "redis::unreachable");
}
