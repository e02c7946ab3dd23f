//! The last steps of every rendering, of an issue or a notice: what a reader
//! would see, the parts encoded, and a last look at every byte.

use super::{
    dkim,
    edition::Edition,
    message::{Addressed, Composer, Reader},
    mime::{Content, check_wire},
    render::{RenderError, Rendered},
    slot::Part,
};
use crate::{
    domain::{address::EmailAddress, digest::Digest, subscriber::SubscriberId},
    links::Signer,
};

/// Most characters of a reader's name, as lists are read.
const LONGEST_NAME: usize = 100;

/// Encodes `content` with `compose`; `number` is the issue's, or nought.
pub(super) fn finish(
    mut content: Content,
    compose: impl FnOnce(Content) -> Edition,
    (digest, number): (&Digest, u32),
    signer: &Signer,
    keys: Option<&dkim::Keys>,
) -> Result<Rendered, RenderError> {
    // 1. What a reader would see.
    let sample = Sample::new();
    let to = sample.addressed(number);
    let reader = Reader::of_facts(&content.facts, &to, signer);
    let html = filled(&content.html, &reader);
    let text = filled(&content.text, &reader);
    content.facts.html_bytes = html.len();
    content.facts.text_bytes = text.len();

    // 2. Headers and encoding; the last look, with the readers most likely to
    //    break something.
    let edition = compose(content);
    let composer = Composer::new(edition.clone(), keys)?;
    rehearse(&composer, (digest, number), signer)?;
    Ok(Rendered {
        html,
        text,
        subject: edition.subject().to_owned(),
        eml: composer.message(&to, signer)?.to_bytes(),
        shortened: Vec::new(),
        edition,
    })
}

/// Bytes of the HTML for a reader with a long name, which takes most room.
pub(super) fn longest_html(content: &Content, signer: &Signer) -> usize {
    let sample = Sample::new();
    let name = "Ü".repeat(LONGEST_NAME);
    let to = Addressed {
        name: Some(&name),
        ..sample.addressed(0)
    };
    filled(
        &content.html,
        &Reader::of_facts(&content.facts, &to, signer),
    )
    .len()
}

fn filled(parts: &[Part], reader: &Reader<'_>) -> String {
    parts.iter().fold(String::new(), |mut filled, part| {
        match part {
            Part::Fixed(text) => filled.push_str(text),
            Part::Slot(used) => filled.push_str(&reader.escaped(used)),
        }
        filled
    })
}

/// Fills the slots for readers without a name, with a long one, and with one
/// that tries to be markup and a header, and looks at every byte.
fn rehearse(
    composer: &Composer,
    (digest, number): (&Digest, u32),
    signer: &Signer,
) -> Result<(), RenderError> {
    let sample = Sample::new();
    let long = "Ünïcödé ".repeat(40);
    let hostile = "\u{202E}\"<b>\\,;:=?utf-8?q?x?=\r\nBcc: a@example.org\0";
    for name in [None, Some(long.as_str()), Some(hostile)] {
        let to = Addressed {
            name,
            ..sample.addressed(number)
        };
        check_wire(&composer.message(&to, signer)?.to_bytes()).map_err(|source| {
            RenderError::Wire {
                digest: digest.name.to_string(),
                source,
            }
        })?;
    }
    Ok(())
}

/// A reader who does not exist.
pub(super) struct Sample {
    address: EmailAddress,
}

impl Sample {
    pub(super) fn new() -> Self {
        let address = "thandi.mokoena@example.org";
        Self {
            address: address.parse().expect("a plain address"),
        }
    }

    pub(super) fn addressed(&self, issue_number: u32) -> Addressed<'_> {
        Addressed {
            issue: 0,
            delivery: 0,
            issue_number,
            subscriber: SubscriberId([0; 16]),
            address: &self.address,
            name: Some("Thandi Mokoena"),
        }
    }
}
