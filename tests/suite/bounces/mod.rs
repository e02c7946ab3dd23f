//! What comes back: reports of mail servers and of readers, and readers who
//! leave by mail. Whoever bounced ends in the right status with the reason kept,
//! and nobody is suppressed by what anybody can write.

mod corpus;
mod forged;
mod imap;
mod leaving;
mod mailboxes;
mod postfix;
mod stops;

use std::path::PathBuf;

use serde_json::Value;

use crate::ledger::Ledger;
use crate::press::{Press, reader_address};
use crate::process::Finished;

/// A press that has sent its first issue to `readers` people into a folder, and
/// has a Maildir for what comes back.
fn sent_to(readers: usize) -> Press {
    let press = Press::new();
    press.subscribers(readers).set("content.pages", false);
    press.set("bounces.source", "maildir:bounces");
    for folder in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(press.path("bounces").join(folder)).unwrap();
    }
    press.run(&["run"]).succeeds();
    assert_eq!(press.ledger().count("sent"), readers);
    press
}

/// Puts a mail into the Maildir.
fn put(press: &Press, name: &str, mail: &str) -> PathBuf {
    let path = format!("bounces/new/{name}");
    press.write(&path, mail);
    press.path(&path)
}

/// The envelope sender of a reader's message of the newest issue.
fn sender_of(ledger: &Ledger, address: &str) -> String {
    let row = ledger.row_of(address);
    let local = ledger.signer().bounce_local(row.delivery_id);
    format!("{local}@bounces.example.org")
}

/// A sample with what it says of us filled in for a reader.
fn filled(ledger: &Ledger, sample: &str, address: &str) -> String {
    let sender = sender_of(ledger, address);
    let (local, _) = sender.split_once('@').unwrap();
    sample
        .replace("@SENDER_LOCAL@", local)
        .replace("@SENDER@", &sender)
        .replace("@READER@", address)
        .replace("@MESSAGE_ID@", &ledger.row_of(address).message_id)
}

/// Reads the mailbox and hands back its summary.
#[track_caller]
fn read(press: &Press) -> Value {
    let run = press.run(&["--format", "json", "bounces", "read"]);
    run.succeeds();
    run.json()
}

#[track_caller]
fn why(press: &Press, address: &str) -> Value {
    let run = press.run(&["--format", "json", "why", address]);
    run.succeeds();
    run.json()
}

/// The kinds of report about a reader's newest delivery.
#[track_caller]
fn kinds(press: &Press, address: &str) -> Vec<String> {
    let told = why(press, address);
    let reports = told["deliveries"][0]["reports"].as_array().unwrap();
    let kind = |report: &Value| report["kind"].as_str().unwrap().to_owned();
    reports.iter().map(kind).collect()
}

#[track_caller]
fn status(press: &Press, address: &str) -> String {
    why(press, address)["status"].as_str().unwrap().to_owned()
}

/// A report in the form of RFC 3464 that was sent to `to`.
fn report(to: &str, action: &str, code: &str, recipient: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: <{to}>\nSubject: Undelivered\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; \
         boundary=b\n\n--b\nContent-Type: text/plain\n\nIt came back.\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n\
         Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {code}\n\
         Diagnostic-Code: smtp; 550 {code} <{recipient}> said so\n\n--b--\n"
    )
}

/// A report in the form of RFC 5965 that was sent to `to`.
fn complaint(to: &str) -> String {
    format!(
        "From: feedback@arf.example.net\nTo: <{to}>\nSubject: Complaint\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nUnwanted.\n\
         --b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\
         User-Agent: Loop/1.0\nVersion: 1\n\n--b--\n"
    )
}

/// Runs `bounces read -` on one mail, as a mail server does.
fn piped(press: &Press, mail: &str) -> Finished {
    press.run_with(&["bounces", "read", "-"], mail.as_bytes())
}
