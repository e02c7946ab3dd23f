//! A message: an edition addressed to one reader. Filling the slots is the
//! only work that is done per message.

use std::{borrow::Cow, sync::Arc};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    dkim::{self, Signing},
    edition::{Edition, Piece},
    mime::{encode, mailbox},
    slot::{Place, Slot, SlotUse},
};
use crate::{
    domain::{
        address::{AddressError, EmailAddress},
        delivery::{DeliveryId, IssueId},
        subscriber::SubscriberId,
        text::{cut, one_line},
    },
    links::{Payload, Purpose, Signer},
};

/// The unreserved characters of a URL (RFC 3986 2.3) stay.
pub(super) const URL_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name longer than this is cut, between graphemes.
const LONGEST_NAME: usize = 100;

/// Who gets a message, and which delivery it is.
#[derive(Debug, Clone, Copy)]
pub struct Addressed<'a> {
    /// The issue in the ledger; part of the Message-ID.
    pub issue: IssueId,
    /// The delivery in the ledger; part of the Message-ID and of the envelope
    /// sender. A test message takes any number no delivery has.
    pub delivery: DeliveryId,
    /// The number readers see.
    pub issue_number: u32,
    /// The reader, for the unsubscribe token.
    pub subscriber: SubscriberId,
    /// Where to write.
    pub address: &'a EmailAddress,
    /// What to call them.
    pub name: Option<&'a str>,
}

/// One message, ready to be written out. It shares the pieces of its edition.
#[derive(Debug)]
pub struct Message {
    edition: Arc<Edition>,
    /// The signature fields that come first, where the issue is signed.
    signatures: String,
    /// The encoded value of each of the edition's slots.
    values: Vec<String>,
}

/// Makes the messages of one edition, on any number of threads.
#[derive(Debug)]
pub struct Composer {
    edition: Arc<Edition>,
    signing: Option<Signing>,
    /// Where bounces go, but for the token; where they have no domain of their
    /// own, the sender.
    bounces: Result<EmailAddress, AddressError>,
}

impl Composer {
    /// What makes the messages of this edition, signed as it was frozen to be.
    ///
    /// # Errors
    /// When it was frozen to be signed, and `keys` are not those it needs.
    pub fn new(edition: Edition, keys: Option<&dkim::Keys>) -> Result<Self, dkim::Mismatch> {
        let facts = &edition.facts;
        let bounces = match &facts.bounce_domain {
            Some(domain) => format!("bounce@{domain}").parse(),
            None => facts.sender.parse(),
        };
        Ok(Self {
            bounces,
            signing: Signing::new(&edition, keys)?,
            edition: Arc::new(edition),
        })
    }

    /// Whether its messages are signed.
    #[must_use]
    pub fn signs(&self) -> bool {
        self.signing.is_some()
    }

    /// Fills the slots for one reader, and signs.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub fn message(
        &self,
        to: &Addressed<'_>,
        signer: &Signer,
    ) -> Result<Message, dkim::CryptoError> {
        let edition = &self.edition;
        let reader = Reader::of_facts(&edition.facts, to, signer);
        let values: Vec<String> = edition
            .slots
            .iter()
            .map(|used| reader.encoded(used))
            .collect();
        let signatures = match &self.signing {
            Some(signing) => signing.sign(&values)?,
            None => String::new(),
        };
        Ok(Message {
            signatures,
            values,
            edition: Arc::clone(edition),
        })
    }

    /// Bytes of the message to a reader of the longest address, and of the longest name
    /// or none: no other is larger.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub fn largest(&self, signer: &Signer) -> Result<usize, dkim::CryptoError> {
        // What is escaped and encoded takes the most room.
        let name = "\u{1f469}".repeat(LONGEST_NAME);
        let label = "a".repeat(63);
        let address = format!(
            "{}@{label}.{label}.{}.example.org",
            "&".repeat(64),
            &label[..49]
        );
        let address = address.parse().expect("RFC 5321 4.5.3.1 allows it");
        let size = |name| {
            let to = Addressed {
                issue: IssueId::MAX,
                delivery: DeliveryId::MAX,
                issue_number: u32::MAX,
                subscriber: SubscriberId([u8::MAX; 16]),
                address: &address,
                name,
            };
            self.message(&to, signer).map(|message| message.size())
        };
        // What a template says to who gave no name may be longer than any.
        Ok(size(Some(name.as_str()))?.max(size(None)?))
    }

    /// The envelope sender (MAIL FROM) of a delivery.
    ///
    /// # Errors
    /// When it is no address; then no message of the edition can leave.
    pub fn envelope_from(
        &self,
        delivery: DeliveryId,
        signer: &Signer,
    ) -> Result<EmailAddress, AddressError> {
        let bounces = self.bounces.as_ref().map_err(Clone::clone)?;
        if self.edition.facts.bounce_domain.is_none() {
            return Ok(bounces.clone());
        }
        bounces.with_local(&signer.bounce_local(delivery))
    }
}

impl Message {
    /// The message in order, header and body, as pieces of an edition that
    /// stays where it is. CRLF line ends throughout, the last one included.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.edition.pieces.iter().map(|piece| match piece {
            Piece::Fixed(range) => &self.edition.fixed[range.clone()],
            Piece::Slot(index) => self.values[*index].as_bytes(),
        });
        let signatures = (!self.signatures.is_empty()).then_some(self.signatures.as_bytes());
        signatures.into_iter().chain(pieces)
    }

    /// Bytes of the whole message, for SIZE.
    #[must_use]
    pub fn size(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// The whole message: for `.eml` files.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        for piece in self.pieces() {
            bytes.extend_from_slice(piece);
        }
        bytes
    }
}

/// The values of one reader's slots, before they are escaped.
pub(super) struct Reader<'a> {
    edition: &'a super::edition::Facts,
    name: Option<String>,
    address: &'a str,
    message_id: String,
    subscriber: SubscriberId,
    delivery: DeliveryId,
    payload: Payload,
    signer: &'a Signer,
    token: String,
}

impl<'a> Reader<'a> {
    pub(super) fn of_facts(
        facts: &'a super::edition::Facts,
        to: &Addressed<'a>,
        signer: &'a Signer,
    ) -> Self {
        let name = to
            .name
            .map(|name| cut(&one_line(name), LONGEST_NAME))
            .filter(|name| !name.is_empty());
        let domain = facts.sender.rsplit('@').next().unwrap_or_default();
        let payload = Payload::Reader {
            subscriber: to.subscriber,
            digest: facts.digest,
        };
        Self {
            edition: facts,
            name,
            address: to.address.expose(),
            message_id: signer.message_id(to.issue, to.delivery, to.issue_number, domain),
            subscriber: to.subscriber,
            delivery: to.delivery,
            token: signer.token(Purpose::Unsubscribe, &payload),
            payload,
            signer,
        }
    }

    /// The value as it stands in a finished message.
    fn encoded(&self, used: &SlotUse) -> String {
        match used.place {
            Place::Header => self.value(&used.slot).into_owned(),
            Place::Html | Place::HtmlUrl | Place::Text => encode(&self.escaped(used)),
        }
    }

    /// The value, escaped for where it stands.
    pub(super) fn escaped(&self, used: &SlotUse) -> String {
        let value = self.value(&used.slot);
        match used.place {
            Place::Html => escape_html(&value),
            Place::HtmlUrl => utf8_percent_encode(&value, URL_PART).to_string(),
            Place::Text | Place::Header => value.into_owned(),
        }
    }

    /// Names the mail that asks, so that it answers no later one.
    fn confirm_token(&self) -> String {
        let asked = Payload::Asked {
            subscriber: self.subscriber,
            digest: self.edition.digest,
            delivery: self.delivery,
        };
        self.signer.token(Purpose::Confirm, &asked)
    }

    /// The reader's own page below `base`.
    fn page(&self, base: &Option<String>, purpose: Purpose) -> Cow<'_, str> {
        let base = base.as_deref().unwrap_or_default();
        format!("{base}{}", self.signer.token(purpose, &self.payload)).into()
    }

    fn value<'v>(&'v self, slot: &'v Slot) -> Cow<'v, str> {
        match slot {
            Slot::Name(fallback) => self.name.as_deref().unwrap_or(fallback).into(),
            Slot::Address => self.address.into(),
            Slot::UnsubscribeUrl => match &self.edition.unsubscribe_page {
                Some(page) => format!("{page}{}", self.token).into(),
                None => format!("{}{}", self.edition.unsubscribe_mailto, self.token).into(),
            },
            Slot::PreferencesUrl => self.page(&self.edition.preferences_page, Purpose::Manage),
            Slot::ConfirmUrl => {
                let base = self.edition.confirm_page.as_deref().unwrap_or_default();
                format!("{base}{}", self.confirm_token()).into()
            }
            Slot::To => {
                let name = self.name.as_deref().unwrap_or_default();
                mailbox(name, self.address, "To: ".len()).into()
            }
            Slot::MessageId => self.message_id.as_str().into(),
            Slot::UnsubscribeToken => self.token.as_str().into(),
            Slot::BounceToken => self.signer.bounce_local(self.delivery).into(),
        }
    }
}

/// Escaped for text and for attributes in either kind of quotes.
fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
