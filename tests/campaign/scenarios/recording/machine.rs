//! A machine's memory of a run: for every file what is on stable storage and
//! what was only written, and for every connection what was said.
//!
//! Strict rules, stricter than most file systems: bytes are safe once an
//! `fsync` or `fdatasync` of their file has returned that was entered after
//! they were written; a name is safe once its folder was synced.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::calls::{Event, Moment};
use super::conversation::{Conversation, Dot};
use crate::harness::dice::Dice;

/// What a power cut leaves is decided sector by sector.
const SECTOR: usize = 512;

#[derive(Default)]
struct Inode {
    synced: Vec<u8>,
    pending: Vec<Change>,
    length: u64,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone)]
enum Open {
    File {
        inode: usize,
        offset: u64,
        append: bool,
    },
    Folder(PathBuf),
    Relay(Conversation),
}

/// See the head of this file.
pub(crate) struct Machine {
    root: PathBuf,
    before: PathBuf,
    port: u16,
    inodes: Vec<Inode>,
    /// Names as the program sees them, relative to the publication.
    names: BTreeMap<PathBuf, usize>,
    safe_names: BTreeMap<PathBuf, usize>,
    name_changes: Vec<NameChange>,
    open: HashMap<i64, Open>,
    /// Per thread inside a sync: how much it will have made safe.
    syncing: HashMap<String, usize>,
    /// Every message completed so far.
    dots: Vec<(i64, Dot)>,
    /// Returned syncs of the write-ahead log so far.
    pub(crate) log_syncs: usize,
    /// The disk lies from this sync of the log on: a control for the checks.
    pub(crate) lies_from: usize,
}

/// Files as a power cut left them.
pub(crate) struct Image(Vec<(PathBuf, Vec<u8>)>);

impl Image {
    /// Writes them into a folder.
    pub(crate) fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let place = folder.join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
    }
}

impl Machine {
    pub(super) fn new(root: &Path, before: &Path, port: u16) -> Self {
        let mut machine = Self {
            root: root.to_owned(),
            before: before.to_owned(),
            port,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            name_changes: Vec::new(),
            open: HashMap::new(),
            syncing: HashMap::new(),
            dots: Vec::new(),
            log_syncs: 0,
            lies_from: usize::MAX,
        };
        for entry in walkdir::WalkDir::new(before) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let synced = fs::read(entry.path()).unwrap();
                let name = entry.path().strip_prefix(before).unwrap().to_owned();
                let inode = machine.add_inode(synced);
                machine.names.insert(name, inode);
            }
        }
        machine.safe_names = machine.names.clone();
        machine
    }

    fn add_inode(&mut self, synced: Vec<u8>) -> usize {
        self.inodes.push(Inode {
            length: synced.len() as u64,
            synced,
            pending: Vec::new(),
        });
        self.inodes.len() - 1
    }

    /// Takes one event in.
    pub(crate) fn see(&mut self, event: &Event<'_>) {
        match (event.call, event.moment) {
            ("fsync" | "fdatasync", moment) => self.sync(event, moment),
            (_, Moment::Returns(result)) if result >= 0 => self.done(event, result),
            // A connection in the making answers -1 EINPROGRESS.
            ("connect", Moment::Returns(_)) => self.done(event, 0),
            _ => {}
        }
    }

    fn done(&mut self, event: &Event<'_>, result: i64) {
        match event.call {
            "openat" | "open" | "creat" => self.opened(event, result),
            "close" => drop(event.number(0).and_then(|fd| self.open.remove(&fd))),
            "dup" | "dup2" | "dup3" => self.duplicated(event, result),
            "fcntl" if event.arguments.contains("F_DUPFD") => self.duplicated(event, result),
            "read" => self.moved(event, |offset| offset + result as u64),
            "lseek" => self.moved(event, |_| result as u64),
            "write" | "writev" | "pwrite64" | "pwritev" | "sendto" | "sendmsg" => {
                self.written(event, result as usize);
            }
            "ftruncate" => self.resized(event, event.number(1), false),
            "fallocate" => {
                let end = event.number(2).zip(event.number(3));
                self.resized(event, end.map(|(start, length)| start + length), true);
            }
            "copy_file_range" => self.copied(event, result as usize),
            "rename" | "renameat" | "renameat2" => self.renamed(event),
            "unlink" | "unlinkat" => self.unlinked(event),
            "link" | "linkat" => panic!("hard links are not followed: {event:?}"),
            "connect" => self.connected(event),
            "recvfrom" => self.heard(event),
            _ => {}
        }
    }

    /// The path of an argument, relative to the publication; `None` outside.
    fn inside(&self, event: &Event<'_>, path: &str, folder: Option<i64>) -> Option<PathBuf> {
        let base = match folder.and_then(|fd| self.open.get(&fd)) {
            Some(Open::Folder(path)) => self.root.join(path),
            _ => self.root.clone(),
        };
        let whole = base.join(path);
        let mut plain = PathBuf::new();
        for part in whole.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        let name = plain.strip_prefix(&self.root).ok()?.to_owned();
        // Shared memory does not outlive the machine.
        let is_memory = name.to_string_lossy().ends_with("-shm");
        (!is_memory && !event.call.is_empty()).then_some(name)
    }

    fn opened(&mut self, event: &Event<'_>, fd: i64) {
        self.open.remove(&fd);
        let paths = event.paths();
        let folder = (event.call == "openat").then(|| event.number(0)).flatten();
        let Some(name) = self.inside(event, &paths[0], folder) else {
            return;
        };
        let has = |flag| event.arguments.contains(flag);
        if let Some(&inode) = self.names.get(&name) {
            if has("O_TRUNC") {
                self.change(inode, Change::Length(0));
            }
            let append = has("O_APPEND");
            self.open.insert(
                fd,
                Open::File {
                    inode,
                    offset: 0,
                    append,
                },
            );
        } else if has("O_CREAT") {
            let inode = self.add_inode(Vec::new());
            self.names.insert(name.clone(), inode);
            self.name_changes.push(NameChange::Link(name, inode));
            let append = has("O_APPEND");
            self.open.insert(
                fd,
                Open::File {
                    inode,
                    offset: 0,
                    append,
                },
            );
        } else {
            self.open.insert(fd, Open::Folder(name));
        }
    }

    fn duplicated(&mut self, event: &Event<'_>, result: i64) {
        let known = event.number(0).and_then(|fd| self.open.get(&fd).cloned());
        if let Some(known) = known {
            self.open.insert(result, known);
        }
    }

    fn moved(&mut self, event: &Event<'_>, to: impl FnOnce(u64) -> u64) {
        let fd = event.number(0).unwrap_or(-1);
        if let Some(Open::File { offset, .. }) = self.open.get_mut(&fd) {
            *offset = to(*offset);
        }
    }

    fn written(&mut self, event: &Event<'_>, count: usize) {
        let fd = event.number(0).unwrap_or(-1);
        match self.open.get_mut(&fd) {
            Some(Open::Relay(talk)) => {
                let bytes = event.bytes();
                for dot in talk.say(&bytes[..count.min(bytes.len())]) {
                    self.dots.push((fd, dot));
                }
            }
            Some(Open::File {
                inode,
                offset,
                append,
            }) => {
                let mut bytes = event.bytes();
                bytes.truncate(count);
                assert_eq!(bytes.len(), count, "the trace is cut off: {}", event.call);
                let inode = *inode;
                let place = if event.call == "pwrite64" {
                    event.number(3).unwrap() as u64
                } else if *append {
                    self.inodes[inode].length
                } else {
                    let place = *offset;
                    *offset += count as u64;
                    place
                };
                self.change(inode, Change::Write(place, bytes));
            }
            _ => {}
        }
    }

    fn change(&mut self, inode: usize, change: Change) {
        let inode = &mut self.inodes[inode];
        inode.length = match &change {
            Change::Write(place, bytes) => inode.length.max(place + bytes.len() as u64),
            Change::Length(length) => *length,
        };
        inode.pending.push(change);
    }

    fn resized(&mut self, event: &Event<'_>, length: Option<i64>, grows_only: bool) {
        let fd = event.number(0).unwrap_or(-1);
        if let (Some(Open::File { inode, .. }), Some(length)) = (self.open.get(&fd), length) {
            let (inode, length) = (*inode, length as u64);
            if !grows_only || length > self.inodes[inode].length {
                self.change(inode, Change::Length(length));
            }
        }
    }

    /// The bytes are not in the trace, but their source is known.
    fn copied(&mut self, event: &Event<'_>, count: usize) {
        let ends = (event.number(0).unwrap_or(-1), event.number(2).unwrap_or(-1));
        let (
            Some(Open::File {
                inode: from,
                offset: start,
                ..
            }),
            Some(Open::File { .. }),
        ) = (self.open.get(&ends.0), self.open.get(&ends.1))
        else {
            return;
        };
        let (from, start) = (*from, *start as usize);
        let bytes = self.inodes[from].live()[start..start + count].to_vec();
        if let Some(Open::File { offset, .. }) = self.open.get_mut(&ends.0) {
            *offset += count as u64;
        }
        let Some(Open::File { inode, offset, .. }) = self.open.get_mut(&ends.1) else {
            return;
        };
        let (inode, place) = (*inode, *offset);
        *offset += count as u64;
        self.change(inode, Change::Write(place, bytes));
    }

    fn renamed(&mut self, event: &Event<'_>) {
        let paths = event.paths();
        let folders = match event.call {
            "rename" => [None, None],
            _ => [event.number(0), event.number(2)],
        };
        let from = self.inside(event, &paths[0], folders[0]);
        let to = self.inside(event, &paths[1], folders[1]);
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        let change = NameChange::Rename(from, to);
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn unlinked(&mut self, event: &Event<'_>) {
        let folder = (event.call == "unlinkat")
            .then(|| event.number(0))
            .flatten();
        let path = event.paths().swap_remove(0);
        if let Some(name) = self.inside(event, &path, folder) {
            let change = NameChange::Unlink(name);
            change.apply(&mut self.names);
            self.name_changes.push(change);
        }
    }

    fn connected(&mut self, event: &Event<'_>) {
        if event.arguments.contains(&format!("htons({})", self.port)) {
            let fd = event.number(0).unwrap();
            self.open.insert(fd, Open::Relay(Conversation::default()));
        }
    }

    fn heard(&mut self, event: &Event<'_>) {
        let fd = event.number(0).unwrap_or(-1);
        if let Some(Open::Relay(talk)) = self.open.get_mut(&fd) {
            talk.hear(&event.bytes());
            let answered = talk.last.as_ref().is_some_and(|dot| dot.answered);
            let last = self.dots.iter_mut().rev().find(|(at, _)| *at == fd);
            if let Some((_, dot)) = last {
                dot.answered |= answered;
            }
        }
    }

    fn sync(&mut self, event: &Event<'_>, moment: Moment) {
        let fd = event.number(0).unwrap_or(-1);
        let thread = event.thread.to_owned();
        match (self.open.get(&fd), moment) {
            (Some(Open::File { inode, .. }), Moment::Enters) => {
                self.syncing
                    .insert(thread, self.inodes[*inode].pending.len());
            }
            (Some(Open::Folder(_)), Moment::Enters) => {
                self.syncing.insert(thread, self.name_changes.len());
            }
            (Some(Open::File { inode, .. }), Moment::Returns(0)) => {
                let inode = *inode;
                let count = self.syncing.remove(&thread).unwrap_or(0);
                let is_log = self
                    .names
                    .iter()
                    .any(|(name, at)| *at == inode && name.to_string_lossy().ends_with("-wal"));
                self.log_syncs += usize::from(is_log);
                if self.log_syncs <= self.lies_from {
                    self.inodes[inode].make_safe(count);
                }
            }
            (Some(Open::Folder(folder)), Moment::Returns(0)) => {
                let folder = folder.clone();
                let count = self.syncing.remove(&thread).unwrap_or(0);
                self.make_names_safe(&folder, count);
            }
            _ => {}
        }
    }

    fn make_names_safe(&mut self, folder: &Path, count: usize) {
        let later = self
            .name_changes
            .split_off(count.min(self.name_changes.len()));
        for change in std::mem::take(&mut self.name_changes) {
            if change.folder() == folder {
                change.apply(&mut self.safe_names);
            } else {
                self.name_changes.push(change);
            }
        }
        self.name_changes.extend(later);
    }

    /// Messages that this event would complete if it went through.
    pub(crate) fn about_to_complete(&self, event: &Event<'_>) -> Vec<Dot> {
        let is_write = matches!(event.call, "write" | "writev" | "sendto" | "sendmsg");
        if !is_write || event.moment != Moment::Enters {
            return Vec::new();
        }
        match event.number(0).and_then(|fd| self.open.get(&fd)) {
            Some(Open::Relay(talk)) => talk.clone().say(&event.bytes()),
            _ => Vec::new(),
        }
    }

    /// Every message completed so far.
    pub(crate) fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.dots.iter().map(|(_, dot)| dot)
    }

    /// What is certainly on stable storage of the files that `wanted` names.
    pub(crate) fn safe(&self, wanted: impl Fn(&Path) -> bool) -> Image {
        let files = self.safe_names.iter().filter(|(name, _)| wanted(name));
        Image(
            files
                .map(|(name, inode)| (name.clone(), self.inodes[*inode].synced.clone()))
                .collect(),
        )
    }

    /// What a power cut leaves now: everything safe, and of the rest some
    /// sectors and some names, of a hundred about `luck`.
    pub(crate) fn power_cut(&self, dice: &mut Dice, luck: u64) -> Image {
        let mut names = self.safe_names.clone();
        let mut changes = self.name_changes.iter();
        while dice.percent(luck)
            && let Some(change) = changes.next()
        {
            change.apply(&mut names);
        }
        let file =
            |(name, inode): (PathBuf, usize)| (name, self.inodes[inode].after_cut(dice, luck));
        Image(names.into_iter().map(file).collect())
    }
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (Self::Link(name, _) | Self::Unlink(name) | Self::Rename(_, name)) = self;
        name.parent().unwrap_or(Path::new(""))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
            Self::Unlink(name) => drop(names.remove(name)),
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length as usize, 0),
            Self::Write(place, data) => {
                let (start, end) = (*place as usize, *place as usize + data.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(data);
            }
        }
    }

    /// The parts of it that a disk writes or does not write as one.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write(place, data) = self else {
            return vec![self.clone()];
        };
        let mut sectors = Vec::new();
        let (mut place, mut data) = (*place, data.as_slice());
        while !data.is_empty() {
            let until_next = SECTOR - (place as usize % SECTOR);
            let (sector, rest) = data.split_at(until_next.min(data.len()));
            sectors.push(Self::Write(place, sector.to_vec()));
            place += sector.len() as u64;
            data = rest;
        }
        sectors
    }
}

impl Inode {
    fn make_safe(&mut self, count: usize) {
        let count = count.min(self.pending.len());
        for change in self.pending.drain(..count) {
            change.apply(&mut self.synced);
        }
    }

    /// As the program sees it.
    fn live(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.pending {
            change.apply(&mut bytes);
        }
        bytes
    }

    fn after_cut(&self, dice: &mut Dice, luck: u64) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for sector in self.pending.iter().flat_map(Change::sectors) {
            if dice.percent(luck) {
                sector.apply(&mut bytes);
            }
        }
        bytes
    }
}
