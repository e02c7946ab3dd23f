//! What relays do wrong: for one reader, for everybody, to a session, or
//! before it begins; each with the words, the exit code and the ledger.

mod everybody;
mod identity;
mod international;
mod network;
mod pipelining;
mod readers;
mod sender;
mod sessions;
mod standstill;

use crate::chaos::ChaosSink;
use crate::oracle::{Policy, assert_reconciled};
use crate::press::Press;
use crate::process::Finished;

/// A moment after the end of the first run: what was put back is due.
const SOON: &str = "2026-11-27T08:01:00+02:00";
/// After every first retry (5 minutes, give or take 15 %).
const LATER: &str = "2026-11-27T08:20:00+02:00";

/// A press with these readers that sends to this sink and gives up soon.
#[track_caller]
fn press_with<'a>(sink: &ChaosSink, readers: impl IntoIterator<Item = &'a str>) -> Press {
    let press = Press::new();
    press
        .subscribe(readers)
        .relay(&sink.url())
        .set("mail.relay_patience", "1s");
    press
}

/// Sends through these sinks with these weights, instead of through one relay.
pub(crate) fn several(press: &Press, sinks: &[(&ChaosSink, i64)]) {
    press.config(|settings| {
        let mail = settings["mail"].as_table_mut().unwrap();
        mail.remove("relay");
        let relays = sinks.iter().map(|(sink, weight)| {
            let mut relay = toml::Table::new();
            relay.insert("url".to_owned(), sink.url().into());
            relay.insert("weight".to_owned(), (*weight).into());
            toml::Value::Table(relay)
        });
        mail.insert("relays".to_owned(), relays.collect::<Vec<_>>().into());
    });
}

/// Asserts exit code and every word on standard error, in which this test's
/// port stands as `PORT`; standard output must be empty.
#[track_caller]
fn ends(run: &Finished, port: u16, exit: i32, words: &str) {
    run.exits(exit);
    let said = run.stderr.replace(&port.to_string(), "PORT");
    assert_eq!(said, words, "{run}");
    assert_eq!(run.stdout, "", "{run}");
}

/// Asserts that ledger and sink agree and that nobody has two copies.
#[track_caller]
fn reconciles(press: &Press, sink: &ChaosSink) {
    let ledger = press.ledger();
    ledger.sums_hold();
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}
