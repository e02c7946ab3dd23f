//! SIGKILL before every single system call of a small run: `strace` counts
//! them and kills. Each death is followed by a run to the end and the oracle.
//!
//! `strace` counts each kind of call in each thread by itself. The runs are
//! therefore held to one processor, where they have one thread that speaks
//! SMTP and one that writes the ledger.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::figures::{Figures, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::dice::Dice;
use crate::harness::oracle::{Policy, assert_reconciled, every_uncertain_one_is_listed};
use crate::harness::press::Press;

/// Calls that end a thread, or that were made before our first instruction.
const NOT_OURS: [&str; 4] = ["execve", "exit", "exit_group", "restart_syscall"];
/// Counts differ a little from run to run: so many numbers more are tried.
const BEYOND: usize = 2;

/// How much is to be killed
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many readers the issue has
    #[arg(long, default_value_t = 50)]
    pub(crate) readers: usize,
    /// Only so many points, drawn by the seed
    #[arg(long)]
    pub(crate) sample: Option<usize>,
    /// How many are killed side by side
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
    /// `mail.connections`, one round for each
    #[arg(long, value_delimiter = ',', default_value = "8,1")]
    pub(crate) sessions: Vec<usize>,
}

/// Before the `number`-th call of this kind in some thread.
#[derive(Clone, Debug)]
struct Point {
    call: String,
    number: usize,
    sessions: usize,
}

#[derive(Default)]
struct Found {
    killed: BTreeMap<String, usize>,
    survived: BTreeMap<String, usize>,
    uncertain: usize,
    most_uncertain: usize,
    without_issue: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let template = Press::new();
    template.subscribers(options.readers);
    let mut points = Vec::new();
    for &sessions in &options.sessions {
        template.set("mail.connections", sessions as i64);
        points.extend(points_of(&template, sessions));
    }
    Dice::of(seed).shuffle(&mut points);
    points.truncate(options.sample.unwrap_or(usize::MAX));

    let found = Mutex::new(Found::default());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..options.workers {
            let (points, template, found, next) = (&points, &template, &found, &next);
            scope.spawn(move || {
                let processor = worker % thread::available_parallelism().map_or(1, usize::from);
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    kill_at(point, template, processor, options.readers, found);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let killed: usize = found.killed.values().sum();
    let survived: usize = found.survived.values().sum();
    assert!(
        killed * 10 > points.len() * 8,
        "{survived} points never reached"
    );
    let mut figures = Figures::default();
    figures
        .add("points killed at", thousands(killed))
        .add("numbers never reached", survived)
        .add("before there was an issue", found.without_issue)
        .add("readers", options.readers)
        .add("lost", 0)
        .add("duplicates", 0)
        .add("uncertain, all listed", found.uncertain)
        .add("most at one point", found.most_uncertain)
        .add("by kind", by_count(&found.killed))
        .add("never reached by kind", by_count(&found.survived));
    figures
}

/// `pwrite64 684, fcntl 526`.
fn by_count(counts: &BTreeMap<String, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let words: Vec<String> = counts
        .iter()
        .map(|(call, count)| format!("{call} {count}"))
        .collect();
    words.join(", ")
}

/// A trace of one whole run gives the kinds of calls and how often a thread
/// makes each.
fn points_of(template: &Press, sessions: usize) -> Vec<Point> {
    let sink = ChaosSink::start(Behaviour::for_volume());
    let press = template.copied();
    press.relay(&sink.url());
    let run = press.spawn_under(
        &["taskset", "-c", "0", "strace", "-f", "-qq", "-o", "trace"],
        &["run"],
    );
    run.wait().succeeds();
    let mut counts: HashMap<(String, String), usize> = HashMap::new();
    for line in fs::read_to_string(press.path("trace")).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        if let Some((call, _)) = rest.trim_start().split_once('(')
            && !call.contains(' ')
        {
            *counts
                .entry((call.to_owned(), thread.to_owned()))
                .or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((call, _), count) in counts {
        let known = most.entry(call).or_default();
        *known = (*known).max(count);
    }
    most.into_iter()
        .filter(|(call, _)| !NOT_OURS.contains(&call.as_str()))
        .flat_map(|(call, count)| {
            (1..=count + BEYOND).map(move |number| Point {
                call: call.clone(),
                number,
                sessions,
            })
        })
        .collect()
}

fn kill_at(
    point: &Point,
    template: &Press,
    processor: usize,
    readers: usize,
    found: &Mutex<Found>,
) {
    let sink = ChaosSink::start(Behaviour::for_volume());
    let mut press = template.copied();
    press.limit(Duration::from_secs(120));
    press
        .relay(&sink.url())
        .set("mail.connections", point.sessions as i64);
    let (call, number) = (&point.call, point.number);
    let processor = processor.to_string();
    let (trace, inject) = (
        format!("trace={call}"),
        format!("inject={call}:signal=KILL:when={number}"),
    );
    let wrapper = [
        "taskset", "-c", &processor, "strace", "-f", "-qq", "-o", "trace", "-e", &trace, "-e",
        &inject,
    ];
    let run = press.spawn_under(&wrapper, &["run"]).wait();
    let was_killed = run.killed_by() == Some(9);
    assert!(was_killed || run.code() == Some(0), "{point:?}\n{run}");
    sink.settle();
    let before = press.ledger();
    let had_issue = before.issues() > 0;
    if had_issue {
        let rows = before.sums_hold().rows();
        assert_reconciled(&rows, &sink.receipts(), Policy::Once);
    }
    drop(before);

    let end = press.run(&["run"]);
    let ledger = press.ledger();
    let uncertain = ledger.sums_hold().count("uncertain");
    assert!(
        uncertain <= point.sessions,
        "{point:?}: {uncertain} uncertain\n{end}"
    );
    let expected = if uncertain > 0 { 3 } else { 0 };
    assert_eq!(end.code(), Some(expected), "{point:?}\n{end}");
    assert_eq!(ledger.issues(), 1, "{point:?}");
    assert_eq!(ledger.count("sent") + uncertain, readers, "{point:?}");
    let rows = ledger.rows();
    assert_reconciled(&rows, &sink.receipts(), Policy::Once);
    every_uncertain_one_is_listed(&rows, |list| press.run(list));

    let mut found = found.lock().unwrap();
    if was_killed {
        *found.killed.entry(point.call.clone()).or_default() += 1;
        found.without_issue += usize::from(!had_issue);
    } else {
        *found.survived.entry(point.call.clone()).or_default() += 1;
    }
    found.uncertain += uncertain;
    found.most_uncertain = found.most_uncertain.max(uncertain);
}
