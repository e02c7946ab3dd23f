//! An mbox (RFC 4155): all mails in one file, each after a line `From …`. It is
//! only read, under the lock that delivery agents respect, and remembered up to
//! where it was read.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::read_line;
use crate::inbound::mail::MOST_BYTES;

/// How long somebody who writes the file is waited for, and how often looked.
const PATIENCE: (u32, Duration) = (50, Duration::from_millis(200));
/// Bytes before a place by which it is known again.
const TAIL: u64 = 512;

/// How far a file was read, and what it was known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Bytes from the beginning.
    pub offset: u64,
    /// Hash of the bytes before it: another file has others.
    pub tail: Vec<u8>,
}

/// A locked mbox. The lock ends when this is dropped.
#[derive(Debug)]
pub struct Mbox {
    file: BufReader<File>,
    offset: u64,
    /// Bytes of the line that begins the next mail, once it was read.
    ahead: Option<u64>,
}

impl Mbox {
    /// Opens and locks the file, and goes to where it was read before; to the
    /// beginning when it is another file by now.
    ///
    /// # Errors
    /// When the file cannot be read, or somebody keeps it locked
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn open(path: &Path, known: Option<&Place>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        lock(path, &file)?;
        let length = file.metadata()?.len();
        let known = known.filter(|place| place.offset <= length);
        let offset = match known {
            Some(place) if tail(&mut file, place.offset)? == place.tail => place.offset,
            Some(_) | None => 0,
        };
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file: BufReader::new(file),
            offset,
            ahead: None,
        })
    }

    /// The beginning of the next mail; `None` at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_mail(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        while self.ahead.is_none() {
            let length = read_line(&mut self.file, &mut line, MOST_BYTES)?;
            if length == 0 {
                return Ok(None);
            }
            self.offset += length;
            self.ahead = line.starts_with(b"From ").then_some(length);
        }
        let mut mail = Vec::new();
        let mut is_after_blank = false;
        self.ahead = None;
        loop {
            let length = read_line(&mut self.file, &mut line, MOST_BYTES)?;
            self.offset += length;
            if length == 0 {
                break;
            }
            if is_after_blank && line.starts_with(b"From ") {
                self.ahead = Some(length);
                break;
            }
            is_after_blank = line.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
            let room = MOST_BYTES - mail.len();
            let line = unquoted(&line);
            mail.extend_from_slice(&line[..line.len().min(room)]);
        }
        Ok(Some(mail))
    }

    /// How far it is read: up to the end of the last mail that it handed out.
    ///
    /// # Errors
    /// When reading fails.
    pub fn place(&mut self) -> io::Result<Place> {
        let offset = self.offset - self.ahead.unwrap_or(0);
        let tail = tail(self.file.get_mut(), offset)?;
        self.file.seek(SeekFrom::Start(self.offset))?;
        Ok(Place { offset, tail })
    }
}

/// A line of a mail that began with `From `, or with what that was written as.
fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    let is_quoted = marks > 0 && line[marks..].starts_with(b"From ");
    &line[usize::from(is_quoted)..]
}

fn tail(file: &mut File, offset: u64) -> io::Result<Vec<u8>> {
    let length = offset.min(TAIL);
    file.seek(SeekFrom::Start(offset - length))?;
    let mut hash = Sha256::new();
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    hash.update(&bytes);
    Ok(hash.finalize()[..16].to_vec())
}

/// Takes a shared lock (`fcntl`), and sees that no lock file lies beside it:
/// delivery agents use both.
fn lock(path: &Path, file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let (tries, pause) = PATIENCE;
    for _ in 0..tries {
        let locked = fcntl_lock(file, FlockOperation::NonBlockingLockShared);
        match locked {
            Ok(()) if !beside.exists() => return Ok(()),
            Ok(()) => drop(fcntl_lock(file, FlockOperation::NonBlockingUnlock)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
        thread::sleep(pause);
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another program keeps it locked",
    ))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    fn mails(mbox: &mut Mbox) -> Vec<String> {
        std::iter::from_fn(|| mbox.next_mail().unwrap())
            .map(|mail| String::from_utf8(mail).unwrap())
            .collect()
    }

    const FIRST: &str = "From a@example.org Fri Nov 27 08:00:00 2026\n\
                         Subject: one\n\n>From the garden\n>>From afar\nFrom here\n\n";
    const SECOND: &str = "From b@example.org Fri Nov 27 08:01:00 2026\nSubject: two\n\nTwo.\n\n";

    #[test]
    fn every_mail_is_read_once_and_what_is_added_later_too() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [FIRST, SECOND].concat()).unwrap();
        let mut mbox = Mbox::open(file.path(), None).unwrap();
        assert_eq!(
            mails(&mut mbox),
            [
                "Subject: one\n\nFrom the garden\n>From afar\nFrom here\n\n",
                "Subject: two\n\nTwo.\n\n"
            ]
        );
        let place = mbox.place().unwrap();
        let mut again = Mbox::open(file.path(), Some(&place)).unwrap();
        assert!(mails(&mut again).is_empty());
        drop(again);
        let mut half = Mbox::open(file.path(), None).unwrap();
        assert!(half.next_mail().unwrap().is_some());
        let between = half.place().unwrap();
        assert_eq!(
            mails(&mut half).len(),
            1,
            "asking for the place loses nothing"
        );
        let mut rest = Mbox::open(file.path(), Some(&between)).unwrap();
        assert_eq!(mails(&mut rest), ["Subject: two\n\nTwo.\n\n"]);
        let mut end = fs::OpenOptions::new()
            .append(true)
            .open(file.path())
            .unwrap();
        end.write_all(SECOND.replace("two", "three").as_bytes())
            .unwrap();
        let mut more = Mbox::open(file.path(), Some(&place)).unwrap();
        assert_eq!(mails(&mut more), ["Subject: three\n\nTwo.\n\n"]);
    }

    #[test]
    fn a_file_that_was_replaced_is_read_from_its_beginning() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), FIRST).unwrap();
        let mut mbox = Mbox::open(file.path(), None).unwrap();
        mails(&mut mbox);
        let place = mbox.place().unwrap();
        for other in [SECOND.to_owned(), SECOND.repeat(3)] {
            fs::write(file.path(), &other).unwrap();
            let mut mbox = Mbox::open(file.path(), Some(&place)).unwrap();
            assert_eq!(mails(&mut mbox).len(), other.matches("From b").count());
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut text = FIRST.as_bytes().to_vec();
        text.extend(vec![b'x'; 3 * MOST_BYTES]);
        fs::write(file.path(), text).unwrap();
        let mut mbox = Mbox::open(file.path(), None).unwrap();
        assert_eq!(mbox.next_mail().unwrap().unwrap().len(), MOST_BYTES);
        assert_eq!(mbox.next_mail().unwrap(), None);
    }
}
