//! Answers that concern one reader: the others have their issue all the same.

use super::{LATER, ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::receipt::Fate;

/// Address (its local part tells the sink what to answer), state after the
/// first run, whether suppressed, and state after the retry.
const ANSWERS: [(&str, &str, bool, &str); 28] = [
    ("anna@example.org", "sent", false, "sent"),
    ("x450-1@example.org", "queued", false, "sent"),
    ("x450-2@example.com", "queued", false, "queued"),
    ("x451-471-1@example.org", "queued", false, "sent"),
    ("x452-422-1@example.org", "queued", false, "sent"),
    ("x552-522-1@example.org", "queued", false, "sent"),
    ("x552-522@example.com", "queued", false, "queued"),
    ("x550-511@example.org", "rejected", true, "rejected"),
    ("x550-512@example.org", "rejected", true, "rejected"),
    ("x553-513@example.org", "rejected", true, "rejected"),
    ("x551-516@example.org", "rejected", true, "rejected"),
    ("x550-5110@example.org", "rejected", true, "rejected"),
    ("x550-521@example.org", "rejected", true, "rejected"),
    ("x550@example.org", "rejected", false, "rejected"),
    ("x554-571@example.org", "rejected", false, "rejected"),
    ("ben@example.com", "sent", false, "sent"),
    ("d450-1@example.org", "queued", false, "sent"),
    ("d451-1@example.com", "queued", false, "sent"),
    ("d452-1@example.net", "queued", false, "sent"),
    // The relay's own disk: put back, not deferred.
    ("d452-431-1@example.net", "sent", false, "sent"),
    ("d421-1@example.net", "queued", false, "sent"),
    ("d554-571@example.net", "rejected", false, "rejected"),
    ("d550-511@example.net", "rejected", true, "rejected"),
    ("latin@example.net", "sent", false, "sent"),
    ("lines@example.net", "sent", false, "sent"),
    ("slow@example.net", "sent", false, "sent"),
    ("x421-1@example.net", "sent", false, "sent"),
    ("carla@example.net", "sent", false, "sent"),
];

#[test]
fn each_answer_concerns_its_reader_and_nobody_else() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = press_with(&sink, ANSWERS.map(|(address, ..)| address));
    ends(&press.run(&["run"]), sink.port(), 0, "");
    let ledger = press.ledger();
    for (address, state, suppressed, _) in ANSWERS {
        assert_eq!(ledger.state_of(address), state, "{address}");
        assert_eq!(ledger.is_suppressed(address), suppressed, "{address}");
    }
    reconciles(&press, &sink);

    press.at(LATER);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    for (address, _, suppressed, state) in ANSWERS {
        assert_eq!(ledger.state_of(address), state, "{address}");
        assert_eq!(ledger.is_suppressed(address), suppressed, "{address}");
    }
    reconciles(&press, &sink);
}

#[test]
fn asked_for_words_the_run_counts_what_was_refused() {
    let sink = ChaosSink::start(Behaviour::default());
    let readers = [
        "anna@example.org",
        "x450@example.org",
        "x550-511@example.org",
    ];
    let press = press_with(&sink, readers);
    press
        .run(&["-v", "run"])
        .succeeds()
        .says("1 sent, 1 refused, 1 deferred, next attempt 08:0")
        .says("1 unknown address will not be written to again\n");
    press
        .run(&["why", "x550-511@example.org"])
        .succeeds()
        .prints("rejected 550 5.1.1 scripted");
}

#[test]
fn a_refused_reader_costs_the_others_no_session() {
    let sink = ChaosSink::start(Behaviour::default());
    let readers = (0..18).map(|n| match n % 2 {
        0 => format!("x550-511.n{n}@example.org"),
        _ => format!("n{n}@example.com"),
    });
    let readers: Vec<String> = readers.collect();
    let press = press_with(&sink, readers.iter().map(String::as_str));
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().count("sent"), 9);
    assert_eq!(sink.connections(), 1);
}

#[test]
fn silence_after_the_dot_is_uncertain_and_never_sent_again() {
    let sink = ChaosSink::start(Behaviour::default());
    let silent = [
        ("q@example.org", "the relay closed the connection"),
        ("lost@example.org", "the relay closed the connection"),
        ("garble@example.org", ""),
        // Cut within the message, of which every byte had left us.
        ("cut@example.org", ""),
        (
            "d354@example.org",
            "the relay answered 354, which means nothing here",
        ),
    ];
    let readers = silent.map(|(address, _)| [address, "anna@example.com"]);
    let press = press_with(&sink, readers.into_iter().flatten());
    let words = "5 uncertain deliveries held: nobody knows whether it arrived; \
                 see `letterpress uncertain list`\n";
    ends(&press.run(&["run"]), sink.port(), 3, words);
    let ledger = press.ledger();
    assert_eq!(ledger.state_of("anna@example.com"), "sent");
    let list = press.run(&["--format", "json", "uncertain", "list", "--full"]);
    for (address, reason) in silent {
        assert_eq!(ledger.state_of(address), "uncertain", "{address}");
        let told = list.json();
        let entry = told
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["address"] == address);
        let told = entry.unwrap_or_else(|| panic!("{address} is not listed\n{list}"));
        let text = told["reason"].as_str().unwrap();
        assert!(text.contains(reason) && !text.is_empty(), "{told}");
        assert_eq!(told["issue"], "weekly/1");
    }
    // It is said again as long as it is so, and nothing is sent.
    let messages = sink.journal().len();
    ends(&press.run(&["run"]), sink.port(), 3, words);
    assert_eq!(sink.journal().len(), messages);
    reconciles(&press, &sink);
}

#[test]
fn no_answer_to_the_dot_within_its_limit_is_uncertain() {
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Dot, Rule::times(1, Answer::Silence));
    let press = press_with(&sink, ["anna@example.org", "ben@example.com"]);
    press.set("mail.timeouts.dot", "1s");
    let words = "1 uncertain delivery held: nobody knows whether it arrived; \
                 see `letterpress uncertain list`\n";
    ends(&press.run(&["run"]), sink.port(), 3, words);
    assert_eq!(press.ledger().state_of("anna@example.org"), "uncertain");
    assert_eq!(press.ledger().state_of("ben@example.com"), "sent");
    press
        .run(&["--format", "json", "uncertain", "list"])
        .prints("no answer within 1s")
        .conceals("anna@example.org");
    assert_eq!(sink.count(Fate::Unanswered), 1);
    reconciles(&press, &sink);
}

#[test]
fn a_reader_over_whom_every_session_is_lost_waits_and_keeps_nobody() {
    for poison in ["gone@example.com", "x421@example.com"] {
        let sink = ChaosSink::start(Behaviour::default());
        let press = press_with(&sink, ["anna@example.org", poison, "carla@example.net"]);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        let ledger = press.ledger();
        assert_eq!(ledger.state_of("anna@example.org"), "sent", "{poison}");
        assert_eq!(ledger.state_of("carla@example.net"), "sent", "{poison}");
        assert_eq!(ledger.state_of(poison), "queued", "{poison}");
        assert_eq!(ledger.attempts_of(poison), 1, "{poison}");
        reconciles(&press, &sink);
    }
}
