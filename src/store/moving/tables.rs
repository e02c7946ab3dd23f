//! What a ledger consists of, read from the newest schema itself: a table that a
//! later version adds is moved, counted and compared without anybody thinking
//! of it. SQLite's schema is the measure; a server has more, for its own use.

use std::fmt::Write as _;

use rusqlite::Connection as File;

use crate::store::{error::Fault, sqlite};

/// Not moved with the others: it says which ledger this is, and where it is.
const APART: [&str; 2] = ["installation", "arrivals"];

/// Rows that are read at once.
const PAGE: usize = 5_000;
/// The same of rows that hold whole letters.
const SMALL_PAGE: usize = 8;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Column {
    /// Whole numbers.
    Integer,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// One table.
#[derive(Debug, Clone)]
pub(in crate::store) struct Table {
    /// Its name.
    pub(in crate::store) name: String,
    /// Its columns, in order.
    pub(in crate::store) columns: Vec<(String, Column)>,
    /// Places of those that make up its primary key, in the key's order.
    pub(super) key: Vec<usize>,
    /// How many rows are read at once.
    pub(super) page: usize,
}

impl Table {
    /// The names of all columns, for a statement.
    pub(in crate::store) fn list(&self) -> String {
        let names = self.columns.iter().map(|(name, _)| quoted(name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn key_list(&self, end: &str) -> String {
        let names = self.key.iter().map(|at| quoted(&self.columns[*at].0) + end);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Reads the first page, or the one after a key.
    pub(super) fn select(&self, is_after: bool) -> String {
        let mut sql = format!("SELECT {} FROM {}", self.list(), quoted(&self.name));
        if is_after {
            let values: Vec<String> = (1..=self.key.len()).map(|at| format!("?{at}")).collect();
            // A failure to write into memory is none.
            let _ = write!(
                sql,
                " WHERE ({}) > ({})",
                self.key_list(""),
                values.join(", ")
            );
        }
        let _ = write!(sql, " ORDER BY {} LIMIT {}", self.key_list(""), self.page);
        sql
    }

    /// Reads the last key.
    pub(super) fn select_last(&self) -> String {
        format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            self.key_list(""),
            quoted(&self.name),
            self.key_list(" DESC")
        )
    }

    /// Adds a row.
    pub(super) fn insert(&self) -> String {
        let values: Vec<String> = (1..=self.columns.len())
            .map(|at| format!("?{at}"))
            .collect();
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&self.name),
            self.list(),
            values.join(", ")
        )
    }
}

/// A name in a statement: `offset` is a word of SQL.
pub(in crate::store) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Every table, those first that others refer to.
pub(super) fn all() -> Result<Vec<Table>, Fault> {
    let schema = sqlite::schema()?;
    let mut waiting = Vec::new();
    let mut select = schema.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
          ORDER BY name",
    )?;
    let names = select.query_map([], |row| row.get(0))?;
    for name in names.collect::<Result<Vec<String>, _>>()? {
        if !APART.contains(&name.as_str()) {
            waiting.push((table(&schema, &name)?, parents(&schema, &name)?));
        }
    }
    let mut ready: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_open = |name: &String| waiting.iter().any(|(table, _)| table.name == *name);
        // References never go round in a circle; if they did, any order is as good.
        let next = waiting
            .iter()
            .position(|(table, parents)| {
                !parents
                    .iter()
                    .any(|parent| *parent != table.name && is_open(parent))
            })
            .unwrap_or(0);
        ready.push(waiting.remove(next).0);
    }
    Ok(ready)
}

fn table(schema: &File, name: &str) -> Result<Table, Fault> {
    let mut select =
        schema.prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let mut rows = select.query([name])?;
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (column, kind, place): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if place > 0 {
            key.push((place, columns.len()));
        }
        let kind = match kind.as_str() {
            "TEXT" => Column::Text,
            "BLOB" => Column::Bytes,
            _ => Column::Integer,
        };
        columns.push((column, kind));
    }
    key.sort_unstable();
    let has_letters = name == "editions";
    Ok(Table {
        name: name.to_owned(),
        columns,
        key: key.into_iter().map(|(_, at)| at).collect(),
        page: if has_letters { SMALL_PAGE } else { PAGE },
    })
}

fn parents(schema: &File, name: &str) -> Result<Vec<String>, Fault> {
    let mut select = schema.prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1)")?;
    let parents = select.query_map([name], |row| row.get(0))?;
    Ok(parents.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_refer_to_comes_first_and_nothing_is_left_out() {
        let tables = all().unwrap();
        let place = |name: &str| tables.iter().position(|table| table.name == name);
        for (parent, child) in [
            ("choices", "subscribers"),
            ("subscribers", "deliveries"),
            ("issues", "deliveries"),
            ("deliveries", "attempts"),
            ("deliveries", "reports"),
            ("wordings", "events"),
            ("published", "archived"),
        ] {
            assert!(
                place(parent).unwrap() < place(child).unwrap(),
                "{parent} {child}"
            );
        }
        assert!(tables.iter().all(|table| !table.key.is_empty()));
        assert!(place("tallies").is_some());
        assert_eq!(place("installation"), None);
    }

    #[test]
    fn pages_are_read_by_the_whole_key() {
        let tables = all().unwrap();
        let mailboxes = tables.iter().find(|table| table.name == "reports").unwrap();
        assert_eq!(
            mailboxes.select(true),
            "SELECT \"delivery_id\", \"kind\", \"at\", \"code\", \"reason\" FROM \"reports\" \
             WHERE (\"delivery_id\", \"kind\") > (?1, ?2) ORDER BY \"delivery_id\", \"kind\" LIMIT 5000"
        );
        assert_eq!(
            mailboxes.select_last(),
            "SELECT \"delivery_id\", \"kind\" FROM \"reports\" \
             ORDER BY \"delivery_id\" DESC, \"kind\" DESC LIMIT 1"
        );
    }
}
