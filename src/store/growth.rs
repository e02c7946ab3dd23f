//! How the list grew and shrank, as the record of consent tells it.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono_tz::Tz;

use crate::store::error::Fault;
use crate::store::sql::Connection;

/// How many readers came and went in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Month {
    /// Became active: added, imported, or by their own yes.
    pub joined: u64,
    /// Left, or asked never to be written to.
    pub left: u64,
    /// Their address refused mail.
    pub bounced: u64,
    /// Reported a message as unwanted.
    pub complained: u64,
    /// Were erased while they were active.
    pub erased: u64,
}

/// What an event made of its reader.
enum Change {
    Joins,
    Goes(fn(&mut Month) -> &mut u64),
    None,
}

fn change(kind: &str, what: &str) -> Change {
    match kind {
        "confirmed" => Change::Joins,
        // An erased reader's words are gone; most had joined as active.
        "added" | "imported" if matches!(what, "added" | "imported") => Change::Joins,
        // Moved to pending by a list.
        "added" | "imported" if what == "pending" => Change::Goes(|month| &mut month.left),
        // Whoever leaves one digest stays.
        "left" if !what.starts_with("left ") => Change::Goes(|month| &mut month.left),
        "suppressed" => Change::Goes(|month| &mut month.left),
        "bounced" => Change::Goes(|month| &mut month.bounced),
        "complained" => Change::Goes(|month| &mut month.complained),
        "erased" => Change::Goes(|month| &mut month.erased),
        _ => Change::None,
    }
}

/// By month, `2026-11`, in a time zone.
pub(super) fn by_month(
    connection: &Connection,
    zone: Tz,
) -> Result<BTreeMap<String, Month>, Fault> {
    let mut select = connection
        .prepare("SELECT subscriber_id, at, kind, what FROM events ORDER BY subscriber_id, id")?;
    let mut rows = select.query([])?;
    let mut months: BTreeMap<String, Month> = BTreeMap::new();
    let mut standing: (i64, bool) = (0, false);
    while let Some(row) = rows.next()? {
        let subscriber: i64 = row.get(0)?;
        if standing.0 != subscriber {
            standing = (subscriber, false);
        }
        let (kind, what) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
        // Only who was not active joins, and only who was goes.
        let counted: fn(&mut Month) -> &mut u64 = match (change(kind, what), standing.1) {
            (Change::Joins, false) => |month| &mut month.joined,
            (Change::Goes(counted), true) => counted,
            _ => continue,
        };
        standing.1 = !standing.1;
        let at = DateTime::from_timestamp(row.get(1)?, 0).unwrap_or_default();
        let month = at.with_timezone(&zone).format("%Y-%m").to_string();
        *counted(months.entry(month).or_default()) += 1;
    }
    Ok(months)
}
