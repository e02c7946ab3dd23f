//! Signs the messages of one edition. What they share is done once: the hash
//! of the body before its first slot, the rest of the body in relaxed form,
//! and all of the signature field but the hash and the signature.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use data_encoding::BASE64;

use super::{
    CryptoError, Frozen, Key, Keys, Mismatch,
    canonical::{BodyHash, Prepared, fields, name_of, relaxed_field},
};
use crate::mail::edition::{Edition, Piece};

/// Signed once more than they occur, so that nobody can add one: what readers
/// see, what replies and unsubscribing go by, and how the body is read
/// (RFC 6376 8.15).
const OVERSIGNED: [&str; 12] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Signed where they occur.
const SIGNED: [&str; 5] = [
    "List-Archive",
    "Feedback-ID",
    "Precedence",
    "Auto-Submitted",
    "Content-Language",
];

/// Where a line of the signature field is folded.
const LINE: usize = 76;

/// What signs the messages of one edition, on any number of threads.
pub(in crate::mail) struct Signing {
    seals: Vec<Seal>,
    /// Which fields are hashed, in this order.
    chosen: Vec<usize>,
    /// How many fields a message has.
    fields: usize,
    /// The first piece that has body in it, and where in it that begins.
    body: (usize, usize),
    /// The hash of the body up to the first slot.
    start: BodyHash,
    /// The pieces from there on.
    tail: Vec<Tail>,
}

/// One signature: a key, and its field up to the body hash.
struct Seal {
    key: Arc<Key>,
    field: String,
}

enum Tail {
    Fixed(Prepared),
    Slot(usize),
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&Key> = self.seals.iter().map(|seal| seal.key.as_ref()).collect();
        f.debug_struct("Signing").field("keys", &keys).finish()
    }
}

impl Signing {
    /// What signs `edition` as it was frozen; `None` if it was frozen unsigned.
    ///
    /// # Errors
    /// When `keys` are not those it was frozen with.
    pub(in crate::mail) fn new(
        edition: &Edition,
        keys: Option<&Keys>,
    ) -> Result<Option<Self>, Mismatch> {
        let Some(frozen) = &edition.facts.dkim else {
            return Ok(None);
        };
        let found = frozen.find(keys)?;
        let body = body_of(edition);
        let empty = vec![String::new(); edition.slots.len()];
        let head = head(edition, &empty, body);
        let names: Vec<&[u8]> = fields(&head).into_iter().map(name_of).collect();
        let (listed, chosen) = choose(&names);
        let (start, tail) = split_body(edition, body);
        Ok(Some(Self {
            seals: found
                .into_iter()
                .zip(&frozen.keys)
                .map(|(key, named)| Seal {
                    field: opening(frozen, &named.selector, &key, &listed),
                    key,
                })
                .collect(),
            chosen,
            fields: names.len(),
            body,
            start,
            tail,
        }))
    }

    /// The signature fields of a message with these slot values, each with its
    /// line end.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub(in crate::mail) fn sign(
        &self,
        edition: &Edition,
        values: &[String],
    ) -> Result<String, CryptoError> {
        let body_hash = BASE64.encode(self.body_hash(values).as_ref());
        let header = self.header_hash(edition, values);
        let mut signatures = String::with_capacity(self.seals.len() * 1200);
        for seal in &self.seals {
            let unsigned = format!("{}{body_hash};\r\n b=", seal.field);
            let mut relaxed = Vec::with_capacity(unsigned.len());
            relaxed_field(unsigned.as_bytes(), &mut relaxed);
            let mut hash = header.clone();
            hash.update(&relaxed);
            let signature = BASE64.encode(&seal.key.sign(&hash.finish())?);
            signatures.push_str(&unsigned);
            push_folded(&mut signatures, &signature);
        }
        Ok(signatures)
    }

    fn body_hash(&self, values: &[String]) -> Digest {
        let mut hash = self.start.clone();
        for piece in &self.tail {
            match piece {
                Tail::Fixed(prepared) => hash.feed_prepared(prepared),
                Tail::Slot(index) => hash.feed(values[*index].as_bytes()),
            }
        }
        hash.finish()
    }

    /// The hash of the chosen fields, to which a signature adds its own.
    fn header_hash(&self, edition: &Edition, values: &[String]) -> Context {
        let head = head(edition, values, self.body);
        let fields = fields(&head);
        // No slot's value can add a field: names are cleaned, the rest is ours.
        debug_assert_eq!(fields.len(), self.fields, "a slot added a header field");
        let mut relaxed = Vec::with_capacity(head.len());
        for index in &self.chosen {
            relaxed_field(fields[*index], &mut relaxed);
            relaxed.extend_from_slice(b"\r\n");
        }
        let mut context = Context::new(&SHA256);
        context.update(&relaxed);
        context
    }
}

/// The names for `h=`, and the fields they stand for, in the same order. Of
/// several fields of one name the last comes first (RFC 6376 5.4.2).
fn choose(names: &[&[u8]]) -> (Vec<&'static str>, Vec<usize>) {
    let mut listed = Vec::new();
    let mut chosen = Vec::new();
    for name in OVERSIGNED.iter().chain(&SIGNED) {
        let found = (0..names.len())
            .rev()
            .filter(|index| names[*index].eq_ignore_ascii_case(name.as_bytes()));
        for index in found {
            listed.push(*name);
            chosen.push(index);
        }
        if OVERSIGNED.contains(name) {
            listed.push(*name);
        }
    }
    (listed, chosen)
}

/// A signature field up to the value of its body hash.
fn opening(frozen: &Frozen, selector: &str, key: &Key, listed: &[&str]) -> String {
    let mut field = format!(
        "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;",
        key.algorithm().tag()
    );
    let mut column = field.len();
    for (tag, value) in [
        ("d", Some(frozen.domain.clone())),
        ("s", Some(selector.to_owned())),
        ("t", Some(frozen.signed_at.to_string())),
        ("x", frozen.expires_at.map(|moment| moment.to_string())),
    ] {
        let Some(value) = value else { continue };
        let text = format!(" {tag}={value};");
        if column + text.len() > LINE {
            field.push_str("\r\n");
            column = 0;
        }
        column += text.len();
        field.push_str(&text);
    }
    field.push_str("\r\n h=");
    let mut column = " h=".len();
    for (index, name) in listed.iter().enumerate() {
        let end = if index + 1 < listed.len() { ':' } else { ';' };
        if column + name.len() + 1 > LINE {
            field.push_str("\r\n  ");
            column = 2;
        }
        field.push_str(name);
        field.push(end);
        column += name.len() + 1;
    }
    field.push_str("\r\n bh=");
    field
}

/// A signature in lines; blanks inside it do not count (RFC 6376 3.5).
fn push_folded(out: &mut String, signature: &str) {
    let mut rest = signature;
    let mut room = LINE - " b=".len();
    while rest.len() > room {
        let (line, after) = rest.split_at(room);
        out.push_str(line);
        out.push_str("\r\n ");
        rest = after;
        room = LINE - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

/// Where the body begins: the piece and the place in it, after the empty line.
fn body_of(edition: &Edition) -> (usize, usize) {
    for (index, piece) in edition.pieces.iter().enumerate() {
        if let Piece::Fixed(range) = piece {
            let bytes = &edition.fixed[range.clone()];
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                return (index, at + 4);
            }
        }
    }
    // All header and no body.
    (edition.pieces.len(), 0)
}

/// The header fields of a message, the line end of the last one included.
fn head(edition: &Edition, values: &[String], body: (usize, usize)) -> Vec<u8> {
    let mut head = Vec::with_capacity(2048);
    for piece in &edition.pieces[..body.0] {
        match piece {
            Piece::Fixed(range) => head.extend_from_slice(&edition.fixed[range.clone()]),
            Piece::Slot(index) => head.extend_from_slice(values[*index].as_bytes()),
        }
    }
    if let Some(Piece::Fixed(range)) = edition.pieces.get(body.0) {
        let bytes = &edition.fixed[range.clone()];
        head.extend_from_slice(&bytes[..body.1 - 2]);
    }
    head
}

/// The body: hashed up to the first slot, prepared from there on.
fn split_body(edition: &Edition, body: (usize, usize)) -> (BodyHash, Vec<Tail>) {
    let mut start = BodyHash::new();
    let mut tail = Vec::new();
    for (index, piece) in edition.pieces.iter().enumerate().skip(body.0) {
        match piece {
            Piece::Fixed(range) => {
                let skipped = if index == body.0 { body.1 } else { 0 };
                let bytes = &edition.fixed[range.clone()][skipped..];
                if tail.is_empty() {
                    start.feed(bytes);
                } else {
                    tail.push(Tail::Fixed(Prepared::new(bytes)));
                }
            }
            Piece::Slot(slot) => tail.push(Tail::Slot(*slot)),
        }
    }
    (start, tail)
}
