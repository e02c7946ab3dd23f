//! Signing up and saying yes.

use std::time::Duration;

use letterpress::domain::subscriber::SubscriberId;
use letterpress::links::{DigestTag, Payload, Purpose, Signer};
use rusqlite::Connection;

use super::client::{Answer, Served};
use super::{everything, posted};
use crate::press::Press;

/// Whoever fills in a form takes longer than this.
const A_MOMENT: Duration = Duration::from_millis(3100);

/// The value of the hidden field that tells when the form was shown.
#[track_caller]
fn stamp(page: &Answer) -> String {
    let text = page.text();
    let field = text
        .split("name=\"form\" value=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{text}"));
    field.split('"').next().unwrap().to_owned()
}

/// A stamp that is old enough.
pub(super) fn ripe(served: &Served) -> String {
    let stamp = stamp(served.get("/subscribe").is(200));
    std::thread::sleep(A_MOMENT);
    stamp
}

fn sign_up(served: &Served, stamp: &str, email: &str) -> Answer {
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("email", email)
        .append_pair("form", stamp)
        .finish();
    served.post("/subscribe", &form)
}

fn number(press: &Press, sql: &str) -> i64 {
    let ledger = Connection::open(press.database()).unwrap();
    ledger.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Confirmations that wait to be made, and those that were.
const MAILS: &str = "SELECT (SELECT count(*) FROM answers WHERE kind = 'confirm')
    + (SELECT count(*) FROM deliveries d JOIN issues i ON i.id = d.issue_id
        WHERE i.notice = 'confirm')";

/// The path in the mail that asks this address for a yes.
fn confirm_path(press: &Press, address: &str) -> String {
    let ledger = Connection::open(press.database()).unwrap();
    let key: [u8; 32] = ledger
        .query_row("SELECT install_key FROM installation", [], |row| row.get(0))
        .unwrap();
    let sql = "SELECT public_id FROM subscribers WHERE address_key = ?1";
    let id: [u8; 16] = ledger.query_row(sql, [address], |row| row.get(0)).unwrap();
    let sql = "SELECT max(d.id) FROM deliveries d JOIN issues i ON i.id = d.issue_id
                 JOIN subscribers s ON s.id = d.subscriber_id
                WHERE i.notice = 'confirm' AND s.address_key = ?1";
    let payload = Payload::Asked {
        subscriber: SubscriberId(id),
        digest: DigestTag::of(&"weekly".parse().unwrap()),
        delivery: ledger.query_row(sql, [address], |row| row.get(0)).unwrap(),
    };
    format!(
        "/confirm/{}",
        Signer::new(&key).token(Purpose::Confirm, &payload)
    )
}

fn status_of(press: &Press, address: &str) -> String {
    let shown = press.run(&["--format", "json", "subscribers", "show", address]);
    shown.json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_yes_is_said_with_a_button_once_and_is_on_record_with_the_words_that_were_shown() {
    let press = Press::new();
    press.set("serve.trusted_proxies", vec!["127.0.0.1"]);
    let served = Served::of(&press);
    let stamp = ripe(&served);
    let form = format!("email=anna%40example.org&name=Anna%0d%0aBcc:%20x&form={stamp}");
    let from =
        "content-type: application/x-www-form-urlencoded\r\nx-forwarded-for: 203.0.113.77\r\n";
    let asked = served.ask("POST", "/subscribe", from, form.as_bytes());
    assert!(asked.is(200).text().contains("Look into your mailbox"));
    assert_eq!(status_of(&press, "anna@example.org"), "pending");
    assert_eq!(number(&press, MAILS), 1);
    posted(&press, 1);
    let path = confirm_path(&press, "anna@example.org");
    let before = everything(&press);
    let page = served.get(&path);
    for _ in 0..50 {
        assert_eq!(served.get(&path), page);
        served.ask("HEAD", &path, "", b"").is(200);
    }
    served.post(&path, "").is(400);
    assert!(everything(&press) == before, "something changed");
    // A link that leads to nothing looks the same until the button is pressed.
    assert_eq!(served.get("/confirm/v1.a.b.c"), page);
    let dead = served.post("/confirm/v1.a.b.c", "yes=1");
    dead.is(404);
    let wrong_purpose = path.replace("/confirm/", "/unsubscribe/");
    served.one_click(&wrong_purpose).is(200);
    assert_eq!(status_of(&press, "anna@example.org"), "pending");
    let confirmed = served.post(&path, "yes=1");
    assert!(confirmed.is(200).text().contains("You are on the list"));
    assert_eq!(status_of(&press, "anna@example.org"), "active");
    assert_eq!(served.post(&path, "yes=1"), dead, "a yes is said once");
    let record = press
        .run(&["--format", "json", "why", "anna@example.org"])
        .stdout
        .clone();
    assert!(
        record.contains("203.0.113.0/24") && !record.contains("203.0.113.77"),
        "{record}"
    );
    assert_eq!(
        number(
            &press,
            "SELECT count(*) FROM wordings WHERE words LIKE '%ask The Garden Table to write%'"
        ),
        1
    );
    let name = "SELECT count(*) FROM subscribers WHERE name = 'Anna Bcc: x'";
    assert_eq!(number(&press, name), 1);
    served.end().succeeds();
}

#[test]
fn known_unknown_suppressed_and_departed_addresses_are_answered_alike() {
    let press = Press::new();
    press.subscribe(["known@example.org", "left@example.org", "never@example.org"]);
    press
        .run(&["subscribers", "unsubscribe", "left@example.org"])
        .succeeds();
    let ledger = Connection::open(press.database()).unwrap();
    let served = Served::of(&press);
    ledger
        .execute_batch(
            "INSERT INTO suppressions SELECT address_hash, 'request', 0 FROM subscribers
              WHERE address_key = 'never@example.org'",
        )
        .unwrap();
    let stamp = ripe(&served);
    let first = sign_up(&served, &stamp, "unknown@example.org");
    first.is(200);
    for address in ["known@example.org", "left@example.org", "never@example.org"] {
        assert_eq!(sign_up(&served, &stamp, address), first, "{address}");
    }
    // Mail only for those who would get something new by a yes.
    assert_eq!(number(&press, MAILS), 2);
    assert_eq!(
        status_of(&press, "left@example.org"),
        "unsubscribed",
        "not without a yes"
    );
    served.end().succeeds();
}

#[test]
fn programs_that_fill_in_forms_get_nowhere() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let served = Served::of(&press);
    // At once, without a form of ours, with a forged one.
    let fresh = stamp(served.get("/subscribe").is(200));
    for form in [fresh.as_str(), "", "AAABnA.AAAA"] {
        let again = sign_up(&served, form, "anna@example.org");
        assert!(
            again.is(400).text().contains("press the button once more"),
            "{form}"
        );
        assert!(
            again.text().contains("anna@example.org"),
            "what was typed is kept"
        );
    }
    std::thread::sleep(A_MOMENT);
    let trapped = format!("email=anna%40example.org&website=http%3A%2F%2Fx&form={fresh}");
    served.post("/subscribe", &trapped).is(200);
    for (email, said) in [
        ("nobody", "look at the address again"),
        ("a@b@c", "look at the address"),
        ("a@localhost", "look at"),
        ("", "look at"),
        ("x@example.org\r\nBcc: y@example.org", "look at"),
    ] {
        let refused = sign_up(&served, &fresh, email);
        assert!(refused.is(400).text().contains(said), "{email}");
    }
    assert_eq!(number(&press, "SELECT count(*) FROM subscribers"), 0);
    assert_eq!(
        served.figure("letterpress_signups_total{outcome=\"trap\"}"),
        1
    );
    let cross = "origin: https://elsewhere.example.org\r\n";
    let page = served.ask("GET", "/subscribe", cross, b"");
    assert_eq!(
        page.header("access-control-allow-origin"),
        Some("https://garden.example.org")
    );
    served.end().succeeds();
}

#[test]
fn one_network_signs_up_five_times_an_hour_and_sixty_in_all_close_the_form() {
    let press = Press::new();
    press.set("serve.trusted_proxies", vec!["127.0.0.1"]);
    let served = Served::of(&press);
    let stamp = ripe(&served);
    let from = |number: u32, network: u32| {
        let head = format!(
            "content-type: application/x-www-form-urlencoded\r\nx-forwarded-for: 198.51.{network}.{number}\r\n"
        );
        let form = format!("email=reader{network}x{number}%40example.org&form={stamp}");
        served
            .ask("POST", "/subscribe", &head, form.as_bytes())
            .status
    };
    let one: Vec<u16> = (0..7).map(|number| from(number, 1)).collect();
    assert_eq!(one, [200, 200, 200, 200, 200, 429, 429]);
    let all: Vec<u16> = (2..70).map(|network| from(1, network)).collect();
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 55);
    assert_eq!(number(&press, MAILS), 60);
    let page = served.get("/subscribe").text();
    assert!(page.contains("Please come back later"), "{page}");
    assert_eq!(served.figure("letterpress_form_closed"), 1);
    let ended = served.end();
    ended
        .succeeds()
        .says("the form is closed for the next hour");
    assert_eq!(ended.stderr.matches("is closed").count(), 1);
}

#[test]
fn the_publisher_says_how_many_may_sign_up_in_an_hour() {
    let press = Press::new();
    press.set("serve.signups_per_hour", 2);
    let served = Served::of(&press);
    let stamp = ripe(&served);
    let answers = ["a@example.org", "b@example.org", "c@example.org"];
    let answers = answers.map(|address| sign_up(&served, &stamp, address).status);
    assert_eq!(answers, [200, 200, 429]);
    served.end().succeeds();
    press.set("serve.signups_per_hour", 0);
    press
        .run(&["check"])
        .exits(78)
        .says("serve.signups_per_hour");
}

#[test]
fn ten_thousand_sign_ups_for_one_victim_yield_one_mail() {
    let press = Press::new();
    press.set("serve.trusted_proxies", vec!["127.0.0.1"]);
    let served = Served::of(&press);
    let stamp = ripe(&served);
    let spellings = [
        "victim@example.org",
        "Victim@Example.org",
        "victim+a@example.org",
    ];
    let mut answers = [0_u32; 2];
    let mut reader = {
        let stream = served.connect();
        std::io::BufReader::new(stream)
    };
    for number in 0..10_000_u32 {
        let form = format!(
            "email={}&form={stamp}",
            spellings[number as usize % 3]
                .replace('@', "%40")
                .replace('+', "%2b")
        );
        let head = format!(
            "POST /subscribe HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\nx-forwarded-for: 10.{}.{}.1\r\n\r\n",
            form.len(),
            number / 256,
            number % 256
        );
        use std::io::Write;
        let stream = reader.get_mut();
        stream
            .write_all(&[head.as_bytes(), form.as_bytes()].concat())
            .unwrap();
        let answer = super::client::answer(&mut reader, false);
        answers[usize::from(answer.status != 200)] += 1;
    }
    assert_eq!(answers[0] + answers[1], 10_000);
    assert_eq!(number(&press, MAILS), 1);
    served.end().succeeds();
}

#[test]
fn a_program_signs_up_with_json_and_a_copied_form_leads_to_ours() {
    let press = Press::new();
    let served = Served::of(&press);
    let json = "accept: application/json\r\n";
    let offer: serde_json::Value =
        serde_json::from_slice(&served.ask("GET", "/subscribe", json, b"").is(200).body).unwrap();
    assert_eq!(offer["digests"][0]["name"], "weekly");
    assert_eq!(offer["is_open"], true);
    let kind = "content-type: application/json\r\n";
    let post = |body: serde_json::Value| {
        let answer = served.ask("POST", "/subscribe", kind, body.to_string().as_bytes());
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (
            answer.status,
            said["outcome"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let entry = serde_json::json!({ "email": "anna@example.org", "form": offer["form"] });
    assert_eq!(post(entry.clone()), (400, "again".to_owned()));
    std::thread::sleep(A_MOMENT);
    assert_eq!(post(entry), (200, "asked".to_owned()));
    let wrong = serde_json::json!({ "email": "anna", "form": offer["form"] });
    assert_eq!(post(wrong), (400, "no-address".to_owned()));
    served.ask("POST", "/subscribe", kind, b"[1").is(400);
    let preflight = served.ask("OPTIONS", "/subscribe", "", b"");
    assert_eq!(
        preflight.is(204).header("access-control-allow-methods"),
        Some("GET, POST")
    );
    // The form to copy: what it sends is shown once more, filled in.
    let snippet = press.run(&["serve", "--form"]).succeeds().stdout.clone();
    assert!(
        snippet.contains("action=\"https://letters.example.org/subscribe\""),
        "{snippet}"
    );
    press
        .run(&["serve", "--form", "daily"])
        .exits(78)
        .says("there are: weekly");
    let page = served
        .post("/subscribe", "email=ben%40example.org&digest=weekly")
        .is(400)
        .text();
    assert!(page.contains("value=\"ben@example.org\""), "{page}");
    served.end().succeeds();
}

#[test]
fn a_publication_that_cannot_ask_for_a_yes_has_no_form() {
    let press = Press::new();
    press.config(|settings| {
        settings["serve"]
            .as_table_mut()
            .unwrap()
            .remove("public_url");
    });
    let served = Served::of(&press);
    served.get("/subscribe").is(404);
    served
        .post("/subscribe", "email=anna%40example.org")
        .is(404);
    served.end().succeeds();
}
