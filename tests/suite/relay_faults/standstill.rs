//! A process that is stopped and goes on (SIGSTOP, a laptop that slept): what
//! the relay said meanwhile counts, and a session past its limits is not used.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::{ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::press::Press;
use crate::process::Running;

const THREE: [&str; 3] = ["anna@example.org", "ben@example.com", "carla@example.net"];

/// Every step of a message may take two seconds.
fn hurried(sink: &ChaosSink) -> Press {
    let press = press_with(sink, THREE);
    for limit in ["command", "data", "block", "dot"] {
        press.set(&format!("mail.timeouts.{limit}"), "2s");
    }
    press
}

/// Longer than every limit, and longer than the last look.
const LONG: Duration = Duration::from_millis(3500);

#[test]
fn after_a_standstill_no_message_leaves_in_a_session_past_its_limits() {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Data, Rule::times(1, Answer::Hold));
    let press = hurried(&sink);
    let mut run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    run.signal(Signal::STOP);
    // The relay goes on, and asks for a message that does not come.
    sink.release();
    sleep(LONG);
    assert_eq!(sink.journal().len(), 0);
    run.signal(Signal::CONT);
    ends(&run.wait(), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 3);
    assert!(sink.connections() > 1, "the first session was not given up");
    reconciles(&press, &sink);
}

/// A run that was stopped while its first dot waits for the answer.
fn still_at_a_dot() -> (ChaosSink, Press, Running) {
    let sink = ChaosSink::start(Behaviour::default());
    sink.hold_dots();
    let press = hurried(&sink);
    let mut run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    run.signal(Signal::STOP);
    (sink, press, run)
}

#[test]
fn after_a_standstill_an_answer_that_came_meanwhile_counts() {
    let (sink, press, mut run) = still_at_a_dot();
    sink.release();
    sleep(LONG);
    run.signal(Signal::CONT);
    ends(&run.wait(), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 3);
    assert!(sink.connections() > 1, "the first session was used again");
    reconciles(&press, &sink);
}

#[test]
fn after_a_standstill_without_an_answer_one_delivery_is_uncertain() {
    let (sink, press, mut run) = still_at_a_dot();
    sink.cut_all();
    sleep(LONG);
    sink.release();
    run.signal(Signal::CONT);
    let words = "1 uncertain delivery held: nobody knows whether it arrived; \
                 see `letterpress uncertain list`\n";
    ends(&run.wait(), sink.port(), 3, words);
    assert_eq!(press.ledger().count("uncertain"), 1);
    assert_eq!(press.ledger().count("sent"), 2);
    reconciles(&press, &sink);
}
