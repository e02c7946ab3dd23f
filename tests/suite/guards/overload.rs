//! Runs that die again and again, runs that hang, and issues that are too big.

use std::time::Duration;

use rustix::process::Signal;

use super::{READERS, libfaketime, press};
use crate::harness::chaos::ChaosSink;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Fate;

#[test]
fn three_runs_that_died_in_an_issue_pause_it_until_a_person_looks() {
    let (press, sink) = press();
    three_deaths(&press, &sink, |_| {});
    press.run(&["run"]).exits(70).says(
        "issue weekly/1 is paused: the last three runs died in it and settled none of its \
         27 open deliveries",
    );
    let accepted = sink.count(Fate::Accepted);
    press.run(&["run"]).exits(3);
    assert_eq!(sink.count(Fate::Accepted), accepted, "paused is paused");
    press
        .run(&["status"])
        .succeeds()
        .prints("the last three runs died in it");
    press
        .run(&["issues", "resume", "weekly/1"])
        .succeeds()
        .says("issue weekly/1 resumed; the next `letterpress run` goes on with 27 deliveries");
    press.run(&["run"]).exits(3);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS - 3);
    assert_eq!(ledger.count("uncertain"), 3);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

/// Three runs that are killed while they wait for an answer; `between` happens
/// after each.
fn three_deaths(press: &Press, sink: &ChaosSink, between: impl Fn(&Press)) {
    for _ in 0..3 {
        sink.hold_dots();
        let run = press.spawn(&["run"]);
        sink.wait_for_held(1);
        assert_eq!(run.kill().killed_by(), Some(9));
        // The sink notices that its client is gone.
        sink.release();
        between(press);
    }
}

#[test]
fn a_policy_that_counts_as_sent_hides_no_loop() {
    let (press, sink) = press();
    press.set("mail.on_uncertain", "assume-sent");
    three_deaths(&press, &sink, |_| {});
    press
        .run(&["run"])
        .exits(70)
        .says("the last three runs died in it and settled none of its 27 open deliveries");
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 3);
    assert_eq!(ledger.issue_state(), "paused");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_person_who_counts_as_sent_hides_no_loop() {
    let (press, sink) = press();
    three_deaths(&press, &sink, |press| {
        // What the run before this one left.
        press.run(&["uncertain", "mark-sent", "--all"]).succeeds();
    });
    press.run(&["run"]).exits(70);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 2);
    assert_eq!(ledger.issue_state(), "paused");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_run_that_makes_no_progress_is_told_and_not_pushed_aside() {
    let (press, sink) = press();
    sink.hold_dots();
    let mut first = press.spawn(&["run"]);
    sink.wait_for_held(1);
    first.signal(Signal::STOP);
    let mut second = press.command(&["run"]);
    second
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME", "+17m30s");
    let end = Running::start(second, b"", Duration::from_secs(60)).wait();
    end.exits(75)
        .says(&format!("another run (pid {}, since ", first.pid()))
        .says(") is active, no progress for 17 min\n");
    first.signal(Signal::CONT);
    sink.release();
    first.wait().succeeds();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

fn article(press: &Press, name: &str, date: &str) {
    press.article(
        &format!("food/{name}.md"),
        &format!("+++\ntitle = \"About {name}\"\ndate = {date}\n+++\n\nIt is good.\n"),
    );
}

#[test]
fn an_issue_far_bigger_than_usual_waits_for_a_person() {
    let (mut press, sink) = press();
    press.run(&["run"]).succeeds();
    for (name, date, at) in [
        ("quince", "2026-12-01", "2026-12-04T08:00:00+02:00"),
        ("medlar", "2026-12-08", "2026-12-11T08:00:00+02:00"),
    ] {
        article(&press, name, date);
        press.at(at).run(&["run"]).succeeds().is_silent();
    }
    assert_eq!(sink.count(Fate::Accepted), 3 * READERS);
    for number in 0..12 {
        article(&press, &format!("renamed-{number}"), "2026-12-15");
    }
    press.at("2026-12-18T08:00:00+02:00");
    press
        .run(&["run"])
        .exits(4)
        .says("issue weekly/4: 12 articles, usually 1 — issue held for approval\n")
        .says("`letterpress issues resume weekly/4` sends it");
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), 3 * READERS, "nothing left");
    press
        .run(&["issues", "show", "weekly/4"])
        .prints("12 articles, usually 1: held for approval");
    press
        .run(&["issues", "resume", "weekly/4"])
        .succeeds()
        .says("goes on with 30 deliveries");
    press.run(&["run"]).succeeds();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 4 * READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_paused_and_a_cancelled_issue_say_what_that_means() {
    let (press, sink) = press();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press
        .run(&["issues", "resume", "weekly/1"])
        .succeeds()
        .says("issue weekly/1 is not paused");
    press
        .run(&["issues", "pause", "weekly/1", "--reason", "wrong picture"])
        .succeeds()
        .says(
            "issue weekly/1 paused; 29 deliveries held until `letterpress issues resume`; \
             1 delivery under way will finish",
        );
    sink.release();
    run.wait().succeeds();
    press.run(&["issues", "cancel", "weekly/1"]).succeeds().says(
        "issue weekly/1 cancelled; 29 queued deliveries cancelled; its articles are free for the \
         next issue",
    );
    press
        .run(&["issues", "resume", "weekly/1"])
        .exits(65)
        .says("issue weekly/1 is cancelled and cannot be resumed");
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("cancelled"), READERS - 1);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}
