//! What the ledger guards against: storage that fails, copies that are old,
//! clocks that jump, runs that die again and again, floods, and readers who
//! leave while nobody can write.

mod copies;
mod departures;
mod doubts;
mod overload;
mod stops;
mod storage;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::press::Press;

const READERS: usize = 30;

/// A press with readers and a sink that serves them.
fn press() -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&sink.url());
    press.set("content.pages", false);
    (press, sink)
}

/// A run that was killed with one message at its end.
fn one_uncertain(change: impl FnOnce(&Press)) -> (Press, ChaosSink) {
    let (press, sink) = press();
    change(&press);
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    run.kill();
    sink.release();
    (press, sink)
}

/// The ledger, opened by other hands.
fn other_hands(press: &Press) -> Connection {
    let connection = Connection::open(press.database()).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

/// Removes the database and its log, not what lies beside them.
fn remove_database(press: &Press) {
    for name in ["letterpress.db", "letterpress.db-wal", "letterpress.db-shm"] {
        drop(std::fs::remove_file(press.path(name)));
    }
}

/// The library that fakes the machine's clock (Debian's `faketime`).
pub(crate) fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap();
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketime.so.1")))
        .find(|library| library.exists())
        .expect("`faketime` is not installed; `tests/run` installs it")
}
