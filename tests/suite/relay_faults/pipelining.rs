//! Relays that take a group of commands in one breath (RFC 2920) and relays
//! that do not: what leaves together, and what a refusal within a group costs.

use super::{LATER, ends, press_with, reconciles};
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::chaos::{ChaosSink, Heard};
use crate::press::{Press, reader_address};
use crate::receipt::Fate;

const READERS: usize = 5;

fn relays() -> [(bool, Behaviour); 2] {
    [
        (true, Behaviour::default()),
        (false, Behaviour::without_pipelining()),
    ]
}

/// A press that sends in one session, in the order of its readers.
fn press(sink: &ChaosSink) -> Press {
    let readers: Vec<String> = (1..=READERS).map(reader_address).collect();
    let press = press_with(sink, readers.iter().map(String::as_str));
    press.set("mail.connections", 1);
    press
}

fn begins(verb: &str) -> impl Fn(&&Heard) -> bool {
    move |heard| heard.line.starts_with(verb)
}

#[test]
fn commands_leave_together_only_where_the_relay_offers_it() {
    for (is_pipelining, behaviour) in relays() {
        let sink = ChaosSink::start(behaviour);
        let press = press(&sink);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        assert_eq!(sink.count(Fate::Accepted), READERS);
        reconciles(&press, &sink);

        let heard = sink.commands();
        for verb in ["MAIL", "RCPT", "DATA"] {
            assert_eq!(heard.iter().filter(begins(verb)).count(), READERS, "{verb}");
        }
        // No message, and nothing else, before the answer to DATA.
        for verb in ["EHLO", "DATA", "QUIT"] {
            let early = heard
                .iter()
                .filter(begins(verb))
                .find(|one| one.is_followed);
            assert_eq!(early, None);
        }
        for verb in ["MAIL", "RCPT"] {
            // The first group is one packet; later ones follow a message, and
            // the relay may have read them in parts.
            let first = heard.iter().find(begins(verb)).unwrap();
            assert_eq!(first.is_followed, is_pipelining, "{first:?}");
            let any = heard.iter().filter(begins(verb)).any(|one| one.is_followed);
            assert_eq!(any, is_pipelining, "{verb}");
        }
    }
}

/// Step, answer to the second message there, and whether that concerns its
/// reader, who waits for a later run; else the same run tries again.
const REFUSALS: [(Phase, &str, bool); 4] = [
    (Phase::Mail, "451 4.3.0 not now", false),
    (Phase::Rcpt, "450 4.2.1 mailbox busy", true),
    (Phase::Data, "451 4.3.0 not now", false),
    (Phase::Dot, "451 4.7.1 greylisted", true),
];

#[test]
fn a_refusal_at_any_step_costs_the_others_nothing_and_the_session_goes_on() {
    for (is_pipelining, behaviour) in relays() {
        for (phase, answer, waits) in REFUSALS {
            let case = format!("{phase:?}, pipelining: {is_pipelining}");
            let sink = ChaosSink::start(behaviour.clone());
            sink.rule(phase, Rule::times(1, Answer::reply(answer)).after(1));
            let mut press = press(&sink);
            let run = press.run(&["-v", "run"]);
            run.succeeds().says(if waits {
                "4 sent, 1 deferred, next attempt 08:0"
            } else {
                "5 sent\n"
            });
            let ledger = press.ledger();
            assert_eq!(ledger.count("queued"), usize::from(waits), "{case}");
            assert_eq!(sink.connections(), 1, "{case}: the session goes on");
            let refused = usize::from(phase == Phase::Dot);
            assert_eq!(sink.count(Fate::Refused), refused, "{case}");
            if waits {
                press.at(LATER);
                ends(&press.run(&["run"]), sink.port(), 0, "");
            }
            assert_eq!(sink.count(Fate::Accepted), READERS, "{case}");
            reconciles(&press, &sink);
        }
    }
}

#[test]
fn a_relay_that_asks_for_a_message_to_nobody_gets_an_empty_one() {
    let sink = ChaosSink::start(Behaviour {
        data_for_nobody: true,
        ..Behaviour::default()
    });
    let press = press_with(
        &sink,
        [
            "x550-511@example.org",
            "anna@example.org",
            "x450@example.com",
            "ben@example.com",
        ],
    );
    press.set("mail.connections", 1);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    let heard = sink.commands();
    let for_nobody: Vec<&str> = heard
        .iter()
        .map(|one| one.line.as_str())
        .filter(|line| line.ends_with("for nobody)"))
        .collect();
    assert_eq!(for_nobody, ["(0 bytes for nobody)"; 2]);
    let ledger = press.ledger();
    assert_eq!(ledger.count("sent"), 2);
    assert_eq!(ledger.state_of("x550-511@example.org"), "rejected");
    assert_eq!(ledger.state_of("x450@example.com"), "queued");
    assert_eq!(sink.connections(), 1, "the session goes on");
    reconciles(&press, &sink);
}
