//! Readers whose address has letters beyond ASCII before the `@` (RFC 6531).

use super::{ends, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::mailbox::Mail;
use crate::oracle::{Policy, assert_reconciled};
use crate::postfix::{Options, Postfix};
use crate::press::Press;
use crate::receipt::Fate;
use crate::sink::SmtpSink;

const INTERNATIONAL: [&str; 3] = [
    "zoë@example.org",
    "用户@example.com",
    "jürgen.ö@example.net",
];

/// A press with two readers that everybody can write to, one of them at a
/// domain beyond ASCII, and three that need SMTPUTF8.
fn press() -> Press {
    let press = Press::new();
    press.subscribe(["anna@example.org", "ben@bücher.example.net"]);
    let rows: String = INTERNATIONAL.map(|one| format!("{one}\n")).concat();
    press.write("international.csv", &format!("email\n{rows}"));
    press
        .run(&["subscribers", "import", "international.csv"])
        .exits(65)
        .prints("international.csv:2: error: `zoë@example.org`: the part before `@` has letters beyond ASCII")
        .prints("; if your relay offers SMTPUTF8, `--international` takes such addresses");
    press
        .run(&[
            "subscribers",
            "import",
            "--international",
            "international.csv",
        ])
        .succeeds();
    press
}

/// Asserts that the three failed and the two were served.
#[track_caller]
fn three_failed(press: &Press) {
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("failed"), 3);
    assert_eq!(ledger.state_of("anna@example.org"), "sent");
    assert_eq!(ledger.state_of("ben@xn--bcher-kva.example.net"), "sent");
}

#[test]
fn a_relay_without_smtputf8_serves_the_others_and_the_run_says_why() {
    let sink = SmtpSink::start(&[]);
    let press = press();
    press.relay(&sink.url());
    let words = "3 failed: relay lacks SMTPUTF8\n";
    ends(&press.run(&["run"]), sink.port(), 0, words);
    three_failed(&press);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
    press
        .run(&["why", "zoë@example.org"])
        .succeeds()
        .prints("relay lacks SMTPUTF8");
}

#[test]
fn a_reader_the_relay_cannot_write_to_costs_the_others_no_session() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = press();
    press.relay(&sink.url());
    let words = "3 failed: relay lacks SMTPUTF8\n";
    ends(&press.run(&["run"]), sink.port(), 0, words);
    three_failed(&press);
    assert_eq!(sink.connections(), 1);
    assert_eq!(sink.heard("MAIL"), 2);
    reconciles(&press, &sink);
}

#[test]
fn only_readers_who_need_it_are_announced_as_international() {
    let mut behaviour = Behaviour::default();
    behaviour.capabilities.push("SMTPUTF8".to_owned());
    let sink = ChaosSink::start(behaviour);
    let press = press();
    press.relay(&sink.url());
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(sink.count(Fate::Accepted), 5);
    let commands = sink.commands();
    let announced = |line: &str| line.ends_with(" BODY=8BITMIME SMTPUTF8");
    let mails = commands.iter().filter(|one| one.line.starts_with("MAIL"));
    assert_eq!(mails.filter(|one| announced(&one.line)).count(), 3);
    for reader in INTERNATIONAL {
        let rcpt = format!("RCPT TO:<{reader}>");
        let at = commands.iter().position(|one| one.line == rcpt).unwrap();
        assert!(announced(&commands[at - 1].line), "{commands:?}");
    }
    reconciles(&press, &sink);
}

#[test]
fn a_real_postfix_with_smtputf8_delivers_to_them() {
    let postfix = Postfix::start(&Options {
        main_cf: vec![
            "smtputf8_enable = yes".to_owned(),
            "virtual_mailbox_domains = example.org example.com example.net \
             xn--bcher-kva.example.net"
                .to_owned(),
        ],
        ..Options::default()
    });
    let press = press();
    press.relay(&postfix.url());
    ends(&press.run(&["run"]), postfix.port(), 0, "");
    assert_eq!(press.ledger().sums_hold().count("sent"), 5);
    let delivered = postfix.all_delivered();
    for reader in INTERNATIONAL {
        let found = delivered.iter().find(|one| one.recipient == reader);
        let found = found.unwrap_or_else(|| panic!("{reader}: {}", postfix.log()));
        let to = Mail::parse(&found.data).header("To").unwrap().to_owned();
        assert_eq!(to, reader);
    }
    assert_reconciled(&press.ledger().rows(), &postfix.receipts(), Policy::Once);
}
