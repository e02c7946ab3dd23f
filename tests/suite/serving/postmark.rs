//! What Postmark posts about mail that came back, in the shape that it documents:
//! with the secret and a token of ours it counts, and else nothing changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::client::{Answer, Served};
use super::{everything, sent};
use crate::mailbox::Mail;
use crate::press::{Press, reader_address};

const SECRET: &str = "correct-horse-battery";
/// `Authorization: Basic` of `postmark:correct-horse-battery`.
const LOGIN: &str = "authorization: Basic cG9zdG1hcms6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\r\n";
const JSON: &str = "content-type: application/json\r\n";

/// A publication that sends by Postmark, whose first issue went out.
fn sent_by_postmark(readers: usize) -> Press {
    let press = Press::new();
    press.write("secrets/postmark", &format!("{SECRET}\n"));
    let owner_only = fs::Permissions::from_mode(0o600);
    fs::set_permissions(press.path("secrets/postmark"), owner_only).unwrap();
    press.set("bounces.postmark_secret_file", "secrets/postmark");
    press.subscribers(readers);
    press.run(&["run"]).succeeds();
    press
}

/// The letters in the folder that stands for a relay.
fn letters(press: &Press) -> Vec<Mail> {
    let names = press.files("outbox").into_iter();
    let all = names.map(|name| Mail::parse(&press.read_bytes(&name)));
    all.collect()
}

/// The token that the reader's letter carries: Postmark hands it back.
#[track_caller]
fn token(press: &Press, reader: usize) -> String {
    let address = reader_address(reader);
    let letters = letters(press);
    let letter = letters
        .iter()
        .find(|letter| letter.to == [address.as_str()])
        .unwrap_or_else(|| panic!("no letter to {address}"));
    let found = letter.header("X-PM-Metadata-letterpress");
    found.expect("a token for Postmark").to_owned()
}

/// An event about a letter, with the fields that Postmark sends with each.
fn event(record: &str, token: &str, more: &Value) -> String {
    let mut event = json!({
        "RecordType": record,
        "MessageStream": "broadcast",
        "ServerID": 23,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Tag": "",
        "Metadata": {"letterpress": token},
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string()
}

fn bounce(token: &str, kind: &str, details: &str) -> String {
    let more = json!({
        "ID": 692_560_173, "Type": kind, "TypeCode": 1, "Name": kind,
        "Description": "The server was unable to deliver your message.",
        "Details": details, "Email": "somebody@example.net", "From": "news@example.org",
        "BouncedAt": "2026-11-27T06:00:07Z", "DumpAvailable": true, "Inactive": true,
        "CanActivate": true, "Subject": "Soup",
    });
    event("Bounce", token, &more)
}

fn left(token: &str, suppresses: bool) -> String {
    let more = json!({
        "ChangedAt": "2026-11-27T06:00:07Z", "Recipient": "somebody@example.net",
        "Origin": "Recipient", "SuppressSending": suppresses,
        "SuppressionReason": "ManualSuppression",
    });
    event("SubscriptionChange", token, &more)
}

#[track_caller]
fn post(served: &Served, body: &str) -> Answer {
    let answer = served.ask(
        "POST",
        "/hooks/postmark",
        &format!("{JSON}{LOGIN}"),
        body.as_bytes(),
    );
    answer.is(200);
    answer
}

#[track_caller]
fn status(press: &Press, reader: usize) -> String {
    let told = press.run(&["--format", "json", "why", &reader_address(reader)]);
    told.json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn what_postmark_tells_counts_for_the_reader_whose_letter_it_was() {
    let press = sent_by_postmark(6);
    let tokens: Vec<String> = (1..=6).map(|reader| token(&press, reader)).collect();
    let served = Served::of(&press);
    let hard = bounce(&tokens[0], "HardBounce", "smtp;550 5.1.1 no such user");
    let soft = bounce(&tokens[1], "SoftBounce", "smtp;552 5.2.2 mailbox full");
    let complaint = json!({"Type": "SpamComplaint", "TypeCode": 512, "Email": "x@example.net"});
    let complaint = event("SpamComplaint", &tokens[2], &complaint);
    let blocked = bounce(&tokens[4], "Blocked", "smtp;550 5.7.1 not from you");
    let taken = post(&served, &hard);
    for body in [
        soft,
        complaint,
        left(&tokens[3], true),
        blocked,
        left(&tokens[5], false),
    ] {
        assert_eq!(post(&served, &body), taken, "alike whatever it says");
    }
    served.end().succeeds();
    let statuses: Vec<String> = (1..=6).map(|reader| status(&press, reader)).collect();
    let expected = [
        "bounced",
        "active",
        "complained",
        "unsubscribed",
        "active",
        "active",
    ];
    assert_eq!(statuses, expected);
    let told = press
        .run(&["--format", "json", "why", &reader_address(1)])
        .json();
    let report = &told["deliveries"][0]["reports"][0];
    assert_eq!(report["kind"], "hard_bounce");
    assert_eq!(report["code"], "5.1.1");
    assert_eq!(report["reason"], "550 5.1.1 no such user");
}

#[test]
fn without_the_secret_or_a_token_of_ours_nothing_changes_and_answers_are_alike() {
    let press = sent_by_postmark(2);
    let token = token(&press, 1);
    let hard = bounce(&token, "HardBounce", "smtp;550 5.1.1 no such user");
    let before = everything(&press);
    let served = Served::of(&press);
    let mut refused: Option<Answer> = None;
    for head in [
        "",
        "authorization: Basic cG9zdG1hcms6d3Jvbmc=\r\n",
        "authorization: Basic !!\r\n",
        "authorization: Bearer correct-horse-battery\r\n",
        "x-letterpress-secret: correct-horse-batter\r\n",
    ] {
        let head = format!("{JSON}{head}");
        for body in [hard.as_bytes(), b"{}", b"", &[b'{'; 300_000]] {
            let answer = served.ask("POST", "/hooks/postmark", &head, body);
            answer.is(403);
            assert_eq!(*refused.get_or_insert(answer.clone()), answer, "{head}");
        }
    }
    // With the secret, but of no letter of ours.
    let ledger = press.ledger();
    let other = ledger.signer().bounce_local(4711);
    let mut flipped = token.clone();
    flipped.replace_range(
        flipped.len() - 1..,
        if token.ends_with('a') { "b" } else { "a" },
    );
    let mut taken: Option<Answer> = None;
    for body in [
        bounce(&other, "HardBounce", ""),
        bounce(&flipped, "HardBounce", ""),
        bounce(&token[..token.len() - 4], "HardBounce", ""),
        bounce(
            &ledger.row_of(&reader_address(1)).message_id,
            "HardBounce",
            "",
        ),
        bounce(&reader_address(1), "HardBounce", &token),
        left(&other, true),
        event("Open", &token, &json!({})),
        "not JSON".to_owned(),
        String::new(),
    ] {
        let answer = post(&served, &body);
        assert_eq!(*taken.get_or_insert(answer.clone()), answer, "{body}");
    }
    assert_eq!(everything(&press), before);
    assert_eq!(press.ledger().reports(), 0);

    // The right one is answered like all those, and once more changes nothing.
    assert_eq!(Some(post(&served, &hard)), taken);
    let after = everything(&press);
    assert_ne!(after, before);
    assert_eq!(Some(post(&served, &hard)), taken);
    assert_eq!(everything(&press), after);
    assert_eq!(press.ledger().reports(), 1);
    let head = format!("{JSON}{LOGIN}");
    let large = served.ask("POST", "/hooks/postmark", &head, &vec![b'{'; 300_000]);
    large.is(413);
    served.get("/hooks/postmark").is(405);
    served.end().succeeds();
}

#[test]
fn where_postmark_is_not_set_up_there_is_no_endpoint_and_no_header() {
    let press = sent(1);
    let letters = letters(&press);
    assert!(letters[0].header("X-PM-Metadata-letterpress").is_none());
    let served = Served::of(&press);
    let head = format!("{JSON}{LOGIN}");
    served.ask("POST", "/hooks/postmark", &head, b"{}").is(404);
    served.end().succeeds();

    press.set("bounces.postmark_secret_file", "secrets/none");
    let refused = press.run(&["serve", "--listen", "127.0.0.1:0"]);
    refused.exits(78).says("bounces.postmark_secret_file");
}

#[test]
fn many_posts_from_one_address_are_all_taken_when_they_know_the_secret() {
    let press = sent_by_postmark(1);
    press.set("serve.trusted_proxies", vec!["127.0.0.1"]);
    let token = token(&press, 1);
    let served = Served::of(&press);
    let told = bounce(&token, "SoftBounce", "smtp;452 4.2.2 full");
    let ask = |login: &str| {
        let headers = format!("{JSON}{login}x-forwarded-for: 198.51.100.7\r\n");
        let answer = served.ask("POST", "/hooks/postmark", &headers, told.as_bytes());
        answer.status
    };
    assert!((0..400).all(|_| ask(LOGIN) == 200));
    let refused = (0..400).filter(|_| ask("") == 429).count();
    assert!(refused > 20, "strangers are held to the limit: {refused}");
}
