//! Where a ledger is: here, elsewhere, or on its way. The database itself keeps
//! everybody from writing to one that left, also who had it open before.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::tables::quoted;
use crate::store::{
    error::{Fault, StoreError},
    sql::{Connection, OptionalExtension},
};

/// What a ledger that left says to whoever writes to it. The first is for as
/// long as it is on its way.
pub(in crate::store) const REFUSALS: [&str; 2] = ["being moved to ", "moved to "];
/// The same as errors of a server.
pub(in crate::store) const CODES: [&str; 2] = ["LPM01", "LPM02"];

/// What a database says of the ledger in it.
#[derive(Debug, Default)]
pub(in crate::store) struct Place {
    /// Its key; `None` where there is no ledger.
    pub(in crate::store) key: Option<[u8; 32]>,
    /// Where it goes, and whether all of it is there.
    pub(in crate::store) moved: Option<(String, bool)>,
    /// Which ledger is on its way here, and from where.
    pub(in crate::store) arriving: Option<(String, String)>,
}

/// Looks where the ledger is.
pub(in crate::store) fn place(connection: &Connection) -> Result<Place, Fault> {
    let arriving = connection.query_row("SELECT ledger, source FROM arrivals", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let here = connection.query_row(
        "SELECT install_key, moved_to, moved_at FROM installation",
        [],
        |row| {
            let moved: Option<String> = row.get(1)?;
            let at: Option<i64> = row.get(2)?;
            Ok((row.get(0)?, moved.map(|to| (to, at.is_some()))))
        },
    );
    let (key, moved) = here.optional()?.unzip();
    Ok(Place {
        key,
        moved: moved.flatten(),
        arriving: arriving.optional()?,
    })
}

impl Place {
    /// Refuses a ledger that is not, or not wholly, in the database called `name`.
    /// Who only reads may look at one that left.
    pub(in crate::store) fn check(
        &self,
        name: &str,
        may_have_left: bool,
    ) -> Result<(), StoreError> {
        if let Some((_, source)) = &self.arriving {
            return Err(StoreError::Arriving {
                path: name.into(),
                source_name: source.clone(),
            });
        }
        match &self.moved {
            Some((to, is_whole)) if !may_have_left => Err(StoreError::Moved {
                path: name.into(),
                to: to.clone(),
                is_whole: *is_whole,
            }),
            _ => Ok(()),
        }
    }
}

/// Notes where the ledger goes, or that all of it is there; from then on nobody
/// writes here.
pub(super) fn leave(
    connection: &Connection,
    to: &str,
    whole_at: Option<DateTime<Utc>>,
) -> Result<(), Fault> {
    unbar(connection)?;
    connection.execute(
        "UPDATE installation SET moved_to = ?1, moved_at = ?2",
        params![to, whole_at.map(|at| at.timestamp())],
    )?;
    bar(connection, to, usize::from(whole_at.is_some()))
}

/// Takes the note back: the ledger is here.
pub(in crate::store) fn stay(connection: &Connection) -> Result<(), Fault> {
    unbar(connection)?;
    connection.execute(
        "UPDATE installation SET moved_to = NULL, moved_at = NULL",
        [],
    )?;
    Ok(())
}

fn bar(connection: &Connection, to: &str, place: usize) -> Result<(), Fault> {
    let words = format!("{}{to}", REFUSALS[place]).replace('\'', "''");
    for table in tables(connection)? {
        let on = quoted(&table);
        match connection {
            Connection::Sqlite(_) => {
                for event in ["INSERT", "UPDATE", "DELETE"] {
                    connection.execute_batch(&format!(
                        "CREATE TRIGGER \"left_{table}_{event}\" BEFORE {event} ON {on}
                         BEGIN SELECT RAISE(ABORT, '{words}'); END"
                    ))?;
                }
            }
            Connection::Postgres(_) => connection.execute_batch(&format!(
                "CREATE TRIGGER ledger_left BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {on}
                 FOR EACH STATEMENT EXECUTE FUNCTION ledger_left('{}', '{words}')",
                CODES[place]
            ))?,
        }
    }
    Ok(())
}

/// Lets everybody write again.
pub(super) fn unbar(connection: &Connection) -> Result<(), Fault> {
    let drops = match connection {
        Connection::Sqlite(_) => {
            "SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_schema
              WHERE type = 'trigger' AND name LIKE 'left\\_%' ESCAPE '\\'"
        }
        Connection::Postgres(_) => {
            "SELECT 'DROP TRIGGER ledger_left ON ' || quote_ident(c.relname)
               FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = current_schema() AND t.tgname = 'ledger_left'"
        }
    };
    for drop in texts(connection, drops)? {
        connection.execute_batch(&drop)?;
    }
    Ok(())
}

/// Every table of the database, but for the version of its schema.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, Fault> {
    texts(
        connection,
        match connection {
            Connection::Sqlite(_) => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
                  ORDER BY name"
            }
            Connection::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables
                  WHERE schemaname = current_schema() AND tablename <> 'schema_version' ORDER BY 1"
            }
        },
    )
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, Fault> {
    let mut select = connection.prepare(sql)?;
    let found = select.query_map([], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The refusal of a ledger that left, in the words of its database.
pub(in crate::store) fn refusal(path: &std::path::Path, words: &str) -> Option<StoreError> {
    let place = REFUSALS.iter().position(|start| words.starts_with(start))?;
    Some(StoreError::Moved {
        path: path.to_owned(),
        to: words[REFUSALS[place].len()..].to_owned(),
        is_whole: place == 1,
    })
}
