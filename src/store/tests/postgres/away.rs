//! A server that goes away and comes back.

use super::*;
use crate::store::{
    Departure, Health,
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
