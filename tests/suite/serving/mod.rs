//! The web part over real sockets: readers leave, and everybody reads what was
//! published.

pub(crate) mod client;
mod hooks;
mod joining;
mod journey;
mod leaving;
mod limits;
mod posting;
mod postmark;
mod preferences;
mod published;
mod reloading;

use client::Served;

use crate::net::holds_within;
use crate::press::Press;

/// A publication whose first issue went out to so many readers.
fn sent(readers: usize) -> Press {
    let press = Press::new();
    press.subscribers(readers);
    press.run(&["run"]).succeeds();
    press
}

/// Everything the ledger holds of readers and deliveries, as SQLite prints it.
fn everything(press: &Press) -> String {
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    let mut all = String::new();
    for table in [
        "subscribers",
        "suppressions",
        "events",
        "deliveries",
        "choices",
    ] {
        let mut select = ledger.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => {
                        all.push_str(&String::from_utf8_lossy(text));
                    }
                    other => all.push_str(&format!("{other:?}")),
                }
                all.push(' ');
            }
            all.push('\n');
        }
    }
    all
}

/// Waits until so many single mails are sent.
#[track_caller]
fn posted(press: &Press, mails: i64) {
    let sql = "SELECT count(*) FROM deliveries d JOIN issues i ON i.id = d.issue_id
                WHERE i.notice IS NOT NULL AND d.state = 3";
    let sent = || -> i64 {
        let ledger = rusqlite::Connection::open(press.database()).unwrap();
        ledger.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert!(
        holds_within(client::PATIENCE, || sent() >= mails),
        "{} of {mails} sent",
        sent()
    );
}
