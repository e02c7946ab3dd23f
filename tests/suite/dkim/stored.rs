//! Messages as a real Postfix stored them, and altered ones.

use super::*;
use crate::mailbox::Mail;
use crate::postfix::{Options, Postfix};

/// Bodies that have broken signatures of others: long lines, lines that begin
/// with dots, blanks and empty lines at the end, and every kind of letter.
const HOSTILE: &str = "+++
title = \"Überraschung: 名前 🍲 and a plain end\"
date = 2024-05-04
description = \"..Two dots, a tab\tand  blanks.\"
+++

.A line with a dot first.

..And two, then `code  with   blanks  `.

    a block of code  with trailing blanks   \u{20}
    .\u{20}\u{20}
\u{20}\u{20}\u{20}\u{20}

From the start, = and =20 and =3D as they stand.

LONG

Ünïcödé to the end: 名前, \u{1F372}, naïve, Ελληνικά, кириллица.\u{20}\u{20}



";

/// Names that must be folded, encoded or quoted in To.
const NAMES: [&str; 5] = [
    "Reader",
    "Zoë Ngwenya-Müller, of the very long and winding name that goes on for lines",
    "O'Neill \"the Boss\" \\ Co., Ltd.",
    "名前は とても 長い ので 何行にも わたって 折り返されます",
    "",
];

/// A press with many readers, whose issue is as hard to sign as we can think.
fn hostile_press(algorithms: &[&str], readers: usize) -> Press {
    let press = signing_press(algorithms);
    let long = format!("{} {}", "word ".repeat(400), "x".repeat(2_000));
    press.article("food/hostile.md", &HOSTILE.replace("LONG", &long));
    press.article(
        "food/plain.md",
        "+++\ntitle = \"Plain\"\ndate = 2024-05-03\n+++\n\nPlain words in ASCII only.\n",
    );
    let page = format!("https://letters.example.org/{}/", "long/".repeat(20));
    press.set("serve.public_url", page);
    press.set("mail.reply_to", "Rédaction <desk@garden.example.org>");
    let list: Vec<(String, &str)> = (0..readers)
        .map(|number| {
            let domain = ["example.org", "example.com", "example.net"][number % 3];
            let local = "r".repeat(1 + number % 40);
            (
                format!("{local}{number}@{domain}"),
                NAMES[number % NAMES.len()],
            )
        })
        .collect();
    press.subscribe_named(list.iter().map(|(address, name)| (address.as_str(), *name)));
    press
}

#[test]
fn dkimpy_and_opendkim_verify_every_message_as_a_real_postfix_stored_it() {
    let postfix = Postfix::start(&Options::default());
    let mut seen = 0;
    for (algorithms, readers) in [
        (vec!["rsa", "ed25519"], 160),
        (vec!["rsa"], 60),
        (vec!["ed25519"], 60),
    ] {
        let press = hostile_press(&algorithms, readers);
        press.relay(&postfix.url());
        press.run(&["send", "weekly"]).succeeds();
        let stored = postfix.all_delivered();
        let first = format!("s=lp-{};", algorithms[0]);
        let ours: Vec<&[u8]> = stored
            .iter()
            .map(|one| one.data.as_slice())
            .filter(|data| {
                let mail = Mail::parse(data);
                // Each press has a key of its own; dkimpy would not find another's.
                let signatures = mail.all("DKIM-Signature");
                signatures.len() == algorithms.len() && signatures[0].contains(&first)
            })
            .collect();
        assert_eq!(ours.len(), readers, "{algorithms:?}");
        let verdicts = Verifiers::knowing(&press).verdicts(ours.iter().copied());
        for (verdict, message) in verdicts.iter().zip(&ours) {
            let said = String::from_utf8_lossy(message);
            assert_eq!(*verdict, Verdicts::all(true, algorithms.len()), "{said}");
        }
        seen += readers;
    }
    assert_eq!(postfix.all_delivered().len(), seen);
}

#[test]
fn letters_with_pictures_that_travel_along_verify_and_are_the_same_whoever_sends_them() {
    let press = signing_press(&["rsa", "ed25519"]);
    press.set("mail.pictures", "embed");
    press.subscribers(3);
    // Frozen while nobody takes mail, then sent by two programs that share
    // nothing but the ledger.
    press.relay("smtp://127.0.0.1:1?tls=none");
    press.set("mail.relay_patience", "1s");
    press.run(&["send", "weekly"]).exits(75);
    let other = press.copied();
    let [ours, theirs] = [&press, &other].map(|press| {
        press.relay("folder:outbox");
        press.run(&["run"]).succeeds();
        let files = press.files("outbox");
        let letters = files.iter().map(|file| press.read_bytes(file));
        letters.collect::<Vec<_>>()
    });
    assert!(ours.len() == 3 && ours == theirs);
    for letter in &ours {
        let html = Mail::parse(letter).html.unwrap();
        assert!(html.contains("src=\"cid:"), "{html}");
    }
    let verdicts = Verifiers::knowing(&press).verdicts(ours.iter().map(Vec::as_slice));
    assert_eq!(verdicts.len(), 3);
    for verdict in verdicts {
        assert_eq!(verdict, Verdicts::all(true, 2));
    }
}

#[test]
fn a_message_that_was_altered_verifies_nowhere() {
    let press = hostile_press(&["rsa", "ed25519"], 1);
    press.run(&["send", "weekly"]).succeeds();
    let file = press.files("outbox").remove(0);
    let message = String::from_utf8(press.read_bytes(&file)).unwrap();
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let without = |name: &str| {
        let start = head.find(&format!("\r\n{name}:")).unwrap();
        let rest = &head[start + 2..];
        let lines = rest.split_inclusive("\r\n").enumerate();
        let end: usize = lines
            .take_while(|(number, line)| *number == 0 || line.starts_with([' ', '\t']))
            .map(|(_, line)| line.len())
            .sum();
        format!(
            "{}\r\n{}\r\n\r\n{body}",
            &head[..start],
            rest[end..].trim_end()
        )
    };
    let with = |field: &str| {
        [
            format!("{field}\r\n{message}"),
            format!("{head}\r\n{field}\r\n\r\n{body}"),
        ]
    };
    let mut altered = vec![
        message.replacen("ASCII only", "ASCII onlz", 1),
        message.replacen("Subject: ", "Subject: Re: ", 1),
        format!("{message}P.S. One line more.\r\n"),
        without("List-Unsubscribe"),
        without("List-Unsubscribe-Post"),
        without("Reply-To"),
        without("Feedback-ID"),
    ];
    for field in [
        "From: Somebody <somebody@example.net>",
        "Subject: You have won",
        "Reply-To: thief@example.net",
        "Cc: thief@example.net",
        "List-Unsubscribe: <https://example.net/>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Content-Type: text/plain",
        "Date: Fri, 27 Nov 2026 07:00:00 +0200",
    ] {
        altered.extend(with(field));
    }
    let harmless = [
        message.clone(),
        format!("Received: from relay.example.net\r\n{message}"),
        format!("{message}\r\n\r\n"),
    ];
    let verifiers = Verifiers::knowing(&press);
    let everything = harmless.iter().chain(&altered);
    let verdicts = verifiers.verdicts(everything.clone().map(|text| text.as_bytes()));
    for (index, (verdict, text)) in verdicts.iter().zip(everything).enumerate() {
        let is_altered = index >= harmless.len();
        assert!(
            !is_altered || *text != message,
            "message {index} is as it was"
        );
        let expected = Verdicts::all(!is_altered, 2);
        assert_eq!(*verdict, expected, "message {index}:\n{text}");
    }
}
