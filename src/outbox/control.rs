//! How many sessions, how fast, and when to wait: shared by all of a run's
//! sessions with one relay, and remembered for the next run.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Now,
    breaker::{Breaker, Failing, Gate, Opened},
    common::CommonPace,
    fleet::Fleet,
    locked,
};
use crate::{
    config::settings::{Rate, RelaySettings},
    domain::delivery::DeliveryId,
    store::{RelayMemory, StoreError},
};

/// So many messages accepted earn one more session.
const SUCCESSES_PER_SESSION: u32 = 20;
/// A relay that shares the work looks again so often whether it is its turn.
const TURN: Duration = Duration::from_millis(200);

/// What a session may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// One message.
    Go,
    /// No relay has served for longer than we wait.
    GiveUp,
    /// Nothing more through this relay in this run.
    Out,
}

/// A relay's place among the relays of a drain.
pub(super) struct Seat {
    /// All of them.
    pub(super) fleet: Arc<Fleet>,
    /// Which of them.
    pub(super) me: usize,
    /// Number of its first session; those of the others come before and after.
    pub(super) first: usize,
}

/// Breaker, pace and rate of one relay.
pub(super) struct Control {
    name: String,
    seat: Seat,
    most: usize,
    rate: Option<Rate>,
    /// What all who send through this relay keep together.
    common: Option<CommonPace>,
    now: Now,
    state: Mutex<State>,
    /// Something changed that a waiting session of this relay may want to know.
    changed: Notify,
}

struct State {
    /// Sessions allowed now.
    limit: usize,
    successes: u32,
    sent: u64,
    /// Who was told last that the relay has no room, with no success since.
    no_room: Option<DeliveryId>,
    breaker: Breaker,
    /// Earliest moment of the next message, by the rate.
    next_message: Instant,
    gave_up: bool,
    is_out: bool,
    quiet: Option<(DateTime<Utc>, String)>,
}

/// What the world sees of an open breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which relay.
    pub relay: String,
    /// Why.
    pub reason: String,
    /// Until the next try.
    pub next_try_in: Duration,
}

/// What the report says of a relay that does not serve.
pub(super) struct Away {
    pub(super) since: DateTime<Utc>,
    pub(super) how: Failing,
    pub(super) reason: String,
}

impl Control {
    /// Begins where the last run ended: with its pace, and with an open breaker
    /// if the relay did not serve then, so that the first try is a single one.
    pub(super) fn new(
        settings: &RelaySettings,
        patience: Duration,
        seat: Seat,
        memory: Option<RelayMemory>,
        now: Now,
    ) -> Self {
        let begin = Instant::now();
        let limit = memory.as_ref().map_or(1, |memory| memory.sessions as usize);
        let away = memory.as_ref().and_then(|memory| memory.away.clone());
        seat.fleet.serves(seat.me, away.is_none());
        Self {
            name: settings.relay.to_string(),
            most: settings.connections,
            rate: settings.rate,
            common: None,
            state: Mutex::new(State {
                limit: limit.clamp(1, settings.connections),
                successes: 0,
                sent: 0,
                no_room: None,
                breaker: Breaker::new(patience, away, begin),
                next_message: begin,
                gave_up: false,
                is_out: false,
                quiet: memory.and_then(|memory| memory.quiet),
            }),
            changed: Notify::new(),
            seat,
            now,
        }
    }

    /// Keeps a pace with others who send through this relay.
    pub(super) fn beside_others(mut self, common: Option<CommonPace>) -> Self {
        self.common = common;
        self
    }

    /// The numbers of its sessions.
    pub(super) fn sessions(&self) -> Range<usize> {
        self.seat.first..self.seat.first + self.most
    }

    /// What to call the relay.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Waits until session number `worker` may start a message.
    pub(super) async fn admit(&self, worker: usize) -> Admission {
        loop {
            // Before the look, so that nothing is missed that follows it.
            let changed = self.changed.notified();
            let turn = self.seat.fleet.turn(self.seat.me);
            match self.look(worker) {
                Look::Decided(admission) => return admission,
                Look::Until(moment) => tokio::select! {
                    () = sleep_until(moment) => {}
                    () = changed => {}
                },
                Look::Turn => tokio::select! {
                    () = turn => {}
                    () = sleep(TURN) => {}
                    () = changed => {}
                },
                Look::Change => changed.await,
            }
        }
    }

    fn look(&self, worker: usize) -> Look {
        let now = Instant::now();
        let mut state = self.lock();
        if state.is_out {
            return Look::Decided(Admission::Out);
        }
        if state.gave_up {
            return Look::Decided(Admission::GiveUp);
        }
        let is_within = worker - self.seat.first < state.limit;
        match state.breaker.asks(worker, now) {
            Gate::Tried => Look::Change,
            Gate::Shut(until) => Look::Until(until),
            Gate::Probe => {
                self.seat.fleet.take(self.seat.me);
                Look::Decided(Admission::Go)
            }
            Gate::Closed if !is_within => Look::Change,
            Gate::Closed if self.seat.fleet.take(self.seat.me) => Look::Decided(Admission::Go),
            Gate::Closed => Look::Turn,
        }
    }

    /// Whether session number `worker` is within the limit: others should not
    /// keep a connection that the relay may want for somebody else.
    pub(super) fn is_wanted(&self, worker: usize) -> bool {
        worker - self.seat.first < self.lock().limit
    }

    /// Whether session number `worker` may begin one more message before the
    /// last one is answered: all is well, and no rate is to be kept.
    pub(super) fn admits_ahead(&self, worker: usize) -> bool {
        let state = self.lock();
        let is_well = state.breaker.open().is_none() && !state.gave_up && !state.is_out;
        is_well && worker - self.seat.first < state.limit && self.rate.is_none()
    }

    /// Whether the relay's share allows one more message, which counts as taken.
    pub(super) fn takes_ahead(&self) -> bool {
        let is_its_time = self.common.as_ref().is_none_or(CommonPace::take_now);
        is_its_time && self.seat.fleet.take(self.seat.me)
    }

    /// Waits for the rate's next free moment.
    ///
    /// # Errors
    /// When others keep it, too, and the ledger cannot be asked.
    pub(super) async fn keep_rate(&self) -> Result<(), StoreError> {
        if let Some(common) = &self.common {
            return common.wait().await;
        }
        let Some(rate) = self.rate else { return Ok(()) };
        let interval = rate.per / rate.count.get();
        let (moment, next) = {
            let mut state = self.lock();
            let moment = state.next_message.max(Instant::now());
            state.next_message = moment + interval;
            (moment, state.next_message)
        };
        self.seat.fleet.hold(self.seat.me, next);
        sleep_until(moment).await;
        Ok(())
    }

    /// Session number `worker` was admitted and learned nothing of the relay: if
    /// it was the probe, another one may be.
    pub(super) fn unused(&self, worker: usize) {
        let is_free = self.lock().breaker.unused(worker);
        if is_free {
            self.changed();
        }
    }

    /// The relay took a message.
    pub(super) fn took(&self) {
        self.lock().sent += 1;
        self.serves();
    }

    /// The relay took a message, or refused one person in due form.
    pub(super) fn serves(&self) {
        self.seat.fleet.progress(self.seat.me);
        let mut state = self.lock();
        state.no_room = None;
        let was_open = state.breaker.serves();
        state.successes = state.successes.saturating_add(1);
        let grows =
            state.limit < self.most && state.successes.is_multiple_of(SUCCESSES_PER_SESSION);
        if grows {
            state.limit += 1;
        }
        drop(state);
        if was_open {
            self.seat.fleet.serves(self.seat.me, true);
        }
        if grows || was_open {
            self.changed();
        }
    }

    /// The relay says over one reader that it has no room. Told of two readers
    /// one after the other it is the relay; of the same again, the reader: then
    /// nobody else is slowed down for it. True when it was the relay.
    pub(super) fn no_room(&self, worker: usize, delivery: DeliveryId, reason: &str) -> bool {
        let before = self.lock().no_room.replace(delivery);
        let is_relay = before.is_some_and(|other| other != delivery);
        if is_relay {
            self.slow_down(worker, reason);
        } else {
            self.unused(worker);
        }
        is_relay
    }

    /// The relay asks for less: half the sessions, and a step to the breaker.
    pub(super) fn slow_down(&self, worker: usize, reason: &str) {
        let mut state = self.lock();
        state.limit = (state.limit / 2).max(1);
        drop(state);
        if let Some(common) = &self.common {
            common.rest(reason);
        }
        self.lost(worker, reason, Failing::Unwilling);
    }

    /// Session number `worker` ended before its message was handed over.
    pub(super) fn lost(&self, worker: usize, reason: &str, how: Failing) {
        let opens = self.lock().breaker.lost();
        self.seat.fleet.progress(self.seat.me);
        if opens {
            self.opens(worker, reason, how);
        }
    }

    /// The relay did not let us in: the breaker opens, or stays open for
    /// longer. While it serves other sessions, it only wants fewer of them.
    pub(super) fn unreachable(&self, worker: usize, reason: &str) {
        let state = self.lock();
        let is_one_too_many = state.limit > 1 && state.successes > 0 && state.breaker.is_well();
        drop(state);
        if is_one_too_many {
            self.slow_down(worker, reason);
        } else {
            self.opens(worker, reason, Failing::Unreachable);
        }
    }

    fn opens(&self, worker: usize, reason: &str, how: Failing) {
        let mut state = self.lock();
        let moments = (Instant::now(), (self.now)());
        match state.breaker.opens(worker, moments, how, reason) {
            Opened::No => return,
            Opened::Yes => {}
            Opened::OutOfPatience => state.gave_up |= self.seat.fleet.despair(self.seat.me),
        }
        state.limit = 1;
        drop(state);
        self.seat.fleet.serves(self.seat.me, false);
        self.changed();
    }

    /// Nothing more through this relay in this run. True when no other serves.
    pub(super) fn take_out(&self) -> bool {
        self.lock().is_out = true;
        let is_last = self.seat.fleet.take_out(self.seat.me);
        self.changed();
        is_last
    }

    /// Nothing more through this relay until `until`, in later runs neither.
    pub(super) fn keep_quiet(&self, until: DateTime<Utc>, reply: &str) {
        self.lock().quiet = Some((until, reply.to_owned()));
    }

    /// Until when the relay wants to be left alone, and its words.
    pub(super) fn quiet(&self) -> Option<(DateTime<Utc>, String)> {
        self.lock().quiet.clone()
    }

    /// What the run is waiting for, if the breaker is open.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let state = self.lock();
        state.breaker.open().map(|open| Waiting {
            relay: self.name.clone(),
            reason: open.reason.clone(),
            next_try_in: open.until.saturating_duration_since(Instant::now()),
        })
    }

    /// Whether no relay of the drain serves now.
    pub(super) fn is_idle(&self) -> bool {
        self.seat.fleet.is_idle()
    }

    /// Since when and how the relay does not serve.
    pub(super) fn away(&self) -> Option<Away> {
        let state = self.lock();
        state.breaker.open().map(|open| Away {
            since: open.away_since,
            how: open.how,
            reason: open.reason.clone(),
        })
    }

    /// Messages it took.
    pub(super) fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// For the next run.
    pub(super) fn memory(&self) -> RelayMemory {
        let state = self.lock();
        let now = (self.now)();
        RelayMemory {
            name: self.name.clone(),
            // At most 200, by the settings.
            sessions: u32::try_from(state.limit).unwrap_or(1),
            away: state
                .breaker
                .open()
                .map(|open| (open.away_since, open.reason.clone())),
            quiet: state.quiet.clone().filter(|(until, _)| *until > now),
        }
    }

    fn changed(&self) {
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

enum Look {
    Decided(Admission),
    /// The breaker's pause ends then.
    Until(Instant),
    /// The other relays go first, but who stalls is not waited for.
    Turn,
    Change,
}

#[cfg(test)]
mod tests;
