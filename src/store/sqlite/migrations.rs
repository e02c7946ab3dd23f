//! The schema's versions. Each is one script that loses nothing of readers and
//! their mail; a version is reached in one transaction, so a crash leaves the old
//! one or the new one.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::store::{
    error::{Fault, StoreError},
    opening::Access,
};

/// Every script, oldest first; its place is its version, counted from 1.
const SCRIPTS: [&str; 19] = [
    include_str!("../migrations/0001_ledger.sql"),
    include_str!("../migrations/0002_history.sql"),
    include_str!("../migrations/0003_publishing.sql"),
    include_str!("../migrations/0004_guards.sql"),
    include_str!("../migrations/0005_relays.sql"),
    include_str!("../migrations/0006_crash_loop.sql"),
    include_str!("../migrations/0007_editions.sql"),
    include_str!("../migrations/0008_chosen.sql"),
    include_str!("../migrations/0009_serve.sql"),
    include_str!("../migrations/0010_inbound.sql"),
    include_str!("../migrations/0011_consent.sql"),
    include_str!("../migrations/0012_notices.sql"),
    include_str!("../migrations/0013_under_way.sql"),
    include_str!("../migrations/0014_standing.sql"),
    include_str!("../migrations/0015_moving.sql"),
    include_str!("../migrations/0016_pruning.sql"),
    include_str!("../migrations/0017_paces.sql"),
    include_str!("../migrations/0018_home.sql"),
    include_str!("../migrations/0019_slate.sql"),
];

/// Version this program works with.
pub(in crate::store) const KNOWN: i64 = SCRIPTS.len() as i64;

/// Marks a database file as ours (`LPRS`), so that a foreign one is not built upon.
const APPLICATION_ID: i32 = 0x4C50_5253;

/// Refuses a database that another program made.
pub(super) fn refuse_strangers(connection: &Connection, path: &Path) -> Result<(), Fault> {
    // As of one moment: another process may be making the ledger.
    let moment = connection.unchecked_transaction()?;
    let id: i32 = moment.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return Ok(());
    }
    Err(StoreError::Unfit {
        path: path.to_owned(),
        reason: "it is the database of another program; name another file".to_owned(),
    }
    .into())
}

/// Brings the schema to the version this program works with. With read access
/// it only compares; `true` then means that there is no ledger in the file yet.
pub(super) fn bring_up(
    connection: &mut Connection,
    path: &Path,
    access: Access,
) -> Result<bool, Fault> {
    refuse_strangers(connection, path)?;
    let mut found = version(connection)?;
    if access == Access::ReadOnly {
        return match found {
            KNOWN => Ok(false),
            0 => Ok(true),
            _ => Err(wrong(path, found)),
        };
    }
    while found < KNOWN {
        found = step(connection)?;
    }
    if found > KNOWN {
        return Err(wrong(path, found));
    }
    Ok(false)
}

/// Goes one version up, unless another process just did. Returns the version
/// that is reached.
fn step(connection: &mut Connection) -> Result<i64, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let next = usize::try_from(found)
        .ok()
        .and_then(|index| SCRIPTS.get(index));
    let Some(script) = next else {
        return Ok(found);
    };
    transaction.execute_batch(script)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", found + 1)?;
    transaction.commit()?;
    Ok(found + 1)
}

fn version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn wrong(path: &Path, found: i64) -> Fault {
    StoreError::Version {
        path: path.to_owned(),
        found,
        known: KNOWN,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_set_out_for_is_kept_by_the_version_that_counts_attempts() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&SCRIPTS[..5].concat()).unwrap();
        connection
            .execute_batch(
                "PRAGMA user_version = 5; PRAGMA foreign_keys = OFF;
                 INSERT INTO run_issues (run_id, issue_id, settled) VALUES (7, 1, 40), (8, 1, 41);",
            )
            .unwrap();
        assert_eq!(step(&mut connection).unwrap(), 6);
        let kept: Vec<(i64, i64)> = connection
            .prepare("SELECT run_id, attempt FROM run_issues ORDER BY run_id")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(kept, [(7, 0), (8, 0)]);
        assert_eq!(step(&mut connection).unwrap(), 7);
    }

    #[test]
    fn an_issue_of_one_edition_keeps_it_as_its_first() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&SCRIPTS[..6].concat()).unwrap();
        connection
            .execute_batch(
                "PRAGMA user_version = 6; PRAGMA foreign_keys = OFF;
                 INSERT INTO editions (issue_id, body) VALUES (3, x'01'), (4, x'02');
                 INSERT INTO deliveries (id, issue_id, subscriber_id, state, next_attempt_at)
                 VALUES (9, 4, 1, 0, 0);
                 INSERT INTO subscribers (id, public_id, address, address_key, address_hash,
                                          status, source, created_at, changed_at)
                 VALUES (1, zeroblob(16), 'a@example.org', 'a@example.org', x'00', 0, 's', 0, 0);",
            )
            .unwrap();
        assert_eq!(step(&mut connection).unwrap(), 7);
        let kept: (Vec<u8>, Option<i64>) = connection
            .query_row(
                "SELECT e.body, s.choice_id
                   FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
                   JOIN editions e ON e.issue_id = d.issue_id AND e.number = d.edition
                  WHERE d.id = 9",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(kept, (vec![2], None));
    }
}
