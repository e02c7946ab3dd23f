//! What a mail server did with one message it was handed: the common evidence
//! of all servers of the harness, which the oracle holds against the ledger.

use data_encoding::HEXLOWER;
use mail_parser::MessageParser;
use sha2::{Digest, Sha256};

/// How the server answered a message whose end it had read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// 2xx decided and made durable; the reply itself may have been lost.
    Accepted,
    /// 4xx or 5xx: this copy does not exist for the reader.
    Refused,
    /// Read to its last dot and never answered in a way a client can read.
    Unanswered,
}

impl Fate {
    /// The word that stands in a journal line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }

    /// Reads a journal word back.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Refused, Self::Unanswered]
            .into_iter()
            .find(|fate| fate.word() == word)
    }
}

/// One message for one recipient, as a server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// What became of it.
    pub(crate) fate: Fate,
    /// Without angle brackets; empty when the message has none.
    pub(crate) message_id: String,
    /// The address of `RCPT TO`.
    pub(crate) recipient: String,
    /// SHA-256 in hex of the message after dot-unstuffing.
    pub(crate) sha256: String,
    /// Bytes of the message after dot-unstuffing.
    pub(crate) bytes: usize,
}

impl Receipt {
    /// The evidence for `data`, taken in for `recipient`.
    pub(crate) fn of(fate: Fate, recipient: &str, data: &[u8]) -> Self {
        Self {
            fate,
            message_id: message_id(data),
            recipient: recipient.to_owned(),
            sha256: HEXLOWER.encode(&Sha256::digest(data)),
            bytes: data.len(),
        }
    }
}

/// The Message-ID of a raw message without its brackets, or an empty string.
pub(crate) fn message_id(data: &[u8]) -> String {
    MessageParser::default()
        .parse_headers(data)
        .and_then(|message| message.message_id().map(str::to_owned))
        .unwrap_or_default()
}
