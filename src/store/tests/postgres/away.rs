//! A server that goes away and comes back.

use std::time::Instant;

use super::*;
use crate::store::{
    Departure, Health,
    sql::Access,
    tests::harness::postgres::{Options, Server, Stop},
};

#[tokio::test]
async fn whoever_leaves_while_the_server_is_away_is_off_the_list_once_it_is_back() {
    let mut server = Server::start(&Options::default());
    let database = server.database();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, &database);
    let store = Store::open(&settings, now()).await.unwrap();
    let reader = reader("reader0@example.org", Status::Active);
    store
        .add(vec![reader], "import", now(), false)
        .await
        .unwrap();
    let reader = store
        .subscriber(&address("reader0@example.org"))
        .await
        .unwrap()
        .unwrap();
    let mut health = store.health();
    server.stop(Stop::Immediate);
    let left = store
        .leave(reader.id, Departure::List, "one click", later(1))
        .await
        .unwrap();
    assert!(left.is_noted);
    assert!(matches!(*health.borrow_and_update(), Health::Away(_)));
    server.restart();
    // Nobody asks for anything: it is taken up all the same.
    let is_well = |now: &Health| *now == Health::Well;
    health.wait_for(is_well).await.unwrap();
    let reader = store.subscriber(&reader.address).await.unwrap().unwrap();
    assert_eq!(reader.status, Status::Unsubscribed);
}

#[tokio::test]
async fn a_transaction_whose_session_the_server_ended_is_done_again() {
    let world = world().await;
    let mut tries = 0;
    let done = world.store.session(move |session| {
        session.transact(Access::Write, |tx| {
            tries += 1;
            if tries == 1 {
                tx.execute_batch("SET LOCAL idle_in_transaction_session_timeout = 50")?;
                std::thread::sleep(Duration::from_millis(300));
            }
            tx.query_row("SELECT 7", [], |row| row.get::<i64>(0))?;
            Ok(tries)
        })
    });
    assert_eq!(done.await.unwrap(), 2);
}

#[tokio::test]
async fn whoever_leaves_while_the_server_hangs_is_noted_soon_and_who_ends_does_not_wait() {
    let server = Server::start(&Options::default());
    let database = server.database();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, &database);
    let store = Store::open(&settings, now()).await.unwrap();
    let reader = reader("reader0@example.org", Status::Active);
    store
        .add(vec![reader], "import", now(), false)
        .await
        .unwrap();
    let address = address("reader0@example.org");
    let reader = store.subscriber(&address).await.unwrap().unwrap();

    let paused = server.paused();
    let began = Instant::now();
    let left = store.leave(reader.id, Departure::List, "one click", later(1));
    assert!(left.await.unwrap().is_noted);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let left = store.leave(reader.id, Departure::List, "again", later(2));
    assert!(left.await.unwrap().is_noted);
    let took = began.elapsed() - took;
    assert!(
        took < Duration::from_secs(8),
        "the next does not wait as long: {took:?}"
    );

    drop(paused);
    let mut health = store.health();
    health.wait_for(|now| *now == Health::Well).await.unwrap();
    let reader = store.subscriber(&address).await.unwrap().unwrap();
    assert_eq!(reader.status, Status::Unsubscribed);

    let paused = server.paused();
    store.hurry();
    let began = Instant::now();
    let told = store.subscriber(&address).await;
    assert!(matches!(told, Err(StoreError::Away { .. })), "{told:?}");
    assert!(began.elapsed() < Duration::from_secs(9));
    drop(paused);
}
