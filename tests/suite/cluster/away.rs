//! The server goes away: stopped, gone for longer than one waits, or replaced by
//! a standby that had not heard everything.

use std::thread;
use std::time::Duration;

use super::{SESSIONS, everybody_has_it_once, held_at_full_speed, press_on, reconciled};
use crate::cutter::Cutter;
use crate::ledger::Ledger;
use crate::net::holds_within;
use crate::postgres::{Options, Server, Stop};
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

#[test]
fn what_a_standby_had_not_heard_of_is_asserted_again_and_nobody_has_two_messages() {
    let mut primary = Server::start(&Options::default());
    let database = primary.database();
    let (front, stream) = (Cutter::to(primary.port()), Cutter::to(primary.port()));
    let standby = primary.standby_by(stream.port());
    let (press, sink) = press_on(database, READERS);
    press
        .set("store.url", press.server().url_by(front.port()))
        .set("store.lease", "3s");

    let mut run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, READERS / 4);
    let caught_up = || standby.has_caught_up_with(&primary) || !run.is_running();
    assert!(holds_within(Duration::from_secs(20), caught_up));
    // From here on it hears nothing, and the list goes on.
    stream.silence();
    let heard = sink.count(Fate::Accepted);
    sink.wait_for(Fate::Accepted, heard + 40);
    sink.hold_dots();
    sink.wait_for_held(SESSIONS);
    primary.stop(Stop::Immediate);
    let second = standby.promote();
    front.lead_to(second.port());
    sink.release();

    let end = run.wait();
    let moved = std::sync::Arc::new(press.server().on(second.port()));
    let ledger = Ledger::on(&moved);
    reconciled(&press, &ledger, &sink);
    let (sent, uncertain) = (ledger.count("sent"), ledger.count("uncertain"));
    assert_eq!(sent + uncertain, READERS, "{end}");
    end.exits(if uncertain > 0 { 3 } else { 0 })
        .says("timeline changed; re-asserting ");
}
