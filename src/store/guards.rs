//! What keeps runs that die in an issue, one after the other, from wearing out
//! the patience of its readers.

use serde::Serialize;

use crate::{
    domain::delivery::IssueId,
    store::{codes, error::Fault, issues, sql::Connection},
};

/// So many runs in a row that died in an issue, and none lives on with it.
const MOST_DEATHS: i64 = 3;

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
                "INSERT INTO run_issues (run_id, issue_id, attempt)
                 VALUES (?1, ?2, (SELECT coalesce(max(id), 0) FROM attempts))
                 ON CONFLICT (run_id, issue_id) DO UPDATE SET attempt = excluded.attempt",
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
      FROM (SELECT * FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT ?3) r
      JOIN run_issues x ON x.run_id = r.id
     WHERE x.issue_id = ?2 AND r.ended_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
                        WHERE a.id > x.attempt AND a.outcome IN (1, 4, 5) AND d.issue_id = ?2)";

/// Of those that have not ended, the ones at work have not died.
const NOT_AT_WORK: &str = "
       AND NOT EXISTS (SELECT 1 FROM workers w
                        WHERE w.id = r.worker_id AND w.ended_at IS NULL
                          AND w.lease_end > clock_timestamp())";

fn deaths(connection: &Connection, run: i64, issue: IssueId) -> Result<i64, Fault> {
    let sql = match connection {
        Connection::Sqlite(_) => DEATHS.to_owned(),
        Connection::Postgres(_) => format!("{DEATHS}{NOT_AT_WORK}"),
    };
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([run, issue, MOST_DEATHS], |row| row.get(0))?)
}
