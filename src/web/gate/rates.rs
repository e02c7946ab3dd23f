//! How often one address and one network may ask, in a table that cannot grow
//! without end.

use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::domain::network::Network;

/// A table holds no more than this; then those who have been quiet are forgotten.
const MOST_ENTRIES: usize = 65_536;

/// At most so many at once, and on average one for each interval (the generic
/// cell rate algorithm: one number for each network).
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Rate {
    /// At once.
    pub(in crate::web) burst: u32,
    /// Between two, in the long run.
    pub(in crate::web) every: Duration,
}

/// What is remembered of each network: when it will have used up what it asked for.
#[derive(Debug)]
struct Table {
    rate: Rate,
    full_until: HashMap<Network, Duration>,
}

impl Table {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_until: HashMap::new(),
        }
    }

    /// Counts one request, if it is allowed.
    fn allows(&mut self, network: Network, now: Duration) -> bool {
        if self.full_until.len() >= MOST_ENTRIES && !self.full_until.contains_key(&network) {
            self.full_until.retain(|_, until| *until > now);
            if self.full_until.len() >= MOST_ENTRIES {
                // So many ask too often at once that nobody can be told apart.
                return false;
            }
        }
        let until = self.full_until.entry(network).or_default();
        let next = (*until).max(now) + self.rate.every;
        let is_allowed = next <= now + self.rate.every * self.rate.burst;
        if is_allowed {
            *until = next;
        }
        is_allowed
    }
}

/// Which limit was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::web) enum Crowd {
    /// One address asks too often.
    Address,
    /// Those of one network ask too often.
    Network,
}

/// The limits of one kind of request.
#[derive(Debug)]
pub(in crate::web) struct Rates {
    start: Instant,
    tables: Mutex<(Table, Table)>,
}

impl Rates {
    /// Limits per address and per network.
    pub(in crate::web) fn new(address: Rate, network: Rate) -> Self {
        Self {
            start: Instant::now(),
            tables: Mutex::new((Table::new(address), Table::new(network))),
        }
    }

    /// Counts a request of this address; says which limit forbids it.
    pub(in crate::web) fn count(&self, address: IpAddr) -> Result<(), Crowd> {
        let now = self.start.elapsed();
        // A panic elsewhere harms no number in here.
        let mut tables = self.tables.lock().unwrap_or_else(|held| held.into_inner());
        let (one, many) = &mut *tables;
        if !one.allows(Network::of_one(address), now) {
            return Err(Crowd::Address);
        }
        match many.allows(Network::of_many(address), now) {
            true => Ok(()),
            false => Err(Crowd::Network),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rates() -> Rates {
        let rate = |burst| Rate {
            burst,
            every: SECOND,
        };
        Rates::new(rate(3), rate(5))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_for_each_interval() {
        let rates = rates();
        for _ in 0..3 {
            assert_eq!(rates.count(address(1)), Ok(()));
        }
        assert_eq!(rates.count(address(1)), Err(Crowd::Address));
        tokio::time::advance(SECOND).await;
        assert_eq!(rates.count(address(1)), Ok(()));
        assert_eq!(rates.count(address(1)), Err(Crowd::Address));
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_of_one_network_share_its_limit_and_others_do_not() {
        let rates = rates();
        for last in 0..5 {
            assert_eq!(rates.count(address(last)), Ok(()));
        }
        assert_eq!(rates.count(address(6)), Err(Crowd::Network));
        assert_eq!(rates.count([198, 51, 100, 1].into()), Ok(()));
    }

    #[test]
    fn a_table_has_an_end_and_forgets_the_quiet() {
        let mut table = Table::new(Rate {
            burst: 1,
            every: SECOND,
        });
        let network = |number: u32| Network::of_one(IpAddr::V4(number.into()));
        for number in 0..u32::try_from(MOST_ENTRIES).unwrap() {
            assert!(table.allows(network(number), SECOND));
        }
        assert!(!table.allows(network(u32::MAX), SECOND));
        assert!(table.allows(network(u32::MAX), 3 * SECOND));
        assert_eq!(table.full_until.len(), 1);
    }
}
