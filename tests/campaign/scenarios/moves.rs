//! A ledger with a history moves to a server and back, killed on the way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::at_volume;
use super::figures::{Figures, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::dice::Dice;
use crate::harness::ledger::Ledger;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::postgres::{self, Database};
use crate::harness::press::{FRIDAY, Press};
use crate::harness::receipt::Fate;

/// The Friday after.
const NEXT: &str = "2026-12-04T08:00:00+02:00";

/// How much
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many readers the list has
    #[arg(long, default_value_t = 200_000)]
    pub(crate) readers: usize,
    /// How often each way is interrupted
    #[arg(long, default_value_t = 8)]
    pub(crate) kills: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::new(options, seed);
    world.make_history();
    let server = world.database.url();
    let there = world.carry(&server);
    world.press.set("store.url", server.as_str());
    world.deliver_the_rest();
    let back = world.carry("sqlite:letterpress.db");
    world.press.set("store.url", "sqlite:letterpress.db");
    world.nothing_is_sent_again();
    let mut figures = Figures::default();
    figures
        .add("readers", thousands(options.readers))
        .add("rows there", thousands(there.rows))
        .add("kills there", there.kills)
        .add("seconds there", there.took.as_secs())
        .add("rows back", thousands(back.rows))
        .add("kills back", back.kills)
        .add("seconds back", back.took.as_secs())
        .add("messages", thousands(world.sink.count(Fate::Accepted)));
    figures
}

struct World {
    options: Options,
    dice: Dice,
    press: Press,
    sink: ChaosSink,
    database: Arc<Database>,
}

/// One way of a move.
struct Way {
    rows: usize,
    kills: usize,
    took: Duration,
}

impl World {
    fn new(options: &Options, seed: u64) -> Self {
        let (press, sink) = at_volume(options.readers, 16, Duration::from_secs(1_800));
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            press,
            sink,
            database: Arc::new(postgres::database()),
        }
    }

    /// One issue that every reader got, and one that is stopped half way.
    fn make_history(&mut self) {
        self.press.at(FRIDAY).run(&["run"]).succeeds();
        let readers = self.options.readers;
        assert_eq!(self.sink.count(Fate::Accepted), readers);
        self.press.article(
            "food/figs.md",
            "+++\ntitle = \"Figs\"\ndate = 2026-12-01\ndescription = \"Figs.\"\n+++\n\nFigs.\n",
        );
        let mut run = self.press.at(NEXT).spawn(&["run"]);
        while run.is_running() && self.sink.count(Fate::Accepted) < readers + readers / 3 {
            std::thread::sleep(Duration::from_millis(20));
        }
        run.signal(Signal::TERM);
        run.wait().exits(75);
        assert!(Ledger::open(&self.press.database()).count("queued") > 0);
    }

    fn ledger(&self, is_server: bool) -> Ledger {
        match is_server {
            true => Ledger::on(&self.database),
            false => Ledger::open(&self.press.database()),
        }
    }

    /// Moves the ledger there, killed again and again at random places.
    fn carry(&mut self, url: &str) -> Way {
        let to_server = url.starts_with("postgres");
        let before = rows_of(&self.ledger(!to_server));
        let total: usize = before.iter().map(|(_, rows)| rows).sum();
        let began = Instant::now();
        let mut kills = 0;
        for number in 0..self.options.kills {
            let part = total / (self.options.kills + 1);
            let wanted = number * part + self.dice.below(part as u64) as usize;
            if self.kill_at(url, wanted, to_server) {
                kills += 1;
                self.nobody_can_send(url);
            }
        }
        let end = self.press.run(&["--format", "json", "store", "move", url]);
        let moved = end.succeeds().json();
        let took = began.elapsed();
        assert_eq!(moved["is_resumed"], kills > 0, "{moved}");
        let after = rows_of(&self.ledger(to_server));
        assert_eq!(after, before);
        let compared = compared(&moved);
        for (table, rows) in &after {
            assert!(
                compared.contains(&(table.clone(), *rows)),
                "{table}: {moved}"
            );
        }
        self.press.run(&["run"]).exits(78).says("was moved to");
        Way {
            rows: compared.iter().map(|(_, rows)| rows).sum(),
            kills,
            took,
        }
    }

    /// Begins or goes on, and dies when so many rows are there; false when it
    /// was quicker.
    fn kill_at(&self, url: &str, wanted: usize, to_server: bool) -> bool {
        let mut moving = self.press.spawn(&["store", "move", url]);
        while moving.is_running() {
            if self.arrived(to_server) > wanted {
                moving.kill();
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        moving.wait().succeeds();
        false
    }

    fn arrived(&self, to_server: bool) -> usize {
        if to_server {
            let is_made = Ledger::on(&self.database).is_made();
            return if is_made {
                sum(&Ledger::on(&self.database))
            } else {
                0
            };
        }
        // It is removed and made anew when the move begins.
        let path: PathBuf = self.press.database();
        let opened = rusqlite::Connection::open(path).unwrap();
        let count = TABLES
            .map(|table| format!("(SELECT count(*) FROM {table})"))
            .join(" + ");
        let arriving =
            format!("SELECT CASE WHEN EXISTS (SELECT 1 FROM arrivals) THEN {count} ELSE 0 END");
        opened
            .query_row(&arriving, [], |row| row.get::<_, i64>(0))
            .map_or(0, |rows| rows as usize)
    }

    /// Neither from where it was nor from where it goes.
    fn nobody_can_send(&self, url: &str) {
        self.press.run(&["run"]).exits(78).says("is being moved to");
        let here = self.press.read("letterpress.toml");
        self.press.set("store.url", url);
        self.press.run(&["run"]).exits(78).says("is not finished");
        self.press.write("letterpress.toml", &here);
    }

    fn deliver_the_rest(&mut self) {
        self.press.run(&["store", "verify"]).succeeds();
        self.press.run(&["run"]).succeeds();
        self.reconciles(&Ledger::on(&self.database));
    }

    fn nothing_is_sent_again(&mut self) {
        self.press.run(&["store", "verify"]).succeeds();
        self.press.run(&["run"]).succeeds();
        self.reconciles(&Ledger::open(&self.press.database()));
    }

    fn reconciles(&self, ledger: &Ledger) {
        let expected = 2 * self.options.readers;
        assert_eq!(ledger.sums_hold().count("sent"), expected);
        assert_eq!(self.sink.count(Fate::Accepted), expected);
        assert_reconciled(&ledger.rows(), &self.sink.receipts(), Policy::Once);
    }
}

/// Tables that grow with the list.
const TABLES: [&str; 4] = ["subscribers", "events", "deliveries", "attempts"];

/// How many rows each of them has, by a statement of the tests' own.
fn rows_of(ledger: &Ledger) -> Vec<(String, usize)> {
    let count = |table: &&str| {
        let rows = ledger.table(&format!("SELECT count(*), min(id), max(id) FROM {table}"));
        ((*table).to_owned(), rows[0][0].parse().unwrap())
    };
    TABLES.iter().map(count).collect()
}

fn sum(ledger: &Ledger) -> usize {
    rows_of(ledger).iter().map(|(_, rows)| rows).sum()
}

/// What the program counted.
fn compared(moved: &Value) -> Vec<(String, usize)> {
    let table = |table: &Value| {
        assert_eq!(table["sha256"].as_str().unwrap().len(), 64);
        (
            table["table"].as_str().unwrap().to_owned(),
            table["rows"].as_u64().unwrap() as usize,
        )
    };
    moved["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(table)
        .collect()
}
