//! SIGKILL at random moments: while the issue is frozen, while a run starts,
//! and while it sends, until everybody was served.

use std::time::{Duration, Instant};

use super::figures::{Figures, Histogram, spread, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::dice::Dice;
use crate::harness::net::{free_port, holds_within};
use crate::harness::oracle::{Evidence, LedgerRow, Policy, broken, every_uncertain_one_is_listed};
use crate::harness::press::{Press, reader_address};
use crate::harness::process::{Finished, Running};
use crate::harness::receipt::Fate;

/// When deferred deliveries are due again.
const LATER: &str = "2026-11-27T08:20:00+02:00";
/// One kill in so many hits the freeze.
const FREEZE_SHARE: usize = 40;
/// Of a hundred kills so many hit the first moments of a run.
const STARTING: u64 = 15;

/// Messages that leave between a decision to kill and the kill, at most.
const KEPT_PER_KILL: usize = 20;

/// How much is to be killed
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many kills
    #[arg(long, default_value_t = 1_000)]
    pub(crate) count: usize,
    /// How many readers the one issue has
    #[arg(long, default_value_t = 100_000)]
    pub(crate) readers: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
    /// Without DKIM signatures
    #[arg(long)]
    pub(crate) unsigned: bool,
}

/// The n-th reader. Of a hundred, two are refused once at the end of the
/// message, so that their copies can be compared; one does not exist.
fn reader(number: usize) -> String {
    match number % 100 {
        17 | 67 => format!("d451-1.{}", reader_address(number)),
        41 => format!("x550-511.{}", reader_address(number)),
        _ => reader_address(number),
    }
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::new(options, seed);
    world.kill_at_freezes();
    world.kill_until_done();
    world.finish()
}

struct World {
    options: Options,
    dice: Dice,
    press: Press,
    sink: ChaosSink,
    /// How far the sink's journal was read.
    place: u64,
    evidence: Evidence,
    rows: Vec<LedgerRow>,
    /// From the start of a run to its freeze and to its first message.
    until_frozen: Duration,
    first_messages: Vec<Duration>,
    kills: usize,
    at_freeze: usize,
    at_start: usize,
    resumed: usize,
    /// How many deliveries nobody knew of after each kill.
    doubts: Histogram,
    /// How many of them so far.
    doubted: usize,
    /// Whether the last kill may have left some, which only the next run can tell.
    is_left: bool,
}

impl World {
    fn new(options: &Options, seed: u64) -> Self {
        let sink = ChaosSink::start(Behaviour::for_volume());
        let mut press = Press::new();
        press.limit(Duration::from_secs(1_800));
        let readers: Vec<String> = (1..=options.readers).map(reader).collect();
        press.subscribe(readers.iter().map(String::as_str));
        press
            .relay(&sink.url())
            .set("mail.connections", options.sessions as i64)
            .set("mail.relay_patience", "20s");
        if !options.unsigned {
            press.signed();
        }
        let until_frozen = rehearse_freeze(&press);
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            press,
            sink,
            place: 0,
            evidence: Evidence::default(),
            rows: Vec::new(),
            until_frozen,
            first_messages: Vec::new(),
            kills: 0,
            at_freeze: 0,
            at_start: 0,
            resumed: 0,
            doubts: Histogram::default(),
            doubted: 0,
            is_left: false,
        }
    }

    /// The first kills, while there is no issue yet.
    fn kill_at_freezes(&mut self) {
        let wanted = (self.options.count / FREEZE_SHARE).max(1);
        while self.at_freeze < wanted {
            let until = self.until_frozen.as_micros() as u64;
            let moment = Duration::from_micros(self.dice.below(until));
            let run = self.press.spawn(&["run"]);
            std::thread::sleep(moment);
            let end = run.kill();
            self.killed(&end);
            if self.press.ledger().issues() > 0 {
                return;
            }
            self.at_freeze += 1;
        }
    }

    /// Kills on until everybody who can be served now was served.
    fn kill_until_done(&mut self) {
        while self.kills < self.options.count {
            if self.dice.percent(STARTING) && !self.rows.is_empty() {
                self.kill_while_starting();
            } else if !self.kill_while_sending() {
                break;
            }
        }
        assert_eq!(
            self.kills, self.options.count,
            "the issue ended before the last kill: take more readers"
        );
    }

    fn kill_while_starting(&mut self) {
        let usual = self.first_messages.last().copied().unwrap_or_default();
        let moment = Duration::from_micros(self.dice.below(usual.as_micros() as u64));
        let mut run = self.press.spawn(&["run"]);
        std::thread::sleep(moment);
        if run.is_running() {
            self.at_start += 1;
        }
        let end = run.kill();
        self.killed(&end);
    }

    /// One run that is killed after some messages and a moment more. False
    /// when it had nothing left to send.
    fn kill_while_sending(&mut self) -> bool {
        let before = self.handled();
        let messages = self.messages_until_next_kill(before);
        let moment = Duration::from_micros(self.dice.below(3_000));
        let start = Instant::now();
        let mut run = self.press.spawn(&["run"]);
        let mut first = None;
        while self.handled() < before + messages {
            if first.is_none() && self.handled() > before {
                first = Some(start.elapsed());
            }
            if !run.is_running() {
                return self.ended(&run.wait());
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "the run neither sends nor ends"
            );
            std::thread::sleep(Duration::from_micros(200));
        }
        // A first run freezes the issue: that is another figure.
        if !self.rows.is_empty() {
            self.first_messages
                .push(first.unwrap_or_else(|| start.elapsed()));
        }
        spin(moment);
        let end = run.kill();
        self.killed(&end);
        true
    }

    /// Around an equal share, often less and sometimes far more; but every kill
    /// to come must find something to interrupt.
    fn messages_until_next_kill(&mut self, handled: usize) -> usize {
        let kills_left = self.options.count - self.kills;
        // Who was refused once is queued too, but not due.
        let messages_left = match self.count("queued") {
            0 => self.options.readers - self.absent() - handled,
            queued => queued.saturating_sub(self.sink.count(Fate::Refused)),
        };
        let mean = messages_left as f64 / (kills_left + 2) as f64;
        let reserve = (KEPT_PER_KILL * kills_left).min(messages_left);
        1 + (self.dice.around(mean) as usize).min(messages_left - reserve)
    }

    /// A run that ended by itself: true when there is more to kill.
    fn ended(&mut self, end: &Finished) -> bool {
        if self.press.ledger().issue_state() == "paused" {
            // Runs that die again and again are stopped in the end; a person
            // looks, and goes on.
            self.press.run(&["issues", "resume", "weekly/1"]).succeeds();
            self.resumed += 1;
            return true;
        }
        assert!(matches!(end.code(), Some(0 | 3)), "{end}");
        false
    }

    /// How many readers do not exist.
    fn absent(&self) -> usize {
        (1..=self.options.readers).filter(|n| n % 100 == 41).count()
    }

    /// How many messages were read to their end and answered.
    fn handled(&self) -> usize {
        self.sink.count(Fate::Accepted) + self.sink.count(Fate::Refused)
    }

    /// After every kill: the sum rule, and the oracle over everything so far.
    fn killed(&mut self, end: &Finished) {
        if end.killed_by() != Some(9) {
            return;
        }
        self.kills += 1;
        self.sink.settle();
        let ledger = self.press.ledger();
        if ledger.issues() == 0 {
            return;
        }
        if self.rows.is_empty() {
            self.rows = ledger.rows();
        } else {
            ledger.refresh(&mut self.rows);
        }
        ledger.sums_hold();
        // Under way, and begun ahead.
        let (kills, sessions) = (self.kills, self.options.sessions);
        let open = self.count("inflight");
        assert!(open <= 2 * sessions, "kill {kills} left {open} open\n{end}");
        self.reconcile();
        self.doubt();
        self.is_left = true;
    }

    /// Counts what the last run but one left in doubt. If this one died before it
    /// came to that, it has added nothing, and the next one says it.
    fn doubt(&mut self) {
        let uncertain = self.count("uncertain");
        let more = uncertain - self.doubted;
        let (kills, sessions) = (self.kills, self.options.sessions);
        assert!(more <= sessions, "{more} are uncertain before kill {kills}");
        if self.is_left {
            self.doubts.count(more);
        }
        self.doubted = uncertain;
    }

    fn reconcile(&mut self) {
        self.evidence
            .add(&self.sink.receipts_since(&mut self.place));
        let found = broken(&self.rows, &self.evidence, Policy::Once);
        let first = &found[..found.len().min(20)];
        assert!(first.is_empty(), "after kill {}: {first:#?}", self.kills);
    }

    fn count(&self, state: &str) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }

    /// Lets the issue come to its end, and settles what is uncertain.
    fn finish(mut self) -> Figures {
        let end = self.press.run(&["run"]);
        self.ended(&end);
        self.rows = self.press.ledger().rows();
        self.doubt();
        self.press.at(LATER);
        let end = self.press.run(&["run"]);
        end.exits(if self.doubted > 0 { 3 } else { 0 });
        self.sink.settle();
        // Message-IDs and addresses are read anew, not only states.
        self.rows = self.press.ledger().sums_hold().rows();
        self.reconcile();
        let uncertain = self.count("uncertain");
        assert_eq!(uncertain, self.doubts.sum(), "uncertain without a cause");
        let absent = self.absent();
        assert_eq!(self.count("rejected"), absent);
        assert_eq!(
            self.count("sent") + uncertain + absent,
            self.options.readers
        );
        every_uncertain_one_is_listed(&self.rows, |list| self.press.run(list));
        self.all_retries_were_compared();
        let arrived = self.uncertain_that_arrived();
        let before = self.handled();
        self.press
            .run(&["uncertain", "mark-sent", "--all"])
            .exits(0);
        self.press.run(&["run"]).succeeds().is_silent();
        assert_eq!(self.handled(), before, "something was sent again");
        self.figures(uncertain, arrived)
    }

    /// Who was refused once got a second copy, from another process: the oracle
    /// has found no difference between the two, and here is that it looked.
    fn all_retries_were_compared(&self) {
        let was_refused = |row: &&LedgerRow| row.recipient.starts_with("d451-1.");
        let retried = self.rows.iter().filter(was_refused);
        let retried = retried.filter(|row| row.state == "sent").count();
        assert!(retried > 0 && self.evidence.compared() >= retried);
    }

    fn uncertain_that_arrived(&self) -> usize {
        let uncertain = self.rows.iter().filter(|row| row.state == "uncertain");
        uncertain
            .filter(|row| self.evidence.accepted(&row.message_id) > 0)
            .count()
    }

    fn figures(mut self, uncertain: usize, arrived: usize) -> Figures {
        let (sent, sessions) = (self.count("sent"), self.options.sessions);
        let lost = self.options.readers - sent - uncertain - self.count("rejected");
        let twice = self.rows.iter().map(|row| &row.message_id);
        let twice = twice.filter(|id| self.evidence.accepted(id) > 1).count();
        let mut figures = Figures::default();
        figures
            .add("kills", thousands(self.kills))
            .add("while freezing", self.at_freeze)
            .add("while starting", self.at_start)
            .add("readers", thousands(self.options.readers))
            .add("sessions", sessions)
            .add("DKIM signatures", if self.options.unsigned { 0 } else { 2 })
            .add("lost", lost)
            .add("duplicates", twice)
            .add("unexplained", 0)
            .add("retries, byte for byte the same", self.evidence.compared())
            .add("uncertain, all listed", uncertain)
            .add("of which had arrived", arrived)
            .add("uncertain per kill: mean", self.doubts.mean())
            .add("most", self.doubts.most())
            .add("histogram", format!("{{{}}}", self.doubts))
            .add(
                "first message after a restart",
                spread(&mut self.first_messages),
            )
            .add("crash-loop pauses resumed", self.resumed);
        figures
    }
}

/// How long it takes to freeze, in a copy whose relay is away.
fn rehearse_freeze(press: &Press) -> Duration {
    let copy = press.copied();
    copy.relay(&format!("smtp://127.0.0.1:{}?tls=none", free_port()));
    let start = Instant::now();
    let mut run = copy.spawn(&["run"]);
    let frozen = holds_within(Duration::from_secs(600), || {
        copy.ledger().issues() > 0 || !run.is_running()
    });
    assert!(frozen && copy.ledger().issues() > 0, "nothing was frozen");
    drop::<Running>(run);
    start.elapsed()
}

/// Waits without giving the processor away: a sleep is too coarse here.
fn spin(moment: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < moment {
        std::hint::spin_loop();
    }
}
