//! Readers who leave by mail: the mailto link of every letter.

use letterpress::links::{DigestTag, Payload, Purpose};

use super::*;

/// The token that the letter of this reader carries for leaving a digest.
fn token(press: &Press, address: &str, digest: &str) -> String {
    let ledger = press.ledger();
    let payload = Payload::Reader {
        subscriber: ledger.subscriber_id(address),
        digest: DigestTag::of(&digest.parse().unwrap()),
    };
    ledger.signer().token(Purpose::Unsubscribe, &payload)
}

fn asks(subject: &str) -> String {
    format!(
        "From: Somebody <else@example.net>\nTo: news@garden.example.org\nSubject: {subject}\n\n"
    )
}

#[test]
fn the_mailto_link_of_a_letter_is_what_takes_its_reader_off_the_list() {
    let press = Press::new();
    press.subscribers(2).set("content.pages", false);
    press.config(|settings| drop(settings.remove("serve")));
    press.run(&["run"]).succeeds();
    let letters = press.files("outbox");
    let of_first = |path: &&String| press.read(path).contains(&reader_address(1));
    let letter = press.read(letters.iter().find(of_first).unwrap());
    let unfolded = letter.replace("\r\n ", " ").replace("\r\n\t", " ");
    let start = unfolded
        .find("<mailto:news@garden.example.org?subject=unsubscribe%20")
        .unwrap();
    let link = &unfolded[start..];
    let subject = &link[link.find("subject=").unwrap() + 8..link.find('>').unwrap()];
    piped(&press, &asks(&subject.replace("%20", " ")))
        .succeeds()
        .says("1 reader left");
    assert_eq!(status(&press, &reader_address(1)), "unsubscribed");
    assert_eq!(status(&press, &reader_address(2)), "active");
    press
        .run(&["why", &reader_address(1)])
        .prints("unsubscribed (mail)");
}

#[test]
fn a_token_counts_however_a_mail_program_wrote_it_and_only_a_token_of_ours_does() {
    let press = sent_to(8);
    let of = |number: usize| token(&press, &reader_address(number), "weekly");
    let split = |token: &str, gap: &str| format!("{}{gap}{}", &token[..33], &token[33..]);
    let encoded = |token: &str| {
        let token = token.replace('_', "=5F");
        format!(
            "=?utf-8?Q?unsubscribe_{}?=\n =?utf-8?Q?{}?=",
            &token[..20],
            &token[20..]
        )
    };
    let base64 = |token: &str| {
        let text = format!("Unsubscribe {token}");
        format!(
            "=?UTF-8?B?{}?=",
            data_encoding::BASE64.encode(text.as_bytes())
        )
    };
    for (number, subject) in [
        format!("unsubscribe {}", of(1)),
        format!("unsubscribe\n {}", of(2)),
        format!("Re: UNSUBSCRIBE {}", of(3)),
        format!("unsubscribe {}", split(&of(4), "\n ")),
        encoded(&of(5)),
        base64(&of(6)),
    ]
    .iter()
    .enumerate()
    {
        put(&press, &format!("{number}"), &asks(subject));
    }
    let manage = Payload::Reader {
        subscriber: press.ledger().subscriber_id(&reader_address(7)),
        digest: DigestTag::of(&"weekly".parse().unwrap()),
    };
    let manage = press.ledger().signer().token(Purpose::Manage, &manage);
    for (number, mail) in [
        asks("unsubscribe"),
        asks(&format!("unsubscribe {manage}")),
        asks(&format!("unsubscribe {}", &of(7)[..50])),
        asks(&reader_address(7)).replace("else@example.net", &reader_address(7)),
        asks("Hello").replace("\n\n", &format!("\n\nunsubscribe {}\n", of(7))),
        format!(
            "Auto-Submitted: auto-replied\n{}",
            asks("Away: unsubscribe")
        ),
    ]
    .iter()
    .enumerate()
    {
        put(&press, &format!("x{number}"), mail);
    }
    let summary = read(&press);
    assert_eq!(summary["left"], 6);
    assert_eq!(summary["ignored"]["no report"], 6);
    for number in 1..=8 {
        let expected = if number <= 6 {
            "unsubscribed"
        } else {
            "active"
        };
        assert_eq!(
            status(&press, &reader_address(number)),
            expected,
            "{number}"
        );
    }
}

#[test]
fn leaving_one_digest_keeps_the_others_and_leaving_the_last_one_leaves_all() {
    let press = Press::new();
    press.subscribers(3).set("content.pages", false);
    press.config(|settings| {
        let digests = settings["digest"].as_array_mut().unwrap();
        let mut second = digests[0].as_table().unwrap().clone();
        second.insert("name".to_owned(), "daily".into());
        digests.push(second.into());
    });
    press.run(&["run"]).succeeds();
    let reader = reader_address(1);
    let leave = |digest: &str, says: &str| {
        let subject = format!("unsubscribe {}", token(&press, &reader, digest));
        // Each mail has bytes of its own.
        let mail = format!("X-Number: {says}{digest}\n{}", asks(&subject));
        piped(&press, &mail).succeeds().says(says);
    };
    leave("weekly", "1 reader left");
    let told = why(&press, &reader);
    assert_eq!(told["status"], "active");
    assert_eq!(told["choice"], "digests=daily");
    press
        .run(&["why", &reader])
        .prints("left weekly; gets digests=daily (mail)");
    leave("weekly", "1 ignored (of a reader who had left)");
    leave("daily", "1 reader left");
    assert_eq!(status(&press, &reader), "unsubscribed");
    leave("daily", "1 ignored (of a reader who had left)");
    assert_eq!(status(&press, &reader_address(2)), "active");
}

#[test]
fn who_leaves_by_mail_before_the_next_issue_does_not_get_it() {
    let mut press = sent_to(2);
    let subject = format!(
        "unsubscribe {}",
        token(&press, &reader_address(1), "weekly")
    );
    put(&press, "leave", &asks(&subject));
    let gone = sender_of(&press.ledger(), &reader_address(2));
    put(
        &press,
        "gone",
        &report(&gone, "failed", "5.1.1", "a@example.org"),
    );
    press.subscribe(["new@example.org"]);
    press.article(
        "garden/later.md",
        "+++\ntitle = \"Later\"\ndate = 2026-12-02\n+++\n\nDig.\n",
    );
    press.at("2026-12-04T08:00:00+02:00");
    press.run(&["run"]).succeeds().is_silent();
    let rows = press.ledger().rows();
    let second: Vec<&str> = rows[2..].iter().map(|row| row.recipient.as_str()).collect();
    assert_eq!(second, ["new@example.org"]);
}
