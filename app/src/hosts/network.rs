//! Networks: an address and how many of its bits count.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An address range such as `10.0.0.0/8`; a single address is a range of one.
///
/// ```
/// use spin_app_model::hosts::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("::ffff:10.1.2.3".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// All bits behind the prefix are zero.
    first: IpAddr,
    prefix: u32,
}

impl Network {
    /// A single address.
    pub(super) fn of_one(address: IpAddr) -> Self {
        let address = canonical(address);
        Self { first: address, prefix: bits(address) }
    }

    /// An address and the length of the prefix; `None` if there are not that many bits. Bits behind the prefix are
    /// dropped.
    pub(super) fn new(address: IpAddr, prefix: u32) -> Option<Self> {
        let width = bits(address);
        if prefix > width {
            return None;
        }
        // Version 4 addresses in the clothes of version 6 are compared as version 4, so their networks are, too.
        match canonical(address) {
            IpAddr::V4(unwrapped) if width == 128 && prefix >= 96 => Self::new(IpAddr::V4(unwrapped), prefix - 96),
            _ => Some(Self { first: masked(address, prefix), prefix }),
        }
    }

    /// Whether an address is in it. `::ffff:1.2.3.4` is the same as `1.2.3.4`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        bits(address) == bits(self.first) && masked(address, self.prefix) == self.first
    }
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a network: write for example `10.0.0.0/8`, `fd00::/8` or a single address")]
pub struct NetworkError {
    /// The text as given.
    text: String,
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads `ADDRESS` or `ADDRESS/PREFIX`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let network = address.parse().ok().and_then(|address: IpAddr| match prefix {
            None => Some(Self::of_one(address)),
            // The standard library's parser would take a sign.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().and_then(|prefix| Self::new(address, prefix))
            }
            Some(_) => None,
        });
        network.ok_or_else(|| NetworkError { text: text.to_owned() })
    }
}

/// An address of version 4 as such, also if it is written as one of version 6.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}
