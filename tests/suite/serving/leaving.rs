//! One click, and the page with a button.

use std::io::{BufReader, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Served, answer, mails, path_to, paths, unsubscribe_path};
use super::{everything, sent};
use crate::cluster::moving::killed_on_the_way;
use crate::postgres;
use crate::press::{Press, reader_address};

/// A message to every reader is queued and none has left.
fn queued(readers: usize) -> Press {
    let press = sent(readers);
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    ledger
        .execute_batch("UPDATE deliveries SET state = 0; UPDATE issues SET state = 0")
        .unwrap();
    press
}

fn status_of(press: &Press, address: &str) -> String {
    let shown = press.run(&["--format", "json", "subscribers", "show", address]);
    shown.json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn one_click_as_mailbox_providers_send_it_takes_the_reader_off_before_the_answer() {
    let press = queued(3);
    let served = Served::of(&press);
    let mails = mails(&press);
    let gmail = &mails[0];
    let clicked = served.one_click(&unsubscribe_path(&gmail.1));
    clicked.is(200);
    assert_eq!(clicked.header("location"), None);
    assert_eq!(clicked.header("set-cookie"), None);
    assert_eq!(status_of(&press, &gmail.0), "unsubscribed");
    assert_eq!(press.ledger().state_of(&gmail.0), "cancelled");
    // As others send it (RFC 8058, 3.2): multipart/form-data.
    let other = &mails[1];
    let body = "--=_x\r\ncontent-disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                One-Click\r\n--=_x--\r\n";
    let kind = "content-type: multipart/form-data; boundary=\"=_x\"\r\n";
    let path = unsubscribe_path(&other.1);
    let sent = served.ask("POST", &path, kind, body.as_bytes());
    assert_eq!(sent, clicked, "always the same small page");
    assert!(clicked.body.len() < 8192);
    assert_eq!(status_of(&press, &other.0), "unsubscribed");
    // The third gets the letter, and nobody else.
    assert_eq!(status_of(&press, &mails[2].0), "active");
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().sums_hold().count("cancelled"), 2);
    served.end().succeeds();
}

#[test]
fn a_scanner_that_opens_every_link_of_a_sent_issue_a_thousand_times_changes_nothing() {
    let press = sent(1);
    let before = everything(&press);
    let served = Served::of(&press);
    let (_, mail) = &mails(&press)[0];
    let paths = paths(mail);
    assert!(
        paths.iter().any(|path| path.starts_with("/unsubscribe/")),
        "{paths:?}"
    );
    let (of_readers, others): (Vec<&String>, Vec<&String>) =
        paths.iter().partition(|path| path.contains("/v1."));
    assert!(of_readers.len() >= 2, "{paths:?}");
    for path in others {
        assert_eq!(served.get(path).header("set-cookie"), None);
    }
    for path in of_readers {
        for method in ["GET", "HEAD"] {
            // As one who keeps connections does it.
            let stream = served.connect();
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            for _ in 0..1000 {
                let head = format!("{method} {path} HTTP/1.1\r\nhost: letters.example.org\r\n\r\n");
                writer.write_all(head.as_bytes()).unwrap();
                answer(&mut reader, method == "HEAD").is(200);
            }
        }
    }
    served.end().succeeds();
    assert!(everything(&press) == before, "something changed");
}

#[test]
fn tokens_that_are_forged_cut_off_of_another_purpose_or_used_answer_alike_and_change_nothing() {
    let press = sent(2);
    let served = Served::of(&press);
    let mails = mails(&press);
    let (_, mail) = &mails[0];
    let good = unsubscribe_path(mail);
    let page = served.get(&good);
    let token = good.rsplit('/').next().unwrap();
    let preferences = path_to("preferences", mail);
    let mut forged = token.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    let first = served.one_click(&good);
    first.is(200);
    let before = everything(&press);
    let wrong_purpose = preferences.rsplit('/').next().unwrap();
    let long = "x".repeat(4000);
    for token in [
        &forged,
        &token[..token.len() - 9],
        wrong_purpose,
        "",
        "%00",
        &long,
    ] {
        let path = format!("/unsubscribe/{token}");
        assert_eq!(served.one_click(&path), first, "{token}");
        assert_eq!(served.post(&path, "what=never"), first, "{token}");
        assert_eq!(served.get(&path), page, "{token}");
    }
    // Used again.
    assert_eq!(served.one_click(&good), first);
    assert_eq!(served.get(&good), page);
    assert!(everything(&press) == before, "something changed");
    assert_eq!(status_of(&press, &mails[0].0), "unsubscribed");
    assert_eq!(status_of(&press, &mails[1].0), "active");
    served.end().succeeds();
}

#[test]
fn a_post_that_is_no_click_and_no_form_changes_nothing() {
    let press = sent(1);
    let before = everything(&press);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    for form in [
        "",
        "List-Unsubscribe=Maybe",
        "list=One-Click",
        "what=everything",
    ] {
        served.post(&path, form).is(400);
    }
    let json = "content-type: application/json\r\n";
    served.ask("POST", &path, json, b"{}").is(415);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        served.ask(method, &path, "", b"").is(405);
    }
    assert!(everything(&press) == before, "something changed");
    served.end().succeeds();
}

/// A second digest, for those who want to keep one of two.
fn with_a_second_digest(press: &Press) {
    press.config(|settings| {
        let digests = settings["digest"].as_array_mut().unwrap();
        let mut second = digests[0].clone();
        let table = second.as_table_mut().unwrap();
        table.insert("name".to_owned(), "monthly".into());
        table.insert("title".to_owned(), "The Garden Table, monthly".into());
        table.insert("schedule".to_owned(), "0 7 1 * *".into());
        digests.push(second);
        let mail = settings["mail"].as_table_mut().unwrap();
        mail["list"].as_table_mut().unwrap().remove("id");
    });
}

#[test]
fn one_digest_of_two_can_be_left_and_the_last_one_is_the_list() {
    let mut press = Press::new();
    with_a_second_digest(&press);
    press.subscribers(2);
    press.run(&["run"]).succeeds();
    let served = Served::of(&press);
    let mails = mails(&press);
    let path = unsubscribe_path(&mails[0].1);
    assert!(
        served
            .get(&path)
            .text()
            .contains("value=\"digest\" checked")
    );
    served.one_click(&path).is(200);
    let shown = press
        .run(&["--format", "json", "subscribers", "show", &mails[0].0])
        .json();
    assert_eq!(shown["status"], "active");
    assert!(
        press
            .run(&["why", &mails[0].0])
            .stdout
            .contains("digests=monthly")
    );
    // The next weekly letter is not for this reader; the monthly one is.
    press.article(
        "food/new.md",
        "+++\ntitle = \"New\"\ndate = 2026-11-27T12:00:00Z\n+++\nText.\n",
    );
    press.at("2026-12-01T08:00:00+02:00");
    let issue = |digest: &str| {
        let before = press.files("outbox").len();
        press.run(&["send", digest]).succeeds();
        press.files("outbox").len() - before
    };
    assert_eq!((issue("weekly"), issue("monthly")), (1, 2));
    // Whoever leaves everything leaves everything.
    let other = unsubscribe_path(&mails[1].1);
    served.post(&other, "what=all").is(200);
    assert_eq!(status_of(&press, &mails[1].0), "unsubscribed");
    served.end().succeeds();
}

#[test]
fn who_wants_never_to_be_written_to_again_is_suppressed() {
    let press = sent(1);
    let served = Served::of(&press);
    let (address, mail) = &mails(&press)[0];
    served.post(&unsubscribe_path(mail), "what=never").is(200);
    assert!(press.ledger().is_suppressed(address));
    assert_eq!(status_of(&press, address), "unsubscribed");
    press.run(&["subscribers", "add", address]);
    assert_eq!(status_of(&press, address), "unsubscribed");
    served.end().succeeds();
}

#[test]
fn who_leaves_while_the_database_is_held_is_answered_and_gets_nothing_more() {
    let press = queued(24);
    let served = Served::of(&press);
    let mails = mails(&press);
    let import = rusqlite::Connection::open(press.database()).unwrap();
    import.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The first waits for a moment, those after it hardly at all.
    for (number, (_, mail)) in mails.iter().enumerate() {
        let since = Instant::now();
        served.one_click(&unsubscribe_path(mail)).is(200);
        let limit = Duration::from_secs(if number == 0 { 20 } else { 5 });
        assert!(since.elapsed() < limit, "{number}: {:?}", since.elapsed());
    }
    let noted = press.read("letterpress.db.leaving");
    assert_eq!(noted.lines().count(), mails.len(), "{noted}");
    served.get("/healthz").is(200);
    // Killed, and the machine with it: what was answered holds.
    served.kill();
    import.execute_batch("ROLLBACK").unwrap();
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().sums_hold().count("cancelled"), mails.len());
    assert_eq!(press.read("letterpress.db.leaving"), "");
}

#[test]
fn an_answer_that_was_given_holds_whenever_the_process_is_killed() {
    let press = queued(60);
    let mails = mails(&press);
    let mut left: Vec<&str> = Vec::new();
    let mut unclicked = mails.iter();
    for round in 0..3 {
        let served = Served::of(&press);
        let deadline = Instant::now() + Duration::from_millis(150 * (round + 1));
        let pid = i32::try_from(served.pid()).unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        for (address, mail) in unclicked.by_ref() {
            // Once it is dead nobody answers.
            let Ok(answer) = served.try_one_click(&unsubscribe_path(mail)) else {
                break;
            };
            answer.is(200);
            left.push(address);
        }
        killer.join().unwrap();
        served.kill();
    }
    assert!(!left.is_empty());
    for address in &left {
        assert_eq!(
            status_of(&press, address),
            "unsubscribed",
            "{address} was answered"
        );
    }
    press.run(&["run"]).succeeds();
    for address in left {
        assert_eq!(press.ledger().state_of(address), "cancelled");
    }
}

#[test]
fn a_token_is_never_said_and_the_answer_tells_nobody_where_it_came_from() {
    let press = sent(1);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    for answer in [
        served.get(&path),
        served.one_click(&path),
        served.post(&path, ""),
    ] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("script"), "{policy}");
        assert!(!answer.text().contains(path.rsplit('/').next().unwrap()));
    }
    let token = path.rsplit('/').next().unwrap().to_owned();
    let figures = served.get("/metrics").text();
    assert!(!figures.contains(&token) && !figures.contains(&reader_address(1)));
    let ended = served.end();
    ended
        .succeeds()
        .conceals(&token)
        .conceals(&reader_address(1));
}

#[test]
fn who_leaves_while_the_ledger_is_on_its_way_has_left_where_it_arrives() {
    let press = sent(2);
    let served = Served::of(&press);
    let mails = mails(&press);
    press.subscribers(12_000);
    let database = Arc::new(postgres::database());
    killed_on_the_way(&press, &database);
    let path = unsubscribe_path(&mails[0].1);
    served.one_click(&path).is(200);
    press.run(&["store", "move", &database.url()]).succeeds();
    let left = format!(
        "SELECT count(*) FROM subscribers WHERE status = 3 AND address = '{}'",
        mails[0].0
    );
    assert_eq!(database.value(&left), "1");
    // All of it is elsewhere: what this process answers is not kept any more.
    served.one_click(&unsubscribe_path(&mails[1].1)).is(503);
    drop(served);
    press.set("store.url", database.url());
    let served = Served::of(&press);
    served.one_click(&unsubscribe_path(&mails[1].1)).is(200);
    assert_eq!(database.value(&left.replace(&mails[0].0, &mails[1].0)), "1");
}
