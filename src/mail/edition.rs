//! An edition: an issue rendered once, as the ledger keeps it.
//!
//! Every byte that all readers share is here, encoded; between the fixed
//! pieces stand slots. After the freeze nothing else is needed to make any
//! message of the issue, at any attempt, byte for byte the same.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    dkim,
    slot::{Slot, SlotUse},
};
use crate::{domain::address::EmailAddress, links::DigestTag};

/// What begins every stored edition; the last byte is the version. Behind it stands the
/// checksum (CRC-32) of the rest: a database sees damage in its own structure, not in
/// the text that it keeps.
const MAGIC: &[u8; 4] = b"LPE\x02";
/// What begins one without a checksum.
const UNCHECKED: &[u8; 4] = b"LPE\x01";

/// An issue rendered for one variant of reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    pub(super) facts: Facts,
    pub(super) slots: Vec<SlotUse>,
    pub(super) pieces: Vec<Piece>,
    pub(super) fixed: Arc<[u8]>,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// These bytes of `fixed`.
    Fixed(Range<usize>),
    /// The value of `slots` at this index.
    Slot(usize),
}

/// What filling the slots needs to know, and what reports say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) subject: String,
    /// The sender's address: envelope sender where bounces have no domain.
    pub(super) sender: String,
    pub(super) bounce_domain: Option<String>,
    /// What the token follows in an https unsubscribe link.
    pub(super) unsubscribe_page: Option<String>,
    /// What the token follows in a link to the reader's choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) preferences_page: Option<String>,
    /// What the token follows in a link that says yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) confirm_page: Option<String>,
    /// Where everybody can read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) web_url: Option<String>,
    /// What the token follows in a mailto unsubscribe link.
    pub(super) unsubscribe_mailto: String,
    pub(super) digest: DigestTag,
    /// How its messages are signed; not at all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dkim: Option<dkim::Frozen>,
    /// What was added to links to the publication, which its website has no
    /// use for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) link_params: Vec<(String, String)>,
    pub(super) html_bytes: usize,
    pub(super) text_bytes: usize,
}

/// A stored edition that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum EditionError {
    /// Neither this version's form nor an older one's.
    #[error("the stored edition is not of a form this version knows")]
    Form,
    /// Not as it was written.
    #[error("the stored edition is damaged: its checksum is another one")]
    Altered,
    /// Cut short or damaged.
    #[error("the stored edition is damaged")]
    Damaged(#[source] serde_json::Error),
}

/// How pieces are stored: lengths instead of ranges.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredPiece {
    Fixed { len: usize },
    Slot { slot: usize },
}

#[derive(Serialize, Deserialize)]
struct Head {
    facts: Facts,
    slots: Vec<SlotUse>,
    pieces: Vec<StoredPiece>,
}

impl Edition {
    /// The Subject as people read it.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.facts.subject
    }

    /// Bytes of the HTML with the slots filled for a typical reader, before
    /// encoding: what mail clients clip by.
    #[must_use]
    pub fn html_bytes(&self) -> usize {
        self.facts.html_bytes
    }

    /// Bytes of the text part, counted the same way.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.facts.text_bytes
    }

    /// Bytes that all messages share, as sent.
    #[must_use]
    pub fn shared_bytes(&self) -> usize {
        self.fixed.len()
    }

    /// The form the ledger stores. The same edition gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = Head {
            facts: self.facts.clone(),
            slots: self.slots.clone(),
            pieces: self
                .pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Fixed(range) => StoredPiece::Fixed { len: range.len() },
                    Piece::Slot(slot) => StoredPiece::Slot { slot: *slot },
                })
                .collect(),
        };
        let head = serde_json::to_vec(&head).expect("strings and numbers always serialise");
        let length = u32::try_from(head.len()).expect("a list of pieces is far below 4 GiB");
        let mut bytes = Vec::with_capacity(12 + head.len() + self.fixed.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.fixed);
        let checksum = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not an edition, or not a whole one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EditionError> {
        let rest = checked(bytes)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(EditionError::Form)?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).map_err(|_| EditionError::Form)?;
        let (head, fixed) = rest.split_at_checked(length).ok_or(EditionError::Form)?;
        let head: Head = serde_json::from_slice(head).map_err(EditionError::Damaged)?;
        let mut pieces = Vec::with_capacity(head.pieces.len());
        let mut at: usize = 0;
        for piece in head.pieces {
            pieces.push(match piece {
                StoredPiece::Fixed { len } => {
                    let end = at.checked_add(len).ok_or(EditionError::Form)?;
                    let range = at..end;
                    at = end;
                    Piece::Fixed(range)
                }
                StoredPiece::Slot { slot } if slot < head.slots.len() => Piece::Slot(slot),
                StoredPiece::Slot { .. } => return Err(EditionError::Form),
            });
        }
        if at != fixed.len() {
            return Err(EditionError::Form);
        }
        Ok(Self {
            facts: head.facts,
            slots: head.slots,
            pieces,
            fixed: fixed.into(),
        })
    }
}

/// What follows the checksum, if that is right.
fn checked(bytes: &[u8]) -> Result<&[u8], EditionError> {
    if let Some(rest) = bytes.strip_prefix(UNCHECKED) {
        return Ok(rest);
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(EditionError::Form)?;
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(EditionError::Form)?;
    if crc32fast::hash(rest) == u32::from_le_bytes(*checksum) {
        Ok(rest)
    } else {
        Err(EditionError::Altered)
    }
}

/// Puts an edition together, piece by piece.
#[derive(Default)]
pub(super) struct Assembly {
    slots: Vec<SlotUse>,
    pieces: Vec<Piece>,
    fixed: Vec<u8>,
}

impl Assembly {
    pub(super) fn fixed(&mut self, bytes: &str) {
        let start = self.fixed.len();
        self.fixed.extend_from_slice(bytes.as_bytes());
        let end = self.fixed.len();
        match self.pieces.last_mut() {
            Some(Piece::Fixed(range)) => range.end = end,
            _ if start < end => self.pieces.push(Piece::Fixed(start..end)),
            _ => {}
        }
    }

    pub(super) fn slot(&mut self, used: SlotUse) {
        let known = self.slots.iter().position(|slot| *slot == used);
        let index = known.unwrap_or_else(|| {
            self.slots.push(used);
            self.slots.len() - 1
        });
        self.pieces.push(Piece::Slot(index));
    }

    pub(super) fn header_slot(&mut self, slot: Slot) {
        self.slot(SlotUse {
            slot,
            place: super::slot::Place::Header,
        });
    }

    /// The fixed bytes so far.
    pub(super) fn contains(&self, needle: &str) -> bool {
        let needle = needle.as_bytes();
        self.fixed
            .windows(needle.len())
            .any(|window| window == needle)
    }

    pub(super) fn finish(self, facts: Facts) -> Edition {
        Edition {
            facts,
            slots: self.slots,
            pieces: self.pieces,
            fixed: self.fixed.into(),
        }
    }
}

#[cfg(test)]
impl Edition {
    /// A short message that differs by reader, for tests of what sends it.
    pub(crate) fn sample() -> Self {
        let mut assembly = Assembly::default();
        assembly.fixed("From: letters@magazine.example.org\r\nTo: ");
        assembly.header_slot(Slot::To);
        assembly.fixed("\r\nMessage-ID: ");
        assembly.header_slot(Slot::MessageId);
        assembly.fixed("\r\nSubject: Soups\r\n\r\n.Five of them.\r\n");
        assembly.finish(Facts::sample())
    }
}

#[cfg(test)]
impl Facts {
    /// Facts of a short unsigned letter.
    pub(super) fn sample() -> Self {
        Self {
            subject: "Soups".to_owned(),
            sender: "letters@magazine.example.org".to_owned(),
            bounce_domain: None,
            unsubscribe_page: None,
            preferences_page: None,
            confirm_page: None,
            web_url: None,
            unsubscribe_mailto: String::new(),
            digest: DigestTag([0; 8]),
            dkim: None,
            link_params: Vec::new(),
            html_bytes: 0,
            text_bytes: 0,
        }
    }
}

/// What a mailto unsubscribe link is before its token (RFC 6068). The local
/// part keeps only what needs no escape in a URL.
pub(super) fn mailto_before_token(address: &EmailAddress) -> String {
    let local = percent_encoding::utf8_percent_encode(address.local(), super::message::URL_PART);
    format!("mailto:{local}@{}?subject=unsubscribe%20", address.domain())
}
