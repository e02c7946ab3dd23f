//! The pages of a database while others write to it: one snapshot, copied in
//! small steps.

use std::{path::Path, time::Duration};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{BUSY_TIMEOUT, migrations};
use crate::store::error::{Fault, StoreError};

/// So many pages are copied between two looks at how far it is.
const STEP: i32 = 1_024;

/// Copies the database at `from` to `to`, telling `progress` how many pages of how
/// many are done.
pub(in crate::store) fn pages(
    from: &Path,
    to: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| Fault::from(error).at(from.to_owned());
    let source = open(from).map_err(told)?;
    migrations::refuse_strangers(&source, from).map_err(|fault| fault.at(from.to_owned()))?;
    // One snapshot throughout: with the next commit of another process the
    // copy would otherwise begin anew, again and again while a run sends.
    source.execute_batch("BEGIN").map_err(told)?;
    let _: i64 = source
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(told)?;
    let at_target = |error: rusqlite::Error| Fault::from(error).at(to.to_owned());
    let mut target = open(to).map_err(at_target)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(at_target)?;
        loop {
            let step = backup.step(STEP).map_err(at_target)?;
            let facts = backup.progress();
            let number = |pages: i32| u64::try_from(pages).unwrap_or_default();
            progress(
                number(facts.pagecount - facts.remaining),
                number(facts.pagecount),
            );
            match step {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => {}
            }
        }
    }
    // One plain file, without companions: it may lie anywhere.
    let _: String = target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
        .map_err(at_target)?;
    target.close().map_err(|(_, error)| at_target(error))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Opens a copy again; says whether its schema is the newest.
pub(in crate::store) fn reopen(path: &Path) -> Result<(Connection, bool), Fault> {
    let copy = open(path)?;
    let version: i64 = copy.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((copy, version == migrations::KNOWN))
}
