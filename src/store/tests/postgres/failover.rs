//! A standby takes over that had not heard of what relays have taken.

use std::time::Instant;

use super::{
    workers::{claims, worker},
    *,
};
use crate::{
    domain::delivery::Outcome,
    store::tests::harness::postgres::{Options, Server, Stop},
};

const LEASE: Duration = Duration::from_millis(900);

/// The issue is frozen on the first server; the standby is up to date, and has ended.
async fn pair() -> (World, Server, impl FnOnce() -> Server) {
    let first = Server::start(&Options::default());
    let mut standby = first.standby_by(first.port());
    let database = first.database();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder, &database);
    let Engine::Postgres(server) = &mut settings.engine else {
        panic!("it is a server");
    };
    let (name, second) = (database.name(), standby.port());
    let url = format!(
        "postgres://letterpress@127.0.0.1:{},127.0.0.1:{second}/{name}",
        first.port()
    );
    (server.url, server.lease) = (url.into(), LEASE);
    let world = World {
        store: Store::open(&settings, now()).await.unwrap(),
        settings,
        folder,
        database: Some(database),
        engine: PhantomData,
    };
    world.join(3).await;
    world.freeze(&issue(1, "2026-11-27T07:00")).await;
    let caught_up = || standby.has_caught_up_with(&first);
    assert!(harness::net::holds_within(
        Duration::from_secs(20),
        caught_up
    ));
    standby.stop();
    (world, first, move || standby.promote())
}

/// The intents of these deliveries.
async fn intents(store: &Store, deliveries: &[DeliveryId], minute: i64) -> Vec<AttemptId> {
    let mut attempts = Vec::new();
    for delivery in deliveries {
        match store.intent(*delivery, later(minute)).await.unwrap() {
            Intent::Granted(attempt) => attempts.push(attempt),
            Intent::Refused => panic!("refused"),
        }
    }
    attempts
}

#[tokio::test]
async fn what_was_sent_before_and_after_a_failover_is_told_as_a_duplicate_and_adds_up() {
    let (mut world, mut first, promoted) = pair().await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 3).await;
    let attempts = intents(&one, &claimed, 0).await;
    one.outcome(attempts[0], Outcome::Sent(ok()), later(1))
        .await
        .unwrap();
    first.stop(Stop::Immediate);
    let second = promoted();
    let moved = world.database.as_ref().unwrap().on(second.port());

    // Another worker comes before the first one has asserted anything.
    world.store = Store::open(&world.settings, now()).await.unwrap();
    let (other, _other_lease) = worker(&world, 2).await;
    let again = claims(&other, 2).await;
    assert_eq!(again, claimed[..2]);
    let others = intents(&other, &again, 2).await;
    other
        .outcome(others[0], Outcome::Sent(ok()), later(2))
        .await
        .unwrap();
    moved.execute(&format!(
        "UPDATE deliveries SET state = 8 WHERE id = {}",
        claimed[2]
    ));

    // Its last word is heard only after a lease, in which others assert theirs.
    let began = Instant::now();
    one.discharge().await.unwrap();
    assert!(began.elapsed() >= LEASE);
    assert_eq!(one.take_asserted(), 3);
    let late = one.late_accepts().await.unwrap();
    assert_eq!(late.len(), 1);
    assert_eq!((late[0].delivery, late[0].newest), (claimed[0], others[0]));
    let number = |delivery| {
        moved.value(&format!(
            "SELECT state FROM deliveries WHERE id = {delivery}"
        ))
    };
    assert_eq!(
        number(claimed[2]),
        "2",
        "it is under way, whatever was decided there"
    );
    world.adds_up().await;

    for attempt in &attempts[1..] {
        one.outcome(*attempt, Outcome::Sent(ok()), later(3))
            .await
            .unwrap();
    }
    other
        .outcome(others[1], Outcome::Sent(ok()), later(3))
        .await
        .unwrap();
    assert_eq!(one.late_accepts().await.unwrap().len(), 1);
    world.adds_up().await;

    // Every attempt hangs on its delivery: it is told, and goes with it.
    let reader = moved.value(&format!(
        "SELECT address FROM deliveries WHERE id = {}",
        claimed[0]
    ));
    let story = world.store.why(&address(&reader), None).await.unwrap();
    let told: Vec<_> = story.deliveries[0]
        .attempts
        .iter()
        .map(|one| one.outcome)
        .collect();
    assert_eq!(told, [Some("late-accept"), Some("sent")]);
    let loose = "SELECT count(*) FROM attempts a
                  WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.attempt_id = a.id)
                    AND NOT EXISTS (SELECT 1 FROM attempts b WHERE b.previous_id = a.id)";
    assert_eq!(moved.value(loose), "0");
}

#[tokio::test]
async fn what_is_written_down_after_a_failover_is_of_the_attempt_as_it_is_called_now() {
    let (mut world, mut first, promoted) = pair().await;
    let (one, _lease) = worker(&world, 1).await;
    let claimed = claims(&one, 3).await;
    let attempts = intents(&one, &claimed[..1], 0).await;
    first.stop(Stop::Immediate);
    let second = promoted();
    let moved = world.database.as_ref().unwrap().on(second.port());

    // Its number is given to another there, before it is asserted again.
    world.store = Store::open(&world.settings, now()).await.unwrap();
    let (other, _other_lease) = worker(&world, 2).await;
    let others = claims(&other, 3).await;
    other.release(others[..1].to_vec()).await.unwrap();
    assert_eq!(intents(&other, &others[1..2], 2).await, attempts);
    one.release(Vec::new()).await.unwrap();
    assert_eq!(one.take_asserted(), 1);
    let attempt = attempts[0];
    one.session(move |session| {
        session.owe(attempt, Outcome::Sent(ok()), later(3));
        session.write_journal();
        Ok(())
    })
    .await
    .unwrap();
    drop(Store::open(&world.settings, later(4)).await.unwrap());
    let told = moved.rows(&format!(
        "SELECT d.state, a.outcome FROM deliveries d JOIN attempts a ON a.delivery_id = d.id
          WHERE d.id = {}",
        claimed[0]
    ));
    assert_eq!(told, [["3", "1"]]);
    world.adds_up().await;
}
