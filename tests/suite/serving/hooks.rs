//! What providers post about mail that came back. What Amazon signs only Amazon
//! can make: the tests of the library do it with a key of their own.

use super::client::Served;
use super::{everything, sent};
use crate::press::reader_address;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:bounces";

/// A bounce of a reader's message as SNS would post it, signed by nobody.
fn posted(sender: &str, certificate: &str) -> String {
    let bounce = serde_json::json!({
        "notificationType": "Bounce",
        "bounce": {"bouncedRecipients": [{"action": "failed", "status": "5.1.1"}]},
        "mail": {"source": sender},
    });
    serde_json::json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": bounce.to_string(),
        "Timestamp": "2026-11-27T06:00:07.000Z",
        "SignatureVersion": "2",
        "Signature": "AAAA",
        "SigningCertURL": certificate,
    })
    .to_string()
}

#[test]
fn only_what_amazon_signed_is_taken_and_nothing_else_is_answered() {
    let press = sent(2);
    let ledger = press.ledger();
    let row = ledger.row_of(&reader_address(1));
    let sender = format!(
        "{}@bounces.example.org",
        ledger.signer().bounce_local(row.delivery_id)
    );
    let before = everything(&press);
    let json = "content-type: text/plain; charset=UTF-8\r\n";

    let closed = Served::of(&press);
    closed.ask("POST", "/hooks/ses", json, b"{}").is(404);
    closed.end().succeeds();

    press.set("bounces.ses_topic", TOPIC);
    let served = Served::of(&press);
    for certificate in [
        "https://example.net/SimpleNotificationService-0a1b.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "http://127.0.0.1:1/SimpleNotificationService-0a1b.pem",
        "file:///etc/ssl/certs/ca-certificates.crt",
        "",
    ] {
        let body = posted(&sender, certificate);
        served
            .ask("POST", "/hooks/ses", json, body.as_bytes())
            .is(403);
        let other = body.replace(":bounces\"", ":others\"");
        served
            .ask("POST", "/hooks/ses", json, other.as_bytes())
            .is(403);
    }
    let old =
        posted(&sender, "").replace("\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\"");
    for body in ["", "{}", "not JSON", old.as_str(), old.as_str()] {
        served
            .ask("POST", "/hooks/ses", json, body.as_bytes())
            .is(403);
    }
    served
        .ask("POST", "/hooks/ses", json, &vec![b'{'; 300_000])
        .is(413);
    served.get("/hooks/ses").is(405);
    served.get("/hooks/other").is(404);
    assert_eq!(everything(&press), before);
    let ended = served.end();
    ended
        .succeeds()
        .says("set `SignatureVersion` of the topic to 2");
    assert_eq!(
        ended.stderr.matches("SignatureVersion").count(),
        1,
        "{ended}"
    );
    assert_eq!(press.ledger().reports(), 0);

    press.set("bounces.ses_topic", "bounces");
    press
        .run(&["check"])
        .exits(78)
        .says("bounces.ses_topic is `bounces`");
}
