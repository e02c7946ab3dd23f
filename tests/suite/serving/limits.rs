//! Those who send too much, too slowly or too often, and the end of the server.

use std::io::{BufReader, Read, Write};
use std::time::{Duration, Instant};

use super::client::{Served, answer, mails, unsubscribe_path};
use super::sent;
use crate::net::answers;

#[test]
fn what_is_too_large_is_refused_and_changes_nothing() {
    let press = sent(1);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    let large = format!("List-Unsubscribe=One-Click&x={}", "x".repeat(8192));
    served.post(&path, &large).is(413);
    // Without a length: in chunks that never end.
    let mut stream = served.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    for _ in 0..32 {
        // It may have hung up already.
        drop(stream.write_all(chunk.as_bytes()));
    }
    answer(&mut BufReader::new(stream), false).is(413);
    // A head larger than any browser's.
    let mut stream = served.connect();
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n",
        "x".repeat(64 * 1024)
    );
    drop(stream.write_all(head.as_bytes()));
    let mut said = Vec::new();
    drop(stream.read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431"),
        "{said}"
    );
    let shown = press.run(&["--format", "json", "subscribers", "list"]);
    assert!(shown.stdout.contains("active"), "{shown}");
    served.end().succeeds();
}

#[test]
fn who_sends_a_head_or_a_body_drop_by_drop_is_cut_off_and_holds_up_nobody() {
    let press = sent(1);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    let since = Instant::now();
    let slow: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = served.connect();
            let head = match number % 2 {
                0 => "GET / HTTP/1.1\r\nhost: x\r\nx-".to_owned(),
                _ => format!(
                    "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 26\r\n\
                     content-type: application/x-www-form-urlencoded\r\n\r\nList-"
                ),
            };
            stream.write_all(head.as_bytes()).unwrap();
            (number, stream)
        })
        .collect();
    // Others are served meanwhile.
    served.get("/").is(200);
    served.get("/healthz").is(200);
    assert!(
        since.elapsed() < Duration::from_secs(9),
        "others had to wait"
    );
    for (number, mut stream) in slow {
        let mut said = Vec::new();
        drop(stream.read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said);
        match number % 2 {
            0 => assert!(
                said.is_empty() || said.starts_with("HTTP/1.1 408"),
                "{said}"
            ),
            _ => assert!(said.starts_with("HTTP/1.1 408"), "{said}"),
        }
    }
    assert!(
        since.elapsed() < Duration::from_secs(40),
        "{:?}",
        since.elapsed()
    );
    assert!(
        press
            .run(&["subscribers", "list"])
            .stdout
            .contains("active")
    );
    served.end().succeeds();
}

#[test]
fn who_asks_too_often_has_to_wait_but_never_with_a_valid_token() {
    let press = sent(1);
    press.set("serve.trusted_proxies", vec!["127.0.0.1"]);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    let stream = served.connect();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut ask = |path: &str, from: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {from}\r\n\r\n");
        writer.write_all(head.as_bytes()).unwrap();
        answer(&mut reader, false).status
    };
    let often = (0..400).map(|_| ask("/unsubscribe/v1.a.b.c", "198.51.100.7"));
    assert!(often.filter(|status| *status == 429).count() > 20);
    assert_eq!(ask("/rss.xml", "198.51.100.7"), 429);
    // Its neighbours and the rest of the world are served, and its readers.
    assert_eq!(ask("/rss.xml", "203.0.113.9"), 200);
    assert_eq!(ask(&path, "198.51.100.7"), 200);
    // A network is a crowd, whoever in it asks.
    let crowd = (0..2000).map(|n| ask("/unsubscribe/x", &format!("192.0.2.{}", n % 250)));
    assert!(crowd.filter(|status| *status == 429).count() > 100);
    assert!(served.figure("letterpress_limits_total{limit=\"address\"}") > 20);
    assert!(served.figure("letterpress_limits_total{limit=\"network\"}") > 100);
    served.end().succeeds();
}

#[test]
fn a_proxy_that_is_not_listed_is_told_of_once_and_not_believed() {
    let press = sent(1);
    let served = Served::of(&press);
    // Figures are for those who are near, not for those behind a proxy.
    let behind = "x-forwarded-for: 127.0.0.1\r\n";
    served.ask("GET", "/metrics", behind, b"").is(404);
    for n in 0..400 {
        let from = format!("x-forwarded-for: 198.51.100.{}\r\n", n % 250);
        served.ask("GET", "/unsubscribe/x", &from, b"");
    }
    assert!(served.figure("letterpress_limits_total{limit=\"address\"}") > 20);
    let ended = served.end();
    ended
        .succeeds()
        .says("`serve.trusted_proxies` does not name");
    assert_eq!(
        ended.stderr.matches("trusted_proxies").count(),
        1,
        "{ended}"
    );
}

#[test]
fn a_signal_lets_what_is_under_way_be_answered_and_takes_nothing_new() {
    let press = sent(1);
    let served = Served::of(&press);
    let path = unsubscribe_path(&mails(&press)[0].1);
    let port = served.port();
    let holder = rusqlite::Connection::open(press.database()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = served.connect();
    let body = "List-Unsubscribe=One-Click";
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    waiting.write_all(request.as_bytes()).unwrap();
    let waited = std::thread::spawn(move || answer(&mut BufReader::new(waiting), false));
    std::thread::sleep(Duration::from_millis(500));
    let ended = served.end();
    ended.succeeds();
    waited.join().unwrap().is(200);
    assert!(!answers(port));
    holder.execute_batch("ROLLBACK").unwrap();
    press.run(&["run"]).succeeds();
    assert!(
        press
            .run(&["subscribers", "list"])
            .stdout
            .contains("unsubscribed")
    );
}
