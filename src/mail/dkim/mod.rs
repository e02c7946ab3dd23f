//! DKIM (RFC 6376, 8301, 8463): whose mail this is, signed so that what the
//! reader's server checks cannot have been altered on the way.
//!
//! An issue is frozen to be signed: the domain, the selectors, which keys, and
//! the time are part of the edition, so that every attempt has the same
//! signature. The body before the first slot is hashed once per edition.

mod canonical;
mod header;
mod key;
mod record;
mod signing;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

pub(super) use self::signing::Signing;
pub use self::{
    key::{Algorithm, CryptoError, Key, KeyError},
    record::Record,
};
use crate::config::settings::DkimSettings;

/// The keys of `[mail.dkim]`, loaded once and shared by all that sign.
#[derive(Debug)]
pub struct Keys {
    domain: String,
    valid_for: Option<Duration>,
    keys: Vec<Named>,
}

/// A key under the name that DNS knows it by.
#[derive(Debug)]
struct Named {
    selector: String,
    key: Arc<Key>,
}

/// How an issue is signed, as its edition keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frozen {
    domain: String,
    signed_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    keys: Vec<FrozenKey>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FrozenKey {
    selector: String,
    algorithm: Algorithm,
    fingerprint: String,
}

/// The keys at hand are not those that an issue was frozen with. Whatever was
/// sent of it already has the old signature, and every attempt must be the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// There is no `[mail.dkim]` any more.
    #[error("it was frozen to be signed for {domain}, and letterpress.toml has no [mail.dkim]")]
    Unsigned {
        /// Whose signature is missing.
        domain: String,
    },
    /// It signs for another domain.
    #[error("it was frozen to be signed for {frozen}, and letterpress.toml signs for {configured}")]
    Domain {
        /// Whose signature the issue has.
        frozen: String,
        /// Whose it would get.
        configured: String,
    },
    /// The selector is gone, or has another key.
    #[error(
        "it was frozen to be signed with the {algorithm} key {fingerprint} of selector {selector}, \
         which is not the one letterpress.toml has"
    )]
    Key {
        /// The key's kind.
        algorithm: Algorithm,
        /// The name of its record.
        selector: String,
        /// The public key.
        fingerprint: String,
    },
}

impl Keys {
    /// Reads the keys that `[mail.dkim]` names.
    ///
    /// # Errors
    /// As [`Key::load`]; and when both keys are of one kind.
    pub fn load(settings: &DkimSettings) -> Result<Self, KeyError> {
        let mut keys: Vec<Named> = Vec::new();
        for named in &settings.keys {
            let key = Key::load(&named.file)?;
            if keys
                .iter()
                .any(|other| other.key.algorithm() == key.algorithm())
            {
                return Err(KeyError::SameKind(key.algorithm()));
            }
            keys.push(Named {
                selector: named.selector.clone(),
                key: Arc::new(key),
            });
        }
        Ok(Self {
            domain: settings.domain.clone(),
            valid_for: settings.valid_for,
            keys,
        })
    }

    /// The DNS records to publish, one per key.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.keys
            .iter()
            .map(|named| Record::new(&self.domain, &named.selector, &named.key))
    }

    /// What an issue of this date is frozen with.
    pub(super) fn freeze(&self, date: DateTime<FixedOffset>) -> Frozen {
        let signed_at = date.timestamp();
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Frozen {
            domain: self.domain.clone(),
            signed_at,
            expires_at: self
                .valid_for
                .map(|span| signed_at.saturating_add(seconds(span))),
            keys: self
                .keys
                .iter()
                .map(|named| FrozenKey {
                    selector: named.selector.clone(),
                    algorithm: named.key.algorithm(),
                    fingerprint: named.key.fingerprint(),
                })
                .collect(),
        }
    }
}

impl Frozen {
    /// The keys it was frozen with, from those at hand.
    fn find(&self, keys: Option<&Keys>) -> Result<Vec<Arc<Key>>, Mismatch> {
        let keys = keys.ok_or_else(|| Mismatch::Unsigned {
            domain: self.domain.clone(),
        })?;
        if keys.domain != self.domain {
            return Err(Mismatch::Domain {
                frozen: self.domain.clone(),
                configured: keys.domain.clone(),
            });
        }
        self.keys
            .iter()
            .map(|frozen| {
                keys.keys
                    .iter()
                    .find(|named| {
                        named.selector == frozen.selector
                            && named.key.fingerprint() == frozen.fingerprint
                    })
                    .map(|named| Arc::clone(&named.key))
                    .ok_or_else(|| Mismatch::Key {
                        algorithm: frozen.algorithm,
                        selector: frozen.selector.clone(),
                        fingerprint: frozen.fingerprint.clone(),
                    })
            })
            .collect()
    }
}
