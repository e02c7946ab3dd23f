//! Answers that concern the issue or the whole run: nobody is recorded as a
//! bad address for what is the relay's, the sender's or the content's fault.

use super::{LATER, SOON, ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::press::{Press, reader_address};
use crate::receipt::Fate;

const READERS: usize = 15;

fn everybody(sink: &ChaosSink) -> Press {
    let readers: Vec<String> = (1..=READERS).map(reader_address).collect();
    press_with(sink, readers.iter().map(String::as_str))
}

/// Asserts that everybody waits and nobody was written off.
#[track_caller]
fn nobody_suffers(press: &Press, sink: &ChaosSink) {
    let ledger = press.ledger();
    assert_eq!(ledger.count("queued"), READERS, "{:?}", ledger.states());
    assert_eq!(ledger.suppressions(), 0);
    assert_eq!(sink.count(Fate::Accepted), 0);
    reconciles(press, sink);
}

/// Asserts that the run after the fault is gone serves everybody once.
#[track_caller]
fn then_serves_everybody(mut press: Press, sink: &ChaosSink) {
    press.at(SOON);
    sink.change(|behaviour| behaviour.rules.clear());
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), READERS);
    assert_eq!(sink.count(Fate::Accepted), READERS);
    reconciles(&press, sink);
}

#[test]
fn a_relay_that_will_not_relay_for_anybody_stops_the_run() {
    let sink = ChaosSink::start(Behaviour::default());
    let refusal = Answer::reply("554 5.7.1 relay access denied");
    sink.rule(Phase::Rcpt, Rule::always(refusal));
    let press = everybody(&sink);
    let words = "the relay refuses to relay or to accept this content: \
                 `554 5.7.1 relay access denied`; stopped, nobody suppressed\n";
    ends(&press.run(&["run"]), sink.port(), 77, words);
    assert_eq!(sink.heard("RCPT"), 10, "ten are enough to know");
    nobody_suffers(&press, &sink);
    then_serves_everybody(press, &sink);
}

#[test]
fn content_nobody_takes_pauses_the_issue() {
    let sink = ChaosSink::start(Behaviour::default());
    let refusal = Answer::reply("554 5.7.1 message content rejected");
    sink.rule(Phase::Dot, Rule::always(refusal));
    let press = everybody(&sink);
    let words = "issue weekly/1 is paused: the relay refuses to relay or to accept this content: \
                 `554 5.7.1 message content rejected`; stopped, nobody suppressed\n\
                 hint: mend it, then `letterpress issues resume weekly/1`\n";
    ends(&press.run(&["run"]), sink.port(), 4, words);
    assert_eq!(press.ledger().issue_state(), "paused");
    nobody_suffers(&press, &sink);
    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    then_serves_everybody(press, &sink);
}

/// Phase, answer, exit code and words of what pauses an issue at once.
const PAUSING: [(Phase, &str, i32, &str); 4] = [
    (
        Phase::Mail,
        "553 5.1.8 sender rejected",
        78,
        "sender bounce+…@bounces.example.org refused: `553 5.1.8 sender rejected`",
    ),
    (
        Phase::Mail,
        "552 5.3.4 message too big",
        4,
        "the relay refuses this issue: `552 5.3.4 message too big`",
    ),
    (
        Phase::Dot,
        "552 5.3.4 message too big",
        4,
        "the relay refuses this issue: `552 5.3.4 message too big`",
    ),
    (
        Phase::Data,
        "554 5.5.1 no valid recipients",
        4,
        "the relay refuses this issue: `554 5.5.1 no valid recipients`",
    ),
];

#[test]
fn a_refused_sender_or_size_pauses_the_issue_at_the_first_answer() {
    for (phase, answer, exit, words) in PAUSING {
        let sink = ChaosSink::start(Behaviour::default());
        sink.rule(phase, Rule::always(Answer::reply(answer)));
        let press = everybody(&sink);
        let words = format!(
            "issue weekly/1 is paused: {words}\n\
             hint: mend it, then `letterpress issues resume weekly/1`\n"
        );
        ends(&press.run(&["run"]), sink.port(), exit, &words);
        assert_eq!(sink.heard("MAIL"), 1, "{answer}: once is enough to know");
        assert_eq!(press.ledger().issue_state(), "paused");
        nobody_suffers(&press, &sink);
        press.run(&["issues", "resume", "weekly/1"]).succeeds();
        then_serves_everybody(press, &sink);
    }
}

/// Phase, answer and words of what ends a run that the next one continues.
const TEMPORARY: [(Phase, &str, &str); 10] = [
    (
        Phase::Connect,
        "421 4.3.2 too many connections",
        "unreachable",
    ),
    (
        Phase::Connect,
        "554 5.3.2 no SMTP service here",
        "unreachable",
    ),
    (
        Phase::Mail,
        "452 4.3.1 insufficient system storage",
        "takes no mail",
    ),
    (Phase::Data, "451 4.3.0 try again later", "takes no mail"),
    (
        Phase::Rcpt,
        "452 4.3.1 insufficient system storage",
        "takes no mail",
    ),
    (
        Phase::Rcpt,
        "452 4.5.3 too many recipients",
        "takes no mail",
    ),
    (
        Phase::Dot,
        "452 4.3.1 insufficient system storage",
        "takes no mail",
    ),
    (Phase::Ehlo, "421 4.7.0 closing", "unreachable"),
    (Phase::Rcpt, "421 4.7.0 closing", "takes no mail"),
    (Phase::Data, "421 4.7.0 closing", "takes no mail"),
];

#[test]
fn a_relay_that_serves_nobody_for_now_is_left_to_the_next_run() {
    for (phase, answer, what) in TEMPORARY {
        let sink = ChaosSink::start(Behaviour::default());
        sink.rule(phase, Rule::always(Answer::reply(answer)));
        let press = everybody(&sink);
        let words = format!(
            "relay 127.0.0.1:PORT {what} since 08:00 ({answer}); \
             15 queued, next try with the next run\n"
        );
        ends(&press.run(&["run"]), sink.port(), 75, &words);
        assert_eq!(press.ledger().issue_state(), "sending");
        assert_eq!(press.ledger().attempts_of(&reader_address(1)), 0);
        nobody_suffers(&press, &sink);
        then_serves_everybody(press, &sink);
    }
}

#[test]
fn a_spent_quota_stops_until_the_time_it_names_or_the_next_day() {
    for (answer, until, after) in [
        (
            "454 Throttling failure: Daily message quota exceeded",
            "2026-11-28 00:00",
            "2026-11-28T02:00:01+02:00",
        ),
        (
            "450 4.7.0 daily limit reached, resets 2026-11-27 09:30 UTC",
            "2026-11-27 09:30",
            "2026-11-27T11:30:01+02:00",
        ),
    ] {
        let sink = ChaosSink::start(Behaviour::default());
        sink.rule(Phase::Dot, Rule::always(Answer::reply(answer)));
        let mut press = everybody(&sink);
        let words = format!(
            "relay 127.0.0.1:PORT takes no more for now (`{answer}`): \
             stopped until {until} UTC, 15 queued\n"
        );
        ends(&press.run(&["run"]), sink.port(), 75, &words);
        nobody_suffers(&press, &sink);
        let knocked = sink.connections();
        ends(&press.run(&["run"]), sink.port(), 75, &words);
        assert_eq!(sink.connections(), knocked, "it is not even called");
        press
            .run(&["status"])
            .succeeds()
            .prints(&format!("until {until} UTC"));

        sink.change(|behaviour| behaviour.rules.clear());
        press.at(after);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        assert_eq!(press.ledger().count("sent"), READERS);
        reconciles(&press, &sink);
    }
}

#[test]
fn an_issue_of_which_one_message_is_too_large_is_sent_to_nobody() {
    let readers = || {
        let everybody = (1..READERS).map(|number| (reader_address(number), "Ann".to_owned()));
        let longest = (reader_address(READERS), "Wilhelmina ".repeat(9));
        everybody.chain([longest]).collect::<Vec<_>>()
    };
    let press_for = |sink: &ChaosSink| {
        let press = Press::new();
        let readers = readers();
        let readers = readers
            .iter()
            .map(|(to, name)| (to.as_str(), name.as_str()));
        press.subscribe_named(readers).relay(&sink.url());
        press
    };
    let sizes: Vec<usize> = {
        let sink = ChaosSink::start(Behaviour::default());
        press_for(&sink).run(&["run"]).succeeds();
        sink.journal()
            .iter()
            .map(|entry| entry.data().len())
            .collect()
    };
    let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    let limit = (least + most) / 2;
    let is_taken = |size: &&usize| **size <= limit;
    assert_eq!(sizes.iter().filter(is_taken).count(), READERS - 1);

    let sink = ChaosSink::start(Behaviour {
        capabilities: vec!["PIPELINING".to_owned(), format!("SIZE {limit}")],
        ..Behaviour::default()
    });
    let press = press_for(&sink);
    press
        .run(&["run"])
        .exits(4)
        .says("issue weekly/1 is paused: issue is 0.0")
        .says(" MB, relay takes 0.0");
    nobody_suffers(&press, &sink);
    assert_eq!(press.ledger().issue_state(), "paused");

    sink.change(|behaviour| behaviour.capabilities.truncate(1));
    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    then_serves_everybody(press, &sink);
}

#[test]
fn a_relay_that_closes_instead_of_an_answer_to_the_dot_has_taken_nothing() {
    let answer = "421 4.7.0 closing";
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Dot, Rule::always(Answer::reply(answer)));
    let mut press = everybody(&sink);
    let words = format!(
        "relay 127.0.0.1:PORT takes no mail since 08:00 ({answer}); \
         15 queued, next try with the next run\n"
    );
    ends(&press.run(&["run"]), sink.port(), 75, &words);
    nobody_suffers(&press, &sink);
    // Over whom several sessions were lost waits as if it had been put off.
    press.at(LATER);
    sink.change(|behaviour| behaviour.rules.clear());
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(sink.count(Fate::Accepted), READERS);
    reconciles(&press, &sink);
}
