//! Issues as the ledger knows them: their counts, their state, their edition.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::{
    config::settings::Sender,
    domain::{
        delivery::{IssueId, State},
        issue::{IssueState, Occasion},
    },
    store::{
        codes,
        error::Fault,
        freeze::FrozenArticle,
        inbound::{self, ReportCounts},
        sql::{self, Connection, OptionalExtension, Row},
    },
};

/// So many earlier issues say what is usual.
const EARLIER: i64 = 10;
/// Before there are so many, nothing is usual yet.
const FEWEST_EARLIER: usize = 3;

/// How many deliveries of an issue are in each state; states without any are absent.
pub type Counts = BTreeMap<State, u64>;

/// How an issue is named: by the ledger, or by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueKey {
    /// The ledger's number.
    Id(IssueId),
    /// The digest's own number, from 1.
    Number {
        /// Name of the digest.
        digest: String,
        /// Its number.
        number: u32,
    },
}

/// An issue and where it stands.
#[derive(Debug, Clone)]
pub struct IssueSummary {
    /// The ledger's number.
    pub id: IssueId,
    /// Name of the digest.
    pub digest: String,
    /// The digest's own number, from 1.
    pub number: u32,
    /// What gave rise to it.
    pub occasion: Occasion,
    /// The digest's title as readers see it.
    pub title: String,
    /// The subject line.
    pub subject: String,
    /// Where it stands.
    pub state: IssueState,
    /// Why it was paused.
    pub reason: Option<String>,
    /// When it was frozen.
    pub frozen: DateTime<Utc>,
    /// What is not delivered by then never is.
    pub expire_at: DateTime<Utc>,
    /// When its last open delivery was settled.
    pub finished: Option<DateTime<Utc>>,
    /// Everyone who was on the list.
    pub candidates: u64,
    /// Deliveries by state.
    pub counts: Counts,
    /// What came back about its messages, by kind.
    pub reports: ReportCounts,
    /// Who got no delivery, by reason.
    pub exclusions: BTreeMap<String, u64>,
    /// What it carries, in its order.
    pub articles: Vec<FrozenArticle>,
}

/// An edition as it was frozen, with what its messages need besides.
#[derive(Debug, Clone)]
pub struct FrozenEdition {
    /// Of which issue.
    pub issue: IssueId,
    /// The digest's own number of it.
    pub number: u32,
    /// Name of the digest.
    pub digest: String,
    /// The subject line.
    pub subject: String,
    /// Who writes.
    pub sender: Sender,
    /// What is not delivered by then never is.
    pub expire_at: DateTime<Utc>,
    /// The edition's bytes.
    pub bytes: Vec<u8>,
}

/// An edition of an issue in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EditionSummary {
    /// From 1; the first is the whole issue.
    pub number: u32,
    /// Whose deliveries it is for, whatever became of them.
    pub readers: u64,
    /// Bytes that the ledger keeps of it.
    pub bytes: u64,
}

/// What to do with an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueChange {
    /// Hold it, for this reason.
    Pause(String),
    /// Go on. If its time ran out, it gets the same time again from now on.
    Resume,
    /// Call it off: what is queued never leaves, its articles are free again.
    Cancel,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// Done.
    Changed {
        /// Deliveries that were cancelled with it.
        cancelled_deliveries: u64,
    },
    /// An issue in this state cannot be changed like that.
    Refused(IssueState),
    /// There is no such issue.
    Unknown,
}

const COLUMNS: &str = "id, digest, number, occasion, title, subject, state, reason, frozen_at,
                       expire_at, finished_at, candidates";

/// The newest issues of all digests, newest first.
pub(super) fn list(connection: &Connection, limit: usize) -> Result<Vec<IssueSummary>, Fault> {
    let sql =
        format!("SELECT {COLUMNS} FROM issues WHERE notice IS NULL ORDER BY id DESC LIMIT ?1");
    let mut select = connection.prepare(&sql)?;
    let rows = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], summary)?;
    let issues: Vec<IssueSummary> = rows.collect::<Result<_, _>>()?;
    issues
        .into_iter()
        .map(|issue| complete(connection, issue))
        .collect()
}

/// One issue.
pub(super) fn find(connection: &Connection, key: &IssueKey) -> Result<Option<IssueSummary>, Fault> {
    let found = match key {
        IssueKey::Id(id) => {
            let sql = format!("SELECT {COLUMNS} FROM issues WHERE id = ?1");
            connection.query_row(&sql, [id], summary)
        }
        IssueKey::Number { digest, number } => {
            let sql = format!("SELECT {COLUMNS} FROM issues WHERE digest = ?1 AND number = ?2");
            connection.query_row(&sql, params![digest, number], summary)
        }
    };
    found
        .optional()?
        .map(|issue| complete(connection, issue))
        .transpose()
}

fn summary(row: &Row<'_>) -> sql::Result<IssueSummary> {
    Ok(IssueSummary {
        id: row.get(0)?,
        digest: row.get(1)?,
        number: row.get(2)?,
        occasion: codes::parsed(row, 3)?,
        title: row.get(4)?,
        subject: row.get(5)?,
        state: codes::issue_state(row, 6)?,
        reason: row.get(7)?,
        frozen: codes::time(row, 8)?,
        expire_at: codes::time(row, 9)?,
        finished: codes::time_if_any(row, 10)?,
        candidates: codes::count(row, 11)?,
        counts: Counts::new(),
        reports: ReportCounts::new(),
        exclusions: BTreeMap::new(),
        articles: Vec::new(),
    })
}

/// Adds what stands in other tables.
fn complete(connection: &Connection, mut issue: IssueSummary) -> Result<IssueSummary, Fault> {
    issue.counts = counts(connection, issue.id)?;
    issue.reports = inbound::counts(connection, issue.id)?;
    let mut exclusions =
        connection.prepare_cached("SELECT reason, count FROM exclusions WHERE issue_id = ?1")?;
    issue.exclusions = exclusions
        .query_map([issue.id], |row| Ok((row.get(0)?, codes::count(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    let mut articles = connection.prepare_cached(
        "SELECT article_id, title FROM issue_articles WHERE issue_id = ?1 ORDER BY position",
    )?;
    issue.articles = articles
        .query_map([issue.id], |row| {
            Ok(FrozenArticle {
                id: codes::article(row, 0)?,
                title: row.get(1)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(issue)
}

/// How many deliveries of issues that are being sent are queued.
pub(super) fn count_queued(connection: &Connection) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT coalesce(sum(t.count), 0) FROM tallies t JOIN issues i ON i.id = t.issue_id
          WHERE i.state = 0 AND t.state = 0",
    )?;
    Ok(select.query_row([], |row| codes::count(row, 0))?)
}

/// Deliveries of an issue by state.
pub(super) fn counts(connection: &Connection, issue: IssueId) -> Result<Counts, Fault> {
    let mut select = connection
        .prepare_cached("SELECT state, count FROM tallies WHERE issue_id = ?1 AND count > 0")?;
    let rows = select.query_map([issue], |row| {
        Ok((codes::state(row, 0)?, codes::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deliveries of all issues by state.
pub(super) fn all_counts(connection: &Connection) -> Result<Counts, Fault> {
    let mut select = connection
        .prepare_cached("SELECT state, sum(count) FROM tallies WHERE count > 0 GROUP BY state")?;
    let rows = select.query_map([], |row| Ok((codes::state(row, 0)?, codes::count(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Bytes of the largest edition of an issue.
pub(super) fn largest_edition(connection: &Connection, issue: IssueId) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT coalesce(max(length(body)), 0) FROM editions WHERE issue_id = ?1",
    )?;
    Ok(select.query_row([issue], |row| codes::count(row, 0))?)
}

/// The editions of an issue, in order.
pub(super) fn editions(
    connection: &Connection,
    issue: IssueId,
) -> Result<Vec<EditionSummary>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT e.number, e.bytes, coalesce(r.readers, 0)
           FROM (SELECT number, length(body) AS bytes FROM editions WHERE issue_id = ?1
                 UNION ALL
                 SELECT number, count FROM remains WHERE issue_id = ?1 AND what = 'bytes') e
           LEFT JOIN (SELECT edition, sum(readers) AS readers
                        FROM (SELECT d.edition, count(*) AS readers
                                FROM issues i JOIN deliveries d
                                  ON d.id BETWEEN i.first_delivery AND i.last_delivery
                                 AND d.issue_id = i.id
                               WHERE i.id = ?1 GROUP BY d.edition
                              UNION ALL
                              SELECT number, count FROM remains
                               WHERE issue_id = ?1 AND what = 'edition') AS each
                       GROUP BY edition) r ON r.edition = e.number
          ORDER BY e.number",
    )?;
    let rows = select.query_map([issue], |row| {
        Ok(EditionSummary {
            number: row.get(0)?,
            bytes: codes::count(row, 1)?,
            readers: codes::count(row, 2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An edition of an issue.
pub(super) fn edition(
    connection: &Connection,
    issue: IssueId,
    number: u32,
) -> Result<Option<FrozenEdition>, Fault> {
    let found = connection.query_row(
        "SELECT i.id, i.number, i.digest, i.subject, i.sender_name, i.sender_address,
                i.expire_at, e.body
           FROM issues i JOIN editions e ON e.issue_id = i.id AND e.number = ?2 WHERE i.id = ?1",
        params![issue, number],
        |row| {
            Ok(FrozenEdition {
                issue: row.get(0)?,
                number: row.get(1)?,
                digest: row.get(2)?,
                subject: row.get(3)?,
                sender: Sender {
                    name: row.get(4)?,
                    address: codes::address(row, 5)?,
                },
                expire_at: codes::time(row, 6)?,
                bytes: row.get(7)?,
            })
        },
    );
    Ok(found.optional()?)
}

/// Pauses, resumes or cancels an issue.
pub(super) fn change(
    connection: &Connection,
    issue: IssueId,
    change: &IssueChange,
    now: DateTime<Utc>,
) -> Result<ChangeOutcome, Fault> {
    let state = connection
        .query_row("SELECT state FROM issues WHERE id = ?1", [issue], |row| {
            codes::issue_state(row, 0)
        })
        .optional()?;
    let Some(state) = state else {
        return Ok(ChangeOutcome::Unknown);
    };
    if matches!(state, IssueState::Done | IssueState::Cancelled) {
        return Ok(ChangeOutcome::Refused(state));
    }
    let cancelled_deliveries = match change {
        IssueChange::Pause(reason) => {
            pause(connection, issue, reason)?;
            0
        }
        IssueChange::Resume => {
            resume(connection, issue, now)?;
            0
        }
        IssueChange::Cancel => cancel(connection, issue, now)?,
    };
    Ok(ChangeOutcome::Changed {
        cancelled_deliveries,
    })
}

/// Holds an issue.
pub(super) fn pause(connection: &Connection, issue: IssueId, reason: &str) -> Result<(), Fault> {
    connection.execute(
        "UPDATE issues SET state = 1, reason = ?2 WHERE id = ?1",
        params![issue, reason],
    )?;
    Ok(())
}

fn resume(connection: &Connection, issue: IssueId, now: DateTime<Utc>) -> Result<(), Fault> {
    connection.execute(
        "UPDATE issues
            SET state = 0, reason = NULL,
                expire_at = CASE WHEN expire_at > ?2 THEN expire_at
                                 WHEN expire_at > frozen_at THEN ?2 + expire_at - frozen_at
                                 ELSE ?2 END
          WHERE id = ?1",
        params![issue, now.timestamp()],
    )?;
    Ok(())
}

fn cancel(connection: &Connection, issue: IssueId, now: DateTime<Utc>) -> Result<u64, Fault> {
    connection.execute(
        "UPDATE issues SET state = 3, finished_at = ?2 WHERE id = ?1",
        params![issue, now.timestamp()],
    )?;
    connection.execute(
        "DELETE FROM assignments WHERE issue_id = ?1 AND passed_over = 0",
        [issue],
    )?;
    cancel_queued(connection, issue)
}

/// Calls off what is not under way of an issue; says how many.
pub(super) fn cancel_queued(connection: &Connection, issue: IssueId) -> Result<u64, Fault> {
    let cancelled = connection.execute(
        "UPDATE deliveries SET state = 8 WHERE issue_id = ?1 AND state IN (0, 1)",
        [issue],
    )?;
    Ok(cancelled as u64)
}

/// Marks issues done that have no open delivery left; says which.
pub(super) fn finish(connection: &Connection, now: DateTime<Utc>) -> Result<Vec<IssueId>, Fault> {
    let mut update = connection.prepare_cached(
        "UPDATE issues SET state = 2, finished_at = ?1
          WHERE state = 0
            AND NOT EXISTS (SELECT 1 FROM tallies t
                             WHERE t.issue_id = issues.id AND t.state IN (0, 1, 2) AND t.count > 0)
         RETURNING id",
    )?;
    let rows = update.query_map([now.timestamp()], |row| row.get(0))?;
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
