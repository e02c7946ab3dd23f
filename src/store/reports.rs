//! What people ask the ledger: the whole story of one reader, and who may have
//! a message twice.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::{
        address::EmailAddress,
        delivery::{AttemptId, DeliveryId, IssueId, State},
        subscriber::Subscriber,
    },
    store::{
        ReportStory, codes,
        error::Fault,
        inbound, pruning,
        sql::{Connection, OptionalExtension},
        subscribers,
    },
};

/// Something that happened to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What, in a few words.
    pub what: String,
    /// The kind of what happened: `asked`, `confirmed`, `imported`, `left`.
    pub kind: String,
    /// Through what: `import list.csv`, `command line`, a reason.
    pub source: String,
    /// Where the request came from, cut to a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The words that the reader agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wording: Option<Wording>,
}

/// One version of the words that readers agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wording {
    /// SHA-256 of the words, in hexadecimal.
    pub sha256: String,
    /// The words.
    pub words: String,
}

/// That an address must never be written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// One try at a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The ledger's number of it.
    pub id: AttemptId,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When its outcome was recorded; `None` while it is under way.
    pub ended: Option<DateTime<Utc>>,
    /// `sent`, `deferred`, `requeued`, `rejected`, `failed`, `uncertain` or
    /// `late-accept`.
    pub outcome: Option<&'static str>,
    /// The relay's reply code.
    pub code: Option<u16>,
    /// The relay's text, or what happened instead.
    pub reply: Option<String>,
}

/// An attempt that the relay took after all, when a newer one had been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAccept {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its issue's digest.
    pub digest: String,
    /// Its issue's number.
    pub number: u32,
    /// The attempt that was taken late.
    pub attempt: AttemptId,
    /// The newest attempt.
    pub newest: AttemptId,
}

/// A reader's part of one issue.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryStory {
    /// The delivery.
    pub id: DeliveryId,
    /// The issue.
    pub issue: IssueId,
    /// Name of the digest.
    pub digest: String,
    /// The digest's own number of the issue.
    pub number: u32,
    /// Which of its editions, from 1.
    pub edition: u32,
    /// Where it stands.
    pub state: State,
    /// When it is due, if it is queued.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Every try, oldest first.
    pub attempts: Vec<Attempt>,
    /// What came back about it, in that order.
    pub reports: Vec<ReportStory>,
}

/// Everything the ledger knows of one address.
#[derive(Debug, Clone)]
pub struct Story {
    /// The reader, if the address is on the list.
    pub subscriber: Option<Subscriber>,
    /// The suppression, if there is one.
    pub suppression: Option<Suppression>,
    /// What happened to the reader, oldest first.
    pub events: Vec<Event>,
    /// The reader's deliveries, newest issue first.
    pub deliveries: Vec<DeliveryStory>,
    /// Issues of which nobody knows any more who got them.
    pub pruned_issues: u64,
}

/// Tells the story of an address, of one issue or all.
pub(super) fn why(
    connection: &Connection,
    install_key: &[u8; 32],
    address: &EmailAddress,
    issue: Option<IssueId>,
) -> Result<Story, Fault> {
    let hash = subscribers::hash(install_key, address);
    let suppression = suppression(connection, &hash)?;
    let Some((id, subscriber)) = subscribers::find(connection, address)? else {
        return Ok(Story {
            subscriber: None,
            suppression,
            events: Vec::new(),
            deliveries: Vec::new(),
            pruned_issues: pruning::pruned(connection)?,
        });
    };
    Ok(Story {
        subscriber: Some(subscriber),
        suppression,
        events: events(connection, id)?,
        deliveries: deliveries(connection, id, issue)?,
        pruned_issues: pruning::pruned(connection)?,
    })
}

/// That an address must never be written to, if it must not.
pub(super) fn suppression(
    connection: &Connection,
    hash: &[u8; 32],
) -> Result<Option<Suppression>, Fault> {
    let found = connection.query_row(
        "SELECT since, reason FROM suppressions WHERE address_hash = ?1",
        [&hash[..]],
        |row| {
            Ok(Suppression {
                since: codes::time(row, 0)?,
                reason: row.get(1)?,
            })
        },
    );
    Ok(found.optional()?)
}

pub(super) fn events(connection: &Connection, subscriber: i64) -> Result<Vec<Event>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT e.at, e.what, e.kind, e.source, e.network, w.sha256, w.words
           FROM events e LEFT JOIN wordings w ON w.id = e.wording_id
          WHERE e.subscriber_id = ?1 ORDER BY e.id",
    )?;
    let rows = select.query_map([subscriber], |row| {
        let hash: Option<[u8; 32]> = row.get(5)?;
        let words: Option<String> = row.get(6)?;
        Ok(Event {
            at: codes::time(row, 0)?,
            what: row.get(1)?,
            kind: row.get(2)?,
            source: row.get(3)?,
            network: row.get(4)?,
            wording: hash.zip(words).map(|(hash, words)| Wording {
                sha256: HEXLOWER.encode(&hash),
                words,
            }),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn deliveries(
    connection: &Connection,
    subscriber: i64,
    issue: Option<IssueId>,
) -> Result<Vec<DeliveryStory>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.id, d.issue_id, i.digest, i.number, d.state, d.next_attempt_at, d.attempt_id,
                d.edition
           FROM deliveries d JOIN issues i ON i.id = d.issue_id
          WHERE d.subscriber_id = ?1 AND d.issue_id = coalesce(?2, d.issue_id)
          ORDER BY d.issue_id DESC",
    )?;
    let mut rows = select.query(params![subscriber, issue])?;
    let mut stories = Vec::new();
    while let Some(row) = rows.next()? {
        let state = codes::state(&row, 4)?;
        let due = codes::time(&row, 5)?;
        let id = row.get(0)?;
        stories.push(DeliveryStory {
            id,
            issue: row.get(1)?,
            digest: row.get(2)?,
            edition: row.get(7)?,
            number: row.get(3)?,
            state,
            next_attempt_at: (state == State::Queued).then_some(due),
            attempts: attempts(connection, row.get(6)?)?,
            reports: inbound::of_delivery(connection, id)?,
        });
    }
    Ok(stories)
}

/// An attempt that the relay took although a newer one was made, and taken, too.
const LATE_ACCEPT: &str = "late-accept";

/// The attempts that hang on the newest one, oldest first.
fn attempts(connection: &Connection, newest: Option<AttemptId>) -> Result<Vec<Attempt>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT id, started_at, ended_at, outcome, code, reply, previous_id
           FROM attempts WHERE id = ?1",
    )?;
    let mut chain = Vec::new();
    let mut next = newest;
    while let Some(id) = next {
        let (attempt, previous): (Attempt, Option<AttemptId>) = select.query_row([id], |row| {
            let attempt = Attempt {
                id: row.get(0)?,
                started: codes::time(row, 1)?,
                ended: codes::time_if_any(row, 2)?,
                outcome: codes::end(row, 3)?.map(codes::End::as_str),
                code: row.get(4)?,
                reply: row.get(5)?,
            };
            Ok((attempt, row.get(6)?))
        })?;
        chain.push(attempt);
        // An older one has a larger number where it was asserted again.
        next = previous.filter(|previous| chain.iter().all(|one: &Attempt| one.id != *previous));
    }
    // The relay took an earlier one after all: this reader may have it twice.
    let is_sent = |attempt: &Attempt| attempt.outcome == Some(codes::End::Sent.as_str());
    if let Some((newest, earlier)) = chain.split_first_mut()
        && is_sent(newest)
    {
        for attempt in earlier.iter_mut().filter(|attempt| is_sent(attempt)) {
            attempt.outcome = Some(LATE_ACCEPT);
        }
    }
    chain.reverse();
    Ok(chain)
}

/// What became of attempts that were taken late.
pub(super) fn late_accepts(
    connection: &Connection,
    late: &[AttemptId],
) -> Result<Vec<LateAccept>, Fault> {
    let mut select = connection.prepare(
        "SELECT d.id, i.digest, i.number, a.id, d.attempt_id
           FROM attempts a
           JOIN deliveries d ON d.id = a.delivery_id
           JOIN issues i ON i.id = d.issue_id
          WHERE a.id = ?1",
    )?;
    let told = late.iter().map(|attempt| {
        select.query_row([attempt], |row| {
            Ok(LateAccept {
                delivery: row.get(0)?,
                digest: row.get(1)?,
                number: row.get(2)?,
                attempt: row.get(3)?,
                newest: row.get(4)?,
            })
        })
    });
    Ok(told.collect::<Result<_, _>>()?)
}

/// Deliveries that the relay accepted more than once, which only a resend of an
/// uncertain one can cause.
pub(super) fn duplicates(connection: &Connection) -> Result<Vec<DeliveryId>, Fault> {
    let mut select = connection.prepare(
        "SELECT delivery_id FROM attempts WHERE outcome = 1
          GROUP BY delivery_id HAVING count(*) > 1 ORDER BY delivery_id",
    )?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
