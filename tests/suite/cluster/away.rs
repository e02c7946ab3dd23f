//! The server goes away: stopped, gone for longer than one waits, or replaced by
//! a standby that had not heard everything.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{SESSIONS, everybody_has_it_once, freeze, held_at_full_speed, press_on, reconciled};
use crate::chaos::ChaosSink;
use crate::cutter::Cutter;
use crate::ledger::Ledger;
use crate::net::holds_within;
use crate::postgres::standby::Standby;
use crate::postgres::{Options, Server, Stop};
use crate::press::Press;
use crate::receipt::Fate;

const READERS: usize = 240;

/// What is said of the outcomes that cannot be written down yet.
const KEPT: &str = "database away, 6 outcomes kept, waiting";

#[test]
fn a_server_that_is_stopped_and_comes_back_costs_nobody_anything() {
    let mut server = Server::start(&Options::default());
    let (press, sink) = press_on(server.database(), READERS);
    let mut run = held_at_full_speed(&press, &sink, &["run"]);
    let before = sink.count(Fate::Accepted);
    server.stop(Stop::Immediate);
    sink.release();
    run.wait_for_stderr(KEPT);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(
        sink.count(Fate::Accepted),
        before,
        "nothing is sent whose intent cannot be written down"
    );
    server.restart();
    run.wait().succeeds();
    everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn when_patience_is_at_its_end_the_outcomes_are_kept_for_the_next_run() {
    let mut server = Server::start(&Options::default());
    let (press, sink) = press_on(server.database(), READERS);
    press.set("store.patience", "2s").set("store.lease", "3s");
    let run = held_at_full_speed(&press, &sink, &["run"]);
    let before = sink.count(Fate::Accepted);
    server.stop(Stop::Immediate);
    sink.release();
    run.wait().exits(69).says(KEPT);
    assert_eq!(sink.count(Fate::Accepted), before);
    press.run(&["run"]).exits(69);

    server.restart();
    press.run(&["run"]).succeeds().is_silent();
    let ledger = press.ledger();
    assert!(ledger.count("sent") > before && ledger.count("uncertain") == 0);
    // What the first had claimed is free when its lease is over.
    let all_sent = || {
        press.run(&["run"]).succeeds().is_silent();
        ledger.count("sent") == READERS
    };
    assert!(holds_within(Duration::from_secs(30), all_sent));
    everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn a_server_that_cannot_be_reached_is_named_without_a_login() {
    let mut server = Server::start(&Options::default());
    let (press, sink) = press_on(server.database(), 3);
    let port = server.port();
    let name = press.server().name().to_owned();
    press.set(
        "store.url",
        format!("postgres://letterpress:open-sesame@127.0.0.1:{port}/{name}"),
    );
    server.stop(Stop::Fast);
    for command in [
        &["run"][..],
        &["send", "weekly"],
        &["status"],
        &["store", "verify"],
    ] {
        press
            .run(command)
            .exits(69)
            .says(&format!(
                "the database postgres://127.0.0.1:{port}/{name} is away\n"
            ))
            .says("hint: when the server is back, run the same command again")
            .conceals("open-sesame");
    }
    assert_eq!(sink.connections(), 0);
}

/// A server, a standby that hears of it by a line, and the line to whichever leads.
struct Pair {
    primary: Server,
    standby: Standby,
    stream: Cutter,
    front: Cutter,
}

impl Pair {
    fn start() -> Self {
        let primary = Server::start(&Options::default());
        let (front, stream) = (Cutter::to(primary.port()), Cutter::to(primary.port()));
        let standby = primary.standby_by(stream.port());
        Self {
            primary,
            standby,
            stream,
            front,
        }
    }

    fn press(&self, readers: usize) -> (Press, ChaosSink) {
        let (press, sink) = press_on(self.primary.database(), readers);
        press
            .set("store.url", press.server().url_by(self.front.port()))
            .set("store.lease", "3s");
        (press, sink)
    }

    /// The standby takes over while `sessions` messages are under way, after it has
    /// not heard of forty that were sent. The line to it stays; the first one is
    /// stopped.
    #[track_caller]
    fn fail_over(mut self, sink: &ChaosSink, sessions: usize) -> (Server, Cutter, Server) {
        let caught_up = || self.standby.has_caught_up_with(&self.primary);
        assert!(holds_within(Duration::from_secs(20), caught_up));
        self.stream.silence();
        let heard = sink.count(Fate::Accepted);
        sink.wait_for(Fate::Accepted, heard + 40);
        sink.hold_dots();
        sink.wait_for_held(sessions);
        self.primary.stop(Stop::Immediate);
        let second = self.standby.promote();
        self.front.lead_to(second.port());
        sink.release();
        (second, self.front, self.primary)
    }
}

#[test]
fn what_a_standby_had_not_heard_of_is_asserted_again_and_nobody_has_two_messages() {
    let pair = Pair::start();
    let (press, sink) = pair.press(READERS);
    let run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, READERS / 4);
    let (second, _front, _first) = pair.fail_over(&sink, SESSIONS);

    let end = run.wait();
    let moved = Arc::new(press.server().on(second.port()));
    let ledger = Ledger::on(&moved);
    reconciled(&press, &ledger, &sink);
    let (sent, uncertain) = (ledger.count("sent"), ledger.count("uncertain"));
    assert_eq!(sent + uncertain, READERS, "{end}");
    end.exits(if uncertain > 0 { 3 } else { 0 })
        .says("timeline changed; re-asserting ");
}

#[test]
fn workers_assert_again_each_what_it_sent_itself() {
    const READERS: usize = 2_000;
    let pair = Pair::start();
    let (press, sink) = pair.press(READERS);
    freeze(&press, &sink);
    let machines = [press.copied(), press.copied()];
    let mut workers = machines.each_ref().map(|one| one.spawn(&["work"]));
    let is_full = || sink.most_connections() == 2 * SESSIONS;
    assert!(holds_within(Duration::from_secs(60), is_full));
    let (second, _front, _first) = pair.fail_over(&sink, 2 * SESSIONS);

    let moved = Arc::new(press.server().on(second.port()));
    let ledger = Ledger::on(&moved);
    let is_over = || ledger.count("sent") + ledger.count("uncertain") == READERS;
    assert!(holds_within(Duration::from_secs(60), is_over));
    for worker in &mut workers {
        worker.signal(Signal::TERM);
    }
    for worker in workers {
        let end = worker.wait();
        assert!(matches!(end.code(), Some(0 | 3)), "{end}");
        end.says("timeline changed; re-asserting ");
    }
    reconciled(&press, &ledger, &sink);
}

#[test]
fn nobody_goes_back_to_a_server_that_was_failed_over_from() {
    const READERS: usize = 900;
    let pair = Pair::start();
    let (press, sink) = pair.press(READERS);
    let mut run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, READERS / 4);
    let (second, front, mut first) = pair.fail_over(&sink, SESSIONS);
    run.wait_for_stderr("timeline changed; re-asserting ");
    sink.hold_dots();
    sink.wait_for_held(SESSIONS);

    // The old one comes back, and the line leads there.
    first.restart();
    let old = press.server();
    let attempts = "SELECT count(*), max(id) FROM attempts";
    let before = (old.rows(attempts), sink.count(Fate::Accepted));
    front.lead_to(first.port());
    sink.release();
    run.wait_for_stderr("database away, ");
    thread::sleep(Duration::from_secs(2));
    assert_eq!((old.rows(attempts), sink.count(Fate::Accepted)), before);

    front.lead_to(second.port());
    let end = run.wait();
    let moved = Arc::new(press.server().on(second.port()));
    let ledger = Ledger::on(&moved);
    reconciled(&press, &ledger, &sink);
    let (sent, uncertain) = (ledger.count("sent"), ledger.count("uncertain"));
    assert_eq!(sent + uncertain, READERS, "{end}");
    let said = end.stderr.split("re-asserting ").last();
    assert!(said.unwrap().contains("database away, "), "{end}");
    end.exits(if uncertain > 0 { 3 } else { 0 });
}
