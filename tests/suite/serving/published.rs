//! What was published, as feed readers and browsers fetch it.

use std::os::unix::fs::symlink;

use super::{Served, sent};
use crate::press::Press;

fn published() -> Press {
    let press = sent(1);
    press.set("content.compress", vec!["gz", "br", "zst"]);
    press.run(&["build"]).succeeds();
    press
}

#[test]
fn feeds_and_pages_have_the_media_types_that_readers_look_for() {
    let press = published();
    let served = Served::of(&press);
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/rss.xml", "application/rss+xml; charset=utf-8"),
        (
            "/sections/food/atom.xml",
            "application/atom+xml; charset=utf-8",
        ),
        ("/feed.json", "application/feed+json; charset=utf-8"),
        ("/feeds.opml", "text/x-opml; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/food/apricots/", "text/html; charset=utf-8"),
        ("/letters/weekly/1/", "text/html; charset=utf-8"),
    ] {
        let answer = served.get(path);
        assert_eq!(
            answer.is(200).header("content-type"),
            Some(media_type),
            "{path}"
        );
        let file = match path.ends_with('/') {
            true => format!("public{path}index.html"),
            false => format!("public{path}"),
        };
        assert_eq!(answer.body, press.read_bytes(&file), "{path}");
        let head = served.ask("HEAD", path, "", b"");
        assert_eq!(head.status, 200);
        assert_eq!(head.headers, answer.headers, "{path}");
    }
    let moved = served.get("/food/apricots");
    assert_eq!(moved.is(301).header("location"), Some("/food/apricots/"));
    let lost = served.get("/nowhere/");
    assert_eq!(lost.is(404).body, press.read_bytes("public/404.html"));
    served.end().succeeds();
}

#[test]
fn what_a_reader_has_is_not_sent_again_until_it_changes() {
    let press = published();
    let served = Served::of(&press);
    let first = served.get("/rss.xml");
    let tag = first.header("etag").unwrap().to_owned();
    let since = first.header("last-modified").unwrap().to_owned();
    let known = |head: &str| served.ask("GET", "/rss.xml", head, b"");
    let again = known(&format!("if-none-match: {tag}\r\n"));
    assert_eq!(again.is(304).header("etag"), Some(tag.as_str()));
    assert!(again.body.is_empty());
    known(&format!("if-modified-since: {since}\r\n")).is(304);
    known("if-none-match: \"other\"\r\n").is(200);
    // A build that alters nothing touches nothing.
    press.run(&["build"]).succeeds();
    known(&format!("if-none-match: {tag}\r\n")).is(304);
    press.article(
        "food/plums.md",
        "+++\ntitle = \"Plums\"\ndate = 2026-11-27\n+++\nText.\n",
    );
    press.run(&["build"]).succeeds();
    let changed = known(&format!("if-none-match: {tag}\r\n"));
    assert!(changed.is(200).text().contains("Plums"));
    served.end().succeeds();
}

#[test]
fn the_compressed_copy_that_the_reader_likes_best_is_sent() {
    let press = published();
    let served = Served::of(&press);
    let plain = served.get("/rss.xml");
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    for (accepted, coding, end) in [
        ("gzip, deflate, br, zstd", Some("br"), ".br"),
        ("gzip, zstd", Some("zstd"), ".zst"),
        ("gzip", Some("gzip"), ".gz"),
        ("identity", None, ""),
        ("br;q=0, gzip;q=0.1", Some("gzip"), ".gz"),
    ] {
        let head = format!("accept-encoding: {accepted}\r\n");
        let answer = served.ask("GET", "/rss.xml", &head, b"");
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(answer.header("content-type"), plain.header("content-type"));
        assert_eq!(
            answer.body,
            press.read_bytes(&format!("public/rss.xml{end}"))
        );
        let is_plain = answer.header("etag") == plain.header("etag");
        assert_eq!(is_plain, coding.is_none(), "each form has a tag of its own");
    }
    served.end().succeeds();
}

#[test]
fn a_player_gets_the_part_that_it_asks_for() {
    let press = published();
    let sound: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    press.write_bytes("public/talk.mp3", &sound);
    let served = Served::of(&press);
    let whole = served.get("/talk.mp3");
    assert_eq!(whole.is(200).body, sound);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let part = served.ask("GET", "/talk.mp3", "range: bytes=100000-100099\r\n", b"");
    assert_eq!(part.is(206).body, sound[100_000..100_100]);
    assert_eq!(
        part.header("content-range"),
        Some("bytes 100000-100099/200000")
    );
    let end = served.ask("GET", "/talk.mp3", "range: bytes=-5\r\n", b"");
    assert_eq!(end.is(206).body, sound[199_995..]);
    served
        .ask("GET", "/talk.mp3", "range: bytes=200000-\r\n", b"")
        .is(416);
    served.end().succeeds();
}

#[test]
fn nothing_beside_the_folder_nothing_hidden_and_nothing_linked_is_shown() {
    let press = published();
    press.write("public/.env", "secret");
    press.write("public/.git/config", "secret");
    press.write("secret.txt", "secret");
    symlink(press.path("secret.txt"), press.path("public/link.txt")).unwrap();
    symlink(press.dir(), press.path("public/all")).unwrap();
    let served = Served::of(&press);
    for path in [
        "/../letterpress.toml",
        "/%2e%2e/letterpress.toml",
        "/..%2fletterpress.toml",
        "/food/../../letterpress.db",
        "/food/%2e%2e%2f%2e%2e%2fletterpress.db",
        "//etc/passwd",
        "/%5c..%5cletterpress.toml",
        "/.env",
        "/.git/config",
        "/%2egit/config",
        "/link.txt",
        "/all/letterpress.toml",
        "/all/letterpress.db",
        "/rss.xml/",
        "/rss.xml/x",
        "/food/apricots/index.html/..",
        "/a%00b",
        "/%ff%fe",
    ] {
        let answer = served.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains("secret") && !answer.text().contains("[mail]"));
    }
    served.ask("POST", "/rss.xml", "", b"x").is(405);
    served.end().succeeds();
}
