//! Signed tokens: what a link or an envelope sender says about a reader,
//! without an address and beyond forging.
//!
//! A token is `v1.kid.payload.mac`. `kid` names the install key, so that a
//! future key can be told from an old one; the MAC is HMAC-SHA256 cut to 128
//! bits under a key derived for one purpose, so that an unsubscribe token
//! opens nothing else. Checking one needs no database.

use std::fmt;

use chrono::{DateTime, Utc};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    article::Slug,
    delivery::{DeliveryId, IssueId},
    subscriber::SubscriberId,
};

/// What begins every token.
const VERSION: &str = "v1";

/// What stands before the token in an envelope sender.
const BOUNCE: &str = "bounce+";

/// Whether a local part looks like that of an envelope sender of ours; only
/// its token proves it.
#[must_use]
pub fn is_bounce_local(local: &str) -> bool {
    let token = local.strip_prefix(BOUNCE);
    let rest = token.and_then(|token| token.strip_prefix(VERSION));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// The tokens of envelope senders of ours that stand in a text, proven or not:
/// also inside the address of somebody who forwards (`SRS0=…=bounce+TOKEN@…`).
pub fn bounce_tokens(text: &str) -> impl Iterator<Item = &str> {
    let marks = text.char_indices().filter(|(_, c)| *c == '+');
    marks.filter_map(|(at, _)| {
        let start = (at + 1).checked_sub(BOUNCE.len())?;
        let is_ours = text.get(start..=at)?.eq_ignore_ascii_case(BOUNCE);
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        is_ours.then(|| &rest[..end.unwrap_or(rest.len())])
    })
}

/// What a token is good for. Each purpose has its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Leave a digest.
    Unsubscribe,
    /// Change what one gets.
    Manage,
    /// Say yes to a subscription.
    Confirm,
    /// Recognise the message that bounced.
    Bounce,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Unsubscribe, Self::Manage, Self::Confirm, Self::Bounce];

    fn label(self) -> &'static str {
        match self {
            Self::Unsubscribe => "unsubscribe",
            Self::Manage => "manage",
            Self::Confirm => "confirm",
            Self::Bounce => "bounce",
        }
    }

    /// Local parts may lose their case on the way; links keep it.
    fn encoding(self) -> Encoding {
        match self {
            Self::Bounce => BASE32_NOPAD,
            Self::Unsubscribe | Self::Manage | Self::Confirm => BASE64URL_NOPAD,
        }
    }
}

/// Eight bytes that stand for a digest's name in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct DigestTag(pub [u8; 8]);

impl DigestTag {
    /// The tag of the digest of this name: always the same.
    #[must_use]
    pub fn of(name: &Slug) -> Self {
        let hash = Sha256::digest(name.as_str().as_bytes());
        Self(first(&hash))
    }
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A reader of a digest: for links.
    Reader {
        /// Who.
        subscriber: SubscriberId,
        /// Of what.
        digest: DigestTag,
    },
    /// A reader who was asked about a digest, and by which mail: for the link that
    /// says yes to that, and to nothing that is asked later.
    Asked {
        /// Who.
        subscriber: SubscriberId,
        /// About what.
        digest: DigestTag,
        /// By which mail.
        delivery: DeliveryId,
    },
    /// One delivery: for envelope senders.
    Delivery(DeliveryId),
}

impl Payload {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Reader { subscriber, digest } => [&subscriber.0[..], &digest.0[..]].concat(),
            Self::Asked {
                subscriber,
                digest,
                delivery,
            } => [&subscriber.0[..], &digest.0[..], &delivery.to_be_bytes()].concat(),
            Self::Delivery(id) => id.to_be_bytes().to_vec(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            32 => Some(Self::Asked {
                subscriber: SubscriberId(first(bytes)),
                digest: DigestTag(first(&bytes[16..])),
                delivery: DeliveryId::from_be_bytes(first(&bytes[24..])),
            }),
            24 => Some(Self::Reader {
                subscriber: SubscriberId(first(bytes)),
                digest: DigestTag(first(&bytes[16..])),
            }),
            8 => Some(Self::Delivery(DeliveryId::from_be_bytes(first(bytes)))),
            _ => None,
        }
    }
}

/// The first `N` bytes; callers know that there are as many.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

type HmacSha256 = Hmac<Sha256>;

/// Bytes of a MAC inside a token: 128 bits.
const MAC_BYTES: usize = 16;

/// Makes and checks tokens, Message-IDs and the slot key of one installation.
#[derive(Clone)]
pub struct Signer {
    kid: String,
    /// One keyed state per purpose, in the order of [`Purpose::ALL`].
    purposes: [HmacSha256; 4],
    message_ids: HmacSha256,
    slots: HmacSha256,
    forms: HmacSha256,
}

impl Signer {
    /// Derives every key from the install key.
    #[must_use]
    pub fn new(install_key: &[u8; 32]) -> Self {
        let root = keyed(install_key);
        let derive = |label: &str| keyed(&mac(&root, &[b"letterpress v1 ", label.as_bytes()]));
        let kid = mac(&derive("kid"), &[]);
        Self {
            kid: lower32(&kid)[..4].to_owned(),
            purposes: Purpose::ALL.map(|purpose| derive(purpose.label())),
            message_ids: derive("message-id"),
            slots: derive("slot"),
            forms: derive("form"),
        }
    }

    /// The local part of the envelope sender that knows its delivery.
    #[must_use]
    pub fn bounce_local(&self, delivery: DeliveryId) -> String {
        let token = self.token(Purpose::Bounce, &Payload::Delivery(delivery));
        format!("{BOUNCE}{token}")
    }

    /// The token that says `payload` for `purpose`. A bounce token is lower
    /// case and at most 48 characters, so that `bounce+TOKEN` is a local part.
    #[must_use]
    pub fn token(&self, purpose: Purpose, payload: &Payload) -> String {
        let bytes = payload.to_bytes();
        let mac = mac(self.key(purpose), &[self.kid.as_bytes(), b".", &bytes]);
        let encoding = purpose.encoding();
        let token = format!(
            "{VERSION}.{}.{}.{}",
            self.kid,
            encoding.encode(&bytes),
            encoding.encode(&mac[..MAC_BYTES])
        );
        match purpose {
            Purpose::Bounce => token.to_ascii_lowercase(),
            Purpose::Unsubscribe | Purpose::Manage | Purpose::Confirm => token,
        }
    }

    /// What a token says, if it was made here for this purpose; `None` says
    /// no more than that. The MAC is compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, token: &str) -> Option<Payload> {
        if token.len() > 128 {
            return None;
        }
        let token = match purpose {
            Purpose::Bounce => token.to_ascii_lowercase(),
            Purpose::Unsubscribe | Purpose::Manage | Purpose::Confirm => token.to_owned(),
        };
        let mut parts = token.split('.');
        let (version, kid) = (parts.next()?, parts.next()?);
        let (payload, given) = (parts.next()?, parts.next()?);
        if version != VERSION || kid != self.kid || parts.next().is_some() {
            return None;
        }
        let decode = |part: &str| match purpose {
            Purpose::Bounce => BASE32_NOPAD.decode(part.to_ascii_uppercase().as_bytes()),
            Purpose::Unsubscribe | Purpose::Manage | Purpose::Confirm => {
                BASE64URL_NOPAD.decode(part.as_bytes())
            }
        };
        let bytes = decode(payload).ok()?;
        let given = decode(given).ok().filter(|mac| mac.len() == MAC_BYTES)?;
        let mut expected = self.key(purpose).clone();
        expected.update(kid.as_bytes());
        expected.update(b".");
        expected.update(&bytes);
        expected.verify_truncated_left(&given).ok()?;
        Payload::from_bytes(&bytes)
    }

    /// The Message-ID of a delivery, in angle brackets (RFC 5322 3.6.4): the
    /// same at every attempt, and without an address inside.
    #[must_use]
    pub fn message_id(
        &self,
        issue: IssueId,
        delivery: DeliveryId,
        issue_number: u32,
        domain: &str,
    ) -> String {
        let id = mac(
            &self.message_ids,
            &[&issue.to_be_bytes(), &delivery.to_be_bytes()],
        );
        format!("<{}.{issue_number}@{domain}>", lower32(&id[..20]))
    }

    /// The secret part of the marks that stand for slots while a template is
    /// rendered: 26 characters of `a-z2-7` that no article can know.
    #[must_use]
    pub fn slot_key(&self) -> String {
        lower32(&mac(&self.slots, &[])[..16])
    }

    /// What a form takes along to tell when it was shown.
    #[must_use]
    pub fn stamp(&self, shown: DateTime<Utc>) -> String {
        let at = shown.timestamp_millis().to_be_bytes();
        let mac = mac(&self.forms, &[&at]);
        let encoding = BASE64URL_NOPAD;
        format!(
            "{}.{}",
            encoding.encode(&at),
            encoding.encode(&mac[..MAC_BYTES])
        )
    }

    /// When a form was shown, if it was one of ours.
    #[must_use]
    pub fn stamped(&self, stamp: &str) -> Option<DateTime<Utc>> {
        let (at, given) = stamp.split_once('.').filter(|_| stamp.len() <= 64)?;
        let at = BASE64URL_NOPAD.decode(at.as_bytes()).ok()?;
        let given = BASE64URL_NOPAD.decode(given.as_bytes()).ok()?;
        let mut expected = self.forms.clone();
        expected.update(&at);
        let is_whole = at.len() == 8 && given.len() == MAC_BYTES;
        is_whole
            .then(|| expected.verify_truncated_left(&given).ok())
            .flatten()?;
        DateTime::from_timestamp_millis(i64::from_be_bytes(first(&at)))
    }

    fn key(&self, purpose: Purpose) -> &HmacSha256 {
        match purpose {
            Purpose::Unsubscribe => &self.purposes[0],
            Purpose::Manage => &self.purposes[1],
            Purpose::Confirm => &self.purposes[2],
            Purpose::Bounce => &self.purposes[3],
        }
    }
}

/// Never shows a key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)")
}

fn mac(key: &HmacSha256, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn lower32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Payload {
        Payload::Reader {
            subscriber: SubscriberId([7; 16]),
            digest: DigestTag::of(&"weekly".parse().unwrap()),
        }
    }

    fn asked() -> Payload {
        Payload::Asked {
            subscriber: SubscriberId([7; 16]),
            digest: DigestTag::of(&"weekly".parse().unwrap()),
            delivery: 4711,
        }
    }

    #[test]
    fn a_token_says_what_was_put_in() {
        let signer = Signer::new(&[1; 32]);
        for purpose in Purpose::ALL {
            for payload in [reader(), asked(), Payload::Delivery(i64::MAX)] {
                let token = signer.token(purpose, &payload);
                assert!(token.len() <= 96, "{token}");
                assert_eq!(signer.verify(purpose, &token), Some(payload));
            }
        }
    }

    #[test]
    fn a_token_is_good_for_one_purpose_and_one_installation() {
        let signer = Signer::new(&[1; 32]);
        let token = signer.token(Purpose::Unsubscribe, &reader());
        assert_eq!(signer.verify(Purpose::Manage, &token), None);
        assert_eq!(
            Signer::new(&[2; 32]).verify(Purpose::Unsubscribe, &token),
            None
        );
    }

    #[test]
    fn a_token_with_any_character_changed_is_refused() {
        let signer = Signer::new(&[1; 32]);
        let token = signer.token(Purpose::Unsubscribe, &reader());
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(signer.verify(Purpose::Unsubscribe, &forged), None);
        }
        for odd in [
            "",
            "v1",
            "v1...",
            &token[..token.len() - 2],
            &format!("{token}.x"),
            &"v".repeat(10_000),
        ] {
            assert_eq!(signer.verify(Purpose::Unsubscribe, odd), None);
        }
    }

    #[test]
    fn a_bounce_token_survives_a_change_of_case_and_fits_a_local_part() {
        let signer = Signer::new(&[1; 32]);
        let token = signer.token(Purpose::Bounce, &Payload::Delivery(42));
        assert_eq!(token, token.to_ascii_lowercase());
        assert!(BOUNCE.len() + token.len() <= 64, "{token}");
        assert_eq!(
            signer.verify(Purpose::Bounce, &token.to_ascii_uppercase()),
            Some(Payload::Delivery(42))
        );
    }

    #[test]
    fn a_bounce_token_is_found_in_any_address_that_has_it() {
        let signer = Signer::new(&[1; 32]);
        let local = signer.bounce_local(42);
        let token = local.strip_prefix(BOUNCE).unwrap();
        for text in [
            format!("{local}@bounces.example.org"),
            format!("Bounces <{local}@bounces.example.org>, other@example.net"),
            format!("SRS0=ab12=tt=bounces.example.org={local}@forward.example.net"),
            format!("\u{e9}+é <prvs=123={local}@bounces.example.org>"),
        ] {
            let found: Vec<&str> = bounce_tokens(&text).collect();
            assert_eq!(found, [token], "{text}");
        }
        let upper = local.to_ascii_uppercase();
        let found = bounce_tokens(&upper).next().unwrap();
        let payload = signer.verify(Purpose::Bounce, found);
        assert_eq!(payload, Some(Payload::Delivery(42)));
        for odd in ["", "+", "bounce", "é+", "xunce+v1.a"] {
            assert_eq!(bounce_tokens(odd).count(), 0, "{odd}");
        }
    }

    #[test]
    fn a_stamp_tells_when_a_form_was_shown_and_cannot_be_made_by_others() {
        let signer = Signer::new(&[1; 32]);
        let shown = DateTime::from_timestamp_millis(1_790_000_000_123).unwrap();
        let stamp = signer.stamp(shown);
        assert_eq!(signer.stamped(&stamp), Some(shown));
        assert_eq!(Signer::new(&[2; 32]).stamped(&stamp), None);
        let later = signer.stamp(shown + chrono::TimeDelta::hours(1));
        let (mac, at) = (
            stamp.split_once('.').unwrap().1,
            later.split_once('.').unwrap().0,
        );
        for forged in [
            "",
            ".",
            &format!("{at}.{mac}"),
            &stamp[..stamp.len() - 1],
            &"a.".repeat(60),
        ] {
            assert_eq!(signer.stamped(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_message_id_is_the_same_each_time_and_different_for_each_delivery() {
        let signer = Signer::new(&[1; 32]);
        let id = signer.message_id(1, 2, 9, "magazine.example.org");
        assert_eq!(id, signer.message_id(1, 2, 9, "magazine.example.org"));
        assert_ne!(id, signer.message_id(1, 3, 9, "magazine.example.org"));
        assert_ne!(id, signer.message_id(2, 2, 9, "magazine.example.org"));
        assert!(id.starts_with('<') && id.ends_with(".9@magazine.example.org>"));
        assert!(id.len() < 78);
    }

    #[test]
    fn a_signer_does_not_print_its_keys() {
        assert!(format!("{:?}", Signer::new(&[1; 32])).len() < 20);
    }
}
