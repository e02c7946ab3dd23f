//! What many reports say together: of a reader whom nothing reaches any more, of
//! an issue that should go no further, of a delivery that nobody was sure of.

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;

use super::*;

/// Sends the next weekly issue, `weeks` after the first.
fn send_issue(press: &mut Press, weeks: i64) {
    let friday: chrono::DateTime<chrono::FixedOffset> = crate::press::FRIDAY.parse().unwrap();
    let at = friday + chrono::TimeDelta::weeks(weeks);
    let date = (at - chrono::TimeDelta::days(1)).format("%Y-%m-%d");
    press
        .article(
            &format!("garden/week{weeks}.md"),
            &format!("+++\ntitle = \"Week {weeks}\"\ndate = {date}\n+++\n\nDig.\n"),
        )
        .set_digest("max_late", "24h");
    press.at(&at.to_rfc3339());
    press.run(&["run"]).succeeds();
}

#[test]
fn with_a_limit_of_two_the_second_issue_that_bounces_suppresses() {
    let mut press = sent_to(2);
    press.set("bounces.hard_limit", 2);
    let (gone, lucky) = (reader_address(1), reader_address(2));
    let bounce = |press: &Press, name: &str, address: &str| {
        let to = sender_of(&press.ledger(), address);
        put(press, name, &report(&to, "failed", "5.1.1", address));
    };
    bounce(&press, "1", &gone);
    bounce(&press, "2", &lucky);
    assert_eq!(read(&press)["suppressed"], 0);
    // Two reports about one issue are one failure.
    let again = report(&sender_of(&press.ledger(), &gone), "failed", "5.1.2", &gone);
    put(&press, "3", &again);
    assert_eq!(read(&press)["suppressed"], 0);
    assert_eq!(status(&press, &gone), "active");
    send_issue(&mut press, 1);
    bounce(&press, "4", &gone);
    assert_eq!(read(&press)["suppressed"], 1);
    assert_eq!(why(&press, &gone)["suppression"]["reason"], "hard bounce");
    assert_eq!(status(&press, &gone), "bounced");
    // One issue arrived meanwhile: the first bounce was a mistake.
    send_issue(&mut press, 2);
    bounce(&press, "5", &lucky);
    assert_eq!(read(&press)["suppressed"], 0);
    assert_eq!(status(&press, &lucky), "active");
}

#[test]
fn a_mailbox_that_is_full_for_a_month_of_issues_is_left_alone() {
    let mut press = sent_to(2);
    let (full, lucky) = (reader_address(1), reader_address(2));
    let soft = |press: &Press, address: &str, week: i64| {
        let to = sender_of(&press.ledger(), address);
        put(
            press,
            &format!("{week}-{address}"),
            &report(&to, "failed", "5.2.2", address),
        );
        read(press)
    };
    for week in 0..5 {
        if week > 0 {
            send_issue(&mut press, week * 2);
        }
        if week != 2 {
            soft(&press, &lucky, week);
        }
        let summary = soft(&press, &full, week);
        assert_eq!(
            summary["suppressed"],
            u64::from(week == 4),
            "{week}: {summary}"
        );
    }
    let told = why(&press, &full);
    assert_eq!(
        told["suppression"]["reason"],
        "unreachable for several issues"
    );
    assert_eq!(told["status"], "bounced");
    assert_eq!(
        status(&press, &lucky),
        "active",
        "one of the issues arrived"
    );
}

/// Sends most of an issue, and leaves the rest of it queued.
fn half_sent(readers: usize, sent: usize) -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press
        .subscribers(readers)
        .relay(&sink.url())
        .set("content.pages", false)
        .set("mail.connections", 1);
    press.set("bounces.source", "maildir:bounces");
    for folder in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(press.path("bounces").join(folder)).unwrap();
    }
    let mut run = press.spawn(&["run"]);
    let enough = || press.ledger().is_made() && press.ledger().count("sent") >= sent;
    assert!(crate::net::holds_within(
        std::time::Duration::from_secs(60),
        enough
    ));
    run.signal(rustix::process::Signal::TERM);
    drop(run.wait());
    assert!(
        press.ledger().count("queued") > 0,
        "{:?}",
        press.ledger().states()
    );
    (press, sink)
}

fn senders_of_sent(press: &Press) -> Vec<String> {
    let ledger = press.ledger();
    let signer = ledger.signer();
    let rows = ledger.rows();
    let sent = rows.iter().filter(|row| row.state == "sent");
    sent.map(|row| {
        format!(
            "{}@bounces.example.org",
            signer.bounce_local(row.delivery_id)
        )
    })
    .collect()
}

#[test]
fn too_many_complaints_hold_what_is_left_of_an_issue() {
    let (press, _sink) = half_sent(2_000, 400);
    let senders = senders_of_sent(&press);
    // 0.1 % is said, 0.3 % is too much.
    put(&press, "0", &complaint(&senders[0]));
    press
        .run(&["bounces", "read"])
        .succeeds()
        .says("issue weekly/1: 1 of ")
        .says("readers call it unwanted");
    let more = senders.len().div_ceil(333) + 1;
    for (number, to) in senders.iter().enumerate().skip(1).take(more) {
        put(&press, &format!("{number}"), &complaint(to));
    }
    press
        .run(&["run"])
        .exits(4)
        .says("issue weekly/1 is paused: ")
        .says("the limit is 0.3 %");
    let ledger = press.ledger();
    assert_eq!(ledger.issue_state(), "paused");
    assert!(ledger.count("queued") > 0);
    press
        .run(&["status"])
        .succeeds()
        .prints("readers call it unwanted");
}

#[test]
fn too_many_bounces_hold_what_is_left_of_an_issue() {
    let (press, _sink) = half_sent(2_000, 300);
    let senders = senders_of_sent(&press);
    let most = senders.len() / 20;
    for (number, to) in senders.iter().take(most).enumerate() {
        put(
            &press,
            &format!("{number}"),
            &report(to, "failed", "5.1.1", "a@example.org"),
        );
    }
    press.run(&["bounces", "read"]).succeeds();
    assert_eq!(
        press.ledger().issue_state(),
        "sending",
        "5 % is not more than 5 %"
    );
    put(
        &press,
        "more",
        &report(&senders[most], "failed", "5.1.1", "a@example.org"),
    );
    press
        .run(&["bounces", "read"])
        .exits(4)
        .says("addresses do not exist")
        .says("the limit is 5 %");
    assert_eq!(press.ledger().issue_state(), "paused");
}

#[test]
fn a_report_proves_that_an_uncertain_message_was_sent() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    // The sink goes away without an answer when such a message ends.
    let address = "q@example.org".to_owned();
    press
        .subscribe([address.as_str()])
        .relay(&sink.url())
        .set("content.pages", false)
        .set("mail.relay_patience", "1s");
    press.run(&["run"]).exits(3);
    assert_eq!(press.ledger().state_of(&address), "uncertain");
    let to = sender_of(&press.ledger(), &address);
    piped(&press, &report(&to, "delayed", "4.4.1", &address))
        .succeeds()
        .says("1 uncertain delivery proven to be sent");
    assert_eq!(press.ledger().state_of(&address), "sent");
    assert_eq!(press.ledger().issue_state(), "done");
    press.ledger().sums_hold();
    press.run(&["store", "verify"]).succeeds();
}
