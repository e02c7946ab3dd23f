//! The sink's memory: three sets of messages in one file, each line on stable
//! storage before the client can learn of it, and the messages themselves.
//!
//! A line is `fate, connection, message file, length, SHA-256, Message-ID,
//! recipient, reply`, separated by tabs; one line per recipient. A sink for
//! volume keeps no files: the hash is what the oracle compares. Accepting is
//! journalled before the 250 is written, as a real relay queues before it
//! answers: if that reply is lost the message still is accepted.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::receipt::{Fate, Receipt};

/// An append-only journal with group commit.
pub(super) struct Journal {
    directory: PathBuf,
    keeps_messages: bool,
    lines: Mutex<Lines>,
    /// Number of the last line known to be on stable storage.
    synced: Mutex<usize>,
    disk: File,
    connections: AtomicUsize,
    messages: AtomicUsize,
}

struct Lines {
    file: File,
    written: usize,
    counts: [usize; 3],
}

/// One line of the journal.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The message and what became of it.
    pub(crate) receipt: Receipt,
    /// Number of the connection it came over, from 0.
    pub(crate) connection: usize,
    /// The reply given, without its line end; empty if none was.
    pub(crate) reply: String,
    /// The message as received, dots unstuffed.
    pub(crate) file: PathBuf,
}

impl Entry {
    /// The message as received, dots unstuffed.
    pub(crate) fn data(&self) -> Vec<u8> {
        fs::read(&self.file).unwrap()
    }
}

impl Journal {
    /// An empty journal in a folder, with or without the messages themselves.
    pub(super) fn create(directory: &Path, keeps_messages: bool) -> Self {
        fs::create_dir(directory.join("messages")).unwrap();
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(directory.join("journal"))
            .unwrap();
        Self {
            directory: directory.to_owned(),
            keeps_messages,
            disk: file.try_clone().unwrap(),
            lines: Mutex::new(Lines {
                file,
                written: 0,
                counts: [0; 3],
            }),
            synced: Mutex::new(0),
            connections: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
        }
    }

    /// The number of a new connection, from 0.
    pub(super) fn next_connection(&self) -> usize {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }

    /// Connections numbered so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Keeps a message and writes down its fate; durable on return.
    pub(super) fn record(
        &self,
        fate: Fate,
        connection: usize,
        recipients: &[String],
        data: &[u8],
        reply: &str,
    ) {
        let number = self.messages.fetch_add(1, Ordering::SeqCst);
        let name = format!("messages/{number:06}.eml");
        if self.keeps_messages {
            fs::write(self.directory.join(&name), data).unwrap();
        }
        let mut text = String::new();
        for recipient in recipients {
            let receipt = Receipt::of(fate, recipient, data);
            let Receipt { bytes, sha256, .. } = &receipt;
            text += &format!(
                "{}\t{connection}\t{name}\t{bytes}\t{sha256}\t{}\t{recipient}\t{}\n",
                fate.word(),
                receipt.message_id,
                reply.escape_debug()
            );
        }
        let line = {
            let mut lines = self.lines.lock().unwrap();
            lines.file.write_all(text.as_bytes()).unwrap();
            lines.counts[fate as usize] += recipients.len();
            lines.written += 1;
            lines.written
        };
        self.sync_to(line);
    }

    /// Returns when line `line` is on stable storage. One fsync covers every
    /// line written before it began, so parallel sessions share it.
    fn sync_to(&self, line: usize) {
        let mut synced = self.synced.lock().unwrap();
        if *synced < line {
            let written = self.lines.lock().unwrap().written;
            self.disk.sync_data().unwrap();
            *synced = written;
        }
    }

    /// How many recipients' messages met this fate.
    pub(super) fn count(&self, fate: Fate) -> usize {
        self.lines.lock().unwrap().counts[fate as usize]
    }

    /// Reads the file back.
    pub(super) fn read(&self) -> Vec<Entry> {
        self.read_from(&mut 0)
    }

    /// Reads on from a place in the file, and moves that place to its end.
    pub(super) fn read_from(&self, place: &mut u64) -> Vec<Entry> {
        let mut file = File::open(self.directory.join("journal")).unwrap();
        file.seek(SeekFrom::Start(*place)).unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).unwrap();
        // A line that is just being written is read the next time.
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        text.truncate(whole.map_or(0, |end| end + 1));
        *place += text.len() as u64;
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| self.entry(line)).collect()
    }

    fn entry(&self, line: &str) -> Entry {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            fate,
            connection,
            file,
            bytes,
            sha256,
            message_id,
            recipient,
            reply,
        ] = fields.as_slice()
        else {
            panic!("broken journal line: {line:?}");
        };
        Entry {
            receipt: Receipt {
                fate: Fate::from_word(fate).unwrap(),
                message_id: (*message_id).to_owned(),
                recipient: (*recipient).to_owned(),
                sha256: (*sha256).to_owned(),
                bytes: bytes.parse().unwrap(),
            },
            connection: connection.parse().unwrap(),
            reply: (*reply).to_owned(),
            file: self.directory.join(file),
        }
    }
}
