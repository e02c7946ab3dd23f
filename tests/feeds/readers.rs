//! Readers that people use and validators, run on our bytes. A program that is
//! missing fails the test: a skipped one proves nothing.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use chrono::DateTime;
use letterpress::domain::publication::FeedContent;
use letterpress::feed::{File, Stream};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::{expected, hostile::world, whole};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a feed in a folder that goes away with the test.
fn on_disk(files: &[File]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        fs::write(folder.path().join(&file.path), &file.bytes).unwrap();
    }
    folder
}

/// Runs a program to its end and hands back what it printed.
#[track_caller]
fn output(command: &mut Command) -> String {
    let line = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}; is it installed?"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{line}: {}\nstdout: {stdout}\nstderr: {stderr}",
        output.status
    );
    stdout
}

/// Asks xmllint (package `libxml2-utils`) whether RFC 4287 allows the document.
#[track_caller]
pub(crate) fn fits_the_grammar_of_atom(file: &File) {
    let folder = on_disk(std::slice::from_ref(file));
    fit_the_grammar_of_atom(&[folder.path().join(&file.path)]);
}

/// The same for files.
#[track_caller]
pub(crate) fn fit_the_grammar_of_atom(files: &[PathBuf]) {
    output(
        Command::new("xmllint")
            .args(["--noout", "--nonet", "--relaxng"])
            .arg(root().join("tests/golden/atom.rng"))
            .args(files),
    );
}

#[test]
fn atom_follows_the_grammar_of_rfc_4287() {
    fits_the_grammar_of_atom(&whole()[1]);
    let summaries = world(crate::BASE, FeedContent::Summary);
    fits_the_grammar_of_atom(&summaries.files(&Stream::Whole)[1]);
}

#[test]
fn rss_is_well_formed_for_libxml() {
    let folder = on_disk(&whole());
    output(
        Command::new("xmllint")
            .args(["--noout", "--nonet"])
            .arg(folder.path().join("rss.xml")),
    );
}

/// The interpreter that the test command equips with feedparser.
fn python() -> PathBuf {
    let path = root().join("target/test-tools/bin/python");
    assert!(
        path.exists(),
        "no Python with feedparser at {}; the test command installs it",
        path.display()
    );
    path
}

/// What feedparser makes of a file; a complaint is a failure.
#[track_caller]
pub(crate) fn by_feedparser(file: &Path) -> Vec<Value> {
    all_by_feedparser(&[file.to_owned()]).remove(0)
}

/// The same for many files, in their order.
#[track_caller]
pub(crate) fn all_by_feedparser(files: &[PathBuf]) -> Vec<Vec<Value>> {
    let printed = output(
        Command::new(python())
            .arg(root().join("tests/feeds/read_feed.py"))
            .args(files),
    );
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn feedparser_reads_every_fact() {
    let folder = on_disk(&whole());
    for name in ["rss.xml", "atom.xml"] {
        let entries = by_feedparser(&folder.path().join(name));
        assert_eq!(entries.len(), expected().len(), "{name}");
        for (entry, told) in entries.iter().zip(expected()) {
            assert_eq!(entry["id"], told.id, "{name}");
            assert_eq!(entry["title"], told.title, "{name}");
            assert_eq!(entry["link"], told.link, "{name}");
            assert_eq!(entry["authors"], Value::from(told.authors), "{name}");
            assert_eq!(entry["published"], told.published.timestamp(), "{name}");
            assert_eq!(entry["updated"], told.updated.timestamp(), "{name}");
            assert_eq!(entry["categories"], Value::from(told.categories), "{name}");
            assert_eq!(entry["media"], Value::from(told.media), "{name}");
            let length = told.html.chars().count();
            assert_eq!(entry["html_length"], length, "{name} {}", told.title);
        }
    }
}

/// What sfeed makes of a file; a complaint is a failure. sfeed(5): time, title,
/// link, content, type, id, author, enclosure, categories.
#[track_caller]
pub(crate) fn by_sfeed(file: &Path) -> Vec<Vec<String>> {
    let input = fs::File::open(file).unwrap();
    let output = Command::new("sfeed").stdin(input).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start sfeed: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{}: {complaint}",
        file.display()
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    printed.lines().map(fields).collect()
}

#[test]
fn sfeed_reads_both_xml_formats() {
    let folder = on_disk(&whole());
    for name in ["rss.xml", "atom.xml"] {
        let lines = by_sfeed(&folder.path().join(name));
        assert_eq!(lines.len(), expected().len(), "{name}");
        for (fields, told) in lines.iter().zip(expected()) {
            assert_eq!(fields[0], told.published.timestamp().to_string(), "{name}");
            assert_eq!(fields[1], told.title, "{name}");
            assert_eq!(fields[2], told.link, "{name}");
            assert_eq!(fields[3].len(), told.html.len(), "{name} {}", told.title);
            assert_eq!(fields[5], told.id, "{name}");
            assert_eq!(fields[6], told.authors[0], "{name}");
        }
    }
}

/// Serves a folder on a free loopback port until the process ends.
pub(crate) struct Server {
    pub(crate) base: String,
    folder: Arc<Mutex<PathBuf>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let folder = Arc::new(Mutex::new(PathBuf::new()));
        let shown = Arc::clone(&folder);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = shown.lock().unwrap().clone();
                answer(stream, &folder);
            }
        });
        Self { base, folder }
    }

    /// What it serves from now on.
    pub(crate) fn show(&self, folder: &Path) {
        folder.clone_into(&mut self.folder.lock().unwrap());
    }
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut request = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while lines.read_line(&mut request).unwrap() > 2 {}
    let path = request.split(' ').nth(1).unwrap();
    let name = path.trim_start_matches('/').to_owned();
    let (status, body) = match fs::read(folder.join(&name)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    // A reader that hangs up early is no fault of the feed.
    drop(
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body)),
    );
}

/// newsboat with one feed, without its screen.
pub(crate) struct Newsboat {
    home: TempDir,
}

impl Newsboat {
    pub(crate) fn new(feed: &str) -> Self {
        let reader = Self {
            home: TempDir::new().unwrap(),
        };
        fs::write(reader.at("urls"), format!("{feed}\n")).unwrap();
        fs::write(reader.at("config"), "show-read-feeds yes\n").unwrap();
        reader
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Fetches the feed; a complaint in the log is a failure.
    #[track_caller]
    pub(crate) fn reload(&self) {
        let mut command = Command::new("newsboat");
        command.env("HOME", self.home.path());
        for (flag, file) in [
            ("-C", "config"),
            ("-u", "urls"),
            ("-c", "cache.db"),
            ("-d", "log"),
        ] {
            command.arg(flag).arg(self.at(file));
        }
        // Level 3 logs errors and worse.
        output(command.args(["-l", "3", "-x", "reload"]));
        let log = fs::read_to_string(self.at("log")).unwrap_or_default();
        assert_eq!(log, "", "newsboat complains");
    }

    fn cache(&self) -> Connection {
        Connection::open(self.at("cache.db")).unwrap()
    }

    /// Everything it has was read.
    pub(crate) fn read_all(&self) {
        let marked = self.cache().execute("UPDATE rss_item SET unread = 0", ());
        assert!(marked.unwrap() > 0);
    }

    /// The ids of what is unread.
    pub(crate) fn unread(&self) -> Vec<String> {
        let cache = self.cache();
        let mut rows = cache
            .prepare("SELECT guid FROM rss_item WHERE unread = 1 AND deleted = 0 ORDER BY guid")
            .unwrap();
        let guids = rows.query_map([], |row| row.get(0)).unwrap();
        guids.map(Result::unwrap).collect()
    }
}

/// Fetches a feed over HTTP as newsboat does, twice, and looks into its cache.
#[track_caller]
fn newsboat(name: &str) -> Vec<(String, String, String, i64, String, i64)> {
    let published = on_disk(&whole());
    let server = Server::start();
    server.show(published.path());
    let reader = Newsboat::new(&format!("{}{name}", server.base));
    reader.reload();
    reader.reload();
    let cache = reader.cache();
    let mut rows = cache
        .prepare(
            "SELECT guid, title, url, pubDate, author, unread FROM rss_item ORDER BY pubDate DESC",
        )
        .unwrap();
    rows.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    })
    .unwrap()
    .map(Result::unwrap)
    .collect()
}

#[test]
fn newsboat_shows_every_article_once() {
    for name in ["rss.xml", "atom.xml"] {
        let items = newsboat(name);
        assert_eq!(items.len(), expected().len(), "{name}: {items:#?}");
        for ((id, title, link, date, author, unread), told) in items.into_iter().zip(expected()) {
            assert_eq!(id, told.id, "{name}");
            assert_eq!(title, told.title, "{name}");
            assert_eq!(link, told.link, "{name}");
            // Of several in RSS it keeps the last.
            let shown = match name {
                "rss.xml" => told.authors.last().cloned().unwrap(),
                _ => told.authors.join(", "),
            };
            assert_eq!(author, shown, "{name}");
            let date = DateTime::from_timestamp(date, 0).unwrap();
            assert!(
                date == told.published || date == told.updated,
                "{name}: {date}"
            );
            assert_eq!(unread, 1, "{name}");
        }
    }
}
