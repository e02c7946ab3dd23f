//! The ledger's memory of what readers were shown.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::params;

use crate::{
    domain::{
        article::ArticleId,
        chronicle::{Changes, Chronicle, Published},
    },
    store::{
        codes,
        error::Fault,
        sql::{self, Connection, Row},
    },
};

/// Everything that was ever published, and the archive documents that are complete.
pub(super) fn chronicle(connection: &Connection) -> Result<Chronicle, Fault> {
    let mut chronicle = Chronicle::default();
    let mut select =
        connection.prepare("SELECT article_id, title, url, streams, gone_at FROM published")?;
    for row in select.query_map([], published)? {
        let (id, row) = row?;
        chronicle.published.insert(id, row);
    }
    let mut select = connection.prepare(
        "SELECT stream, document, article_id, updated_at FROM archived
          ORDER BY stream, document, article_id",
    )?;
    let rows = select.query_map([], |row| {
        let stream: String = row.get(0)?;
        let document: u32 = row.get(1)?;
        Ok((
            stream,
            document,
            codes::article(row, 2)?,
            codes::time(row, 3)?,
        ))
    })?;
    for row in rows {
        let (stream, document, id, updated) = row?;
        let documents = chronicle.archives.entry(stream).or_default();
        documents.add(document, id, updated);
    }
    Ok(chronicle)
}

fn published(row: &Row<'_>) -> sql::Result<(ArticleId, Published)> {
    let streams: String = row.get(3)?;
    let published = Published {
        title: row.get(1)?,
        url: row.get(2)?,
        streams: streams.split_whitespace().map(str::to_owned).collect(),
        gone_at: codes::time_if_any(row, 4)?,
    };
    Ok((codes::article(row, 0)?, published))
}

/// Adds what a build changed. Doing it again changes nothing.
pub(super) fn record(
    connection: &Connection,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut insert = connection.prepare(
        "INSERT INTO published (article_id, first_at, title, url, streams, gone_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (article_id) DO UPDATE SET title = excluded.title, url = excluded.url,
            streams = excluded.streams, gone_at = excluded.gone_at",
    )?;
    for (id, row) in &changes.published {
        insert.execute(params![
            id.as_str(),
            now.timestamp(),
            row.title,
            row.url,
            row.streams.join(" "),
            row.gone_at.map(|at| at.timestamp()),
        ])?;
    }
    let mut free = connection.prepare("DELETE FROM archived WHERE article_id = ?1")?;
    for id in &changes.returned {
        free.execute([id.as_str()])?;
    }
    let mut insert = connection.prepare(
        "INSERT INTO archived (stream, article_id, document, updated_at)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    for one in &changes.archived {
        insert.execute(params![
            one.stream,
            one.id.as_str(),
            one.document,
            one.updated.timestamp()
        ])?;
    }
    Ok(())
}

/// Notes what published articles are called from now on.
pub(super) fn retitle(
    connection: &Connection,
    titles: &[(ArticleId, String)],
) -> Result<(), Fault> {
    let mut update = connection.prepare("UPDATE published SET title = ?2 WHERE article_id = ?1")?;
    for (id, title) in titles {
        update.execute([id.as_str(), title])?;
    }
    Ok(())
}

/// What the archive documents in an output folder were made of, by path.
pub(super) fn archive_files(
    connection: &Connection,
    folder: &str,
) -> Result<HashMap<String, String>, Fault> {
    let mut select =
        connection.prepare("SELECT path, fingerprint FROM archive_files WHERE folder = ?1")?;
    let rows = select.query_map([folder], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes what archive documents in an output folder were made of.
pub(super) fn note_archive_files(
    connection: &Connection,
    folder: &str,
    files: &[(String, String)],
) -> Result<(), Fault> {
    let mut insert = connection.prepare(
        "INSERT INTO archive_files (folder, path, fingerprint) VALUES (?1, ?2, ?3)
         ON CONFLICT (folder, path) DO UPDATE SET fingerprint = excluded.fingerprint",
    )?;
    for (path, fingerprint) in files {
        insert.execute([folder, path, fingerprint])?;
    }
    Ok(())
}
