//! Raw sockets of `wasi:sockets`, 0.2.x and 0.3.0: TCP connections and UDP, both outward only, and looking names up.
//!
//! The sockets are the engine's. What they may do is asked here before each use of an address: a component reaches
//! addresses that its manifest allows for `tcp` or `udp`, and the addresses of names that it allows, once this instance has
//! looked them up. That goes through our own resolver ([`lookup`]), which gives no address in a blocked network; and
//! an address is looked at once more when it is used. So whatever a name answers later, only an address that was checked is
//! connected to.

mod lookup;
mod places;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::host::egress::{ConnectError, Egress, Gate, Refused};
use crate::instance::HostState;
pub(crate) use places::ConnectionPlaces;

/// Names whose addresses an instance is known to have looked up; of more, the oldest are forgotten.
const MOST_NAMES: usize = 64;

/// Puts ours in the place of what the engine has linked: looking names up, and connections that count.
pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    lookup::link(linker)?;
    places::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The same for 0.3.
pub(crate) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    lookup::link_concurrent(linker)?;
    places::link_concurrent(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What all instances of one component use sockets with.
pub(crate) struct ComponentSockets {
    pub(crate) gate: Arc<Gate>,
    pub(crate) egress: Arc<Egress>,
}

/// What one instance may do with sockets.
pub(crate) struct InstanceSockets {
    component: Arc<ComponentSockets>,
    found: Mutex<VecDeque<Found>>,
}

/// What a look-up found.
struct Found {
    name: String,
    addresses: Vec<IpAddr>,
}

/// Why a name has no addresses for a component.
#[derive(Debug, PartialEq, Eq)]
enum NoAddress {
    NoName,
    Denied,
    Unknown,
}

impl InstanceSockets {
    pub(crate) fn new(component: &Arc<ComponentSockets>) -> Arc<Self> {
        Arc::new(Self { component: Arc::clone(component), found: Mutex::default() })
    }

    pub(crate) fn egress(&self) -> Arc<Egress> {
        Arc::clone(&self.component.egress)
    }

    /// Has every use of an address of an instance asked for.
    pub(crate) fn guard(self: &Arc<Self>, builder: &mut WasiCtxBuilder) {
        let sockets = Arc::clone(self);
        // Names are looked up by us, whatever the engine would.
        builder.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(false).socket_addr_check(
            move |address, purpose| {
                let allowed = sockets.allow(address, purpose);
                Box::pin(std::future::ready(allowed))
            },
        );
    }

    fn allow(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
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
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend => self.may_reach("udp", address),
            SocketAddrUse::UdpReceive => gate.is_address_allowed("udp", address, &self.names_of(address.ip())),
        }
    }

    /// Whether the engine will be let connect to an address.
    pub(crate) fn may_connect(&self, address: SocketAddr) -> bool {
        self.allow(address, SocketAddrUse::TcpConnect)
    }

    fn may_reach(&self, scheme: &str, address: SocketAddr) -> bool {
        let names = self.names_of(address.ip());
        let checked = self.component.gate.check_address(scheme, address, &names);
        checked.is_ok_and(|destination| !self.component.egress.blocks(&destination, address.ip()))
    }

    /// The addresses of a name that the component may look up. It may use them from now on as it may the name.
    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        // As the engine does: one that is an address, in whatever form, is that address; no look-up, and no permission.
        let name = match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) => name,
            Ok(url::Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Ok(url::Host::Ipv6(address)) => return Ok(vec![address.into()]),
            Err(_) => return name.parse().map(|address| vec![address]).map_err(|_| NoAddress::NoName),
        };
        let destination = self.component.gate.check_name(&name).map_err(|Refused| NoAddress::Denied)?;
        let name = destination.name().ok_or(NoAddress::NoName)?.clone();
        let addresses = self.component.egress.look_up(&destination).await.map_err(|error| match error {
            ConnectError::Blocked { .. } => NoAddress::Denied,
            _ => NoAddress::Unknown,
        })?;
        let addresses: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|known| known.name != name);
        if found.len() >= MOST_NAMES {
            found.pop_front();
        }
        found.push_back(Found { name, addresses: addresses.clone() });
        Ok(addresses)
    }

    /// The names that were looked up and have an address.
    fn names_of(&self, address: IpAddr) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.to_canonical();
        found.iter().filter(|known| known.addresses.contains(&address)).map(|known| known.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
