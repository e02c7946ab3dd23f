//! A throw-away publication in a temporary directory, and the program run on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::ledger::Ledger;
use crate::harness::picture::png;
use crate::harness::postgres::Database;
use crate::harness::process::{Finished, Running};
use crate::harness::tools::program;

/// The settings every press starts from; [`Press::config`] changes them.
const SETTINGS: &str = r#"
[publication]
title = "The Garden Table"
description = "Growing, cooking and sitting outside."
base_url = "https://garden.example.org/"
language = "en-ZA"
timezone = "Africa/Johannesburg"
id_authority = "garden.example.org,2026"
authors = [{ name = "Nomsa Dube", email = "nomsa@garden.example.org" }]

[content]
dir = "content"
permalink = "/{section}/{slug}/"

[[digest]]
name = "weekly"
title = "The Garden Table, weekly"
schedule = "0 7 * * FRI"
template = "weekly"
first_issue = "latest"
max_late = "24h"
subject = "{{ issue.lead.title }} and {{ issue.rest | length }} more"

[mail]
from = "The Garden Table <news@garden.example.org>"
relay = "folder:outbox"

[mail.list]
id = "weekly.garden.example.org"
postal_address = "1 Example Street, 0001 Pretoria"

[bounces]
domain = "bounces.example.org"

[serve]
public_url = "https://letters.example.org/"
"#;

/// The Friday morning on which the first issue of a new press is due.
pub(crate) const FRIDAY: &str = "2026-11-27T08:00:00+02:00";

/// A publication with two sections, four articles and their pictures.
pub(crate) struct Press {
    directory: TempDir,
    at: Option<String>,
    environment: Vec<(String, String)>,
    limit: Duration,
    /// Where its ledger is when it is not in the folder.
    server: Option<Arc<Database>>,
}

impl Press {
    /// A valid publication whose mail goes to `outbox/`; the clock stands at
    /// [`FRIDAY`], when its first issue is due. It has no subscribers yet.
    pub(crate) fn new() -> Self {
        let press = Self::empty();
        press.write("letterpress.toml", SETTINGS);
        for (section, title) in [("food", "Food"), ("garden", "Garden")] {
            let text = format!("+++\ntitle = \"{title}\"\n+++\n");
            press.write(&format!("content/{section}/_index.md"), &text);
        }
        press.starter_article(
            "garden/first-rain",
            "After the first rain",
            "2026-11-24",
            [40, 120, 60],
        );
        press.starter_article(
            "garden/shade",
            "Three trees for shade",
            "2026-11-22",
            [20, 80, 40],
        );
        press.starter_article(
            "food/apricots",
            "A bowl of apricots",
            "2026-11-25",
            [240, 160, 60],
        );
        press.starter_article(
            "food/flatbread",
            "Flatbread on coals",
            "2026-11-20",
            [200, 170, 120],
        );
        press
    }

    /// A copy of the sample publication of this repository.
    pub(crate) fn sample() -> Self {
        let press = Self::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        press.write_bytes(
            "letterpress.toml",
            &fs::read(root.join("letterpress.toml")).unwrap(),
        );
        let folders = ["content", "templates"].map(|folder| root.join(folder));
        for entry in folders.into_iter().flat_map(walkdir::WalkDir::new) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(root).unwrap();
                press.write_bytes(&path.to_string_lossy(), &fs::read(entry.path()).unwrap());
            }
        }
        press
    }

    /// An empty directory, for `init` and for tests that write every file.
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            at: Some(FRIDAY.to_owned()),
            environment: Vec::new(),
            limit: Duration::from_secs(60),
            server: None,
        }
    }

    /// Another press whose folder is a copy of this one's, ledger included.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self {
            directory: tempfile::tempdir().unwrap(),
            at: self.at.clone(),
            environment: self.environment.clone(),
            limit: self.limit,
            server: self.server.clone(),
        };
        for entry in walkdir::WalkDir::new(self.dir()).min_depth(1) {
            let entry = entry.unwrap();
            let place = copy.path(
                &entry
                    .path()
                    .strip_prefix(self.dir())
                    .unwrap()
                    .to_string_lossy(),
            );
            if entry.file_type().is_dir() {
                fs::create_dir(&place).unwrap();
            } else {
                fs::copy(entry.path(), &place).unwrap();
            }
        }
        copy
    }

    /// Rewrites `letterpress.toml` through its parsed form.
    pub(crate) fn config(&self, change: impl FnOnce(&mut toml::Table)) -> &Self {
        let mut settings: toml::Table = self.read("letterpress.toml").parse().unwrap();
        change(&mut settings);
        self.write("letterpress.toml", &settings.to_string())
    }

    /// Sets one key of a table, both named with dots: `("mail.rate", "5/s")`.
    pub(crate) fn set(&self, key: &str, value: impl Into<toml::Value>) -> &Self {
        let (table, key) = key.rsplit_once('.').unwrap();
        self.config(|settings| {
            let mut place = settings;
            for name in table.split('.') {
                place = place
                    .entry(name)
                    .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                    .as_table_mut()
                    .unwrap_or_else(|| panic!("{name} in letterpress.toml is not a table"));
            }
            place.insert(key.to_owned(), value.into());
        })
    }

    /// Sets one key of the press's only digest.
    pub(crate) fn set_digest(&self, key: &str, value: impl Into<toml::Value>) -> &Self {
        self.config(|settings| {
            settings["digest"][0]
                .as_table_mut()
                .unwrap()
                .insert(key.to_owned(), value.into());
        })
    }

    /// Sends mail to `url`, such as [`crate::harness::sink::SmtpSink::url`].
    pub(crate) fn relay(&self, url: &str) -> &Self {
        self.set("mail.relay", url)
    }

    /// Has the ledger in `ledger/`, a folder that can be put on a disk of its
    /// own. There is none yet: whoever was imported before is not in it.
    pub(crate) fn ledger_apart(&self) -> &Self {
        drop(fs::remove_file(self.database()));
        fs::create_dir(self.path("ledger")).unwrap();
        self.set("store.url", "sqlite:ledger/letterpress.db")
    }

    /// Has the ledger in this database. There is none yet: whoever was imported
    /// before is not in it.
    pub(crate) fn ledger_on(&mut self, database: Database) -> &mut Self {
        self.set("store.url", database.url());
        self.server = Some(Arc::new(database));
        self
    }

    /// The database that [`Press::ledger_on`] was given.
    pub(crate) fn server(&self) -> &Database {
        self.server.as_ref().expect("its ledger is on a server")
    }

    /// Signs mail with two new keys, RSA and Ed25519.
    #[track_caller]
    pub(crate) fn signed(&self) -> &Self {
        self.set("mail.dkim.domain", "garden.example.org");
        for (prefix, selector, algorithm) in
            [("", "first", "rsa"), ("second_", "second", "ed25519")]
        {
            let file = format!("{selector}.pem");
            let of_key = [
                "dkim",
                "generate",
                "--domain",
                "garden.example.org",
                "--selector",
                selector,
                "--key-file",
                &file,
                "--algorithm",
                algorithm,
            ];
            self.run(&of_key).succeeds();
            self.set(&format!("mail.dkim.{prefix}selector"), selector)
                .set(&format!("mail.dkim.{prefix}key_file"), file);
        }
        self
    }

    /// Writes `content/<path>`, front matter and text as given.
    pub(crate) fn article(&self, path: &str, text: &str) -> &Self {
        self.write(&format!("content/{path}"), text)
    }

    /// Writes a picture of `width` by `height` pixels to `content/<path>`.
    pub(crate) fn picture(&self, path: &str, width: u32, height: u32) -> &Self {
        self.write_bytes(
            &format!("content/{path}"),
            &png(width, height, [90, 90, 160]),
        )
    }

    /// Writes any file of the publication, making its folders.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        self.write_bytes(path, text.as_bytes())
    }

    /// Writes any file of the publication from bytes.
    pub(crate) fn write_bytes(&self, path: &str, bytes: &[u8]) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        self
    }

    /// Imports `number` active subscribers over three example domains.
    #[track_caller]
    pub(crate) fn subscribers(&self, number: usize) -> &Self {
        let addresses: Vec<String> = (1..=number).map(reader_address).collect();
        self.subscribe(addresses.iter().map(String::as_str))
    }

    /// Imports these addresses through the program, as a person would.
    #[track_caller]
    pub(crate) fn subscribe<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> &Self {
        let named: Vec<(&str, String)> = addresses
            .into_iter()
            .enumerate()
            .map(|(number, address)| (address, format!("Reader {}", number + 1)))
            .collect();
        self.subscribe_named(
            named
                .iter()
                .map(|(address, name)| (*address, name.as_str())),
        )
    }

    /// Imports these addresses with these names.
    #[track_caller]
    pub(crate) fn subscribe_named<'a>(
        &self,
        readers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> &Self {
        let mut list = csv::Writer::from_path(self.path("subscribers.csv")).unwrap();
        list.write_record(["email", "name", "status"]).unwrap();
        for (address, name) in readers {
            list.write_record([address, name, "active"]).unwrap();
        }
        list.flush().unwrap();
        self.run(&["subscribers", "import", "subscribers.csv"])
            .succeeds();
        self
    }

    /// Sets the clock (`--at`) of the runs that follow.
    pub(crate) fn at(&mut self, rfc3339: &str) -> &mut Self {
        self.at = Some(rfc3339.to_owned());
        self
    }

    /// Lets the runs that follow use the machine's own clock.
    pub(crate) fn real_clock(&mut self) -> &mut Self {
        self.at = None;
        self
    }

    /// Adds an environment variable to the runs that follow.
    pub(crate) fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes the time a run may take (60 s unless told).
    pub(crate) fn limit(&mut self, limit: Duration) -> &mut Self {
        self.limit = limit;
        self
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(arguments).wait()
    }

    /// Runs the program with `stdin` as its standard input.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Finished {
        Running::start(self.command(arguments), stdin, self.limit).wait()
    }

    /// Starts the program and leaves it running, to be signalled or killed.
    #[track_caller]
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments), b"", self.limit)
    }

    /// The command as [`Press::run`] would start it, for a test that gives it a
    /// further environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_letterpress"));
        command
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir())
            .env("LANG", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(at) = &self.at {
            command.args(["--at", at]);
        }
        command.args(arguments);
        command
    }

    /// Starts the program inside another one: `["strace", "-f"]`.
    #[track_caller]
    pub(crate) fn spawn_under(&self, wrapper: &[&str], arguments: &[&str]) -> Running {
        let inner = self.command(arguments);
        let mut command = self.outer(wrapper, &inner);
        command.arg(inner.get_program()).args(inner.get_args());
        Running::start(command, b"", self.limit)
    }

    /// Starts a script of `sh -eu` as root of a mount namespace of its own, in
    /// the publication's folder and with the program as `$LETTERPRESS`. What it
    /// mounts is seen by nobody else and goes with it.
    #[track_caller]
    pub(crate) fn script_in_own_mounts(&self, script: &str) -> Running {
        let inner = self.command(&[]);
        let mut command = self.outer(&["unshare", "--mount", "--", "/bin/sh", "-euc"], &inner);
        command.arg(script).env("LETTERPRESS", inner.get_program());
        Running::start(command, b"", self.limit)
    }

    /// Another program in the folder and with the environment of ours.
    #[track_caller]
    fn outer(&self, words: &[&str], inner: &Command) -> Command {
        let (first, rest) = words.split_first().unwrap();
        let mut command = Command::new(program(first));
        command.args(rest).current_dir(self.dir()).env_clear();
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
    }

    /// The directory of the publication.
    pub(crate) fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// A path inside the publication.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir().join(path)
    }

    /// The ledger.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("letterpress.db")
    }

    /// What `why` tells of every delivery that is not sent, for messages.
    pub(crate) fn told(&self) -> String {
        let rows = self.ledger().rows();
        let open = rows.iter().filter(|row| row.state != "sent");
        open.map(|row| self.run(&["why", &row.recipient]).to_string())
            .collect()
    }

    /// The ledger as it stands now.
    #[track_caller]
    pub(crate) fn ledger(&self) -> Ledger {
        match &self.server {
            Some(database) => Ledger::on(database),
            None => Ledger::open(&self.database()),
        }
    }

    /// The text of a file of the publication.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8(self.read_bytes(path)).unwrap()
    }

    /// The bytes of a file of the publication.
    #[track_caller]
    pub(crate) fn read_bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
    }

    /// Every file below a folder, relative to the publication and sorted;
    /// empty when the folder does not exist.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let mut files: Vec<String> = walkdir::WalkDir::new(self.path(folder))
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let path = entry.path().strip_prefix(self.dir()).unwrap();
                path.to_string_lossy().into_owned()
            })
            .collect();
        files.sort();
        files
    }

    fn starter_article(&self, path: &str, title: &str, date: &str, colour: [u8; 3]) {
        let slug = path.rsplit('/').next().unwrap();
        let text = format!(
            r#"+++
title = "{title}"
date = {date}
description = "What we learned this week about {slug}."
authors = ["Nomsa Dube"]
tags = ["{slug}", "summer"]

[hero]
src = "{slug}.png"
alt = "A plain colour that stands for {slug}"
caption = "The colour of {slug}"
credit = "The Garden Table"
+++

The first paragraph of *{title}* says what it is about.

## What should you do first?

- **Look:** see what is there.
- **Wait:** a day is seldom too long.

And that is all for this week.
"#
        );
        self.article(&format!("{path}.md"), &text);
        self.write_bytes(&format!("content/{path}.png"), &png(64, 36, colour));
    }
}

/// The address of the n-th reader that [`Press::subscribers`] makes.
pub(crate) fn reader_address(number: usize) -> String {
    let domain = ["example.org", "example.com", "example.net"][number % 3];
    format!("reader{number:06}@{domain}")
}
