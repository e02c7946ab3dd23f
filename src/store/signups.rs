//! Double opt-in: somebody asks in a reader's name, the reader says yes. The
//! only way by which a status ever moves toward more mail.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::params;
use sha2::Sha256;

use crate::{
    domain::{
        address::EmailAddress,
        article::Slug,
        choice::Choice,
        consent::{
            ASK_EVERY, Answer, CONFIRM_WITHIN, Evidence, FORGET_AFTER, Happening, MOST_ASKINGS,
            SignUp,
        },
        delivery::DeliveryId,
        subscriber::{NewSubscriber, Status, Subscriber, SubscriberId},
    },
    store::{
        choices, codes, consent,
        error::Fault,
        joining::{self, Candidate},
        notices,
        sql::{Connection, OptionalExtension},
        subscribers,
    },
};

/// A reader who said yes.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// As they stand now.
    pub reader: Subscriber,
    /// The digest that they were asked about.
    pub digest: Slug,
}

/// HMAC of what the spellings of one mailbox have in common, under a key of
/// its own: it must not be taken for the hash of a suppression.
fn folded(install_key: &[u8; 32], address: &EmailAddress) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(install_key).expect("HMAC takes a key of any length");
    mac.update(b"mailbox ");
    mac.update(address.abuse_key().as_bytes());
    mac.finalize().into_bytes().into()
}

/// Somebody asks to join. What that leads to is for the owner of the address
/// alone, so nothing is returned; and something is written whatever it leads
/// to, so that it takes the same time.
pub(super) fn sign_up(
    connection: &Connection,
    install_key: &[u8; 32],
    ask: &SignUp,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mailbox = folded(install_key, &ask.address);
    if !count_request(connection, &mailbox, now)? {
        return Ok(());
    }
    let hash = subscribers::hash(install_key, &ask.address);
    let reason = subscribers::suppression(connection, &hash)?;
    if reason.is_some_and(subscribers::SuppressionReason::is_for_good) {
        return Ok(());
    }
    let id = match subscribers::find(connection, &ask.address)? {
        Some((_, reader)) if !is_news(&reader, ask) => return Ok(()),
        Some((id, _)) => id,
        None => join(connection, ask, hash, evidence, now)?,
    };
    let what = format!("asked for {}", ask.digest);
    consent::record(connection, id, Happening::Asked, &what, evidence, now)?;
    let choice = choices::intern(connection, &ask.choice)?;
    connection
        .prepare_cached(
            "INSERT INTO signups (subscriber_id, digest, name, choice_id, asked_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (subscriber_id) DO UPDATE
                SET digest = excluded.digest, name = excluded.name,
                    choice_id = excluded.choice_id, asked_at = excluded.asked_at",
        )?
        .execute(params![
            id,
            ask.digest.as_str(),
            ask.name,
            choice,
            now.timestamp()
        ])?;
    connection
        .prepare_cached(
            "UPDATE askings SET times = times + 1, last_at = ?2 WHERE address_hash = ?1",
        )?
        .execute(params![&mailbox[..], now.timestamp()])?;
    want(connection, id, Answer::Confirm, ask.digest.as_str(), now)
}

/// Counts a request; whether the mailbox may be asked once more.
fn count_request(
    connection: &Connection,
    mailbox: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let mut count = connection.prepare_cached(
        "INSERT INTO askings (address_hash, requests, times) VALUES (?1, 1, 0)
         ON CONFLICT (address_hash) DO UPDATE SET requests = askings.requests + 1
         RETURNING times < ?2 AND (last_at IS NULL OR last_at <= ?3)",
    )?;
    let before = (now - ASK_EVERY).timestamp();
    Ok(
        count.query_row(params![&mailbox[..], MOST_ASKINGS, before], |row| {
            row.get(0)
        })?,
    )
}

/// Whether a reader's yes would change anything.
fn is_news(reader: &Subscriber, ask: &SignUp) -> bool {
    match reader.status {
        Status::Active => !reader.choice.takes(&ask.digest),
        Status::Pending | Status::Bounced | Status::Unsubscribed => true,
        Status::Complained | Status::Erased => false,
    }
}

/// Puts an address on the list that is not there. A name waits for the
/// reader's yes: until then it is what a stranger typed.
fn join(
    connection: &Connection,
    ask: &SignUp,
    hash: [u8; 32],
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<i64, Fault> {
    let reader = NewSubscriber {
        address: ask.address.clone(),
        name: None,
        status: Status::Pending,
        choice: Choice::default(),
    };
    let candidate = Candidate::of(&reader, hash);
    let made = joining::insert(connection, &[&candidate], &evidence.source, now)?;
    Ok(made[0])
}

/// Notes that a reader is to get a single mail; once, however often it is noted
/// before that is made. Whether the publication sends such mails is decided
/// then. The digest is empty where the reader left all.
pub(super) fn want(
    connection: &Connection,
    subscriber: i64,
    answer: Answer,
    digest: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO answers (subscriber_id, kind, digest, wanted_at)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            subscriber,
            answer.as_str(),
            digest,
            now.timestamp()
        ])?;
    Ok(())
}

/// Who said yes, or was erased, is counted anew.
pub(super) fn forget_requests(
    connection: &Connection,
    install_key: &[u8; 32],
    address: &EmailAddress,
) -> Result<(), Fault> {
    let mailbox = folded(install_key, address);
    connection.execute(
        "DELETE FROM askings WHERE address_hash = ?1",
        [&mailbox[..]],
    )?;
    Ok(())
}

/// What waits for a yes.
pub(super) struct Waiting {
    pub(super) digest: Slug,
    pub(super) name: Option<String>,
    pub(super) choice: Choice,
    pub(super) asked: DateTime<Utc>,
}

pub(super) fn waiting(connection: &Connection, subscriber: i64) -> Result<Option<Waiting>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT digest, name, (SELECT choice FROM choices c WHERE c.id = choice_id), asked_at
           FROM signups WHERE subscriber_id = ?1",
    )?;
    let found = select.query_row([subscriber], |row| {
        Ok(Waiting {
            digest: codes::parsed(row, 0)?,
            name: row.get(1)?,
            choice: codes::choice_if_any(row, 2)?,
            asked: codes::time(row, 3)?,
        })
    });
    Ok(found.optional()?)
}

/// Which digest a reader is asked about, while a yes would still count.
pub(super) fn asked_about(
    connection: &Connection,
    reader: SubscriberId,
    now: DateTime<Utc>,
) -> Result<Option<Slug>, Fault> {
    let Some((id, _)) = subscribers::find_who(connection, &reader.into())? else {
        return Ok(None);
    };
    let waiting = waiting(connection, id)?;
    Ok(waiting
        .filter(|ask| is_open(ask, now))
        .map(|ask| ask.digest))
}

fn is_open(ask: &Waiting, now: DateTime<Utc>) -> bool {
    now < ask.asked + CONFIRM_WITHIN
}

/// The reader says yes. `None` when nothing waits for that: it was said before,
/// too late, or somebody must never be written to.
pub(super) fn confirm(
    connection: &Connection,
    install_key: &[u8; 32],
    (reader, asked): (SubscriberId, DeliveryId),
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<Option<Confirmed>, Fault> {
    let who = reader.into();
    let Some((id, reader)) = subscribers::find_who(connection, &who)? else {
        return Ok(None);
    };
    let Some(ask) = waiting(connection, id)?.filter(|ask| is_open(ask, now)) else {
        return Ok(None);
    };
    if !is_about(connection, asked, id, &ask)? {
        return Ok(None);
    }
    let hash = subscribers::hash(install_key, &reader.address);
    let reason = subscribers::suppression(connection, &hash)?;
    let is_barred = reason.is_some_and(subscribers::SuppressionReason::is_for_good);
    if is_barred || reader.status == Status::Complained {
        return Ok(None);
    }
    let choice = joined(&reader, &ask);
    connection
        .prepare_cached(
            "UPDATE subscribers
                SET status = 0, name = coalesce(?2, name), choice_id = ?3, paused_until = NULL,
                    changed_at = ?4
              WHERE id = ?1",
        )?
        .execute(params![
            id,
            ask.name,
            choices::intern(connection, &choice)?,
            now.timestamp()
        ])?;
    // The yes came from the mailbox: it takes mail, and its owner wants it.
    connection.execute(
        "DELETE FROM suppressions WHERE address_hash = ?1",
        [&hash[..]],
    )?;
    forget_requests(connection, install_key, &reader.address)?;
    subscribers::forget_wishes(connection, id)?;
    connection.execute(
        "UPDATE deliveries SET state = 8
          WHERE subscriber_id = ?1 AND state IN (0, 1)
            AND issue_id IN (SELECT id FROM issues WHERE notice IN ('confirm', 'goodbye'))",
        [id],
    )?;
    let what = format!("confirmed {}; gets {}", ask.digest, choice.in_words());
    consent::record(connection, id, Happening::Confirmed, &what, evidence, now)?;
    for answer in [Answer::Welcome, Answer::Latest] {
        want(connection, id, answer, ask.digest.as_str(), now)?;
    }
    let found = subscribers::find_who(connection, &who)?;
    Ok(found.map(|(_, reader)| Confirmed {
        reader,
        digest: ask.digest,
    }))
}

/// Whether a mail asked this reader for what waits now: not for something that
/// was asked before, and not to anybody else. Mails that ask share an edition for
/// a while, so it may be that much older than the request.
fn is_about(
    connection: &Connection,
    asked: DeliveryId,
    subscriber: i64,
    waiting: &Waiting,
) -> Result<bool, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
          WHERE d.id = ?1 AND d.subscriber_id = ?2 AND i.notice = ?3 AND i.frozen_at > ?4",
    )?;
    let since = (waiting.asked - notices::SHARED).timestamp();
    Ok(select.exists(params![asked, subscriber, Answer::Confirm.as_str(), since])?)
}

/// What a reader gets after a yes. Who is active keeps what they had.
fn joined(reader: &Subscriber, ask: &Waiting) -> Choice {
    if reader.status != Status::Active {
        return ask.choice.clone();
    }
    let mut choice = reader.choice.clone();
    if !choice.digests.is_empty() {
        choice.digests.insert(ask.digest.clone());
        choice.digests.extend(ask.choice.digests.iter().cloned());
    }
    choice
}

/// Forgets who has not confirmed for so long that nobody will; says how many.
pub(super) fn forget(connection: &Connection, now: DateTime<Utc>) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT s.id, s.status FROM signups u JOIN subscribers s ON s.id = u.subscriber_id
          WHERE u.asked_at <= ?1",
    )?;
    let rows = select.query_map([(now - FORGET_AFTER).timestamp()], |row| {
        Ok((row.get(0)?, codes::status(row, 1)?))
    })?;
    let stale: Vec<(i64, Status)> = rows.collect::<Result<_, _>>()?;
    for (id, status) in &stale {
        subscribers::forget_wishes(connection, *id)?;
        if *status == Status::Pending {
            super::erasing::strip(connection, *id)?;
            remove(connection, *id)?;
        }
    }
    Ok(stale.len() as u64)
}

/// Removes the empty row of somebody who never said yes, unless mail hangs on
/// it that an issue counts.
fn remove(connection: &Connection, id: i64) -> Result<(), Fault> {
    let has_mail = connection
        .prepare_cached("SELECT 1 FROM deliveries WHERE subscriber_id = ?1")?
        .exists([id])?;
    if !has_mail {
        connection.execute("DELETE FROM events WHERE subscriber_id = ?1", [id])?;
        connection.execute("DELETE FROM subscribers WHERE id = ?1", [id])?;
    }
    Ok(())
}
