//! More than one machine: the ledger in PostgreSQL, and many workers on it.

mod away;
mod commits;
mod copies;
mod fencing;
mod machines;
pub(crate) mod moving;
mod pacing;
mod parts;
mod reaching;
mod settings;
mod working;

use std::time::Duration;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::ledger::Ledger;
use crate::net::{free_port, holds_within};
use crate::oracle::{Policy, assert_reconciled};
use crate::postgres::Database;
use crate::press::Press;
use crate::process::Running;

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

/// Freezes the issue while no relay is there: nothing is sent yet.
#[track_caller]
fn freeze(press: &Press, sink: &ChaosSink) {
    press
        .relay(&format!("smtp://127.0.0.1:{}?tls=none", free_port()))
        .set("mail.relay_patience", "1s");
    press.run(&["run"]).exits(75);
    press.relay(&sink.url()).set("mail.relay_patience", "10m");
}

/// Starts a command and waits until as many messages as there are sessions are
/// under way, which the relay does not answer.
#[track_caller]
fn held_at_full_speed(press: &Press, sink: &ChaosSink, command: &[&str]) -> Running {
    let mut running = press.spawn(command);
    // Sessions are opened one by one, as the relay proves to keep up.
    let is_fast = || sink.most_connections() == SESSIONS || !running.is_running();
    assert!(holds_within(Duration::from_secs(60), is_fast));
    sink.hold_dots();
    sink.wait_for_held(SESSIONS);
    running
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
