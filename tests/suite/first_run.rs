//! What a newcomer sees: the sample publication, the first command of the
//! README, and the same command again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::SystemTime;

use crate::mailbox::Mail;
use crate::press::Press;

/// The readers of the sample whose status is active.
const ACTIVE: [&str; 10] = [
    "lerato.khoza@example.org",
    "zoe.brandt@example.com",
    "siobhan.oneill@example.net",
    "pieter.dutoit@example.org",
    "layla.haddad@example.com",
    "francois.lefevre@example.net",
    "readers@example.org",
    "nomusa.d'almeida@example.com",
    "ayse.yilmaz@example.net",
    "kgosi+magazine@example.org",
];

/// Every file of a folder with its bytes and the time it was last written.
fn snapshot(press: &Press, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    press
        .files(folder)
        .into_iter()
        .map(|file| {
            let written = fs::metadata(press.path(&file)).unwrap().modified().unwrap();
            let bytes = press.read_bytes(&file);
            (file, (bytes, written))
        })
        .collect()
}

fn messages(press: &Press) -> Vec<Mail> {
    let files = press.files("outbox");
    assert!(files.iter().all(|file| file.ends_with(".eml")), "{files:?}");
    files
        .iter()
        .map(|file| Mail::parse(&press.read_bytes(file)))
        .collect()
}

/// The one address in a header's angle brackets, or the whole value.
fn address(header: &str) -> &str {
    let bare = header.rsplit('<').next().unwrap_or(header);
    bare.trim_end_matches('>')
}

/// The https link of List-Unsubscribe.
fn link(mail: &Mail) -> String {
    let value = mail.header("List-Unsubscribe").unwrap();
    let links: Vec<&str> = value
        .split(',')
        .map(|one| one.trim().trim_matches(['<', '>']))
        .collect();
    let [page, mailto] = links.as_slice() else {
        panic!("List-Unsubscribe must hold a page and a mailto: {value}");
    };
    assert!(page.starts_with("https://letters.example.org/"), "{value}");
    assert!(
        mailto.starts_with("mailto:letters@magazine.example.org?"),
        "{value}"
    );
    (*page).to_owned()
}

#[test]
fn the_sample_ends_with_feeds_and_one_message_for_every_active_reader() {
    let press = Press::sample();
    // The arguments are those of the README; without a terminal and without
    // news for a person, cron gets no mail.
    press.run(&["run"]).succeeds().is_silent();

    for feed in ["rss.xml", "atom.xml", "feed.json"] {
        assert!(press.path("public").join(feed).is_file(), "{feed}");
        let section = format!("public/sections/beauty/{feed}");
        assert!(press.path(&section).is_file(), "{section}");
    }
    let mail = messages(&press);
    let readers: BTreeSet<&str> = mail
        .iter()
        .map(|one| address(one.header("To").unwrap()))
        .collect();
    assert_eq!(readers, ACTIVE.into());
    assert_eq!(mail.len(), ACTIVE.len(), "one message each");
    press.ledger().sums_hold();
    assert_eq!(press.ledger().count("sent"), 10);
}

#[test]
fn every_sample_message_is_complete_and_about_its_reader_only() {
    let press = Press::sample();
    press.run(&["run"]).succeeds();
    let mail = messages(&press);

    let mut seen = BTreeSet::new();
    for one in &mail {
        let reader = address(one.header("To").unwrap());
        assert!(seen.insert(one.message_id.clone()), "Message-ID repeated");
        assert!(seen.insert(link(one)), "unsubscribe link repeated");
        headers_are_complete(one);
        body_is_well_formed(one);
        let (text, html) = (one.text.as_ref().unwrap(), one.html.as_ref().unwrap());
        assert!(
            text.contains(&link(one)) && html.contains(&link(one)),
            "{reader}: both parts carry the reader's own unsubscribe link"
        );
        let whole = [&*String::from_utf8_lossy(&one.raw), text, html].concat();
        for other in ACTIVE.iter().filter(|other| **other != reader) {
            assert!(!whole.contains(other), "{reader} can read {other}");
        }
    }
}

#[track_caller]
fn headers_are_complete(mail: &Mail) {
    let header = |name: &str| {
        let value = mail.header(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", mail.header_names()))
    };
    assert!(
        mail.subject.starts_with("Exosomes decoded"),
        "{}",
        mail.subject
    );
    assert!(mail.subject.ends_with(" more"), "{}", mail.subject);
    assert_eq!(
        header("From"),
        "Stoep & Spekboom <letters@magazine.example.org>"
    );
    assert_eq!(header("Date"), "Fri, 27 Nov 2026 08:00:00 +0200");
    assert_eq!(header("MIME-Version"), "1.0");
    assert!(header("Message-ID").ends_with("@magazine.example.org>"));
    assert!(header("List-Id").ends_with("<weekly.magazine.example.org>"));
    assert_eq!(
        header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    assert_eq!(header("List-Archive"), "<https://magazine.example.org/>");
    assert_eq!(header("Precedence"), "bulk");
    header("Auto-Submitted");
    header("Feedback-ID");
}

#[track_caller]
fn body_is_well_formed(mail: &Mail) {
    assert_eq!(
        mail.media_types,
        ["multipart/alternative", "text/plain", "text/html"]
    );
    let raw = String::from_utf8(mail.raw.clone()).unwrap();
    assert!(raw.ends_with("\r\n"));
    for line in raw.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(!line.contains(['\r', '\n']), "bare line end: {line:?}");
        // Two headers hold one unbreakable link each; RFC 5322 allows 998.
        let limit = if line.contains("unsubscribe") {
            998
        } else {
            78
        };
        assert!(line.len() <= limit, "{} bytes: {line:?}", line.len());
    }
    let html = mail.html.as_ref().unwrap();
    assert!(html.contains("<html lang=\"en-ZA\""), "{html:.300}");
    assert!(html.contains("https://magazine.example.org/beauty/exosomes-decoded/"));
}

#[test]
fn a_second_run_changes_and_sends_nothing_and_says_so_when_asked() {
    let press = Press::sample();
    press.run(&["run"]).succeeds();
    let (public, outbox) = (snapshot(&press, "public"), snapshot(&press, "outbox"));

    press.run(&["run"]).succeeds().is_silent();
    let told = press.run(&["-v", "run"]);
    told.succeeds();
    assert_eq!(told.stdout, "");
    assert_eq!(
        told.stderr,
        "nothing to do; weekly is next due 2026-12-04T07:00\n"
    );
    assert!(public == snapshot(&press, "public"), "public/ changed");
    assert!(outbox == snapshot(&press, "outbox"), "outbox/ changed");
    assert_eq!(press.ledger().issues(), 1);
}

#[test]
fn the_first_run_of_the_sample_tells_what_it_did_when_asked() {
    let press = Press::sample();
    let told = press.run(&["-v", "run"]);
    told.succeeds()
        .says("issue weekly/1: ")
        .says("with 12 articles, for 10 of 12 on the list; 1 pending; 1 unsubscribed")
        .says("10 sent");
}
