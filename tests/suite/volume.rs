//! A list of some size, sent to Debian's own test server.

use std::collections::HashSet;

use crate::oracle::{Policy, assert_reconciled};
use crate::press::Press;
use crate::sink::SmtpSink;

const READERS: usize = 2_000;

#[test]
fn two_thousand_readers_have_the_issue_exactly_once_each() {
    let sink = SmtpSink::start(&[]);
    let press = Press::new();
    press.subscribers(READERS).relay(&sink.url());
    let run = press.run(&["--format", "json", "run"]);
    run.succeeds();
    let told = run.json();
    assert_eq!(told["sent"].as_u64(), Some(READERS as u64));

    let messages = sink.messages();
    let readers: HashSet<&str> = messages
        .iter()
        .flat_map(|message| message.recipients.iter().map(String::as_str))
        .collect();
    assert_eq!((messages.len(), readers.len()), (READERS, READERS));
    let senders: HashSet<&str> = messages.iter().map(|one| one.sender.as_str()).collect();
    assert_eq!(
        senders.len(),
        READERS,
        "each has a return address of its own"
    );

    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_eq!(ledger.issue_state(), "done");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}
