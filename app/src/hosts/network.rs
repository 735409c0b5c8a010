//! Networks: an address and how many of its bits count.

use std::net::{IpAddr, Ipv6Addr};

/// An address range such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
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
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        bits(address) == bits(self.first) && masked(address, self.prefix) == self.first
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
