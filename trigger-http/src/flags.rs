//! The command line of this trigger, beside the flags that every trigger has.
//!
//! Each flag says: default · cost · what it interacts with · since when.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use spin_trigger_kit::durations;
use spin_trigger_kit::http::DEFAULT_WHOLE_BODY;
use spin_trigger_kit::tokio::sync::Semaphore;

use crate::access_log;
use crate::limits::{LEAST_HTTP1_BUFFER, Limits};
use crate::listen::{ListenAddress, WhenInUse};
use crate::listing::Format;
use crate::policy::{count, duration, positive_duration};
use crate::range::Range;
use crate::tls::CertificateFiles;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct HttpFlags {
    /// Where to listen, as host:port; port 0 lets the system choose. May be given several times.
    ///
    /// Default 127.0.0.1:3000 · none · with --find-free-port it is where the search begins · since 0.1.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SPIN_HTTP_LISTEN_ADDR",
        value_delimiter = ',',
        default_value = "127.0.0.1:3000"
    )]
    pub listen: Vec<ListenAddress>,

    /// The certificate to serve HTTPS with: a PEM file with the chain, the server's own first.
    ///
    /// Default none: plain HTTP · a handshake for each connection · needs --tls-key; read again when it changes · since 0.1.
    #[arg(long, value_name = "FILE", env = "SPIN_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key: a PEM file with PKCS#8, PKCS#1 or SEC1.
    ///
    /// Default none · none · needs --tls-cert; read again when it changes · since 0.1.
    #[arg(long, value_name = "FILE", env = "SPIN_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// If the port is taken, try the next ones.
    ///
    /// Default off · up to nine more attempts at start · with --listen · since 0.1.
    #[arg(long)]
    pub find_free_port: bool,

    /// How the address and the routes are told at start.
    ///
    /// Default plain · none · nothing else is written to standard output with json · since 0.1.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Tell of each request on standard output, as text or as json.
    ///
    /// Default off · a line a request · with --format json and json here, standard output is a sequence of JSON values ·
    /// since 0.1.
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub access_log: Option<access_log::Format>,

    /// How many connections are open at once; more wait.
    ///
    /// Default 4096 · a descriptor each, and memory · the system's limit of descriptors may be lower · since 0.1.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections, value_parser = connections)]
    pub max_connections: usize,

    /// How many bytes an HTTP/1 connection buffers; the head of a request must fit.
    ///
    /// Default 131072 · memory for each connection · components take heads of up to 128 KiB · since 0.1.
    #[arg(
        long,
        value_name = "BYTES",
        env = "SPIN_HTTP1_MAX_BUF_SIZE",
        default_value_t = Limits::default().http1_buffer,
        value_parser = http1_buffer
    )]
    pub http1_max_buf_size: usize,

    /// How long a client may take for the head of a request, and until its next request.
    ///
    /// Default 30s · longer: descriptors of idle clients · not for bodies · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = one_duration)]
    pub idle_connection_timeout: Duration,

    /// The longest silence within the body of a request or a response, of whoever sends it or doesn't read it.
    ///
    /// Default 60s · longer: instances of slow clients · no limit to a whole body · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = one_duration)]
    pub body_timeout: Duration,

    /// How long a component may take until the head of its response, for example 30s, 500ms or 10s..20s.
    ///
    /// Default 60s · one timer a request · the body has a limit of its own, and CPU time has another; a trigger's key
    /// request_timeout wins · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    pub request_timeout: Range<Duration>,

    /// How many requests an instance serves before it is replaced, for example 128 or 64..129.
    ///
    /// Default 128 · fewer: more instances are made · only components that allow reuse; a trigger's key
    /// max_instance_reuse_count wins · since 0.1.
    #[arg(long, value_name = "COUNT", default_value = "128", value_parser = count)]
    pub max_instance_reuse_count: Range<u32>,

    /// How many requests an instance serves at once.
    ///
    /// Default 16 · more: one slow or trapping request touches more others · only components that allow reuse; a trigger's
    /// key max_instance_concurrent_reuse_count wins · since 0.1.
    #[arg(long, value_name = "COUNT", default_value = "16", value_parser = count)]
    pub max_instance_concurrent_reuse_count: Range<u32>,

    /// How long an instance without a request is kept; 0 keeps none.
    ///
    /// Default 1s · longer: memory of idle instances · only components that allow reuse; a trigger's key
    /// idle_instance_timeout wins · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub idle_instance_timeout: Range<Duration>,

    /// Also reuse instances of components of wasi:http 0.2.x, for one request after another.
    ///
    /// Unsafe for components that keep anything in memory: a request finds what another left. Default off · none · with
    /// --max-instance-reuse-count and --idle-instance-timeout; a trigger's key reuse_p2_instances wins · since 0.1.
    #[arg(long)]
    pub reuse_p2_instances: bool,

    /// The most bytes of a body that is held whole: requests and responses of wagi and of fermyon:spin/inbound-http.
    ///
    /// Default 33554432 (32 MiB) · memory, for each such request at once · components that stream have no limit · since 0.1.
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_WHOLE_BODY)]
    pub max_whole_body: usize,
}

impl HttpFlags {
    /// The files of `--tls-cert` and `--tls-key`.
    pub fn certificate(&self) -> Option<CertificateFiles> {
        let (certificates, key) = (self.tls_cert.clone()?, self.tls_key.clone()?);
        Some(CertificateFiles { certificates, key })
    }

    /// The limits that flags give, and the others.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            http1_buffer: self.http1_max_buf_size,
            idle: self.idle_connection_timeout,
            body: self.body_timeout,
            ..Limits::default()
        }
    }

    /// What `--find-free-port` says.
    pub fn when_in_use(&self) -> WhenInUse {
        match self.find_free_port {
            true => WhenInUse::TryNext,
            false => WhenInUse::Fail,
        }
    }
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=Semaphore::MAX_PERMITS) => Ok(count),
        _ => Err(format!("`{text}` is not a number of connections; use 1 or more")),
    }
}

fn http1_buffer(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ LEAST_HTTP1_BUFFER..) => Ok(bytes),
        _ => Err(format!("`{text}` is not a size of the buffer; use {LEAST_HTTP1_BUFFER} bytes or more")),
    }
}

fn one_duration(text: &str) -> Result<Duration, String> {
    match durations::parse(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: HttpFlags,
    }

    fn parse(args: &[&str]) -> Result<HttpFlags, String> {
        let args = std::iter::once("trigger-http").chain(args.iter().copied());
        Cli::try_parse_from(args).map(|cli| cli.flags).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.listen, ["127.0.0.1:3000".parse().unwrap()]);
        assert!(flags.certificate().is_none());
        assert_eq!(flags.access_log, None);
        assert_eq!(format!("{:?}", flags.limits()), format!("{:?}", Limits::default()));
        assert_eq!(flags.when_in_use(), WhenInUse::Fail);
        assert_eq!(flags.format, Format::Plain);
        assert_eq!(flags.request_timeout, Range::Fixed(Duration::from_secs(60)));
        assert_eq!(flags.max_instance_reuse_count, Range::Fixed(128));
        assert_eq!(flags.max_instance_concurrent_reuse_count, Range::Fixed(16));
        assert_eq!(flags.idle_instance_timeout, Range::Fixed(Duration::from_secs(1)));
        assert!(!flags.reuse_p2_instances);
        assert_eq!(flags.max_whole_body, 32 << 20);
    }

    #[test]
    fn all_of_them() {
        let flags = parse(&[
            "--listen=localhost:0",
            "--listen=[::1]:3000",
            "--tls-cert=cert.pem",
            "--tls-key=key.pem",
            "--access-log",
            "--max-connections=7",
            "--http1-max-buf-size=8192",
            "--idle-connection-timeout=1",
            "--body-timeout=2s",
            "--find-free-port",
            "--format=json",
            "--request-timeout=250ms..2",
            "--max-instance-reuse-count=1",
            "--max-instance-concurrent-reuse-count",
            "2..5",
            "--idle-instance-timeout=0",
            "--reuse-p2-instances",
            "--max-whole-body=1000",
        ])
        .unwrap();
        assert_eq!(flags.listen, ["localhost:0".parse().unwrap(), "[::1]:3000".parse().unwrap()]);
        let files = flags.certificate().unwrap();
        assert_eq!((files.certificates.to_str(), files.key.to_str()), (Some("cert.pem"), Some("key.pem")));
        assert_eq!(flags.access_log, Some(access_log::Format::Text));
        assert_eq!(parse(&["--access-log=json"]).unwrap().access_log, Some(access_log::Format::Json));
        let limits = flags.limits();
        assert_eq!((limits.connections, limits.http1_buffer), (7, 8192));
        assert_eq!((limits.idle, limits.body), (Duration::from_secs(1), Duration::from_secs(2)));
        assert_eq!(flags.when_in_use(), WhenInUse::TryNext);
        assert_eq!(flags.format, Format::Json);
        let timeout = Range::Between { start: Duration::from_millis(250), end: Duration::from_secs(2) };
        assert_eq!(flags.request_timeout, timeout);
        assert_eq!(flags.max_instance_reuse_count, Range::Fixed(1));
        assert_eq!(flags.max_instance_concurrent_reuse_count, Range::Between { start: 2, end: 5 });
        assert_eq!(flags.idle_instance_timeout, Range::Fixed(Duration::ZERO));
        assert!(flags.reuse_p2_instances);
        assert_eq!(flags.max_whole_body, 1000);
    }

    #[test]
    fn wrong_values_name_the_flag_and_the_value() {
        let table = [
            ("--listen=3000", "`3000` is not an address to listen on"),
            ("--request-timeout=0", "must be at least 1ns, not `0`"),
            ("--request-timeout=1h", "`1h` is not a duration"),
            ("--max-instance-reuse-count=0", "must be at least 1, not `0`"),
            ("--max-instance-reuse-count=-1", "`-1` is not a whole number"),
            ("--max-instance-concurrent-reuse-count=4..4", "nothing is in the range `4..4`"),
            ("--max-connections=0", "use 1 or more"),
            ("--http1-max-buf-size=8191", "use 8192 bytes or more"),
            ("--idle-connection-timeout=0", "more than 0"),
            ("--body-timeout=1h", "`1h` is not a duration"),
            ("--access-log=xml", "possible values: text, json"),
            ("--format=xml", "possible values: plain, json"),
        ];
        for (alone, other) in [("--tls-cert=a", "--tls-key"), ("--tls-key=a", "--tls-cert")] {
            assert!(parse(&[alone]).unwrap_err().contains(other), "{alone}");
        }
        for (arg, expected) in table {
            let message = parse(&[arg]).unwrap_err();
            let flag = arg.split('=').next().unwrap();
            assert!(message.contains(expected) && message.contains(flag), "{arg}: {message}");
        }
    }
}
