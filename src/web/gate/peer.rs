//! Who asks: the address of the connection, or the one that a proxy of ours
//! forwards for. What anybody else writes into a header is not believed.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::domain::network::Network;

/// What proxies write the chain of addresses into, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// More than a chain of real proxies has.
const MOST_HOPS: usize = 32;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct Asker {
    /// Who asks, as far as we can know.
    pub(in crate::web) address: IpAddr,
    /// Whether somebody asks on behalf of somebody else.
    pub(in crate::web) is_forwarded: bool,
    /// Whether a proxy that is not listed forwards: then all who come through it
    /// look like one.
    pub(in crate::web) is_hidden: bool,
}

impl Asker {
    /// What the record of a reader may know of where a request came from.
    pub(in crate::web) fn network(&self) -> Option<Network> {
        (!self.is_hidden).then(|| Network::of_many(self.address))
    }
}

/// Finds out who asks through a connection from `peer`.
pub(in crate::web) fn asker(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> Asker {
    let peer = peer.to_canonical();
    let is_forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key("forwarded");
    let is_proxy = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let direct = Asker {
        address: peer,
        is_forwarded,
        is_hidden: is_forwarded && !is_proxy(peer),
    };
    if !is_proxy(peer) {
        return direct;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    let mut address = peer;
    for hop in hops.take(MOST_HOPS) {
        // What cannot be read was not written by a proxy of ours: the last of
        // them is who we know.
        let Some(before) = parsed(hop) else {
            break;
        };
        address = before;
        if !is_proxy(before) {
            break;
        }
    }
    Asker { address, ..direct }
}

/// An address, also in brackets or with a port.
fn parsed(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = match hop.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => hop,
    };
    let address: Option<IpAddr> = bare.parse().ok();
    let with_port = || {
        hop.parse()
            .ok()
            .map(|socket: std::net::SocketAddr| socket.ip())
    };
    Some(address.or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(peer: &str, chain: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in chain {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|p| p.parse().unwrap()).collect();
        let asker = asker(peer.parse().unwrap(), &headers, &proxies);
        asker.address.to_string()
    }

    #[test]
    fn only_a_listed_proxy_is_believed() {
        let chain = ["198.51.100.7"];
        assert_eq!(address("127.0.0.1", &chain, &["127.0.0.1"]), "198.51.100.7");
        assert_eq!(address("127.0.0.1", &chain, &[]), "127.0.0.1");
        assert_eq!(
            address("203.0.113.5", &chain, &["127.0.0.1"]),
            "203.0.113.5"
        );
        assert_eq!(address("127.0.0.1", &[], &["127.0.0.1"]), "127.0.0.1");
    }

    #[test]
    fn what_stands_before_the_first_stranger_is_that_strangers_word() {
        let proxies = ["127.0.0.1", "10.0.0.0/8"];
        for (chain, found) in [
            (vec!["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (vec!["1.1.1.1, 198.51.100.7, 10.0.0.3"], "198.51.100.7"),
            (vec!["1.1.1.1", "198.51.100.7, 10.0.0.3"], "198.51.100.7"),
            (vec!["nonsense"], "127.0.0.1"),
            (vec!["nonsense, 10.0.0.3"], "10.0.0.3"),
            (vec!["198.51.100.7:4711"], "198.51.100.7"),
            (vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            (vec!["10.0.0.9"], "10.0.0.9"),
        ] {
            assert_eq!(address("127.0.0.1", &chain, &proxies), found, "{chain:?}");
        }
    }
}
