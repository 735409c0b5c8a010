//! What a cell runs on: an app with the probe, its back ends, and clients of the test's own that look into them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use spin_tests::mariadb::{self, MariaDb};
use spin_tests::mosquitto::{Mosquitto, Subscriber};
use spin_tests::postgres::{Postgres, Stopped};
use spin_tests::redis::Redis;
use spin_tests::{App, Running, World, guest, http, probes};

use super::echo::Echo;
use super::libsql::Libsql;
use super::matrix::State;
use super::models::Models;
use super::web::Web;

/// An app that runs, with its back ends.
pub(super) struct Stage {
    address: SocketAddr,
    pub(super) up: Running,
    app: App,
    backends: Backends,
    world: World,
}

/// Servers that the app uses.
#[derive(Default)]
struct Backends {
    redis: Option<Redis>,
    libsql: Option<Libsql>,
    postgres: Option<Postgres>,
    mariadb: Option<MariaDb>,
    models: Option<Models>,
    echo: Option<Echo>,
    web: Option<Web>,
    /// The broker, and another client of it.
    mqtt: Option<(Mosquitto, Mutex<Subscriber>)>,
    /// What calls say for the address of a server, and what is meant, whether it runs or not.
    addresses: Vec<(&'static str, String)>,
    /// What else a component may reach.
    hosts: Vec<String>,
    /// What is set in the surroundings of the app.
    environment: Vec<(&'static str, String)>,
}

/// The probe three times: twice with the default store and database and the servers, and without.
const TABLES: &str = r#"
[[trigger.http]]
route = "/allowed"
component = "allowed"
[[trigger.http]]
route = "/other"
component = "other"
[[trigger.http]]
route = "/denied"
component = "denied"
[component.allowed]
source = "host-probe.wasm"
allowed_outbound_hosts = [HOSTS]
key_value_stores = ["default"]
sqlite_databases = ["default"]
ai_models = ["llama2", "minilm", "unknown"]
[component.other]
source = "host-probe.wasm"
allowed_outbound_hosts = [HOSTS]
key_value_stores = ["default"]
sqlite_databases = ["default"]
[component.denied]
source = "host-probe.wasm"
"#;

/// A file that can't be made: its folder is none.
const NOWHERE: &str = "/dev/null/folder/app.db";

impl Stage {
    /// Starts the back end that the matrix calls by this name.
    #[track_caller]
    pub(super) fn start(backend: &str) -> Self {
        match backend {
            "files" => Self::with("", Backends::default(), &[]),
            "files-down" => Self::with(
                &format!(
                    "[key_value_store.default]\ntype = \"spin\"\npath = \"{NOWHERE}\"\n\
                     [sqlite_database.default]\ntype = \"spin\"\npath = \"{NOWHERE}\"\n"
                ),
                Backends::default(),
                &[],
            ),
            "redis" => Self::on_redis(Redis::start()),
            "redis-down" => {
                let mut stage = Self::on_redis(Redis::start());
                stage.kill_redis();
                stage
            }
            "libsql" => Self::on_libsql(Some(Libsql::start())),
            "libsql-down" => Self::on_libsql(None),
            "models" => Self::on_models(Some(Models::start()), "default"),
            "models-open-ai" => Self::on_models(Some(Models::start()), "open_ai"),
            "models-down" => Self::on_models(None, "default"),
            "no-models" => Self::with("[llm_compute]\ntype = \"spin\"\n", Backends::default(), &[]),
            "http" => Self::on_web(true),
            "http-down" => Self::on_web(false),
            "sockets" => Self::on_sockets(true, ""),
            "sockets-down" => Self::on_sockets(false, ""),
            "mqtt" => Self::on_mqtt(),
            "mqtt-down" => {
                let mut stage = Self::on_mqtt();
                stage.kill_mqtt();
                stage
            }
            "mysql" => Self::on_mariadb(MariaDb::start()),
            "mysql-down" => {
                let mut stage = Self::on_mariadb(MariaDb::start());
                drop(stage.kill_mariadb());
                stage
            }
            "postgres" => Self::on_postgres(Postgres::start()),
            "postgres-down" => {
                let mut stage = Self::on_postgres(Postgres::start());
                drop(stage.kill_postgres());
                stage
            }
            other => panic!("there is no back end {other:?}"),
        }
    }

    /// Stores and databases in files of the app's own, with further flags.
    #[track_caller]
    pub(super) fn with_flags(flags: &[&str]) -> Self {
        Self::with("", Backends::default(), flags)
    }

    /// The database server, and a component that may reach another host, too.
    #[track_caller]
    pub(super) fn on_postgres_and(host: String) -> Self {
        Self::with("", Backends { postgres: Some(Postgres::start()), hosts: vec![host], ..Backends::default() }, &[])
    }

    #[track_caller]
    fn on_redis(redis: Redis) -> Self {
        let config = format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"\n", redis.url());
        Self::with(&config, Backends { redis: Some(redis), ..Backends::default() }, &[])
    }

    /// The server's other address, which is `{rediss}` and that of the store, is with TLS; `roots` are trusted.
    #[track_caller]
    pub(super) fn on_redis_with_tls(redis: Redis, url: &str, roots: PathBuf) -> Self {
        let config = format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n");
        let (addresses, hosts) = (vec![("{rediss}", url.to_owned())], vec![url.to_owned()]);
        let environment = trusting(&roots);
        let backends = Backends { redis: Some(redis), addresses, hosts, environment, ..Backends::default() };
        Self::with(&config, backends, &[])
    }

    /// A broker whose other address, which is `{mqtts}`, is with TLS; `roots` are trusted.
    #[track_caller]
    pub(super) fn on_mqtt_with_tls(broker: Mosquitto, url: &str, roots: &Path) -> Self {
        let (addresses, hosts) = (vec![("{mqtts}", url.to_owned())], vec![url.to_owned()]);
        let (mqtt, environment) = (Some(heard(broker)), trusting(roots));
        Self::with("", Backends { mqtt, addresses, hosts, environment, ..Backends::default() }, &[])
    }

    /// A database on a server, with further flags.
    #[track_caller]
    pub(super) fn on_libsql_with_flags(flags: &[&str]) -> Self {
        let libsql = Libsql::start();
        Self::with(&of_libsql(libsql.port()), Backends { libsql: Some(libsql), ..Backends::default() }, flags)
    }

    /// A store and a database on servers that want a secret, of an app that tells all that it does.
    #[track_caller]
    pub(super) fn telling_all(redis: Redis, secret_url: &str) -> Self {
        let libsql = Libsql::start();
        let config = format!(
            "[key_value_store.default]\ntype = \"redis\"\nurl = \"{secret_url}\"\n{}",
            of_libsql(libsql.port())
        );
        let environment = vec![("RUST_LOG", "trace".to_owned())];
        let backends = Backends { redis: Some(redis), libsql: Some(libsql), environment, ..Backends::default() };
        Self::with(&config, backends, &[])
    }

    #[track_caller]
    pub(super) fn on_postgres(postgres: Postgres) -> Self {
        Self::with("", Backends { postgres: Some(postgres), ..Backends::default() }, &[])
    }

    #[track_caller]
    fn on_mqtt() -> Self {
        Self::with("", Backends { mqtt: Some(heard(Mosquitto::start())), ..Backends::default() }, &[])
    }

    #[track_caller]
    pub(super) fn on_mariadb(mariadb: MariaDb) -> Self {
        Self::with("", Backends { mariadb: Some(mariadb), ..Backends::default() }, &[])
    }

    #[track_caller]
    fn on_models(models: Option<Models>, api: &str) -> Self {
        let port = models.as_ref().map_or_else(spin_tests::free_port, Models::port);
        let config = format!(
            "[llm_compute]\ntype = \"remote_http\"\nurl = \"http://127.0.0.1:{port}\"\nauth_token = \"{}\"\napi_type = \"{api}\"\n",
            Models::TOKEN
        );
        Self::with(&config, Backends { models, ..Backends::default() }, &[])
    }

    /// The component `allowed` may use TCP and UDP of the server's address, and TCP of the name `localhost`.
    #[track_caller]
    pub(super) fn on_sockets(running: bool, config: &str) -> Self {
        let echo = running.then(Echo::start);
        let port = echo.as_ref().map_or_else(spin_tests::free_port, Echo::port);
        let addresses = vec![("{port}", port.to_string()), ("{server}", format!("127.0.0.1:{port}"))];
        Self::with(config, Backends { echo, addresses, ..Backends::default() }, &[])
    }

    /// The component `allowed` may send requests to the server's address.
    #[track_caller]
    fn on_web(running: bool) -> Self {
        let web = running.then(Web::start);
        let port = web.as_ref().map_or_else(spin_tests::free_port, Web::port);
        let url = format!("http://127.0.0.1:{port}");
        let (addresses, hosts) = (vec![("{http}", url.clone())], vec![url]);
        Self::with("", Backends { web, addresses, hosts, ..Backends::default() }, &[])
    }

    /// The component `allowed` may reach everything, whatever there is; `{port}` is a port.
    #[track_caller]
    pub(super) fn reaching_everything(port: u16, config: &str) -> Self {
        let addresses = vec![("{port}", port.to_string())];
        Self::with(config, Backends { hosts: vec!["*://*:*".to_owned()], addresses, ..Backends::default() }, &[])
    }

    #[track_caller]
    fn on_libsql(libsql: Option<Libsql>) -> Self {
        // Nobody listens where a port was just free.
        let port = libsql.as_ref().map_or_else(spin_tests::free_port, Libsql::port);
        Self::with(&of_libsql(port), Backends { libsql, ..Backends::default() }, &[])
    }

    #[track_caller]
    fn with(config: &str, mut backends: Backends, flags: &[&str]) -> Self {
        let world = World::new();
        world.install("trigger-http");
        world.write("config.toml", config);
        let hosts: Vec<String> = backends.take_note().iter().map(|host| format!("{host:?}")).collect();
        let tables = TABLES.replace("HOSTS", &hosts.join(", "));
        let app = world.app("app", &probes::manifest(&tables), &["host-probe"]);
        let (address, up) = serve(&world, &app, flags, &backends.environment);
        Self { address, up, app, backends, world }
    }

    /// The same app in a new process, with the probe of 0.2 for its components.
    #[track_caller]
    pub(super) fn with_the_probe_of_0_2(self) -> Self {
        let manifest = std::fs::read_to_string(self.app.manifest()).unwrap();
        std::fs::write(self.app.manifest(), manifest.replace("host-probe.wasm", "host-probe-p2.wasm")).unwrap();
        std::fs::copy(guest("host-probe-p2"), self.app.dir().join("host-probe-p2.wasm")).unwrap();
        self.restarted()
    }

    /// The same app again, in a new process.
    #[track_caller]
    pub(super) fn restarted(self) -> Self {
        let Self { up, app, backends, world, .. } = self;
        up.stop().success();
        let (address, up) = serve(&world, &app, &[], &backends.environment);
        Self { address, up, app, backends, world }
    }

    /// Ends the server; [`Stage::revive_redis`] starts it again where it was.
    pub(super) fn kill_redis(&mut self) -> SocketAddr {
        let redis = self.backends.redis.take().expect("there is a server");
        let address = redis.address();
        redis.kill();
        address
    }

    pub(super) fn revive_redis(&mut self, address: SocketAddr) {
        self.backends.redis = Some(Redis::start_at(Some(address)));
    }

    /// The same for the broker.
    pub(super) fn kill_mqtt(&mut self) -> u16 {
        let (broker, _) = self.backends.mqtt.take().expect("there is a broker");
        broker.kill()
    }

    pub(super) fn revive_mqtt(&mut self, port: u16) {
        self.backends.mqtt = Some(heard(Mosquitto::start_at(port)));
    }

    /// The same for the database server.
    pub(super) fn kill_postgres(&mut self) -> Stopped {
        self.backends.postgres.take().expect("there is a server").kill()
    }

    pub(super) fn revive_postgres(&mut self, stopped: Stopped) {
        self.backends.postgres = Some(stopped.start());
    }

    /// The same for the other database server.
    pub(super) fn kill_mariadb(&mut self) -> mariadb::Stopped {
        self.backends.mariadb.take().expect("there is a server").kill()
    }

    pub(super) fn revive_mariadb(&mut self, stopped: mariadb::Stopped) {
        self.backends.mariadb = Some(stopped.start());
    }

    pub(super) fn mariadb(&self) -> &MariaDb {
        self.backends.mariadb.as_ref().expect("there is a server")
    }

    /// The server of SQLite databases.
    pub(super) fn libsql(&self) -> &Libsql {
        self.backends.libsql.as_ref().expect("there is a server")
    }

    /// The server of TCP and UDP.
    pub(super) fn echo(&self) -> &Echo {
        self.backends.echo.as_ref().expect("there is a server")
    }

    /// The database server.
    pub(super) fn postgres(&self) -> &Postgres {
        self.backends.postgres.as_ref().expect("there is a server")
    }

    /// The file of a name in the matrix.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        match name {
            "key-value" => self.app.dir().join(".spin/sqlite_key_value.db"),
            "database" => self.app.dir().join(".spin/sqlite_db.db"),
            "libsql" => self.libsql().file(),
            other => panic!("there is no file {other:?}"),
        }
    }

    /// Empties all back ends, as another client.
    pub(super) fn clear(&self) {
        let values = self.file("key-value");
        if values.exists() {
            connect(&values).execute("DELETE FROM spin_key_value", []).unwrap();
        }
        let database = self.file("database");
        if database.exists() {
            std::fs::remove_file(database).unwrap();
        }
        if let Some(libsql) = &self.backends.libsql {
            libsql.clear();
        }
        if let Some(models) = &self.backends.models {
            models.clear();
        }
        if let Some(echo) = &self.backends.echo {
            echo.clear();
        }
        if let Some(web) = &self.backends.web {
            web.clear();
        }
        if let Some(mariadb) = &self.backends.mariadb {
            mariadb.query("DROP DATABASE app; CREATE DATABASE app");
        }
        if let Some(postgres) = &self.backends.postgres {
            postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        }
        if let Some((broker, subscriber)) = &self.backends.mqtt {
            // What was published before is of no interest any more.
            *subscriber.lock().unwrap() = broker.subscribe("#");
        }
        if let Some(redis) = &self.backends.redis {
            assert_eq!(redis.command(&[b"FLUSHALL"]), "+OK");
        }
    }

    /// Makes calls in one request; none if the component trapped.
    pub(super) fn calls(&self, component: &str, interface: &str, calls: &[Vec<String>]) -> Option<Vec<String>> {
        let body = self.script(interface, calls);
        let response = http::request(self.address, "POST", &format!("/{component}"), &[], body.as_bytes());
        match response.status {
            200 => Some(response.text().lines().map(str::to_owned).collect()),
            500 => None,
            other => panic!("status {other}: {}", response.text()),
        }
    }

    /// The same for the component that may, on a connection of the caller's, who doesn't wait for the answer.
    pub(super) fn begin(&self, interface: &str, calls: &[&[&str]]) -> TcpStream {
        let body = self.script(interface, &owned(calls));
        let mut stream = TcpStream::connect(self.address).expect("the app serves");
        let head = format!("POST /allowed HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        stream
    }

    /// What the probe reads, with the addresses of servers.
    fn script(&self, interface: &str, calls: &[Vec<String>]) -> String {
        let lines = calls.iter().map(|call| call.join("\t"));
        let script: Vec<String> = std::iter::once(interface.to_owned()).chain(lines).collect();
        self.backends.put_into(&script.join("\n"))
    }

    /// The same for one that does not trap.
    #[track_caller]
    pub(super) fn answers_of(&self, component: &str, interface: &str, calls: &[&[&str]]) -> Vec<String> {
        self.calls(component, interface, &owned(calls))
            .unwrap_or_else(|| panic!("trapped\n{}", self.up.stderr().text()))
    }

    /// The same for the component that may.
    #[track_caller]
    pub(super) fn answers(&self, interface: &str, calls: &[&[&str]]) -> Vec<String> {
        self.answers_of("allowed", interface, calls)
    }

    /// What a SQL query finds in a file, each value as a text.
    pub(super) fn rows(&self, file: &str, query: &str) -> Vec<Vec<String>> {
        let connection = connect(&self.file(file));
        let mut statement = connection.prepare(query).unwrap();
        let count = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..count).map(|index| Ok(shown(row.get_ref(index)?))).collect();
        statement.query_map([], row).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    /// What a command of Redis is answered with.
    pub(super) fn redis(&self, command: &[String]) -> String {
        let words: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
        self.backends.redis.as_ref().expect("there is a server").command(&words)
    }

    /// Whether another client finds what it should; what it finds, if not.
    pub(super) fn check(&self, state: &State) -> Result<(), String> {
        match state {
            State::Sqlite { file, query, rows } => {
                let found = self.rows(file, query);
                if found == *rows { Ok(()) } else { Err(format!("{query} finds {found:?}, not {rows:?}")) }
            }
            State::Postgres { query, rows } => {
                let found = self.postgres().query(query);
                if found == *rows { Ok(()) } else { Err(format!("{query} finds {found:?}, not {rows:?}")) }
            }
            State::MySql { query, rows } => {
                let found = self.mariadb().query(query);
                if found == *rows { Ok(()) } else { Err(format!("{query} finds {found:?}, not {rows:?}")) }
            }
            State::Models { path, body } => {
                let found = self.backends.models.as_ref().expect("there is a server").asked();
                let expected = Some((path.clone(), body.clone()));
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("the server was asked {found:?}, not {expected:?}"))
                }
            }
            State::Http { asked } => {
                let found = self.backends.web.as_ref().expect("there is a server").asked();
                if found == *asked { Ok(()) } else { Err(format!("the server was asked {found:?}, not {asked:?}")) }
            }
            State::Sockets { heard } => {
                let found = self.echo().heard(heard);
                found.map_err(|found| format!("the server heard {found:?}, not {heard:?}"))
            }
            State::Mqtt { topic, payload } => {
                let (_, subscriber) = self.backends.mqtt.as_ref().expect("there is a broker");
                let found = subscriber.lock().unwrap().receive();
                let expected = (topic.clone(), payload.clone().into_bytes());
                if found == expected { Ok(()) } else { Err(format!("the next message is {found:?}, not {expected:?}")) }
            }
            State::Redis { command, answer } => {
                let found = self.redis(command);
                if found == *answer { Ok(()) } else { Err(format!("{command:?} answers {found:?}, not {answer:?}")) }
            }
        }
    }
}

impl Backends {
    fn put_into(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (name, address)| text.replace(name, address))
    }

    /// Takes note of where the servers are that run, and gives what the manifest says so that a component may reach them.
    fn take_note(&mut self) -> Vec<String> {
        let redis = self.redis.iter().map(|redis| ("{redis}", redis.url()));
        let postgres = self.postgres.iter().map(|postgres| ("{postgres}", postgres.url()));
        let mqtt = self.mqtt.iter().map(|(broker, _)| ("{mqtt}", broker.url()));
        let mysql = self.mariadb.iter().map(|mariadb| ("{mysql}", mariadb.url()));
        let sockets: Vec<String> = self
            .addresses
            .iter()
            .filter(|(name, _)| *name == "{server}")
            .flat_map(|(_, server)| {
                let port = server.rsplit(':').next().unwrap_or_default();
                [format!("tcp://{server}"), format!("udp://{server}"), format!("tcp://localhost:{port}")]
            })
            .collect();
        self.addresses.extend(redis.chain(postgres).chain(mqtt).chain(mysql));
        let redis = self.redis.iter().map(Redis::url);
        let postgres = self.postgres.iter().map(|postgres| format!("postgres://127.0.0.1:{}", postgres.port()));
        let mqtt = self.mqtt.iter().map(|(broker, _)| broker.url());
        let mysql = self.mariadb.iter().map(|mariadb| format!("mysql://127.0.0.1:{}", mariadb.port()));
        redis.chain(postgres).chain(mqtt).chain(mysql).chain(sockets).chain(self.hosts.iter().cloned()).collect()
    }
}

/// A broker, and another client that hears all.
fn heard(broker: Mosquitto) -> (Mosquitto, Mutex<Subscriber>) {
    let subscriber = Mutex::new(broker.subscribe("#"));
    (broker, subscriber)
}

/// Certificates that are trusted in place of the machine's own.
fn trusting(roots: &Path) -> Vec<(&'static str, String)> {
    vec![("SSL_CERT_FILE", roots.display().to_string())]
}

fn of_libsql(port: u16) -> String {
    let token = Libsql::TOKEN;
    format!("[sqlite_database.default]\ntype = \"libsql\"\nurl = \"http://127.0.0.1:{port}/\"\ntoken = \"{token}\"\n")
}

fn owned(calls: &[&[&str]]) -> Vec<Vec<String>> {
    calls.iter().map(|call| call.iter().map(|word| (*word).to_owned()).collect()).collect()
}

#[track_caller]
fn serve(world: &World, app: &App, flags: &[&str], environment: &[(&str, String)]) -> (SocketAddr, Running) {
    let config = world.path("config.toml");
    let arguments = ["up", "--listen", "127.0.0.1:0", "--runtime-config-file", config.to_str().unwrap()];
    let arguments = arguments.into_iter().chain(flags.iter().copied());
    let up = world.spin(arguments).in_dir(app.dir());
    let up = environment.iter().fold(up, |up, (name, value)| up.env(name, value)).start();
    (up.serving(), up)
}

fn connect(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
