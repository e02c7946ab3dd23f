//! Headers and the two parts, put together as pieces and slots.

mod body;
mod header;
mod inline;

use chrono::{DateTime, FixedOffset};
use sha2::{Digest as _, Sha256};

pub use self::body::WireError;
use self::{
    body::with_crlf,
    header::{list_id, unstructured},
};
pub(super) use self::{
    body::{check_wire, encode},
    header::mailbox,
};
use super::{
    edition::{Assembly, Edition, Facts},
    notice::{Notice, NoticeInput},
    pictures::{Inline, Pictures},
    render::IssueInput,
    slot::{Part, Slot},
};
use crate::{
    config::settings::{MailSettings, Sender},
    domain::{digest::Digest, publication::Publication, text::one_line},
};

/// A header that Postmark takes away, and tells again with each event.
const POSTMARK: &str = "X-PM-Metadata-letterpress: ";

/// What a message says, before it is encoded.
pub(super) struct Content {
    pub(super) html: Vec<Part>,
    pub(super) text: Vec<Part>,
    pub(super) facts: Facts,
}

/// An issue's headers and body, encoded.
pub(super) fn compose(
    input: &IssueInput<'_>,
    settings: &MailSettings,
    content: Content,
) -> Edition {
    let headers = |message: &mut Assembly, facts: &Facts| {
        write_headers(message, input, settings, facts);
    };
    encoded(headers, input.pictures, content)
}

/// A notice's headers and body, encoded.
pub(super) fn compose_notice(
    notice: Notice,
    input: &NoticeInput<'_>,
    settings: &MailSettings,
    content: Content,
) -> Edition {
    let headers = |message: &mut Assembly, facts: &Facts| {
        write_notice_headers(message, notice, input, settings, facts);
    };
    encoded(headers, input.pictures, content)
}

/// Encodes headers and body: `multipart/alternative`, text first (RFC 2046
/// 5.1.4), each part quoted-printable whatever it holds. Pictures that travel
/// along stand in one `multipart/related` with the HTML (RFC 2387).
fn encoded(
    write_headers: impl FnOnce(&mut Assembly, &Facts),
    pictures: &Pictures,
    content: Content,
) -> Edition {
    let pictures = carried(pictures, &content);
    let boundary = boundary(&content);
    let mut message = Assembly::default();
    write_headers(&mut message, &content.facts);
    message.fixed(&format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n\r\n"
    ));
    write_text(&mut message, &boundary, "text/plain", &content.text);
    if pictures.is_empty() {
        write_text(&mut message, &boundary, "text/html", &content.html);
    } else {
        // No boundary begins with another one.
        let inner = format!("=_r{}", &boundary[3..]);
        message.fixed(&format!(
            "--{boundary}\r\nContent-Type: multipart/related; type=\"text/html\";\r\n boundary=\"{inner}\"\r\n\r\n"
        ));
        write_text(&mut message, &inner, "text/html", &content.html);
        for picture in pictures {
            message.fixed(&format!("--{inner}\r\n"));
            message.fixed(&inline::part(picture));
        }
        message.fixed(&format!("--{inner}--\r\n"));
    }
    message.fixed(&format!("--{boundary}--\r\n"));
    message.finish(content.facts)
}

fn write_text(message: &mut Assembly, boundary: &str, media_type: &str, parts: &[Part]) {
    message.fixed(&format!(
        "--{boundary}\r\nContent-Type: {media_type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ));
    write_part(message, parts);
    message.fixed("\r\n");
}

/// The pictures that the HTML shows from within the message.
fn carried<'i>(pictures: &'i Pictures, content: &Content) -> Vec<&'i Inline> {
    let is_shown = |picture: &&Inline| {
        let address = format!("cid:{}", picture.content_id);
        content
            .html
            .iter()
            .any(|part| matches!(part, Part::Fixed(text) if text.contains(&address)))
    };
    pictures.inline().iter().filter(is_shown).collect()
}

/// The headers of bulk mail. Order is of no meaning; trace-like fields first,
/// as people expect them.
fn write_headers(
    message: &mut Assembly,
    input: &IssueInput<'_>,
    settings: &MailSettings,
    facts: &Facts,
) {
    write_addressing(message, input.date, settings, facts, Slot::To);
    write_list_id(message, input.digest, settings);
    write_unsubscribe(message, facts);
    let archive = input.publication.base_url.as_str();
    message.fixed(&format!("List-Archive: <{archive}>\r\n"));
    // Four fields, the last one names the sender's system, as Google's
    // Feedback Loop reads it.
    let domain = settings.from.address.domain();
    let digest = &input.digest.name;
    let number = input.number;
    message.fixed(&format!(
        "Feedback-ID: {number}:{digest}:{domain}:letterpress\r\n"
    ));
    message.fixed("Precedence: bulk\r\nAuto-Submitted: auto-generated\r\n");
    write_language(message, input.publication);
}

/// The headers of a message to one reader who did something. Only a `welcome`
/// is mail of the list; nobody has to leave what they have not joined.
fn write_notice_headers(
    message: &mut Assembly,
    notice: Notice,
    input: &NoticeInput<'_>,
    settings: &MailSettings,
    facts: &Facts,
) {
    let to = match notice {
        // The name is what a stranger typed.
        Notice::Confirm => Slot::Address,
        Notice::Welcome | Notice::Goodbye => Slot::To,
    };
    write_addressing(message, input.date, settings, facts, to);
    if notice == Notice::Welcome {
        write_list_id(message, input.digest, settings);
        write_unsubscribe(message, facts);
    }
    // RFC 3834 5: no vacation answer to this.
    message.fixed("Auto-Submitted: auto-replied\r\n");
    write_language(message, input.publication);
}

/// From whom to whom about what, and by which id.
fn write_addressing(
    message: &mut Assembly,
    date: DateTime<FixedOffset>,
    settings: &MailSettings,
    facts: &Facts,
    to: Slot,
) {
    message.fixed(&format!("Date: {}\r\n", date.to_rfc2822()));
    message.fixed(&format!("From: {}\r\n", sender(&settings.from, "From: ")));
    if let Some(reply_to) = &settings.reply_to {
        let value = sender(reply_to, "Reply-To: ");
        message.fixed(&format!("Reply-To: {value}\r\n"));
    }
    message.fixed("To: ");
    message.header_slot(to);
    message.fixed("\r\n");
    message.fixed(&unstructured("Subject", &facts.subject));
    message.fixed("Message-ID: ");
    message.header_slot(Slot::MessageId);
    message.fixed("\r\n");
    if let Some(idempotency) = &settings.idempotency {
        message.fixed(&format!("{}: ", idempotency.header));
        message.header_slot(Slot::MessageId);
        message.fixed("\r\n");
    }
    if settings.tells_postmark {
        // Postmark replaces Return-Path and Message-ID, and hands this back.
        message.fixed(POSTMARK);
        message.header_slot(Slot::BounceToken);
        message.fixed("\r\n");
    }
}

/// RFC 2919.
fn write_list_id(message: &mut Assembly, digest: &Digest, settings: &MailSettings) {
    let domain = settings.from.address.domain();
    let default_id = format!("{}.{domain}", digest.name);
    let id = one_line(settings.list.id.as_deref().unwrap_or(&default_id));
    let phrase = one_line(&digest.title);
    message.fixed(&format!("List-Id: {}\r\n", list_id(&phrase, &id)));
}

fn write_language(message: &mut Assembly, publication: &Publication) {
    let language = one_line(&publication.language);
    message.fixed(&format!("Content-Language: {language}\r\n"));
}

/// RFC 2369 3.2 and, with an https page, RFC 8058 3.1: one https URL, one
/// mailto, and the one value of List-Unsubscribe-Post.
fn write_unsubscribe(message: &mut Assembly, facts: &Facts) {
    let page = facts
        .unsubscribe_page
        .as_ref()
        .filter(|page| page.starts_with("https://"));
    message.fixed("List-Unsubscribe: <");
    if let Some(page) = page {
        message.fixed(page);
        message.header_slot(Slot::UnsubscribeToken);
        message.fixed(">,\r\n <");
    }
    message.fixed(&facts.unsubscribe_mailto);
    message.header_slot(Slot::UnsubscribeToken);
    message.fixed(">\r\n");
    if page.is_some() {
        message.fixed("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
}

fn sender(sender: &Sender, before: &str) -> String {
    let name = one_line(&sender.name);
    mailbox(&name, sender.address.expose(), before.len())
}

/// One part's lines. A slot stands between soft line breaks, on lines of its
/// own, so that no value can make a line too long.
fn write_part(message: &mut Assembly, parts: &[Part]) {
    let mut starts_line = true;
    for part in parts {
        match part {
            Part::Fixed(text) => {
                let encoded = encode(&with_crlf(text));
                starts_line = encoded.ends_with("\r\n");
                message.fixed(&encoded);
            }
            Part::Slot(used) => {
                if !starts_line {
                    message.fixed("=\r\n");
                }
                message.slot(used.clone());
                message.fixed("=\r\n");
                starts_line = true;
            }
        }
    }
    if !starts_line {
        message.fixed("\r\n");
    }
}

/// A boundary made of what it separates, so that every attempt has the same
/// one. `=_` cannot stand in quoted-printable text (RFC 2045 6.7), and that
/// nothing contains it is checked all the same.
fn boundary(content: &Content) -> String {
    let mut parts = Assembly::default();
    write_part(&mut parts, &content.text);
    write_part(&mut parts, &content.html);
    let mut hash = Sha256::new();
    hash.update(content.facts.subject.as_bytes());
    for part in content.text.iter().chain(&content.html) {
        if let Part::Fixed(text) = part {
            hash.update(text.as_bytes());
        }
    }
    loop {
        let boundary = format!(
            "=_{}",
            data_encoding::HEXLOWER.encode(&hash.clone().finalize()[..16])
        );
        if !parts.contains(&boundary) {
            return boundary;
        }
        hash.update(b"again");
    }
}
