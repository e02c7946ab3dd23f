//! Which copies of a ledger on a server are taken for the ledger.

use std::time::Duration;

use super::press_on;
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled};
use crate::postgres::{self, Options, Server};
use crate::receipt::Fate;

const READERS: usize = 20;

#[test]
fn a_dump_that_is_restored_into_another_cluster_is_refused_until_it_is_accepted() {
    let (mut press, sink) = press_on(postgres::database(), READERS);
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);
    let other = Server::start(&Options::default());
    let copy = other.database();
    press.server().dumped_into(&copy);
    // Another machine may have sent meanwhile what this one cannot know.
    std::fs::remove_file(press.path("letterpress.postgres.runs")).unwrap();
    press.ledger_on(copy);
    for _ in 0..2 {
        press
            .run(&["run"])
            .exits(78)
            .says("error: the ledger is older than the last run here (run 1 without its last messages)")
            .says("`letterpress store verify --accept-restored` accepts it");
    }
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says("accepted; 0 uncertain deliveries");
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn yesterdays_dump_in_the_same_cluster_is_named_with_both_runs() {
    let (mut press, sink) = press_on(postgres::database(), READERS);
    press.run(&["run"]).succeeds();
    let yesterday = postgres::database();
    press.server().dumped_into(&yesterday);
    press.run(&["run"]).succeeds();
    press.run(&["run"]).succeeds();
    press.ledger_on(yesterday);
    press
        .run(&["run"])
        .exits(78)
        .says("the ledger is older than the last run here (run 1 < 3): it was restored");
    assert_eq!(sink.count(Fate::Accepted), READERS);
}

#[test]
fn a_standby_that_took_over_is_the_ledger_and_who_it_took_over_from_is_not() {
    let first = Server::start(&Options::default());
    let (press, sink) = press_on(first.database(), READERS);
    press.run(&["run"]).succeeds();
    let standby = first.standby_by(first.port());
    let has_all = || standby.has_caught_up_with(&first);
    assert!(holds_within(Duration::from_secs(30), has_all));
    let second = standby.promote();
    let left = press.server().url();
    let taken_over = press.server().on(second.port());
    press.set("store.url", taken_over.url());
    press.run(&["run"]).succeeds();
    press.set("store.url", left);
    press
        .run(&["run"])
        .exits(78)
        .says("the ledger is older than the last run here (run 1 < 2)");
    assert_eq!(sink.count(Fate::Accepted), READERS);
}
