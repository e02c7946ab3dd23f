//! Who the relay is and who we are: certificates, STARTTLS, passwords. When in
//! doubt nothing is sent, and no password leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Encryption, Phase, Rule};
use crate::chaos::tls::Identity;
use crate::press::Press;
use crate::receipt::Fate;

const PASSWORD: &str = "correct-horse-9741";
const READERS: [&str; 2] = ["anna@example.org", "ben@example.com"];

fn sink(encryption: Encryption, identity: Identity) -> ChaosSink {
    ChaosSink::start(Behaviour {
        encryption,
        identity,
        ..Behaviour::with_login("press", PASSWORD)
    })
}

/// A press that logs in at this sink over TLS and trusts its authority.
fn press_at(sink: &ChaosSink, encryption: Encryption, password: &str) -> Press {
    let press = press_with(sink, READERS);
    let port = sink.port();
    press.relay(&match encryption {
        Encryption::Implicit => format!("smtps://press@127.0.0.1:{port}"),
        Encryption::StartTls => format!("smtp://press@127.0.0.1:{port}?tls=required"),
        Encryption::None => format!("smtp://press@relay.example.net:{port}?tls=none"),
    });
    press.write("secrets/relay-password", &format!("{password}\n"));
    let owner_only = fs::Permissions::from_mode(0o600);
    fs::set_permissions(press.path("secrets/relay-password"), owner_only).unwrap();
    press.set("mail.password_file", "secrets/relay-password");
    if encryption != Encryption::None {
        let authority = sink.authority().to_string_lossy().into_owned();
        press.set("mail.tls_ca_file", authority);
    }
    press
}

/// Asserts that nothing was handed over and no login was tried.
#[track_caller]
fn nothing_left(press: &Press, sink: &ChaosSink) {
    assert_eq!(sink.heard("AUTH"), 0, "{:?}", sink.commands());
    assert_eq!(sink.heard("MAIL"), 0, "{:?}", sink.commands());
    assert_eq!(sink.journal().len(), 0);
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("queued"), 2);
    assert_eq!(ledger.attempts_of("anna@example.org"), 0);
}

#[test]
fn mail_goes_out_over_either_kind_of_tls_after_the_login() {
    for encryption in [Encryption::Implicit, Encryption::StartTls] {
        let sink = sink(encryption, Identity::Good);
        let press = press_at(&sink, encryption, PASSWORD);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        assert_eq!(sink.count(Fate::Accepted), 2, "{encryption:?}");
        assert_eq!(sink.heard("AUTH"), 1, "{encryption:?}");
        reconciles(&press, &sink);
    }
}

#[test]
fn a_wrong_password_is_tried_once_and_never_shown() {
    for encryption in [Encryption::Implicit, Encryption::StartTls] {
        let sink = sink(encryption, Identity::Good);
        let press = press_at(&sink, encryption, "wrong-horse-1479");
        let run = press.run(&["-v", "run"]);
        run.exits(77)
            .says("login refused for user p…s: 535 5.7.8 authentication credentials invalid\n")
            .conceals("wrong-horse-1479");
        let quiet = press.run(&["run"]);
        let words = "relay 127.0.0.1:PORT: login refused for user p…s: \
                     535 5.7.8 authentication credentials invalid\n";
        ends(&quiet, sink.port(), 77, words);
        assert_eq!(sink.heard("AUTH"), 2, "one try a run: accounts lock");
        assert_eq!(sink.heard("MAIL"), 0);
        assert_eq!(press.ledger().count("queued"), 2);

        press.write("secrets/relay-password", PASSWORD);
        ends(&press.run(&["run"]), sink.port(), 0, "");
        reconciles(&press, &sink);
    }
}

#[test]
fn a_relay_with_a_bad_certificate_hears_nothing_but_the_handshake() {
    for encryption in [Encryption::Implicit, Encryption::StartTls] {
        for (identity, cause) in [
            (Identity::Expired, "expired"),
            (Identity::WrongName, "not valid for name"),
        ] {
            let sink = sink(encryption, identity);
            let press = press_at(&sink, encryption, PASSWORD);
            let run = press.run(&["run"]);
            run.exits(77)
                .says("TLS identity: expected a certificate for 127.0.0.1")
                .says(cause)
                .conceals(PASSWORD);
            assert_eq!(run.stderr.lines().count(), 1, "{run}");
            nothing_left(&press, &sink);
        }
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let sink = sink(Encryption::Implicit, Identity::Good);
    let press = press_at(&sink, Encryption::Implicit, PASSWORD);
    press.config(|settings| {
        settings["mail"]
            .as_table_mut()
            .unwrap()
            .remove("tls_ca_file");
    });
    press
        .run(&["run"])
        .exits(77)
        .says("TLS identity: expected a certificate for 127.0.0.1");
    nothing_left(&press, &sink);
}

#[test]
fn a_relay_that_lost_its_starttls_is_never_spoken_to_in_clear() {
    let sink = sink(Encryption::None, Identity::Good);
    let mut press = press_with(&sink, READERS);
    press.env("LETTERPRESS_SMTP_PASSWORD", PASSWORD);

    press.relay(&format!(
        "smtp://press@127.0.0.1:{}?tls=required",
        sink.port()
    ));
    let words = "relay 127.0.0.1:PORT: TLS identity: 127.0.0.1 does not offer STARTTLS\n";
    ends(&press.run(&["run"]), sink.port(), 77, words);
    nothing_left(&press, &sink);
}

#[test]
fn plain_text_slipped_in_before_tls_ends_the_session_without_a_login() {
    let sink = sink(Encryption::StartTls, Identity::Good);
    let injected = Answer::Raw(b"220 go ahead\r\n250 injected\r\n".to_vec());
    sink.rule(Phase::StartTls, Rule::always(injected));
    let press = press_at(&sink, Encryption::StartTls, PASSWORD);
    let words = "relay 127.0.0.1:PORT breaks the protocol since 08:00 \
                 (at tls: unexpected data before TLS); 2 queued, next try with the next run\n";
    ends(&press.run(&["run"]), sink.port(), 76, words);
    nothing_left(&press, &sink);
}

#[test]
fn a_login_in_plain_text_is_refused_with_the_settings() {
    let sink = sink(Encryption::None, Identity::Good);
    let press = press_at(&sink, Encryption::None, PASSWORD);
    press
        .run(&["run"])
        .exits(78)
        .says("letterpress.toml:")
        .conceals(PASSWORD);
    assert_eq!(sink.connections(), 0);
}

#[test]
fn a_password_others_can_read_is_refused_before_anything_is_sent() {
    let sink = sink(Encryption::Implicit, Identity::Good);
    let press = press_at(&sink, Encryption::Implicit, PASSWORD);
    let everybody = fs::Permissions::from_mode(0o644);
    fs::set_permissions(press.path("secrets/relay-password"), everybody).unwrap();
    press
        .run(&["run"])
        .exits(78)
        .says("is open to others (mode 644); `chmod 600` it")
        .conceals(PASSWORD);
    assert_eq!(sink.connections(), 0);
}
