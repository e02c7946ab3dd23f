//! Signs the messages of one edition. What they share is done once: the fields
//! without a slot and the rest of the body in relaxed form, the hash of the body
//! before its first slot, and the signature field but for hash and signature.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use data_encoding::BASE64;

use super::{
    CryptoError, Frozen, Key, Keys, Mismatch,
    canonical::{BodyHash, Prepared, relaxed_field},
    header::Header,
};
use crate::mail::edition::{Edition, Piece};

/// Where a line of the signature field is folded.
const LINE: usize = 76;

/// What signs the messages of one edition, on any number of threads.
pub(in crate::mail) struct Signing {
    seals: Vec<Seal>,
    header: Header,
    /// The hash of the body up to the first slot.
    start: BodyHash,
    /// The pieces from there on.
    tail: Vec<Tail>,
}

/// One signature: a key, and its field up to the body hash.
struct Seal {
    key: Arc<Key>,
    field: String,
    /// The same in relaxed form.
    relaxed: Vec<u8>,
}

impl Seal {
    fn new(frozen: &Frozen, selector: &str, key: Arc<Key>, listed: &[&str]) -> Self {
        let field = opening(frozen, selector, &key, listed);
        let mut relaxed = Vec::with_capacity(field.len());
        relaxed_field(field.as_bytes(), &mut relaxed);
        Self {
            key,
            field,
            relaxed,
        }
    }
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
        let (header, listed) = Header::new(edition, body);
        let (start, tail) = split_body(edition, body);
        Ok(Some(Self {
            seals: found
                .into_iter()
                .zip(&frozen.keys)
                .map(|(key, named)| Seal::new(frozen, &named.selector, key, &listed))
                .collect(),
            header,
            start,
            tail,
        }))
    }

    /// The signature fields of a message with these slot values, each with its
    /// line end.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub(in crate::mail) fn sign(&self, values: &[String]) -> Result<String, CryptoError> {
        let body_hash = BASE64.encode(self.body_hash(values).as_ref());
        let mut header = Context::new(&SHA256);
        self.header.relaxed(values, |bytes| header.update(bytes));
        let mut signatures = String::with_capacity(self.seals.len() * 1200);
        for seal in &self.seals {
            let mut hash = header.clone();
            hash.update(&seal.relaxed);
            hash.update(body_hash.as_bytes());
            hash.update(b"; b=");
            let signature = BASE64.encode(&seal.key.sign(&hash.finish())?);
            signatures.push_str(&seal.field);
            signatures.push_str(&body_hash);
            signatures.push_str(";\r\n b=");
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
pub(super) fn body_of(edition: &Edition) -> (usize, usize) {
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
