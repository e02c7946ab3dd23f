//! Old issues lose their deliveries and keep their sums: a few thousand rows a
//! commit, so that nobody has to wait. What an issue carried stays, so nothing is
//! sent again; so does its first edition, which the website shows.

use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::delivery::{DeliveryId, IssueId},
    store::{
        Store, codes,
        error::{Fault, StoreError},
        session::Session,
        sql::{Access, Connection, OptionalExtension},
    },
};

/// Deliveries removed in one commit.
const BATCH: i64 = 2_000;

/// An issue that may be pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prunable {
    /// The issue.
    #[serde(skip)]
    pub id: IssueId,
    /// The digest and its number of the issue: `weekly/3`.
    pub issue: String,
    /// How many deliveries go with it.
    pub deliveries: u64,
}

/// Pruning.
impl Store {
    /// What pruning would remove if the newest `keep` issues of each digest, or of
    /// this one, stay whole; the oldest issue first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn prunable(
        &self,
        digest: Option<String>,
        keep: u32,
    ) -> Result<Vec<Prunable>, StoreError> {
        self.read(move |tx| prunable(tx, digest.as_deref(), keep))
            .await
    }

    /// Removes some deliveries of a prunable issue; says how many. None are left
    /// when it says 0.
    ///
    /// # Errors
    /// When the database cannot be written; what was removed by then stays so.
    pub async fn prune(&self, issue: IssueId) -> Result<u64, StoreError> {
        self.session(move |session| prune(session, issue)).await
    }

    /// How many deliveries of pruned issues relays had accepted more than once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pruned_duplicates(&self) -> Result<u64, StoreError> {
        self.read(twice).await
    }
}

/// Issues that are over and older than the newest `keep` of their digest. What is
/// under way or uncertain stays, and so does what has the newest numbers: nobody
/// else may get these.
const PRUNABLE: &str = "
    SELECT i.id, i.digest || '/' || i.number,
           (SELECT count(*) FROM deliveries d
             WHERE d.id BETWEEN i.first_delivery AND i.last_delivery AND d.issue_id = i.id)
      FROM issues i
     WHERE i.notice IS NULL AND i.state IN (2, 3) AND i.pruned < 2
       AND i.digest = coalesce(?2, i.digest)
       AND (SELECT count(*) FROM issues n
             WHERE n.digest = i.digest AND n.notice IS NULL AND n.number > i.number) >= ?1
       AND NOT EXISTS (SELECT 1 FROM tallies t
                        WHERE t.issue_id = i.id AND t.state IN (0, 1, 2, 4) AND t.count > 0)
       AND (SELECT coalesce(max(id), 0) FROM deliveries)
           NOT BETWEEN i.first_delivery AND i.last_delivery
       AND coalesce((SELECT delivery_id FROM attempts ORDER BY id DESC LIMIT 1), 0)
           NOT BETWEEN i.first_delivery AND i.last_delivery
     ORDER BY i.id";

/// What pruning would remove, the oldest issue first.
fn prunable(
    connection: &Connection,
    digest: Option<&str>,
    keep: u32,
) -> Result<Vec<Prunable>, Fault> {
    let mut select = connection.prepare(PRUNABLE)?;
    let rows = select.query_map(params![i64::from(keep), digest], |row| {
        Ok(Prunable {
            id: row.get(0)?,
            issue: row.get(1)?,
            deliveries: codes::count(row, 2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes some deliveries of an issue that may be pruned; says how many. None
/// are left when it says 0.
fn prune(session: &mut Session, issue: IssueId) -> Result<u64, StoreError> {
    session.without_references(|session| {
        session.transact(Access::Write, |tx| match next(tx, issue)? {
            Some(span) => remove(tx, issue, span),
            None => finish(tx, issue).map(|()| 0),
        })
    })
}

/// The oldest deliveries that are left of an issue.
fn next(
    connection: &Connection,
    issue: IssueId,
) -> Result<Option<(DeliveryId, DeliveryId)>, Fault> {
    let found = connection.query_row(
        "SELECT min(id), max(id)
           FROM (SELECT d.id FROM issues i JOIN deliveries d
                     ON d.id BETWEEN i.first_delivery AND i.last_delivery AND d.issue_id = i.id
                  WHERE i.id = ?1 ORDER BY d.id LIMIT ?2) AS oldest",
        [issue, BATCH],
        |row| Ok(row.get::<Option<i64>>(0)?.zip(row.get(1)?)),
    );
    Ok(found.optional()?.flatten())
}

/// Notes what some deliveries sum up to, and removes them with what hangs on them.
fn remove(
    connection: &Connection,
    issue: IssueId,
    (first, last): (DeliveryId, DeliveryId),
) -> Result<u64, Fault> {
    let span = params![issue, first, last];
    for sql in [
        "UPDATE issues SET pruned = 1 WHERE id = ?1 AND ?2 <= ?3",
        "INSERT INTO remains (issue_id, what, number, count)
         SELECT d.issue_id, 'edition', d.edition, count(*) FROM deliveries d
          WHERE d.id BETWEEN ?2 AND ?3 AND d.issue_id = ?1 GROUP BY d.issue_id, d.edition
         ON CONFLICT (issue_id, what, number) DO UPDATE SET count = remains.count + excluded.count",
        "INSERT INTO remains (issue_id, what, number, count)
         SELECT d.issue_id, 'report', r.kind, count(*)
           FROM deliveries d JOIN reports r ON r.delivery_id = d.id
          WHERE d.id BETWEEN ?2 AND ?3 AND d.issue_id = ?1 GROUP BY d.issue_id, r.kind
         ON CONFLICT (issue_id, what, number) DO UPDATE SET count = remains.count + excluded.count",
        // Attempts hang on the newest.
        "INSERT INTO remains (issue_id, what, number, count)
         WITH RECURSIVE chain (delivery, id, previous, outcome) AS (
             SELECT d.id, a.id, a.previous_id, a.outcome
               FROM deliveries d JOIN attempts a ON a.id = d.attempt_id
              WHERE d.id BETWEEN ?2 AND ?3 AND d.issue_id = ?1
             UNION
             SELECT c.delivery, a.id, a.previous_id, a.outcome
               FROM chain c JOIN attempts a ON a.id = c.previous)
         SELECT ?1, 'twice', 0, count(*)
           FROM (SELECT delivery FROM chain WHERE outcome = 1
                  GROUP BY delivery HAVING count(*) > 1) AS twice
         HAVING count(*) > 0
         ON CONFLICT (issue_id, what, number) DO UPDATE SET count = remains.count + excluded.count",
        "WITH RECURSIVE chain (id, previous) AS (
             SELECT a.id, a.previous_id FROM deliveries d JOIN attempts a ON a.id = d.attempt_id
              WHERE d.id BETWEEN ?2 AND ?3 AND d.issue_id = ?1
             UNION
             SELECT a.id, a.previous_id FROM chain c JOIN attempts a ON a.id = c.previous)
         DELETE FROM attempts WHERE id IN (SELECT id FROM chain)",
        "DELETE FROM reports WHERE delivery_id IN (
             SELECT id FROM deliveries WHERE id BETWEEN ?2 AND ?3 AND issue_id = ?1)",
    ] {
        connection.execute(sql, span)?;
    }
    let removed = connection.execute(
        "DELETE FROM deliveries WHERE id BETWEEN ?2 AND ?3 AND issue_id = ?1",
        span,
    )?;
    Ok(removed as u64)
}

/// Nothing is left but the editions that were for some readers only.
fn finish(connection: &Connection, issue: IssueId) -> Result<(), Fault> {
    connection.execute(
        "INSERT INTO remains (issue_id, what, number, count)
         SELECT issue_id, 'bytes', number, length(body) FROM editions
          WHERE issue_id = ?1 AND number > 1
         ON CONFLICT DO NOTHING",
        [issue],
    )?;
    connection.execute(
        "DELETE FROM editions WHERE issue_id = ?1 AND number > 1",
        [issue],
    )?;
    connection.execute("UPDATE issues SET pruned = 2 WHERE id = ?1", [issue])?;
    Ok(())
}

/// Issues of which nobody knows any more who got them.
pub(super) fn pruned(connection: &Connection) -> Result<u64, Fault> {
    Ok(
        connection.query_row("SELECT count(*) FROM issues WHERE pruned > 0", [], |row| {
            codes::count(row, 0)
        })?,
    )
}

/// Deliveries that are gone and had been accepted more than once.
fn twice(connection: &Connection) -> Result<u64, Fault> {
    Ok(connection.query_row(
        "SELECT coalesce(sum(count), 0) FROM remains WHERE what = 'twice'",
        [],
        |row| codes::count(row, 0),
    )?)
}
