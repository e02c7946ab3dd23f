//! Makes the message of a delivery: slots filled, signed where the issue was
//! frozen with DKIM.

use super::{OutboxError, issues::Ready};
use crate::{
    domain::delivery::DueDelivery,
    links::Signer,
    mail::{Addressed, Message},
};

/// Makes the messages of one drain.
pub(super) struct Compose {
    signer: Signer,
}

impl Compose {
    pub(super) fn new(signer: Signer) -> Self {
        Self { signer }
    }

    /// The message of `delivery`, the same at every attempt.
    pub(super) async fn message(
        &self,
        ready: &Ready,
        delivery: &DueDelivery,
    ) -> Result<Message, OutboxError> {
        let to = Addressed {
            issue: delivery.issue,
            delivery: delivery.id,
            issue_number: ready.number,
            subscriber: delivery.subscriber,
            address: &delivery.address,
            name: delivery.name.as_deref(),
        };
        Ok(ready.composer.message(&to, &self.signer))
    }
}
