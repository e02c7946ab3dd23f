//! Whether the ledger adds up: its file, the sums of every issue, the counts
//! that are kept along, and what deliveries and their attempts say of each other.

use crate::{
    domain::delivery::IssueId,
    store::{codes, error::Fault, opening, sql::Connection},
};

/// Everything that does not add up; nothing when all is well.
pub(super) fn verify(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut findings = opening::integrity(connection)?;
    check_sums(connection, &mut findings)?;
    check_tallies(connection, &mut findings)?;
    check_attempts(connection, &mut findings)?;
    check_editions(connection, &mut findings)?;
    check_pruned(connection, &mut findings)?;
    Ok(findings)
}

/// Candidates = deliveries + exclusions, issue by issue.
fn check_sums(connection: &Connection, findings: &mut Vec<String>) -> Result<(), Fault> {
    let mut select = connection.prepare(
        "SELECT i.id, i.candidates,
                CASE i.pruned WHEN 0 THEN
                (SELECT count(*) FROM deliveries d
                  WHERE d.id BETWEEN i.first_delivery AND i.last_delivery AND d.issue_id = i.id)
                ELSE (SELECT coalesce(sum(count), 0) FROM tallies t WHERE t.issue_id = i.id) END,
                (SELECT coalesce(sum(count), 0) FROM exclusions e WHERE e.issue_id = i.id)
           FROM issues i ORDER BY i.id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (issue, candidates, deliveries, exclusions): (IssueId, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if candidates != deliveries + exclusions {
            findings.push(format!(
                "issue {issue}: {candidates} candidates, but {deliveries} deliveries \
                 and {exclusions} exclusions"
            ));
        }
    }
    Ok(())
}

/// The counts that are kept along equal the counts of the rows.
fn check_tallies(connection: &Connection, findings: &mut Vec<String>) -> Result<(), Fault> {
    let mut select = connection.prepare(
        "SELECT t.issue_id, t.state, t.count, coalesce(c.count, 0)
           FROM tallies t
           LEFT JOIN (SELECT issue_id, state, count(*) AS count FROM deliveries
                       GROUP BY issue_id, state) c
             ON c.issue_id = t.issue_id AND c.state = t.state
           JOIN issues i ON i.id = t.issue_id
          WHERE i.pruned = 0 AND t.count <> coalesce(c.count, 0)
          ORDER BY t.issue_id, t.state",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (issue, kept, counted): (IssueId, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let state = codes::state(&row, 1)?;
        findings.push(format!(
            "issue {issue}: {kept} deliveries are noted as {state}, {counted} are"
        ));
    }
    Ok(())
}

/// Every delivery has the edition that its message is made of.
fn check_editions(connection: &Connection, findings: &mut Vec<String>) -> Result<(), Fault> {
    let mut select = connection.prepare(
        "SELECT d.issue_id, d.edition, count(*) FROM deliveries d
          WHERE NOT EXISTS (SELECT 1 FROM editions e
                             WHERE e.issue_id = d.issue_id AND e.number = d.edition)
          GROUP BY d.issue_id, d.edition",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (issue, edition): (IssueId, u32) = (row.get(0)?, row.get(1)?);
        let deliveries = codes::count(&row, 2)?;
        findings.push(format!(
            "issue {issue}: edition {edition} of {deliveries} deliveries is not there"
        ));
    }
    Ok(())
}

/// Of a pruned issue nothing is left, and no attempt is without its delivery.
fn check_pruned(connection: &Connection, findings: &mut Vec<String>) -> Result<(), Fault> {
    let (left, attempts): (i64, i64) = connection.query_row(
        "SELECT (SELECT count(*) FROM issues i JOIN deliveries d
                     ON d.id BETWEEN i.first_delivery AND i.last_delivery AND d.issue_id = i.id
                  WHERE i.pruned = 2),
                (SELECT count(*) FROM attempts a LEFT JOIN deliveries d ON d.id = a.delivery_id
                  WHERE d.id IS NULL)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if left > 0 {
        findings.push(format!(
            "{left} deliveries are left of issues that were pruned"
        ));
    }
    if attempts > 0 {
        findings.push(format!("{attempts} attempts belong to no delivery"));
    }
    Ok(())
}

/// So many deliveries that contradict their attempts are named.
const MOST_NAMED: i64 = 20;

/// A delivery's state follows from its newest attempt, and what is under way
/// has an attempt that is.
fn check_attempts(connection: &Connection, findings: &mut Vec<String>) -> Result<(), Fault> {
    let mut select = connection.prepare(
        "SELECT d.id, d.issue_id, d.state, a.id
           FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt_id
          WHERE (d.attempt_id IS NOT NULL AND a.delivery_id IS DISTINCT FROM d.id)
             OR CASE d.state
                WHEN 2 THEN a.id IS NULL OR a.outcome IS NOT NULL
                WHEN 3 THEN a.outcome IS NULL OR a.outcome NOT IN (1, 6)
                WHEN 4 THEN a.outcome IS DISTINCT FROM 6
                WHEN 5 THEN a.outcome IS DISTINCT FROM 4
                WHEN 6 THEN a.outcome IS DISTINCT FROM 5
                ELSE a.id IS NOT NULL AND a.outcome IS NULL END
          ORDER BY d.id LIMIT ?1",
    )?;
    let mut rows = select.query([MOST_NAMED])?;
    while let Some(row) = rows.next()? {
        let (delivery, issue): (i64, IssueId) = (row.get(0)?, row.get(1)?);
        let state = codes::state(&row, 2)?;
        let attempt: Option<i64> = row.get(3)?;
        let attempt = attempt.map_or_else(
            || "it has no attempt".to_owned(),
            |attempt| format!("its attempt {attempt} says otherwise"),
        );
        findings.push(format!(
            "issue {issue}: delivery {delivery} is {state}, but {attempt}"
        ));
    }
    Ok(())
}
