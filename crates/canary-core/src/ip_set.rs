//! Networks of a policy: whether an address is in one of them.

use core::net::{IpAddr, Ipv6Addr};

/// A set of addresses; a look-up is one binary search, however many networks there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpSet {
    /// Sorted and disjoint, both ends in it.
    ranges: Box<[(u128, u128)]>,
}

/// A network in CIDR form, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    last: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or an address alone.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(raw: &str) -> Result<Self, &'static str> {
        const FORM: &str = "a network such as 10.0.0.0/8 or 2001:db8::/32, or an address";
        let (address, bits) = match raw.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (raw, None),
        };
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            // Neither `+8` nor `08`: what people do not write, they have mistyped.
            Some(bits) if bits.len() > 1 && bits.starts_with('0') => return Err(FORM),
            Some(bits) if !bits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(FORM),
            Some(bits) => bits.parse().map_err(|_| FORM)?,
            None => width,
        };
        let free = width.checked_sub(bits).ok_or("a network with at most 32 bits (IPv6: 128)")?;
        let hosts = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        let first = number(address);
        if first & hosts != 0 {
            return Err("a network without bits behind its prefix");
        }
        Ok(Self { first, last: first | hosts })
    }
}

impl FromIterator<Network> for IpSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let mut networks: Vec<Network> = networks.into_iter().collect();
        networks.sort_unstable_by_key(|network| network.first);
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for network in networks {
            match ranges.last_mut() {
                Some((_, last)) if network.first <= *last => *last = network.last.max(*last),
                _ => ranges.push((network.first, network.last)),
            }
        }
        Self { ranges: ranges.into() }
    }
}

impl IpSet {
    /// Whether an address is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = number(address);
        let after = self.ranges.partition_point(|(first, _)| *first <= address);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|(_, last)| address <= *last)
    }
}

/// An address as an IPv6 one: an IPv4 client is the same client when it comes mapped.
fn number(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(networks: &[&str]) -> IpSet {
        networks.iter().map(|raw| Network::parse(raw).unwrap()).collect()
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let set = set(&["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "198.51.100.0/31"]);
        for inside in
            ["10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "2001:db8:ffff::1", "198.51.100.1"]
        {
            assert!(set.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.8", "2001:db9::", "::", "198.51.100.2"] {
            assert!(!set.contains(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn everything_is_a_network_too() {
        assert!(set(&["0.0.0.0/0"]).contains("1.2.3.4".parse().unwrap()));
        assert!(!set(&["0.0.0.0/0"]).contains("2001:db8::1".parse().unwrap()));
        assert!(set(&["::/0"]).contains("1.2.3.4".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for raw in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::1/64",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "::/129",
            "a/8",
            "10.0.0.0/8/8",
            "[::1]/128",
            "10.0.0.0/4294967304",
        ] {
            assert!(Network::parse(raw).is_err(), "{raw}");
        }
    }
}
