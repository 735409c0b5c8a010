//! Where a component may connect to: the entries of `allowed_outbound_hosts`, and whether they allow a destination.
//!
//! Everything here is a pure function of text. Templates must have been resolved before; names are not looked up; which
//! address a name turns out to have, and whether that address is blocked, is the business of whoever connects.
//!
//! An entry is `SCHEME://HOST[:PORT]`, without a path:
//!
//! | Part | Forms |
//! |---|---|
//! | scheme | letters, or `*` for any |
//! | host | a name or address; `*` for any; `*.example.com` for what is below a name, but not the name itself; a network such as `10.0.0.0/8`; `self` for the application itself |
//! | port | a number; `*` for any; `8000..8100`, the end excluded; nothing for the usual port of the scheme |
//!
//! ```
//! use spin_app_model::hosts::{AllowedHosts, Destination};
//!
//! let allowed = AllowedHosts::parse(["https://*.example.com", "redis://10.0.0.0/8:*"], [])?;
//! assert!(allowed.allow(&Destination::parse("https://api.example.com/v1?q", "https")?));
//! assert!(allowed.allow(&Destination::parse("redis://10.1.2.3", "redis")?));
//! assert!(!allowed.allow(&Destination::parse("https://example.com", "https")?));
//! assert!(!allowed.allow(&Destination::parse("http://api.example.com", "https")?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod destination;
mod network;
mod parse;

use std::ops::Range;

pub use destination::{Destination, DestinationError};
pub use network::{Network, NetworkError};
pub(crate) use parse::ALLOW_ALL;
pub use parse::HostError;

/// The suffix of the names by which components of one application reach each other.
const INTERNAL: &str = "spin.internal";

/// The name by which the application reaches itself in a URL.
pub const OWN_NAME: &str = "self.alt";

/// The usual port of a scheme, for the schemes that have one here.
#[must_use]
pub fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "mysql" => Some(3306),
        "postgres" => Some(5432),
        "mqtt" => Some(1883),
        _ => None,
    }
}

/// One entry of `allowed_outbound_hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    scheme: SchemePattern,
    host: HostPattern,
    port: PortPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SchemePattern {
    Any,
    /// Case matters, and the schemes of URLs are lower case.
    Named(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// The application itself.
    Own,
    /// A name in the form that URLs have: lower case, ASCII, without a dot at the end.
    Name(String),
    /// Everything below a name.
    Below(String),
    /// Addresses; a single address is a network of one.
    Network(Network),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PortPattern {
    Any,
    /// The end is excluded; wider than a port, so that the last port can be included.
    In(Range<u32>),
}

/// Components of the same application, as an entry names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Internal<'a> {
    /// All of them: `*.spin.internal`.
    All,
    /// The one whose id is, but for upper and lower case, what stands in front of `.spin.internal`.
    One(&'a str),
}

/// All entries of a component.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

impl AllowedHost {
    /// Reads an entry. Blanks around it don't count.
    ///
    /// # Errors
    ///
    /// Which rule of the grammar it breaks.
    pub fn parse(entry: &str) -> Result<Self, HostError> {
        parse::entry(entry)
    }

    /// Whether this entry allows a destination.
    #[must_use]
    pub fn allows(&self, destination: &Destination) -> bool {
        self.scheme.matches(destination.scheme())
            && self.host.matches(destination)
            // A request to the application itself goes to no port.
            && (destination.is_own() || self.port.matches(destination.port()))
    }

    /// Which components of the same application it names, if it does, which takes a host that can pass requests on to
    /// them.
    #[must_use]
    pub fn internal(&self) -> Option<Internal<'_>> {
        match &self.host {
            HostPattern::Name(name) => {
                let word = name.strip_suffix(INTERNAL)?.strip_suffix('.')?;
                (!word.is_empty()).then_some(Internal::One(word))
            }
            HostPattern::Below(name) => (name == INTERNAL).then_some(Internal::All),
            _ => None,
        }
    }

    /// This entry for one component, if it is for all components of the application.
    fn for_component(&self, component: &str) -> Option<Self> {
        let is_for_all = matches!(&self.host, HostPattern::Below(name) if name == INTERNAL);
        // Names are compared in the form that URLs have.
        let name = format!("{component}.{INTERNAL}").to_ascii_lowercase();
        is_for_all.then(|| Self { host: HostPattern::Name(name), ..self.clone() })
    }
}

impl SchemePattern {
    fn matches(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(name) => name == scheme,
        }
    }
}

impl HostPattern {
    fn matches(&self, destination: &Destination) -> bool {
        match self {
            Self::Any => true,
            Self::Own => destination.is_own(),
            Self::Name(name) => destination.name() == Some(name),
            Self::Below(name) => destination.name().is_some_and(|below| is_below(below, name)),
            Self::Network(network) => destination.address().is_some_and(|address| network.contains(address)),
        }
    }
}

impl PortPattern {
    fn matches(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::In(range) => port.is_some_and(|port| range.contains(&u32::from(port))),
        }
    }
}

impl AllowedHosts {
    /// Reads entries whose templates have been resolved. Empty ones are passed over: a variable without a value takes
    /// nothing away from the rest. `*.spin.internal` becomes one entry for each of `components`.
    ///
    /// # Errors
    ///
    /// What is wrong with the first entry that is wrong.
    pub fn parse<'t>(
        entries: impl IntoIterator<Item = &'t str>,
        components: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, HostError> {
        let entries = entries.into_iter().filter(|entry| !entry.trim().is_empty());
        let entries = entries.map(AllowedHost::parse).collect::<Result<Vec<_>, _>>()?;
        let components: Vec<_> = components.into_iter().collect();
        let (for_all, mut hosts): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.for_component("").is_some());
        for entry in for_all {
            hosts.extend(components.iter().filter_map(|component| entry.for_component(component)));
        }
        Ok(Self(hosts))
    }

    /// Whether any entry is for the host of a destination, whatever its scheme and port: such a name may be looked up.
    #[must_use]
    pub fn mention(&self, destination: &Destination) -> bool {
        self.0.iter().any(|entry| entry.host.matches(destination))
    }

    /// Whether any entry allows something of a scheme besides the application itself.
    #[must_use]
    pub fn allow_some(&self, scheme: &str) -> bool {
        self.0.iter().any(|entry| entry.scheme.matches(scheme) && entry.host != HostPattern::Own)
    }

    /// Whether any entry allows a destination.
    #[must_use]
    pub fn allow(&self, destination: &Destination) -> bool {
        self.0.iter().any(|entry| entry.allows(destination))
    }
}

/// The component that a name is for, if it is the name of one: exactly one word in front of `spin.internal`. Case does not
/// count in names, so the word is in lower case.
#[must_use]
pub fn component_of(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let word = name.strip_suffix(INTERNAL)?.strip_suffix('.')?;
    (!word.is_empty() && !word.contains('.')).then(|| word.to_owned())
}

/// Whether a name has at least one more word in front than another.
fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests;
