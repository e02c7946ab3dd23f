//! Policies for uncertain deliveries: whose counts, and when.

use super::one_uncertain;
use crate::harness::chaos::ChaosSink;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::reader_address;
use crate::harness::receipt::Fate;

fn accepted(sink: &ChaosSink, number: usize) {
    sink.wait_for(Fate::Accepted, number);
    assert_eq!(sink.count(Fate::Accepted), number);
}

#[test]
fn a_digest_may_have_a_policy_of_its_own() {
    let (press, sink) = one_uncertain(|press| {
        press.set_digest("on_uncertain", "assume-sent");
    });
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().sums_hold().count("sent"), super::READERS);
    accepted(&sink, super::READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_run_may_be_told_another_policy() {
    let (mut press, sink) = one_uncertain(|press| {
        press.set("mail.on_uncertain", "assume-sent");
    });
    press.run(&["run", "--on-uncertain", "hold"]).exits(3);
    press.at("2026-11-27T08:20:00+02:00");
    press.run(&["run", "--on-uncertain", "resend"]).succeeds();
    accepted(&sink, super::READERS + 1);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), super::READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Resend);
    press
        .run(&["run", "--on-uncertain", "guess"])
        .exits(2)
        .says("`guess` is no policy");
}

#[test]
fn auto_holds_what_the_relay_would_not_know_again() {
    let (mut press, sink) = one_uncertain(|press| {
        press.set("mail.on_uncertain", "auto");
    });
    press.at("2026-11-27T08:20:00+02:00");
    // Configured only after the issue was frozen: its messages lack the header.
    press.set("mail.idempotency_header", "Resend-Idempotency-Key");
    press.run(&["run"]).exits(3);
    press.run(&["run"]).exits(3);
    accepted(&sink, super::READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn auto_sends_again_under_the_key_that_the_relay_knows() {
    let (mut press, sink) = one_uncertain(|press| {
        press.set("mail.on_uncertain", "auto");
        press.set("mail.idempotency_header", "Resend-Idempotency-Key");
    });
    press.run(&["run"]).exits(3);
    press.at("2026-11-27T08:20:00+02:00");
    press.run(&["run"]).succeeds();
    accepted(&sink, super::READERS + 1);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Resend);
    for entry in sink.journal() {
        let message = String::from_utf8(entry.data()).unwrap();
        let key = format!("Resend-Idempotency-Key: <{}>\r\n", entry.receipt.message_id);
        assert!(message.contains(&key), "{message}");
    }
}

#[test]
fn sending_by_hand_tells_of_what_is_held_also_when_there_is_nothing_to_send() {
    let (press, sink) = one_uncertain(|_| {});
    for _ in 0..2 {
        press
            .run(&["send", "weekly"])
            .exits(3)
            .says("nothing to send")
            .says("1 uncertain delivery held");
    }
    press.run(&["uncertain", "mark-sent", "--all"]).succeeds();
    press.run(&["send", "weekly"]).succeeds();
    press.run(&["run"]).succeeds();
    accepted(&sink, super::READERS);
}

#[test]
fn an_uncertain_delivery_is_explained_in_one_line() {
    let (press, _sink) = one_uncertain(|_| {});
    press.run(&["run"]).exits(3);
    let list = press.run(&["uncertain", "list"]);
    list.succeeds();
    let line = list.stdout.lines().nth(1).unwrap_or_default();
    for part in [
        "1 ",
        "weekly/1",
        "r…@e….com",
        "2026-11-27 08:00",
        "intent",
        "this machine's run died before the answer was on record",
        "check-log LOG, mark-sent 1 or resend 1",
    ] {
        assert!(line.contains(part), "{part} is not in\n{list}");
    }
    let address = reader_address(1);
    assert!(!list.stdout.contains(&address), "it is masked\n{list}");
    press
        .run(&["why", &address])
        .succeeds()
        .prints("nobody knows whether it arrived: `letterpress uncertain mark-sent 1`");
}
