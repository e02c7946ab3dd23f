//! Runs that overlap, and runs that are told to stop.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled};
use crate::press::{FRIDAY, Press, reader_address};
use crate::process::Running;
use crate::receipt::Fate;

const READERS: usize = 40;

/// A press, and a sink that answers no dot until it is told to.
fn held_press() -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&sink.url());
    sink.hold_dots();
    (press, sink)
}

/// Asserts that everybody has the issue exactly once.
#[track_caller]
fn everybody_has_it_once(press: &Press, sink: &ChaosSink) {
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_eq!(ledger.issues(), 1);
    assert_eq!(sink.count(Fate::Accepted), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_second_run_names_the_first_and_leaves_it_alone() {
    let (press, sink) = held_press();
    let first = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let line = format!("another run (pid {}, since ", first.pid());
    // How far it is, the first run notes about once a second.
    let is_told_in_full = || {
        let second = press.run(&["run"]);
        second.succeeds();
        assert!(second.stderr.starts_with(&line), "{second}");
        assert!(second.stderr.ends_with(") is active\n"), "{second}");
        assert_eq!(second.stderr.lines().count(), 1, "{second}");
        second.stderr.contains(", 0 %) is active")
    };
    assert!(holds_within(Duration::from_secs(20), is_told_in_full));
    sink.release();
    first.wait().succeeds().is_silent();
    everybody_has_it_once(&press, &sink);
}

#[test]
fn a_run_that_may_wait_takes_its_turn_after_the_first() {
    let (press, sink) = held_press();
    let first = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let second = press.spawn(&["run", "--wait", "50"]);
    sink.release();
    first.wait().succeeds();
    second.wait().succeeds().is_silent();
    everybody_has_it_once(&press, &sink);
}

#[test]
fn sending_by_hand_while_a_run_sends_freezes_nothing() {
    let (press, sink) = held_press();
    let first = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press
        .run(&["send", "weekly"])
        .exits(75)
        .says("another run (pid ");
    sink.release();
    first.wait().succeeds();
    everybody_has_it_once(&press, &sink);
}

#[test]
fn what_a_dead_run_left_in_its_lock_file_stops_nobody() {
    let live = std::process::id();
    let note = format!(
        "{{\"pid\":{live},\"host\":\"elsewhere\",\"since\":\"2026-11-27T05:00:00Z\",\
         \"progress_at\":\"2026-11-27T05:00:00Z\",\"sent\":3,\"total\":9}}\n"
    );
    for left in ["", "4711", "\0\0\0\0", &note] {
        let press = Press::new();
        press.subscribers(3);
        fs::write(press.path("letterpress.db.lock"), left).unwrap();
        press.run(&["run"]).succeeds().is_silent();
        assert_eq!(press.ledger().count("sent"), 3, "{left:?}");
    }
}

#[test]
fn a_run_told_to_stop_finishes_what_is_under_way_and_no_more() {
    for signal in [Signal::TERM, Signal::INT] {
        let (press, sink) = held_press();
        let mut run = press.spawn(&["run"]);
        sink.wait_for_held(1);
        run.signal(signal);
        run.wait_for_stderr("stopping: 1 in flight, waiting up to 60 s … 0 sent, 40 left\n");
        sink.release();
        let end = run.wait();
        end.exits(75);
        assert_eq!(
            end.stderr,
            "stopping: 1 in flight, waiting up to 60 s … 0 sent, 40 left\n\
             stopped on request\n"
        );
        let ledger = press.ledger();
        assert_eq!(ledger.sums_hold().count("sent"), 1);
        assert_eq!(ledger.count("queued"), READERS - 1);
        assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);

        press.run(&["run"]).succeeds().is_silent();
        everybody_has_it_once(&press, &sink);
    }
}

#[test]
fn a_run_that_is_stopped_waits_no_longer_than_it_was_told() {
    let (press, sink) = held_press();
    let mut run = press.spawn(&["run", "--grace", "1s"]);
    sink.wait_for_held(1);
    run.signal(Signal::TERM);
    let end = run.wait();
    end.exits(3)
        .says("stopping: 1 in flight, waiting up to 1 s … 0 sent, 40 left\n")
        .says("stopped at once: 1 uncertain\n");
    sink.release();
    assert_eq!(press.ledger().sums_hold().count("uncertain"), 1);
}

#[test]
fn a_run_told_twice_to_stop_ends_at_once_and_lists_what_nobody_knows() {
    let (press, sink) = held_press();
    let mut run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    run.signal(Signal::TERM);
    run.wait_for_stderr("stopping: ");
    run.signal(Signal::TERM);
    let end = run.wait();
    end.exits(3)
        .says("stopped at once: 1 uncertain\n")
        .says("1 uncertain delivery held");
    sink.release();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("uncertain"), 1);
    assert_eq!(ledger.count("queued"), READERS - 1);

    press
        .run(&["run"])
        .exits(3)
        .says("1 uncertain delivery held");
    assert_eq!(ledger.count("sent"), READERS - 1);
    assert_eq!(sink.count(Fate::Accepted), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_run_from_cron_needs_no_environment_and_keeps_its_files_to_itself() {
    let press = Press::new();
    press.subscribers(2);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 0; exec \"$0\" \"$@\" <&-"])
        .arg(env!("CARGO_BIN_EXE_letterpress"))
        .args(["--at", FRIDAY, "run"])
        .current_dir(press.dir())
        .env_clear();
    let run = Running::start(command, b"", Duration::from_secs(60));
    run.wait().succeeds().is_silent();
    assert_eq!(press.ledger().count("sent"), 2);
    let mut private = press.files("outbox");
    let ledger = ["", ".lock", ".build.lock", ".runs", ".ballast"];
    private.extend(ledger.map(|end| format!("letterpress.db{end}")));
    for file in private {
        let mode = fs::metadata(press.path(&file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn who_leaves_while_the_issue_is_being_sent_gets_nothing_more() {
    let (press, sink) = held_press();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let leaver = reader_address(READERS);
    press
        .run(&["subscribers", "unsubscribe", &leaver])
        .succeeds()
        .says("unsubscribed; 1 queued delivery cancelled");
    sink.release();
    run.wait().succeeds().is_silent();
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&leaver), "cancelled");
    assert_eq!(ledger.sums_hold().count("sent"), READERS - 1);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn an_issue_paused_while_it_is_being_sent_goes_no_further_until_resumed() {
    let (press, sink) = held_press();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press.run(&["issues", "pause", "weekly/1"]).succeeds();
    sink.release();
    run.wait().succeeds();
    assert_eq!(press.ledger().sums_hold().count("sent"), 1);
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().count("sent"), 1, "paused is paused");
    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    press.run(&["run"]).succeeds();
    everybody_has_it_once(&press, &sink);
}
