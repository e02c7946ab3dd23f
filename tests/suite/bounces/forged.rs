//! What anybody can write proves nothing.

use letterpress::links::{DigestTag, Payload, Purpose, Signer};

use super::*;

/// Asserts that nobody was touched.
#[track_caller]
fn nobody_is_hurt(press: &Press, readers: usize) {
    let ledger = press.ledger();
    assert_eq!(ledger.suppressions(), 0);
    assert_eq!(ledger.reports(), 0);
    for number in 1..=readers {
        assert_eq!(status(press, &reader_address(number)), "active");
    }
}

#[test]
fn a_report_without_a_good_token_suppresses_nobody_whatever_address_it_names() {
    let press = sent_to(3);
    let ledger = press.ledger();
    let (victim, other) = (reader_address(1), reader_address(2));
    let delivery = ledger.row_of(&victim).delivery_id;
    let good = sender_of(&ledger, &victim);
    let (local, domain) = good.split_once('@').unwrap();
    let at = |local: &str| format!("{local}@{domain}");
    let payload = Payload::Reader {
        subscriber: ledger.subscriber_id(&victim),
        digest: DigestTag::of(&"weekly".parse().unwrap()),
    };
    let signer = ledger.signer();
    let of_purpose = |purpose| signer.token(purpose, &payload);
    let mut flipped = local.to_owned().into_bytes();
    let last = flipped.len() - 3;
    flipped[last] = if flipped[last] == b'a' { b'b' } else { b'a' };
    let mut senders = vec![
        "bounces@bounces.example.org".to_owned(),
        at("bounce"),
        at("bounce+"),
        at(&local[..local.len() - 4]),
        at(&format!("{local}a")),
        at(&String::from_utf8(flipped).unwrap()),
        at(&Signer::new(&[7; 32]).bounce_local(delivery)),
        // Well made, of a delivery that does not exist.
        at(&signer.bounce_local(delivery + 1_000_000)),
        victim.clone(),
    ];
    for purpose in [Purpose::Unsubscribe, Purpose::Manage, Purpose::Confirm] {
        senders.push(at(&format!("bounce+{}", of_purpose(purpose))));
    }
    for (number, to) in senders.iter().enumerate() {
        put(
            &press,
            &format!("{number}"),
            &report(to, "failed", "5.1.1", &victim),
        );
        put(&press, &format!("c{number}"), &complaint(to));
    }
    // Two tokens: whose would it be?
    let two = report(&good, "failed", "5.1.1", &victim).replacen(
        "Subject:",
        &format!("Delivered-To: {}\nSubject:", sender_of(&ledger, &other)),
        1,
    );
    put(&press, "two", &two);
    // The token in every place that proves nothing.
    let elsewhere = report("a@example.org", "failed", "5.1.1", &good)
        .replacen(
            "Subject: Undelivered",
            &format!("Subject: {good}\nFrom: <{good}>\nCc: {good}"),
            1,
        )
        .replacen("It came back.", &good, 1);
    put(&press, "elsewhere", &elsewhere);
    // Good tokens in what is no report.
    for kind in ["multipart/mixed", "multipart/alternative", "text/plain"] {
        let mail = report(&good, "failed", "5.1.1", &victim).replacen("multipart/report", kind, 1);
        put(&press, kind.rsplit('/').next().unwrap(), &mail);
    }
    let count = press.files("bounces/new").len();
    let summary = read(&press);
    assert_eq!(summary["read"], count);
    assert_eq!(summary["suppressed"], 0);
    nobody_is_hurt(&press, 3);
}

#[test]
fn a_message_id_counts_only_when_it_is_that_of_a_message_that_left() {
    let press = sent_to(3);
    let ledger = press.ledger();
    let victim = reader_address(1);
    let row = ledger.row_of(&victim);
    let stranger = Signer::new(&[7; 32]).message_id(row.issue_id, row.delivery_id, 1, "x.example");
    let beyond = ledger
        .signer()
        .message_id(row.issue_id, row.delivery_id + 500, 1, "x.example");
    let other = ledger
        .signer()
        .message_id(row.issue_id, row.delivery_id, 2, "x.example");
    let returned = |id: &str| {
        report("bounces@example.org", "failed", "5.1.1", &victim).replacen(
            "\n--b--",
            &format!("\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {id}\n\n--b--"),
            1,
        )
    };
    for (name, id) in [("a", &stranger), ("b", &beyond), ("c", &other)] {
        put(&press, name, &returned(id));
    }
    // Right, but not of the returned message.
    let own = format!("<{}>", row.message_id);
    let reply = report("bounces@example.org", "failed", "5.1.1", &victim).replacen(
        "Subject:",
        &format!("Message-ID: {own}\nIn-Reply-To: {own}\nSubject:"),
        1,
    );
    put(&press, "d", &reply);
    read(&press);
    nobody_is_hurt(&press, 3);

    put(&press, "e", &returned(&own));
    read(&press);
    assert_eq!(kinds(&press, &victim), ["hard_bounce"]);
    assert_eq!(status(&press, &victim), "bounced");
}

#[test]
fn a_report_that_is_sent_a_hundred_times_counts_once() {
    let press = sent_to(2);
    let to = sender_of(&press.ledger(), &reader_address(1));
    for number in 0..100 {
        let mail = report(&to, "failed", "5.2.2", "a@example.org");
        put(
            &press,
            &format!("{number}"),
            &format!("Received: by hop{number}\n{mail}"),
        );
    }
    let summary = read(&press);
    assert_eq!(summary["reports"]["soft_bounce"], 1);
    assert_eq!(summary["ignored"]["told before"], 99);
    nobody_but_one(&press);
}

fn nobody_but_one(press: &Press) {
    assert_eq!(press.ledger().reports(), 1);
    assert_eq!(press.ledger().suppressions(), 0);
}

#[test]
fn policy_never_suppresses_however_often_it_is_told() {
    let press = sent_to(4);
    let ledger = press.ledger();
    for number in 1..=4 {
        let to = sender_of(&ledger, &reader_address(number));
        for (at, code) in ["5.7.1", "5.7.26", "5.7.515", "5.1.8"].iter().enumerate() {
            put(
                &press,
                &format!("{number}-{at}"),
                &report(&to, "failed", code, "x@example.org"),
            );
        }
    }
    read(&press);
    assert_eq!(press.ledger().suppressions(), 0);
    assert_eq!(kinds(&press, &reader_address(1)), ["blocked"]);
}

#[test]
fn nested_endless_and_random_mails_are_bounded_in_time_and_memory() {
    let press = sent_to(1);
    let to = sender_of(&press.ledger(), &reader_address(1));
    let head = format!("To: {to}\nMIME-Version: 1.0\n");
    let levels: String = (0..2_000)
        .map(|n| format!("Content-Type: multipart/report; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    put(&press, "levels", &format!("{head}{levels}"));
    put(
        &press,
        "inside",
        &format!(
            "{head}{}",
            "Content-Type: message/rfc822\n\n".repeat(100_000)
        ),
    );
    put(
        &press,
        "fields",
        &format!("{head}{}", "A: b\n".repeat(400_000)),
    );
    put(
        &press,
        "line",
        &format!("{head}Subject: {}", "x".repeat(30_000_000)),
    );
    put(
        &press,
        "words",
        &format!("{head}Subject: {}", "=?utf-8?Q?=C3?= ".repeat(100_000)),
    );
    let parts = "--b\nContent-Type: message/delivery-status\n\nAction: failed\nStatus: 5.1.1\n\n";
    put(
        &press,
        "parts",
        &format!(
            "{head}Content-Type: multipart/report; boundary=b\n\n{}",
            parts.repeat(50_000)
        ),
    );
    let mut dice = crate::dice::Dice::of(11);
    for number in 0..200 {
        let bytes: Vec<u8> = (0..dice.below(3_000))
            .map(|_| u8::try_from(dice.below(256)).unwrap())
            .collect();
        press.write_bytes(&format!("bounces/new/random{number}"), &bytes);
    }
    // Threads reserve much more than they use; what is read must not matter.
    let run = press
        .spawn_under(
            &["prlimit", "--as=600000000"],
            &["--format", "json", "bounces", "read"],
        )
        .wait();
    run.succeeds();
    assert!(run.took < std::time::Duration::from_secs(20), "{run}");
    let summary = run.json();
    assert_eq!(summary["read"], 206);
    // Of the many parts the first are read, and say what they say.
    assert_eq!(summary["reports"]["hard_bounce"], 1);
    assert_eq!(press.files("bounces/new"), [""; 0]);
}
