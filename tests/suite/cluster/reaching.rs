//! Which server is taken, and what is said of one that will not do.

use std::time::{Duration, Instant};

use super::{everybody_has_it_once, press_on};
use crate::cutter::Cutter;
use crate::net::holds_within;
use crate::postgres::{self, Options, Server};
use crate::receipt::Fate;

#[test]
fn a_server_that_lets_in_and_says_nothing_does_not_keep_the_next_from_being_asked() {
    let (press, sink) = press_on(postgres::database(), 3);
    let mute = Cutter::to(press.server().port());
    mute.silence();
    let (first, second) = (mute.port(), press.server().port());
    let name = press.server().name().to_owned();
    press.set(
        "store.url",
        format!("postgres://letterpress@127.0.0.1:{first},127.0.0.1:{second}/{name}"),
    );
    let began = Instant::now();
    press.run(&["status"]).succeeds();
    let took = began.elapsed();
    assert!(mute.made() > 0, "the first was not asked");
    assert!(took < Duration::from_secs(9), "{took:?}");
    press.run(&["run"]).succeeds();
    everybody_has_it_once(&press, &sink, 3);
}

#[test]
fn a_server_that_asks_for_a_password_or_offers_no_tls_is_a_matter_of_the_settings() {
    let server = Server::start(&Options::default());
    let (press, sink) = press_on(server.database(), 3);
    let (url, port) = (press.server().url(), server.port());
    press.set("store.url", format!("{url}?sslmode=require"));
    let refused = press.run(&["run"]);
    refused
        .exits(78)
        .says("server does not support TLS; turn on `ssl` there");

    server.ask_for("open-sesame");
    press.set("store.url", url);
    // The server reads its rules again when it gets to it.
    let asks = || press.run(&["status"]).code() == Some(78);
    assert!(holds_within(Duration::from_secs(20), asks));
    let missing = press.run(&["run"]);
    missing
        .exits(78)
        .says("password missing; the server asks for a password: name its file in");
    let name = press.server().name().to_owned();
    let with = |word: &str| format!("postgres://letterpress:{word}@127.0.0.1:{port}/{name}");
    press.set("store.url", with("open-barley"));
    let wrong = press.run(&["run"]);
    wrong
        .exits(78)
        .says("password authentication failed")
        .conceals("open-barley");
    press.set("store.url", with("open-sesame"));
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), 3);
}
