//! Runs are stopped and continued, told to end, and told twice.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::at_volume;
use super::figures::{Figures, Histogram, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::dice::Dice;
use crate::harness::oracle::{Evidence, Policy, broken, every_uncertain_one_is_listed};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Fate;

/// How often
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many runs are disturbed
    #[arg(long, default_value_t = 200)]
    pub(crate) count: usize,
    /// How many readers the one issue has
    #[arg(long, default_value_t = 20_000)]
    pub(crate) readers: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::new(options, seed);
    for number in 0..options.count {
        assert!(
            world.disturb(number),
            "the issue ended before stop {number}: take more readers"
        );
    }
    world.finish()
}

struct World {
    options: Options,
    dice: Dice,
    press: Press,
    sink: ChaosSink,
    place: u64,
    evidence: Evidence,
    continued: usize,
    ended_in_order: usize,
    ended_at_once: usize,
    /// Uncertain by each run that was told twice.
    uncertain: Histogram,
    slowest_end: Duration,
}

impl World {
    fn new(options: &Options, seed: u64) -> Self {
        let limit = Duration::from_secs(600);
        let (press, sink) = at_volume(options.readers, options.sessions, limit);
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            press,
            sink,
            place: 0,
            evidence: Evidence::default(),
            continued: 0,
            ended_in_order: 0,
            ended_at_once: 0,
            uncertain: Histogram::default(),
            slowest_end: Duration::ZERO,
        }
    }

    /// One run, stopped and continued at times, then told to end once or
    /// twice. False when nothing was left to send.
    fn disturb(&mut self, number: usize) -> bool {
        let mut run = self.press.spawn(&["run"]);
        let left = self.options.readers - self.sink.count(Fate::Accepted);
        let mean = left as f64 / (self.options.count - number + 2) as f64;
        for _ in 0..=self.dice.below(2) {
            let more = 1 + self.dice.around(mean / 2.0) as usize;
            if !self.wait_for(&mut run, more) {
                return false;
            }
            self.stop_and_continue(&mut run);
        }
        let known = self.press.ledger().count("uncertain");
        let twice = self.dice.percent(30);
        let signal = [Signal::TERM, Signal::INT][self.dice.below(2) as usize];
        let asked = Instant::now();
        run.signal(signal);
        if twice {
            // While it may still be waiting for the messages under way.
            std::thread::sleep(Duration::from_micros(self.dice.below(4_000)));
            run.signal(signal);
        }
        let end = run.wait();
        self.slowest_end = self.slowest_end.max(asked.elapsed());
        self.sink.settle();
        let ledger = self.press.ledger();
        let uncertain = ledger.sums_hold().count("uncertain");
        assert_eq!(ledger.count("inflight"), 0, "{end}");
        let more = uncertain - known;
        let expected = if uncertain > 0 { [3, 75] } else { [75, 75] };
        // The last message may have left before the signal came.
        let allowed = [&expected[..], &[0]].concat();
        assert!(
            end.code().is_some_and(|code| allowed.contains(&code)),
            "{end}"
        );
        if twice {
            assert!(more <= self.options.sessions, "{more} uncertain\n{end}");
            self.uncertain.count(more);
            self.ended_at_once += 1;
        } else {
            assert_eq!(more, 0, "told once, it lost sight of a message\n{end}");
            self.ended_in_order += 1;
        }
        self.reconcile();
        true
    }

    fn wait_for(&self, run: &mut Running, more: usize) -> bool {
        let target = self.sink.count(Fate::Accepted) + more;
        while self.sink.count(Fate::Accepted) < target {
            if !run.is_running() {
                return false;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        true
    }

    fn stop_and_continue(&mut self, run: &mut Running) {
        run.signal(Signal::STOP);
        std::thread::sleep(Duration::from_millis(self.dice.below(150)));
        run.signal(Signal::CONT);
        self.continued += 1;
    }

    fn reconcile(&mut self) {
        self.evidence
            .add(&self.sink.receipts_since(&mut self.place));
        let found = broken(&self.press.ledger().rows(), &self.evidence, Policy::Once);
        assert!(found.is_empty(), "{:#?}", &found[..found.len().min(20)]);
    }

    fn finish(mut self) -> Figures {
        let end = self.press.run(&["run"]);
        self.sink.settle();
        let ledger = self.press.ledger();
        let uncertain = ledger.sums_hold().count("uncertain");
        end.exits(if uncertain > 0 { 3 } else { 0 });
        assert_eq!(uncertain, self.uncertain.sum());
        assert_eq!(ledger.count("sent") + uncertain, self.options.readers);
        self.reconcile();
        every_uncertain_one_is_listed(&ledger.rows(), |list| self.press.run(list));
        let mut figures = Figures::default();
        figures
            .add("runs", self.options.count)
            .add("readers", thousands(self.options.readers))
            .add("sessions", self.options.sessions)
            .add("stopped and continued", self.continued)
            .add("told once to end, 0 uncertain", self.ended_in_order)
            .add("told twice", self.ended_at_once)
            .add("uncertain by those: mean", self.uncertain.mean())
            .add("most", self.uncertain.most())
            .add(
                "slowest end",
                format!("{} ms", self.slowest_end.as_millis()),
            )
            .add("lost", 0)
            .add("duplicates", 0);
        figures
    }
}
