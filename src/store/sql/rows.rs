//! What a statement found.

use rusqlite::types::{FromSql, Value, ValueRef};

use super::Result;

/// Rows that a statement found, one after the other.
pub(in crate::store) enum Rows<'s> {
    /// Read as they are asked for.
    Sqlite(rusqlite::Rows<'s>),
    /// All of them; the newest asked for is kept.
    Postgres {
        /// Those to come.
        rest: std::vec::IntoIter<Vec<Value>>,
        /// The newest.
        current: Vec<Value>,
    },
}

impl Rows<'_> {
    /// Rows that are here.
    pub(super) fn of(found: Vec<Vec<Value>>) -> Self {
        Self::Postgres {
            rest: found.into_iter(),
            current: Vec::new(),
        }
    }

    /// The next row.
    pub(in crate::store) fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres { rest, current } => match rest.next() {
                None => Ok(None),
                Some(row) => {
                    *current = row;
                    Ok(Some(Row::Postgres(current)))
                }
            },
        }
    }
}

/// One row.
pub(in crate::store) enum Row<'r> {
    /// Where SQLite has it.
    Sqlite(&'r rusqlite::Row<'r>),
    /// Its values.
    Postgres(&'r [Value]),
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub(in crate::store) fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(_) => {
                let value = self.get_ref(column)?;
                T::column_result(value).map_err(|error| {
                    let kind = value.data_type();
                    rusqlite::Error::FromSqlConversionFailure(column, kind, error.into()).into()
                })
            }
        }
    }

    /// The value of a column as it stands there.
    pub(in crate::store) fn get_ref(&self, column: usize) -> Result<ValueRef<'_>> {
        match self {
            Self::Sqlite(row) => Ok(row.get_ref(column)?),
            Self::Postgres(values) => {
                let value = values.get(column).map(ValueRef::from);
                value.ok_or_else(|| rusqlite::Error::InvalidColumnIndex(column).into())
            }
        }
    }
}

/// What a function makes of each row.
pub(in crate::store) struct Mapped<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<'s, F> Mapped<'s, F> {
    /// `read` is called with one row after the other.
    pub(super) fn new(rows: Rows<'s>, read: F) -> Self {
        Self { rows, read }
    }
}

impl<T, F: FnMut(&Row<'_>) -> Result<T>> Iterator for Mapped<'_, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match self.rows.next() {
            Ok(Some(row)) => Some((self.read)(&row)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
