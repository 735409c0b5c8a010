//! What one component may reach, by its `allowed_outbound_hosts`.

use std::net::SocketAddr;

use spin_app_model::ComponentId;
use spin_app_model::hosts::{AllowedHost, AllowedHosts, Destination, DestinationError, HostError, OWN_NAME};
use spin_app_model::lock::{LockedApp, LockedComponent};

use super::shown;
use crate::host::told::Told;
use crate::variables::Variables;

/// Decides where one component may connect to.
pub(crate) struct Gate {
    component: ComponentId,
    /// An entry that can't be read denies everything: nobody knows what the others were meant to allow.
    allowed: Result<AllowedHosts, String>,
    told: Told,
}

/// A destination that the component may not reach; it has been logged.
#[derive(Debug, thiserror::Error)]
#[error("the component may not reach this destination")]
pub(crate) struct Refused;

impl Gate {
    /// The gate of a component of `app`, with the app's variables put into its entries.
    pub(crate) fn new(app: &LockedApp, component: &LockedComponent, variables: &Variables) -> Self {
        let allowed = allowed(app, component, variables);
        if let Err(problem) = &allowed {
            tracing::warn!(component = %component.id, "all outbound connections will be denied: {problem}");
        }
        Self { component: component.id.clone(), allowed, told: Told::default() }
    }

    /// Whose gate it is.
    pub(crate) fn component(&self) -> &ComponentId {
        &self.component
    }

    /// The destination of `url`, if the component may reach it; `self.alt` is the app itself. A text without a scheme gets
    /// `default_scheme`.
    pub(crate) fn check(&self, url: &str, default_scheme: &str) -> Result<Destination, Refused> {
        let destination = Destination::parse(url, default_scheme).map_err(|error| {
            // Without the text, which may hold a password.
            let reason = match error {
                DestinationError::NoUrl { reason, .. } => reason,
                error => error.code().to_owned(),
            };
            if self.told.is_first(&reason) {
                tracing::error!(component = %self.component, "outbound connection denied: its URL can't be read: {reason}");
            }
            Refused
        })?;
        if destination.name().is_some_and(|name| name == OWN_NAME) {
            self.check_own()?;
            return Ok(Destination::own(destination.scheme()));
        }
        if self.allowed.as_ref().is_ok_and(|allowed| allowed.allow(&destination)) {
            return Ok(destination);
        }
        self.deny(&shown(&destination));
        Err(Refused)
    }

    /// What a name stands for, if the component may look it up: if its manifest names it, whatever the scheme and the port.
    pub(crate) fn check_name(&self, name: &str) -> Result<Destination, Refused> {
        let scheme = "tcp";
        let destination = Destination::parse(&format!("{scheme}://{name}"), scheme).map_err(|_| Refused)?;
        if self.allowed.as_ref().is_ok_and(|allowed| allowed.mention(&destination)) {
            return Ok(destination);
        }
        self.deny(&format!("{}:*", shown(&destination)));
        Err(Refused)
    }

    /// Whether there is anything that the component may exchange data with by itself, over `scheme`: `tcp` or `udp`.
    pub(crate) fn check_protocol(&self, scheme: &str) -> Result<(), Refused> {
        if self.allowed.as_ref().is_ok_and(|allowed| allowed.allow_some(scheme)) {
            return Ok(());
        }
        self.deny(&format!("{scheme}://HOST:PORT"));
        Err(Refused)
    }

    /// Whether the component may exchange data with an address by itself, over `scheme`: `tcp` or `udp`. The manifest allows
    /// the address, or one of `names`, which were looked up for the component and have it.
    pub(crate) fn check_address(
        &self,
        scheme: &str,
        address: SocketAddr,
        names: &[String],
    ) -> Result<Destination, Refused> {
        self.find_address(scheme, address, names).map_err(|denied| {
            self.deny(&shown(&denied));
            Refused
        })
    }

    /// The same for what comes in unasked, of which nobody is told.
    pub(crate) fn is_address_allowed(&self, scheme: &str, address: SocketAddr, names: &[String]) -> bool {
        self.find_address(scheme, address, names).is_ok()
    }

    /// The destination that is allowed, or else one that is not.
    fn find_address(&self, scheme: &str, address: SocketAddr, names: &[String]) -> Result<Destination, Destination> {
        let port = address.port();
        let named =
            names.iter().filter_map(|name| Destination::parse(&format!("{scheme}://{name}:{port}"), scheme).ok());
        let mut all = named.chain([Destination::at(scheme, address)]).collect::<Vec<_>>();
        let allowed = |destination: &Destination| self.allowed.as_ref().is_ok_and(|allowed| allowed.allow(destination));
        match all.iter().position(allowed) {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(all.swap_remove(0)),
        }
    }

    /// Tells the user, once, that the component tried to be a server.
    pub(crate) fn deny_listening(&self) {
        if self.told.is_first("listening") {
            tracing::error!(
                "component \"{}\" tried to listen on a socket, which no component may: events come through triggers",
                self.component
            );
        }
    }

    /// Whether the component may send requests to the app itself.
    fn check_own(&self) -> Result<(), Refused> {
        // Which of the two schemes it would be served by is nothing that a component could know.
        let own = ["http", "https"].map(Destination::own);
        if self.allowed.as_ref().is_ok_and(|allowed| own.iter().any(|own| allowed.allow(own))) {
            return Ok(());
        }
        self.deny("http://self");
        Err(Refused)
    }

    /// Tells the user, once for each destination, what was denied and how to allow it.
    fn deny(&self, destination: &str) {
        if !self.told.is_first(destination) {
            return;
        }
        let component = &self.component;
        match &self.allowed {
            Ok(_) => tracing::error!(
                "component \"{component}\" tried to make an outbound network connection to disallowed destination \
                 '{destination}'; to allow it, add 'allowed_outbound_hosts = [\"{destination}\"]' to \
                 [component.{component}] in spin.toml"
            ),
            Err(problem) => tracing::error!(
                "component \"{component}\" tried to make an outbound network connection to '{destination}'; \
                 all are denied, because {problem}"
            ),
        }
    }
}

/// The entries of a component, read only after the variables were put in.
fn allowed(app: &LockedApp, component: &LockedComponent, variables: &Variables) -> Result<AllowedHosts, String> {
    let place = format!("allowed_outbound_hosts of component \"{}\"", component.id);
    let mut resolved = Vec::new();
    for entry in component.metadata_list("allowed_outbound_hosts") {
        let text = variables.expand(entry, &place).map_err(|error| error.to_string())?;
        // The values of variables may be secret, so a problem is told with the entry as the manifest has it.
        match AllowedHost::parse(&text) {
            Err(HostError::Empty) | Ok(_) => resolved.push(text),
            Err(error) if text == *entry => return Err(format!("{place}: {entry:?}: {error}")),
            Err(_) => return Err(format!("{place}: {entry:?} is no valid entry with the values of its variables")),
        }
    }
    let components: Vec<&str> = app.components.iter().map(|component| component.id.as_str()).collect();
    AllowedHosts::parse(resolved.iter().map(String::as_str), components).map_err(|error| format!("{place}: {error}"))
}
