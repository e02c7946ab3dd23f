//! Which hubs are still to be told of which feeds (WebSub).

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::store::sql::Connection;
use crate::store::{codes, error::Fault};

/// A ping that was taken is nobody else's for so long.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// No ping waits longer than this: one that seems to was noted by a clock that
/// has been set back since, and is due.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(2);

/// A hub that has to be told, once the feeds stand in their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Address of the hub.
    pub hub: String,
    /// Public addresses of the feeds that change.
    pub topics: Vec<String>,
}

/// A feed whose change a hub is to be told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Public address of the feed.
    pub topic: String,
    /// Which change of the feed this is about.
    revision: i64,
    /// When the feed last changed.
    pub changed_at: DateTime<Utc>,
    /// How often the hub was asked in vain.
    pub attempts: u32,
    /// Since when it does not accept.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What became of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PingFate {
    /// The hub accepted it.
    Told,
    /// It did not; asked again at this time.
    Failed {
        /// When to ask again.
        again_at: DateTime<Utc>,
        /// In one phrase.
        error: String,
    },
    /// The hub was not asked for lack of time.
    NotAsked,
    /// Given up.
    Dropped,
}

/// The pings that wait, for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingPings {
    /// How many feeds.
    pub count: u64,
    /// When the first of them changed.
    pub since: DateTime<Utc>,
    /// When the next is due.
    pub next_at: DateTime<Utc>,
    /// Why the newest attempt failed, if one did.
    pub last_error: Option<String>,
}

/// Notes that a hub is to be told, but not before [`make_ready`]. A hub that
/// does not answer is not asked sooner because there is more news.
pub(super) fn queue(connection: &Connection, news: &News, now: DateTime<Utc>) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO pings (hub, topic, revision, is_ready, changed_at, due_at)
         VALUES (?1, ?2, 1, 0, ?3, ?3)
         ON CONFLICT (hub, topic) DO UPDATE
            SET revision = pings.revision + 1, is_ready = 0, changed_at = excluded.changed_at",
    )?;
    for topic in &news.topics {
        insert.execute(params![news.hub, topic, now.timestamp()])?;
    }
    Ok(())
}

/// What was queued may be told.
pub(super) fn make_ready(connection: &Connection) -> Result<(), Fault> {
    connection.execute("UPDATE pings SET is_ready = 1 WHERE is_ready = 0", [])?;
    Ok(())
}

/// Takes the pings that are due, oldest first, so that no other process sends
/// them too. Those for any other hub are forgotten: nobody is subscribed there
/// to what the feeds announce now.
pub(super) fn take(
    connection: &Connection,
    hub: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Ping>, Fault> {
    connection.execute("DELETE FROM pings WHERE hub IS DISTINCT FROM ?1", [hub])?;
    let mut select = connection.prepare_cached(
        "SELECT topic, revision, changed_at, attempts, failing_since FROM pings
          WHERE is_ready = 1 AND (due_at <= ?1 OR due_at > ?2)
          ORDER BY due_at, topic",
    )?;
    let latest = now + LONGEST_WAIT;
    let pings = select
        .query_map(params![now.timestamp(), latest.timestamp()], |row| {
            Ok(Ping {
                topic: row.get(0)?,
                revision: row.get(1)?,
                changed_at: codes::time(row, 2)?,
                attempts: row.get(3)?,
                failing_since: codes::time_if_any(row, 4)?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    // Only this hub's are left.
    let mut lease = connection.prepare_cached("UPDATE pings SET due_at = ?2 WHERE topic = ?1")?;
    let until = now + LEASE;
    for ping in &pings {
        lease.execute(params![ping.topic, until.timestamp()])?;
    }
    Ok(pings)
}

/// Records what became of pings that were taken.
pub(super) fn settle(
    connection: &Connection,
    hub: &str,
    pings: &[(Ping, PingFate)],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut told = connection
        .prepare_cached("DELETE FROM pings WHERE hub = ?1 AND topic = ?2 AND revision = ?3")?;
    // The feed changed while the hub was told of it: it is told again.
    let mut told_too_early = connection.prepare_cached(
        "UPDATE pings SET due_at = ?3, attempts = 0, failing_since = NULL, last_error = NULL
          WHERE hub = ?1 AND topic = ?2",
    )?;
    let mut failed = connection.prepare_cached(
        "UPDATE pings SET due_at = ?3, attempts = attempts + 1, last_error = ?4,
                failing_since = coalesce(failing_since, ?5)
          WHERE hub = ?1 AND topic = ?2",
    )?;
    let mut not_asked =
        connection.prepare_cached("UPDATE pings SET due_at = ?3 WHERE hub = ?1 AND topic = ?2")?;
    for (ping, fate) in pings {
        match fate {
            PingFate::Told | PingFate::Dropped => {
                if told.execute(params![hub, ping.topic, ping.revision])? == 0 {
                    told_too_early.execute(params![hub, ping.topic, now.timestamp()])?;
                }
            }
            PingFate::Failed { again_at, error } => {
                failed.execute(params![
                    hub,
                    ping.topic,
                    again_at.timestamp(),
                    error,
                    now.timestamp()
                ])?;
            }
            PingFate::NotAsked => {
                not_asked.execute(params![hub, ping.topic, now.timestamp()])?;
            }
        }
    }
    Ok(())
}

/// The pings that wait; `None` when every hub knows everything.
pub(super) fn waiting(connection: &Connection) -> Result<Option<WaitingPings>, Fault> {
    let mut select = connection.prepare(
        "SELECT count(*), min(changed_at), min(due_at),
                (SELECT last_error FROM pings WHERE last_error IS NOT NULL
                  ORDER BY due_at DESC LIMIT 1)
           FROM pings HAVING count(*) > 0",
    )?;
    let mut rows = select.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(WaitingPings {
        count: codes::count(&row, 0)?,
        since: codes::time(&row, 1)?,
        next_at: codes::time(&row, 2)?,
        last_error: row.get(3)?,
    }))
}
