//! Where a request came from, as closely as a proof of consent needs it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The network of an address: its first 24 bits (IPv4) or 56 (IPv6), so that
/// what is kept says which provider a request came through and not whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. IPv4 inside IPv6 (RFC 4291 2.5.5.2) is IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self(Ipv4Addr::new(a, b, c, 0).into())
            }
            IpAddr::V6(v6) => {
                let kept = u128::from(v6) & !(u128::MAX >> 56);
                Self(Ipv6Addr::from(kept).into())
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 24 } else { 56 };
        write!(f, "{}/{bits}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_keeps_nothing_of_the_host() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff:a:b:c:d", "2001:db8:1:200::/56"),
        ] {
            let found = Network::of(address.parse().unwrap());
            assert_eq!(found.to_string(), network);
        }
    }
}
