//! Backups, and what happens when one is put back.

use std::fs;

use super::{READERS, other_hands, press, remove_database};
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::receipt::Fate;

#[test]
fn a_backup_made_while_a_run_sends_is_refused_until_accepted_and_sends_nothing_twice() {
    let (press, sink) = press();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press
        .run(&["store", "backup", "copy.db"])
        .succeeds()
        .prints("copy.db (");
    press
        .run(&["store", "backup", "copy.db"])
        .exits(74)
        .says("copy.db is there already");
    sink.release();
    run.wait().succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);

    remove_database(&press);
    fs::copy(press.path("copy.db"), press.database()).unwrap();
    for _ in 0..2 {
        press
            .run(&["run"])
            .exits(78)
            .says("error: the ledger is older than the last run here (run 1 without its last messages)")
            .says("`letterpress store verify --accept-restored` accepts it");
    }
    press.run(&["send", "weekly"]).exits(78);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("uncertain"), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);

    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says("accepted; 30 uncertain deliveries to be settled");
    press
        .run(&["run"])
        .exits(3)
        .says("30 uncertain deliveries held");
    assert_eq!(
        sink.count(Fate::Accepted),
        READERS,
        "nothing was sent again"
    );
    press
        .run(&["uncertain", "list"])
        .succeeds()
        .prints("a backup was restored; it may have been sent after that was made")
        .prints("mark-sent 1 or resend 1");
    press.run(&["uncertain", "mark-sent", "--all"]).succeeds();
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().sums_hold().count("sent"), READERS);
    press.run(&["store", "verify"]).succeeds();
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn no_standing_rule_settles_what_a_restored_backup_cannot_know() {
    let (mut press, sink) = press();
    press.set("mail.on_uncertain", "resend");
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press.run(&["store", "backup", "copy.db"]).succeeds();
    sink.release();
    run.wait().succeeds();
    remove_database(&press);
    fs::copy(press.path("copy.db"), press.database()).unwrap();
    press.run(&["run"]).exits(78);
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds();
    // What was under way in the copy is as old as the rest, and past any grace.
    press.at("2026-11-27T09:00:00+02:00");
    press
        .run(&["run"])
        .exits(3)
        .says("30 uncertain deliveries held");
    assert_eq!(sink.count(Fate::Accepted), READERS);
    let list = press.run(&["--format", "json", "uncertain", "list"]);
    for entry in list.succeeds().json().as_array().unwrap() {
        assert_eq!(entry["reason"], "restored", "{entry}");
        assert_eq!(entry["last_phase"], "backup", "{entry}");
    }
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn accepting_on_a_full_disk_says_nothing_of_sending() {
    let (press, sink) = press();
    drop(fs::remove_file(press.path("letterpress.db.lock")));
    std::os::unix::fs::symlink("/dev/full", press.path("letterpress.db.lock")).unwrap();
    press
        .run(&["store", "verify", "--accept-restored"])
        .exits(74)
        .says("cannot be written (disk full on ")
        .conceals("before sending");
    for verb in [&["run"][..], &["send", "weekly"]] {
        press
            .run(verb)
            .exits(74)
            .says("cannot be written (disk full on ")
            .says("stopped before sending");
    }
    assert_eq!(sink.connections(), 0);
}

#[test]
fn yesterdays_backup_is_named_with_both_runs() {
    let (press, sink) = press();
    press.run(&["run"]).succeeds();
    press.run(&["store", "backup", "copy.db"]).succeeds();
    press.run(&["run"]).succeeds();
    press.run(&["run"]).succeeds();
    remove_database(&press);
    fs::copy(press.path("copy.db"), press.database()).unwrap();
    press
        .run(&["run"])
        .exits(78)
        .says("the ledger is older than the last run here (run 1 < 3): it was restored");
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says("accepted; 0 uncertain deliveries");
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), READERS);
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds()
        .says("nothing to accept");
}

#[test]
fn a_log_that_was_cut_off_after_a_crash_is_not_taken_for_the_truth() {
    let (press, sink) = press();
    let run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, 12);
    assert_eq!(run.kill().killed_by(), Some(9));
    let log = fs::OpenOptions::new()
        .write(true)
        .open(press.path("letterpress.db-wal"))
        .unwrap();
    // What the file holds beyond the last commits; a few of those are cut, too.
    let length = log.metadata().unwrap().len();
    log.set_len(length * 3 / 4).unwrap();
    drop(log);
    let accepted = sink.count(Fate::Accepted);
    press
        .run(&["run"])
        .exits(78)
        .says("(run 1 without its last messages)");
    assert_eq!(sink.count(Fate::Accepted), accepted, "nothing was sent");
    press
        .run(&["store", "verify", "--accept-restored"])
        .succeeds();
    press.run(&["run"]).exits(3);
    assert_eq!(sink.count(Fate::Accepted), accepted);
    let ledger = press.ledger();
    assert_reconciled(&ledger.sums_hold().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_backup_stands_beside_the_ledger_unless_told_otherwise_and_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let (press, _sink) = press();
    press.run(&["run"]).succeeds();
    let end = press.run(&["--format", "json", "store", "backup"]);
    let path = end.succeeds().json()["path"].as_str().unwrap().to_owned();
    assert!(path.ends_with("/letterpress-20261127-080000.db"), "{path}");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    press.set("store.url", format!("sqlite:{path}"));
    press.run(&["store", "verify"]).succeeds();
    press.set("store.url", "sqlite:absent.db");
    press.run(&["store", "backup"]).exits(66);
    press.run(&["store", "verify"]).exits(66);
}

#[test]
fn a_damaged_ledger_has_no_backup() {
    let (press, _sink) = press();
    press.run(&["run"]).succeeds();
    other_hands(&press)
        .execute_batch("UPDATE tallies SET count = count + 1 WHERE state = 3")
        .unwrap();
    press
        .run(&["store", "backup", "copy.db"])
        .exits(74)
        .says("fails its integrity check at ")
        .says("31 deliveries are noted as sent, 30 are");
    assert!(!press.path("copy.db").exists());
}
