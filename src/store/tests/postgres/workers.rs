//! Several workers on one ledger: whose a delivery is, and what becomes of it
//! when they are lost.

use super::*;
use crate::{
    domain::delivery::Outcome,
    store::{Lease, NewWorker, Recorded},
};

/// Another process with the same ledger, enlisted.
async fn worker(world: &World, pid: u32) -> (Store, Lease) {
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

async fn claims(store: &Store, limit: usize) -> Vec<DeliveryId> {
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
