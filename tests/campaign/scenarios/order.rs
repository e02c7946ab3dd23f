//! The intent is on stable storage before the dot: read from a trace of a whole
//! run, for every single message.
//!
//! Whenever a thread enters a write to the relay that completes a message, the
//! ledger is put together from nothing but the bytes that a returned sync had
//! made safe before that moment, and must hold an attempt for this delivery.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::at_volume;
use super::figures::{Figures, thousands};
use super::recording::{Event, Machine, Moment, Recording, events};
use crate::harness::dice::Dice;
use crate::harness::ledger::Ledger;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::Press;

/// How much is to be traced
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many messages
    #[arg(long, default_value_t = 10_000)]
    pub(crate) messages: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let world = World::recorded(options, None);
    let proof = world.check(usize::MAX);
    let (found, first) = (proof.violations.len(), proof.violations.first());
    assert_eq!(found, 0, "{first:?}");
    assert_eq!(proof.messages, options.messages, "messages in the trace");

    // A check that cannot fail proves nothing. The same trace, read as if the
    // disk lied from some sync on; and a run on a disk that does lie.
    let lies_from = Dice::of(seed).below(proof.syncs as u64 * 9 / 10) as usize;
    let mutant = world.check(lies_from);
    mutant.finds_what_the_lie_took(options.sessions);
    let few = Options {
        messages: options.messages.min(200),
        ..options.clone()
    };
    let liar = World::recorded(&few, Some("fsync,fdatasync:retval=0")).check(usize::MAX);
    assert_eq!(
        liar.violations.len(),
        few.messages,
        "on a lying disk no intent is safe"
    );

    let mut figures = Figures::default();
    figures
        .add("messages", thousands(proof.messages))
        .add("sessions", options.sessions)
        .add("intent synced before the dot", "100 %")
        .add("syncs of the log", thousands(proof.syncs))
        .add(
            "found when syncs are dropped from one on",
            format!("{} (from {lies_from})", thousands(mutant.violations.len())),
        )
        .add(
            "found on a disk that lies",
            format!("{} of {}", liar.violations.len(), few.messages),
        );
    figures
}

struct World {
    press: Press,
    recording: Recording,
    port: u16,
    /// Which delivery a message is.
    deliveries: HashMap<String, i64>,
}

#[derive(Default)]
struct Proof {
    messages: usize,
    /// Those whose dot came after the first sync that was a lie.
    after_the_lie: usize,
    syncs: usize,
    violations: Vec<String>,
}

impl World {
    fn recorded(options: &Options, inject: Option<&str>) -> Self {
        let limit = Duration::from_secs(1_800);
        let (press, sink) = at_volume(options.messages, options.sessions, limit);
        let (recording, end) = Recording::of(&press, inject);
        end.succeeds();
        let rows = press.ledger().sums_hold().rows();
        assert_eq!(press.ledger().count("sent"), options.messages);
        assert_reconciled(&rows, &sink.receipts(), Policy::Once);
        let deliveries = rows
            .into_iter()
            .map(|row| (row.message_id, row.delivery_id))
            .collect();
        Self {
            press,
            recording,
            port: sink.port(),
            deliveries,
        }
    }

    /// Plays the trace back and looks at every dot.
    fn check(&self, lies_from: usize) -> Proof {
        let mut machine = self.recording.machine(&self.press, self.port);
        machine.lies_from = lies_from;
        let mut known = Known::new();
        let mut dots: HashMap<i64, usize> = HashMap::new();
        let mut proof = Proof::default();
        events(&self.recording.trace, |event: &Event<'_>| {
            if event.moment == Moment::Enters {
                for dot in machine.about_to_complete(event) {
                    proof.messages += 1;
                    proof.after_the_lie += usize::from(machine.log_syncs > lies_from);
                    let id = &dot.receipt.message_id;
                    let delivery = self.deliveries[id];
                    let needed = dots.entry(delivery).or_default();
                    *needed += 1;
                    if !known.has(delivery, *needed, &machine) {
                        proof.violations.push(format!(
                            "the dot of delivery {delivery} (<{id}>) left before its intent was safe"
                        ));
                    }
                }
            }
            machine.see(event);
        });
        proof.syncs = machine.log_syncs;
        proof
    }
}

impl Proof {
    /// Asserts that every message after the lie was found, but for those whose
    /// intent was synced just before it: in each session one at most.
    fn finds_what_the_lie_took(&self, sessions: usize) {
        let (found, after) = (self.violations.len(), self.after_the_lie);
        assert!(after > sessions, "nothing came after the lie");
        assert!(
            found <= after && after - found <= sessions,
            "{found} found of {after} dots after a sync that was a lie"
        );
    }
}

/// The attempts that are known to be on stable storage.
struct Known {
    folder: tempfile::TempDir,
    last: i64,
    attempts: HashMap<i64, usize>,
    /// The number of syncs when the ledger was last put together.
    as_of: Option<usize>,
}

impl Known {
    fn new() -> Self {
        // In memory where there is such a place: it is read thousands of times.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self {
            folder: folder.unwrap(),
            last: 0,
            attempts: HashMap::new(),
            as_of: None,
        }
    }

    /// Whether so many attempts of this delivery are safe.
    fn has(&mut self, delivery: i64, needed: usize, machine: &Machine) -> bool {
        let count = |known: &Self| known.attempts.get(&delivery).copied().unwrap_or(0);
        if count(self) < needed && self.as_of != Some(machine.log_syncs) {
            self.read(machine);
        }
        count(self) >= needed
    }

    fn read(&mut self, machine: &Machine) {
        self.as_of = Some(machine.log_syncs);
        let database = self.folder.path().join("letterpress.db");
        for companion in ["letterpress.db-wal", "letterpress.db-shm"] {
            drop(std::fs::remove_file(self.folder.path().join(companion)));
        }
        let is_ledger = |name: &Path| {
            let name = name.to_string_lossy();
            name == "letterpress.db" || name == "letterpress.db-wal"
        };
        machine.safe(is_ledger).write(self.folder.path());
        for (attempt, delivery) in Ledger::open(&database).attempts_after(self.last) {
            self.last = attempt;
            *self.attempts.entry(delivery).or_default() += 1;
        }
    }
}
