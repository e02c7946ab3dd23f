//! What the campaigns do, at any length: the suite runs short ones.

#![allow(
    dead_code,
    reason = "the suite runs some of them only, and prints no figures"
)]

pub(crate) mod disk;
mod figures;
pub(crate) mod kills;
pub(crate) mod moves;
pub(crate) mod one_click;
pub(crate) mod order;
pub(crate) mod overlap;
pub(crate) mod power;
mod recording;
pub(crate) mod relay_deaths;
pub(crate) mod stops;
pub(crate) mod syscalls;
pub(crate) mod workers;

use std::time::Duration;

use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::press::Press;

/// A press with so many readers that sends to this sink in so many sessions; a
/// run may take `limit`.
#[track_caller]
fn at_volume(readers: usize, sessions: usize, limit: Duration) -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::for_volume());
    let mut press = Press::new();
    press
        .limit(limit)
        .subscribers(readers)
        .relay(&sink.url())
        .set("mail.connections", sessions as i64);
    (press, sink)
}
