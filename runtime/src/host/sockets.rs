//! Raw sockets of `wasi:sockets`, 0.2.x and 0.3.0: TCP connections and UDP, both outward only, and looking names up.
//!
//! The sockets are the engine's. Each is made with a check of its own ([`open`]), which the engine asks before it uses an
//! address: a component reaches addresses that its manifest allows for `tcp` or `udp`, and the addresses of names that it
//! allows, once this instance has looked them up ([`guard`]). That goes through our own resolver ([`lookup`]), which gives no
//! address in a blocked network; and an address is looked at once more when it is used. So whatever a name answers later, only
//! an address that was checked is connected to. Without such a check the engine makes no socket at all.

mod guard;
mod lookup;
mod open;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use wasmtime::component::Linker;

use self::guard::Guard;
use self::open::{Held, MOST_OPEN};
use crate::host::connections::Opened;
use crate::host::egress::{Egress, Gate};
use crate::instance::HostState;

/// Puts ours in the place of what the engine has linked: looking names up, and sockets that count.
pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    lookup::link(linker)?;
    open::link(linker)
}

/// The same for 0.3.
pub(crate) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    lookup::link_concurrent(linker)?;
    open::link_concurrent(linker)
}

/// What all instances of one component use sockets with.
pub(crate) struct ComponentSockets {
    pub(crate) gate: Arc<Gate>,
    pub(crate) egress: Arc<Egress>,
}

/// What one instance has of sockets. Most never use any, and have nothing but this.
pub(crate) struct InstanceSockets {
    component: Arc<ComponentSockets>,
    guard: Option<Arc<Guard>>,
    places: Opened<MOST_OPEN>,
    /// What TCP sockets hold, by their numbers in the instance's table.
    held: HashMap<u32, Weak<Held>>,
}

impl InstanceSockets {
    pub(crate) fn new(component: &Arc<ComponentSockets>) -> Self {
        Self { component: Arc::clone(component), guard: None, places: Opened::default(), held: HashMap::new() }
    }

    fn guard(&mut self) -> Arc<Guard> {
        Arc::clone(self.guard.get_or_insert_with(|| Arc::new(Guard::new(&self.component))))
    }
}

#[cfg(test)]
mod tests;
