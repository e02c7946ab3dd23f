//! Sessions that break: slow relays, dying relays, and answers that are none.

use std::thread;
use std::time::Duration;

use super::{LATER, ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::net::{free_port, holds_within};
use crate::oracle::{Policy, assert_reconciled};
use crate::press::{Press, reader_address};
use crate::sink::SmtpSink;

const THREE: [&str; 3] = ["anna@example.org", "ben@example.com", "carla@example.net"];

/// Everything a relay may say once, out of place, before the dot.
fn odd_answers() -> Vec<(&'static str, Answer)> {
    vec![
        ("421", Answer::reply("421 4.3.2 going down")),
        ("closed", Answer::Close),
        ("garbage", Answer::Reply(b"\x00\xff\x01 what?".to_vec())),
        ("a code out of place", Answer::reply("354 go on")),
        ("503", Answer::reply("503 5.5.1 bad sequence")),
        ("a reply without end", Answer::Endless(50 << 20)),
        (
            "byte by byte",
            Answer::Trickle(b"451 4.3.0 later".to_vec(), Duration::from_millis(1)),
        ),
    ]
}

/// Asserts that this answer, once in this phase, delays at most its reader.
fn loses_nobody(phase: Phase, name: &str, answer: Answer) {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(phase, Rule::times(1, answer));
    let mut press = press_with(&sink, THREE);
    let run = press.run(&["run"]);
    assert_eq!(run.code(), Some(0), "{name} at {phase:?}\n{run}");
    // A reader who was told 451 or 503 at RCPT is served later.
    press.at(LATER);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    let states = press.ledger().states();
    assert_eq!(
        press.ledger().count("sent"),
        3,
        "{name} at {phase:?}: {states:?}"
    );
    reconciles(&press, &sink);
}

#[test]
fn one_broken_session_in_any_phase_loses_nobody() {
    let phases = [
        Phase::Connect,
        Phase::Ehlo,
        Phase::Mail,
        Phase::Rcpt,
        Phase::Data,
    ];
    // Most of the time these runs wait for the relay: side by side.
    thread::scope(|scope| {
        for phase in phases {
            scope.spawn(move || {
                for (name, answer) in odd_answers() {
                    let is_asked_for = phase == Phase::Data && name == "a code out of place";
                    if !is_asked_for {
                        loses_nobody(phase, name, answer);
                    }
                }
            });
        }
    });
}

#[test]
fn a_421_at_the_dot_is_an_answer_and_not_uncertain() {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(
        Phase::Dot,
        Rule::times(1, Answer::reply("421 4.3.2 shutting down")),
    );
    let mut press = press_with(&sink, THREE);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("queued"), 1);
    press.at(LATER);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 3);
    reconciles(&press, &sink);
}

#[test]
fn an_endless_answer_to_the_dot_is_uncertain() {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Dot, Rule::times(1, Answer::Endless(50 << 20)));
    let press = press_with(&sink, THREE);
    press.run(&["run"]).exits(3);
    assert_eq!(press.ledger().count("uncertain"), 1);
    assert_eq!(press.ledger().count("sent"), 2);
    reconciles(&press, &sink);
}

/// Phase, answer and cause of what no SMTP server may say.
fn broken_protocol() -> Vec<(Phase, Answer, &'static str)> {
    vec![
        (
            Phase::Connect,
            Answer::reply("HTTP/1.1 400 Bad Request"),
            "",
        ),
        (
            Phase::Ehlo,
            Answer::reply("250-relay.example.net\r\n250-   \r\n250 SIZE"),
            "",
        ),
        (
            Phase::Rcpt,
            Answer::reply("354 go on"),
            "answered 354 go on",
        ),
    ]
}

#[test]
fn a_relay_that_keeps_breaking_the_protocol_ends_the_run_with_76() {
    for (phase, answer, cause) in broken_protocol() {
        let sink = ChaosSink::start(Behaviour::default());
        sink.rule(phase, Rule::always(answer));
        let press = press_with(&sink, THREE);
        let run = press.run(&["run"]);
        run.exits(76)
            .says("relay 127.0.0.1:")
            .says("breaks the protocol since 08:00")
            .says(cause);
        assert_eq!(run.stderr.lines().count(), 1, "one line is enough\n{run}");
        assert_eq!(press.ledger().count("sent"), 0);
        assert_eq!(press.ledger().count("uncertain"), 0);
        sink.change(|behaviour| behaviour.rules.clear());
        let mut press = press;
        press.at(LATER);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        assert_eq!(press.ledger().count("sent"), 3);
        reconciles(&press, &sink);
    }
}

#[test]
fn an_unreachable_relay_is_named_and_nobody_loses_an_attempt() {
    let press = Press::new();
    let port = free_port();
    press
        .subscribe(THREE)
        .relay(&format!("smtp://127.0.0.1:{port}?tls=none"))
        .set("mail.relay_patience", "1s");
    let words = "relay 127.0.0.1:PORT unreachable since 08:00 (connection refused); \
                 3 queued, next try with the next run\n";
    ends(&press.run(&["run"]), port, 75, words);
    assert_eq!(press.ledger().sums_hold().count("queued"), 3);
    assert_eq!(press.ledger().attempts_of("anna@example.org"), 0);
    assert!(
        !press.files("public").is_empty(),
        "feeds do not need the relay"
    );

    let sink = ChaosSink::start(Behaviour::default());
    press.relay(&sink.url());
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 3);
    reconciles(&press, &sink);
}

#[test]
fn a_relay_that_restarts_between_messages_is_met_again_without_a_word() {
    let sink = ChaosSink::start(Behaviour {
        messages_per_connection: Some(4),
        ..Behaviour::default()
    });
    let readers: Vec<String> = (1..=30).map(reader_address).collect();
    let press = press_with(&sink, readers.iter().map(String::as_str));
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 30, "{}", press.told());
    assert!(sink.connections() > 6, "{}", sink.connections());
    reconciles(&press, &sink);
}

#[test]
fn a_relay_that_dies_and_comes_back_costs_one_uncertain_delivery() {
    let mut sink = SmtpSink::start(&["-M", "5"]);
    let press = Press::new();
    press.subscribers(12).relay(&sink.url());
    let running = press.spawn(&["run"]);
    // The fifth message is stored; the relay dies before it answers.
    assert!(holds_within(Duration::from_secs(30), || !sink.is_running()));
    sink.restart(Some(&[]));
    let run = running.wait();
    run.exits(3);
    assert_eq!(
        run.stderr,
        "1 uncertain delivery held: nobody knows whether it arrived; \
         see `letterpress uncertain list`\n"
    );
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("uncertain"), 1);
    assert_eq!(ledger.count("sent"), 11);
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_relay_that_hangs_up_is_away_and_breaks_no_protocol() {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Mail, Rule::always(Answer::Close));
    let press = press_with(&sink, THREE);
    let words = "relay 127.0.0.1:PORT unreachable since 08:00 \
                 (the relay closed the connection); 3 queued, next try with the next run\n";
    ends(&press.run(&["run"]), sink.port(), 75, words);
    assert_eq!(press.ledger().sums_hold().count("queued"), 3);
    assert_eq!(press.ledger().attempts_of(THREE[0]), 0, "nobody's fault");
}
