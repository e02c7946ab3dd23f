//! Single mails: what readers are answered with, sent by `serve` and by `run`.

use std::time::Duration;

use rusqlite::Connection;

use super::client::{PATIENCE, Served};
use super::{joining, posted};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::mailbox::Mail;
use crate::net::holds_within;
use crate::press::{Press, reader_address};
use crate::receipt::Fate;
use crate::sink::SmtpSink;

/// What the sink has for an address, in the order in which it came.
fn mails_for(sink: &SmtpSink, address: &str) -> Vec<Mail> {
    let stored = sink.messages().into_iter();
    stored
        .filter(|message| message.recipients == [address])
        .map(|message| Mail::parse(&message.data))
        .collect()
}

/// The path of the link below this folder in a mail.
#[track_caller]
fn link(mail: &Mail, folder: &str) -> String {
    let text = mail.text.as_deref().unwrap();
    let base = format!("https://letters.example.org/{folder}/");
    let token = text.split(&base).nth(1).unwrap_or_else(|| panic!("{text}"));
    let token = token.split_whitespace().next().unwrap();
    format!("/{folder}/{token}")
}

fn everybody_is_answered(press: &Press) {
    for key in ["welcome", "goodbye", "latest_issue"] {
        press.set(&format!("mail.{key}"), true);
    }
}

#[test]
fn a_reader_who_joins_is_asked_welcomed_given_the_newest_issue_and_bidden_farewell() {
    let sink = SmtpSink::start(&[]);
    let press = Press::new();
    press.subscribers(2).relay(&sink.url()).signed();
    everybody_is_answered(&press);
    press.run(&["run"]).succeeds();
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let form = format!("email=anna%40example.org&name=EVIL%20NAME&form={stamp}");
    served.post("/subscribe", &form).is(200);
    posted(&press, 1);
    let asked = mails_for(&sink, "anna@example.org");
    let [confirm] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    let raw = String::from_utf8_lossy(&confirm.raw);
    assert!(
        !raw.contains("EVIL"),
        "what a stranger typed is in it: {raw}"
    );
    assert_eq!(confirm.all("DKIM-Signature").len(), 2);
    // One link to say yes by, one never to be written to again.
    let never = link(confirm, "unsubscribe");
    served.get(&never).is(200);
    served.post(&link(confirm, "confirm"), "yes=1").is(200);
    posted(&press, 3);
    let got = mails_for(&sink, "anna@example.org");
    let [_, welcome, latest] = got.as_slice() else {
        panic!("{got:?}")
    };
    assert!(welcome.header("To").unwrap().contains("EVIL NAME"));
    let first = mails_for(&sink, &reader_address(1)).remove(0);
    assert_eq!(latest.subject, first.subject);
    assert_eq!(
        latest.text.as_deref().unwrap().lines().next(),
        first.text.as_deref().unwrap().lines().next()
    );
    assert_ne!(latest.message_id, first.message_id);
    // The next run has nothing for anybody.
    press.run(&["run"]).succeeds().is_silent();
    served.one_click(&link(latest, "unsubscribe")).is(200);
    posted(&press, 4);
    assert_eq!(mails_for(&sink, "anna@example.org").len(), 4);
    let why = press.run(&["why", "anna@example.org"]);
    why.succeeds()
        .prints("confirm.weekly/1: sent")
        .prints("latest.weekly/1: sent");
    let issues = press.run(&["issues", "list"]);
    assert!(!issues.stdout.contains("confirm"), "{issues}");
    press.ledger().sums_hold();
    press.run(&["store", "verify"]).succeeds();
    served.end().succeeds();
}

#[test]
fn what_is_sent_shows_the_copy_of_the_logo_and_readers_can_fetch_it() {
    let sink = SmtpSink::start(&[]);
    let press = Press::new();
    press.relay(&sink.url());
    press.picture("logo.png", 600, 600);
    press.set("publication.logo", "content/logo.png");
    press.run(&["run"]).succeeds();
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let form = format!("email=anna%40example.org&form={stamp}");
    served.post("/subscribe", &form).is(200);
    posted(&press, 1);
    let [asked] = &mails_for(&sink, "anna@example.org")[..] else {
        panic!("one confirmation");
    };
    let html = asked.html.as_deref().unwrap();
    let copy = html
        .split("src=\"https://garden.example.org")
        .nth(1)
        .unwrap();
    let copy = copy.split('"').next().unwrap();
    assert!(copy.starts_with("/mail/"), "{copy}");
    served.get(copy).is(200);
    served.end().succeeds();
}

#[test]
fn killed_after_the_dot_a_confirmation_is_in_doubt_and_not_sent_twice() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.relay(&sink.url());
    sink.hold_dots();
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    served
        .post(
            "/subscribe",
            &format!("email=anna%40example.org&form={stamp}"),
        )
        .is(200);
    sink.wait_for_held(1);
    assert_eq!(served.kill().killed_by(), Some(9));
    sink.release();
    assert_eq!(sink.count(Fate::Accepted), 1);
    // Whoever is next finds it.
    let run = press.run(&["run"]);
    run.exits(3).says("1 delivery uncertain");
    let list = press.run(&["--format", "json", "uncertain", "list"]);
    assert!(list.stdout.contains("confirm.weekly/1"), "{list}");
    let served = Served::of(&press);
    std::thread::sleep(Duration::from_secs(4));
    served.end().succeeds();
    assert_eq!(sink.count(Fate::Accepted), 1, "it was sent again");
    press
        .run(&["uncertain", "resend", "anna@example.org"])
        .succeeds();
    press.run(&["run"]).succeeds();
    assert_eq!(sink.count(Fate::Accepted), 2);
    press.ledger().sums_hold();
}

#[test]
fn one_answer_that_does_not_come_keeps_no_confirmation_back() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.relay(&sink.url()).set("mail.connections", 4_i64);
    press.subscribers(20);
    press.subscribe(["hold.nomsa@example.org"]);
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, 21);
    sink.wait_for_held(1);
    let form = format!("email=anna%40example.org&form={stamp}");
    served.post("/subscribe", &form).is(200);
    sink.wait_for(Fate::Accepted, 22);
    sink.release();
    run.wait().succeeds();
    served.end().succeeds();
    press.ledger().sums_hold();
}

#[test]
fn whoever_never_wants_mail_again_is_not_even_asked_once_more() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let form = format!("email=anna%40example.org&form={stamp}");
    served.post("/subscribe", &form).is(200);
    posted(&press, 1);
    let files = press.files("outbox");
    let mail = Mail::parse(&press.read_bytes(&files[0]));
    served
        .post(&link(&mail, "unsubscribe"), "what=never")
        .is(200);
    let ledger = Connection::open(press.database()).unwrap();
    let asked_long_ago = "UPDATE askings SET last_at = 0";
    ledger.execute(asked_long_ago, []).unwrap();
    served.post("/subscribe", &form).is(200);
    std::thread::sleep(Duration::from_secs(4));
    served.end().succeeds();
    let mut after = press.files("outbox");
    after.retain(|name| name.contains("confirm"));
    assert_eq!(after.len(), 1, "{after:?}");
    let show = press.run(&["subscribers", "show", "anna@example.org"]);
    show.succeeds().prints("suppressed");
}

#[test]
fn a_run_sends_what_waits_before_its_issue_and_without_serve() {
    let press = Press::new();
    press.subscribers(3);
    everybody_is_answered(&press);
    press.run(&["subscribers", "list"]).succeeds();
    let ledger = Connection::open(press.database()).unwrap();
    // As if `serve` had died right after it had answered.
    ledger
        .execute_batch(
            "INSERT INTO answers (subscriber_id, kind, digest, wanted_at)
             SELECT id, 'welcome', 'weekly', unixepoch('2026-11-27 05:00') FROM subscribers
              WHERE id < 3;
             INSERT INTO answers (subscriber_id, kind, digest, wanted_at)
             SELECT id, 'latest', 'weekly', unixepoch('2026-11-27 05:00') FROM subscribers
              WHERE id < 3;
             INSERT INTO answers (subscriber_id, kind, digest, wanted_at)
             SELECT id, 'welcome', 'weekly', unixepoch('2026-11-20 05:00') FROM subscribers
              WHERE id = 3;",
        )
        .unwrap();
    press.run(&["run"]).succeeds();
    let files = press.files("outbox");
    let of = |what: &str| files.iter().filter(|name| name.contains(what)).count();
    // Who gets the issue itself does not get it as the latest one, and nobody
    // an answer to what was done a week ago.
    assert_eq!(
        (of("welcome"), of("latest"), files.len()),
        (2, 0, 5),
        "{files:?}"
    );
    press.ledger().sums_hold();
}

#[test]
fn who_asks_while_a_long_issue_goes_out_does_not_wait_for_its_end() {
    let sink = ChaosSink::start(Behaviour::default());
    let late = Answer::Late(Duration::from_millis(150));
    sink.rule(Phase::Dot, Rule::always(late));
    let press = Press::new();
    press.subscribers(150).relay(&sink.url());
    press.set("mail.connections", 1);
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let run = press.spawn(&["run"]);
    sink.wait_for(Fate::Accepted, 5);
    let form = format!("email=anna%40example.org&form={stamp}");
    served.post("/subscribe", &form).is(200);
    run.wait().succeeds();
    let order = sink.receipts();
    let place = order
        .iter()
        .position(|one| one.recipient == "anna@example.org");
    let place = place.expect("nobody asked Anna");
    assert!(place < 100, "{place} of {} were before her", order.len());
    assert_eq!(order.len(), 151);
    served.end().succeeds();
    press.ledger().sums_hold();
}

#[test]
fn a_relay_that_dies_and_returns_while_single_mails_leave_gets_each_of_them_once() {
    let mut sink = SmtpSink::start(&[]);
    let press = Press::new();
    press.subscribers(1).relay(&sink.url());
    press.set("mail.relay_patience", "1s");
    press.run(&["run"]).succeeds();
    let served = Served::of(&press);
    let stamp = joining::ripe(&served);
    let ask = |address: &str| {
        let form = format!("email={address}&form={stamp}");
        served.post("/subscribe", &form.replace('@', "%40")).is(200);
    };
    ask("anna@example.org");
    posted(&press, 1);
    sink.kill();
    for address in ["ben@example.org", "carla@example.net"] {
        ask(address);
    }
    // It was tried meanwhile, and is told of, not given up.
    let away = || !press.run(&["--format", "json", "status"]).json()["relays"][0]["away"].is_null();
    assert!(holds_within(PATIENCE, away), "{}", press.run(&["status"]));
    served.get("/healthz").is(200);
    sink.restart(None);
    posted(&press, 3);
    for address in ["anna@example.org", "ben@example.org", "carla@example.net"] {
        assert_eq!(mails_for(&sink, address).len(), 1, "{address}");
    }
    served.end().succeeds();
    press.ledger().sums_hold();
    // What `serve` posted are no runs that an editor asks about.
    let status = press.run(&["--format", "json", "status"]).json();
    assert_eq!(status["last_run"]["number"], 1, "{status}");
}
