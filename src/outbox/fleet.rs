//! The relays of one drain, side by side: each gets its share of the messages,
//! and the share of one that fails goes to the others until it serves again.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

use super::locked;

/// A relay that finished nothing for so long is not waited for.
const STALLED: Duration = Duration::from_secs(2);

/// What the relays know of each other.
pub(super) struct Fleet {
    members: Mutex<Vec<Member>>,
    /// By member: it may be its turn, because of what became of another one.
    turns: Vec<Notify>,
}

struct Member {
    weight: f64,
    /// Messages taken, divided by the weight: who is ahead waits.
    rounds: f64,
    /// The breaker is closed.
    serves: bool,
    /// May still serve within our patience.
    has_hope: bool,
    /// Nothing more in this run.
    is_out: bool,
    /// Its own rate keeps it from the next message until then.
    held_until: Instant,
    last_progress: Instant,
}

impl Member {
    /// Whether the others keep their share small for its sake.
    fn is_waited_for(&self, now: Instant) -> bool {
        self.serves && !self.is_out && self.held_until <= now && now - self.last_progress < STALLED
    }
}

impl Fleet {
    pub(super) fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let now = Instant::now();
        let member = |weight| Member {
            weight: f64::from(weight),
            rounds: 0.0,
            serves: true,
            has_hope: true,
            is_out: false,
            held_until: now,
            last_progress: now,
        };
        let members: Vec<Member> = weights.into_iter().map(member).collect();
        Self {
            turns: members.iter().map(|_| Notify::new()).collect(),
            members: Mutex::new(members),
        }
    }

    /// Whether none of them serves now.
    pub(super) fn is_idle(&self) -> bool {
        let members = self.lock();
        members.iter().all(|member| member.is_out || !member.serves)
    }

    /// Takes the next message for relay `me`, if its share allows one now.
    pub(super) fn take(&self, me: usize) -> bool {
        let mut members = self.lock();
        if members.len() == 1 {
            return true;
        }
        let now = Instant::now();
        let others = members.iter().enumerate().filter(|(n, _)| *n != me);
        let behind = others
            .filter(|(_, member)| member.is_waited_for(now))
            .map(|(_, member)| member.rounds)
            .reduce(f64::min);
        let member = &mut members[me];
        let step = 1.0 / member.weight;
        if let Some(behind) = behind {
            if member.rounds > behind {
                return false;
            }
            // What was missed while it did not serve is not made up for.
            member.rounds = member.rounds.max(behind - step.max(1.0));
        }
        member.rounds += step;
        drop(members);
        self.wake_others(me);
        true
    }

    /// Ends when it may have become the turn of relay `me`.
    pub(super) fn turn(&self, me: usize) -> Notified<'_> {
        self.turns[me].notified()
    }

    fn wake_others(&self, me: usize) {
        for (other, turn) in self.turns.iter().enumerate() {
            if other != me {
                turn.notify_waiters();
            }
        }
    }

    /// Relay `me` finished with a message, one way or another.
    pub(super) fn progress(&self, me: usize) {
        let mut members = self.lock();
        if members.len() > 1 {
            members[me].last_progress = Instant::now();
        }
    }

    /// Relay `me` may not take its next message before `moment`.
    pub(super) fn hold(&self, me: usize, moment: Instant) {
        self.lock()[me].held_until = moment;
    }

    /// The breaker of relay `me` closed or opened.
    pub(super) fn serves(&self, me: usize, serves: bool) {
        let mut members = self.lock();
        members[me].serves = serves;
        if serves {
            members[me].has_hope = true;
        }
        drop(members);
        self.wake_others(me);
    }

    /// Relay `me` was waited for as long as one run does; true when no other
    /// may serve either.
    pub(super) fn despair(&self, me: usize) -> bool {
        let mut members = self.lock();
        members[me].has_hope = false;
        is_hopeless(&members)
    }

    /// Relay `me` gets nothing more in this run; true when no other may serve.
    pub(super) fn take_out(&self, me: usize) -> bool {
        let mut members = self.lock();
        members[me].is_out = true;
        let hopeless = is_hopeless(&members);
        drop(members);
        self.wake_others(me);
        hopeless
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        locked(&self.members)
    }
}

fn is_hopeless(members: &[Member]) -> bool {
    !members
        .iter()
        .any(|member| member.has_hope && !member.is_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many each takes when both always want to.
    fn shares(fleet: &Fleet, turns: usize) -> [usize; 2] {
        let mut taken = [0; 2];
        for turn in 0..turns {
            for me in [turn % 2, (turn + 1) % 2] {
                if fleet.take(me) {
                    taken[me] += 1;
                }
                fleet.progress(me);
            }
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_shared_by_weight() {
        let fleet = Fleet::new([3, 1]);
        let [first, second] = shares(&fleet, 400);
        assert!(second > 100, "{first} {second}");
        assert!(first.abs_diff(3 * second) <= 3, "{first} {second}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_share_of_one_that_fails_goes_to_the_other_and_is_not_made_up_for() {
        let fleet = Fleet::new([1, 1]);
        fleet.serves(0, false);
        assert!((0..50).all(|_| fleet.take(1)));
        fleet.serves(0, true);
        let [first, second] = shares(&fleet, 100);
        assert!(first.abs_diff(second) <= 2, "{first} {second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_stalls_or_keeps_its_rate_holds_nobody_back() {
        let fleet = Fleet::new([1, 1]);
        assert!(fleet.take(0));
        assert!(!fleet.take(0), "the other is behind");
        tokio::time::advance(STALLED).await;
        assert!((0..10).all(|_| fleet.take(0)));
        fleet.progress(1);
        assert!(!fleet.take(0));
        fleet.hold(1, Instant::now() + Duration::from_secs(60));
        assert!(fleet.take(0));
    }

    #[tokio::test(start_paused = true)]
    async fn hope_ends_with_the_last_relay() {
        let fleet = Fleet::new([1, 1, 1]);
        assert!(!fleet.despair(0));
        assert!(!fleet.take_out(1));
        assert!(fleet.despair(2));
        fleet.serves(0, true);
        assert!(!fleet.despair(2), "it serves again");
    }
}
