//! What Postmark tells by webhook: bounces, complaints, and readers who left
//! there. Like any report it counts only with a token of ours, which Postmark
//! hands back from a header of the message (`X-PM-Metadata-…`); the address that
//! it names proves nothing.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    delivery_status,
    fields::Fields,
    mail::{Content, Nothing},
    whose::{self, Whose},
};
use crate::{
    domain::{
        report::{EnhancedCode, Finding, ReportKind},
        text::{cut, one_line},
    },
    links::Signer,
};

/// The key of our token among the metadata of a message.
pub const TOKEN: &str = "letterpress";
/// As long as the ledger keeps a relay's reply.
const LONGEST_REASON: usize = 512;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    record_type: String,
    /// Of a bounce: one of Postmark's names for what happened.
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(default)]
    description: Option<String>,
    /// Of a bounce: the words of the server.
    #[serde(default)]
    details: Option<String>,
    /// Of a change: whether there is no more mail, for which reason and by whom.
    #[serde(default)]
    suppress_sending: bool,
    #[serde(default)]
    suppression_reason: Option<String>,
    #[serde(default)]
    origin: Option<String>,
    /// What the headers of the message gave along.
    #[serde(default)]
    metadata: Option<HashMap<String, Value>>,
}

/// Reads an event.
///
/// # Errors
/// When it is none, says nothing of a reader's mail, or has no token.
pub(super) fn read(json: &[u8], signer: &Signer) -> Result<Content, Nothing> {
    let event: Event = serde_json::from_slice(json).map_err(|_| Nothing::NoReport)?;
    let finding = match event.record_type.as_str() {
        "Bounce" => Some(bounce(&event).ok_or(Nothing::NoFinding)?),
        "SpamComplaint" => Some(complaint(&event)),
        "SubscriptionChange" => change(&event)?,
        _ => return Err(Nothing::NoFinding),
    };
    let Whose::Delivery(delivery) = whose(&event, signer)? else {
        return Err(Nothing::NotOurs);
    };
    Ok(match finding {
        Some(finding) => Content::Report {
            whose: Whose::Delivery(delivery),
            finding,
        },
        None => Content::LeftAtRelay { delivery },
    })
}

/// Postmark keeps keys as they were written, in whichever case.
fn whose(event: &Event, signer: &Signer) -> Result<Whose, Nothing> {
    let metadata = event.metadata.iter().flatten();
    let tokens: Vec<String> = metadata
        .filter(|(key, _)| key.eq_ignore_ascii_case(TOKEN))
        .filter_map(|(_, value)| value.as_str().map(str::to_owned))
        .collect();
    let none = Fields::named(std::iter::empty());
    Ok(whose::find(&none, &tokens, None, signer)?)
}

/// The server's own code outweighs Postmark's name for it.
fn bounce(event: &Event) -> Option<Finding> {
    let said = event.details.as_deref().map(one_line).unwrap_or_default();
    let weighed = delivery_status::weigh("failed", None, Some(&said));
    if let Some(found) = weighed.filter(|found| found.code.is_some()) {
        return Some(match event.kind.as_str() {
            "Transient" => Finding {
                kind: ReportKind::Delayed,
                ..found
            },
            _ => found,
        });
    }
    let kind = match event.kind.as_str() {
        "HardBounce" | "BadEmailAddress" => ReportKind::HardBounce,
        "SoftBounce" | "DnsError" | "Unknown" | "Undeliverable" => ReportKind::SoftBounce,
        "Transient" => ReportKind::Delayed,
        "Blocked" | "SpamNotification" | "DMARCPolicy" | "VirusNotification" => ReportKind::Blocked,
        "SpamComplaint" => ReportKind::Complaint,
        // Answers of people and machines, and what concerns no reader.
        _ => return None,
    };
    Some(found(kind, None, event, &said))
}

fn complaint(event: &Event) -> Finding {
    let said = event.details.as_deref().map(one_line).unwrap_or_default();
    found(ReportKind::Complaint, None, event, &said)
}

/// A reader of whom there is to be no more mail; `None` when they left by
/// themselves. What adds mail, or was done in Postmark by hand, is not heard.
fn change(event: &Event) -> Result<Option<Finding>, Nothing> {
    if !event.suppress_sending {
        return Err(Nothing::NoFinding);
    }
    let reason = event.suppression_reason.as_deref();
    let kind = match (reason, event.origin.as_deref()) {
        (Some("HardBounce"), _) => ReportKind::HardBounce,
        (Some("SpamComplaint"), _) => ReportKind::Complaint,
        (Some("ManualSuppression"), Some("Recipient")) => return Ok(None),
        _ => return Err(Nothing::NoFinding),
    };
    Ok(Some(found(kind, None, event, reason.unwrap_or_default())))
}

fn found(kind: ReportKind, code: Option<EnhancedCode>, event: &Event, said: &str) -> Finding {
    let described = event.description.as_deref().map(one_line);
    let words = [said, described.as_deref().unwrap_or_default(), &event.kind];
    let words = words.into_iter().find(|words| !words.is_empty());
    Finding {
        kind,
        code,
        reason: cut(&one_line(words.unwrap_or(kind.as_str())), LONGEST_REASON),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn signer() -> Signer {
        Signer::new(&[1; 32])
    }

    /// The fields that Postmark sends with every event, with a token for delivery 7.
    fn event(record: &str, more: &Value) -> Value {
        let mut event = json!({
            "RecordType": record, "MessageStream": "broadcast", "ServerID": 23,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Tag": "",
            "Metadata": {"letterpress": signer().bounce_local(7), "other": "bounce"},
        });
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    }

    fn told(event: &Value) -> Result<Content, Nothing> {
        read(event.to_string().as_bytes(), &signer())
    }

    #[track_caller]
    fn kind(event: &Value) -> ReportKind {
        match told(event) {
            Ok(Content::Report {
                whose: Whose::Delivery(7),
                finding,
            }) => finding.kind,
            other => panic!("{event}: {other:?}"),
        }
    }

    #[test]
    fn the_servers_code_counts_and_else_postmarks_name_for_it() {
        for (name, details, expected) in [
            (
                "HardBounce",
                "smtp;550 5.1.1 no such user",
                ReportKind::HardBounce,
            ),
            ("HardBounce", "", ReportKind::HardBounce),
            ("BadEmailAddress", "", ReportKind::HardBounce),
            (
                "HardBounce",
                "smtp;550 5.7.1 refused by policy",
                ReportKind::Blocked,
            ),
            (
                "SoftBounce",
                "smtp;550 5.1.1 no such user",
                ReportKind::HardBounce,
            ),
            ("SoftBounce", "action: failed", ReportKind::SoftBounce),
            ("Transient", "smtp;451 4.7.1 later", ReportKind::Delayed),
            ("Transient", "", ReportKind::Delayed),
            ("DnsError", "", ReportKind::SoftBounce),
            ("Blocked", "", ReportKind::Blocked),
            ("SpamNotification", "", ReportKind::Blocked),
            ("DMARCPolicy", "", ReportKind::Blocked),
        ] {
            let more = json!({"Type": name, "Details": details, "Description": "It came back."});
            assert_eq!(kind(&event("Bounce", &more)), expected, "{name} {details}");
        }
        let complaint = json!({"Type": "SpamComplaint", "TypeCode": 512});
        assert_eq!(
            kind(&event("SpamComplaint", &complaint)),
            ReportKind::Complaint
        );
    }

    #[test]
    fn a_change_only_ever_means_less_mail() {
        let change = |suppress: bool, reason: &str, origin: &str| {
            let more = json!({"SuppressSending": suppress, "SuppressionReason": reason,
                              "Origin": origin, "Recipient": "a@example.net"});
            told(&event("SubscriptionChange", &more))
        };
        let left = change(true, "ManualSuppression", "Recipient");
        assert_eq!(left, Ok(Content::LeftAtRelay { delivery: 7 }));
        for origin in ["Customer", "Admin"] {
            let by_hand = change(true, "ManualSuppression", origin);
            assert_eq!(by_hand, Err(Nothing::NoFinding));
        }
        let back = change(false, "HardBounce", "Recipient");
        assert_eq!(back, Err(Nothing::NoFinding));
        for (reason, expected) in [
            ("HardBounce", ReportKind::HardBounce),
            ("SpamComplaint", ReportKind::Complaint),
        ] {
            match change(true, reason, "Recipient") {
                Ok(Content::Report { finding, .. }) => assert_eq!(finding.kind, expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn without_a_token_of_ours_nothing_is_proven() {
        let bounce = json!({"Type": "HardBounce", "Email": "a@example.net",
                            "Details": signer().bounce_local(7)});
        let good = event("Bounce", &bounce);
        assert_eq!(kind(&good), ReportKind::HardBounce);
        let foreign = Signer::new(&[2; 32]).bounce_local(7);
        for metadata in [
            json!(null),
            json!({}),
            json!({"letterpress": 7}),
            json!({"letterpress": foreign}),
            json!({"letterpress": signer().message_id(1, 7, 3, "example.org")}),
            json!({"other": signer().bounce_local(7)}),
        ] {
            let mut forged = good.clone();
            forged["Metadata"] = metadata;
            assert_eq!(told(&forged), Err(Nothing::NotOurs), "{forged}");
        }
        let mut two = good.clone();
        two["Metadata"]["Letterpress"] = json!(signer().bounce_local(8));
        assert_eq!(told(&two), Err(Nothing::SeveralMessages));
        for nothing in ["Open", "Click", "Delivery"] {
            assert_eq!(told(&event(nothing, &json!({}))), Err(Nothing::NoFinding));
        }
        let answer = json!({"Type": "AutoResponder", "Details": ""});
        assert_eq!(told(&event("Bounce", &answer)), Err(Nothing::NoFinding));
        assert_eq!(read(b"{}", &signer()), Err(Nothing::NoReport));
    }
}
