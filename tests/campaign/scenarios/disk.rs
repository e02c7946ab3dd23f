//! The disk is full: while the ledger is brought up to date, while an issue is
//! frozen, at an intent, and at an outcome; each at many fill levels.
//!
//! Every case ends with exit code 74 and a line that names the disk, or with
//! success where the room was enough; and once there is room again, everybody
//! has the issue once.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::figures::{Figures, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::dice::Dice;
use crate::harness::net::holds_within;
use crate::harness::oracle::{Policy, assert_reconciled, every_uncertain_one_is_listed};
use crate::harness::press::Press;
use crate::harness::process::Finished;
use crate::harness::receipt::Fate;
use crate::harness::small_disk::SmallDisk;

/// Enough for everything, ballast included.
const KILOBYTES: u64 = 24 * 1024;
/// The first schema, as the first release made it.
const FIRST_SCHEMA: &str = include_str!("../../../src/store/migrations/0001_ledger.sql");

/// How many levels
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Fill levels for each of the four stages
    #[arg(long, default_value_t = 100)]
    pub(crate) levels: usize,
    /// How many readers the issue has
    #[arg(long, default_value_t = 150)]
    pub(crate) readers: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::new(options, seed);
    let sizes = world.rehearse();
    let migration = world.levels(0, 160 * 1024, World::migration);
    let freeze = world.levels(0, sizes.freeze, World::before_sending);
    let intent = world.levels(sizes.freeze, sizes.whole, World::before_sending);
    let outcome = world.levels(0, 64 * 1024, World::outcome);
    let mut figures = Figures::default();
    figures
        .add("levels", options.levels * 4)
        .add("stopped with 74 at the migration", migration)
        .add("at the freeze", freeze)
        .add("at an intent", intent)
        .add("at an outcome", outcome)
        .add("readers", options.readers)
        .add("freeze needs", format!("{} KiB", sizes.freeze / 1024))
        .add("a whole run", format!("{} KiB", sizes.whole / 1024))
        .add("lost", 0)
        .add("duplicates", 0)
        .add("uncertain", world.uncertain)
        .add("outcomes saved by the ballast", thousands(world.saved));
    figures
}

struct Sizes {
    freeze: u64,
    whole: u64,
}

struct World {
    options: Options,
    dice: Dice,
    template: Press,
    scratch: tempfile::TempDir,
    uncertain: usize,
    saved: usize,
}

/// One publication whose ledger stands on a small disk.
struct Case {
    press: Press,
    sink: ChaosSink,
    disk: SmallDisk,
    copy: PathBuf,
}

impl World {
    fn new(options: &Options, seed: u64) -> Self {
        let template = Press::new();
        template
            .ledger_apart()
            .set("mail.connections", options.sessions as i64);
        template.subscribers(options.readers);
        // Feeds and pages are there already: only the ledger needs room.
        template.run(&["build"]).succeeds();
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            template,
            scratch: tempfile::tempdir().unwrap(),
            uncertain: 0,
            saved: 0,
        }
    }

    fn case(&self, prepare: impl FnOnce(&Press)) -> Case {
        let sink = ChaosSink::start(Behaviour::for_volume());
        let mut press = self.template.copied();
        press.limit(Duration::from_secs(120));
        press.relay(&sink.url());
        prepare(&press);
        let disk = SmallDisk::over(&press, "ledger", KILOBYTES);
        Case {
            press,
            sink,
            disk,
            copy: self.scratch.path().join("copy"),
        }
    }

    /// How much a freeze and a whole run take, at most.
    fn rehearse(&self) -> Sizes {
        let case = self.case(|_| {});
        // Where the disk is filled, no ballast is laid in: it does not count.
        let free = || case.disk.free() + case.disk.size_of("letterpress.db.ballast");
        let begin = free();
        case.sink.hold_dots();
        let mut run = case.disk.spawn(&case.press, &["run"]);
        case.sink.wait_for_held(1);
        let freeze = begin - free();
        case.sink.release();
        let mut least = free();
        let ended = holds_within(Duration::from_secs(60), || {
            least = least.min(free());
            !run.is_running()
        });
        assert!(ended, "the rehearsal does not end");
        run.wait().succeeds();
        let whole = begin - least;
        assert!(whole > freeze, "{whole} and {freeze} bytes");
        Sizes { freeze, whole }
    }

    /// Spreads the levels over a range, each moved a little by chance; how many
    /// of them were too little.
    fn levels(&mut self, from: u64, to: u64, case: fn(&mut Self, u64) -> bool) -> usize {
        let step = (to - from) / self.options.levels as u64;
        let mut stopped = 0;
        for number in 0..self.options.levels as u64 {
            let level = from + number * step + self.dice.below(step);
            stopped += usize::from(case(self, level));
        }
        stopped
    }

    /// Room for so many bytes before the run begins.
    fn before_sending(&mut self, room: u64) -> bool {
        let case = self.case(|_| {});
        case.disk.fill(room);
        let run = case.disk.run(&case.press, &["run"]);
        let stopped = is_stopped(&run, &case);
        case.reconcile();
        self.conclude(&case);
        stopped
    }

    /// A ledger of the first release, and room for so many bytes.
    fn migration(&mut self, room: u64) -> bool {
        let case = self.case(make_old);
        case.disk.fill(room);
        let run = case.disk.run(&case.press, &["run"]);
        let stopped = is_stopped(&run, &case);
        case.reconcile();
        self.conclude(&case);
        stopped
    }

    /// The disk fills up between the dots and their answers.
    fn outcome(&mut self, room: u64) -> bool {
        let has_ballast = self.dice.percent(50);
        let case = self.case(|_| {});
        let some = 1 + self.dice.below(self.options.readers as u64 / 2) as usize;
        let mut run = case.disk.spawn(&case.press, &["run"]);
        let sending = holds_within(Duration::from_secs(60), || {
            case.sink.count(Fate::Accepted) >= some || !run.is_running()
        });
        assert!(sending && run.is_running(), "nothing is sent");
        case.sink.hold_dots();
        case.sink.wait_for_held(1);
        std::thread::sleep(Duration::from_millis(self.dice.below(20)));
        if !has_ballast {
            case.disk.remove("letterpress.db.ballast");
        }
        case.disk.fill(room);
        case.sink.release();
        let run = run.wait();
        let stopped = is_stopped(&run, &case);
        case.reconcile();
        if has_ballast && stopped {
            let open = case.disk.ledger(&case.copy).count("inflight");
            assert_eq!(open, 0, "the ballast saved no outcome\n{run}");
            self.saved += 1;
        }
        self.conclude(&case);
        stopped
    }

    /// With room again, everybody gets the issue once.
    fn conclude(&mut self, case: &Case) {
        case.disk.empty();
        let end = case.disk.run(&case.press, &["run"]);
        case.sink.settle();
        let ledger = case.disk.ledger(&case.copy);
        let uncertain = ledger.sums_hold().count("uncertain");
        end.exits(if uncertain > 0 { 3 } else { 0 });
        assert!(uncertain <= self.options.sessions, "{uncertain}\n{end}");
        assert_eq!(ledger.issues(), 1, "{end}");
        assert_eq!(ledger.count("sent") + uncertain, self.options.readers);
        let rows = ledger.rows();
        assert_reconciled(&rows, &case.sink.receipts(), Policy::Once);
        every_uncertain_one_is_listed(&rows, |list| case.disk.run(&case.press, list));
        self.uncertain += uncertain;
    }
}

impl Case {
    /// Whoever has the message is known to the ledger.
    fn reconcile(&self) {
        self.sink.settle();
        let ledger = self.disk.ledger(&self.copy);
        if ledger.is_made() && ledger.issues() > 0 {
            assert_reconciled(&ledger.rows(), &self.sink.receipts(), Policy::Once);
        } else {
            assert_eq!(self.sink.count(Fate::Accepted), 0, "sent without an issue");
        }
    }
}

/// Whether the disk stopped the run, in the right words; asserts that nothing
/// else did.
#[track_caller]
fn is_stopped(run: &Finished, case: &Case) -> bool {
    if matches!(run.code(), Some(0 | 3)) {
        return false;
    }
    assert_eq!(run.code(), Some(74), "{run}");
    let path = case.press.path("ledger");
    let is_named = run.stderr.lines().any(|line| {
        line.starts_with("error: the ledger cannot be ")
            && line.contains("disk full on ")
            && line.contains(&path.to_string_lossy().into_owned())
    });
    assert!(is_named, "{run}");
    run.says("hint: ");
    true
}

/// Turns the ledger of a press into one of the first release, with the same
/// readers.
fn make_old(press: &Press) {
    let place = press.path("ledger/letterpress.db");
    let now = press.path("ledger/now.db");
    std::fs::rename(&place, &now).unwrap();
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(
            press.path(&format!("ledger/letterpress.db{end}")),
        ));
    }
    let old = Connection::open(&place).unwrap();
    old.execute_batch(FIRST_SCHEMA).unwrap();
    let application: i64 = 0x4C50_5253;
    old.execute_batch(&format!(
        "PRAGMA application_id = {application};
         PRAGMA user_version = 1;
         PRAGMA journal_mode = WAL;
         ATTACH '{}' AS now;",
        now.display()
    ))
    .unwrap();
    for table in ["installation", "subscribers", "events", "articles"] {
        // Later versions have columns that this one has not.
        let columns = "SELECT group_concat(name) FROM pragma_table_info(?1)";
        let columns: String = old.query_row(columns, [table], |row| row.get(0)).unwrap();
        let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM now.{table}");
        old.execute(&copy, []).unwrap();
    }
    old.execute_batch("DETACH now").unwrap();
    drop(old);
    std::fs::remove_file(now).unwrap();
}
