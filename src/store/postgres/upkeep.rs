//! What a server does for itself, and what is left to ask of it.

use super::{Failure, Link};
use crate::store::{error::Fault, surroundings::ServerFacts};

/// Is what says what is to be done sound? The server checks its pages as it
/// reads them.
pub(in crate::store) fn glance(link: &Link) -> Result<(), Fault> {
    for table in [
        "installation",
        "digests",
        "issues",
        "assignments",
        "exclusions",
        "tallies",
    ] {
        link.batch(&format!("SELECT count(*) FROM {table}"))?;
    }
    Ok(())
}

/// What the server finds wrong with indexes and references. Reading whole
/// tables checks their pages, where checksums are on.
pub(in crate::store) fn integrity(link: &Link) -> Result<Vec<String>, Fault> {
    for table in TABLES {
        link.batch(&format!("SELECT sum(hashtext({table}::text)) FROM {table}"))?;
    }
    let invalid = link.simple(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = current_schema() AND NOT i.indisvalid",
    )?;
    let said = |(name, _): (String, String)| format!("integrity: the index {name} is not valid");
    Ok(invalid.into_iter().map(said).collect())
}

/// What the server promises, and how many more sessions it lets in.
pub(in crate::store) fn facts(link: &Link) -> Result<ServerFacts, Fault> {
    let promises =
        link.simple("SELECT current_setting('synchronous_commit'), current_setting('fsync')")?;
    let (commit, fsync) = promises.into_iter().next().unwrap_or_default();
    let sessions = link.simple(
        "SELECT current_setting('max_connections')::int
                - current_setting('superuser_reserved_connections')::int,
                (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
    )?;
    let (most, open) = sessions.into_iter().next().unwrap_or_default();
    let number = |text: String| text.parse::<i64>().unwrap_or_default();
    let (most, open) = (number(most), number(open));
    Ok(ServerFacts {
        is_synchronous: commit != "off",
        has_fsync: fsync != "off",
        free_sessions: most - open,
        most_sessions: most,
    })
}

/// Tables that hold what nobody can make anew.
const TABLES: [&str; 9] = [
    "subscribers",
    "suppressions",
    "events",
    "issues",
    "editions",
    "deliveries",
    "attempts",
    "reports",
    "tally_shards",
];

/// Lets the server reuse the room of what is erased; false while it is busy with
/// that already. It keeps older versions of rows until then.
pub(in crate::store) fn wipe(link: &Link) -> Result<bool, Fault> {
    for table in [
        "subscribers",
        "events",
        "deliveries",
        "attempts",
        "reports",
        "runs",
    ] {
        match link.batch(&format!("VACUUM {table}")) {
            Err(failure) if failure.is_worth_another_try(true) => return Ok(false),
            done => done?,
        }
    }
    link.batch("UPDATE installation SET wipe_due = 0")
        .map_err(|failure: Failure| failure.into())
        .map(|()| true)
}
