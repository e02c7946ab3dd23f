//! What a server has to promise before anything is sent.

use std::time::Duration;

use super::{everybody_has_it_once, held_at_full_speed, press_on};
use crate::cutter::Cutter;
use crate::dns::Dns;
use crate::net::holds_within;
use crate::postgres::{self, Options, Server};
use crate::receipt::Fate;

const READERS: usize = 5;

#[test]
fn where_commits_may_be_lost_that_were_answered_nothing_is_sent() {
    let database = postgres::database();
    let (press, sink) = press_on(database, READERS);
    let server = press.server();
    server.set_for_everyone("synchronous_commit", "off");
    for command in [&["run"][..], &["send", "weekly"]] {
        press
            .run(command)
            .exits(78)
            .says("synchronous_commit is off there, so commits can be lost that were answered");
    }
    assert_eq!(sink.connections(), 0);

    server.set_for_everyone("synchronous_commit", "on");
    press.run(&["run"]).succeeds().is_silent();
    everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn what_a_server_promises_is_asked_again_with_every_connection() {
    const READERS: usize = 120;
    let (press, sink) = press_on(postgres::database(), READERS);
    let line = Cutter::to(press.server().port());
    press
        .set("store.url", press.server().url_by(line.port()))
        .set("store.lease", "3s");
    let run = held_at_full_speed(&press, &sink, &["run"]);
    let before = sink.count(Fate::Accepted);
    // As of another server that has taken over.
    press.server().set_for_everyone("synchronous_commit", "off");
    line.cut();
    sink.release();
    run.wait().exits(78).says("synchronous_commit is off there");
    assert_eq!(sink.count(Fate::Accepted), before);

    press.server().set_for_everyone("synchronous_commit", "on");
    let all_sent = || {
        press.run(&["run"]).succeeds();
        press.ledger().count("sent") == READERS
    };
    assert!(holds_within(Duration::from_secs(30), all_sent));
    everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn a_server_without_fsync_is_refused_unless_that_is_accepted() {
    let server = Server::start(&Options {
        settings: vec![("fsync", "off")],
        is_kept: false,
    });
    let (press, sink) = press_on(server.database(), 0);
    press.run(&["run"]).exits(78).says("fsync is off there");
    press
        .set("store.durability", "process")
        .subscribers(READERS);
    press.run(&["run"]).succeeds();
    everybody_has_it_once(&press, &sink, READERS);
    let dns = Dns::start();
    let resolver = dns.address().to_string();
    let found = press.run(&["-v", "doctor", "--resolver", &resolver]);
    found
        .prints("warning  ledger     fsync is off at ")
        .prints("is whole, and its sums hold")
        .prints(" sessions free");
    assert!(!found.stdout.contains("synchronous_commit"), "{found}");
}
