//! The truth check: a real Postfix takes an issue and stores it in Maildirs.

use std::collections::BTreeMap;

use crate::mailbox::Mail;
use crate::oracle::{Policy, assert_reconciled};
use crate::postfix::{Options, Postfix};
use crate::press::{Press, reader_address};

const READERS: usize = 60;

/// What may differ between what `render` shows and what one reader gets.
fn without_links(text: &str) -> String {
    let lines: Vec<String> = text
        .replace("\r\n", "\n")
        .lines()
        .map(|line| {
            line.split_inclusive(['"', ' ', '>'])
                .map(|word| match word.find("https://letters.example.org/") {
                    Some(at) => &word[..at],
                    None => word,
                })
                .collect()
        })
        .collect();
    lines.join("\n").trim_end().to_owned()
}

/// How many sessions with at least one MAIL have ended, by Postfix's log.
fn sessions(log: &str) -> usize {
    log.lines()
        .filter(|line| line.contains(": disconnect from ") && line.contains(" mail="))
        .count()
}

#[test]
fn every_reader_of_a_real_postfix_has_the_rendered_issue_exactly_once() {
    let postfix = Postfix::start(&Options::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&postfix.url());
    press
        .run(&["render", "weekly", "--out", "rendered"])
        .succeeds();
    press.run(&["run"]).succeeds().is_silent();

    let delivered = postfix.all_delivered();
    let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &delivered {
        *copies.entry(&one.recipient).or_default() += 1;
    }
    let readers: Vec<String> = (1..=READERS).map(reader_address).collect();
    let once: BTreeMap<&str, usize> = readers.iter().map(|one| (one.as_str(), 1)).collect();
    assert_eq!(copies, once);

    let shown = Mail::parse(&press.read_bytes("rendered/issue.eml"));
    let to = shown.header("To").unwrap();
    let sample = to.rsplit('<').next().unwrap().trim_end_matches('>');
    for one in &delivered {
        let mail = Mail::parse(&one.data);
        assert_eq!(mail.subject, shown.subject);
        let parts = [(&mail.text, &shown.text), (&mail.html, &shown.html)];
        for (stored, rendered) in parts {
            assert_eq!(
                without_links(stored.as_ref().unwrap()),
                without_links(&rendered.as_ref().unwrap().replace(sample, &one.recipient)),
                "{}",
                one.recipient
            );
        }
        assert!(one.sender.starts_with("bounce+v1."), "{}", one.sender);
        assert!(one.sender.ends_with("@bounces.example.org"));
    }
    press.ledger().sums_hold();
    assert_reconciled(&press.ledger().rows(), &postfix.receipts(), Policy::Once);
}

#[test]
fn sessions_with_postfix_are_used_for_many_messages() {
    let postfix = Postfix::start(&Options::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&postfix.url());
    press.run(&["run"]).succeeds();
    assert_eq!(postfix.all_delivered().len(), READERS);

    let log = postfix.log();
    assert_eq!(log.matches(": client=").count(), READERS, "{log}");
    let connections = sessions(&log);
    // One session at first, one more for every twenty messages accepted.
    assert!(
        (1..=1 + READERS / 20).contains(&connections),
        "{connections} connections for {READERS} messages\n{log}"
    );
    // The harness itself connects once and goes, to see whether Postfix answers.
    assert_eq!(log.matches("lost connection").count(), 1, "{log}");
}

#[test]
fn readers_postfix_refuses_do_not_cost_the_others_their_session() {
    let gone = (1..=READERS)
        .filter(|number| number % 6 == 0)
        .map(reader_address);
    let access: Vec<(String, String)> = gone
        .map(|address| (address, "550 5.1.1 no such person".to_owned()))
        .collect();
    let refused = access.len();
    let postfix = Postfix::start(&Options {
        access,
        ..Options::default()
    });
    let press = Press::new();
    press.subscribers(READERS).relay(&postfix.url());
    press.run(&["run"]).succeeds();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("rejected"), refused);
    assert_eq!(ledger.suppressions() as usize, refused);
    assert_reconciled(&ledger.rows(), &postfix.receipts(), Policy::Once);
    let log = postfix.log();
    assert!(sessions(&log) <= 1 + READERS / 20, "{log}");
}

#[test]
fn an_issue_too_big_for_postfix_is_paused_before_anybody_has_it() {
    let postfix = Postfix::start(&Options {
        message_size_limit: Some(5_000),
        ..Options::default()
    });
    let press = Press::new();
    press.subscribers(READERS).relay(&postfix.url());
    press
        .run(&["run"])
        .exits(4)
        .says("issue weekly/1 is paused: issue is 0.0")
        .says(" MB, relay takes 0.005 MB\n");
    assert!(
        !postfix.log().contains(": message-id="),
        "not a byte was sent"
    );
    assert_eq!(postfix.all_delivered().len(), 0);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("queued"), READERS);
    assert_eq!(ledger.issue_state(), "paused");
}
