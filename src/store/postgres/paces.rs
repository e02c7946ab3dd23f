//! The common pace in the database: of each relay and each slow receiver, when the
//! next message may leave. Who takes messages moves that moment on.

use std::time::Duration;

use rusqlite::params;
use tokio_postgres::types::Type;

use super::Link;
use crate::store::{
    codes,
    error::Fault,
    paces::{Allowance, Refusal, SlowReceiver},
    sql::{Connection, Row},
};

/// A receiver that puts messages off gets one in so long, and twice as long each
/// time it does so again.
const FIRST_STEP: Duration = Duration::from_millis(500);
/// But no longer than this: greylisting is meant for each reader.
const LONGEST_STEP: Duration = Duration::from_secs(5);
/// Or than this, where it asked for less outright.
const LONGEST_FIRM_STEP: Duration = Duration::from_secs(60);
/// What follows within so long is the same refusal, of messages under way.
const SAME: &str = "interval '5 seconds'";
/// After so long without a refusal a receiver is served twice as fast.
const EASE: &str = "interval '60 seconds'";
/// Messages are allowed so far ahead.
const AHEAD: Duration = Duration::from_secs(5);

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// See [`crate::store::Store::take_pace`].
pub(in crate::store) fn take(
    connection: &Connection,
    relay: &str,
    count: u32,
    step: Duration,
) -> Result<Duration, Fault> {
    let taken = micros(step * count);
    let wait = connection.query_row(
        "INSERT INTO paces AS p (relay, domain, free_at, step)
         VALUES (?1, '', clock_timestamp() + ?2 * interval '1 microsecond', ?3)
         ON CONFLICT (relay, domain) DO UPDATE
            SET step = excluded.step,
                free_at = greatest(p.free_at, clock_timestamp())
                        + ?2 * interval '1 microsecond'
         RETURNING (extract(epoch FROM free_at - clock_timestamp()) * 1000000)::bigint - ?2",
        params![relay, taken, micros(step)],
        |row| row.get::<i64>(0),
    )?;
    Ok(span(wait))
}

/// See [`crate::store::Store::rest_relay`].
pub(in crate::store) fn rest(
    connection: &Connection,
    relay: &str,
    reply: &str,
) -> Result<(), Fault> {
    connection.execute(
        &format!(
            "INSERT INTO paces AS p (relay, domain, free_at, step, refusals, refused_at, reply)
             VALUES (?1, '', clock_timestamp() + interval '2 seconds', 0, 1, clock_timestamp(), ?2)
             ON CONFLICT (relay, domain) DO UPDATE
                SET refusals = CASE WHEN p.refused_at > clock_timestamp() - interval '5 minutes'
                                    THEN p.refusals + 1 ELSE 1 END,
                    free_at = greatest(p.free_at, clock_timestamp()
                        + CASE WHEN p.refused_at > clock_timestamp() - interval '5 minutes'
                               THEN least(60, 2 ^ least(p.refusals + 1, 6)) ELSE 2 END
                        * interval '1 second'),
                    refused_at = clock_timestamp(), reply = excluded.reply
              WHERE p.refused_at IS NULL OR p.refused_at < clock_timestamp() - {SAME}"
        ),
        params![relay, reply],
    )?;
    Ok(())
}

/// A receiver put messages off.
pub(in crate::store) fn refused(connection: &Connection, refusal: &Refusal) -> Result<(), Fault> {
    let longest = match refusal.is_firm {
        true => LONGEST_FIRM_STEP,
        false => LONGEST_STEP,
    };
    connection.execute(
        &format!(
            "INSERT INTO paces AS p (relay, domain, free_at, step, refusals, refused_at, reply)
             VALUES ('', ?1, clock_timestamp() + ?2 * interval '1 microsecond', ?2, ?4,
                     clock_timestamp(), ?5)
             ON CONFLICT (relay, domain) DO UPDATE
                SET step = CASE WHEN p.refused_at > clock_timestamp() - {SAME} THEN p.step
                                ELSE greatest(p.step, least(?3, greatest(?2, p.step * 2))) END,
                    refused_at = CASE WHEN p.refused_at > clock_timestamp() - {SAME}
                                      THEN p.refused_at ELSE clock_timestamp() END,
                    refusals = p.refusals + excluded.refusals, reply = excluded.reply"
        ),
        params![
            refusal.domain,
            micros(FIRST_STEP),
            micros(longest),
            refusal.count.cast_signed(),
            refusal.reply
        ],
    )?;
    Ok(())
}

/// How many may leave to each receiver that is served slowly; who was refused
/// nothing for a while is served faster, and in the end like everybody.
pub(in crate::store) fn allow(
    link: &Link,
    wanted: &[(String, usize)],
) -> Result<Vec<Allowance>, Fault> {
    let (domains, counts): (Vec<&str>, Vec<i64>) = wanted
        .iter()
        .map(|(domain, count)| (domain.as_str(), i64::try_from(*count).unwrap_or(i64::MAX)))
        .unzip();
    let sql = format!(
        "WITH asked AS (
             SELECT p.domain, a.count, greatest(p.free_at, clock_timestamp()) AS free,
                    CASE WHEN p.refused_at > clock_timestamp() - {EASE} THEN p.step
                         WHEN p.step <= $3 THEN 0 ELSE p.step / 2 END AS step,
                    CASE WHEN p.refused_at > clock_timestamp() - {EASE} THEN p.refused_at
                         ELSE clock_timestamp() END AS eased_at
               FROM unnest($1, $2) AS a (domain, count)
               JOIN paces p ON p.relay = '' AND p.domain = a.domain
              ORDER BY p.domain FOR UPDATE OF p),
         allowed AS (
             SELECT *, CASE WHEN step = 0 THEN count
                            ELSE least(count, greatest(0, ceil(
                                extract(epoch FROM clock_timestamp() - free) * 1000000 / step
                                + $4::bigint::numeric / step)))::bigint END AS now
               FROM asked),
         moved AS (
             UPDATE paces p
                SET step = a.step, refused_at = a.eased_at,
                    refusals = CASE WHEN a.step = 0 THEN 0 ELSE p.refusals END,
                    free_at = a.free + a.now * a.step * interval '1 microsecond'
               FROM allowed a WHERE p.relay = '' AND p.domain = a.domain
             RETURNING p.domain, a.now, p.free_at, a.step)
         SELECT domain, now, (extract(epoch FROM free_at - clock_timestamp()) * 1000000)::bigint,
                step
           FROM moved WHERE step > 0"
    );
    let found = link.query_given(
        &sql,
        &[
            (&domains, Type::TEXT_ARRAY),
            (&counts, Type::INT8_ARRAY),
            (&micros(FIRST_STEP), Type::INT8),
            (&micros(AHEAD), Type::INT8),
        ],
    )?;
    let read = |values: &Vec<_>| {
        let row = Row::Postgres(values);
        Ok(Allowance {
            domain: row.get(0)?,
            now: usize::try_from(row.get::<i64>(1)?).unwrap_or_default(),
            next: span(row.get(2)?),
            step: span(row.get(3)?),
        })
    };
    found.iter().map(read).collect()
}

/// Receivers that are served slowly, the slowest first.
pub(in crate::store) fn slow(connection: &Connection) -> Result<Vec<SlowReceiver>, Fault> {
    let mut select = connection.prepare(
        "SELECT domain, refusals, step / 1000, coalesce(reply, '') FROM paces
          WHERE relay = '' AND step > 0 ORDER BY step DESC, refusals DESC, domain LIMIT 50",
    )?;
    let rows = select.query_map([], |row| {
        Ok(SlowReceiver {
            domain: row.get(0)?,
            refusals: codes::count(row, 1)?,
            step_ms: codes::count(row, 2)?,
            reply: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
