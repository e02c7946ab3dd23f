//! The schema's versions on a server. It began with the version that SQLite's
//! ledger had by then; from there on both have a script for each version, and
//! versions with one number hold the same.

use super::{Fate, Link};
use crate::store::{
    error::{Fault, StoreError},
    opening::Access,
    sql, sqlite,
};

/// The version that the first script makes.
const FIRST: i64 = 13;

/// Every script, oldest first.
const SCRIPTS: [&str; 7] = [
    include_str!("../migrations/postgres/0013_ledger.sql"),
    include_str!("../migrations/postgres/0014_standing.sql"),
    include_str!("../migrations/postgres/0015_moving.sql"),
    include_str!("../migrations/postgres/0016_pruning.sql"),
    include_str!("../migrations/postgres/0017_paces.sql"),
    include_str!("../migrations/postgres/0018_home.sql"),
    include_str!("../migrations/postgres/0019_slate.sql"),
];

/// Version this program works with.
const KNOWN: i64 = FIRST + SCRIPTS.len() as i64 - 1;

/// Both engines are of one version.
const _: () = assert!(KNOWN == sqlite::KNOWN);

/// Brings the schema to the version this program works with. With read access
/// it only compares; `true` then means that there is no ledger yet.
pub(super) fn bring_up(link: &Link, access: Access) -> Result<bool, Fault> {
    link.begin(sql::Access::Read)?;
    let found = version(link);
    link.undo();
    let mut found = found?;
    if access == Access::ReadOnly {
        return match found {
            None => Ok(true),
            Some(KNOWN) => Ok(false),
            Some(found) => Err(wrong(link, found)),
        };
    }
    while found.is_none_or(|found| found < KNOWN) {
        link.begin(sql::Access::Write)?;
        let reached = step(link).inspect_err(|_| link.undo())?;
        // What was not committed is done again.
        if link.commit()? == Fate::Committed {
            found = reached;
        }
    }
    match found {
        Some(found) if found > KNOWN => Err(wrong(link, found)),
        _ => Ok(false),
    }
}

/// Goes one version up, unless another process just did. Returns the version
/// that is reached.
fn step(link: &Link) -> Result<Option<i64>, Fault> {
    let found = version(link)?;
    let reached = found.map_or(FIRST, |found| found + 1);
    let place = usize::try_from(reached - FIRST).ok();
    let Some(script) = place.and_then(|place| SCRIPTS.get(place)) else {
        return Ok(found);
    };
    link.batch(script)?;
    link.batch(&format!(
        "CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL);
         DELETE FROM schema_version;
         INSERT INTO schema_version VALUES ({reached})"
    ))?;
    Ok(Some(reached))
}

/// The version that is there; `None` for a database without tables. One that
/// another program made is not built upon.
fn version(link: &Link) -> Result<Option<i64>, Fault> {
    let tables = link.simple(
        "SELECT count(*), count(*) FILTER (WHERE tablename = 'schema_version')
           FROM pg_tables WHERE schemaname = current_schema()",
    )?;
    match tables.first() {
        Some((_, ours)) if ours == "1" => {
            let found = link.simple("SELECT version FROM schema_version")?;
            Ok(found.first().and_then(|(version, _)| version.parse().ok()))
        }
        Some((all, _)) if all == "0" => Ok(None),
        _ => Err(StoreError::Unfit {
            path: link.name().into(),
            reason: "it is the database of another program; make one for Letterpress alone"
                .to_owned(),
        }
        .into()),
    }
}

fn wrong(link: &Link, found: i64) -> Fault {
    StoreError::Version {
        path: link.name().into(),
        found,
        known: KNOWN,
    }
    .into()
}
