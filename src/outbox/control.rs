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

use super::{Now, fleet::Fleet, locked};
use crate::{
    config::settings::{Rate, RelaySettings},
    domain::delivery::DeliveryId,
    store::RelayMemory,
};

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
    patience: Duration,
    rate: Option<Rate>,
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
    lost_in_a_row: u32,
    /// Who was told last that the relay has no room, with no success since.
    no_room: Option<DeliveryId>,
    open: Option<Open>,
    /// Earliest moment of the next message, by the rate.
    next_message: Instant,
    gave_up: bool,
    is_out: bool,
    quiet: Option<(DateTime<Utc>, String)>,
}

/// The breaker is open: nobody but one probe at a time.
struct Open {
    since: Instant,
    /// By the clock, and perhaps in an earlier run.
    away_since: DateTime<Utc>,
    until: Instant,
    pause: usize,
    /// The session that tries. What becomes of any other says nothing new.
    probe: Option<usize>,
    how: Failing,
    reason: String,
}

impl Open {
    fn is_tried_by(&self, worker: usize) -> bool {
        self.probe == Some(worker)
    }
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
        let open =
            memory
                .as_ref()
                .and_then(|memory| memory.away.clone())
                .map(|(away_since, reason)| Open {
                    since: begin,
                    away_since,
                    until: begin,
                    pause: PAUSES.len() - 1,
                    probe: None,
                    how: Failing::Unreachable,
                    reason,
                });
        seat.fleet.serves(seat.me, open.is_none());
        Self {
            name: settings.relay.to_string(),
            most: settings.connections,
            patience,
            rate: settings.rate,
            state: Mutex::new(State {
                limit: limit.clamp(1, settings.connections),
                successes: 0,
                sent: 0,
                lost_in_a_row: 0,
                no_room: None,
                open,
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
        match &mut state.open {
            Some(open) if open.probe.is_some() => Look::Change,
            Some(open) if now < open.until => Look::Until(open.until),
            Some(open) => {
                open.probe = Some(worker);
                self.seat.fleet.take(self.seat.me);
                Look::Decided(Admission::Go)
            }
            None if !is_within => Look::Change,
            None if self.seat.fleet.take(self.seat.me) => Look::Decided(Admission::Go),
            None => Look::Turn,
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
        let is_well = state.open.is_none() && !state.gave_up && !state.is_out;
        is_well && worker - self.seat.first < state.limit && self.rate.is_none()
    }

    /// Whether the relay's share allows one more message, which counts as taken.
    pub(super) fn takes_ahead(&self) -> bool {
        self.seat.fleet.take(self.seat.me)
    }

    /// Waits for the rate's next free moment.
    pub(super) async fn keep_rate(&self) {
        let Some(rate) = self.rate else { return };
        let interval = rate.per / rate.count.get();
        let (moment, next) = {
            let mut state = self.lock();
            let moment = state.next_message.max(Instant::now());
            state.next_message = moment + interval;
            (moment, state.next_message)
        };
        self.seat.fleet.hold(self.seat.me, next);
        sleep_until(moment).await;
    }

    /// Session number `worker` was admitted and learned nothing of the relay: if
    /// it was the probe, another one may be.
    pub(super) fn unused(&self, worker: usize) {
        let mut state = self.lock();
        let Some(open) = state.open.as_mut().filter(|open| open.is_tried_by(worker)) else {
            return;
        };
        open.probe = None;
        drop(state);
        self.changed();
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
        state.lost_in_a_row = 0;
        state.no_room = None;
        let was_open = state.open.take().is_some();
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
        self.lost(worker, reason, Failing::Unwilling);
    }

    /// Session number `worker` ended before its message was handed over.
    pub(super) fn lost(&self, worker: usize, reason: &str, how: Failing) {
        let mut state = self.lock();
        state.lost_in_a_row += 1;
        let opens = state.open.is_some() || state.lost_in_a_row >= LOST_IN_A_ROW;
        drop(state);
        self.seat.fleet.progress(self.seat.me);
        if opens {
            self.opens(worker, reason, how);
        }
    }

    /// The relay did not let us in: the breaker opens, or stays open for
    /// longer. While it serves other sessions, it only wants fewer of them.
    pub(super) fn unreachable(&self, worker: usize, reason: &str) {
        let state = self.lock();
        let is_one_too_many = state.open.is_none()
            && state.limit > 1
            && state.successes > 0
            && state.lost_in_a_row == 0;
        drop(state);
        if is_one_too_many {
            self.slow_down(worker, reason);
        } else {
            self.opens(worker, reason, Failing::Unreachable);
        }
    }

    fn opens(&self, worker: usize, reason: &str, how: Failing) {
        let now = Instant::now();
        let mut state = self.lock();
        let is_tried = |open: &Open| open.probe.is_some() && !open.is_tried_by(worker);
        if state.open.as_ref().is_some_and(is_tried) {
            // A session that was under way when the breaker opened.
            return;
        }
        let is_over = |open: &Open| open.probe.is_some() && now - open.since >= self.patience;
        let is_over = state.open.as_ref().is_some_and(is_over);
        if is_over {
            state.gave_up |= self.seat.fleet.despair(self.seat.me);
        }
        let (since, away_since, pause) = match &state.open {
            // Sessions that failed at the same time are one failure.
            Some(open) if open.probe.is_none() => (open.since, open.away_since, open.pause),
            Some(open) => {
                let pause = (open.pause + 1).min(PAUSES.len() - 1);
                (open.since, open.away_since, pause)
            }
            None => (now, (self.now)(), 0),
        };
        // The last try falls on the end of our patience, not long after it;
        // while other relays serve, there may be more.
        let end = since + self.patience;
        let next = now + PAUSES[pause];
        state.open = Some(Open {
            since,
            away_since,
            until: if is_over || end < now {
                next
            } else {
                next.min(end)
            },
            pause,
            probe: None,
            how,
            reason: reason.to_owned(),
        });
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
        state.open.as_ref().map(|open| Waiting {
            relay: self.name.clone(),
            reason: open.reason.clone(),
            next_try_in: open.until.saturating_duration_since(Instant::now()),
        })
    }

    /// Since when and how the relay does not serve.
    pub(super) fn away(&self) -> Option<Away> {
        let state = self.lock();
        state.open.as_ref().map(|open| Away {
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
                .open
                .as_ref()
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
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Wake, Waker},
    };

    use chrono::TimeDelta;

    use super::*;
    use crate::config::settings::Relay;

    fn morning() -> DateTime<Utc> {
        "2026-11-27T05:00:00Z".parse().unwrap()
    }

    fn seated(fleet: &Arc<Fleet>, me: usize) -> Control {
        let control = made(600, None, None);
        let fleet = Arc::clone(fleet);
        let first = me * control.most;
        let seat = Seat { fleet, me, first };
        Control { seat, ..control }
    }

    fn made(patience: u64, rate: Option<Rate>, memory: Option<RelayMemory>) -> Control {
        let settings = RelaySettings {
            relay: Relay::Folder("/relay".into()),
            weight: 1,
            connections: 4,
            rate,
        };
        let seat = Seat {
            fleet: Arc::new(Fleet::new([1])),
            me: 0,
            first: 0,
        };
        let begin = Instant::now();
        let now: Now = Arc::new(move || morning() + TimeDelta::from_std(begin.elapsed()).unwrap());
        Control::new(&settings, Duration::from_secs(patience), seat, memory, now)
    }

    fn control(patience: u64) -> Control {
        made(patience, None, None)
    }

    async fn is_admitted(control: &Control, worker: usize) -> bool {
        let admission = control.admit(worker);
        tokio::time::timeout(Duration::from_secs(1), admission)
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_earned_by_accepted_messages_and_halved_on_request() {
        let control = control(600);
        assert!(is_admitted(&control, 0).await);
        assert!(!is_admitted(&control, 1).await);
        for _ in 0..3 * SUCCESSES_PER_SESSION {
            control.took();
        }
        assert!(is_admitted(&control, 3).await);
        control.slow_down(0, "421");
        assert!(is_admitted(&control, 1).await);
        assert!(!is_admitted(&control, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_run_begins_at_the_pace_of_the_last_one() {
        let first = control(600);
        for _ in 0..2 * SUCCESSES_PER_SESSION {
            first.took();
        }
        let second = made(600, None, Some(first.memory()));
        assert!(is_admitted(&second, 2).await);
        assert!(!is_admitted(&second, 3).await);
        assert_eq!(second.memory(), first.memory());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_relay_is_tried_at_growing_intervals_and_then_given_up() {
        let control = control(600);
        assert_eq!(tries(&control).await, [0, 5, 20, 80, 380, 600]);
        assert_eq!(control.admit(3).await, Admission::GiveUp);
    }

    /// When the relay was tried, in seconds, until it was given up.
    async fn tries(control: &Control) -> Vec<u64> {
        let begin = Instant::now();
        let mut tries = Vec::new();
        while control.admit(0).await == Admission::Go {
            tries.push(begin.elapsed().as_secs());
            control.unreachable(0, "connection refused");
        }
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_away_for_hours_is_tried_at_most_thirty_times_an_hour() {
        let begin = Instant::now();
        let mut memory = None;
        let mut count = 0;
        while begin.elapsed() < Duration::from_secs(6 * 3600) {
            let control = made(600, None, memory.take());
            count += tries(&control).await.len();
            memory = Some(control.memory());
            assert_eq!(memory.as_ref().unwrap().away.as_ref().unwrap().0, morning());
            // Cron looks in every minute.
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!((6 * 6..=6 * 30).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_breaker_opens_lets_one_probe_through_and_closes_on_success() {
        let control = control(600);
        for _ in 1..LOST_IN_A_ROW {
            control.lost(0, "reset", Failing::Unreachable);
        }
        assert_eq!(control.waiting(), None, "four are not enough");
        control.lost(0, "reset", Failing::Unreachable);
        assert!(control.waiting().is_some());
        assert!(!is_admitted(&control, 0).await, "it waits for 5 s");
        assert_eq!(control.admit(0).await, Admission::Go);
        assert!(!is_admitted(&control, 0).await, "one probe at a time");
        control.took();
        assert_eq!(control.waiting(), None);
        assert!(is_admitted(&control, 0).await);
        assert_eq!(control.memory().away, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_under_way_when_the_breaker_opened_says_nothing_of_the_probe() {
        let control = control(4);
        for worker in 0..4 {
            control.lost(worker, "reset", Failing::Unreachable);
        }
        control.unreachable(1, "connection refused");
        assert_eq!(control.admit(0).await, Admission::Go, "5 s later");
        // Our patience is over, and the probe is still at it.
        control.lost(1, "reset", Failing::Unreachable);
        control.unreachable(2, "connection refused");
        control.slow_down(3, "421");
        control.unused(1);
        assert!(!control.no_room(1, 7, "452 4.3.1"));
        assert!(!is_admitted(&control, 0).await, "one probe at a time");
        assert_eq!(control.away().unwrap().reason, "connection refused");
        control.took();
        assert_eq!(control.waiting(), None);
        assert!(is_admitted(&control, 0).await);

        control.unreachable(0, "connection refused");
        assert_eq!(control.admit(1).await, Admission::Go);
        control.unused(0);
        assert!(!is_admitted(&control, 0).await);
        control.unused(1);
        assert!(
            is_admitted(&control, 0).await,
            "the probe found nothing to do"
        );
        control.lost(0, "reset", Failing::Unreachable);
        assert_eq!(control.admit(0).await, Admission::GiveUp);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_too_many_costs_sessions_and_not_the_relay() {
        let control = control(600);
        for _ in 0..3 * SUCCESSES_PER_SESSION {
            control.took();
        }
        control.unreachable(0, "421 4.7.0 too many connections");
        assert_eq!(control.waiting(), None);
        assert!(is_admitted(&control, 1).await);
        assert!(!is_admitted(&control, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_reader_without_room_slows_nobody_down_and_two_do() {
        let control = control(600);
        for _ in 0..3 * SUCCESSES_PER_SESSION {
            control.took();
        }
        for _ in 0..5 {
            assert!(!control.no_room(0, 7, "452 4.3.1"));
        }
        assert!(is_admitted(&control, 3).await);
        assert!(control.no_room(0, 8, "452 4.3.1"));
        assert!(!is_admitted(&control, 3).await);
        control.took();
        assert!(
            !control.no_room(0, 7, "452 4.3.1"),
            "it took one in between"
        );
    }

    /// Counts how often a waiting session is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_wakes_only_who_may_go_on_because_of_it() {
        let fleet = Arc::new(Fleet::new([1, 1]));
        let [first, second] = [0, 1].map(|me| seated(&fleet, me));
        assert_eq!(first.admit(0).await, Admission::Go);
        let woken = [(); 2].map(|()| Arc::<Woken>::default());
        let [turn, limit] = woken.clone().map(Waker::from);
        let mut waits_for_its_turn = pin!(first.admit(0));
        let mut is_one_too_many = pin!(second.admit(5));
        assert!(
            waits_for_its_turn
                .as_mut()
                .poll(&mut Context::from_waker(&turn))
                .is_pending()
        );
        assert!(
            is_one_too_many
                .as_mut()
                .poll(&mut Context::from_waker(&limit))
                .is_pending()
        );
        assert_eq!(second.admit(4).await, Admission::Go);
        let counts = woken.clone().map(|woken| woken.0.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 0]);
        assert_eq!(waits_for_its_turn.await, Admission::Go);
        for _ in 0..SUCCESSES_PER_SESSION {
            second.took();
        }
        assert_eq!(woken[1].0.load(Ordering::Relaxed), 1, "it earned a session");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_over_all_sessions() {
        let rate = Rate {
            count: 20.try_into().unwrap(),
            per: Duration::from_secs(1),
        };
        let control = made(1, Some(rate), None);
        let begin = Instant::now();
        for _ in 0..41 {
            control.keep_rate().await;
        }
        assert_eq!(begin.elapsed().as_secs(), 2);
    }
}
