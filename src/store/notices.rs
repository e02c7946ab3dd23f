//! Single mails: what readers are to get becomes a small issue of its own kind,
//! which the outbox sends like any other.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;

use crate::{
    config::settings::Sender,
    domain::{
        consent::Answer,
        delivery::{IssueId, State},
        issue::Occasion,
    },
    store::{
        ChoiceId, codes,
        error::Fault,
        sql::{Connection, OptionalExtension},
    },
};

/// Whether the reader `s` may get a delivery of the issue `i`: an issue is for
/// active readers, a confirmation for whoever asked, a goodbye for who left. A
/// suppression for good holds for all of them, any other for all but the
/// question whether they want mail again.
macro_rules! is_wanted {
    ($kind:literal) => {
        concat!(
            "CASE coalesce(",
            $kind,
            ", '')
             WHEN 'confirm' THEN s.status < 4
                  AND NOT EXISTS (SELECT 1 FROM suppressions x
                                   WHERE x.address_hash = s.address_hash
                                     AND x.reason IN ('complaint', 'request'))
             WHEN 'goodbye' THEN s.status = 3
                  AND NOT EXISTS (SELECT 1 FROM suppressions x
                                   WHERE x.address_hash = s.address_hash)
             ELSE s.status = 0
                  AND NOT EXISTS (SELECT 1 FROM suppressions x
                                   WHERE x.address_hash = s.address_hash)
             END"
        )
    };
}
pub(super) use is_wanted;

/// Single mails that wait to be made, of one kind and about one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingAnswers {
    /// Of which kind.
    pub answer: Answer,
    /// About which digest; empty for readers who left all.
    pub digest: String,
    /// What its readers chose, or asked for.
    pub choices: Vec<ChoiceId>,
    /// The language they chose, if they did.
    pub language: Option<String>,
    /// How many readers wait.
    pub readers: u64,
}

/// What single mails of one kind are made of.
#[derive(Debug, Clone)]
pub struct NoticeFreeze {
    /// Whom it is for.
    pub waiting: WaitingAnswers,
    /// What tells it from others of its kind: a language, or the number of an
    /// edition; empty for what is sent to most.
    pub variant: String,
    /// The digest's title as readers see it.
    pub title: String,
    /// The subject line.
    pub subject: String,
    /// Who writes.
    pub sender: Sender,
    /// The edition, ready for slots to be filled.
    pub edition: Vec<u8>,
    /// The header of its messages by which the relay knows one that it took before.
    pub idempotency_header: Option<String>,
}

/// What is not made after so long is not made: the reader has forgotten it.
const STALE: TimeDelta = TimeDelta::hours(72);
/// Mails of one kind share an edition, and its date, for so long.
pub(super) const SHARED: TimeDelta = TimeDelta::minutes(10);
/// An issue of a digest that is older than this is nobody's latest.
const OLDEST_LATEST: TimeDelta = TimeDelta::days(35);
/// The edition of a notice that is done goes after so long: there may be many.
const KEPT: TimeDelta = TimeDelta::days(2);

/// The number of the choice of a reader who waits, 0 for everything: what was
/// asked for comes true with the confirmation.
macro_rules! choice_of {
    ($answers:literal) => {
        concat!(
            "coalesce(CASE ",
            $answers,
            ".kind WHEN 'confirm'
                 THEN (SELECT g.choice_id FROM signups g WHERE g.subscriber_id = ",
            $answers,
            ".subscriber_id)
                 ELSE (SELECT r.choice_id FROM subscribers r WHERE r.id = ",
            $answers,
            ".subscriber_id) END, 0)"
        )
    };
}

/// What waits, by kind, digest and language; the newest issue by choice, since
/// there may be an edition for each.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<WaitingAnswers>, Fault> {
    let mut select = connection.prepare_cached(concat!(
        "SELECT w.kind, w.digest, w.choice_id, w.readers, coalesce(c.choice, '')
           FROM (SELECT a.kind, a.digest, ",
        choice_of!("a"),
        " AS choice_id, count(*) AS readers, min(a.id) AS first
                   FROM answers a GROUP BY 1, 2, 3) w
           LEFT JOIN choices c ON c.id = w.choice_id
          ORDER BY w.first",
    ))?;
    let rows = select.query_map([], |row| {
        let (kind, choice): (String, i64) = (row.get(0)?, row.get(2)?);
        let answer = Answer::ALL.into_iter().find(|a| a.as_str() == kind);
        let (digest, readers) = (row.get(1)?, codes::count(row, 3)?);
        let language = codes::choice(row, 4)?.language;
        Ok(answer.map(|answer| WaitingAnswers {
            answer,
            digest,
            choices: vec![(choice != 0).then_some(choice)],
            language,
            readers,
        }))
    })?;
    let mut found: Vec<WaitingAnswers> = Vec::new();
    // What this version does not know waits for one that does.
    for waiting in rows.filter_map(Result::transpose) {
        let waiting = waiting?;
        match found.iter_mut().find(|one| one.is_as(&waiting)) {
            Some(one) => {
                one.choices.extend(waiting.choices);
                one.readers += waiting.readers;
            }
            None => found.push(waiting),
        }
    }
    Ok(found)
}

impl WaitingAnswers {
    /// Whether the same mail answers both.
    fn is_as(&self, other: &Self) -> bool {
        self.answer != Answer::Latest
            && (self.answer, &self.digest, &self.language)
                == (other.answer, &other.digest, &other.language)
    }

    /// The numbers of its choices, as a statement lists them.
    fn list(&self) -> String {
        let numbers = self.choices.iter().map(|id| id.unwrap_or(0).to_string());
        numbers.collect::<Vec<_>>().join(", ")
    }
}

/// Forgets mails that the publication does not send, or that are made.
pub(super) fn forget(connection: &Connection, waiting: &WaitingAnswers) -> Result<(), Fault> {
    let sql = format!(
        concat!(
            "DELETE FROM answers AS a WHERE a.kind = ?1 AND a.digest = ?2 AND ",
            choice_of!("a"),
            " IN ({})"
        ),
        waiting.list()
    );
    connection.execute(&sql, [waiting.answer.as_str(), &waiting.digest])?;
    Ok(())
}

/// Names the issues of a kind of mail: a name that no digest can have. Those in
/// other languages or editions are issues of their own.
fn name(waiting: &WaitingAnswers, variant: &str) -> String {
    let parts = [waiting.answer.as_str(), &waiting.digest, variant];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

/// Makes deliveries of what waits, in one transaction; says how many.
pub(super) fn freeze(
    connection: &Connection,
    notice: &NoticeFreeze,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let name = name(&notice.waiting, &notice.variant);
    let recent: Option<IssueId> = connection
        .query_row(
            "SELECT id FROM issues
              WHERE digest = ?1 AND subject = ?2 AND state IN (0, 2) AND frozen_at > ?3
                AND frozen_at <= ?4
              ORDER BY number DESC LIMIT 1",
            params![
                name,
                notice.subject,
                (now - SHARED).timestamp(),
                now.timestamp()
            ],
            |row| row.get(0),
        )
        .optional()?;
    let issue = match recent {
        Some(issue) => issue,
        None => insert(connection, notice, &name, now)?,
    };
    let queued = queue(connection, &notice.waiting, issue, now)?;
    forget(connection, &notice.waiting)?;
    Ok(queued)
}

fn insert(
    connection: &Connection,
    notice: &NoticeFreeze,
    name: &str,
    now: DateTime<Utc>,
) -> Result<IssueId, Fault> {
    let issue = insert_row(connection, notice, name, now)?;
    connection.execute(
        "INSERT INTO editions (issue_id, number, body) VALUES (?1, 1, ?2)",
        params![issue, notice.edition],
    )?;
    let mut tally = connection
        .prepare_cached("INSERT INTO tallies (issue_id, state, count) VALUES (?1, ?2, 0)")?;
    for state in State::ALL {
        tally.execute(params![issue, codes::of_state(state)])?;
    }
    Ok(issue)
}

fn insert_row(
    connection: &Connection,
    notice: &NoticeFreeze,
    name: &str,
    now: DateTime<Utc>,
) -> Result<IssueId, Fault> {
    let number: i64 = connection.query_row(
        "SELECT coalesce(max(number), 0) + 1 FROM issues WHERE digest = ?1",
        [name],
        |row| row.get(0),
    )?;
    Ok(connection.query_row(
        "INSERT INTO issues (digest, occasion, number, title, subject, sender_name,
                             sender_address, frozen_at, expire_at, state, idempotency_header,
                             candidates, first_delivery, last_delivery, notice)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, 0,
                 (SELECT coalesce(max(id), 0) + 1 FROM deliveries), 0, ?11)
         RETURNING id",
        params![
            name,
            Occasion::Manual(format!("notice-{number}")).to_string(),
            number,
            notice.title,
            notice.subject,
            notice.sender.name,
            notice.sender.address.expose(),
            now.timestamp(),
            (now + STALE).timestamp(),
            notice.idempotency_header,
            notice.waiting.answer.as_str(),
        ],
        |row| row.get(0),
    )?)
}

/// One delivery for each reader who still is to have the mail. Nobody has a
/// second one of the same issue.
fn queue(
    connection: &Connection,
    waiting: &WaitingAnswers,
    issue: IssueId,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let kind = waiting.answer.as_str();
    let sql = format!(
        concat!(
            "INSERT INTO deliveries (issue_id, subscriber_id, state, next_attempt_at, address, name)
             SELECT ?1, s.id, 0, ?2, s.address, CASE ?3 WHEN 'confirm' THEN NULL ELSE s.name END
               FROM answers a JOIN subscribers s ON s.id = a.subscriber_id
              WHERE a.kind = ?3 AND a.digest = ?4 AND a.wanted_at > ?5
                AND s.address IS NOT NULL AND ",
            is_wanted!("?3"),
            " AND ",
            choice_of!("a"),
            " IN ({}) ORDER BY a.id ON CONFLICT DO NOTHING"
        ),
        waiting.list()
    );
    let queued = connection.prepare(&sql)?.execute(params![
        issue,
        now.timestamp(),
        kind,
        waiting.digest,
        (now - STALE).timestamp()
    ])?;
    let queued = i64::try_from(queued).unwrap_or(i64::MAX);
    connection.execute(
        "UPDATE issues
            SET candidates = candidates + ?2, 
                expire_at = CASE WHEN expire_at > ?3 THEN expire_at ELSE ?3 END,
                state = CASE WHEN ?2 > 0 THEN 0 ELSE state END,
                finished_at = CASE WHEN ?2 > 0 THEN NULL ELSE finished_at END,
                last_delivery = (SELECT coalesce(max(id), 0) FROM deliveries)
          WHERE id = ?1",
        params![issue, queued, (now + STALE).timestamp()],
    )?;
    connection.execute(
        "UPDATE tallies SET count = count + ?2 WHERE issue_id = ?1 AND state = 0",
        [issue, queued],
    )?;
    Ok(queued.unsigned_abs())
}

/// The newest issue of a digest, for readers who have just joined.
pub(super) fn latest(
    connection: &Connection,
    digest: &str,
    now: DateTime<Utc>,
) -> Result<Option<IssueId>, Fault> {
    let found = connection.query_row(
        "SELECT id FROM issues
          WHERE digest = ?1 AND notice IS NULL AND state IN (0, 2) AND frozen_at > ?2
          ORDER BY number DESC LIMIT 1",
        params![digest, (now - OLDEST_LATEST).timestamp()],
        |row| row.get(0),
    );
    Ok(found.optional()?)
}

/// The edition of an issue that readers of one of these choices got; the whole
/// issue where nobody did.
pub(super) fn edition_of(
    connection: &Connection,
    issue: IssueId,
    choices: &[ChoiceId],
) -> Result<u32, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.edition FROM subscribers s
           JOIN deliveries d ON d.subscriber_id = s.id AND d.issue_id = ?1
          WHERE s.status = 0 AND s.choice_id = ?2 LIMIT 1",
    )?;
    // Nobody who chose nothing gets less than the whole.
    for choice in choices.iter().flatten() {
        let found = select.query_row([issue, *choice], |row| row.get(0));
        if let Some(edition) = found.optional()? {
            return Ok(edition);
        }
    }
    Ok(1)
}

/// Who has an issue already does not get it again as the latest one.
pub(super) fn forget_holders(
    connection: &Connection,
    waiting: &WaitingAnswers,
    issue: IssueId,
) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM answers
          WHERE kind = ?1 AND digest = ?2
            AND EXISTS (SELECT 1 FROM deliveries d
                         WHERE d.subscriber_id = answers.subscriber_id AND d.issue_id = ?3)",
        params![waiting.answer.as_str(), waiting.digest, issue],
    )?;
    Ok(())
}

/// Empties the editions of notices that are done with: nothing is sent of them
/// again.
pub(super) fn tidy(connection: &Connection, now: DateTime<Utc>) -> Result<(), Fault> {
    connection.execute(
        "UPDATE editions SET body = ?2
          WHERE length(body) > 0
            AND issue_id IN (
                SELECT i.id FROM issues i
                 WHERE i.notice IS NOT NULL AND i.state IN (2, 3) AND i.finished_at < ?1
                   AND NOT EXISTS (SELECT 1 FROM tallies t
                                    WHERE t.issue_id = i.id AND t.state IN (0, 1, 2, 4)
                                      AND t.count > 0))",
        params![(now - KEPT).timestamp(), Vec::<u8>::new()],
    )?;
    Ok(())
}
