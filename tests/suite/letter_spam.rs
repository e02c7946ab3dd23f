//! What SpamAssassin, without the network, thinks of every kind of message.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::press::Press;

/// The most points a message may have (`docs/proof.md`).
const MOST: f64 = 0.5;

/// The score of a message and the rules that it is made of.
fn score(message: &[u8]) -> (f64, String) {
    let mut child = Command::new("spamassassin")
        .args(["--local", "--test-mode"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("SpamAssassin is installed: tests/run does that");
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let details = report.split_once("Content analysis details:").unwrap().1;
    let points = details
        .split(['(', ' '])
        .find(|word| !word.trim().is_empty());
    (points.unwrap().parse().unwrap(), details.to_owned())
}

#[test]
fn no_kind_of_message_looks_like_spam() {
    // The date counts: letters of the past and of the future are suspicious.
    let mut press = Press::sample();
    press.real_clock();
    for kind in ["digest", "letter", "announcement"] {
        let arguments = ["render", "weekly", "--kind", kind, "--out", kind];
        press.run(&arguments).succeeds();
        let (points, details) = score(&press.read_bytes(&format!("{kind}/issue.eml")));
        assert!(points <= MOST, "{kind}: {details}");
    }
    for kind in ["confirm", "welcome", "goodbye"] {
        press
            .run(&["render", "--kind", kind, "--out", kind])
            .succeeds();
        let (points, details) = score(&press.read_bytes(&format!("{kind}/{kind}.eml")));
        assert!(points <= MOST, "{kind}: {details}");
    }
}

#[test]
fn spam_is_recognised_as_such() {
    // The test string of SpamAssassin's own documentation, which every
    // installation must catch (GTUBE).
    let gtube = concat!(
        "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD",
        "-ANTI-UBE-TEST-EMAIL*C.34X"
    );
    let message = format!("From: a@example.org\r\nSubject: x\r\n\r\n{gtube}\r\n");
    assert!(score(message.as_bytes()).0 > 100.0);
}
