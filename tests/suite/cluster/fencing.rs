//! Workers that lose touch: cut off from the database, stopped for longer than
//! their lease, or with a clock of their own. What they had claimed goes to
//! others, what they had begun is in doubt, and what they learn late still counts.

use std::time::Duration;

use rustix::process::Signal;

use super::{freeze, press_on};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::cutter::Cutter;
use crate::guards::libfaketime;
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled, every_uncertain_one_is_listed};
use crate::postgres;
use crate::press::Press;
use crate::process::Running;
use crate::receipt::Fate;

const READERS: usize = 300;

/// When a delivery in doubt may be sent again under `resend`.
const LATER: &str = "2026-11-27T08:20:00+02:00";

/// A list whose issue is frozen and not begun, with two machines that may work on
/// it, each with a relay of its own.
struct Site {
    press: Press,
    sink: ChaosSink,
    /// The machine that will lose touch: its folder, its relay, its line.
    lost: Press,
    other_sink: ChaosSink,
    line: Cutter,
}

impl Site {
    fn new() -> Self {
        let (mut press, sink) = press_on(postgres::database(), READERS);
        press.limit(Duration::from_secs(180));
        press.set("store.lease", "3s").set("mail.connections", 1);
        freeze(&press, &sink);
        let lost = press.copied();
        let other_sink = ChaosSink::start(Behaviour::default());
        let line = Cutter::to(press.server().port());
        lost.relay(&other_sink.url())
            .set("store.url", press.server().url_by(line.port()));
        Self {
            press,
            sink,
            lost,
            other_sink,
            line,
        }
    }

    /// The machine's worker, when its relay has one message and keeps its answer.
    fn held(&self) -> Running {
        self.other_sink.hold_dots();
        let worker = self.lost.spawn(&["work", "--grace", "2s"]);
        self.other_sink.wait_for_held(1);
        worker
    }

    /// Waits until so many deliveries are in these states.
    #[track_caller]
    fn wait_for(&self, wanted: &[(&'static str, usize)]) {
        let ledger = self.press.ledger();
        let reached = || {
            let states = ledger.states();
            let count = |state| states.get(state).copied().unwrap_or(0);
            wanted.iter().all(|(state, number)| count(state) == *number)
        };
        let found = holds_within(Duration::from_secs(50), reached);
        assert!(found, "waited for {wanted:?}, found {:?}", ledger.states());
    }

    #[track_caller]
    fn reconciled(&self, policy: Policy) {
        let receipts = [self.sink.receipts(), self.other_sink.receipts()].concat();
        let rows = self.press.ledger().rows();
        assert_reconciled(&rows, &receipts, policy);
        every_uncertain_one_is_listed(&rows, |list| self.press.run(list));
        self.press.run(&["store", "verify"]).succeeds();
    }

    /// Everybody has the issue, and nobody twice.
    #[track_caller]
    fn everybody_has_it_once(&self) {
        assert_eq!(self.press.ledger().count("sent"), READERS);
        self.reconciled(Policy::Once);
    }

    /// How often relays took a message.
    fn accepted(&self) -> usize {
        self.sink.count(Fate::Accepted) + self.other_sink.count(Fate::Accepted)
    }
}

/// Tells a worker to end; it has nothing under way.
#[track_caller]
fn ends(mut worker: Running, code: i32) {
    worker.signal(Signal::TERM);
    worker.wait().exits(code);
}

#[test]
fn a_worker_cut_off_from_the_database_takes_nothing_new_and_keeps_what_it_learns() {
    let site = Site::new();
    let mut cut_off = site.held();
    site.line.close();
    site.other_sink.release();
    cut_off.wait_for_stderr("database away, 1 outcome kept, waiting");
    // Its lease ends, and others go on with what it had claimed.
    let others = site.press.spawn(&["work"]);
    site.wait_for(&[("sent", READERS - 1), ("uncertain", 1)]);
    assert_eq!(site.other_sink.count(Fate::Accepted), 1);
    // It ends without having seen the database again, and remembers.
    cut_off.signal(Signal::TERM);
    cut_off.wait().exits(69);
    site.line.admit();
    let back = site.lost.spawn(&["work"]);
    site.wait_for(&[("sent", READERS)]);
    ends(back, 0);
    ends(others, 0);
    site.everybody_has_it_once();
}

#[test]
fn a_worker_that_slept_through_its_lease_drops_what_it_had_claimed() {
    let site = Site::new();
    site.lost.set("mail.rate", "1/s");
    let mut asleep = site.lost.spawn(&["work"]);
    site.other_sink.wait_for(Fate::Accepted, 1);
    site.wait_for(&[("inflight", 0)]);
    asleep.signal(Signal::STOP);
    let ledger = site.press.ledger();
    let claimed = ledger.count("claimed");
    assert!(claimed > 0, "{:?}", ledger.states());
    let epoch = ledger.table("SELECT max(id) FROM workers")[0][0].clone();
    let awake = site.press.spawn(&["work"]);
    site.wait_for(&[("claimed", 0), ("queued", 0), ("inflight", 0)]);
    let before = site.accepted();
    asleep.signal(Signal::CONT);
    asleep.wait_for_stderr(&format!("lost my lease (epoch {epoch}), dropped "));
    assert_eq!(
        site.accepted(),
        before,
        "what was dropped is sent by others"
    );
    asleep.signal(Signal::TERM);
    let end = asleep.wait();
    end.succeeds();
    // One may have been in a session's hands already, which let go of it.
    let told = [claimed, claimed - 1].map(|claims| format!("dropped {claims} claims\n"));
    assert!(
        told.iter().any(|told| end.stderr.contains(told)),
        "{claimed}: {end}"
    );
    ends(awake, 0);
    site.everybody_has_it_once();
}

/// A worker that sleeps while its relay has one message of it, taken or not, and
/// another one that has served everybody else meanwhile.
fn asleep_after_the_intent(site: &Site) -> (Running, Running) {
    let mut asleep = site.held();
    asleep.signal(Signal::STOP);
    let awake = site.press.spawn(&["work"]);
    site.wait_for(&[("sent", READERS - 1), ("uncertain", 1)]);
    (asleep, awake)
}

#[test]
fn what_a_sleeping_worker_learns_late_settles_what_was_uncertain() {
    let site = Site::new();
    let (mut asleep, awake) = asleep_after_the_intent(&site);
    site.other_sink.release();
    asleep.signal(Signal::CONT);
    asleep.wait_for_stderr("late confirmation");
    site.wait_for(&[("sent", READERS)]);
    ends(asleep, 0);
    ends(awake, 0);
    site.everybody_has_it_once();
}

#[test]
fn under_resend_a_late_confirmation_shows_the_duplicate_by_both_attempts() {
    let mut site = Site::new();
    site.press.set("mail.on_uncertain", "resend");
    let (mut asleep, awake) = asleep_after_the_intent(&site);
    ends(awake, 0);
    let ledger = site.press.ledger();
    let doubt = "SELECT id, attempt_id FROM deliveries WHERE state = 4";
    let (delivery, first) = (
        ledger.table(doubt)[0][0].clone(),
        ledger.table(doubt)[0][1].clone(),
    );
    site.press.at(LATER);
    site.press.run(&["run"]).succeeds();
    let second = format!("SELECT attempt_id FROM deliveries WHERE id = {delivery}");
    let second = ledger.table(&second)[0][0].clone();
    assert_ne!(first, second);

    site.other_sink.release();
    asleep.signal(Signal::CONT);
    asleep.wait_for_stderr(&format!(
        "delivery {delivery} of weekly/1: the relay took attempt {first} after all, when attempt \
         {second} had been made; this reader may have it twice"
    ));
    ends(asleep, 3);
    assert_eq!(site.accepted(), READERS + 1);
    site.reconciled(Policy::Resend);
}

#[test]
fn a_worker_whose_clock_is_a_day_off_steals_no_lease_and_is_told_so() {
    for skew in ["+1d", "-1d"] {
        let mut site = Site::new();
        site.press.real_clock();
        site.lost.real_clock();
        // Due by the clock of either.
        site.press
            .server()
            .execute("UPDATE deliveries SET next_attempt_at = 0");
        site.press
            .server()
            .execute("UPDATE issues SET expire_at = 4000000000");
        let mut worker = site.held();
        let mut command = site.press.command(&["work"]);
        command
            .env("LD_PRELOAD", libfaketime())
            .env("FAKETIME", skew)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let mut skewed = Running::start(command, b"", Duration::from_secs(60));
        skewed.wait_for_stderr("clock");
        site.wait_for(&[("queued", 0), ("inflight", 1)]);
        // For longer than the lease, which its holder renews.
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(site.press.ledger().count("uncertain"), 0, "{skew}");
        site.other_sink.release();
        site.wait_for(&[("sent", READERS)]);
        ends(skewed, 0);
        worker.signal(Signal::TERM);
        worker.wait().succeeds();
        site.everybody_has_it_once();
    }
}
