//! How many sessions, how fast, and when to wait: shared by all of a run's
//! sessions with one relay.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::config::settings::Rate;

/// Waits between tries of a relay that does not serve, the last one repeated.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// So many sessions lost one after another open the breaker.
const LOST_IN_A_ROW: u32 = 5;
/// So many messages accepted earn one more session.
const SUCCESSES_PER_SESSION: u32 = 20;

/// What a session may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// One message.
    Go,
    /// The relay has not served for longer than we wait.
    GiveUp,
}

/// Breaker, pace and rate of one relay.
pub(super) struct Control {
    most: usize,
    patience: Duration,
    rate: Option<Rate>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Sessions allowed now.
    limit: usize,
    successes: u32,
    lost_in_a_row: u32,
    open: Option<Open>,
    /// Earliest moment of the next message, by the rate.
    next_message: Instant,
    gave_up: bool,
}

/// The breaker is open: nobody but one probe at a time.
struct Open {
    since: Instant,
    until: Instant,
    pause: usize,
    is_probing: bool,
    reason: String,
}

/// What the world sees of an open breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Why.
    pub reason: String,
    /// Until the next try.
    pub next_try_in: Duration,
}

impl Control {
    pub(super) fn new(most: usize, patience: Duration, rate: Option<Rate>) -> Self {
        Self {
            most,
            patience,
            rate,
            state: Mutex::new(State {
                limit: 1,
                successes: 0,
                lost_in_a_row: 0,
                open: None,
                next_message: Instant::now(),
                gave_up: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits until session number `worker` may start a message.
    pub(super) async fn admit(&self, worker: usize) -> Admission {
        loop {
            let changed = self.changed.notified();
            let wait_until = match self.look(worker) {
                Look::Decided(admission) => return admission,
                Look::Until(moment) => Some(moment),
                Look::Change => None,
            };
            match wait_until {
                Some(moment) => tokio::select! {
                    () = sleep_until(moment) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    fn look(&self, worker: usize) -> Look {
        let now = Instant::now();
        let mut state = self.lock();
        if state.gave_up {
            return Look::Decided(Admission::GiveUp);
        }
        let limit = state.limit;
        match &mut state.open {
            Some(open) if open.is_probing => Look::Change,
            Some(open) if now < open.until => Look::Until(open.until),
            Some(open) => {
                open.is_probing = true;
                Look::Decided(Admission::Go)
            }
            None if worker < limit => Look::Decided(Admission::Go),
            None => Look::Change,
        }
    }

    /// Whether session number `worker` is within the limit: others should not
    /// keep a connection that the relay may want for somebody else.
    pub(super) fn is_wanted(&self, worker: usize) -> bool {
        worker < self.lock().limit
    }

    /// Whether session number `worker` may begin one more message before the
    /// last one is answered: all is well, and no rate is to be kept.
    pub(super) fn admits_ahead(&self, worker: usize) -> bool {
        let state = self.lock();
        let is_well = state.open.is_none() && !state.gave_up;
        is_well && worker < state.limit && self.rate.is_none()
    }

    /// Waits for the rate's next free moment.
    pub(super) async fn keep_rate(&self) {
        let Some(rate) = self.rate else { return };
        let interval = rate.per / rate.count.get();
        let moment = {
            let mut state = self.lock();
            let moment = state.next_message.max(Instant::now());
            state.next_message = moment + interval;
            moment
        };
        sleep_until(moment).await;
    }

    /// An admitted session found nothing to send: the probe is free again.
    pub(super) fn unused(&self) {
        let mut state = self.lock();
        if let Some(open) = &mut state.open {
            open.is_probing = false;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The relay took a message, or refused one person in due form.
    pub(super) fn serves(&self) {
        let mut state = self.lock();
        state.lost_in_a_row = 0;
        let was_open = state.open.take().is_some();
        state.successes += 1;
        let grows =
            state.limit < self.most && state.successes.is_multiple_of(SUCCESSES_PER_SESSION);
        if grows {
            state.limit += 1;
        }
        drop(state);
        if grows || was_open {
            self.changed.notify_waiters();
        }
    }

    /// The relay asks for less: half the sessions, and a step to the breaker.
    pub(super) fn slow_down(&self, reason: &str) {
        let mut state = self.lock();
        state.limit = (state.limit / 2).max(1);
        drop(state);
        self.lost(reason);
    }

    /// A session ended before its message was handed over.
    pub(super) fn lost(&self, reason: &str) {
        let mut state = self.lock();
        state.lost_in_a_row += 1;
        let opens = state.open.is_some() || state.lost_in_a_row >= LOST_IN_A_ROW;
        drop(state);
        if opens {
            self.unreachable(reason);
        }
    }

    /// The relay did not let us in: the breaker opens, or stays open for longer.
    pub(super) fn unreachable(&self, reason: &str) {
        let now = Instant::now();
        let mut state = self.lock();
        let is_last = |open: &Open| open.is_probing && now - open.since >= self.patience;
        state.gave_up |= state.open.as_ref().is_some_and(is_last);
        let (since, pause) = match &state.open {
            // Sessions that failed at the same time are one failure.
            Some(open) if !open.is_probing => (open.since, open.pause),
            Some(open) => (open.since, (open.pause + 1).min(PAUSES.len() - 1)),
            None => (now, 0),
        };
        // The last try falls on the end of our patience, not long after it.
        let end = (since + self.patience).max(now);
        state.open = Some(Open {
            since,
            until: (now + PAUSES[pause]).min(end),
            pause,
            is_probing: false,
            reason: reason.to_owned(),
        });
        state.limit = 1;
        drop(state);
        self.changed.notify_waiters();
    }

    /// What the run is waiting for, if the breaker is open.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let state = self.lock();
        state.open.as_ref().map(|open| Waiting {
            reason: open.reason.clone(),
            next_try_in: open.until.saturating_duration_since(Instant::now()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Look {
    Decided(Admission),
    Until(Instant),
    Change,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(patience: u64) -> Control {
        Control::new(4, Duration::from_secs(patience), None)
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_earned_by_accepted_messages() {
        let control = control(600);
        assert_eq!(control.admit(0).await, Admission::Go);
        assert!(
            tokio::time::timeout(Duration::from_secs(60), control.admit(1))
                .await
                .is_err()
        );
        for _ in 0..SUCCESSES_PER_SESSION {
            control.serves();
        }
        assert_eq!(control.admit(1).await, Admission::Go);
        control.slow_down("421");
        assert!(
            tokio::time::timeout(Duration::from_secs(60), control.admit(1))
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_relay_is_tried_at_growing_intervals_and_then_given_up() {
        let control = control(600);
        let begin = Instant::now();
        let mut tries = Vec::new();
        while control.admit(0).await == Admission::Go {
            tries.push(begin.elapsed().as_secs());
            control.unreachable("connection refused");
        }
        assert_eq!(tries, [0, 5, 20, 80, 380, 600]);
        assert_eq!(begin.elapsed().as_secs(), 600);
        assert_eq!(control.admit(3).await, Admission::GiveUp);
    }

    #[tokio::test(start_paused = true)]
    async fn the_breaker_lets_one_probe_through_and_closes_on_success() {
        let control = control(600);
        for _ in 0..LOST_IN_A_ROW {
            control.lost("reset");
        }
        assert!(control.waiting().is_some());
        assert_eq!(control.admit(0).await, Admission::Go);
        assert!(
            tokio::time::timeout(Duration::from_secs(100), control.admit(0))
                .await
                .is_err(),
            "a second probe was admitted"
        );
        control.serves();
        assert_eq!(control.waiting(), None);
        assert_eq!(control.admit(0).await, Admission::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_over_all_sessions() {
        let rate = Rate {
            count: 20.try_into().unwrap(),
            per: Duration::from_secs(1),
        };
        let control = Control::new(4, Duration::from_secs(1), Some(rate));
        let begin = Instant::now();
        for _ in 0..41 {
            control.keep_rate().await;
        }
        assert_eq!(begin.elapsed().as_secs(), 2);
    }
}
