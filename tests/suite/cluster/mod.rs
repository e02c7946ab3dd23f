//! More than one machine: the ledger in PostgreSQL, and many workers on it.

mod away;
mod commits;
mod fencing;
mod machines;
pub(crate) mod moving;
mod parts;
mod settings;
mod working;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::ledger::Ledger;
use crate::oracle::{Policy, assert_reconciled};
use crate::postgres::Database;
use crate::press::Press;

/// Sessions with the relay where a test needs several.
const SESSIONS: usize = 6;

/// A press whose ledger is in this database, and a relay for it.
fn press_on(database: Database, readers: usize) -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = Press::new();
    press
        .ledger_on(database)
        .relay(&sink.url())
        .set("mail.connections", SESSIONS as i64);
    if readers > 0 {
        press.subscribers(readers);
    }
    (press, sink)
}

/// Asserts that everybody has the issue exactly once and the ledger adds up.
#[track_caller]
fn everybody_has_it_once(press: &Press, sink: &ChaosSink, readers: usize) {
    reconciled(press, &press.ledger(), sink);
    assert_eq!(press.ledger().count("sent"), readers);
}

/// Asserts that ledger and relay agree, and that the program finds no fault.
#[track_caller]
fn reconciled(press: &Press, ledger: &Ledger, sink: &ChaosSink) {
    sink.settle();
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    assert_eq!(ledger.issues(), 1);
    press.run(&["store", "verify"]).succeeds();
}
