//! The folder relay: every message becomes an `.eml` file, whole or not there.

use std::{io, path::Path};

use crate::{
    domain::delivery::{DeliveryId, Reply},
    files::{self, Readers},
    mail::Message,
};

/// The file of a delivery: the same for every attempt, so that a repeated one
/// replaces the file and never adds a second.
pub(super) fn file_name(digest: &str, number: u32, delivery: DeliveryId) -> String {
    format!("{digest}-{number:04}-{delivery:07}.eml")
}

/// Writes the message; the reply is one a relay might give.
pub(super) fn deliver(folder: &Path, name: &str, message: &Message) -> io::Result<Reply> {
    files::write(&folder.join(name), &message.to_bytes(), Readers::Owner)?;
    Ok(Reply::new(250, &format!("2.0.0 written to {name}")))
}
