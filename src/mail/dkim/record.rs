//! The DNS record that lets the world check a signature (RFC 6376 3.6).

use serde::Serialize;

use super::{Algorithm, Key};

/// Most bytes of one string of a TXT record (RFC 1035 3.3).
const LONGEST_STRING: usize = 255;

/// A TXT record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The selector under which the key is published.
    pub selector: String,
    /// What kind of key it is.
    pub algorithm: Algorithm,
    /// The bits of the key.
    pub bits: usize,
    /// `selector._domainkey.domain`.
    pub name: String,
    /// The whole value: for web forms of DNS providers.
    pub value: String,
    /// The value in strings of at most 255 bytes: for zone files.
    pub strings: Vec<String>,
    /// What tells this public key from others.
    pub fingerprint: String,
}

impl Record {
    /// The record of `key` under `selector` of `domain`.
    #[must_use]
    pub fn new(domain: &str, selector: &str, key: &Key) -> Self {
        let algorithm = key.algorithm();
        let value = format!("v=DKIM1; k={algorithm}; p={}", key.public());
        let strings = value
            .as_bytes()
            .chunks(LONGEST_STRING)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        Self {
            selector: selector.to_owned(),
            algorithm,
            bits: key.bits(),
            name: format!("{selector}._domainkey.{domain}"),
            value,
            strings,
            fingerprint: key.fingerprint(),
        }
    }

    /// The line of a zone file (RFC 1035 5.1).
    #[must_use]
    pub fn zone_line(&self) -> String {
        let strings: Vec<String> = self
            .strings
            .iter()
            .map(|part| format!("\"{part}\""))
            .collect();
        match strings.as_slice() {
            [one] => format!("{}. IN TXT {one}", self.name),
            several => format!("{}. IN TXT ( {} )", self.name, several.join("\n    ")),
        }
    }
}
