//! Proof that the harness itself can be trusted: the servers are driven by a
//! bare TCP dialogue that shares nothing with the program under test.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Encryption, Phase, Rule};
use crate::chaos::tls::Identity;
use crate::dialogue::{Dialogue, connect, encrypt, id_for};
use crate::mailbox::Mail;
use crate::net::{clients_of, holds_within};
use crate::oracle::{LedgerRow, Policy, assert_reconciled, violations};
use crate::picture::png;
use crate::postfix::{Mailboxes, Options, Postfix};
use crate::press::Press;
use crate::process::Running;
use crate::receipt::Fate;
use crate::sink::SmtpSink;

fn row(recipient: &str, state: &'static str) -> LedgerRow {
    LedgerRow {
        delivery_id: 1,
        issue_id: 1,
        recipient: recipient.to_owned(),
        message_id: id_for(recipient),
        state,
        duplicate: false,
    }
}

const TAKEN: [&str; 4] = ["250", "250", "354", "250"];

#[test]
fn chaos_stores_an_accepted_message_exactly_once() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut client = Dialogue::open(sink.port());
    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    assert_eq!(client.say("QUIT"), "221");

    let journal = sink.journal();
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0].receipt.fate, Fate::Accepted);
    assert_eq!(journal[0].receipt.message_id, "m.anna@example.org");
    let mail = Mail::parse(&journal[0].data());
    assert_eq!(mail.subject, "Hello");
    assert_eq!(mail.header("message-id"), Some("<m.anna@example.org>"));
    assert_eq!(
        mail.text.as_deref().map(str::trim_end),
        Some("First line.\r\n.A dot.")
    );
    assert_reconciled(
        &[row("anna@example.org", "sent")],
        &sink.receipts(),
        Policy::Once,
    );
    assert!(
        !violations(
            &[row("anna@example.org", "queued")],
            &sink.receipts(),
            Policy::Once
        )
        .is_empty()
    );
}

#[test]
fn chaos_follows_the_script_in_the_address() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut client = Dialogue::open(sink.port());
    assert_eq!(client.deliver("x450-2@example.org"), ["250", "450"]);
    assert_eq!(client.deliver("x450-2@example.org"), ["250", "450"]);
    assert_eq!(client.deliver("x450-2@example.org"), TAKEN);
    assert_eq!(client.deliver("d451-1@example.org")[3], "451");
    assert_eq!(client.deliver("d451-1@example.org"), TAKEN);
    assert_eq!(client.deliver("x550-511@example.org"), ["250", "550"]);
    assert_eq!(client.deliver("latin@example.org"), TAKEN);
    assert_eq!(client.deliver("lines@example.org"), TAKEN);
    assert_eq!(client.deliver("x421-1@example.org"), ["250", "421"]);
    assert_eq!(client.say("NOOP"), "", "421 closes the connection");
    assert_eq!(sink.count(Fate::Accepted), 4);
    assert_eq!(sink.count(Fate::Refused), 1);
    assert_eq!(sink.count(Fate::Unanswered), 0);
}

#[test]
fn chaos_journals_what_it_left_without_an_answer() {
    let sink = ChaosSink::start(Behaviour::default());
    for (address, fate) in [
        ("q@example.org", Some(Fate::Unanswered)),
        ("lost@example.org", Some(Fate::Accepted)),
        ("Q@example.org", None),
    ] {
        let codes = Dialogue::open(sink.port()).deliver(address);
        assert_eq!(codes[2..], ["354", ""], "{address}: no answer may arrive");
        let found = sink
            .receipts()
            .into_iter()
            .find(|receipt| receipt.recipient == address)
            .map(|receipt| receipt.fate);
        assert_eq!(found, fate, "{address}");
        assert_reconciled(
            &[row(address, "uncertain")],
            &sink
                .receipts()
                .into_iter()
                .filter(|one| one.recipient == address)
                .collect::<Vec<_>>(),
            Policy::Once,
        );
    }
    let codes = Dialogue::open(sink.port()).deliver("q-1.again@example.org");
    assert_eq!(codes[3], "");
    let codes = Dialogue::open(sink.port()).deliver("q-1.again@example.org");
    assert_eq!(codes, TAKEN);
    let rows = [row("q-1.again@example.org", "sent")];
    let found = violations(&rows, &sink.receipts(), Policy::Once);
    assert!(
        found.iter().any(|line| line.contains("up to 2 copies")),
        "sending again after silence must be seen: {found:?}"
    );
}

#[test]
fn chaos_holds_dots_until_released_over_parallel_connections() {
    let sink = ChaosSink::start(Behaviour::default());
    let port = sink.port();
    sink.hold_dots();
    let clients: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || Dialogue::open(port).deliver(&format!("n{number}@example.org")))
        })
        .collect();
    sink.wait_for_held(8);
    assert_eq!(sink.most_connections(), 8);
    assert!(clients.iter().all(|client| !client.is_finished()));
    sink.release();
    for client in clients {
        assert_eq!(client.join().unwrap(), TAKEN);
    }
    assert_eq!(sink.count(Fate::Accepted), 8);
    assert_eq!(sink.connections(), 8);
}

#[test]
fn chaos_bends_any_phase_by_rule() {
    let sink = ChaosSink::start(Behaviour {
        messages_per_connection: Some(2),
        ..Behaviour::default()
    });
    let busy = || Answer::reply("452 4.3.1 disk full");
    sink.rule(Phase::Mail, Rule::times(1, busy()).after(1));
    sink.rule(Phase::Dot, Rule::times(1, Answer::reply("554 5.7.1 no")));
    let mut client = Dialogue::open(sink.port());
    assert_eq!(client.deliver("a@example.org")[3], "554");
    assert_eq!(client.say("MAIL FROM:<>"), "452");
    assert_eq!(client.deliver("a@example.org"), TAKEN);
    assert_eq!(client.say("NOOP"), "", "closed after its second message");
    assert_eq!(sink.heard("MAIL"), 3);
    assert_reconciled(
        &[row("a@example.org", "sent")],
        &sink.receipts(),
        Policy::Once,
    );
}

#[test]
fn chaos_takes_mail_only_after_the_right_login() {
    let sink = ChaosSink::start(Behaviour::with_login("press", "s3cret"));
    let mut client = Dialogue::open(sink.port());
    assert_eq!(client.say("MAIL FROM:<>"), "530");
    assert_eq!(client.say("AUTH PLAIN AHByZXNzAHdyb25n"), "535");
    assert_eq!(client.say("AUTH LOGIN"), "334");
    assert_eq!(client.say("cHJlc3M="), "334");
    assert_eq!(client.say("czNjcmV0"), "235");
    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    let mut other = Dialogue::open(sink.port());
    assert_eq!(other.say("AUTH PLAIN AHByZXNzAHMzY3JldA=="), "235");
    assert_eq!(sink.heard("AUTH"), 3);
}

#[test]
fn chaos_speaks_tls_and_shows_bad_certificates() {
    let start = |encryption, identity| {
        ChaosSink::start(Behaviour {
            encryption,
            identity,
            ..Behaviour::default()
        })
    };
    let sink = start(Encryption::StartTls, Identity::Good);
    let mut plain = Dialogue::open(sink.port());
    assert_eq!(plain.say("STARTTLS"), "220");
    let mut client = encrypt(plain.into_inner(), &sink.authority());
    assert_eq!(client.say("EHLO client.example.org"), "250");
    assert_eq!(client.deliver("anna@example.org"), TAKEN);

    let sink = start(Encryption::Implicit, Identity::Good);
    let mut client = encrypt(connect(sink.port()), &sink.authority());
    assert_eq!(client.reply(), "220");
    assert_eq!(client.deliver("ben@example.org"), TAKEN);

    for identity in [Identity::Expired, Identity::WrongName] {
        let sink = start(Encryption::Implicit, identity);
        let mut client = encrypt(connect(sink.port()), &sink.authority());
        assert_eq!(client.reply(), "", "{identity:?} must not be believed");
    }
}

#[test]
fn smtp_sink_stores_an_accepted_message_exactly_once() {
    let sink = SmtpSink::start(&[]);
    let mut client = Dialogue::open(sink.port());
    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    assert_eq!(client.deliver("ben@example.com"), TAKEN);
    assert_eq!(client.say("QUIT"), "221");

    let messages = sink.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].sender, "bounce@example.org");
    assert_eq!(messages[0].recipients, ["anna@example.org"]);
    assert!(
        messages[0].data.ends_with(b"\n\nFirst line.\n.A dot.\n"),
        "{:?}",
        String::from_utf8_lossy(&messages[0].data)
    );
    let rows = [
        row("anna@example.org", "sent"),
        row("ben@example.com", "sent"),
    ];
    assert_reconciled(&rows, &sink.receipts(), Policy::Once);
}

#[test]
fn smtp_sink_loses_an_answer_and_comes_back() {
    let mut sink = SmtpSink::start(&["-M", "1"]);
    let mut cut_off = Dialogue::open(sink.port());
    cut_off.say("MAIL FROM:<bounce@example.org>");
    cut_off.say("RCPT TO:<carla@example.net>");
    assert_eq!(cut_off.say("DATA"), "354");
    let all_but_the_dot = b"Subject: Hello\r\n\r\nThe last line.\r\n\r\n";
    cut_off.into_inner().write_all(all_but_the_dot).unwrap();
    let mut client = Dialogue::open(sink.port());
    assert_eq!(
        client.deliver("anna@example.org")[3],
        "",
        "no answer may arrive"
    );
    assert!(holds_within(Duration::from_secs(10), || !sink.is_running()));
    sink.restart(Some(&[]));
    assert_eq!(
        Dialogue::open(sink.port()).deliver("ben@example.com"),
        TAKEN
    );
    let stored = sink.messages();
    let readers: Vec<_> = stored.iter().flat_map(|one| &one.recipients).collect();
    // What was whole survives it, and nothing else.
    assert_eq!(readers, ["anna@example.org", "ben@example.com"]);
}

#[test]
fn postfix_delivers_once_to_the_maildir_and_refuses_as_told() {
    let answer = |address: &str, answer: &str| (address.to_owned(), answer.to_owned());
    let postfix = Postfix::start(&Options {
        access: vec![
            answer("busy@example.org", "450 4.2.1 mailbox busy"),
            answer("gone@example.com", "550 5.1.1 unknown"),
        ],
        message_size_limit: Some(20_000),
        ..Options::default()
    });
    let mut client = Dialogue::open(postfix.port());
    assert_eq!(client.deliver("busy@example.org"), ["250", "450"]);
    assert_eq!(client.deliver("gone@example.com"), ["250", "550"]);
    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    assert_eq!(client.deliver("ben@example.net"), TAKEN);
    assert_eq!(client.say("MAIL FROM:<a@example.org> SIZE=20001"), "552");
    assert_eq!(client.say("QUIT"), "221");

    let delivered = postfix.all_delivered();
    assert_eq!(delivered.len(), 2, "{}", postfix.log());
    assert_eq!(delivered[0].recipient, "anna@example.org");
    assert_eq!(delivered[0].sender, "bounce@example.org");
    assert_eq!(
        Mail::parse(&delivered[0].data).text.as_deref(),
        Some("First line.\n.A dot.\n")
    );
    let rows = [
        row("anna@example.org", "sent"),
        row("ben@example.net", "sent"),
    ];
    assert_reconciled(&rows, &postfix.receipts(), Policy::Once);
    assert!(postfix.log().contains("message-id=<m.anna@example.org>"));
}

#[test]
fn postfix_knows_its_readers_and_survives_a_kill() {
    let postfix = Postfix::start(&Options {
        mailboxes: Mailboxes::Only(vec!["anna@example.org".to_owned()]),
        ..Options::default()
    });
    let mut client = Dialogue::open(postfix.port());
    assert_eq!(client.deliver("ben@example.org"), ["250", "550"]);
    let abroad = client.deliver("anna@example.net");
    assert_eq!(abroad, ["250", "550"], "nothing may leave this machine");
    postfix.kill();
    assert_eq!(client.say("NOOP"), "");
    postfix.restart();
    assert_eq!(
        Dialogue::open(postfix.port()).deliver("anna@example.org"),
        TAKEN
    );
    let delivered = postfix.all_delivered();
    assert_eq!(
        delivered.len(),
        1,
        "only Maildirs receive mail: {}",
        postfix.log()
    );
}

#[test]
fn postfix_counts_what_it_accepted_not_what_it_delivered() {
    let postfix = Postfix::start(&Options::default());
    let mut client = Dialogue::open(postfix.port());
    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    let seen = postfix.all_delivered();
    assert_eq!(seen.len(), 1);

    // As after a kill at the wrong moment: the same message, delivered again.
    let mailbox = postfix.mailbox();
    fs::write(mailbox.join("again"), &seen[0].data).unwrap();
    assert_eq!(postfix.receipts().len(), 1);

    assert_eq!(client.deliver("anna@example.org"), TAKEN);
    assert_eq!(postfix.receipts().len(), 2);
    let rows = [row("anna@example.org", "sent")];
    let found = violations(&rows, &postfix.receipts(), Policy::Once);
    assert!(found[0].contains("up to 2 copies"), "{found:?}");
}

#[test]
fn clients_are_counted_until_they_have_closed() {
    let sink = ChaosSink::start(Behaviour::default());
    assert_eq!(clients_of(sink.port()), 0);
    let client = Dialogue::open(sink.port());
    assert_eq!(clients_of(sink.port()), 1);
    sink.die();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(clients_of(sink.port()), 1, "it has not noticed yet");
    drop(client);
    assert_eq!(clients_of(sink.port()), 0);
}

#[test]
fn a_run_is_captured_bounded_and_killed() {
    let shell = |script: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Running::start(command, b"in\n", Duration::from_secs(20))
    };
    let finished = shell("read x; echo out $x; echo err >&2; exit 3").wait();
    finished
        .exits(3)
        .prints("out in")
        .says("err")
        .conceals("secret");

    let mut running = shell("echo ready >&2; exec sleep 60");
    running.wait_for_stderr("ready");
    assert_eq!(running.kill().killed_by(), Some(9));

    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo shown; exec sleep 60"]);
    let bounded = Running::start(command, b"", Duration::from_millis(300));
    let failure = thread::spawn(|| bounded.wait()).join().unwrap_err();
    let text = failure.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("still ran") && text.contains("shown"),
        "{text}"
    );
}

#[test]
fn a_press_is_a_complete_publication_whose_settings_can_change() {
    let press = Press::new();
    press
        .relay("smtp://127.0.0.1:2525?tls=none")
        .set("mail.limits.test", 5)
        .set_digest("max_articles", 3)
        .article("food/soup.md", "+++\ntitle = \"Soup\"\n+++\n")
        .picture("food/soup.png", 12, 8);
    let settings: toml::Table = press.read("letterpress.toml").parse().unwrap();
    assert_eq!(
        settings["mail"]["relay"].as_str(),
        Some("smtp://127.0.0.1:2525?tls=none")
    );
    assert_eq!(settings["digest"][0]["max_articles"].as_integer(), Some(3));
    let files = press.files("content");
    assert_eq!(files.iter().filter(|file| file.ends_with(".md")).count(), 7);
    assert_eq!(
        files.iter().filter(|file| file.ends_with(".png")).count(),
        5
    );
    let size = imagesize::size(press.path("content/food/soup.png")).unwrap();
    assert_eq!((size.width, size.height), (12, 8));
}

#[test]
fn generated_pictures_are_real() {
    let picture = png(300, 200, [1, 2, 3]);
    let size = imagesize::blob_size(&picture).unwrap();
    assert_eq!((size.width, size.height), (300, 200));
}
