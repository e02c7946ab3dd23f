//! What one mail does: a report about a delivery, or a reader who leaves.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::{Fate, Leave, alarms::News};
use crate::{
    domain::{
        consent::Evidence,
        delivery::{DeliveryId, IssueId, State},
        report::{Report, ReportKind},
        subscriber::SubscriberId,
    },
    store::{
        Departure, codes, deliveries, departures,
        error::Fault,
        refused,
        sql::{Connection, OptionalExtension},
        subscribers::{self, SuppressionReason},
    },
};

/// The delivery that a report is about.
struct Known {
    issue: IssueId,
    subscriber: i64,
    state: State,
    is_erased: bool,
}

/// A delivery that left: of one that was never tried nobody can tell anything.
fn known(connection: &Connection, delivery: DeliveryId) -> Result<Option<Known>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.issue_id, d.subscriber_id, d.state, s.address IS NULL
           FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
          WHERE d.id = ?1 AND d.attempt_id IS NOT NULL",
    )?;
    let found = select.query_row([delivery], |row| {
        Ok(Known {
            issue: row.get(0)?,
            subscriber: row.get(1)?,
            state: codes::state(row, 2)?,
            is_erased: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// What a batch of reports tells together.
pub(super) struct Told {
    /// So many issues have to bounce hard before an address is suppressed.
    hard_limit: u32,
    /// Deliveries of which nobody knew that they had been taken.
    pub(super) proven: u64,
    /// By issue and kind.
    pub(super) news: News,
}

impl Told {
    pub(super) fn new(hard_limit: u32) -> Self {
        Self {
            hard_limit,
            proven: 0,
            news: News::default(),
        }
    }
}

/// Records a report, and does what it calls for. Whatever it says, the message
/// had been taken.
pub(super) fn report(
    connection: &Connection,
    report: &Report,
    told: &mut Told,
    now: DateTime<Utc>,
) -> Result<Fate, Fault> {
    let Report { delivery, finding } = report;
    let Some(known) = known(connection, *delivery)? else {
        return Ok(Fate::Unknown);
    };
    if known.state == State::Uncertain {
        told.proven += deliveries::mark_sent(connection, &[*delivery])?;
    }
    if !insert(connection, report, known.is_erased, now)? {
        return Ok(Fate::Told);
    }
    let kind = finding.kind;
    told.news.add(known.issue, kind);
    let reason = match kind {
        ReportKind::HardBounce if told.hard_limit <= 1 => SuppressionReason::HardBounce,
        ReportKind::Complaint => SuppressionReason::Complaint,
        ReportKind::HardBounce | ReportKind::SoftBounce => {
            let limit = told.hard_limit;
            let count = refused::suppress_unreachable(connection, &[*delivery], limit, now)?;
            return Ok(match count {
                0 => Fate::Noted(kind),
                _ => Fate::Suppressed(kind),
            });
        }
        ReportKind::Accepted | ReportKind::Delayed | ReportKind::Blocked => {
            return Ok(Fate::Noted(kind));
        }
    };
    let evidence = Evidence::of(format!("report: {}", reason.as_str()));
    subscribers::suppress_known(connection, known.subscriber, reason, &evidence, now)?;
    Ok(Fate::Suppressed(kind))
}

/// False when the same was told before.
fn insert(
    connection: &Connection,
    report: &Report,
    is_erased: bool,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let Report { delivery, finding } = report;
    let code = finding.code.map(|(class, subject, detail)| {
        // Three numbers of the report's own.
        format!("{class}.{subject}.{detail}")
    });
    let inserted = connection
        .prepare_cached(
            "INSERT INTO reports (delivery_id, kind, at, code, reason)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            delivery,
            codes::of_report_kind(finding.kind),
            now.timestamp(),
            code,
            // Servers quote the address, which we were to forget.
            if is_erased { "" } else { &finding.reason },
        ])?;
    Ok(inserted > 0)
}

/// Lets the reader of a delivery go who left at the relay.
pub(super) fn left_at_relay(
    connection: &Connection,
    delivery: DeliveryId,
    now: DateTime<Utc>,
) -> Result<Fate, Fault> {
    let Some(known) = known(connection, delivery)? else {
        return Ok(Fate::Unknown);
    };
    let public_id = connection
        .prepare_cached("SELECT public_id FROM subscribers WHERE id = ?1")?
        .query_row([known.subscriber], |row| row.get(0))?;
    let leave = Leave {
        subscriber: SubscriberId(public_id),
        departure: Departure::List,
    };
    go(connection, &leave, "relay", now)
}

/// Lets a reader go who wrote so.
pub(super) fn leave(
    connection: &Connection,
    leave: &Leave,
    now: DateTime<Utc>,
) -> Result<Fate, Fault> {
    go(connection, leave, "mail", now)
}

/// `source` is through what the reader left.
fn go(
    connection: &Connection,
    leave: &Leave,
    source: &str,
    now: DateTime<Utc>,
) -> Result<Fate, Fault> {
    let before = standing(connection, leave)?;
    let evidence = Evidence::of(source);
    let through = (&evidence, now);
    let outcome = departures::go(connection, leave.subscriber, &leave.departure, through)?;
    Ok(match outcome.was {
        None => Fate::Unknown,
        Some(_) if outcome.cancelled_deliveries > 0 => Fate::Left,
        Some(_) if before != standing(connection, leave)? => Fate::Left,
        Some(_) => Fate::Gone,
    })
}

/// Status and choice of a reader, as the ledger numbers them.
fn standing(connection: &Connection, leave: &Leave) -> Result<Option<(i64, Option<i64>)>, Fault> {
    let found = connection
        .prepare_cached("SELECT status, choice_id FROM subscribers WHERE public_id = ?1")?
        .query_row([&leave.subscriber.0[..]], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
    Ok(found.optional()?)
}
