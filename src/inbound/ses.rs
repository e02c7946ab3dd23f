//! Notifications of Amazon SES: the same reports as JSON, bare or inside a
//! message of Amazon SNS, for those who let SES tell of bounces by its API
//! instead of by mail. Who sent one proves nothing and is not asked: like any
//! report it counts only with a token of ours, which SES keeps as `mail.source`.

use serde::Deserialize;

use super::{
    delivery_status,
    fields::Fields,
    mail::Nothing,
    whose::{self, Whose},
};
use crate::{
    domain::{
        report::{Finding, ReportKind},
        text::{cut, one_line},
    },
    links::Signer,
};

/// So many recipients are looked at: each message of ours has one.
const MOST_RECIPIENTS: usize = 20;
/// As long as the ledger keeps a relay's reply.
const LONGEST_REASON: usize = 512;

/// What SNS puts around a notification.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    /// `Bounce`, `Complaint` and so on; event publishing calls it `eventType`.
    #[serde(alias = "eventType")]
    notification_type: String,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delivery_delay: Option<Delay>,
    mail: Mail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    #[serde(default)]
    bounced_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delay {
    #[serde(default)]
    delayed_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    action: Option<String>,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complaint_feedback_type: Option<String>,
    user_agent: Option<String>,
}

#[derive(Deserialize)]
struct Mail {
    /// The envelope sender as we gave it.
    #[serde(default)]
    source: String,
    /// The header of the message, if SES is set to tell it.
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Reads a notification.
///
/// # Errors
/// When it is none, says nothing of a bounce or complaint, or has no token.
pub(super) fn read(json: &[u8], signer: &Signer) -> Result<(Whose, Finding), Nothing> {
    let inner = serde_json::from_slice::<Envelope>(json).ok();
    let json = inner.as_ref().map_or(json, |one| one.message.as_bytes());
    let told: Notification = serde_json::from_slice(json).map_err(|_| Nothing::NoReport)?;
    let finding = finding(&told).ok_or(Nothing::NoFinding)?;
    let headers = told.mail.headers.iter();
    let header = Fields::named(headers.map(|one| (one.name.as_str(), one.value.as_str())));
    let none = Fields::named(std::iter::empty());
    let whose = whose::find(&none, &[told.mail.source], Some(&header), signer)?;
    Ok((whose, finding))
}

fn finding(told: &Notification) -> Option<Finding> {
    match told.notification_type.as_str() {
        "Bounce" => mildest(&told.bounce.as_ref()?.bounced_recipients, "failed"),
        "DeliveryDelay" => mildest(&told.delivery_delay.as_ref()?.delayed_recipients, "delayed"),
        "Delivery" => delivery_status::weigh("delivered", None, None),
        "Complaint" => complaint(told.complaint.as_ref()?),
        _ => None,
    }
}

/// `action` where a recipient names none: what the notification itself says.
fn mildest(recipients: &[Recipient], action: &str) -> Option<Finding> {
    let clean = |text: &Option<String>| text.as_deref().map(one_line);
    let found = recipients.iter().take(MOST_RECIPIENTS).filter_map(|one| {
        let own = clean(&one.action);
        let (status, said) = (clean(&one.status), clean(&one.diagnostic_code));
        let action = own.as_deref().unwrap_or(action);
        delivery_status::weigh(action, status.as_deref(), said.as_deref())
    });
    found.min_by_key(|finding| finding.kind)
}

fn complaint(told: &Complaint) -> Option<Finding> {
    let kind = told.complaint_feedback_type.as_deref().unwrap_or("abuse");
    let kind = one_line(kind).to_ascii_lowercase();
    if super::feedback::NO_COMPLAINTS.contains(&kind.as_str()) {
        return None;
    }
    let agent = told.user_agent.as_deref().map(one_line);
    let reason = match agent {
        Some(agent) => format!("{kind}, told by {agent}"),
        None => kind,
    };
    Some(Finding {
        kind: ReportKind::Complaint,
        code: None,
        reason: cut(&reason, LONGEST_REASON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new(&[1; 32])
    }

    fn notification(kind: &str, detail: &str, mail: &str) -> String {
        format!(r#"{{"notificationType":"{kind}",{detail},"mail":{mail}}}"#)
    }

    fn ours() -> String {
        let local = signer().bounce_local(7);
        format!(r#"{{"source":"{local}@bounces.example.org","destination":["a@example.net"]}}"#)
    }

    const BOUNCE: &str = r#""bounce":{"bounceType":"Permanent","bounceSubType":"General",
        "bouncedRecipients":[{"emailAddress":"a@example.net","action":"failed","status":"5.1.1",
        "diagnosticCode":"smtp; 550 5.1.1 user unknown"}],"timestamp":"2026-11-27T06:00:06.000Z"}"#;

    #[test]
    fn notifications_say_what_reports_by_mail_say() {
        let envelope = |inner: &str| {
            serde_json::json!({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": inner})
                .to_string()
        };
        let bounce = notification("Bounce", BOUNCE, &ours());
        let full = BOUNCE
            .replace("5.1.1", "5.2.2")
            .replace("user unknown", "full");
        let bare = r#""bounce":{"bouncedRecipients":[{"emailAddress":"a@example.net"}]}"#;
        let delay = r#""deliveryDelay":{"delayedRecipients":[{"status":"4.4.1"}]}"#;
        let abuse = r#""complaint":{"complaintFeedbackType":"abuse","userAgent":"Loop/1"}"#;
        for (json, kind, reason) in [
            (
                bounce.clone(),
                ReportKind::HardBounce,
                "550 5.1.1 user unknown",
            ),
            (
                envelope(&bounce),
                ReportKind::HardBounce,
                "550 5.1.1 user unknown",
            ),
            (
                bounce.replace("notificationType", "eventType"),
                ReportKind::HardBounce,
                "550 5.1.1 user unknown",
            ),
            (
                notification("Bounce", &full, &ours()),
                ReportKind::SoftBounce,
                "550 5.2.2 full",
            ),
            (
                notification("Bounce", bare, &ours()),
                ReportKind::SoftBounce,
                "failed no status",
            ),
            (
                notification("DeliveryDelay", delay, &ours()),
                ReportKind::Delayed,
                "delayed 4.4.1",
            ),
            (
                notification("Complaint", abuse, &ours()),
                ReportKind::Complaint,
                "abuse, told by Loop/1",
            ),
            (
                notification("Complaint", r#""complaint":{}"#, &ours()),
                ReportKind::Complaint,
                "abuse",
            ),
        ] {
            let (whose, finding) = read(json.as_bytes(), &signer()).unwrap();
            assert_eq!(whose, Whose::Delivery(7));
            assert_eq!(
                (finding.kind, finding.reason.as_str()),
                (kind, reason),
                "{json}"
            );
        }
    }

    #[test]
    fn a_notification_without_a_token_of_ours_proves_nothing_whoever_sends_it() {
        let foreign = ours().replace(
            &signer().bounce_local(7),
            &Signer::new(&[2; 32]).bounce_local(7),
        );
        let no_spam = r#""complaint":{"complaintFeedbackType":"not-spam"}"#;
        for (json, why) in [
            (notification("Bounce", BOUNCE, &foreign), Nothing::NotOurs),
            (
                notification("Bounce", BOUNCE, r#"{"source":"a@example.org"}"#),
                Nothing::NotOurs,
            ),
            (notification("Bounce", BOUNCE, "{}"), Nothing::NotOurs),
            (
                notification("Complaint", no_spam, &ours()),
                Nothing::NoFinding,
            ),
            (
                notification("Bounce", r#""bounce":{}"#, &ours()),
                Nothing::NoFinding,
            ),
            (
                notification("Open", r#""open":{}"#, &ours()),
                Nothing::NoFinding,
            ),
            ("{".repeat(100_000), Nothing::NoReport),
            (
                r#"{"Type":"SubscriptionConfirmation","Message":"Visit the URL"}"#.to_owned(),
                Nothing::NoReport,
            ),
        ] {
            assert_eq!(
                read(json.as_bytes(), &signer()).unwrap_err(),
                why,
                "{json:.200}"
            );
        }
    }

    #[test]
    fn a_message_id_that_ses_tells_is_still_to_be_proven() {
        let id = signer().message_id(1, 9, 3, "example.org");
        let mail = format!(
            r#"{{"source":"a@example.org","headers":[{{"name":"Message-ID","value":"{id}"}}]}}"#
        );
        let json = notification("Bounce", BOUNCE, &mail);
        let (whose, _) = read(json.as_bytes(), &signer()).unwrap();
        assert!(matches!(whose, Whose::Named { number: 3, .. }), "{whose:?}");
    }
}
