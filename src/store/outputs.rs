//! The manifest of output folders: what this publication wrote where, noted
//! before it was written.

use rusqlite::params;

use crate::store::error::Fault;
use crate::store::sql::Connection;

/// A file or folder of an output folder that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Output {
    /// Below the output folder, with `/`; a folder ends in `/`.
    pub path: String,
    /// SHA-256 of its bytes; `None` for a folder.
    pub sha256: Option<[u8; 32]>,
}

/// What is known of an output folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Every file and folder that is ours, by path. A file may stand here
    /// twice after a build that was cut off: with its old and its new bytes.
    pub outputs: Vec<Output>,
    /// Whether a build was cut off between its intent and its settlement.
    pub is_cut_off: bool,
}

/// Everything we wrote into a folder.
pub(super) fn manifest(connection: &Connection, out_dir: &str) -> Result<Manifest, Fault> {
    let mut select = connection
        .prepare_cached("SELECT path, sha256 FROM outputs WHERE out_dir = ?1 ORDER BY path")?;
    let outputs = select
        .query_map([out_dir], |row| {
            let bytes = row.get_ref(1)?.as_blob()?;
            Ok(Output {
                path: row.get(0)?,
                sha256: bytes.try_into().ok(),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let is_cut_off = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pings WHERE is_ready = 0)",
        [],
        |row| row.get(0),
    )?;
    Ok(Manifest {
        outputs,
        is_cut_off,
    })
}

/// Notes what is about to be written; what was noted before stays.
pub(super) fn intend(
    connection: &Connection,
    out_dir: &str,
    outputs: &[Output],
) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO outputs (out_dir, path, sha256) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for output in outputs {
        insert.execute(params![out_dir, output.path, hash(output)])?;
    }
    Ok(())
}

/// Forgets what is no longer there.
pub(super) fn forget(
    connection: &Connection,
    out_dir: &str,
    outputs: &[Output],
) -> Result<(), Fault> {
    let mut delete = connection
        .prepare_cached("DELETE FROM outputs WHERE out_dir = ?1 AND path = ?2 AND sha256 = ?3")?;
    for output in outputs {
        delete.execute(params![out_dir, output.path, hash(output)])?;
    }
    Ok(())
}

fn hash(output: &Output) -> &[u8] {
    output.sha256.as_ref().map_or(&[], |hash| &hash[..])
}
