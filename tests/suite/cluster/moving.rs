//! A ledger moves to a server and back.

use std::sync::Arc;

use rustix::process::Signal;

use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::ledger::Ledger;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::postgres::{self, Database};
use crate::harness::press::{Press, reader_address};
use crate::harness::receipt::Fate;
use crate::scenarios::moves;

const READERS: usize = 30;

fn press() -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&sink.url());
    press.set("content.pages", false);
    (press, sink)
}

/// A move that dies when some of the list, not all of it, is there.
pub(crate) fn killed_on_the_way(press: &Press, database: &Arc<Database>) {
    let ledger = Ledger::on(database);
    let total = Ledger::open(&press.database()).table("SELECT id FROM subscribers");
    let mut moving = press.spawn(&["store", "move", &database.url()]);
    while moving.is_running() && !(ledger.is_made() && arrived(&ledger) > 0) {}
    moving.kill();
    assert!((1..total.len()).contains(&arrived(&ledger)), "too late");
}

fn arrived(ledger: &Ledger) -> usize {
    let count = ledger.table("SELECT count(*) FROM subscribers");
    count[0][0].parse().unwrap()
}

#[test]
fn a_move_that_is_killed_goes_on_where_it_was_both_ways_and_sends_nothing_twice() {
    let options = moves::Options {
        readers: 6_000,
        kills: 3,
    };
    let seed = crate::dice::Dice::thrown().below(u64::MAX);
    eprintln!("seed {seed}\n{}", moves::campaign(&options, seed));
}

#[test]
fn a_ledger_on_which_somebody_is_at_work_stays_where_it_is() {
    let (press, sink) = press();
    let database = postgres::database();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press
        .run(&["store", "move", &database.url()])
        .exits(75)
        .says("is active");
    run.kill();
    sink.release();
    press
        .run(&["store", "move", &database.url()])
        .exits(75)
        .says("the ledger cannot be moved now: ")
        .says(" in flight")
        .says("settled by the next `letterpress run`");
    press.run(&["run"]).exits(3);
    press.run(&["store", "move", &database.url()]).succeeds();
}

#[test]
fn a_place_that_holds_a_ledger_is_not_written_over() {
    let (mut press, _sink) = press();
    press.run(&["run"]).succeeds();
    let other = postgres::database();
    let url = other.url();
    press.ledger_on(other).subscribers(2);
    press.set("store.url", "sqlite:letterpress.db");
    for _ in 0..2 {
        press
            .run(&["store", "move", &url])
            .exits(78)
            .says("holds another ledger")
            .says("name an empty database");
    }
    assert_eq!(
        press.server().value("SELECT count(*) FROM subscribers"),
        "2"
    );
    press.run(&["run"]).succeeds();
    let foreign = postgres::database();
    foreign.execute("CREATE TABLE accounts (id int)");
    press
        .run(&["store", "move", &foreign.url()])
        .exits(78)
        .says("it is the database of another program");
    for nowhere in ["letters.db", "mysql://db/letters"] {
        press.run(&["store", "move", nowhere]).exits(2);
    }
    press
        .run(&["store", "move", "sqlite:letterpress.db"])
        .exits(2)
        .says("already");
    press.set("store.url", "sqlite:absent.db");
    press.run(&["store", "move", &foreign.url()]).exits(66);
}

#[test]
fn a_move_that_is_given_up_leaves_the_ledger_where_it_was() {
    let (press, _sink) = press();
    let database = Arc::new(postgres::database());
    press
        .run(&["store", "move", "--give-up", &database.url()])
        .succeeds()
        .says("nothing to give up");
    let readers = 12_000;
    press.subscribers(readers);
    killed_on_the_way(&press, &database);
    let elsewhere = postgres::database();
    press
        .run(&["store", "move", &elsewhere.url()])
        .exits(78)
        .says("is being moved to postgres://")
        .says("`--give-up`");
    press
        .run(&["subscribers", "add", "new@example.org"])
        .exits(78)
        .says("is being moved to postgres://");
    press
        .run(&["store", "move", "--give-up", &database.url()])
        .succeeds()
        .says("given up: the ledger stays at ");
    assert_eq!(database.value("SELECT count(*) FROM subscribers"), "0");
    assert_eq!(database.value("SELECT count(*) FROM arrivals"), "0");
    press
        .run(&["subscribers", "add", "new@example.org"])
        .succeeds();
    press.run(&["store", "verify"]).succeeds();
    press.run(&["store", "move", &database.url()]).succeeds();
    let arrived = database.value("SELECT count(*) FROM subscribers");
    assert_eq!(arrived, (readers + 1).to_string());
    press
        .run(&["store", "move", "--give-up", &database.url()])
        .exits(78)
        .says("was moved to ");
}

#[test]
fn the_old_place_refuses_to_be_used_until_the_ledger_comes_back_or_is_accepted() {
    let (mut press, sink) = press();
    press.run(&["run"]).succeeds();
    let database = Arc::new(postgres::database());
    let moved = press.run(&["store", "move", &database.url()]);
    moved
        .succeeds()
        .says("Write this into letterpress.toml")
        .says(&format!("url = \"{}\"", database.url()))
        .prints("SHA-256, equal at both places")
        .prints("deliveries");
    for verb in [
        &["run"][..],
        &["send", "weekly"],
        &["subscribers", "add", "new@example.org"],
        &["store", "move", "sqlite:elsewhere.db"],
    ] {
        press
            .run(verb)
            .exits(78)
            .says("was moved to postgres://127.0.0.1:");
    }
    // Reading is no use of it.
    press.run(&["status"]).succeeds();
    press.run(&["store", "verify"]).succeeds();
    press.run(&["store", "backup", "old.db"]).succeeds();

    press.set("store.url", database.url());
    press.run(&["run"]).succeeds();
    press
        .run(&["subscribers", "unsubscribe", &reader_address(1)])
        .succeeds();
    press
        .run(&["store", "move", "sqlite:letterpress.db"])
        .succeeds();
    press.run(&["run"]).exits(78).says("was moved to ");
    press.set("store.url", "sqlite:letterpress.db");
    press.run(&["run"]).succeeds();
    let ledger = press.ledger();
    assert_eq!(sink.count(Fate::Accepted), READERS);
    assert_reconciled(&ledger.sums_hold().rows(), &sink.receipts(), Policy::Once);
    press
        .run(&["subscribers", "list", "--status", "unsubscribed"])
        .succeeds()
        .prints(&reader_address(1));

    // What was left on the server is an old copy, accepted as such only.
    press.set("store.url", database.url());
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says("accepted; 0 uncertain deliveries");
    press
        .at("2026-11-27T09:00:00+02:00")
        .run(&["run"])
        .succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);
}

#[test]
fn what_may_have_been_sent_from_the_new_place_is_in_doubt_at_the_old_one() {
    let (press, sink) = press();
    sink.hold_dots();
    let mut run = press.spawn(&["run", "--grace", "20s"]);
    sink.wait_for_held(1);
    run.signal(Signal::TERM);
    run.wait_for_stderr("stopping");
    sink.release();
    run.wait().exits(75);
    let sent = sink.count(Fate::Accepted);
    assert!((1..READERS).contains(&sent), "{sent}");
    let database = Arc::new(postgres::database());
    press.run(&["store", "move", &database.url()]).succeeds();
    press.set("store.url", database.url());
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);

    press.set("store.url", "sqlite:letterpress.db");
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says(&format!("accepted; {} uncertain deliver", READERS - sent));
    press.run(&["run"]).exits(3);
    assert_eq!(
        sink.count(Fate::Accepted),
        READERS,
        "nothing was sent twice"
    );
    let ledger = Ledger::on(&database);
    assert_reconciled(&ledger.sums_hold().rows(), &sink.receipts(), Policy::Once);
}

/// A backup of a server, made while a run has begun and nobody has the issue yet;
/// then everybody gets it.
fn backup_of_a_moment_before() -> (Press, ChaosSink) {
    let (mut press, sink) = press();
    press.ledger_on(postgres::database());
    press.run(&["store", "backup", "none.db"]).exits(66);
    press.subscribers(READERS);
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press
        .run(&["store", "backup", "copy.db"])
        .succeeds()
        .prints("copy.db (");
    press.run(&["store", "backup", "copy.db"]).exits(74);
    sink.release();
    run.wait().succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);
    let copy = Ledger::open(&press.path("copy.db"));
    assert_eq!(copy.sums_hold().rows().len(), READERS);
    press.set("store.url", "sqlite:copy.db");
    press.run(&["store", "verify"]).succeeds();
    (press, sink)
}

/// Nothing of it is sent, also once it is accepted.
fn is_in_doubt(press: &Press, sink: &ChaosSink) {
    for _ in 0..2 {
        press
            .run(&["run"])
            .exits(78)
            .says("error: the ledger is older than the last run here");
    }
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says(&format!("accepted; {READERS} uncertain deliveries"));
    press.run(&["run"]).exits(3);
    assert_eq!(sink.count(Fate::Accepted), READERS);
}

#[test]
fn a_backup_of_a_server_is_one_moment_of_it_and_refused_until_it_is_accepted() {
    let (press, sink) = backup_of_a_moment_before();
    is_in_doubt(&press, &sink);
}

#[test]
fn a_backup_of_a_server_that_is_moved_to_another_is_refused_there() {
    let (press, sink) = backup_of_a_moment_before();
    let other = postgres::database();
    press.run(&["store", "move", &other.url()]).succeeds();
    press.set("store.url", other.url());
    is_in_doubt(&press, &sink);
}
