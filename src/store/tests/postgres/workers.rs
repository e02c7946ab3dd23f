//! Several workers on one ledger: whose a delivery is, and what becomes of it
//! when they are lost.

use super::*;
use crate::{
    domain::delivery::Outcome,
    store::{
        IssueChange, Lease, NewWorker, Recorded, Refusal,
        beside::outcomes::{self, Told},
    },
};

/// Another process with the same ledger, enlisted.
pub(super) async fn worker(world: &World, pid: u32) -> (Store, Lease) {
    let store = Store::open(&world.settings, now()).await.unwrap();
    let enlisted = store.enlist(NewWorker {
        host: "one.example.org".to_owned(),
        pid,
        relay: None,
        run: 0,
    });
    let lease = enlisted.await.unwrap().unwrap();
    (store, lease)
}

pub(super) async fn claims(store: &Store, limit: usize) -> Vec<DeliveryId> {
    let due = store.due(Scope::Everything, limit, now(), HashSet::new());
    due.await.unwrap().into_iter().map(|one| one.id).collect()
}

/// What the server would find once a worker has said nothing for so long.
fn silent_for(world: &World, lease: &Lease, seconds: u32) {
    world.database.as_ref().unwrap().execute(&format!(
        "UPDATE workers SET lease_end = clock_timestamp() - {seconds} * interval '1 second'
          WHERE id = {}",
        lease.epoch
    ));
}

#[tokio::test]
async fn no_two_workers_claim_the_same() {
    let (world, issue) = frozen_world(500).await;
    let (one, _lease) = worker(&world, 1).await;
    let (other, _other_lease) = worker(&world, 2).await;
    let mut seen = HashSet::new();
    for store in [&one, &other, &one, &other] {
        for delivery in claims(store, 125).await {
            seen.insert(delivery);
            assert!(matches!(
                store.intent(delivery, now()).await.unwrap(),
                Intent::Granted(_)
            ));
        }
    }
    assert_eq!(seen.len(), 500);
    assert_eq!(world.count(issue, State::Inflight).await, 500);
    let at_work = world.store.workers().await.unwrap();
    assert_eq!(at_work.len(), 2);
    assert_eq!(at_work[0].in_hand, 250);
    world.adds_up().await;
}

#[tokio::test]
async fn what_is_claimed_and_not_in_hand_comes_again_to_its_worker_alone() {
    let (world, _) = frozen_world(3).await;
    let (one, _lease) = worker(&world, 1).await;
    let (other, _other_lease) = worker(&world, 2).await;
    let claimed = claims(&one, 10).await;
    assert_eq!(claimed.len(), 3);
    assert_eq!(claims(&one, 10).await, claimed);
    assert_eq!(claims(&other, 10).await, Vec::<DeliveryId>::new());
    one.release(vec![claimed[0]]).await.unwrap();
    assert_eq!(claims(&other, 10).await, [claimed[0]]);
    // Nobody sends what another has claimed.
    assert_eq!(
        other.intent(claimed[1], now()).await.unwrap(),
        Intent::Refused
    );
}

#[tokio::test]
async fn the_claims_of_a_silent_worker_are_queued_and_it_gets_no_intent_when_it_wakes() {
    let (world, issue) = frozen_world(5).await;
    let (stalled, lease) = worker(&world, 1).await;
    let claimed = claims(&stalled, 10).await;
    assert_eq!(claimed.len(), 5);
    silent_for(&world, &lease, 1);
    let found = world.store.reap(now()).await.unwrap();
    assert_eq!((found.requeued, found.uncertain), (5, 0));
    assert_eq!(
        stalled.intent(claimed[0], now()).await.unwrap(),
        Intent::Refused
    );
    assert_eq!(claims(&stalled, 10).await, claimed, "they may be claimed");
    for delivery in &claimed {
        let intent = stalled.intent(*delivery, now()).await.unwrap();
        assert_eq!(intent, Intent::Refused, "but not sent without a lease");
    }
    let (other, _lease) = worker(&world, 2).await;
    let retaken = claims(&other, 10).await;
    assert_eq!(retaken.len(), 5);
    let intent = other.intent(retaken[0], now()).await.unwrap();
    assert!(matches!(intent, Intent::Granted(_)));
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    world.adds_up().await;
}

#[tokio::test]
async fn what_a_lost_worker_had_under_way_is_uncertain_until_it_tells_the_truth() {
    let (world, issue) = frozen_world(2).await;
    let (stalled, lease) = worker(&world, 1).await;
    let claimed = claims(&stalled, 10).await;
    let Intent::Granted(attempt) = stalled.intent(claimed[0], now()).await.unwrap() else {
        panic!("refused");
    };
    silent_for(&world, &lease, 1);
    assert_eq!(world.store.reap(now()).await.unwrap().uncertain, 0);
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    silent_for(&world, &lease, 3_600);
    assert_eq!(world.store.reap(now()).await.unwrap().uncertain, 1);
    assert_eq!(world.store.reap(now()).await.unwrap().uncertain, 0);
    assert_eq!(world.count(issue, State::Uncertain).await, 1);
    let told = stalled.outcome(attempt, Outcome::Sent(ok()), later(3));
    assert_eq!(told.await.unwrap(), Recorded::Confirmed);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    world.adds_up().await;
}

#[tokio::test]
async fn a_worker_that_ends_in_order_leaves_its_claims_to_others() {
    let (world, issue) = frozen_world(4).await;
    let (one, mut lease) = worker(&world, 1).await;
    assert_eq!(claims(&one, 10).await.len(), 4);
    assert_eq!(world.count(issue, State::Claimed).await, 4);
    one.discharge().await.unwrap();
    assert_eq!(world.count(issue, State::Queued).await, 4);
    assert!(world.store.workers().await.unwrap().is_empty());
    lease.lost().await;
    assert!(!lease.lasts());
    world.adds_up().await;
}

#[tokio::test]
async fn a_heartbeat_keeps_a_lease_that_is_shorter_than_the_work() {
    let (mut world, _) = frozen_world(1).await;
    if let Engine::Postgres(server) = &mut world.settings.engine {
        server.lease = Duration::from_millis(900);
    }
    let (one, lease) = worker(&world, 1).await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert!(lease.lasts());
    let claimed = claims(&one, 10).await;
    let intent = one.intent(claimed[0], now()).await.unwrap();
    assert!(matches!(intent, Intent::Granted(_)));
}

#[tokio::test]
async fn whoever_leaves_is_taken_out_of_the_hands_of_workers() {
    let (world, issue) = frozen_world(2).await;
    let (one, _lease) = worker(&world, 1).await;
    let due = one.due(Scope::Everything, 10, now(), HashSet::new());
    let due = due.await.unwrap();
    let left = world
        .store
        .unsubscribe(&due[0].address, "one click", now())
        .await
        .unwrap();
    assert_eq!(left.cancelled_deliveries, 1);
    assert_eq!(one.intent(due[0].id, now()).await.unwrap(), Intent::Refused);
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    assert_eq!(world.count(issue, State::Claimed).await, 1);
    world.adds_up().await;
}

#[tokio::test]
async fn all_who_send_through_a_relay_take_their_messages_from_one_pace() {
    let world = world().await;
    let step = Duration::from_millis(500);
    let take = async |relay: &str, count| {
        let taken = world.store.take_pace(relay.to_owned(), count, step).await;
        taken.unwrap()
    };
    assert_eq!(take("one:25", 20).await, Duration::ZERO);
    let second = take("one:25", 4).await;
    assert!(second > Duration::from_secs(9), "{second:?}");
    let third = take("one:25", 1).await;
    assert!(third > second + Duration::from_millis(1_500), "{third:?}");
    assert_eq!(take("other:25", 1).await, Duration::ZERO);
    let rest = async || {
        let reply = "421 4.7.0 slow down".to_owned();
        world.store.rest_relay("third:25".to_owned(), reply).await
    };
    rest().await.unwrap();
    let wait = take("third:25", 1).await;
    assert!(wait > Duration::from_secs(1), "{wait:?}");
    // The same again, of messages that were under way.
    rest().await.unwrap();
    assert!(take("third:25", 1).await < Duration::from_secs(4));
}

#[tokio::test]
async fn a_receiver_that_puts_messages_off_is_served_slowly_and_then_faster_again() {
    let world = world().await;
    let refusal = |is_firm| Refusal {
        domain: "slow.example.org".to_owned(),
        count: 3,
        is_firm,
        reply: "421 4.7.0 too much".to_owned(),
    };
    let ask = async |refusals: Vec<Refusal>| {
        let wanted = vec![
            ("slow.example.org".to_owned(), 100),
            ("other.example.org".to_owned(), 100),
        ];
        world.store.receivers(refusals, wanted).await.unwrap()
    };
    assert_eq!(ask(Vec::new()).await, []);
    let first = ask(vec![refusal(false)]).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].step, Duration::from_millis(500));
    assert!((8..=10).contains(&first[0].now), "{first:?}");
    // Others find nothing left of it.
    assert!(ask(Vec::new()).await[0].now <= 1);
    let known = world.store.slow_receivers().await.unwrap();
    assert_eq!((known[0].refusals, known[0].step_ms), (3, 500));
    let age = "UPDATE paces SET refused_at = refused_at - interval '10 seconds'";
    world.meddle(age).await.unwrap();
    assert_eq!(
        ask(vec![refusal(true)]).await[0].step,
        Duration::from_secs(1)
    );
    let age = "UPDATE paces SET refused_at = refused_at - interval '2 minutes'";
    world.meddle(age).await.unwrap();
    assert_eq!(ask(Vec::new()).await[0].step, Duration::from_millis(500));
    world.meddle(age).await.unwrap();
    assert_eq!(ask(Vec::new()).await, []);
    assert!(world.store.slow_receivers().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_put_off_waits_for_its_time_without_an_attempt() {
    let (world, issue) = frozen_world(2).await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 10).await;
    let wait = Duration::from_millis(90_500);
    one.put_off(vec![(claimed[0], wait)], now()).await.unwrap();
    assert_eq!(world.count(issue, State::Queued).await, 1);
    let next = world.store.next_due().await.unwrap();
    assert_eq!(next, Some(now() + TimeDelta::seconds(91)));
    assert_eq!(claims(&one, 10).await, [claimed[1]]);
    world.adds_up().await;
}

#[tokio::test]
async fn runs_that_live_are_no_crash_loop_and_runs_that_died_are() {
    let (world, _) = frozen_world(2).await;
    let enlisted = async |pid| {
        let run = world.begun(pid, now()).await;
        let store = Store::open(&world.settings, now()).await.unwrap();
        let worker = NewWorker {
            host: "one.example.org".to_owned(),
            pid,
            relay: None,
            run,
        };
        let lease = store.enlist(worker).await.unwrap().unwrap();
        (run, store, lease)
    };
    let mut alive = Vec::new();
    for pid in 1..=5 {
        let (run, store, lease) = enlisted(pid).await;
        assert_eq!(world.store.set_out(run).await.unwrap(), []);
        alive.push((store, lease));
    }
    for (_, lease) in &alive[2..] {
        silent_for(&world, lease, 1);
    }
    let (run, _store, _lease) = enlisted(6).await;
    let paused = world.store.set_out(run).await.unwrap();
    assert_eq!(paused.len(), 1);
}

#[tokio::test]
async fn what_relays_said_while_the_server_was_away_is_told_at_the_next_start() {
    let (world, issue) = frozen_world(2).await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 10).await;
    let Intent::Granted(attempt) = one.intent(claimed[0], now()).await.unwrap() else {
        panic!("refused");
    };
    // As if the server could not be told before the process ended.
    one.session(move |session| {
        session.owe(attempt, Outcome::Sent(ok()), later(1));
        session.write_journal();
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    for _ in 0..2 {
        let next = Store::open(&world.settings, later(2)).await.unwrap();
        assert_eq!(next.runs(1).await.unwrap(), []);
        assert_eq!(world.count(issue, State::Sent).await, 1);
    }
    world.adds_up().await;
}

#[tokio::test]
async fn what_was_written_down_is_not_told_of_another_delivery_that_has_the_number_now() {
    let (world, issue) = frozen_world(2).await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 10).await;
    let Intent::Granted(attempt) = one.intent(claimed[0], now()).await.unwrap() else {
        panic!("refused");
    };
    // A server that took over gave the number to another delivery.
    let told = Told {
        ledger: crate::store::runs::fingerprint(world.store.install_key()),
        attempt,
        delivery: claimed[1],
        outcome: Outcome::Sent(ok()),
        at: later(1),
    };
    outcomes::append(&world.settings.path, &[told]).unwrap();
    drop(Store::open(&world.settings, later(2)).await.unwrap());
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    let sent = world.database.as_ref().unwrap().value(&format!(
        "SELECT state FROM deliveries WHERE id = {}",
        claimed[1]
    ));
    assert_eq!(sent, "3");
    world.adds_up().await;
}

#[tokio::test]
async fn an_issue_that_is_called_off_is_taken_out_of_the_hands_of_workers() {
    let (world, issue) = frozen_world(3).await;
    let (one, lease) = worker(&world, 1).await;
    let claimed = claims(&one, 2).await;
    for change in [IssueChange::Pause("wrong".to_owned()), IssueChange::Cancel] {
        let changed = world.store.change_issue(issue, change, now()).await;
        changed.unwrap();
    }
    assert_eq!(world.count(issue, State::Cancelled).await, 3);
    let intent = one.intent(claimed[0], now()).await.unwrap();
    assert_eq!(intent, Intent::Refused);
    silent_for(&world, &lease, 1);
    world.store.reap(now()).await.unwrap();
    assert_eq!(world.count(issue, State::Cancelled).await, 3);
    world.adds_up().await;
}

#[tokio::test]
async fn what_is_asked_for_twice_at_the_same_time_is_granted_once() {
    let (world, issue) = frozen_world(1).await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 1).await;
    // While the thread of the ledger is busy, both wait for the same group.
    let busy = one.session(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let intent = || one.intent(claimed[0], now());
    let (_, first, second) = tokio::join!(busy, async { intent().await }, async { intent().await });
    assert!(matches!(first.unwrap(), Intent::Granted(_)));
    assert_eq!(second.unwrap(), Intent::Refused);
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    world.adds_up().await;
}
