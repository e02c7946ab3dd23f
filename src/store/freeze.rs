//! The freeze: one transaction that turns a planned issue into an edition and
//! one delivery per reader. A crash leaves no issue or the whole issue.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::{
    config::settings::Sender,
    domain::{
        article::{ArticleId, Slug},
        delivery::{IssueId, State},
        issue::{IssueState, Occasion},
        schedule::Slot,
        subscriber::Status,
    },
    store::{
        choices::{self, Share},
        codes,
        digests::{self, SlotFate},
        error::Fault,
        sql::{Connection, OptionalExtension},
        wishes,
    },
};

/// An article as an issue carried it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrozenArticle {
    /// Its permanent id.
    pub id: ArticleId,
    /// Its title at that moment.
    pub title: String,
}

/// An issue to be frozen: everything that its messages are made of, and what
/// it settles for the digest.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// The digest's name.
    pub digest: Slug,
    /// What gave rise to it; unique per digest among issues that were not cancelled.
    pub occasion: Occasion,
    /// From 1; the number after the newest issue's.
    pub number: u32,
    /// The digest's title as readers see it.
    pub title: String,
    /// The subject line.
    pub subject: String,
    /// Who writes.
    pub sender: Sender,
    /// What it carries, in its order.
    pub articles: Vec<FrozenArticle>,
    /// What a first issue leaves behind for good.
    pub passed_over: Vec<ArticleId>,
    /// The editions, ready for slots to be filled; the first is the whole issue.
    pub editions: Vec<Vec<u8>>,
    /// Which edition readers with which choice get.
    pub shares: Vec<Share>,
    /// Older due slots that it makes up for.
    pub caught_up: Vec<Slot>,
    /// Slots that passed too long ago and are skipped.
    pub missed: Vec<Slot>,
    /// Why it is frozen as a paused issue, if it is.
    pub hold: Option<String>,
    /// The header of its messages by which the relay knows one that it took before.
    pub idempotency_header: Option<String>,
    /// What is not delivered by then never is.
    pub expire_at: DateTime<Utc>,
}

/// A frozen issue in numbers: `candidates` is `queued` and all exclusions together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// The issue's number in the ledger.
    pub issue: IssueId,
    /// Everyone on the list.
    pub candidates: u64,
    /// Who gets no delivery, by reason: a status, `suppressed`, or what their
    /// choice comes to.
    pub exclusions: BTreeMap<String, u64>,
    /// Deliveries that now wait.
    pub queued: u64,
}

/// What became of a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeOutcome {
    /// The issue is in the ledger.
    Frozen(Frozen),
    /// This occasion already has its issue.
    AlreadyFrozen {
        /// That issue.
        issue: IssueId,
        /// Its number within the digest.
        number: u32,
    },
    /// The ledger moved on since the plan was made: plan again.
    Outdated {
        /// What changed, in a few words.
        reason: String,
    },
    /// A reader chose meanwhile what nobody had chosen: the plan holds, its
    /// editions are to be decided again.
    NewChoice,
}

/// Freezes an issue. Nothing is written unless the outcome is `Frozen`.
pub(super) fn freeze(
    connection: &Connection,
    freeze: &Freeze,
    now: DateTime<Utc>,
) -> Result<FreezeOutcome, Fault> {
    if let Some(refusal) = refusal(connection, freeze)? {
        return Ok(refusal);
    }
    let mut exclusions = exclusions_by_status(connection)?;
    let active = active(connection)?;
    let issue = insert_issue(connection, freeze, now)?;
    insert_content(connection, freeze, issue)?;
    choices::lay_out(connection, &freeze.shares)?;
    let queued = insert_deliveries(connection, issue, now)?;
    let by_choice = exclusions_by_choice(connection, &freeze.shares)?;
    let paused = wishes::paused(connection, now)?;
    let suppressed = active - queued - paused - by_choice.values().sum::<u64>();
    exclusions.extend(by_choice);
    if paused > 0 {
        exclusions.insert(wishes::PAUSED.to_owned(), paused);
    }
    if suppressed > 0 {
        exclusions.insert("suppressed".to_owned(), suppressed);
    }
    let candidates = queued + exclusions.values().sum::<u64>();
    insert_numbers(connection, issue, candidates, queued, &exclusions)?;
    settle_slots(connection, freeze, now)?;
    Ok(FreezeOutcome::Frozen(Frozen {
        issue,
        candidates,
        exclusions,
        queued,
    }))
}

/// Why this issue cannot be frozen, if it cannot.
fn refusal(connection: &Connection, freeze: &Freeze) -> Result<Option<FreezeOutcome>, Fault> {
    let digest = freeze.digest.as_str();
    let same: Option<(IssueId, u32)> = connection
        .query_row(
            "SELECT id, number FROM issues WHERE digest = ?1 AND occasion = ?2 AND state <> 3",
            params![digest, freeze.occasion.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((issue, number)) = same {
        return Ok(Some(FreezeOutcome::AlreadyFrozen { issue, number }));
    }
    let history = digests::history(connection, digest)?;
    let outdated = |reason: String| Ok(Some(FreezeOutcome::Outdated { reason }));
    if freeze.number != history.last_number + 1 {
        return outdated(format!(
            "the next issue of {digest} is number {}, not {}",
            history.last_number + 1,
            freeze.number
        ));
    }
    if let Occasion::Slot(slot) = &freeze.occasion
        && history.cursor.is_some_and(|cursor| *slot <= cursor)
    {
        return outdated(format!("the slot {slot} of {digest} was dealt with"));
    }
    let taken = freeze
        .articles
        .iter()
        .find(|article| history.articles.contains_key(&article.id));
    if let Some(article) = taken {
        return outdated(format!(
            "an earlier issue of {digest} dealt with the article {}",
            article.id
        ));
    }
    let is_news = choices::is_news(connection, &freeze.shares)?;
    Ok(is_news.then_some(FreezeOutcome::NewChoice))
}

fn exclusions_by_status(connection: &Connection) -> Result<BTreeMap<String, u64>, Fault> {
    // Erased readers are nobody any more, hence no candidates.
    let mut select = connection.prepare(
        "SELECT status, count(*) FROM subscribers WHERE status BETWEEN 1 AND 4 GROUP BY status",
    )?;
    let rows = select.query_map([], |row| {
        let status: Status = codes::status(row, 0)?;
        Ok((status.as_str().to_owned(), codes::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Active readers whose choice comes to no edition.
fn exclusions_by_choice(
    connection: &Connection,
    shares: &[Share],
) -> Result<BTreeMap<String, u64>, Fault> {
    if shares.iter().all(|share| share.edition.is_ok()) {
        return Ok(BTreeMap::new());
    }
    let mut select = connection.prepare(
        "SELECT c.reason, count(*)
           FROM subscribers s CROSS JOIN temp.shares c ON c.choice_id = coalesce(s.choice_id, 0)
          WHERE s.status = 0 AND c.edition IS NULL
            AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.address_hash = s.address_hash)
          GROUP BY c.reason",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, codes::count(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn active(connection: &Connection) -> Result<u64, Fault> {
    Ok(connection.query_row(
        "SELECT count(*) FROM subscribers WHERE status = 0",
        [],
        |row| codes::count(row, 0),
    )?)
}

fn insert_issue(
    connection: &Connection,
    freeze: &Freeze,
    now: DateTime<Utc>,
) -> Result<IssueId, Fault> {
    Ok(connection.query_row(
        "INSERT INTO issues (digest, occasion, number, title, subject, sender_name,
                             sender_address, frozen_at, expire_at, state, reason,
                             idempotency_header, candidates, first_delivery, last_delivery)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, 0)
         RETURNING id",
        params![
            freeze.digest.as_str(),
            freeze.occasion.to_string(),
            freeze.number,
            freeze.title,
            freeze.subject,
            freeze.sender.name,
            freeze.sender.address.expose(),
            now.timestamp(),
            freeze.expire_at.timestamp(),
            codes::of_issue_state(match freeze.hold {
                None => IssueState::Sending,
                Some(_) => IssueState::Paused,
            }),
            freeze.hold,
            freeze.idempotency_header,
        ],
        |row| row.get(0),
    )?)
}

fn insert_content(connection: &Connection, freeze: &Freeze, issue: IssueId) -> Result<(), Fault> {
    let mut keep =
        connection.prepare("INSERT INTO editions (issue_id, number, body) VALUES (?1, ?2, ?3)")?;
    for (number, body) in (1_i64..).zip(&freeze.editions) {
        keep.execute(params![issue, number, body])?;
    }
    let mut carry = connection.prepare(
        "INSERT INTO issue_articles (issue_id, position, article_id, title)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut assign = connection.prepare(
        "INSERT INTO assignments (digest, article_id, issue_id, passed_over)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    let digest = freeze.digest.as_str();
    for (position, article) in freeze.articles.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        carry.execute(params![issue, position, article.id.as_str(), article.title])?;
        assign.execute(params![digest, article.id.as_str(), issue, false])?;
    }
    let mut pass_over = connection.prepare(
        "INSERT INTO assignments (digest, article_id, issue_id, passed_over)
         VALUES (?1, ?2, ?3, 1) ON CONFLICT DO NOTHING",
    )?;
    for article in &freeze.passed_over {
        pass_over.execute(params![digest, article.as_str(), issue])?;
    }
    Ok(())
}

/// One delivery per active reader who is neither suppressed nor pausing and
/// whose choice comes to an edition, made by the database itself in the order of the list.
fn insert_deliveries(
    connection: &Connection,
    issue: IssueId,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let before: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| {
            row.get(0)
        })?;
    let queued = connection.execute(
        "INSERT INTO deliveries (issue_id, subscriber_id, state, next_attempt_at, address, name,
                                 edition)
         SELECT ?1, s.id, 0, ?2, s.address, s.name, c.edition
           FROM subscribers s CROSS JOIN temp.shares c ON c.choice_id = coalesce(s.choice_id, 0)
          WHERE s.status = 0 AND c.edition IS NOT NULL
            AND coalesce(s.paused_until, 0) <= ?2
            AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.address_hash = s.address_hash)
          ORDER BY s.id",
        params![issue, now.timestamp()],
    )? as u64;
    connection.execute(
        "UPDATE issues
            SET first_delivery = ?2 + 1,
                last_delivery = (SELECT coalesce(max(id), 0) FROM deliveries)
          WHERE id = ?1",
        [issue, before],
    )?;
    Ok(queued)
}

fn insert_numbers(
    connection: &Connection,
    issue: IssueId,
    candidates: u64,
    queued: u64,
    exclusions: &BTreeMap<String, u64>,
) -> Result<(), Fault> {
    // Databases count in 63 bits, far beyond any list.
    connection.execute(
        "UPDATE issues SET candidates = ?2 WHERE id = ?1",
        params![issue, candidates.cast_signed()],
    )?;
    let mut exclude = connection
        .prepare("INSERT INTO exclusions (issue_id, reason, count) VALUES (?1, ?2, ?3)")?;
    for (reason, count) in exclusions {
        exclude.execute(params![issue, reason, count.cast_signed()])?;
    }
    let mut tally =
        connection.prepare("INSERT INTO tallies (issue_id, state, count) VALUES (?1, ?2, ?3)")?;
    for state in State::ALL {
        let count = if state == State::Queued { queued } else { 0 };
        tally.execute(params![issue, codes::of_state(state), count.cast_signed()])?;
    }
    Ok(())
}

fn settle_slots(connection: &Connection, freeze: &Freeze, now: DateTime<Utc>) -> Result<(), Fault> {
    let digest = freeze.digest.as_str();
    let number = freeze.number;
    let caught_up = format!("issue {number} makes up for it");
    digests::record_slots(
        connection,
        digest,
        &freeze.caught_up,
        SlotFate::CaughtUp,
        &caught_up,
        now,
    )?;
    digests::record_slots(
        connection,
        digest,
        &freeze.missed,
        SlotFate::Missed,
        "too long ago when the program ran next",
        now,
    )?;
    if let Occasion::Slot(slot) = &freeze.occasion {
        digests::advance(connection, digest, *slot)?;
    }
    Ok(())
}
