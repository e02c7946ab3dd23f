//! How many may sign up within an hour: of one network, and in all. When all
//! are too many the form closes by itself, and opens again an hour later.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Mutex,
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::network::Network;

/// In this time.
const SPAN: Duration = Duration::from_secs(3600);

/// Why somebody cannot sign up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Closed {
    /// Too many of the same network did.
    Network,
    /// Too many did, wherever they came from.
    All {
        /// Whether this is the request that closed the form.
        is_news: bool,
    },
}

/// Who signed up within the last hour.
#[derive(Debug)]
pub(in crate::web) struct Window {
    most_of_network: usize,
    most: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    all: VecDeque<(Instant, Network)>,
    by_network: HashMap<Network, usize>,
    closed_since: Option<Instant>,
}

impl Window {
    /// Limits for an hour.
    pub(in crate::web) fn new(most_of_network: usize, most: usize) -> Self {
        Self {
            most_of_network,
            most,
            seen: Mutex::default(),
        }
    }

    /// Whether the form is closed because too many used it.
    pub(in crate::web) fn is_closed(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(|held| held.into_inner());
        seen.forget(Instant::now());
        seen.closed_since.is_some()
    }

    /// Counts one who signs up, if that is allowed.
    pub(in crate::web) fn enter(&self, address: IpAddr) -> Result<(), Closed> {
        let now = Instant::now();
        let network = Network::of_many(address);
        // A panic elsewhere harms no number in here.
        let mut seen = self.seen.lock().unwrap_or_else(|held| held.into_inner());
        seen.forget(now);
        if seen.closed_since.is_some() {
            return Err(Closed::All { is_news: false });
        }
        let of_network = seen.by_network.get(&network).copied().unwrap_or(0);
        if of_network >= self.most_of_network {
            return Err(Closed::Network);
        }
        if seen.all.len() >= self.most {
            seen.closed_since = Some(now);
            return Err(Closed::All { is_news: true });
        }
        seen.all.push_back((now, network));
        *seen.by_network.entry(network).or_default() += 1;
        Ok(())
    }
}

impl Seen {
    /// Whoever came longer ago than the span counts no more: there are never
    /// more entries than may sign up in it.
    fn forget(&mut self, now: Instant) {
        while let Some((at, network)) = self.all.front().copied()
            && now.duration_since(at) >= SPAN
        {
            self.all.pop_front();
            if let Some(count) = self.by_network.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    self.by_network.remove(&network);
                }
            }
        }
        if self
            .closed_since
            .is_some_and(|since| now.duration_since(since) >= SPAN)
        {
            self.closed_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(network: u8, last: u8) -> IpAddr {
        IpAddr::from([203, 0, network, last])
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_its_own_limit_within_any_hour() {
        let window = Window::new(2, 100);
        assert_eq!(window.enter(address(1, 1)), Ok(()));
        tokio::time::advance(SPAN / 2).await;
        assert_eq!(window.enter(address(1, 2)), Ok(()));
        assert_eq!(window.enter(address(1, 3)), Err(Closed::Network));
        assert_eq!(window.enter(address(2, 1)), Ok(()));
        tokio::time::advance(SPAN / 2).await;
        assert_eq!(window.enter(address(1, 3)), Ok(()));
        assert_eq!(window.enter(address(1, 4)), Err(Closed::Network));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_in_all_close_the_form_for_an_hour_and_it_is_news_once() {
        let window = Window::new(5, 3);
        for network in 0..3 {
            assert_eq!(window.enter(address(network, 1)), Ok(()));
        }
        assert!(!window.is_closed());
        assert_eq!(
            window.enter(address(9, 1)),
            Err(Closed::All { is_news: true })
        );
        assert_eq!(
            window.enter(address(9, 1)),
            Err(Closed::All { is_news: false })
        );
        assert!(window.is_closed());
        tokio::time::advance(SPAN).await;
        assert!(!window.is_closed());
        assert_eq!(window.enter(address(9, 1)), Ok(()));
        assert_eq!(window.seen.lock().unwrap().by_network.len(), 1);
    }
}
