//! `work`: one worker that waits for what is due, beside others or alone.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{freeze, press_on};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled};
use crate::postgres::{self, Database};
use crate::press::Press;
use crate::process::Running;
use crate::receipt::Fate;

const READERS: usize = 30;

#[track_caller]
fn ends(mut worker: Running) {
    worker.signal(Signal::TERM);
    worker.wait().succeeds();
}

#[test]
fn with_a_ledger_in_a_file_one_worker_delivers_while_no_run_does() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(READERS);
    freeze(&press, &sink);
    let worker = press.spawn(&["work"]);
    sink.wait_for(Fate::Accepted, READERS);
    let ledger = press.ledger();
    let all_sent = || ledger.count("sent") == READERS;
    assert!(holds_within(Duration::from_secs(20), all_sent));
    // It waits, and keeps nobody from running.
    let runs = || press.run(&["run"]).stderr.is_empty();
    assert!(holds_within(Duration::from_secs(20), runs));
    ends(worker);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_worker_finds_what_becomes_due_and_is_seen_at_work() {
    let (press, sink) = press_on(postgres::database(), READERS);
    let worker = press.spawn(&["work"]);
    let is_seen = || press.run(&["status"]).stdout.contains("\nworker     1 at ");
    assert!(holds_within(Duration::from_secs(20), is_seen));
    press.copied().run(&["run"]).succeeds();
    sink.wait_for(Fate::Accepted, READERS);
    let ledger = press.ledger();
    let all_sent = || ledger.count("sent") == READERS;
    assert!(holds_within(Duration::from_secs(20), all_sent));
    ends(worker);
    let status = press.run(&["status", "--format", "json"]).json();
    assert_eq!(status["crew"]["workers"].as_array().unwrap().len(), 0);
    super::everybody_has_it_once(&press, &sink, READERS);
}

/// Another command writes for so many seconds; `meanwhile` begins when it does.
fn while_others_write(database: &Database, seconds: u32, meanwhile: impl FnOnce()) {
    let sleep = format!("SELECT pg_sleep({seconds})");
    let others = [
        "BEGIN",
        "SELECT pg_advisory_xact_lock(1280332371)",
        &sleep,
        "COMMIT",
    ];
    thread::scope(|scope| {
        scope.spawn(|| database.session_by(database.port(), &others));
        assert!(holds_within(Duration::from_secs(20), || {
            locks(database, "granted") == "1"
        }));
        meanwhile();
    });
}

/// Waits until somebody waits for those others.
#[track_caller]
fn somebody_waits(database: &Database) {
    assert!(holds_within(Duration::from_secs(20), || {
        locks(database, "NOT granted") == "1"
    }));
}

fn locks(database: &Database, which: &str) -> String {
    database.value(&format!(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {which}"
    ))
}

#[test]
fn a_worker_that_is_told_to_end_while_a_round_ends_by_itself_begins_no_other() {
    let (press, sink) = press_on(postgres::database(), 1);
    freeze(&press, &sink);
    sink.hold_dots();
    let mut worker = press.spawn(&["work"]);
    sink.wait_for_held(1);
    let database = press.server();
    while_others_write(database, 5, || {
        // What a round does at its end waits for them.
        sink.release();
        somebody_waits(database);
        worker.signal(Signal::TERM);
    });
    worker.wait().succeeds().says("stopping: 0 in flight");
    super::everybody_has_it_once(&press, &sink, 1);
}

#[test]
fn a_worker_that_is_told_to_end_before_its_round_has_begun_sends_nothing() {
    let (press, sink) = press_on(postgres::database(), READERS);
    freeze(&press, &sink);
    let database = press.server();
    database.execute("UPDATE deliveries SET next_attempt_at = next_attempt_at + 3600");
    let mut worker = press.spawn(&["work"]);
    let is_idle = || database.value("SELECT count(*) FROM workers WHERE ended_at IS NULL") == "1";
    assert!(holds_within(Duration::from_secs(20), is_idle));
    thread::sleep(Duration::from_secs(3));
    while_others_write(database, 6, || {
        database.execute("UPDATE deliveries SET next_attempt_at = next_attempt_at - 3600");
        somebody_waits(database);
        worker.signal(Signal::TERM);
    });
    worker.wait().succeeds();
    assert_eq!(sink.count(Fate::Accepted), 0);
    assert_eq!(press.ledger().sums_hold().count("queued"), READERS);
}

#[test]
fn of_an_issue_that_was_paused_a_worker_keeps_no_claims() {
    let (press, sink) = press_on(postgres::database(), READERS);
    freeze(&press, &sink);
    let refusal = "553 5.7.1 sender not allowed";
    sink.rule(Phase::Mail, Rule::always(Answer::reply(refusal)));
    let mut worker = press.spawn(&["work"]);
    worker.wait_for_stderr("letterpress issues resume weekly/1");
    let ledger = press.ledger();
    let is_free = || ledger.count("queued") == READERS;
    assert!(holds_within(Duration::from_secs(20), is_free));
    sink.change(|behaviour| behaviour.rules.clear());
    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    sink.wait_for(Fate::Accepted, READERS);
    ends(worker);
    super::everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn a_worker_waits_for_others_who_write_for_longer_than_anybody_waits() {
    let (press, sink) = press_on(postgres::database(), READERS);
    freeze(&press, &sink);
    while_others_write(press.server(), 38, || {
        let mut worker = press.spawn(&["work"]);
        let all_sent = || sink.count(Fate::Accepted) == READERS || !worker.is_running();
        assert!(holds_within(Duration::from_secs(90), all_sent));
        worker.signal(Signal::TERM);
        worker
            .wait()
            .succeeds()
            .says("stayed locked by another process for more than 30 seconds");
    });
    super::everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn a_worker_is_bound_to_a_relay_that_is_configured() {
    let (press, sink) = press_on(postgres::database(), READERS);
    press
        .run(&["work", "--relay", "elsewhere.example.org"])
        .exits(78)
        .says("there is no relay `elsewhere.example.org`")
        .says(&format!("there are: 127.0.0.1:{}", sink.port()));
    freeze(&press, &sink);
    let worker = press.spawn(&["work", "--relay", "127.0.0.1"]);
    sink.wait_for(Fate::Accepted, READERS);
    ends(worker);
}
