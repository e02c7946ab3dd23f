//! Delivery status notifications (RFC 3464): what a mail server says became of
//! a message, recipient by recipient.

use super::fields::Fields;
use crate::domain::{
    delivery::enhanced_of,
    report::{Action, EnhancedCode, Finding, kind_of},
    text::cut,
};

/// So many recipients are looked at: each message of ours has one.
const MOST_GROUPS: usize = 20;
/// As long as the ledger keeps a relay's reply.
const LONGEST_REASON: usize = 512;

/// What a `message/delivery-status` part says.
pub(super) struct Status {
    /// The mildest of what it says of its recipients; `None` when it says
    /// nothing of any.
    pub(super) finding: Option<Finding>,
    /// Fields that name the envelope sender of the message.
    pub(super) senders: Vec<String>,
}

/// Reads the part: a group of fields about the message, then one for each
/// recipient, parted by empty lines.
pub(super) fn read(part: &[u8]) -> Status {
    let text = String::from_utf8_lossy(part).replace("\r\n", "\n");
    let mut senders = Vec::new();
    let mut mildest: Option<Finding> = None;
    let groups = text.split("\n\n").map(str::trim_start);
    let groups = groups.filter(|group| !group.is_empty());
    for group in groups.take(MOST_GROUPS) {
        let fields = Fields::parse(group.as_bytes());
        senders.extend(fields.all("X-Postfix-Sender").map(str::to_owned));
        if let Some(found) = finding(&fields)
            && mildest.as_ref().is_none_or(|known| found.kind < known.kind)
        {
            mildest = Some(found);
        }
    }
    Status {
        finding: mildest,
        senders,
    }
}

/// What a group says of its recipient; nothing, where no action is named.
fn finding(fields: &Fields) -> Option<Finding> {
    weigh(
        fields.first("Action")?,
        fields.first("Status"),
        fields.first("Diagnostic-Code"),
    )
}

/// What the three say together; nothing, where the action is none.
pub(super) fn weigh(
    action_text: &str,
    status_text: Option<&str>,
    said: Option<&str>,
) -> Option<Finding> {
    let action = action(action_text)?;
    let status = status_text.and_then(code_at_front);
    let said = said.map(diagnostic);
    let of_server = said.as_ref().and_then(|(code, _)| *code);
    let code = weighed(status, of_server);
    let words = said.map(|(_, words)| words);
    let reason = words
        .filter(|words| !words.is_empty())
        .unwrap_or_else(|| format!("{action_text} {}", status_text.unwrap_or("no status")));
    Some(Finding {
        kind: kind_of(action, code),
        code,
        reason: cut(&reason, LONGEST_REASON),
    })
}

/// What was done (RFC 3464 2.3.3), whatever comment follows.
fn action(text: &str) -> Option<Action> {
    let word = text.split([' ', '(', ';']).next()?;
    match word.to_ascii_lowercase().as_str() {
        "failed" => Some(Action::Failed),
        "delayed" => Some(Action::Delayed),
        "delivered" | "relayed" | "expanded" => Some(Action::Passed),
        _ => None,
    }
}

/// A code such as `5.1.1`, whatever comment follows.
fn code_at_front(text: &str) -> Option<EnhancedCode> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let code = enhanced_of(&text[..end.unwrap_or(text.len())])?;
    matches!(code.0, 2 | 4 | 5).then_some(code)
}

/// The server's own words, and the code that they begin with: after the type
/// (`smtp;`), a reply code and, between the lines of a long reply, a hyphen.
fn diagnostic(text: &str) -> (Option<EnhancedCode>, String) {
    let words = match text.split_once(';') {
        Some((kind, words)) if !kind.contains(' ') => words.trim(),
        _ => text,
    };
    let after_reply = match words.split_at_checked(3) {
        Some((code, rest)) if code.bytes().all(|b| b.is_ascii_digit()) => {
            rest.trim_start_matches([' ', '-', '#'])
        }
        _ => words,
    };
    (code_at_front(after_reply), words.to_owned())
}

/// Of the status and the code in the server's own words, the one that says
/// more: Exim writes `5.0.0` whatever was said. A refusal that is policy stays
/// one, whatever somebody else made of it.
fn weighed(status: Option<EnhancedCode>, said: Option<EnhancedCode>) -> Option<EnhancedCode> {
    match (status, said) {
        (None | Some((5, 0, 0)), Some(said)) => Some(said),
        (Some(_), Some(said @ (_, 7, _))) => Some(said),
        (status, _) => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::ReportKind;

    fn kind(part: &str) -> Option<(ReportKind, Option<EnhancedCode>)> {
        let finding = read(part.as_bytes()).finding?;
        Some((finding.kind, finding.code))
    }

    #[test]
    fn the_code_that_says_more_counts() {
        use ReportKind::{Blocked, HardBounce, SoftBounce};
        for (status, said, expected) in [
            ("5.1.1", "smtp; 550 5.1.1 unknown", (HardBounce, (5, 1, 1))),
            (
                "5.0.0",
                "smtp; 550-5.1.1 The account\n does not exist",
                (HardBounce, (5, 1, 1)),
            ),
            ("5.0.0", "smtp; 550 unknown user", (SoftBounce, (5, 0, 0))),
            ("5.1.0", "smtp;550 5.7.1 denied", (Blocked, (5, 7, 1))),
            (
                "5.0.0 (undefined)",
                "SMTP; 550 #5.1.2 host",
                (HardBounce, (5, 1, 2)),
            ),
            ("5.1.1 (bad mailbox)", "x-unix; 67", (HardBounce, (5, 1, 1))),
            ("5.4.4", "unrouteable; mail domain", (SoftBounce, (5, 4, 4))),
        ] {
            let part = format!(
                "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@example.net\n\
                 Action: failed\nStatus: {status}\nDiagnostic-Code: {said}\n"
            );
            assert_eq!(kind(&part), Some((expected.0, Some(expected.1))), "{part}");
        }
    }

    #[test]
    fn of_several_recipients_the_mildest_counts() {
        let part = "Reporting-MTA: dns; mx\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
                    Action: delayed\r\nStatus: 4.2.2\r\n\r\nAction: failed\r\nStatus: 5.2.2\r\n";
        assert_eq!(kind(part), Some((ReportKind::Delayed, Some((4, 2, 2)))));
    }

    #[test]
    fn a_part_that_says_nothing_of_a_recipient_is_no_finding() {
        for part in [
            "",
            "\n\n\n",
            "Reporting-MTA: dns; mx\n",
            "Status: 5.1.1\n",
            "Action: pondered\n",
        ] {
            assert_eq!(kind(part), None, "{part:?}");
        }
    }

    #[test]
    fn reasons_are_one_line_without_controls() {
        let part = "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 \u{1b}[31mno\u{7}\n";
        let finding = read(part.as_bytes()).finding.unwrap();
        assert_eq!(finding.reason, "550 [31mno");
    }
}
