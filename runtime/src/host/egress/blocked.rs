//! Networks that no component may reach, whatever its manifest says.
//!
//! An address of version 6 can carry one of version 4 that the packets end up at. Such an address is looked at in all
//! its forms, and one blocked form is enough.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use spin_app_model::hosts::{Network, NetworkError};

/// One entry of the list of blocked networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// Everything that is not globally routable: loopback, private and shared address space, link-local, and the like.
    Private,
    /// One network.
    Network(Network),
}

impl FromStr for Blocked {
    type Err = NetworkError;

    /// Reads `private`, an address, or a network such as `10.0.0.0/8`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if text == "private" { Ok(Self::Private) } else { text.parse().map(Self::Network) }
    }
}

impl Blocked {
    /// Whether packets to `address` may end up in what this entry blocks.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        forms(address).any(|form| match self {
            Self::Private => !is_global(form),
            Self::Network(network) => network.contains(form),
        })
    }
}

/// The address, and the addresses of version 4 that are in it.
fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = address.to_canonical();
    let carried = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => carried(address),
    };
    std::iter::once(address).chain(carried.into_iter().flatten().map(IpAddr::V4))
}

/// The addresses of version 4 that an address of version 6 carries: the one at its end, or in its middle.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    match address.segments() {
        // Mapped and compatible (RFC 4291, 2.5.5); `::` and `::1` are among the latter, and blocked anyway.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] => [Some(at(0)), None],
        // "Translated" (RFC 2765).
        [0, 0, 0, 0, 0xffff, 0, _, _] => [Some(at(0)), None],
        // NAT64: the well-known prefix (RFC 6052), and the one for local use (RFC 8215).
        [0x64, 0xff9b, ..] => [Some(at(0)), None],
        // 6to4 (RFC 3056).
        [0x2002, ..] => [Some(at(80)), None],
        // Teredo (RFC 4380): the server, and the client with its bits turned.
        [0x2001, 0, ..] => [Some(at(64)), Some(Ipv4Addr::from_bits(!at(0).to_bits()))],
        // ISATAP (RFC 5214), below any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => [Some(at(0)), None],
        _ => [None, None],
    }
}

/// Whether an address is one of the public internet: by IANA's registries of special-purpose addresses as of 2025, and
/// for what they leave open rather not.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !is_special_v4(address),
        IpAddr::V6(address) => match address.segments() {
            // The translators of NAT64 are reached like global addresses; what is behind them is looked at by itself.
            [0x64, 0xff9b, 0, 0, 0, 0, _, _] => true,
            // Protocol assignments (with Teredo and benchmarking), documentation, documentation.
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
            // Global unicast is what is assigned of all the rest.
            [first, ..] => first & 0xe000 == 0x2000,
        },
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // "This network", private use, loopback, link-local.
        [0 | 10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] => true,
        // Shared by carriers (RFC 6598), protocol assignments, documentation, 6to4 relays, benchmarking.
        [100, 64..=127, ..] | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [192, 88, 99, _] | [198, 18..=19, ..] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(entry: &str, address: &str) -> bool {
        entry.parse::<Blocked>().expect("an entry").covers(address.parse().expect("an address"))
    }

    #[test]
    fn private_is_what_the_internet_does_not_route() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2001:2::1",
            "5f00::1",
            "4000::1",
            // Version 4 in version 6.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::",
            "2001:0:7f00:1::",
            "2001:470::5efe:10.0.0.1",
            "2001:470::200:5efe:10.0.0.1",
        ];
        for address in private {
            assert!(covers("private", address), "{address}");
        }
        let global = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "169.253.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860::8888",
            "2001:200::1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ];
        for address in global {
            assert!(!covers("private", address), "{address}");
        }
    }

    #[test]
    fn a_network_covers_every_form_of_its_addresses() {
        for address in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "::10.1.2.3",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::10.1.2.3",
            "2002:a01:203::9",
            "2001:0:808:808:0:0:f5fe:fdfc",
            "2001:0:a01:203::",
        ] {
            assert!(covers("10.0.0.0/8", address), "{address}");
            assert!(!covers("11.0.0.0/8", address), "{address}");
        }
        assert!(covers("64:ff9b::/96", "64:ff9b::8.8.8.8") && covers("2002::/16", "2002:808:808::"));
        assert!(covers("169.254.169.254", "169.254.169.254") && !covers("169.254.169.254", "169.254.169.253"));
    }

    #[test]
    fn only_the_word_and_networks_are_entries() {
        for text in ["Private", "private ", "public", "", "10.0.0.0/40"] {
            assert!(text.parse::<Blocked>().is_err(), "{text}");
        }
    }
}
