//! One mail of the bounce mailbox, read within bounds: a report about a message
//! of ours (RFC 6522, or a notification of Amazon SES or Postmark), a reader who leaves, or
//! nothing that concerns us.

use std::panic::catch_unwind;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};
use sha2::{Digest as _, Sha256};

use super::{
    delivery_status, feedback,
    fields::Fields,
    leaving, postmark, ses,
    whose::{self, Whose},
};
use crate::{
    domain::{delivery::DeliveryId, report::Finding, subscriber::SubscriberId},
    links::{DigestTag, Signer},
};

/// So much of a mail is read; reports say what they have to say long before.
pub const MOST_BYTES: usize = 256 * 1024;
/// So many parts of a report are looked at.
const MOST_PARTS: usize = 8;
/// A mail is cut where it announces more parts than this: how deep they nest is
/// bounded before anybody parses them.
const MOST_TYPES: usize = 16;

/// What a mail is known by: the beginning of the hash of its bytes.
pub type MailId = [u8; 16];

/// A mail as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The same for the same bytes.
    pub id: MailId,
    /// What it is about.
    pub content: Content,
}

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A message of ours.
    Report {
        /// Whose it was.
        whose: Whose,
        /// What became of it.
        finding: Finding,
    },
    /// A reader who leaves, as a token proves.
    Leaving {
        /// Who.
        subscriber: SubscriberId,
        /// Which digest.
        digest: DigestTag,
    },
    /// A reader who left at the relay that delivered this, as a token proves.
    LeftAtRelay {
        /// What they had got.
        delivery: DeliveryId,
    },
    /// Nothing that concerns us.
    Nothing(Nothing),
}

/// Why a mail is about nothing of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Nothing {
    /// No report: out of office, a reply, spam.
    NoReport,
    /// A report that says nothing of a recipient, or complains about nobody.
    NoFinding,
    /// It carries no token of ours.
    NotOurs,
    /// It carries tokens of several messages.
    SeveralMessages,
    /// Not to be made sense of.
    Unreadable,
}

impl Nothing {
    /// The reason in a few words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoReport => "no report",
            Self::NoFinding => "a report of nobody's bounce or complaint",
            Self::NotOurs => "without a token of ours",
            Self::SeveralMessages => "with tokens of several messages",
            Self::Unreadable => "not readable",
        }
    }
}

impl From<whose::Nobody> for Nothing {
    fn from(nobody: whose::Nobody) -> Self {
        match nobody {
            whose::Nobody::NoToken => Self::NotOurs,
            whose::Nobody::Several => Self::SeveralMessages,
        }
    }
}

/// Reads one mail. Whatever it holds, this ends soon, with little memory.
#[must_use]
pub fn read(raw: &[u8], signer: &Signer) -> Incoming {
    let raw = &raw[..raw.len().min(MOST_BYTES)];
    let hash = Sha256::digest(raw);
    let mut id = MailId::default();
    id.copy_from_slice(&hash[..16]);
    // A parser that stumbles over one mail must not keep the others from us.
    let content = catch_unwind(|| content(bounded(raw), signer));
    Incoming {
        id,
        content: content.unwrap_or(Content::Nothing(Nothing::Unreadable)),
    }
}

/// A mail without the line that mailboxes and pipes put before it, up to where
/// it announces too many parts.
fn bounded(raw: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"content-type";
    let start = match raw.starts_with(b"From ") {
        true => memchr::memchr(b'\n', raw).map_or(raw.len(), |end| end + 1),
        false => 0,
    };
    let raw = &raw[start..];
    let mut names = memchr::memchr2_iter(b'c', b'C', raw).filter(|at| {
        let name = raw.get(*at..at + NAME.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    let end = names.nth(MOST_TYPES);
    &raw[..end.unwrap_or(raw.len())]
}

fn content(raw: &[u8], signer: &Signer) -> Content {
    if raw.trim_ascii_start().starts_with(b"{") {
        return match ses::read(raw, signer) {
            Ok((whose, finding)) => Content::Report { whose, finding },
            // Not one of Amazon's: the other who tells in JSON is Postmark.
            Err(Nothing::NoReport) => postmark::read(raw, signer).unwrap_or_else(Content::Nothing),
            Err(nothing) => Content::Nothing(nothing),
        };
    }
    let Some(message) = MessageParser::default().parse(raw) else {
        return Content::Nothing(Nothing::Unreadable);
    };
    let parts = match reported(&message) {
        Some(parts) => parts,
        None => return letter(&message, signer),
    };
    match report(&message, &parts, signer) {
        Ok((whose, finding)) => Content::Report { whose, finding },
        Err(nothing) => Content::Nothing(nothing),
    }
}

/// The parts of a `multipart/report`.
fn reported<'m>(message: &'m Message<'_>) -> Option<Vec<&'m MessagePart<'m>>> {
    let PartType::Multipart(ids) = &message.parts.first()?.body else {
        return None;
    };
    let parts = ids.iter().take(MOST_PARTS);
    is(message.parts.first()?, "multipart", &["report"])
        .then(|| parts.filter_map(|id| message.part(*id)).collect())
}

fn is(part: &MessagePart<'_>, kind: &str, subtypes: &[&str]) -> bool {
    part.content_type().is_some_and(|found| {
        let subtype = found.subtype().unwrap_or_default();
        found.ctype().eq_ignore_ascii_case(kind)
            && subtypes.iter().any(|one| subtype.eq_ignore_ascii_case(one))
    })
}

/// A mail that is no report may be a reader who leaves. What answers by itself
/// (RFC 3834) carries no token either.
fn letter(message: &Message<'_>, signer: &Signer) -> Content {
    let asked = message
        .subject()
        .and_then(|subject| leaving::asked(subject, signer));
    match asked {
        Some((subscriber, digest)) => Content::Leaving { subscriber, digest },
        None => Content::Nothing(Nothing::NoReport),
    }
}

const STATUS: [&str; 2] = ["delivery-status", "global-delivery-status"];

fn report(
    message: &Message<'_>,
    parts: &[&MessagePart<'_>],
    signer: &Signer,
) -> Result<(Whose, Finding), Nothing> {
    let status = parts.iter().find(|part| is(part, "message", &STATUS));
    let complaint = parts
        .iter()
        .find(|part| is(part, "message", &["feedback-report"]));
    let (finding, senders) = match (status, complaint) {
        (Some(part), _) => {
            let status = delivery_status::read(part.contents());
            (status.finding, status.senders)
        }
        (None, Some(part)) => {
            let feedback = feedback::read(part.contents());
            (feedback.finding, feedback.senders)
        }
        // Receipts (RFC 8098) are reports, too, and say nothing to us.
        (None, None) => return Err(Nothing::NoReport),
    };
    let finding = finding.ok_or(Nothing::NoFinding)?;
    let returned = parts.iter().find_map(|part| returned(part));
    let whose = whose::find(&Fields::of(message), &senders, returned.as_ref(), signer)?;
    Ok((whose, finding))
}

/// The header of the message that a report returns, whole or in part.
fn returned(part: &MessagePart<'_>) -> Option<Fields> {
    if let Some(message) = part.message() {
        return Some(Fields::of(message));
    }
    let is_header = is(part, "text", &["rfc822-headers"])
        || is(part, "message", &["rfc822", "global", "global-headers"]);
    is_header.then(|| Fields::parse(part.contents().trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::domain::report::ReportKind;

    fn signer() -> Signer {
        Signer::new(&[1; 32])
    }

    fn dsn(to: &str, status: &str, returned: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\nSubject: Undelivered\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example.net\r\n\r\n\
             Final-Recipient: rfc822; anna@example.org\r\nAction: failed\r\nStatus: {status}\r\n\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\n{returned}\r\n--b--\r\n"
        )
    }

    fn kind(content: &Content) -> Option<(ReportKind, Whose)> {
        match content {
            Content::Report { whose, finding } => Some((finding.kind, whose.clone())),
            Content::Leaving { .. } | Content::LeftAtRelay { .. } | Content::Nothing(_) => None,
        }
    }

    #[test]
    fn a_report_is_about_the_message_whose_token_it_was_sent_to() {
        let to = format!("<{}@bounces.example.org>", signer().bounce_local(7));
        let mail = dsn(&to, "5.1.1", "Subject: Soups\r\n\r\nSoup.");
        let found = read(mail.as_bytes(), &signer());
        let expected = (ReportKind::HardBounce, Whose::Delivery(7));
        assert_eq!(kind(&found.content), Some(expected.clone()));
        let piped = format!("From MAILER-DAEMON  Fri Nov 27 08:00:00 2026\n{mail}");
        assert_eq!(
            kind(&read(piped.as_bytes(), &signer()).content),
            Some(expected)
        );
    }

    #[test]
    fn a_returned_message_names_itself_in_each_of_its_forms() {
        let id = signer().message_id(1, 9, 3, "example.org");
        let header = format!(
            "Return-Path: <{}@b.example.org>\r\nMessage-ID: {id}\r\n",
            signer().bounce_local(9)
        );
        for form in [
            dsn("x@example.org", "5.1.1", &format!("{header}\r\nSoup.")),
            dsn("x@example.org", "5.1.1", &header),
            dsn("x@example.org", "5.1.1", &header).replace("message/rfc822", "text/rfc822-headers"),
            dsn("x@example.org", "5.1.1", &header)
                .replace("message/rfc822", "text/rfc822-headers; charset=utf-8"),
            dsn("x@example.org", "5.1.1", &header)
                .replace("message/rfc822", "message/global-headers"),
        ] {
            let found = read(form.as_bytes(), &signer());
            assert_eq!(
                kind(&found.content),
                Some((ReportKind::HardBounce, Whose::Delivery(9))),
                "{form}"
            );
        }
        let only_id = dsn(
            "x@example.org",
            "5.1.1",
            &format!("Message-ID: {id}\r\n\r\nSoup."),
        );
        let found = read(only_id.as_bytes(), &signer());
        let Some((_, Whose::Named { number: 3, .. })) = kind(&found.content) else {
            panic!("{found:?}");
        };
    }

    #[test]
    fn what_is_no_report_of_ours_says_why() {
        let token = signer().bounce_local(7);
        let to = format!("<{token}@bounces.example.org>");
        let forged = dsn("anna@example.org", "5.1.1", "To: anna@example.org\r\n\r\n");
        let body_only = dsn(
            "anna@example.org",
            "5.1.1",
            &format!("To: a\r\n\r\n{token}@b.example.org"),
        );
        let two = dsn(
            &to,
            "5.1.1",
            &format!("Return-Path: <{}@b>\r\n\r\n", signer().bounce_local(8)),
        );
        let office = format!(
            "To: {to}\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\n550 5.1.1 away\r\n"
        );
        for (mail, why) in [
            (forged, Nothing::NotOurs),
            (body_only, Nothing::NotOurs),
            (two, Nothing::SeveralMessages),
            (office, Nothing::NoReport),
            (
                dsn(&to, "5.1.1", "").replace("Action", "Inaction"),
                Nothing::NoFinding,
            ),
            (
                dsn(&to, "5.1.1", "").replace("multipart/report", "multipart/mixed"),
                Nothing::NoReport,
            ),
            (
                dsn(&to, "5.1.1", "")
                    .replace("delivery-status\r\n", "disposition-notification\r\n"),
                Nothing::NoReport,
            ),
            (String::new(), Nothing::Unreadable),
        ] {
            let found = read(mail.as_bytes(), &signer()).content;
            assert_eq!(found, Content::Nothing(why), "{mail}");
        }
    }

    #[test]
    fn hostile_mails_cost_little() {
        let to = signer().bounce_local(7);
        let nested = "Content-Type: message/rfc822\n\n".repeat(20_000);
        let boxes: String = (0..5_000)
            .map(|n| format!("Content-Type: multipart/report; boundary=b{n}\n\n--b{n}\n"))
            .collect();
        let digest = format!(
            "Content-Type: multipart/digest; boundary=b\n\n{}",
            "--b\n\n\n".repeat(60_000)
        );
        let crowd = format!(
            "To: {to}@b\nContent-Type: multipart/report; boundary=b\n\n{}",
            "--b\nContent-Type: message/delivery-status\n\n".repeat(9_000)
        );
        let fields = "A:b\n".repeat(100_000);
        let folded = format!("Subject: unsubscribe{}", "\n v1.".repeat(100_000));
        let words = format!("Subject: {}\n\n", "=?utf-8?B?".repeat(30_000));
        let groups = dsn(&to, &"5.1.1\n\nAction: failed\n".repeat(20_000), "");
        let begin = Instant::now();
        for mail in [nested, boxes, digest, crowd, fields, folded, words, groups] {
            drop(read(mail.as_bytes(), &signer()));
        }
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "{:?}",
            begin.elapsed()
        );
    }

    #[test]
    fn no_bytes_make_it_panic_or_prove_anything() {
        let token = signer().bounce_local(7);
        let sample = dsn(
            &format!("<{token}@b.example.org>"),
            "5.1.1",
            "To: a\r\n\r\nSoup.",
        );
        let sample = sample.as_bytes();
        // An xorshift generator: the same mails at every run.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        };
        for round in 0..3_000 {
            let mut mail = sample.to_vec();
            match round % 3 {
                0 => {
                    mail = (0..next(2_000))
                        .map(|_| u8::try_from(next(256)).unwrap())
                        .collect()
                }
                1 => {
                    for _ in 0..=next(40) {
                        let at = next(mail.len());
                        mail[at] = u8::try_from(next(256)).unwrap();
                    }
                }
                _ => {
                    let (from, to) = (next(mail.len()), next(mail.len()));
                    let piece = mail[from.min(to)..from.max(to)].to_vec();
                    let at = next(mail.len());
                    mail.splice(at..at, piece);
                    mail.truncate(next(mail.len()) + 1);
                }
            }
            let found = catch_unwind(|| content(bounded(&mail), &signer()));
            let found = found.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&mail)));
            if let Content::Report { whose, .. } = found {
                assert_eq!(whose, Whose::Delivery(7));
            }
        }
    }
}
