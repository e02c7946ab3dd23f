//! Leases of workers: how they begin, are kept up, end, and what becomes of what
//! a lost worker had in hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use rusqlite::params;
use tokio::sync::watch;
use tokio_postgres::types::Type;

use super::{Failure, Link, claims, opening};
use crate::{
    config::settings::ServerSettings,
    moment::Moment,
    store::{
        CRASH, Recovered, codes,
        error::{Fault, StoreError},
        sql::Connection,
        workers::{NewWorker, Worker},
    },
};

/// Between two tries to tell the server that the worker lives.
const RETRY: Duration = Duration::from_millis(500);

/// What keeps a lease up; it stops when dropped.
pub(in crate::store) struct Heartbeat {
    /// Closed by being dropped.
    _stop: Sender<()>,
    /// Messages that relays took.
    pub(in crate::store) sent: Arc<AtomicU64>,
    /// Until when the lease lasts.
    pub(in crate::store) deadline: watch::Receiver<Option<Moment>>,
}

/// Enters a worker; says its number.
pub(in crate::store) fn enter(
    connection: &Connection,
    worker: &NewWorker,
    lease: Duration,
) -> Result<i64, Fault> {
    let epoch = connection.query_row(
        "INSERT INTO workers (host, pid, relay, lease_end)
         VALUES (?1, ?2, ?3, clock_timestamp() + ?4 * interval '1 millisecond') RETURNING id",
        params![worker.host, worker.pid, worker.relay, millis(lease)],
        |row| row.get(0),
    )?;
    connection.execute(
        "UPDATE runs SET worker_id = ?2 WHERE id = ?1",
        [worker.run, epoch],
    )?;
    Ok(epoch)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// What of a lease this machine relies on: clocks do not go at quite one speed.
fn reliable(lease: Duration) -> Duration {
    lease - lease / 10
}

/// Keeps up the lease of a worker who entered after `entered`, by a session beside
/// the one that `main` has.
pub(in crate::store) fn keep_up(
    main: &Link,
    server: &ServerSettings,
    worker: i64,
    entered: Moment,
) -> Result<Heartbeat, StoreError> {
    let mut link = opening::link(server)?;
    // What one of them knows of a failover, the other does, too.
    link.newest = main.newest();
    let lease = server.lease;
    // A sign of life that is not answered is given again while it still counts.
    link.longest.set(lease / 3);
    let (stop, stopped) = mpsc::channel::<()>();
    let (tell, deadline) = watch::channel(Some(entered + reliable(lease)));
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let beat = move || {
        let mut wait = lease / 3;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
            let asked = Moment::now();
            match renew(&link, worker, lease, counted.load(Ordering::Relaxed)) {
                Ok(true) => {
                    tell.send_replace(Some(asked + reliable(lease)));
                    wait = lease / 3;
                }
                Ok(false) => break,
                // The deadline stands; it may still be met.
                Err(_) => wait = RETRY.min(lease / 3),
            }
        }
        tell.send_replace(None);
    };
    thread::Builder::new()
        .name("lease".to_owned())
        .spawn(beat)
        .map_err(|error| StoreError::system(server.name.clone().into(), error))?;
    Ok(Heartbeat {
        _stop: stop,
        sent,
        deadline,
    })
}

/// A sign of life; false when it comes too late.
fn renew(link: &Link, worker: i64, lease: Duration, sent: u64) -> Result<bool, Failure> {
    link.connect()?;
    let renewed = link.query_given(
        "UPDATE workers SET lease_end = clock_timestamp() + $2 * interval '1 millisecond', sent = $3
          WHERE id = $1 AND ended_at IS NULL AND lease_end > clock_timestamp()
         RETURNING id",
        &[
            (&worker, Type::INT8),
            (&millis(lease), Type::INT8),
            (&sent.cast_signed(), Type::INT8),
        ],
    )?;
    Ok(!renewed.is_empty())
}

/// Ends a lease in order.
pub(in crate::store) fn end(connection: &Connection, worker: i64, sent: u64) -> Result<(), Fault> {
    claims::release_all(connection, worker)?;
    connection.execute(
        "UPDATE workers SET ended_at = clock_timestamp(), sent = ?2 WHERE id = ?1",
        params![worker, sent.cast_signed()],
    )?;
    Ok(())
}

/// Takes up what lost workers left: claims when their lease is over, what was
/// under way after as long again.
pub(in crate::store) fn reap(
    connection: &Connection,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Recovered, Fault> {
    let lost = connection
        .prepare(
            "SELECT id, lease_end + ?1 * interval '1 millisecond' < clock_timestamp()
               FROM workers WHERE ended_at IS NULL AND lease_end < clock_timestamp()
              ORDER BY id FOR UPDATE SKIP LOCKED",
        )?
        .query_map([millis(lease)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, bool)>, _>>()?;
    let mut found = Recovered::default();
    for (worker, is_given_up) in lost {
        found.requeued += claims::release_all(connection, worker)?;
        if is_given_up {
            connection.execute(
                "UPDATE workers SET ended_at = clock_timestamp() WHERE id = ?1",
                [worker],
            )?;
        }
    }
    doubt(connection, now, &mut found)?;
    Ok(found)
}

/// Makes uncertain what is under way of nobody who is at work.
fn doubt(connection: &Connection, now: DateTime<Utc>, found: &mut Recovered) -> Result<(), Fault> {
    let (uncertain, crashed) = connection.query_row(
        "WITH lost AS (
             SELECT d.id, d.attempt_id FROM deliveries d
              WHERE d.state = 2
                AND NOT EXISTS (SELECT 1 FROM workers w
                                 WHERE w.id = d.worker_id AND w.ended_at IS NULL)
                FOR UPDATE OF d SKIP LOCKED),
         told AS (
             UPDATE attempts a SET ended_at = ?1, outcome = 6, reply = ?2
               FROM lost WHERE a.id = lost.attempt_id AND a.outcome IS NULL
             RETURNING a.started_at),
         doubted AS (
             UPDATE deliveries d SET state = 4, attempts = d.attempts + 1
               FROM lost WHERE d.id = lost.id
             RETURNING d.id)
         SELECT (SELECT count(*) FROM doubted), (SELECT max(started_at) FROM told)",
        params![now.timestamp(), CRASH],
        |row| Ok((codes::count(row, 0)?, codes::time_if_any(row, 1)?)),
    )?;
    found.uncertain = uncertain;
    found.crashed = crashed;
    Ok(())
}

/// What the server's clock shows.
pub(in crate::store) fn time(connection: &Connection) -> Result<DateTime<Utc>, Fault> {
    let sql = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    Ok(connection.query_row(sql, [], |row| codes::time(row, 0))?)
}

/// Who is at work, in the order they came.
pub(in crate::store) fn at_work(connection: &Connection) -> Result<Vec<Worker>, Fault> {
    let mut select = connection.prepare(
        "SELECT w.id, w.host, w.pid, w.relay, w.sent,
                extract(epoch FROM clock_timestamp() - w.started_at)::bigint,
                extract(epoch FROM w.lease_end - clock_timestamp())::bigint,
                (SELECT count(*) FROM deliveries d WHERE d.worker_id = w.id AND d.state = 1)
              + (SELECT count(*) FROM deliveries d WHERE d.worker_id = w.id AND d.state = 2)
           FROM workers w
          WHERE w.ended_at IS NULL AND w.lease_end > clock_timestamp()
          ORDER BY w.id",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Worker {
            epoch: row.get(0)?,
            host: row.get(1)?,
            pid: row.get(2)?,
            relay: row.get(3)?,
            sent: codes::count(row, 4)?,
            seconds: codes::count(row, 5)?,
            lease_seconds: codes::count(row, 6)?,
            in_hand: codes::count(row, 7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
