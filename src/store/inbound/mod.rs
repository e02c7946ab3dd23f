//! What a bounce mailbox brought, applied to readers and deliveries. A mail and
//! its effect share one transaction: whoever dies between that and putting the
//! mail away finds it done at the next reading.

mod alarms;
mod effects;

use std::{collections::BTreeMap, ops::RangeInclusive};

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

pub use self::alarms::Alarm;
use crate::{
    domain::{
        delivery::{DeliveryId, IssueId},
        report::{Report, ReportKind},
        subscriber::SubscriberId,
    },
    store::{
        Departure, Store, StoreError, codes,
        error::Fault,
        issues,
        sql::{Connection, OptionalExtension},
    },
};

/// A mail of the bounce mailbox.
#[derive(Debug, Clone)]
pub struct InboundMail {
    /// What it is known by: a hash of its bytes.
    pub id: [u8; 16],
    /// What it calls for, if anything.
    pub effect: Option<Effect>,
}

/// What a mail calls for.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A message of ours bounced, or was called unwanted.
    Report(Report),
    /// A reader leaves.
    Leave(Leave),
    /// The reader of this delivery told the relay that it was the last: the whole
    /// list is left, since the relay passes nothing on any more.
    LeftAtRelay(DeliveryId),
}

/// A reader who leaves.
#[derive(Debug, Clone)]
pub struct Leave {
    /// Who.
    pub subscriber: SubscriberId,
    /// What.
    pub departure: Departure,
}

/// What became of one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was dealt with before.
    Repeated,
    /// It calls for nothing.
    Nothing,
    /// There is no such delivery, or none that ever left; or no such reader.
    Unknown,
    /// The same was told before about this delivery.
    Told,
    /// The report is on record, and changes nothing else.
    Noted(ReportKind),
    /// The report is on record, and its reader will not be written to again.
    Suppressed(ReportKind),
    /// The reader left.
    Left,
    /// The reader had left before.
    Gone,
}

/// What became of a batch of mails.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// Of each mail, in their order.
    pub fates: Vec<Fate>,
    /// Uncertain deliveries that a report proved to have been sent.
    pub proven: u64,
    /// Issues of which too much came back.
    pub alarms: Vec<Alarm>,
}

/// How far a mailbox that only grows was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxPlace {
    /// The mailbox.
    pub source: String,
    /// Bytes from its beginning.
    pub offset: u64,
    /// What tells it from another file of that name.
    pub tail: Vec<u8>,
}

/// The deliveries of an issue, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySpan {
    /// The issue.
    pub issue: IssueId,
    /// The digest's own number of it.
    pub number: u32,
    /// Its deliveries.
    pub deliveries: RangeInclusive<DeliveryId>,
}

/// What an issue's reports say, in numbers; kinds without any are absent.
pub type ReportCounts = BTreeMap<ReportKind, u64>;

/// What a report said about one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportStory {
    /// When it was read.
    pub at: DateTime<Utc>,
    /// What it says.
    pub kind: ReportKind,
    /// The code that says so, such as 5.1.1.
    pub code: Option<String>,
    /// In the words of the server that knows.
    pub reason: String,
}

/// The bounce mailbox.
impl Store {
    /// Applies mails in one transaction, and remembers how far their mailbox was
    /// read. So many issues as `hard_limit` have to bounce hard before an address
    /// is suppressed. Once this returns, all is on stable storage.
    ///
    /// # Errors
    /// When the database cannot be read or written; then nothing was applied.
    pub async fn apply_inbound(
        &self,
        mails: Vec<InboundMail>,
        place: Option<MailboxPlace>,
        hard_limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Applied, StoreError> {
        self.write(move |tx| apply(tx, &mails, place.as_ref(), hard_limit, now))
            .await
    }

    /// How far a mailbox was read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mailbox_place(&self, source: &str) -> Result<Option<MailboxPlace>, StoreError> {
        let source = source.to_owned();
        self.read(move |tx| place(tx, &source)).await
    }

    /// The deliveries of issues with one of these numbers that were frozen after
    /// `since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn delivery_spans(
        &self,
        numbers: Vec<u32>,
        since: DateTime<Utc>,
    ) -> Result<Vec<DeliverySpan>, StoreError> {
        self.read(move |tx| spans(tx, &numbers, since)).await
    }
}

fn apply(
    connection: &Connection,
    mails: &[InboundMail],
    place: Option<&MailboxPlace>,
    hard_limit: u32,
    now: DateTime<Utc>,
) -> Result<Applied, Fault> {
    let mut applied = Applied::default();
    let mut told = effects::Told::new(hard_limit);
    for mail in mails {
        let fate = if !remember(connection, mail, now)? {
            Fate::Repeated
        } else {
            match &mail.effect {
                None => Fate::Nothing,
                Some(Effect::Leave(leave)) => effects::leave(connection, leave, now)?,
                Some(Effect::LeftAtRelay(delivery)) => {
                    effects::left_at_relay(connection, *delivery, now)?
                }
                Some(Effect::Report(report)) => {
                    effects::report(connection, report, &mut told, now)?
                }
            }
        };
        applied.fates.push(fate);
    }
    applied.proven = told.proven;
    if applied.proven > 0 {
        issues::finish(connection, now)?;
    }
    applied.alarms = alarms::raise(connection, &told.news)?;
    if let Some(place) = place {
        connection.execute(
            "INSERT INTO mailboxes (source, \"offset\", tail) VALUES (?1, ?2, ?3)
             ON CONFLICT (source) DO UPDATE
                SET \"offset\" = excluded.\"offset\", tail = excluded.tail",
            params![
                place.source,
                i64::try_from(place.offset).unwrap_or(i64::MAX),
                place.tail
            ],
        )?;
    }
    Ok(applied)
}

/// Notes that a mail is dealt with; false when it was before.
fn remember(
    connection: &Connection,
    mail: &InboundMail,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let inserted = connection
        .prepare_cached("INSERT INTO inbound (id, handled) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![&mail.id[..], now.timestamp()])?;
    Ok(inserted > 0)
}

fn place(connection: &Connection, source: &str) -> Result<Option<MailboxPlace>, Fault> {
    let found = connection.query_row(
        "SELECT \"offset\", tail FROM mailboxes WHERE source = ?1",
        [source],
        |row| Ok((codes::count(row, 0)?, row.get(1)?)),
    );
    Ok(found.optional()?.map(|(offset, tail)| MailboxPlace {
        source: source.to_owned(),
        offset,
        tail,
    }))
}

fn spans(
    connection: &Connection,
    numbers: &[u32],
    since: DateTime<Utc>,
) -> Result<Vec<DeliverySpan>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT id, number, first_delivery, last_delivery FROM issues
          WHERE number = ?1 AND frozen_at > ?2",
    )?;
    let mut found = Vec::new();
    for number in numbers {
        let rows = select.query_map(params![number, since.timestamp()], |row| {
            Ok(DeliverySpan {
                issue: row.get(0)?,
                number: row.get(1)?,
                deliveries: row.get(2)?..=row.get(3)?,
            })
        })?;
        found.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// What reports say of an issue, in numbers.
pub(super) fn counts(connection: &Connection, issue: IssueId) -> Result<ReportCounts, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT kind, sum(count)
           FROM (SELECT r.kind, count(*) AS count
                   FROM issues i JOIN reports r
                     ON r.delivery_id BETWEEN i.first_delivery AND i.last_delivery
                  WHERE i.id = ?1 GROUP BY r.kind
                 UNION ALL
                 SELECT number, count FROM remains WHERE issue_id = ?1 AND what = 'report') AS told
          GROUP BY kind",
    )?;
    let rows = select.query_map([issue], |row| {
        Ok((codes::report_kind(row, 0)?, codes::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What reports say of a delivery, the first first.
pub(super) fn of_delivery(
    connection: &Connection,
    delivery: DeliveryId,
) -> Result<Vec<ReportStory>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT at, kind, code, reason FROM reports WHERE delivery_id = ?1 ORDER BY at, kind",
    )?;
    let rows = select.query_map([delivery], |row| {
        Ok(ReportStory {
            at: codes::time(row, 0)?,
            kind: codes::report_kind(row, 1)?,
            code: row.get(2)?,
            reason: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
