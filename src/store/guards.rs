//! What keeps a ledger from doing harm with readers' patience: runs that die
//! over the same issue, old copies of the database, issues that are far too big.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::{
    domain::delivery::IssueId,
    store::{
        codes,
        deliveries::{self, RESTORED},
        error::Fault,
        issues,
    },
};

/// So many runs in a row that died in an issue, and none lives on with it.
const MOST_DEATHS: i64 = 3;
/// So many earlier issues say what is usual.
const EARLIER: i64 = 10;
/// Before there are so many, nothing is usual yet.
const FEWEST_EARLIER: usize = 3;

/// An issue that was paused, or part of which is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guarded {
    /// The digest and its number of the issue: `weekly/3`.
    pub issue: String,
    /// How many of its deliveries that concerns.
    pub deliveries: u64,
}

/// Notes which issues a run sets out to deliver. An issue in which the last
/// three runs died, without settling one delivery of it, is paused instead.
pub(super) fn set_out(connection: &Connection, run: i64) -> Result<Vec<Guarded>, Fault> {
    let mut paused = Vec::new();
    for (issue, name, queued) in under_way(connection)? {
        if deaths(connection, run, issue)? < MOST_DEATHS {
            connection.execute(
                "INSERT OR REPLACE INTO run_issues (run_id, issue_id, attempt)
                 VALUES (?1, ?2, (SELECT coalesce(max(id), 0) FROM attempts))",
                [run, issue],
            )?;
        } else {
            issues::pause(connection, issue, CRASH_LOOP)?;
            paused.push(Guarded {
                issue: name,
                deliveries: queued,
            });
        }
    }
    Ok(paused)
}

const CRASH_LOOP: &str = "the last three runs died in it and settled none of its deliveries; find out \
                          why (memory, the system's log), then resume it";

/// Issues that are being sent and have something queued: number, name, how
/// many deliveries wait.
fn under_way(connection: &Connection) -> Result<Vec<(IssueId, String, u64)>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT i.id, i.digest || '/' || i.number, t.count
           FROM issues i JOIN tallies t ON t.issue_id = i.id AND t.state = 0
          WHERE i.state = 0 AND t.count > 0",
    )?;
    let rows = select.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, codes::count(row, 2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts those of the three runs before this one that died in an issue, if no
/// attempt since they set out has ended for good. What a policy or a person
/// makes of uncertain deliveries says nothing of whether runs get on.
pub(super) const DEATHS: &str = "
    SELECT count(*)
      FROM (SELECT id, ended_at FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT ?3) r
      JOIN run_issues x ON x.run_id = r.id
     WHERE x.issue_id = ?2 AND r.ended_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
                        WHERE a.id > x.attempt AND a.outcome IN (1, 4, 5) AND d.issue_id = ?2)";

fn deaths(connection: &Connection, run: i64, issue: IssueId) -> Result<i64, Fault> {
    Ok(connection
        .prepare_cached(DEATHS)?
        .query_row([run, issue, MOST_DEATHS], |row| row.get(0))?)
}

/// Makes uncertain what an old copy of the ledger holds as queued: it may have
/// been sent after the copy was made. The same holds for what it has as
/// uncertain: that may have been settled, or sent again.
pub(super) fn doubt_queued(
    connection: &Connection,
    now: DateTime<Utc>,
) -> Result<Vec<Guarded>, Fault> {
    deliveries::recover(connection, now)?;
    connection.execute(
        "UPDATE attempts SET ended_at = ?1, reply = ?2
          WHERE id IN (SELECT attempt_id FROM deliveries INDEXED BY deliveries_uncertain
                        WHERE state = 4)",
        params![now.timestamp(), RESTORED],
    )?;
    let found = doubtful(connection)?;
    let newest: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM attempts", [], |row| {
            row.get(0)
        })?;
    connection.execute(
        "INSERT INTO attempts (delivery_id, previous_id, started_at, ended_at, outcome, reply)
         SELECT d.id, d.attempt_id, ?1, ?1, 6, ?2
           FROM issues i JOIN deliveries d ON d.issue_id = i.id AND d.state = 0
          WHERE i.state IN (0, 1)
          ORDER BY d.id",
        params![now.timestamp(), RESTORED],
    )?;
    connection.execute(
        "UPDATE deliveries SET state = 4, attempts = attempts + 1, attempt_id = a.id
           FROM attempts a
          WHERE a.id > ?1 AND a.delivery_id = deliveries.id",
        [newest],
    )?;
    Ok(found)
}

fn doubtful(connection: &Connection) -> Result<Vec<Guarded>, Fault> {
    let mut select = connection.prepare(
        "SELECT i.digest || '/' || i.number, t.count
           FROM issues i JOIN tallies t ON t.issue_id = i.id AND t.state = 0
          WHERE i.state IN (0, 1) AND t.count > 0 ORDER BY i.id",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Guarded {
            issue: row.get(0)?,
            deliveries: codes::count(row, 1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many articles the issues of a digest usually carry: the middle one of
/// the last ten. `None` while there are too few to say.
pub(super) fn usual_articles(
    connection: &Connection,
    digest: &str,
) -> Result<Option<usize>, Fault> {
    let mut select = connection.prepare(
        "SELECT (SELECT count(*) FROM issue_articles a WHERE a.issue_id = i.id)
           FROM issues i WHERE i.digest = ?1 AND i.state IN (0, 2) ORDER BY i.id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![digest, EARLIER], |row| codes::count(row, 0))?;
    let mut numbers: Vec<u64> = rows.collect::<Result<_, _>>()?;
    if numbers.len() < FEWEST_EARLIER {
        return Ok(None);
    }
    numbers.sort_unstable();
    Ok(usize::try_from(numbers[numbers.len() / 2]).ok())
}
