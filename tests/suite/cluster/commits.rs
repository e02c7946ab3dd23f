//! What happens between a BEGIN and the answer to its COMMIT: lost questions and
//! answers, other sessions in the way, and a pooler in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{everybody_has_it_once, freeze, press_on};
use crate::cutter::{Cutter, Loss};
use crate::net::holds_within;
use crate::pgbouncer::PgBouncer;
use crate::postgres::{self, Database, Options, Server, Stop};
use crate::press::reader_address;
use crate::receipt::Fate;

const READERS: usize = 60;

/// What the transactions do of which commits are lost: freeze, intend, record.
const LOST: [&str; 3] = ["INTO issues", "INTO attempts", "UPDATE attempts"];

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up_and_counts_once() {
    for loss in [Loss::Answer, Loss::Question] {
        let server = Server::start(&Options::default());
        let line = Cutter::to(server.port());
        let (press, sink) = press_on(server.database(), READERS);
        press.set("store.url", press.server().url_by(line.port()));
        for (number, statement) in LOST.into_iter().cycle().take(6).enumerate() {
            // An issue is frozen once only.
            if number != LOST.len() {
                line.lose_a_commit(loss, statement);
            }
        }
        press.run(&["run"]).succeeds().is_silent();
        assert_eq!(line.lost(), 5, "{loss:?}");
        everybody_has_it_once(&press, &sink, READERS);
        let attempts = press.ledger().table("SELECT count(*) FROM attempts");
        assert_eq!(attempts, [[READERS.to_string()]], "{loss:?}");
    }
}

#[test]
fn a_number_that_is_given_out_again_after_a_crash_is_not_taken_for_ours() {
    for loss in [Loss::Question, Loss::Answer] {
        let mut server = Server::start(&Options::default());
        let line = Cutter::to(server.port());
        let (press, sink) = press_on(server.database(), READERS);
        freeze(&press, &sink);
        press.set("store.url", press.server().url_by(line.port()));
        line.lose_a_commit_and_close(loss, "INTO attempts");
        let run = press.spawn(&["run"]);
        line.wait_for_lost(1);
        // Whatever had the number was not on stable storage, if the question was lost:
        // others commit under it.
        server.stop(Stop::Immediate);
        server.restart();
        press.server().execute(
            "DO $$ BEGIN
                 FOR n IN 1..200 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
             END $$",
        );
        line.admit();
        run.wait().succeeds();
        everybody_has_it_once(&press, &sink, READERS);
        let attempts = press.ledger().table("SELECT count(*) FROM attempts");
        assert_eq!(attempts, [[READERS.to_string()]], "{loss:?}");
    }
}

#[test]
fn behind_a_pooler_in_transaction_mode_everything_works() {
    let database = postgres::database();
    let pooler = PgBouncer::start(database.port(), 3);
    let (mut press, sink) = press_on(database, 0);
    press.set("store.url", press.server().url_by(pooler.port()));
    press.subscribers(READERS);
    let leaver = reader_address(READERS);
    press
        .run(&["subscribers", "unsubscribe", &leaver])
        .succeeds();
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    press.run(&["status"]).succeeds();
    let erased = reader_address(READERS - 1);
    press.run(&["subscribers", "erase", &erased]).succeeds();
    sink.release();
    run.wait().succeeds();
    everybody_has_it_once(&press, &sink, READERS - 2);
    press
        .run(&["why", &reader_address(1)])
        .succeeds()
        .prints("sent");
    press.at("2026-12-04T08:00:00+02:00");
    press.article(
        "food/figs.md",
        "+++\ntitle = \"Figs\"\ndate = 2026-12-01\n+++\n\nRipe.\n",
    );
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(
        sink.count(Fate::Accepted),
        2 * (READERS - 2),
        "{}",
        pooler.log()
    );
}

/// Holds what is next in turn and then wants what is under way, as nobody of ours
/// does; with `all`, just holds everything for longer than anybody waits.
fn gets_in_the_way(database: &Database, all: bool, over: &AtomicBool) {
    let next = "UPDATE deliveries SET edition = edition WHERE id IN
                (SELECT id FROM deliveries WHERE state IN (0, 1) ORDER BY id LIMIT 20)";
    let under_way = "UPDATE deliveries SET edition = edition WHERE state = 2";
    let everything = "SELECT id FROM deliveries ORDER BY id DESC FOR UPDATE";
    while !over.load(Ordering::SeqCst) {
        let crossing = ["BEGIN", next, "SELECT pg_sleep(0.1)", under_way, "COMMIT"];
        let holding = ["BEGIN", everything, "SELECT pg_sleep(0.7)", "COMMIT"];
        let statements = if all { &holding[..] } else { &crossing };
        // Before there is a ledger it fails, and as the victim of a deadlock.
        drop(database.session_by(database.port(), statements));
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn sessions_that_get_in_the_way_delay_a_worker_and_are_not_worth_a_word() {
    const READERS: usize = 300;
    let settings = vec![("deadlock_timeout", "50ms")];
    let server = Server::start(&Options {
        settings,
        is_kept: false,
    });
    let (press, sink) = press_on(server.database(), READERS);
    freeze(&press, &sink);
    let over = AtomicBool::new(false);
    let mut worker = press.spawn(&["work"]);
    thread::scope(|scope| {
        for all in [false, true] {
            let (server, over) = (press.server(), &over);
            scope.spawn(move || gets_in_the_way(server, all, over));
        }
        let ledger = press.ledger();
        holds_within(Duration::from_secs(50), || ledger.count("sent") == READERS);
        over.store(true, Ordering::SeqCst);
    });
    worker.signal(Signal::TERM);
    let end = worker.wait();
    end.succeeds().conceals("deadlock").conceals("error");
    everybody_has_it_once(&press, &sink, READERS);
    let log = server.log();
    let met = ["deadlock detected", "due to lock timeout"];
    let met = met.map(|what| log.lines().filter(|line| line.contains(what)).count());
    // Which of the two it comes to is a matter of moments.
    assert!(met[0] + met[1] > 0, "nobody was in the way: {met:?}");
}

#[test]
fn a_schema_that_was_being_made_when_the_process_or_its_commit_was_lost_is_made_all_the_same() {
    for loss in [Loss::Answer, Loss::Question] {
        let (press, _sink) = press_on(postgres::database(), 0);
        let line = Cutter::to(press.server().port());
        press.set("store.url", press.server().url_by(line.port()));
        line.lose_a_commit(loss, "CREATE TABLE installation");
        press.subscribers(3);
        assert_eq!(line.lost(), 1, "{loss:?}");
        press.run(&["store", "verify"]).succeeds();
    }
    let (press, sink) = press_on(postgres::database(), 0);
    // Killed a little later each time, until it comes through.
    let mut unfinished = 0;
    let mut delay = Duration::from_millis(10);
    while !press.ledger().is_made() && delay < Duration::from_secs(5) {
        let run = press.spawn(&["run"]);
        thread::sleep(delay);
        drop(run.kill());
        unfinished += usize::from(!press.ledger().is_made());
        delay += Duration::from_millis(10).max(delay / 10);
    }
    assert!(unfinished > 0, "it was killed too late each time");
    press.subscribers(3);
    press.run(&["run"]);
    everybody_has_it_once(&press, &sink, 3);
}
