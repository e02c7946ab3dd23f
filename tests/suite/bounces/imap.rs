//! A mailbox on a real IMAP server, by the rules of the way to a relay.

use std::time::Duration;

use crate::dice::Dice;
use crate::dovecot::{Dovecot, PASSWORD};

use super::*;

/// A press that has sent an issue, and reads bounces from this server.
fn press(dovecot: &Dovecot, readers: usize) -> Press {
    let press = sent_to(readers);
    let file = press.path("imap-password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    let certificate = dovecot.certificate().to_string_lossy().into_owned();
    press
        .set(
            "bounces.source",
            format!("imaps://bounces@localhost:{}", dovecot.tls_port),
        )
        .set("bounces.password_file", "imap-password")
        .set("bounces.tls_ca_file", certificate);
    press
}

fn bounce(press: &Press, number: usize) -> String {
    let address = reader_address(number);
    let to = sender_of(&press.ledger(), &address);
    report(&to, "failed", "5.1.1", &address)
}

#[test]
fn mails_on_a_server_are_read_over_tls_and_marked_once_they_have_their_effect() {
    const READERS: usize = 40;
    let dovecot = Dovecot::start();
    let press = press(&dovecot, READERS);
    for number in 1..=READERS {
        dovecot.deliver(&format!("{number:03}"), &bounce(&press, number));
    }
    // Killed at any moment, none is lost and none counts twice.
    let mut dice = Dice::of(3);
    for _ in 0..6 {
        let run = press.spawn(&["bounces", "read"]);
        std::thread::sleep(Duration::from_millis(dice.below(90)));
        run.kill();
        assert!(press.ledger().reports() as usize >= dovecot.seen());
    }
    press.run(&["bounces", "read"]).succeeds();
    assert_eq!(press.ledger().reports() as usize, READERS);
    assert_eq!(press.ledger().suppressions() as usize, READERS);
    assert_eq!(dovecot.seen(), READERS, "{}", dovecot.log());
    press
        .run(&["bounces", "read"])
        .succeeds()
        .says("localhost:")
        .says("/INBOX: no new mail");
    // STARTTLS, named on the command line; the files are those of the settings.
    dovecot.deliver(
        "more",
        &complaint(&sender_of(&press.ledger(), &reader_address(1))),
    );
    let url = format!(
        "imap://bounces@localhost:{}/INBOX?tls=required",
        dovecot.port
    );
    press
        .run(&["bounces", "read", &url])
        .succeeds()
        .says("1 complaint")
        .conceals(PASSWORD);
    // `run` reads it by itself.
    dovecot.deliver("last", "Subject: hello\n\nNothing.\n");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(dovecot.seen(), READERS + 2);
}

#[test]
fn a_server_that_cannot_be_trusted_or_entered_gets_nothing_and_holds_nobodys_mail() {
    let dovecot = Dovecot::start();
    let mut press = press(&dovecot, 1);
    let read = |press: &Press| press.run(&["bounces", "read"]);
    // Another name, and an authority that nobody knows.
    press.set(
        "bounces.source",
        format!("imaps://bounces@127.0.0.1:{}", dovecot.tls_port),
    );
    read(&press).exits(77).says("TLS failed");
    let good = format!("imaps://bounces@localhost:{}", dovecot.tls_port);
    press.set("bounces.source", good.as_str());
    let settings = press.read("letterpress.toml");
    press.config(|settings| {
        drop(
            settings["bounces"]
                .as_table_mut()
                .unwrap()
                .remove("tls_ca_file"),
        );
    });
    read(&press).exits(77).says("TLS failed");
    press.write("letterpress.toml", &settings);
    assert!(!dovecot.log().contains("Login:"), "{}", dovecot.log());

    press.set("bounces.source", format!("{good}/Nowhere"));
    read(&press).exits(66).says("the mailbox was refused");
    press.set(
        "bounces.source",
        format!("imaps://nobody@localhost:{}", dovecot.tls_port),
    );
    read(&press)
        .exits(77)
        .says("the login was refused")
        .conceals(PASSWORD);
    press.set(
        "bounces.source",
        format!("imaps://bounces@localhost:{}", crate::net::free_port()),
    );
    read(&press).exits(75).says("unreachable");
    press.subscribe(["later@example.org"]);
    press.article(
        "garden/later.md",
        "+++\ntitle = \"Later\"\ndate = 2026-12-02\n+++\n\nDig.\n",
    );
    press.at("2026-12-04T08:00:00+02:00");
    press.run(&["run"]).exits(75).says("unreachable");
    assert_eq!(press.ledger().state_of("later@example.org"), "sent");
    // In plain text only on this machine, and TLS where TLS is wanted.
    press.set("bounces.source", "imap://bounces@mail.example.org?tls=none");
    read(&press).exits(78).says("in plain text");
    let sink = crate::chaos::ChaosSink::start(crate::chaos::behaviour::Behaviour::default());
    let port = sink.url();
    let port = port.split([':', '?']).nth(2).unwrap();
    press.set("bounces.source", format!("imap://bounces@localhost:{port}"));
    let refused = read(&press);
    assert_ne!(refused.code(), Some(0), "no IMAP server\n{refused}");
}
