//! Feedback reports (RFC 5965): a reader called a message unwanted.

use super::fields::Fields;
use crate::domain::{
    report::{Finding, ReportKind},
    text::cut,
};

/// Reports of these types complain about nobody: they tell of signatures
/// (RFC 6591), of harmful attachments, or that a complaint was a mistake
/// (RFC 6430).
pub(super) const NO_COMPLAINTS: [&str; 3] = ["auth-failure", "virus", "not-spam"];

/// What a `message/feedback-report` part says.
pub(super) struct Feedback {
    /// The complaint, if it is one.
    pub(super) finding: Option<Finding>,
    /// Fields that name the envelope sender of the message.
    pub(super) senders: Vec<String>,
}

/// Reads the part. A type that nobody knows yet is a complaint, as RFC 5965
/// 3.5 wants it (`other`).
pub(super) fn read(part: &[u8]) -> Feedback {
    let fields = Fields::parse(part.trim_ascii_start());
    let kind = fields.first("Feedback-Type").map(str::to_ascii_lowercase);
    let kind = kind.filter(|kind| !NO_COMPLAINTS.contains(&kind.as_str()));
    let finding = kind.map(|kind| Finding {
        kind: ReportKind::Complaint,
        code: None,
        reason: match fields.first("User-Agent") {
            Some(agent) => cut(&format!("{kind}, told by {agent}"), 512),
            None => cut(&kind, 512),
        },
    });
    Feedback {
        finding,
        senders: fields
            .all("Original-Mail-From")
            .map(str::to_owned)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complaints_complain() {
        for (kind, is_complaint) in [
            ("abuse", true),
            ("Fraud", true),
            ("other", true),
            ("news-type", true),
            ("auth-failure", false),
            ("virus", false),
            ("Not-Spam", false),
        ] {
            let part = format!("Feedback-Type: {kind}\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n");
            let finding = read(part.as_bytes()).finding;
            assert_eq!(finding.is_some(), is_complaint, "{kind}");
        }
        assert!(read(b"Version: 1\r\n").finding.is_none());
    }
}
