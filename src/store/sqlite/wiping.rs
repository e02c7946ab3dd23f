//! Wiping the files of what is erased: SQLite overwrites what it frees, but its
//! log still has the old pages, and pages that were rearranged may have copies.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use memchr::memmem;
use rusqlite::{Connection, ErrorCode};

use crate::store::error::{Fault, StoreError};

/// So much of the file is looked through at once.
const PIECE: usize = 1 << 20;

/// Empties the log into the file, and makes the file anew if it still holds
/// `trace`, which is in lower case; without one that cannot be known, and it is
/// made anew. False when somebody else reads: then nothing can be wiped now.
pub(in crate::store) fn wipe(
    connection: &Connection,
    path: &Path,
    trace: Option<&str>,
) -> Result<bool, Fault> {
    if !empty_log(connection)? {
        return Ok(false);
    }
    let told = |error| Fault::from(StoreError::system(path.to_owned(), error));
    let has_trace = match trace {
        Some(trace) => holds(path, trace.as_bytes()).map_err(told)?,
        None => true,
    };
    if has_trace && !(make_anew(connection)? && empty_log(connection)?) {
        return Ok(false);
    }
    connection.execute("UPDATE installation SET wipe_due = 0", [])?;
    Ok(true)
}

fn empty_log(connection: &Connection) -> Result<bool, Fault> {
    let is_busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!is_busy)
}

fn make_anew(connection: &Connection) -> Result<bool, Fault> {
    // The copy is as large as the ledger: on disk, in a file without a name.
    connection.pragma_update(None, "temp_store", "FILE")?;
    let made = connection.execute_batch("VACUUM");
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    match made {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        made => Ok(made.map(|()| true)?),
    }
}

/// Whether a file holds these bytes, in letters of either case.
fn holds(path: &Path, needle: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut piece = Vec::with_capacity(PIECE + needle.len());
    loop {
        // The end of the piece before may be the beginning of it.
        let kept = piece.len().min(needle.len());
        piece.drain(..piece.len() - kept);
        let read = Read::by_ref(&mut file)
            .take(PIECE as u64)
            .read_to_end(&mut piece)?;
        if read == 0 {
            return Ok(false);
        }
        piece[kept..].make_ascii_lowercase();
        if memmem::find(&piece, needle).is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_in_any_case_and_across_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for before in [0, 10, PIECE - 4, PIECE, 2 * PIECE - 1] {
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(b"Anna@example.org");
            std::fs::write(&path, &bytes).unwrap();
            assert!(holds(&path, b"anna@example.org").unwrap(), "{before}");
            assert!(!holds(&path, b"ben@example.org").unwrap());
        }
    }
}
