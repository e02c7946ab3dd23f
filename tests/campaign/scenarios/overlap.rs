//! Many runs start at once: one freezes and sends, the others say so and go.

use std::time::Duration;

use super::figures::Figures;
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::net::holds_within;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Fate;

/// How many at once, and how often
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many runs start together
    #[arg(long, default_value_t = 50)]
    pub(crate) runs: usize,
    /// How often
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    /// How many readers the issue has
    #[arg(long, default_value_t = 40)]
    pub(crate) readers: usize,
}

/// Runs the campaign; chance is what the system's scheduler makes of it.
pub(crate) fn campaign(options: &Options, _seed: u64) -> Figures {
    let (mut turned_away, mut deliveries) = (0, 0);
    for _ in 0..options.rounds {
        turned_away += round(options);
        deliveries += options.readers;
    }
    let mut figures = Figures::default();
    figures
        .add("rounds", options.rounds)
        .add("runs at once", options.runs)
        .add("freezes", options.rounds)
        .add("“another run …”, exit 0", turned_away)
        .add("deliveries", deliveries)
        .add("lost", 0)
        .add("duplicates", 0);
    figures
}

/// One publication, one due issue; how many runs were turned away.
fn round(options: &Options) -> usize {
    let sink = ChaosSink::start(Behaviour::for_volume());
    let press = Press::new();
    press.subscribers(options.readers).relay(&sink.url());
    // Until all others have gone, the sender gets no answer to its first dot:
    // none of them can come too late.
    sink.hold_dots();
    let mut runs: Vec<Running> = (0..options.runs).map(|_| press.spawn(&["run"])).collect();
    let mut gone = Vec::new();
    let only_one_is_left = holds_within(Duration::from_secs(60), || {
        while let Some(place) = runs.iter_mut().position(|run| !run.is_running()) {
            gone.push(runs.swap_remove(place).wait());
        }
        runs.len() <= 1
    });
    assert!(only_one_is_left, "{} runs go on", runs.len());
    for run in &gone {
        run.succeeds();
        let line = run.stderr.trim_end();
        assert!(
            line.starts_with("another run ") && line.ends_with(" is active"),
            "{run}"
        );
        assert!(!line.contains('\n'), "{run}");
    }
    sink.release();
    let sender = runs.pop().expect("nobody sends");
    sender.wait().succeeds().is_silent();
    let ledger = press.ledger();
    assert_eq!(ledger.issues(), 1);
    assert_eq!(ledger.sums_hold().count("sent"), options.readers);
    assert_eq!(sink.count(Fate::Accepted), options.readers);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    gone.len()
}
