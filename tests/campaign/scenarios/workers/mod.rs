//! Many workers on many machines and one list in PostgreSQL: killed, stopped for
//! less and for more than their lease, cut off from the database, told to end;
//! commits lost, and the server restarted, while one issue goes out.

mod machine;

use std::thread;
use std::time::{Duration, Instant};

use self::machine::Machine;
use super::figures::{Figures, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::harness::cutter::Loss;
use crate::harness::dice::Dice;
use crate::harness::net::{free_port, holds_within};
use crate::harness::oracle::{Evidence, LedgerRow, Policy, broken, every_uncertain_one_is_listed};
use crate::harness::postgres::{Options as Settings, Server, Stop};
use crate::harness::press::{Press, reader_address};
use crate::harness::receipt::Fate;

/// When deferred deliveries are due again.
const LATER: &str = "2026-11-27T08:20:00+02:00";
/// `mail.connections` of every worker.
const SESSIONS: usize = 2;
/// Statements whose COMMIT gets lost at times: claims and returns, intents,
/// outcomes.
const LOST: [&str; 3] = ["UPDATE deliveries", "INTO attempts", "UPDATE attempts"];

/// How much, and for how long
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many readers the one issue has
    #[arg(long, default_value_t = 200_000)]
    pub(crate) readers: usize,
    /// How many workers, each on a machine of its own
    #[arg(long, default_value_t = 20)]
    pub(crate) workers: usize,
    /// For how long they are disturbed
    #[arg(long, default_value_t = 60.0)]
    pub(crate) minutes: f64,
    /// `store.lease`, in seconds
    #[arg(long, default_value_t = 5)]
    pub(crate) lease: u64,
    /// Mean time between two disturbances, in milliseconds
    #[arg(long, default_value_t = 1_000)]
    pub(crate) every: u64,
}

/// How often the oracle looks meanwhile, and how long the server stays at least.
const LOOKS: u32 = 12;
const SETTLED: Duration = Duration::from_secs(5);

/// The n-th reader. Of a hundred, one is refused once at the end of the message,
/// so that copies of two processes can be compared (by a code that makes nobody go
/// slowly); one does not exist.
fn reader(number: usize) -> String {
    match number % 100 {
        17 => format!("d452-1.{}", reader_address(number)),
        41 => format!("x550-511.{}", reader_address(number)),
        _ => reader_address(number),
    }
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::new(options, seed);
    world.disturb();
    world.come_to_rest();
    world.finish()
}

/// How often what was done.
#[derive(Debug, Default)]
struct Done {
    kills: usize,
    short_stops: usize,
    long_stops: usize,
    short_silences: usize,
    long_silences: usize,
    cuts: usize,
    drains: usize,
    restarts: usize,
    looks: usize,
}

struct World {
    options: Options,
    dice: Dice,
    server: Server,
    press: Press,
    sink: ChaosSink,
    machines: Vec<Machine>,
    place: u64,
    /// When the server was last away.
    restarted: Option<Instant>,
    evidence: Evidence,
    rows: Vec<LedgerRow>,
    done: Done,
}

impl World {
    fn new(options: &Options, seed: u64) -> Self {
        let server = Server::start(&Settings {
            settings: vec![("max_connections", "400")],
            is_kept: true,
        });
        let sink = ChaosSink::start(Behaviour::for_volume());
        let mut press = Press::new();
        press.limit(Duration::from_secs(3_600 + (options.minutes * 60.0) as u64));
        press
            .ledger_on(server.database())
            .set("mail.connections", SESSIONS as i64)
            .set("store.lease", format!("{}s", options.lease))
            .set("store.patience", "15m");
        let readers: Vec<String> = (1..=options.readers).map(reader).collect();
        press.subscribe(readers.iter().map(String::as_str));
        freeze(&press);
        // Answers take so long that there is something left to send for as long as
        // workers are disturbed, and something under way at any moment.
        let sessions = (options.workers * SESSIONS) as f64;
        let late = options.minutes * 60.0 * sessions / options.readers as f64;
        let late = Answer::Late(Duration::from_secs_f64(late));
        sink.rule(Phase::Dot, Rule::always(late));
        press.relay(&sink.url());
        let rows = press.ledger().rows();
        assert_eq!(rows.len(), options.readers);
        let machines = (0..options.workers).map(|_| Machine::like(&press));
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            machines: machines.collect(),
            server,
            press,
            sink,
            place: 0,
            restarted: None,
            evidence: Evidence::default(),
            rows,
            done: Done::default(),
        }
    }

    /// One disturbance after the other until the time is over.
    fn disturb(&mut self) {
        let span = Duration::from_secs_f64(self.options.minutes * 60.0);
        let (begin, mut next) = (Instant::now(), Instant::now());
        let mut restart = begin + span / 4;
        while begin.elapsed() < span {
            self.machines.iter_mut().for_each(Machine::tick);
            if begin.elapsed() > span * (self.done.looks as u32 + 1) / (LOOKS + 1) {
                self.look();
            }
            if Instant::now() >= restart {
                self.restart();
                let pause = self.dice.around(30.0 * self.options.every as f64);
                restart = Instant::now() + SETTLED + Duration::from_millis(pause as u64);
            }
            if Instant::now() >= next {
                self.one_disturbance();
                let pause = self.dice.around(self.options.every as f64);
                next = Instant::now() + Duration::from_millis(pause as u64);
            }
            thread::sleep(Duration::from_millis(10));
        }
        let done = &self.done;
        assert!(done.kills > 0 && done.restarts > 0, "{done:?}");
        let left = self.press.ledger().count("queued");
        let refused = self.sink.count(Fate::Refused);
        assert!(left > refused, "all was sent too early: take more readers");
    }

    fn one_disturbance(&mut self) {
        let well: Vec<usize> = (0..self.machines.len())
            .filter(|number| self.machines[*number].is_well())
            .collect();
        let Some(chosen) = well.get(self.dice.below(well.len() as u64) as usize) else {
            return;
        };
        let (chosen, what) = (*chosen, self.dice.below(100));
        let (short, long) = (self.span(0.05, 0.6), self.span(1.2, 3.0));
        let back_after = Duration::from_millis(self.dice.below(3_000));
        let machine = &mut self.machines[chosen];
        let done = &mut self.done;
        match what {
            0..30 => {
                machine.kill(back_after);
                done.kills += 1;
            }
            30..42 => {
                machine.stop(short);
                done.short_stops += 1;
            }
            42..54 => {
                machine.stop(long);
                done.long_stops += 1;
            }
            54..62 => {
                machine.silence(short);
                done.short_silences += 1;
            }
            62..70 => {
                machine.silence(long);
                done.long_silences += 1;
            }
            70..76 => {
                machine.line.cut();
                done.cuts += 1;
            }
            76..92 => {
                let loss = [Loss::Answer, Loss::Question][usize::from(what < 80)];
                let statement = LOST[self.dice.below(LOST.len() as u64) as usize];
                machine.line.lose_a_commit(loss, statement);
            }
            _ => self.drain(chosen),
        }
    }

    /// A span between these shares of the lease.
    fn span(&mut self, from: f64, to: f64) -> Duration {
        let share = from + (to - from) * self.dice.below(1_000) as f64 / 1_000.0;
        Duration::from_secs_f64(self.options.lease as f64 * share)
    }

    /// A worker that is told to end leaves nothing in doubt. One that is told so
    /// while the server is away, or while another one that stands still or is cut off
    /// may hold the rows that it asks for, does not wait for that: what relays said
    /// stays beside the ledger for the next worker on that machine.
    fn drain(&mut self, chosen: usize) {
        let is_away = self.restarted.is_some_and(|at| at.elapsed() < SETTLED);
        // While this one ends nobody touches the others.
        let is_any_held_up = self.machines.iter().any(Machine::is_held_up);
        let end = self.machines[chosen].drain().expect("it is well");
        let is_in_order = match end.code() {
            Some(0 | 3 | 75) => true,
            Some(69) => is_away || is_any_held_up,
            _ => false,
        };
        assert!(is_in_order, "{end}");
        self.done.drains += 1;
    }

    /// The server ends at once and is away for up to three seconds.
    fn restart(&mut self) {
        self.server.stop(Stop::Immediate);
        thread::sleep(Duration::from_millis(self.dice.below(3_000)));
        self.server.restart();
        self.restarted = Some(Instant::now());
        self.done.restarts += 1;
    }

    /// Holds the ledger against the relay while both go on: what was accepted
    /// before was intended, and what is sent now had been accepted.
    fn look(&mut self) {
        self.gather();
        let before: Vec<String> = self.rows.iter().map(|row| row.message_id.clone()).collect();
        let accepted: Vec<usize> = before.iter().map(|id| self.evidence.accepted(id)).collect();
        let ledger = self.press.ledger();
        ledger.sums_hold().refresh(&mut self.rows);
        self.gather();
        for (row, accepted) in self.rows.iter().zip(accepted) {
            let now = self.evidence.accepted(&row.message_id);
            let (reader, state) = (&row.recipient, row.state);
            assert!(now < 2, "{reader} ({state}) has {now} copies");
            let is_possible = matches!(state, "inflight" | "sent" | "uncertain");
            assert!(accepted == 0 || is_possible, "{reader} has a copy: {state}");
            assert!(state != "sent" || now == 1, "{reader} counts as sent");
        }
        self.done.looks += 1;
    }

    fn gather(&mut self) {
        self.evidence
            .add(&self.sink.receipts_since(&mut self.place));
    }

    /// Everybody works undisturbed until nothing is open that can be served now.
    fn come_to_rest(&mut self) {
        self.sink.change(|behaviour| behaviour.rules.clear());
        let begin = Instant::now();
        let limit = Duration::from_secs(600 + 20 * self.options.lease);
        let rested = holds_within(limit, || {
            self.machines.iter_mut().for_each(Machine::restore);
            thread::sleep(Duration::from_millis(300));
            let states = self.press.ledger().states();
            let of = |state: &str| states.get(state).copied().unwrap_or(0);
            // Who was refused once is queued, but not due.
            let due = of("queued").saturating_sub(self.sink.count(Fate::Refused));
            of("claimed") + of("inflight") + due == 0
        });
        let states = self.press.ledger().states();
        assert!(rested, "after {:?} still {states:?}", begin.elapsed());
        for chosen in 0..self.machines.len() {
            self.drain(chosen);
        }
        self.done.drains -= self.machines.len();
        self.sink.settle();
    }

    /// Serves those who were refused once, and holds everything against the relay.
    fn finish(mut self) -> Figures {
        self.press.at(LATER);
        let end = self.press.run(&["run"]);
        self.sink.settle();
        self.gather();
        let ledger = self.press.ledger();
        // Message-IDs and addresses are read anew, not only states.
        self.rows = ledger.sums_hold().rows();
        let found = broken(&self.rows, &self.evidence, Policy::Once);
        assert!(found.is_empty(), "{:#?}", &found[..found.len().min(20)]);
        let uncertain = ledger.count("uncertain");
        end.exits(if uncertain > 0 { 3 } else { 0 });
        let absent = (1..=self.options.readers).filter(|n| n % 100 == 41).count();
        assert_eq!(ledger.count("rejected"), absent);
        let sent = ledger.count("sent");
        assert_eq!(sent + uncertain + absent, self.options.readers);
        assert!(self.evidence.compared() > 0, "no copies were compared");
        every_uncertain_one_is_listed(&self.rows, |list| self.press.run(list));
        self.press.run(&["store", "verify"]).succeeds();
        self.figures(sent, uncertain, absent)
    }

    fn figures(&self, sent: usize, uncertain: usize, absent: usize) -> Figures {
        let done = &self.done;
        let said = |text: &str| -> usize {
            let all = self.machines.iter();
            all.map(|machine| machine.said.matches(text).count()).sum()
        };
        let lost: usize = self.machines.iter().map(|one| one.line.lost()).sum();
        let arrived = self.rows.iter().filter(|row| row.state == "uncertain");
        let arrived = arrived.filter(|row| self.evidence.accepted(&row.message_id) > 0);
        let twice = self.rows.iter().map(|row| &row.message_id);
        let twice = twice.filter(|id| self.evidence.accepted(id) > 1).count();
        let mut figures = Figures::default();
        figures
            .add("readers", thousands(self.options.readers))
            .add("workers", self.options.workers)
            .add("lease", format!("{} s", self.options.lease))
            .add("kills", thousands(done.kills))
            .add("stops shorter than the lease", done.short_stops)
            .add("longer", done.long_stops)
            .add("partitions shorter than the lease", done.short_silences)
            .add("longer", done.long_silences)
            .add("connections cut", done.cuts)
            .add("commits lost", lost)
            .add("told to end", done.drains)
            .add("restarts of the server", done.restarts)
            .add("leases lost", said("lost my lease"))
            .add("late confirmations", said("late confirmation"))
            .add("looks at everything meanwhile", done.looks)
            .add("lost", self.options.readers - sent - uncertain - absent)
            .add("duplicates", twice)
            .add("retries, byte for byte the same", self.evidence.compared())
            .add("uncertain, all listed", thousands(uncertain))
            .add("of which had arrived", arrived.count());
        figures
    }
}

/// Freezes the issue while the relay is away: nothing is sent yet.
fn freeze(press: &Press) {
    press
        .relay(&format!("smtp://127.0.0.1:{}?tls=none", free_port()))
        .set("mail.relay_patience", "1s");
    press.run(&["run"]).exits(75);
    assert_eq!(press.ledger().issues(), 1);
    press.set("mail.relay_patience", "10m");
}
