//! Readers who leave while another program holds the database.

use std::fs;

use super::{READERS, other_hands, press};
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::reader_address;
use crate::harness::receipt::Fate;

#[test]
fn who_leaves_while_the_database_is_held_is_heard_and_gets_nothing_more() {
    let (press, sink) = press();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let import = other_hands(&press);
    import.execute_batch("BEGIN IMMEDIATE").unwrap();
    let leaver = reader_address(READERS);
    press
        .run(&["subscribers", "unsubscribe", &leaver])
        .succeeds()
        .says("unsubscribed; noted beside the ledger, which is busy");
    let noted = press.read("letterpress.db.leaving");
    assert!(noted.contains(&leaver), "{noted}");
    use std::os::unix::fs::PermissionsExt;
    let facts = fs::metadata(press.path("letterpress.db.leaving")).unwrap();
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    import.execute_batch("ROLLBACK").unwrap();
    sink.release();
    run.wait().succeeds();
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&leaver), "cancelled");
    assert_eq!(ledger.sums_hold().count("sent"), READERS - 1);
    assert_eq!(sink.count(Fate::Accepted), READERS - 1);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    assert_eq!(press.read("letterpress.db.leaving"), "");
}

#[test]
fn what_the_superuser_noted_can_be_read_by_the_owner_of_the_ledger() {
    use std::os::unix::fs::{MetadataExt, chown};
    const OWNER: u32 = 65_534;
    let (press, _sink) = press();
    press.run(&["run"]).succeeds();
    chown(press.database(), Some(OWNER), Some(OWNER)).unwrap();
    // As the superuser left it before there was a ledger to take an owner from.
    press.write("letterpress.db.leaving", "{\n");
    press
        .run(&["subscribers", "add", "anna@example.org"])
        .succeeds();
    let facts = fs::metadata(press.path("letterpress.db.leaving")).unwrap();
    assert_eq!((facts.len(), facts.uid()), (0, OWNER));
}

#[test]
fn what_was_noted_outlives_a_kill_and_is_taken_up_once() {
    let (press, sink) = press();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let leaver = reader_address(READERS);
    // A program that was killed in the middle of a line, and one that was not.
    let line = format!(
        "{{\"address\":\"reader0\n{{\"address\":\"{leaver}\",\"source\":\"link\",\
         \"at\":\"2026-11-27T06:00:10Z\"}}\n"
    );
    press.write("letterpress.db.leaving", &line);
    run.kill();
    sink.release();
    press.run(&["run"]).exits(3);
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&leaver), "cancelled");
    assert_reconciled(&ledger.sums_hold().rows(), &sink.receipts(), Policy::Once);
    press.write("letterpress.db.leaving", &line);
    press.run(&["run"]).exits(3);
    let why = press.run(&["why", &leaver]);
    assert_eq!(
        why.stdout.matches("unsubscribed (link)").count(),
        1,
        "{why}"
    );
}
