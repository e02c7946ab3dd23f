//! What statements run on: a connection to either engine, with the same words.
//! Values are those of SQLite (nothing, integer, text, bytes); both engines
//! understand every statement of the store that is not in a module of their own.

mod params;
mod rows;

use rusqlite::CachedStatement;

pub(super) use self::{
    params::{Params, places},
    rows::{Mapped, Row, Rows},
};
use crate::store::postgres::{Failure, Link};

/// Why a statement gave no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// From SQLite, or a value that no version of the program writes.
    Sqlite(rusqlite::Error),
    /// From PostgreSQL.
    Postgres(Failure),
}

/// An answer of the database.
pub(super) type Result<T> = std::result::Result<T, Error>;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Error {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Postgres(failure)
    }
}

/// An absent row is an answer, too.
pub(super) trait OptionalExtension<T> {
    /// `None` where no row was found.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::Sqlite(rusqlite::Error::QueryReturnedNoRows)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read one state of the ledger, while others write.
    Read,
    /// Write, as the only one that does.
    Write,
}

/// One connection to the database.
pub(super) enum Connection {
    /// To the file.
    Sqlite(rusqlite::Connection),
    /// To the server.
    Postgres(Box<Link>),
}

impl Connection {
    /// Prepares a statement for this time.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(connection) => Statement::Once(connection.prepare(sql)?),
            Self::Postgres(link) => Statement::Postgres(link, link.words(sql)),
        })
    }

    /// Prepares a statement that will be needed again.
    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(connection) => Statement::Kept(connection.prepare_cached(sql)?),
            Self::Postgres(link) => Statement::Postgres(link, link.words(sql)),
        })
    }

    /// Runs a statement; says how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// Runs statements without parameters.
    pub(super) fn execute_batch(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(link) => Ok(link.batch(sql)?),
        }
    }

    /// Runs a statement that makes one row or none, often; the number of that row.
    pub(super) fn insert_cached(&self, sql: &str, params: impl Params) -> Result<Option<i64>> {
        match self {
            // To return it from the statement costs as much as the row.
            Self::Sqlite(connection) => {
                let made = self.prepare_cached(sql)?.execute(params)?;
                Ok((made > 0).then(|| connection.last_insert_rowid()))
            }
            Self::Postgres(_) => {
                let mut insert = self.prepare_cached(&format!("{sql} RETURNING id"))?;
                insert.query_row(params, |row| row.get(0)).optional()
            }
        }
    }

    /// The first row that a statement finds; an error when there is none.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.prepare(sql)?.query_row(params, read)
    }
}

/// A statement, ready to run.
pub(super) enum Statement<'c> {
    /// Of SQLite, for this time.
    Once(rusqlite::Statement<'c>),
    /// Of SQLite, kept for the next time.
    Kept(CachedStatement<'c>),
    /// In PostgreSQL's words. It is not kept by the server: behind a pooler the
    /// next transaction may have another.
    Postgres(&'c Link, String),
}

impl Statement<'_> {
    /// Runs it; says how many rows it changed.
    pub(super) fn execute(&mut self, params: impl Params) -> Result<usize> {
        params.with(|values| match self {
            Self::Once(statement) => Ok(statement.execute(values)?),
            Self::Kept(statement) => Ok(statement.execute(values)?),
            Self::Postgres(link, sql) => link.execute(sql, values),
        })
    }

    /// Runs it; gives the rows it finds.
    pub(super) fn query(&mut self, params: impl Params) -> Result<Rows<'_>> {
        params.with(|values| match self {
            Self::Once(statement) => Ok(Rows::Sqlite(statement.query(values)?)),
            Self::Kept(statement) => Ok(Rows::Sqlite(statement.query(values)?)),
            Self::Postgres(link, sql) => link.query(sql, values).map(Rows::of),
        })
    }

    /// Runs it; gives what `read` makes of each row.
    pub(super) fn query_map<T, F>(&mut self, params: impl Params, read: F) -> Result<Mapped<'_, F>>
    where
        F: FnMut(&Row<'_>) -> Result<T>,
    {
        Ok(Mapped::new(self.query(params)?, read))
    }

    /// Runs it; the first row that it finds, and an error when there is none.
    pub(super) fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        match self.query(params)?.next()? {
            Some(row) => read(&row),
            None => Err(rusqlite::Error::QueryReturnedNoRows.into()),
        }
    }

    /// Whether it finds a row.
    pub(super) fn exists(&mut self, params: impl Params) -> Result<bool> {
        Ok(self.query(params)?.next()?.is_some())
    }
}
