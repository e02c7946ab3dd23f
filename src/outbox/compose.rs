//! What is sent for a delivery: the envelope, and the message, its slots filled
//! and, where the issue was frozen to be signed, signed.
//!
//! A session makes its message itself. A signature takes a fraction of a
//! millisecond, in which other sessions run on the other cores; to hand it to a
//! thread and to be woken by it takes the same cores from the same work.

use super::issues::Ready;
use crate::{
    domain::delivery::DueDelivery,
    links::Signer,
    mail::{
        Addressed, Message,
        dkim::CryptoError,
        smtp::{Envelope, Trouble},
    },
};

/// From whom and to whom the relay is told that `delivery` goes, or why that
/// cannot be said.
pub(super) fn envelope(
    ready: &Ready,
    delivery: &DueDelivery,
    signer: &Signer,
) -> Result<Envelope, String> {
    let Ok(from) = ready.composer.envelope_from(delivery.id, signer) else {
        return Err("its envelope sender is no address".to_owned());
    };
    Envelope::new(&from, &delivery.address).map_err(|trouble| match trouble {
        Trouble::Address(reason) => reason,
        other => other.to_string(),
    })
}

/// The message of `delivery`, the same at every attempt.
pub(super) fn message(
    ready: &Ready,
    delivery: &DueDelivery,
    signer: &Signer,
) -> Result<Message, CryptoError> {
    let to = Addressed {
        issue: delivery.issue,
        delivery: delivery.id,
        issue_number: ready.number,
        subscriber: delivery.subscriber,
        address: &delivery.address,
        name: delivery.name.as_deref(),
    };
    ready.composer.message(&to, signer)
}
