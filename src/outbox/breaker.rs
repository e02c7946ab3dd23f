//! The breaker of a relay: closed, it is not in the way; open, it lets one
//! session at a time try, at growing intervals. It reads no clock: moments are
//! passed in.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Waits between tries of a relay that does not serve, the last one repeated.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// So many sessions lost one after another open it.
pub(super) const LOST_IN_A_ROW: u32 = 5;

/// In which way a relay does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// It lets nobody in.
    Unreachable,
    /// It lets us in and takes nothing.
    Unwilling,
    /// It does not speak SMTP.
    Protocol,
}

/// What a session finds that asks to begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// The breaker is closed.
    Closed,
    /// It is open, and this session is the one that tries.
    Probe,
    /// It is open until then.
    Shut(Instant),
    /// It is open, and another session tries.
    Tried,
}

/// What a failure did to the breaker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Nothing: a session that was under way when it opened says nothing new.
    No,
    /// It is open from now on, or for longer.
    Yes,
    /// The same, and the relay has failed for longer than a run waits.
    OutOfPatience,
}

/// The breaker of one relay.
pub(super) struct Breaker {
    patience: Duration,
    lost_in_a_row: u32,
    open: Option<Open>,
}

/// Nobody may begin but one probe at a time.
pub(super) struct Open {
    since: Instant,
    /// By the clock, and perhaps in an earlier run.
    pub(super) away_since: DateTime<Utc>,
    /// When the next try is due.
    pub(super) until: Instant,
    pause: usize,
    /// The session that tries. What becomes of any other says nothing new.
    probe: Option<usize>,
    pub(super) how: Failing,
    pub(super) reason: String,
}

impl Breaker {
    /// Open, with a first try at once, if the last run left the relay `away`.
    pub(super) fn new(
        patience: Duration,
        away: Option<(DateTime<Utc>, String)>,
        now: Instant,
    ) -> Self {
        Self {
            patience,
            lost_in_a_row: 0,
            open: away.map(|(away_since, reason)| Open {
                since: now,
                away_since,
                until: now,
                pause: PAUSES.len() - 1,
                probe: None,
                how: Failing::Unreachable,
                reason,
            }),
        }
    }

    /// How it is open, if it is.
    pub(super) fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Whether nothing has failed since the last success.
    pub(super) fn is_well(&self) -> bool {
        self.open.is_none() && self.lost_in_a_row == 0
    }

    /// Session number `worker` would begin.
    pub(super) fn asks(&mut self, worker: usize, now: Instant) -> Gate {
        match &mut self.open {
            None => Gate::Closed,
            Some(open) if open.probe.is_some() => Gate::Tried,
            Some(open) if now < open.until => Gate::Shut(open.until),
            Some(open) => {
                open.probe = Some(worker);
                Gate::Probe
            }
        }
    }

    /// Session number `worker` learned nothing of the relay. True when it was
    /// the probe: another one may be.
    pub(super) fn unused(&mut self, worker: usize) -> bool {
        let tried = self.open.as_mut().filter(|open| open.probe == Some(worker));
        tried.is_some_and(|open| open.probe.take().is_some())
    }

    /// The relay serves. True when it did not before.
    pub(super) fn serves(&mut self) -> bool {
        self.lost_in_a_row = 0;
        self.open.take().is_some()
    }

    /// A session was lost. True when the breaker is open, or must be now.
    pub(super) fn lost(&mut self) -> bool {
        self.lost_in_a_row += 1;
        self.open.is_some() || self.lost_in_a_row >= LOST_IN_A_ROW
    }

    /// Session number `worker` failed in a way that opens the breaker.
    pub(super) fn opens(
        &mut self,
        worker: usize,
        (now, time): (Instant, DateTime<Utc>),
        how: Failing,
        reason: &str,
    ) -> Opened {
        let probe = self.open.as_ref().and_then(|open| open.probe);
        if probe.is_some_and(|probe| probe != worker) {
            return Opened::No;
        }
        let (since, away_since, pause) = match &self.open {
            Some(open) if probe.is_some() => {
                let pause = (open.pause + 1).min(PAUSES.len() - 1);
                (open.since, open.away_since, pause)
            }
            // Sessions that failed at the same time are one failure.
            Some(open) => (open.since, open.away_since, open.pause),
            None => (now, time, 0),
        };
        let is_over = probe.is_some() && now - since >= self.patience;
        // The last try falls on the end of our patience, not long after it;
        // while other relays serve, there may be more.
        let end = since + self.patience;
        let next = now + PAUSES[pause];
        let until = if is_over || end < now {
            next
        } else {
            next.min(end)
        };
        self.open = Some(Open {
            since,
            away_since,
            until,
            pause,
            probe: None,
            how,
            reason: reason.to_owned(),
        });
        if is_over {
            Opened::OutOfPatience
        } else {
            Opened::Yes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        breaker: Breaker,
        begin: Instant,
    }

    impl World {
        fn new(patience: u64, away: Option<&str>) -> Self {
            let begin = Instant::now();
            let away = away.map(|since| (since.parse().unwrap(), "refused".to_owned()));
            let breaker = Breaker::new(Duration::from_secs(patience), away, begin);
            Self { breaker, begin }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begin + Duration::from_secs(seconds)
        }

        fn asks(&mut self, worker: usize, seconds: u64) -> Gate {
            self.breaker.asks(worker, self.at(seconds))
        }

        fn fails(&mut self, worker: usize, seconds: u64) -> Opened {
            let time = "2026-11-27T05:00:00Z".parse::<DateTime<Utc>>().unwrap();
            let moments = (self.at(seconds), time + Duration::from_secs(seconds));
            let how = Failing::Unreachable;
            self.breaker.opens(worker, moments, how, "refused")
        }
    }

    #[test]
    fn tries_are_further_and_further_apart_and_the_last_ends_our_patience() {
        let mut world = World::new(600, None);
        assert_eq!(world.asks(0, 0), Gate::Closed);
        assert_eq!(world.fails(0, 0), Opened::Yes);
        for (next, then) in [(5, 20), (20, 80), (80, 380), (380, 600)] {
            assert_eq!(world.asks(0, next - 1), Gate::Shut(world.at(next)));
            assert_eq!(world.asks(0, next), Gate::Probe);
            assert_eq!(world.fails(0, next), Opened::Yes);
            assert_eq!(world.asks(1, next), Gate::Shut(world.at(then)));
        }
        assert_eq!(world.asks(0, 600), Gate::Probe);
        assert_eq!(world.fails(0, 600), Opened::OutOfPatience);
        assert_eq!(world.asks(0, 600), Gate::Shut(world.at(900)));
    }

    #[test]
    fn sessions_that_fail_together_are_one_failure() {
        let mut world = World::new(600, None);
        for worker in 0..4 {
            assert_eq!(world.fails(worker, 1), Opened::Yes);
        }
        assert_eq!(world.asks(0, 5), Gate::Shut(world.at(6)));
        assert_eq!(world.breaker.open().unwrap().reason, "refused");
    }

    #[test]
    fn only_the_probe_says_how_it_goes_on() {
        let mut world = World::new(4, None);
        world.fails(1, 0);
        assert_eq!(world.asks(0, 4), Gate::Probe);
        assert_eq!(world.asks(1, 4), Gate::Tried);
        // Past our patience, but of others.
        assert_eq!(world.fails(1, 9), Opened::No);
        assert!(!world.breaker.unused(1));
        assert_eq!(world.asks(1, 9), Gate::Tried);
        assert!(world.breaker.unused(0), "it had nothing to try with");
        assert_eq!(world.asks(1, 9), Gate::Probe);
        assert_eq!(world.fails(1, 9), Opened::OutOfPatience);
        assert!(world.breaker.serves());
        assert!(!world.breaker.serves());
        assert_eq!(world.asks(1, 9), Gate::Closed);
    }

    #[test]
    fn a_relay_that_was_away_is_tried_at_once_and_away_since_then() {
        let since = "2026-11-26T05:00:00Z";
        let mut world = World::new(600, Some(since));
        assert_eq!(world.asks(3, 0), Gate::Probe);
        assert_eq!(world.fails(3, 0), Opened::Yes);
        assert_eq!(world.asks(3, 0), Gate::Shut(world.at(300)));
        let open = world.breaker.open().unwrap();
        assert_eq!(open.away_since, since.parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn five_sessions_lost_in_a_row_are_too_many() {
        let mut world = World::new(600, None);
        for _ in 1..LOST_IN_A_ROW {
            assert!(!world.breaker.lost());
        }
        assert!(!world.breaker.is_well());
        world.breaker.serves();
        assert!(world.breaker.is_well());
        for _ in 1..LOST_IN_A_ROW {
            assert!(!world.breaker.lost());
        }
        assert!(world.breaker.lost());
    }
}
