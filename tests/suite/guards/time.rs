//! Clocks that jump, hours that are skipped or come twice, slots that passed.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta};

use super::{READERS, libfaketime, other_hands, press};
use crate::harness::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Fate;

/// A run under a clock that stands in a file, and jumps while a dot waits.
fn jump_during_a_run(before: &str, after: &str, said: &str) {
    let (mut press, sink) = press();
    press.real_clock();
    press.write("clock", before);
    sink.hold_dots();
    let mut command = press.command(&["run"]);
    command
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", press.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut run = Running::start(command, b"", Duration::from_secs(60));
    sink.wait_for_held(1);
    press.write("clock", after);
    run.wait_for_stderr(said);
    sink.release();
    run.wait().succeeds();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS, "nothing expired");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_clock_that_jumps_during_a_run_is_told_and_expires_nobody() {
    let friday = "@2026-11-27 06:00:00";
    jump_during_a_run(
        friday,
        "@2027-11-27 06:00:10",
        "warning: the machine's clock went forward by 365 days during this run",
    );
    jump_during_a_run(
        friday,
        "@2026-11-26 06:00:00",
        "warning: the machine's clock went back by 1 day during this run",
    );
}

#[test]
fn a_clock_a_year_ahead_pauses_the_issue_instead_of_expiring_it() {
    let (mut press, sink) = press();
    press.set("mail.relay", "smtp://127.0.0.1:1?tls=none");
    press.set("mail.relay_patience", "1s");
    press.run(&["run"]).exits(75);
    press.at("2027-11-27T08:00:00+02:00");
    press
        .run(&["run"])
        .exits(4)
        .says("1 issue paused: most of it would have expired without one attempt");
    assert_eq!(press.ledger().sums_hold().count("queued"), READERS);
    press.relay(&sink.url());
    press.at("2026-11-27T08:30:00+02:00");
    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    press.run(&["run"]).succeeds().says(
        "warning: the clock shows 2026-11-27 08:30, but the last run ended at 2027-11-27 08:0",
    );
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_clock_that_was_set_back_makes_nobody_wait_for_the_old_time() {
    let (mut press, sink) = press();
    let later = Answer::reply("450 4.7.1 later");
    sink.rule(Phase::Rcpt, Rule::always(later));
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().count("queued"), READERS);
    sink.change(|behaviour| *behaviour = Behaviour::default());
    press.at("2026-11-26T08:00:00+02:00");
    press.run(&["run"]).succeeds().says(
        "warning: the clock shows 2026-11-26 08:00, but the last run ended at 2026-11-27 08:0",
    );
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

fn occasions(press: &Press) -> Vec<String> {
    let hands = other_hands(press);
    let mut select = hands
        .prepare("SELECT occasion FROM issues ORDER BY id")
        .unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn fresh_article(press: &Press, name: &str, at: DateTime<FixedOffset>) {
    let date = (at - TimeDelta::minutes(1)).to_rfc3339();
    press.article(
        &format!("food/{name}.md"),
        &format!("+++\ntitle = \"About {name}\"\ndate = {date}\n+++\n\nIt is good.\n"),
    );
}

/// Cron every fifteen minutes through a night, each time with a new article.
fn night(zone: &str, schedule: &str, from: &str, quarters: i32, expected: &[&str]) {
    let mut press = Press::new();
    press.subscribers(1).set("content.pages", false);
    press.set("publication.timezone", zone);
    press.set_digest("schedule", schedule);
    let from = DateTime::parse_from_rfc3339(from).unwrap();
    for quarter in 0..quarters {
        let at = from + TimeDelta::minutes(15) * quarter;
        fresh_article(&press, &format!("night-{quarter}"), at);
        press.at(&at.to_rfc3339()).run(&["run"]).succeeds();
    }
    assert_eq!(occasions(&press), expected, "{zone} {schedule} {from}");
    assert_eq!(press.files("outbox").len(), expected.len());
    assert_eq!(press.ledger().sums_hold().count("sent"), expected.len());
}

#[test]
fn a_skipped_hour_has_its_issue_once_right_after_the_gap() {
    let slots = ["2026-03-28T02:30", "2026-03-29T02:30"];
    night(
        "Europe/Berlin",
        "30 2 * * *",
        "2026-03-29T01:15:00+01:00",
        9,
        &slots,
    );
    let slots = ["2026-10-03T02:15", "2026-10-04T02:15"];
    night(
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-04T01:30:00+10:30",
        7,
        &slots,
    );
}

#[test]
fn an_hour_that_comes_twice_has_its_issue_once() {
    let slots = ["2026-10-24T02:30", "2026-10-25T02:30"];
    night(
        "Europe/Berlin",
        "30 2 * * *",
        "2026-10-25T02:00:00+02:00",
        10,
        &slots,
    );
    let slots = ["2026-04-04T01:45", "2026-04-05T01:45"];
    night(
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-05T01:15:00+11:00",
        7,
        &slots,
    );
}

#[test]
fn a_machine_that_was_off_for_three_slots_sends_one_issue_that_says_so() {
    let (mut press, sink) = press();
    press.set_digest("schedule", "0 7 * * *");
    press.set_digest("max_late", "80h");
    press.run(&["run"]).succeeds();
    let later = DateTime::parse_from_rfc3339("2026-11-30T08:00:00+02:00").unwrap();
    fresh_article(&press, "quince", later);
    press.at(&later.to_rfc3339());
    press
        .run(&["run"])
        .succeeds()
        .says("weekly: one issue for 2026-11-30T07:00 makes up for 2 missed slots before it");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(occasions(&press), ["2026-11-27T07:00", "2026-11-30T07:00"]);
    assert_eq!(sink.count(Fate::Accepted), 2 * READERS);
    assert_reconciled(
        &press.ledger().sums_hold().rows(),
        &sink.receipts(),
        Policy::Once,
    );
}

#[test]
fn an_unknown_time_zone_is_a_fault_of_the_configuration() {
    let (press, sink) = press();
    press.set("publication.timezone", "Europe/Atlantis");
    press
        .run(&["run"])
        .exits(78)
        .says("unknown time zone")
        .says("Europe/Atlantis");
    assert_eq!(sink.connections(), 0);
}

#[test]
fn another_time_zone_makes_no_second_issue_of_a_slot() {
    for zone in ["Asia/Kolkata", "Atlantic/Azores"] {
        let (mut press, sink) = press();
        press.run(&["run"]).succeeds().is_silent();
        assert_eq!(sink.count(Fate::Accepted), READERS);
        press.set("publication.timezone", zone);
        // Enough for one more issue, if the slot were another one.
        let news = "+++\ntitle = \"News\"\ndate = 2026-11-26\n+++\n\nNews.\n";
        press.article("garden/news.md", news);
        for at in ["2026-11-27T09:00:00+02:00", "2026-11-27T13:00:00+02:00"] {
            press.at(at);
            press.run(&["run"]).succeeds().is_silent();
        }
        assert_eq!(press.ledger().issues(), 1, "{zone}");
        assert_eq!(sink.count(Fate::Accepted), READERS, "{zone}");
        press.at("2026-12-04T13:00:00+02:00");
        press.run(&["run"]).succeeds().is_silent();
        assert_eq!(press.ledger().issues(), 2, "{zone}: the next slot");
        assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
    }
}
