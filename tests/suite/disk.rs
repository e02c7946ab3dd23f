//! No room under the ledger: nothing is sent of which the ledger does not
//! know, and with room again everybody gets the issue once.

use std::time::Duration;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::oracle::{Policy, assert_reconciled};
use crate::press::Press;
use crate::process::Finished;
use crate::receipt::Fate;

const READERS: usize = 300;

fn press() -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(READERS).relay(&sink.url());
    // Feeds and pages are there already: only the ledger needs room.
    press.run(&["build"]).succeeds();
    (press, sink)
}

/// A run in which no file may grow beyond so many bytes.
fn limited_run(press: &Press, bytes: u64) -> Finished {
    let limit = format!("--fsize={bytes}");
    press
        .spawn_under(&["prlimit", &limit, "--"], &["run"])
        .wait()
}

/// Asserts that the ledger is named, with the words for this kind of trouble.
#[track_caller]
fn names_the_ledger(run: &Finished, trouble: &str, ledger: &str) {
    let first = run.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(&format!("error: the ledger cannot be written ({trouble} "))
            && first.ends_with(&format!(
                "/{ledger}): stopped before sending; free space and run again"
            )),
        "{run}"
    );
    run.says("hint: nothing is lost: ");
}

/// Asserts that a run with room serves everybody, no kill of whom is listed.
#[track_caller]
fn completes(press: &Press, sink: &ChaosSink) {
    let end = press.run(&["run"]);
    let ledger = press.ledger();
    let uncertain = ledger.sums_hold().count("uncertain");
    end.exits(if uncertain > 0 { 3 } else { 0 });
    assert!(uncertain <= 10, "{uncertain} uncertain");
    assert_eq!(ledger.count("sent") + uncertain, READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    assert!(sink.count(Fate::Accepted) >= ledger.count("sent"));
}

#[test]
fn a_file_size_limit_in_the_middle_of_sending_stops_it_and_loses_nobody() {
    let (press, sink) = press();
    let limit = 700 * 1024;
    let run = limited_run(&press, limit);
    run.exits(74);
    names_the_ledger(&run, "file size limit RLIMIT_FSIZE on", "letterpress.db");
    let ledger = press.ledger();
    let sent = sink.count(Fate::Accepted);
    assert!((1..READERS).contains(&sent), "{sent} were sent before");
    // Whoever has the message is `sent` or still `inflight`: an intent exists.
    assert_reconciled(&ledger.sums_hold().rows(), &sink.receipts(), Policy::Once);
    assert!(ledger.count("inflight") <= 10, "{:?}", ledger.states());
    completes(&press, &sink);
}

#[test]
fn a_file_size_limit_at_the_freeze_leaves_no_half_an_issue() {
    let (press, sink) = press();
    // Room for the files themselves, and for next to no log of changes.
    let run = limited_run(&press, 64 * 1024);
    run.exits(74);
    names_the_ledger(&run, "file size limit RLIMIT_FSIZE on", "letterpress.db");
    assert_eq!(sink.journal().len(), 0);
    assert_eq!(press.ledger().issues(), 0);
    completes(&press, &sink);
}

/// A ledger on a file system of one megabyte; the run that finds it full; the
/// run after it has grown; and the ledger brought out again.
const SMALL_DISK: &str = r#"
run() { code=0; "$LETTERPRESS" --at "$1" run 2>"$2" || code=$?; echo "$2 $code"; }
mkdir kept
mount -t tmpfs -o size=1m ledger ledger
"$LETTERPRESS" subscribers import subscribers.csv >&2
run 2026-11-27T08:00:00+02:00 full
cp ledger/letterpress.db* kept/
mkdir full-ledger && mv kept/* full-ledger/
mount -o remount,size=64m ledger
run 2026-11-27T08:05:00+02:00 roomy
cp ledger/letterpress.db* kept/
"#;

#[test]
fn a_full_disk_stops_the_run_and_room_lets_it_go_on() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = Press::new();
    press
        .limit(Duration::from_secs(100))
        .subscribers(READERS)
        .relay(&sink.url())
        .ledger_apart();
    let end = press.script_in_own_mounts(SMALL_DISK).wait();
    end.succeeds();
    let said = press.read("full");
    assert!(
        said.starts_with("error: the ledger cannot be written (disk full on ")
            && said.contains(
                "ledger/letterpress.db): stopped before sending; free space and run again\n"
            ),
        "{said}"
    );
    assert!(end.stdout.starts_with("full 74\n"), "{end}\n{said}");

    let full = crate::ledger::Ledger::open(&press.path("full-ledger/letterpress.db"));
    let rows = full.rows();
    let before: usize = rows.iter().filter(|row| row.state == "queued").count();
    assert!(rows.is_empty() || before > 0, "{:?}", full.states());

    let ledger = crate::ledger::Ledger::open(&press.path("kept/letterpress.db"));
    let uncertain = ledger.sums_hold().count("uncertain");
    let last = format!("roomy {}\n", if uncertain > 0 { 3 } else { 0 });
    assert!(end.stdout.ends_with(&last), "{end}");
    assert!(uncertain <= 10, "{uncertain} uncertain");
    assert_eq!(ledger.count("sent") + uncertain, READERS);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn wherever_the_limit_strikes_nobody_is_lost_and_nobody_has_two_messages() {
    for kilobytes in [8, 24, 48, 96, 128, 192, 288, 416, 544, 672, 1_024] {
        let (press, sink) = press();
        let run = limited_run(&press, kilobytes * 1024);
        assert_eq!(run.code(), Some(74), "{kilobytes} KiB\n{run}");
        let rows = press.ledger().sums_hold().rows();
        assert_reconciled(&rows, &sink.receipts(), Policy::Once);
        completes(&press, &sink);
    }
}

#[test]
fn a_ledger_that_cannot_be_used_is_named_before_anything_is_sent() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(3).relay(&sink.url());
    press.set("store.url", "sqlite:absent/letterpress.db");
    press
        .run(&["run"])
        .exits(74)
        .says("error: the ledger cannot be opened (missing folder or file: ")
        .says("/absent/letterpress.db");

    press.set("store.url", "sqlite:letterpress.db");
    let mut bytes = press.read_bytes("letterpress.db");
    for byte in bytes.iter_mut().skip(16).take(4_000) {
        *byte ^= 0x5A;
    }
    press.write_bytes("letterpress.db", &bytes);
    press
        .run(&["run"])
        .exits(74)
        .says("error: the ledger fails its integrity check at ")
        .says("/letterpress.db\n");
    assert_eq!(
        press.read_bytes("letterpress.db"),
        bytes,
        "never mended by itself"
    );
    assert_eq!(sink.connections(), 0);
}
