//! The power fails: whatever no sync had made safe is gone, or half gone.
//!
//! A run is recorded with `strace`. At random moments of the recording the
//! folder is put together as a power cut would have left it: everything that
//! was synced, and of the rest a random part, sector by sector and name by
//! name. The relay is another machine: it keeps what had reached it. A run
//! then starts from that folder, and the oracle looks at both.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::at_volume;
use super::figures::{Figures, Histogram, thousands};
use super::recording::{Image, Machine, Recording, events};
use crate::harness::chaos::ChaosSink;
use crate::harness::dice::Dice;
use crate::harness::oracle::{Policy, every_uncertain_one_is_listed, violations};
use crate::harness::press::Press;
use crate::harness::receipt::Receipt;

/// How often the power fails
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many cuts
    #[arg(long, default_value_t = 200)]
    pub(crate) cuts: usize,
    /// How many readers the issue has
    #[arg(long, default_value_t = 300)]
    pub(crate) readers: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// Of a hundred cuts so many come before the first message.
const EARLY: u64 = 25;

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let mut world = World::recorded(options, seed);
    let (all, first_dot) = world.count_events();
    let early = options.cuts * EARLY as usize / 100;
    let mut moments = BTreeSet::new();
    while moments.len() < early {
        moments.insert(world.dice.below(first_dot));
    }
    while moments.len() < options.cuts {
        moments.insert(first_dot + world.dice.below(all - first_dot));
    }
    world.cut_at(&moments);
    let broken = world.control(all * 9 / 10);

    let mut figures = Figures::default();
    figures
        .add("power cuts", options.cuts)
        .add("before the first message", early)
        .add("readers", options.readers)
        .add("sessions", options.sessions)
        .add("traced events", thousands(all as usize))
        .add("lost", 0)
        .add("duplicates", 0)
        .add("uncertain per cut: mean", world.uncertain.mean())
        .add("most", world.uncertain.most())
        .add("frozen anew", world.without_issue)
        .add("broken promises if syncs did nothing", broken);
    figures
}

struct World {
    options: Options,
    dice: Dice,
    press: Press,
    sink: ChaosSink,
    recording: Recording,
    /// How far the sink's journal was read.
    place: u64,
    uncertain: Histogram,
    without_issue: usize,
}

/// A machine after the cut, and the relay beside it.
struct Aftermath {
    image: Image,
    received: Vec<Receipt>,
}

impl World {
    fn recorded(options: &Options, seed: u64) -> Self {
        let limit = Duration::from_secs(600);
        let (press, sink) = at_volume(options.readers, options.sessions, limit);
        let (recording, end) = Recording::of(&press, None);
        end.succeeds();
        let mut place = 0;
        assert_eq!(sink.receipts_since(&mut place).len(), options.readers);
        Self {
            options: options.clone(),
            dice: Dice::of(seed),
            press,
            sink,
            recording,
            place,
            uncertain: Histogram::default(),
            without_issue: 0,
        }
    }

    /// How many events there are, and how many before the first dot.
    fn count_events(&self) -> (u64, u64) {
        let mut machine = self.machine();
        let (mut all, mut first) = (0, None);
        events(&self.recording.trace, |event| {
            machine.see(event);
            all += 1;
            if first.is_none() && machine.dots().next().is_some() {
                first = Some(all);
            }
        });
        assert_eq!(machine.dots().count(), self.options.readers);
        (all, first.unwrap())
    }

    fn machine(&self) -> Machine {
        self.recording.machine(&self.press, self.sink.port())
    }

    /// One pass over the recording, with a cut at each of these moments.
    fn cut_at(&mut self, moments: &BTreeSet<u64>) {
        let mut machine = self.machine();
        let mut number = 0;
        let trace = self.recording.trace.clone();
        events(&trace, |event| {
            machine.see(event);
            if moments.contains(&number) {
                let luck = [0, 50, 90][self.dice.below(3) as usize];
                let aftermath = self.aftermath(&machine, luck);
                let found = self.go_on(&aftermath);
                assert!(found.is_empty(), "cut at event {number}: {found:#?}");
            }
            number += 1;
        });
    }

    /// What is left when the power fails now. A message whose answer had not
    /// been read may have been taken or not.
    fn aftermath(&mut self, machine: &Machine, luck: u64) -> Aftermath {
        let image = machine.power_cut(&mut self.dice, luck);
        let dots: Vec<_> = machine.dots().cloned().collect();
        let received = dots
            .into_iter()
            .filter(|dot| dot.answered || self.dice.percent(50))
            .map(|dot| dot.receipt)
            .collect();
        Aftermath { image, received }
    }

    /// Runs to the end from there; what the oracle finds wrong.
    fn go_on(&mut self, aftermath: &Aftermath) -> Vec<String> {
        for entry in fs::read_dir(self.press.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        aftermath.image.write(self.press.dir());
        let had_issue = self.press.ledger().issues() > 0;
        self.without_issue += usize::from(!had_issue);
        let end = self.press.run(&["run"]);
        self.sink.settle();
        let ledger = self.press.ledger();
        let uncertain = ledger.sums_hold().count("uncertain");
        let expected = if uncertain > 0 { 3 } else { 0 };
        assert_eq!(end.code(), Some(expected), "{end}");
        // Under way and begun ahead: what outlives a process does not outlive this.
        assert!(
            uncertain <= 2 * self.options.sessions,
            "{uncertain} uncertain"
        );
        assert_eq!(ledger.issues(), 1);
        assert_eq!(ledger.count("sent") + uncertain, self.options.readers);
        self.uncertain.count(uncertain);
        let mut receipts = self.sink.receipts_since(&mut self.place);
        receipts.extend_from_slice(&aftermath.received);
        let rows = ledger.rows();
        every_uncertain_one_is_listed(&rows, |list| self.press.run(list));
        violations(&rows, &receipts, Policy::Once)
    }

    /// A check that cannot fail proves nothing: the same cut, had no sync of
    /// the log after the freeze done anything.
    fn control(&mut self, moment: u64) -> usize {
        let mut machine = self.machine();
        machine.lies_from = self.syncs_before_first_dot();
        let mut number = 0;
        let mut found = Vec::new();
        let trace = self.recording.trace.clone();
        events(&trace, |event| {
            machine.see(event);
            if number == moment {
                let aftermath = self.aftermath(&machine, 0);
                found = self.go_on(&aftermath);
            }
            number += 1;
        });
        assert!(!found.is_empty(), "intents were dropped, nothing was found");
        found.len()
    }

    fn syncs_before_first_dot(&self) -> usize {
        let mut machine = self.machine();
        let mut syncs = 0;
        events(&self.recording.trace, |event| {
            machine.see(event);
            if machine.dots().next().is_none() {
                syncs = machine.log_syncs;
            }
        });
        syncs
    }
}
