//! Many rows in one statement: columns as lists, so that a page of them takes one
//! question and one answer.

use rusqlite::types::Value;
use tokio_postgres::types::{ToSql as PostgresValue, Type};

use super::Link;
use crate::store::{
    error::Fault,
    moving::{Column, Table, quoted},
};

/// One column of all rows.
enum List<'r> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<&'r str>>),
    Bytes(Vec<Option<&'r [u8]>>),
}

impl<'r> List<'r> {
    fn of(kind: Column, at: usize, rows: &'r [Vec<Value>]) -> Self {
        let values = rows.iter().map(|row| row.get(at));
        match kind {
            Column::Integer => Self::Integers(
                values
                    .map(|value| match value {
                        Some(Value::Integer(number)) => Some(*number),
                        _ => None,
                    })
                    .collect(),
            ),
            Column::Text => Self::Texts(
                values
                    .map(|value| match value {
                        Some(Value::Text(text)) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect(),
            ),
            Column::Bytes => Self::Bytes(
                values
                    .map(|value| match value {
                        Some(Value::Blob(bytes)) => Some(bytes.as_slice()),
                        _ => None,
                    })
                    .collect(),
            ),
        }
    }

    fn typed(&self) -> (&(dyn PostgresValue + Sync), Type) {
        match self {
            Self::Integers(list) => (list, Type::INT8_ARRAY),
            Self::Texts(list) => (list, Type::TEXT_ARRAY),
            Self::Bytes(list) => (list, Type::BYTEA_ARRAY),
        }
    }
}

/// Adds rows to a table.
pub(in crate::store) fn insert(
    link: &Link,
    table: &Table,
    rows: &[Vec<Value>],
) -> Result<(), Fault> {
    let lists: Vec<List<'_>> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| List::of(*kind, at, rows))
        .collect();
    let places: Vec<String> = (1..=lists.len()).map(|at| format!("${at}")).collect();
    let insert = format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({})",
        quoted(&table.name),
        table.list(),
        places.join(", ")
    );
    let typed: Vec<_> = lists.iter().map(List::typed).collect();
    link.query_given(&insert, &typed)?;
    Ok(())
}

/// Lets new rows have numbers after those that were given with rows.
pub(in crate::store) fn count_on(link: &Link) -> Result<(), Fault> {
    let counted = link.simple(
        "SELECT table_name, column_name FROM information_schema.columns
          WHERE table_schema = current_schema() AND identity_generation = 'BY DEFAULT'",
    )?;
    for (table, column) in counted {
        let (of, number) = (quoted(&table), quoted(&column));
        link.batch(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'),
                           greatest(coalesce(max({number}), 1), 1), max({number}) IS NOT NULL)
               FROM {of}"
        ))?;
    }
    Ok(())
}

/// Takes every row away.
pub(in crate::store) fn empty(link: &Link, tables: &[String]) -> Result<(), Fault> {
    let names: Vec<String> = tables.iter().map(|name| quoted(name)).collect();
    link.batch(&format!(
        "TRUNCATE {} RESTART IDENTITY CASCADE",
        names.join(", ")
    ))?;
    Ok(())
}

/// Workers whose lease lasts.
pub(in crate::store) fn workers(link: &Link) -> Result<u64, Fault> {
    let found = link.simple(
        "SELECT count(*) FROM workers WHERE ended_at IS NULL AND lease_end > clock_timestamp()",
    )?;
    let count = found.first().and_then(|(count, _)| count.parse().ok());
    Ok(count.unwrap_or(0))
}

/// Lets the server see how large its tables have become.
pub(in crate::store) fn look_at_sizes(link: &Link) -> Result<(), Fault> {
    Ok(link.batch("ANALYZE")?)
}
