//! Where mails lie. A mailbox is read in order, and what was read is settled
//! only once the ledger has its effect.

pub mod imap;
pub mod maildir;
pub mod mbox;

use std::io::{self, BufRead, Read};

use super::mail::MOST_BYTES;

/// The beginning of one mail from a pipe, as much as is ever looked at. The rest
/// is read, too: whoever writes it must not see a broken pipe.
///
/// # Errors
/// When reading fails.
pub fn from_pipe(mut pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    pipe.by_ref()
        .take(MOST_BYTES as u64)
        .read_to_end(&mut mail)?;
    io::copy(&mut pipe, &mut io::sink())?;
    Ok(mail)
}

/// Reads a line with its end into `line`, which keeps no more than `most` bytes
/// of it. Says how many bytes the line has; 0 at the end.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<u64> {
    line.clear();
    let mut length = 0;
    loop {
        let buffer = match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let end = memchr::memchr(b'\n', buffer);
        let taken = end.map_or(buffer.len(), |end| end + 1);
        let room = most.saturating_sub(line.len());
        line.extend_from_slice(&buffer[..taken.min(room)]);
        source.consume(taken);
        length += taken as u64;
        if end.is_some() || taken == 0 {
            return Ok(length);
        }
    }
}
