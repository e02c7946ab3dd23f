//! The program is killed: nobody is lost, nobody has two messages, and what
//! nobody can know is listed.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled, every_uncertain_one_is_listed};
use crate::press::{Press, reader_address};
use crate::process::Running;
use crate::receipt::Fate;

/// Three readers, of the first of whom the relay has the whole message and says
/// nothing yet.
fn at_the_first_dot() -> (Press, ChaosSink, Running) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(3).relay(&sink.url());
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    (press, sink, run)
}

/// Three readers, the first of whom the relay has taken in and not answered
/// when the run is killed.
fn killed_before_the_outcome() -> (Press, ChaosSink) {
    let (press, sink, run) = at_the_first_dot();
    assert_eq!(run.kill().killed_by(), Some(9));
    sink.release();
    assert_eq!(sink.count(Fate::Accepted), 1);
    (press, sink)
}

#[test]
fn killed_between_the_relays_yes_and_its_record_a_delivery_is_uncertain() {
    let (press, sink) = killed_before_the_outcome();
    let end = press.run(&["run"]);
    end.exits(3);
    let words: Vec<&str> = end.stderr.lines().collect();
    let [recovered, held] = words.as_slice() else {
        panic!("two lines are to be said\n{end}");
    };
    assert!(
        recovered.starts_with("recovered after a crash at 2026-11-27 08:00: 1 delivery uncertain"),
        "{end}"
    );
    assert!(held.starts_with("1 uncertain delivery held"), "{end}");
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&reader_address(1)), "uncertain");
    assert_eq!(ledger.sums_hold().count("sent"), 2);
    assert_eq!(
        sink.count(Fate::Accepted),
        3,
        "the first was not sent again"
    );
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    for entry in every_uncertain_one_is_listed(&ledger.rows(), |list| press.run(list)) {
        assert_eq!(entry["issue"], "weekly/1", "{entry}");
        assert_eq!(entry["reason"], "crash", "{entry}");
    }
}

/// Three readers; of the first the relay has said yes, which the run has read and
/// the ledger, held by somebody else, could not be told before the run was killed.
/// Where the run had noted it.
fn killed_with_an_answer_in_hand() -> (Press, ChaosSink, PathBuf) {
    let (press, sink, run) = at_the_first_dot();
    let other = Connection::open(press.path("letterpress.db")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let slate: String = other
        .query_row("SELECT slate FROM installation", [], |row| row.get(0))
        .unwrap();
    let slate = PathBuf::from(format!("/dev/shm/letterpress-{slate}"));
    sink.release();
    let is_noted = || {
        let text = std::fs::read(&slate).unwrap_or_default();
        text.windows(7).any(|word| word == b"attempt")
    };
    assert!(holds_within(Duration::from_secs(20), is_noted));
    assert_eq!(run.kill().killed_by(), Some(9));
    drop(other);
    assert_eq!(press.ledger().state_of(&reader_address(1)), "inflight");
    assert_eq!(sink.count(Fate::Accepted), 1);
    (press, sink, slate)
}

#[test]
fn what_a_relay_said_before_a_kill_is_known_after_it() {
    let (press, sink, slate) = killed_with_an_answer_in_hand();
    press.run(&["run"]).succeeds().is_silent();
    assert!(!slate.exists(), "nothing is under way any more");
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 3);
    assert_eq!(sink.count(Fate::Accepted), 3);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn after_a_restart_of_the_machine_it_is_uncertain() {
    let (press, sink, slate) = killed_with_an_answer_in_hand();
    std::fs::remove_file(slate).unwrap();
    press.run(&["run"]).exits(3).says("1 delivery uncertain");
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&reader_address(1)), "uncertain");
    assert_eq!(sink.count(Fate::Accepted), 3);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

/// The bound on what a loss of power leaves in doubt, and the reason why a message over
/// a quick relay does not wait for a commit of its own.
#[test]
fn a_session_asks_one_message_ahead_and_never_further() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(500).relay(&sink.url());
    press.set("mail.connections", 1);
    // A slow disk would have the session ask for each message at its time.
    press.set("store.durability", "process");
    let mut run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, 1);
    let ledger = Connection::open(press.path("letterpress.db")).unwrap();
    ledger.busy_timeout(Duration::from_secs(10)).unwrap();
    let mut count = ledger
        .prepare("SELECT count(*) FROM deliveries WHERE state = 2")
        .unwrap();
    let mut most = 0;
    while run.is_running() {
        let open: u32 = count.query_row([], |row| row.get(0)).unwrap();
        most = most.max(open);
    }
    run.wait().succeeds();
    assert_eq!(most, 2);
    assert_eq!(press.ledger().sums_hold().count("sent"), 500);
}

#[test]
fn marked_as_sent_an_uncertain_delivery_is_done() {
    let (press, sink) = killed_before_the_outcome();
    press.run(&["run"]).exits(3);
    press
        .run(&["uncertain", "mark-sent", &reader_address(1)])
        .succeeds()
        .says("1 counted as sent");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(press.ledger().sums_hold().count("sent"), 3);
    assert_eq!(press.ledger().issue_state(), "done");
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn sent_again_on_request_an_uncertain_delivery_is_the_same_message() {
    let (press, sink) = killed_before_the_outcome();
    press.run(&["run"]).exits(3);
    press
        .run(&["uncertain", "resend", &reader_address(1)])
        .succeeds()
        .says("1 queued again; the next `letterpress run` sends them");
    press.run(&["run"]).succeeds().is_silent();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 3);
    assert_eq!(sink.count(Fate::Accepted), 4, "the reader has it twice");
    // The oracle also compares the copies byte by byte.
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Resend);
}

#[test]
fn the_policy_resend_waits_a_while_and_sends_again() {
    let (mut press, sink) = killed_before_the_outcome();
    press.set("mail.on_uncertain", "resend");
    press.run(&["run"]).exits(3);
    assert_eq!(
        sink.count(Fate::Accepted),
        3,
        "not before its grace is over"
    );
    press.at("2026-11-27T08:20:00+02:00");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(sink.count(Fate::Accepted), 4);
    assert_eq!(press.ledger().sums_hold().count("sent"), 3);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Resend);
}

#[test]
fn the_policy_assume_sent_never_sends_again() {
    let (press, sink) = killed_before_the_outcome();
    press.set("mail.on_uncertain", "assume-sent");
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().sums_hold().count("sent"), 3);
    assert_eq!(sink.count(Fate::Accepted), 3);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_reader_who_leaves_before_a_resend_gets_nothing() {
    let (press, sink) = killed_before_the_outcome();
    press.run(&["run"]).exits(3);
    press
        .run(&["subscribers", "unsubscribe", &reader_address(1)])
        .succeeds();
    press
        .run(&["uncertain", "resend", "--all"])
        .succeeds()
        .says("1 left as they are");
    press.run(&["run"]);
    assert_eq!(sink.count(Fate::Accepted), 3);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}
