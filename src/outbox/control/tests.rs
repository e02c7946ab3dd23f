//! Promises about pace, breaker and rate of one relay.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Wake, Waker},
};

use chrono::TimeDelta;

use super::*;
use crate::{config::settings::Relay, outbox::breaker::LOST_IN_A_ROW};

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
        control.keep_rate().await.unwrap();
    }
    assert_eq!(begin.elapsed().as_secs(), 2);
}
