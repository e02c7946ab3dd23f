//! Opening a ledger, whichever engine holds it: its key, and a look at whether
//! it is sound before anything is sent.

use std::{io, sync::Arc};

use chrono::{DateTime, Utc};
use rusqlite::params;

use crate::{
    config::settings::{Engine, StoreSettings},
    store::{
        error::{Fault, StoreError, Trouble},
        moving, postgres,
        session::Session,
        sql::{self, Connection, OptionalExtension},
        sqlite,
    },
};

/// How a ledger is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Made if absent, migrated if older.
    ReadWrite,
    /// Only read; never made, never migrated.
    ReadOnly,
}

/// Opens the ledger; `None` when it is only to be read and is not there. One that
/// was moved elsewhere is only read, unless it `may_have_left`.
pub(super) fn open(
    settings: &StoreSettings,
    access: Access,
    may_have_left: bool,
    now: DateTime<Utc>,
) -> Result<Option<(Session, [u8; 32])>, StoreError> {
    let Some(mut session) = session(settings, access)? else {
        return Ok(None);
    };
    // Reading waits for nobody: a ledger that another process writes to can be
    // opened all the same.
    let place = session.transact(sql::Access::Read, moving::place)?;
    place.check(
        &settings.name(),
        may_have_left || access == Access::ReadOnly,
    )?;
    let key = match place.key {
        Some(key) => key,
        None => new_key(&mut session, access, now)?,
    };
    if access == Access::ReadWrite {
        session.is_of(&key);
    }
    Ok(Some((session, key)))
}

/// Opens the database, whatever it says of its ledger; `None` when it is only to
/// be read and is not there.
pub(super) fn session(
    settings: &StoreSettings,
    access: Access,
) -> Result<Option<Session>, StoreError> {
    let connection = match &settings.engine {
        Engine::Sqlite => sqlite::open(settings, access)?.map(Connection::Sqlite),
        Engine::Postgres(server) => {
            postgres::open(server, access)?.map(|link| Connection::Postgres(Box::new(link)))
        }
    };
    Ok(connection.map(|connection| Session::new(connection, settings)))
}

/// The secret under which tokens, Message-IDs and suppressions are made; drawn
/// once in the life of a ledger.
fn new_key(
    session: &mut Session,
    access: Access,
    now: DateTime<Utc>,
) -> Result<[u8; 32], StoreError> {
    let access = match access {
        Access::ReadWrite => sql::Access::Write,
        Access::ReadOnly => sql::Access::Read,
    };
    session.transact(access, |tx| match stored_key(tx)? {
        Some(key) => Ok(key),
        None => draw_key(tx, now),
    })
}

fn stored_key(connection: &Connection) -> Result<Option<[u8; 32]>, Fault> {
    Ok(connection
        .query_row("SELECT install_key FROM installation", [], |row| row.get(0))
        .optional()?)
}

fn draw_key(connection: &Connection, now: DateTime<Utc>) -> Result<[u8; 32], Fault> {
    let mut key = [0; 32];
    fill_random(&mut key)?;
    connection.execute(
        "INSERT INTO installation (id, install_key, created_at) VALUES (1, ?1, ?2)",
        params![&key[..], now.timestamp()],
    )?;
    Ok(key)
}

/// Random bytes from the operating system.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), Fault> {
    getrandom::fill(bytes).map_err(|error| {
        let source = Arc::new(io::Error::other(error)).into();
        Fault::Told(StoreError::Internal { source })
    })
}

/// A cheap look before anything is sent: is what says what is to be done sound,
/// and does every issue under way add up? [`integrity`] reads everything.
pub(super) fn glance(connection: &Connection) -> Result<(), Fault> {
    match connection {
        Connection::Sqlite(file) => sqlite::glance(file)?,
        Connection::Postgres(link) => postgres::glance(link)?,
    }
    let off: Option<String> = connection
        .query_row(
            "SELECT 'issue ' || digest || '/' || number || ' does not add up' FROM issues i
              WHERE state IN (0, 1)
                AND candidates <> (SELECT coalesce(sum(count), 0) FROM tallies
                                    WHERE issue_id = i.id)
                                + (SELECT coalesce(sum(count), 0) FROM exclusions
                                    WHERE issue_id = i.id)",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let Some(finding) = off else {
        return Ok(());
    };
    let path = match connection {
        Connection::Sqlite(file) => file.path().unwrap_or_default().into(),
        Connection::Postgres(link) => link.name().into(),
    };
    Err(StoreError::Io {
        path,
        trouble: Trouble::Corrupt,
        source: Arc::new(io::Error::other(finding)).into(),
    }
    .into())
}

/// What the database itself finds wrong with what it holds.
pub(super) fn integrity(connection: &Connection) -> Result<Vec<String>, Fault> {
    match connection {
        Connection::Sqlite(file) => sqlite::integrity(file),
        Connection::Postgres(link) => postgres::integrity(link),
    }
}
