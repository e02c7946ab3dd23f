//! Which server is taken, and what is said of one that will not do.

use std::time::{Duration, Instant};

use super::{everybody_has_it_once, press_on};
use crate::cutter::Cutter;
use crate::postgres;

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
