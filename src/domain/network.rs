//! Networks by address and prefix (CIDR, RFC 4632 and RFC 4291 2.3).

use std::{fmt, net::IpAddr, str::FromStr};

/// A block of addresses; IPv4 inside IPv6 counts as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Something that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address or network such as `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`")]
pub struct NetworkError(String);

impl Network {
    /// The block of this many leading bits around an address.
    #[must_use]
    pub fn around(address: IpAddr, prefix_v4: u8, prefix_v6: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let prefix = prefix_v4.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Self {
                    first: IpAddr::V4((u32::from(address) & mask).into()),
                    prefix,
                }
            }
            IpAddr::V6(address) => {
                let prefix = prefix_v6.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Self {
                    first: IpAddr::V6((u128::from(address) & mask).into()),
                    prefix,
                }
            }
        }
    }

    /// What one party usually has: an IPv4 address, or a /64 of IPv6.
    #[must_use]
    pub fn of_one(address: IpAddr) -> Self {
        Self::around(address, 32, 64)
    }

    /// What stands for a neighbourhood, and says little of a person: /24 of
    /// IPv4, /56 of IPv6.
    #[must_use]
    pub fn of_many(address: IpAddr) -> Self {
        Self::around(address, 24, 56)
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && Self::around(address, self.prefix, self.prefix) == *self
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(raw: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(raw.chars().take(80).collect());
        let (address, prefix) = match raw.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (raw.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
        };
        match prefix <= most {
            true => Ok(Self::around(address, prefix, prefix)),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(raw: &str) -> Network {
        raw.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_shares_its_first_bits() {
        for (outer, inner, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fdff::1", true),
            ("::1", "::1", true),
            ("::/0", "2001:db8::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ] {
            let inner = inner.parse().unwrap();
            assert_eq!(network(outer).contains(inner), is_in, "{outer} {inner}");
        }
    }

    #[test]
    fn a_neighbourhood_hides_the_last_bits() {
        let of = |address: &str| Network::of_many(address.parse().unwrap()).to_string();
        assert_eq!(of("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(of("2001:db8:1:2ff:3::4"), "2001:db8:1:200::/56");
        assert_eq!(of("::ffff:203.0.113.77"), "203.0.113.0/24");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for raw in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0/8",
            "1.2.3.4/x",
        ] {
            assert!(raw.parse::<Network>().is_err(), "{raw}");
        }
    }
}
