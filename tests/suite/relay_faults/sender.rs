//! Receivers that hold something against the sender: no reader is to blame.

use super::{SOON, ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::press::reader_address;
use crate::receipt::Fate;

const READERS: usize = 15;
const UNPROVEN: &str = "nothing proves that it is from garden.example.org: SPF and DKIM must pass \
    and agree with the From domain (DMARC); `letterpress dkim record` prints what to publish";
const REPUTATION: &str = "too much at once or too many complaints about garden.example.org: \
    send more slowly (`mail.rate`), and only to readers who asked for it";

/// What Gmail and Outlook say to everybody, at RCPT and at the end.
const REFUSALS: [(Phase, &str); 2] = [
    (
        Phase::Dot,
        "550 5.7.26 this mail is blocked because the sender is unauthenticated",
    ),
    (
        Phase::Rcpt,
        "550 5.7.515 access denied, the sending domain does not meet the required level",
    ),
];

#[test]
fn a_sender_whom_nothing_vouches_for_pauses_the_issue_and_nobody_is_written_off() {
    for (phase, answer) in REFUSALS {
        let sink = ChaosSink::start(Behaviour::default());
        // The others, with a provider that does not ask, have theirs.
        sink.rule(phase, Rule::always(Answer::reply(answer)).after(3));
        let readers: Vec<String> = (1..=READERS).map(reader_address).collect();
        let mut press = press_with(&sink, readers.iter().map(String::as_str));
        let words = format!(
            "issue weekly/1 is paused: the sender is refused: `{answer}`: {UNPROVEN}; \
             nobody suppressed\n\
             hint: mend it, then `letterpress issues resume weekly/1`\n"
        );
        ends(&press.run(&["run"]), sink.port(), 78, &words);
        let ledger = press.ledger();
        assert_eq!(ledger.count("sent"), 3, "{:?}", ledger.states());
        assert_eq!(ledger.count("queued"), READERS - 3, "{:?}", ledger.states());
        assert_eq!(ledger.suppressions(), 0);
        reconciles(&press, &sink);

        press.run(&["issues", "resume", "weekly/1"]).succeeds();
        sink.change(|behaviour| behaviour.rules.clear());
        press.at(SOON);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        assert_eq!(sink.count(Fate::Accepted), READERS);
        reconciles(&press, &sink);
    }
}

#[test]
fn a_few_servers_that_blame_the_sender_are_told_and_stop_nobody() {
    let answer = "550 5.7.26 this mail is blocked because the sender is unauthenticated";
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Dot, Rule::times(2, Answer::reply(answer)));
    let readers: Vec<String> = (1..=READERS).map(reader_address).collect();
    let press = press_with(&sink, readers.iter().map(String::as_str));
    let words = format!("2 answers blame the sender, not the reader: `{answer}`; {UNPROVEN}\n");
    ends(&press.run(&["run"]), sink.port(), 0, &words);
    let ledger = press.ledger();
    assert_eq!(ledger.count("rejected"), 2);
    assert_eq!(ledger.count("sent"), READERS - 2);
    assert_eq!(ledger.suppressions(), 0);
    reconciles(&press, &sink);
}

#[test]
fn a_provider_that_has_seen_too_much_is_left_in_peace_and_the_run_says_why() {
    let answer = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to \
                  unexpected volume or user complaints";
    let sink = ChaosSink::start(Behaviour::default());
    sink.rule(Phase::Mail, Rule::always(Answer::reply(answer)));
    let press = press_with(&sink, ["anna@example.org", "ben@example.com"]);
    let run = press.run(&["run"]);
    run.exits(75)
        .says(&format!(
            "the sender, not the reader: `{answer}`; {REPUTATION}\n"
        ))
        .says(&format!(
            "takes no mail since 08:00 ({answer}); 2 queued, next try with the next run\n"
        ));
    assert_eq!(press.ledger().suppressions(), 0);
    assert_eq!(press.ledger().attempts_of("anna@example.org"), 0);
    reconciles(&press, &sink);
}
