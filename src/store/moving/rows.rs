//! Rows on their way from one engine to the other, a page at a time in the order
//! of their keys, and what shows that both have the same: counts and checksums.

use data_encoding::HEXLOWER;
use rusqlite::types::{ToSql, Value, ValueRef};
use sha2::{Digest as _, Sha256};

use super::tables::Table;
use crate::store::{
    error::Fault,
    postgres,
    sql::{Connection, OptionalExtension, Row},
};

/// The values of a row, or of its key.
pub(super) type Values = Vec<Value>;

/// The rows after a key, or the first ones.
pub(super) fn page(
    connection: &Connection,
    table: &Table,
    after: Option<&[Value]>,
) -> Result<Vec<Values>, Fault> {
    let mut select = connection.prepare_cached(&table.select(after.is_some()))?;
    let given = references(after.unwrap_or_default());
    let mut rows = select.query(given.as_slice())?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(values(&row, table.columns.len())?);
    }
    Ok(page)
}

/// The key of the last row that is there.
pub(super) fn last_key(connection: &Connection, table: &Table) -> Result<Option<Values>, Fault> {
    let mut select = connection.prepare(&table.select_last())?;
    let last = select
        .query_row([], |row| Ok(values(row, table.key.len())))
        .optional()?;
    last.transpose()
}

/// The key of a row.
pub(super) fn key(table: &Table, row: &[Value]) -> Values {
    table
        .key
        .iter()
        .filter_map(|at| row.get(*at).cloned())
        .collect()
}

/// How many rows there are.
pub(super) fn count(connection: &Connection, table: &Table) -> Result<u64, Fault> {
    let select = format!("SELECT count(*) FROM \"{}\"", table.name);
    let count: i64 = connection.query_row(&select, [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Adds rows.
pub(super) fn insert(connection: &Connection, table: &Table, rows: &[Values]) -> Result<(), Fault> {
    match connection {
        Connection::Sqlite(file) => {
            let mut insert = file.prepare_cached(&table.insert())?;
            for row in rows {
                insert.execute(references(row).as_slice())?;
            }
            Ok(())
        }
        Connection::Postgres(link) => postgres::insert(link, table, rows),
    }
}

fn references(values: &[Value]) -> Vec<&dyn ToSql> {
    values.iter().map(|value| value as &dyn ToSql).collect()
}

fn values(row: &Row<'_>, columns: usize) -> Result<Values, Fault> {
    let value = |column| -> Result<Value, Fault> {
        let value = row.get_ref(column)?;
        Ok(Value::try_from(value).map_err(rusqlite::Error::from)?)
    };
    (0..columns).map(value).collect()
}

/// What a table holds: how many rows, and a hash of all their values in the order
/// of their keys. Equal on both engines, or something was lost.
#[derive(Debug, Default)]
pub(super) struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    /// Counts a row in. Each value goes with its kind and length, so that no two
    /// rows look alike.
    pub(super) fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        for value in row {
            match ValueRef::from(value) {
                ValueRef::Null => self.hash.update(b"n"),
                ValueRef::Integer(number) => {
                    self.hash.update(b"i");
                    self.hash.update(number.to_be_bytes());
                }
                ValueRef::Real(number) => {
                    self.hash.update(b"r");
                    self.hash.update(number.to_be_bytes());
                }
                ValueRef::Text(text) => self.add_bytes(b"t", text),
                ValueRef::Blob(bytes) => self.add_bytes(b"b", bytes),
            }
        }
    }

    fn add_bytes(&mut self, kind: &[u8], bytes: &[u8]) {
        self.hash.update(kind);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    /// The number of rows, and the checksum.
    pub(super) fn finish(self) -> (u64, String) {
        (self.rows, HEXLOWER.encode(&self.hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_run_into_each_other_have_checksums_of_their_own() {
        let of = |rows: &[Values]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            sum.finish()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let rows: [&[Values]; 6] = [
            &[vec![text("ab"), text("c")]],
            &[vec![text("a"), text("bc")]],
            &[vec![text("ab"), Value::Null, text("c")]],
            &[vec![Value::Blob(b"ab".to_vec()), text("c")]],
            &[vec![Value::Integer(1)], vec![Value::Integer(2)]],
            &[vec![Value::Integer(2)], vec![Value::Integer(1)]],
        ];
        let sums: std::collections::HashSet<_> = rows.iter().map(|rows| of(rows)).collect();
        assert_eq!(sums.len(), rows.len());
        assert_eq!(of(rows[0]), of(rows[0]));
    }
}
