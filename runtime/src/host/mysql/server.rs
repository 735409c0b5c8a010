//! One server as an address names it, and new connections to it.

use std::net::IpAddr;
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use rustls::RootCertStore;
use spin_app_model::hosts::Destination;
use url::Url;

use super::session::Session;
use crate::host::connections::LONGEST_ADDRESS;
use crate::host::egress::{self, Egress, Gate};
use crate::host::rows::MOST_BUFFERED;

/// Parameters of an address that say whether there is TLS. The driver doesn't know them.
const TLS_MODES: [&str; 2] = ["ssl-mode", "sslmode"];

/// Prepared statements that a connection keeps, whatever the address says.
const MOST_STATEMENTS: usize = 64;

/// What a row takes on its way besides its values, in bytes at the most, about.
const AROUND_A_ROW: usize = 64 * 1024;

/// Why an address is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    #[error("address {0} is not permitted")]
    Denied(String),
    #[error("the address is longer than {LONGEST_ADDRESS} bytes")]
    TooLong,
    #[error("the address can't be used: {0}")]
    Unreadable(String),
}

/// Where connections of one pool go.
pub(super) struct Server {
    options: Opts,
    /// Whether the address asks for TLS besides what the driver reads in it.
    tls: bool,
    destination: Destination,
    egress: Arc<Egress>,
}

impl Server {
    /// Reads an address, and asks whether it may be reached.
    pub(super) fn new(address: &str, gate: &Gate, egress: &Arc<Egress>) -> Result<Self, AddressError> {
        if address.len() > LONGEST_ADDRESS {
            return Err(AddressError::TooLong);
        }
        let destination = gate.check(address, "mysql").map_err(|_| AddressError::Denied(address.to_owned()))?;
        let unreadable = |reason: &dyn std::fmt::Display| AddressError::Unreadable(reason.to_string());
        let mut url = Url::parse(address).map_err(|error| unreadable(&error))?;
        let tls = take_tls_mode(&mut url);
        let options = Opts::from_url(url.as_str()).map_err(|error| unreadable(&error))?;
        Ok(Self { options, tls, destination, egress: Arc::clone(egress) })
    }

    async fn connect(&self) -> Result<Session, String> {
        let (addresses, place) = self.egress.resolve(&self.destination).await.map_err(|error| error.to_string())?;
        let port = self.destination.port().ok_or("the address names no port")?;
        let addresses: Vec<IpAddr> = addresses.into_iter().map(|address| address.ip()).collect();
        // Where the connection goes is what was checked, whatever else the address says; what is looked up is looked up
        // once. A server on this machine could be asked for its socket, which is nothing that a manifest allows.
        let options = OptsBuilder::from_opts(self.options.clone())
            .ip_or_hostname(egress::host(&self.destination).ok_or("the app itself is no database server")?)
            .tcp_port(port)
            .resolved_ips(Some(addresses))
            .socket(None::<String>)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .stmt_cache_size(MOST_STATEMENTS)
            // The driver holds a packet whole, and a row is one.
            .max_allowed_packet(Some(MOST_BUFFERED + AROUND_A_ROW))
            .ssl_opts(self.ssl().await?);
        let connection = Conn::new(options).await.map_err(|error| error.to_string())?;
        Ok(Session::new(connection, Arc::clone(&self.egress), place))
    }

    /// TLS with the roots that the machine trusts besides those of the driver.
    async fn ssl(&self) -> Result<Option<SslOpts>, String> {
        let asked = self.options.ssl_opts().cloned();
        let Some(ssl) = asked.or_else(|| self.tls.then(SslOpts::default)) else { return Ok(None) };
        let machine = tokio::task::spawn_blocking(machine_roots).await;
        let machine = machine.map_err(|_| "the certificates of this machine can't be read".to_owned())?;
        let trusted = machine.into_iter().map(Into::into).chain(ssl.root_certs().iter().cloned()).collect();
        Ok(Some(ssl.with_root_certs(trusted)))
    }
}

impl Manager for Server {
    type Type = Session;
    type Error = String;

    async fn create(&self) -> Result<Session, String> {
        self.connect().await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<String> {
        if session.is_as_new().await { Ok(()) } else { Err(RecycleError::message("it is not as new")) }
    }
}

/// Takes what an address says of TLS out of it. Anything but `disabled` asks for it.
fn take_tls_mode(url: &mut Url) -> bool {
    let is_mode = |name: &str| TLS_MODES.iter().any(|mode| mode.eq_ignore_ascii_case(name));
    let (modes, others): (Vec<_>, Vec<_>) = url.query_pairs().into_owned().partition(|(name, _)| is_mode(name));
    if !modes.is_empty() {
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
    }
    modes.last().is_some_and(|(_, mode)| !mode.eq_ignore_ascii_case("disabled"))
}

/// Certificates that the machine trusts. One that can't be parsed is none; the driver would give up for it.
fn machine_roots() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs().certs.into_iter();
    let usable = found.filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    usable.map(|certificate| certificate.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_whether_there_is_tls() {
        for (address, tls, left) in [
            ("mysql://u@h/db", false, "mysql://u@h/db"),
            ("mysql://u@h/db?ssl-mode=required", true, "mysql://u@h/db"),
            ("mysql://u@h/db?SSL-Mode=DISABLED", false, "mysql://u@h/db"),
            ("mysql://u@h/db?sslmode=preferred&wait_timeout=5", true, "mysql://u@h/db?wait_timeout=5"),
            ("mysql://u@h/db?wait_timeout=5", false, "mysql://u@h/db?wait_timeout=5"),
        ] {
            let mut url = Url::parse(address).expect("a URL");
            assert_eq!((take_tls_mode(&mut url), url.as_str()), (tls, left), "{address}");
        }
    }
}
