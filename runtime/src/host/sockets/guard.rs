//! Which addresses the sockets of one instance may use, and which names it may look up.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use spin_app_model::hosts::Destination;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::ComponentSockets;
use crate::host::egress::{ConnectError, Egress, Refused};

/// Names whose addresses an instance is known to have looked up; of more, the oldest are forgotten.
pub(super) const MOST_NAMES: usize = 64;

/// Says of each use of an address whether it may be.
pub(super) struct Guard {
    component: Arc<ComponentSockets>,
    pub(super) found: Mutex<VecDeque<Found>>,
}

/// What a look-up found.
pub(super) struct Found {
    name: String,
    addresses: Vec<IpAddr>,
}

/// What a guest asks addresses of.
pub(super) enum Asked {
    /// It is one, in whatever form.
    Address(IpAddr),
    /// A name that the component may look up.
    Name(Destination),
}

/// Why a name has no addresses for a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAddress {
    NoName,
    Denied,
    /// Nobody has answered yet.
    Late,
    Unknown,
}

impl Guard {
    pub(super) fn new(component: &Arc<ComponentSockets>) -> Self {
        Self { component: Arc::clone(component), found: Mutex::default() }
    }

    pub(super) fn egress(&self) -> &Egress {
        &self.component.egress
    }

    pub(super) fn allow(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let gate = &self.component.gate;
        match purpose {
            // Every socket that sends has some address of its own, which reaches nothing.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if address.ip().is_unspecified() && address.port() == 0 => {
                true
            }
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                gate.deny_listening();
                false
            }
            SocketAddrUse::TcpConnect => self.may_reach("tcp", address),
            // To have a port that others know is to be reached by them, and asked for as they are.
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend => self.may_reach("udp", address),
            SocketAddrUse::UdpReceive => {
                gate.is_address_allowed("udp", address, &self.names_of(address.ip()))
                    && !self.egress().is_blocked(address.ip())
            }
        }
    }

    fn may_reach(&self, scheme: &str, address: SocketAddr) -> bool {
        let names = self.names_of(address.ip());
        let checked = self.component.gate.check_address(scheme, address, &names);
        checked.is_ok_and(|destination| !self.egress().blocks(&destination, address.ip()))
    }

    /// What a guest asks for, if it may. What is wrong with it is known at once.
    pub(super) fn read(&self, name: &str) -> Result<Asked, NoAddress> {
        // As the engine does: one that is an address is that address; no look-up, and no permission.
        let name = match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) => name,
            Ok(url::Host::Ipv4(address)) => return Ok(Asked::Address(address.into())),
            Ok(url::Host::Ipv6(address)) => return Ok(Asked::Address(address.into())),
            Err(_) => return name.parse().map(Asked::Address).map_err(|_| NoAddress::NoName),
        };
        let destination = self.component.gate.check_name(&name).map_err(|Refused| NoAddress::Denied)?;
        if destination.name().is_some() { Ok(Asked::Name(destination)) } else { Err(NoAddress::NoName) }
    }

    /// The addresses of what a guest asks for. It may use those of a name from now on as it may the name.
    pub(super) async fn addresses(&self, asked: Asked) -> Result<Vec<IpAddr>, NoAddress> {
        let destination = match asked {
            Asked::Address(address) => return Ok(vec![address]),
            Asked::Name(destination) => destination,
        };
        let addresses = self.egress().look_up(&destination).await.map_err(|error| match error {
            ConnectError::Blocked { .. } => NoAddress::Denied,
            ConnectError::DnsTimeout { .. } => NoAddress::Late,
            _ => NoAddress::Unknown,
        })?;
        let addresses: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
        let name = destination.name().cloned().unwrap_or_default();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|known| known.name != name);
        if found.len() >= MOST_NAMES {
            found.pop_front();
        }
        found.push_back(Found { name, addresses: addresses.clone() });
        Ok(addresses)
    }

    /// The names that were looked up and have an address.
    pub(super) fn names_of(&self, address: IpAddr) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.to_canonical();
        found.iter().filter(|known| known.addresses.contains(&address)).map(|known| known.name.clone()).collect()
    }
}
