//! The safety stops: a list that is wrong, and readers whom no issue reaches.

use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::{Press, reader_address};

/// Answers after which the stop looks at an issue.
const ENOUGH: usize = 200;
/// Every twelfth address of a bad list does not exist: 8 %.
const BAD: usize = 12;

/// A press and a sink that does what the addresses say.
fn press_for(readers: &[String]) -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press
        .subscribe(readers.iter().map(String::as_str))
        .relay(&sink.url())
        .set("content.pages", false);
    (press, sink)
}

#[track_caller]
fn reconciles(press: &Press, sink: &ChaosSink) {
    press.ledger().sums_hold();
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn too_many_addresses_that_do_not_exist_pause_an_issue_until_a_person_resumes_it() {
    let readers: Vec<String> = (1..=ENOUGH + 100)
        .map(|number| match number % BAD {
            0 => format!("x550-511.n{number}@example.org"),
            _ => reader_address(number),
        })
        .collect();
    let (mut press, sink) = press_for(&readers);
    // With one session it is known which answer is the 200th.
    press.set("mail.connections", 1);
    let run = press.run(&["run"]);
    run.exits(4);
    let words = "issue weekly/1 is paused: 16 of the first 200 addresses do not exist \
                 (8 %, more than 5 %)\n\
                 hint: mend it, then `letterpress issues resume weekly/1`\n";
    assert_eq!(run.stderr, words, "{run}");
    let ledger = press.ledger();
    assert_eq!(ledger.issue_state(), "paused");
    let (sent, rejected) = (ledger.sums_hold().count("sent"), ledger.count("rejected"));
    assert_eq!((sent + rejected, rejected), (ENOUGH, ENOUGH / BAD));
    assert_eq!(ledger.count("queued"), readers.len() - ENOUGH);
    assert_eq!(ledger.suppressions() as usize, rejected);
    press
        .run(&["issues", "show", "weekly/1"])
        .prints("addresses do not exist");

    // Paused stays paused, and nobody is asked anything.
    let heard = sink.heard("RCPT");
    press.at("2026-11-27T08:01:00+02:00");
    press.run(&["run"]);
    assert_eq!(sink.heard("RCPT"), heard);
    reconciles(&press, &sink);

    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(ledger.issue_state(), "done");
    let bad = readers.len() / BAD;
    assert_eq!(ledger.sums_hold().count("rejected"), bad);
    assert_eq!(ledger.count("sent"), readers.len() - bad);
    assert_eq!(ledger.suppressions() as usize, bad);
    reconciles(&press, &sink);
}

/// Runs the issue of the Friday so many weeks after the first, which has one
/// new article.
#[track_caller]
fn week(press: &mut Press, weeks: i64) {
    let friday = chrono::NaiveDate::from_ymd_opt(2026, 11, 27).unwrap();
    let friday = friday + chrono::TimeDelta::weeks(weeks);
    let eve = friday.pred_opt().unwrap();
    press.article(
        &format!("garden/week-{weeks}.md"),
        &format!("+++\ntitle = \"Week {weeks}\"\ndate = {eve}\n+++\n\nDig, and water.\n"),
    );
    press.at(&format!("{friday}T08:00:00+02:00"));
    press.run(&["run"]).succeeds();
    assert_eq!(i64::from(press.ledger().issues()), weeks + 1);
}

#[test]
fn three_issues_in_a_row_refused_without_a_reason_suppress_an_address() {
    // The second one is let in at the third issue, which breaks its row.
    let [gone, back, fine] = ["x550@example.org", "x550-2@example.com", "anna@example.net"];
    let (mut press, sink) = press_for(&[gone, back, fine].map(str::to_owned));
    for (weeks, gone_is_suppressed) in [(0, false), (1, false), (2, true)] {
        week(&mut press, weeks);
        let ledger = press.ledger();
        assert_eq!(ledger.state_of(gone), "rejected");
        assert_eq!(ledger.is_suppressed(gone), gone_is_suppressed, "{weeks}");
        let state = if weeks < 2 { "rejected" } else { "sent" };
        assert_eq!(ledger.state_of(back), state);
        assert!(!ledger.is_suppressed(back));
        assert_eq!(ledger.state_of(fine), "sent");
    }
    press.run(&["why", gone]).succeeds().prints("550 ");
    // The fourth issue is not for it any more; the sums say that it was left out.
    week(&mut press, 3);
    let issues_of = |address: &str| {
        let rows = press.ledger().rows();
        rows.iter().filter(|row| row.recipient == address).count()
    };
    assert_eq!([gone, back, fine].map(issues_of), [3, 4, 4]);
    reconciles(&press, &sink);
}

#[test]
fn with_a_limit_of_two_an_unknown_address_gets_a_second_chance() {
    // The second one is let in at the next issue: its server was mistaken.
    let [gone, back] = ["x550-511@example.org", "x550-511-1@example.com"];
    let (mut press, sink) = press_for(&[gone, back].map(str::to_owned));
    press.set("bounces.hard_limit", 9);
    let wrong = press.run(&["check"]);
    wrong.exits(78).says("bounces.hard_limit is 9; use 1 to 5");
    press.set("bounces.hard_limit", 2);
    week(&mut press, 0);
    assert_eq!(press.ledger().count("rejected"), 2);
    assert_eq!(press.ledger().suppressions(), 0);
    week(&mut press, 1);
    let ledger = press.ledger();
    assert!(ledger.is_suppressed(gone) && !ledger.is_suppressed(back));
    assert_eq!(ledger.state_of(back), "sent");
    let told = press.run(&["--format", "json", "why", gone]);
    assert_eq!(told.json()["suppression"]["reason"], "hard bounce");
    reconciles(&press, &sink);
}

#[test]
fn a_mailbox_that_stays_full_for_a_month_suppresses_an_address() {
    // The second one has room at the fifth issue, which breaks its row.
    let [full, emptied, fine] = [
        "x452-422@example.org",
        "x552-522-4@example.com",
        "anna@example.net",
    ];
    let (mut press, sink) = press_for(&[full, emptied, fine].map(str::to_owned));
    // Five issues in a row are four weeks: not yet a month.
    for weeks in 0..5 {
        week(&mut press, weeks);
        assert!(!press.ledger().is_suppressed(full), "after {weeks} weeks");
    }
    assert_eq!(press.ledger().state_of(emptied), "sent");
    week(&mut press, 5);
    let ledger = press.ledger();
    assert!(ledger.is_suppressed(full), "after five weeks");
    assert_eq!(ledger.suppressions(), 1);
    // Nothing waits for it any more, and the next issue leaves it out.
    assert_ne!(ledger.state_of(full), "queued");
    week(&mut press, 6);
    let rows = ledger.rows();
    let issues_of = |address: &str| rows.iter().filter(|row| row.recipient == address).count();
    assert_eq!([full, emptied, fine].map(issues_of), [6, 7, 7]);
    reconciles(&press, &sink);
}
