//! Makes the message of a delivery: slots filled and, where the issue was
//! frozen to be signed, signed. A signature takes a good part of a millisecond,
//! so that is done away from the threads on which sessions wait.

use std::{panic, sync::Arc, thread};

use tokio::{sync::Semaphore, task};

use super::{OutboxError, issues::Ready};
use crate::{
    domain::delivery::DueDelivery,
    links::Signer,
    mail::{
        Addressed, Message,
        dkim::CryptoError,
        smtp::{Envelope, Trouble},
    },
};

/// Makes the messages of one drain.
pub(super) struct Compose {
    signer: Arc<Signer>,
    /// As many signatures at once as there are cores: more would only wait for
    /// each other, and take the cores from the sessions.
    turns: Arc<Semaphore>,
}

impl Compose {
    pub(super) fn new(signer: Signer) -> Self {
        let cores = thread::available_parallelism().map_or(1, Into::into);
        Self {
            signer: Arc::new(signer),
            turns: Arc::new(Semaphore::new(cores)),
        }
    }

    /// From whom and to whom the relay is told that `delivery` goes, or why
    /// that cannot be said.
    pub(super) fn envelope(
        &self,
        ready: &Ready,
        delivery: &DueDelivery,
    ) -> Result<Envelope, String> {
        let Ok(from) = ready.composer.envelope_from(delivery.id, &self.signer) else {
            return Err("its envelope sender is no address".to_owned());
        };
        Envelope::new(&from, &delivery.address).map_err(|trouble| match trouble {
            Trouble::Address(reason) => reason,
            other => other.to_string(),
        })
    }

    /// The message of `delivery`, the same at every attempt.
    pub(super) async fn message(
        &self,
        ready: &Arc<Ready>,
        delivery: &DueDelivery,
    ) -> Result<Message, OutboxError> {
        if !ready.composer.signs() {
            return Ok(compose(ready, delivery, &self.signer)?);
        }
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .expect("the turns are never closed");
        let (ready, delivery) = (Arc::clone(ready), delivery.clone());
        let signer = Arc::clone(&self.signer);
        let signing = task::spawn_blocking(move || {
            let message = compose(&ready, &delivery, &signer);
            drop(turn);
            message
        });
        match signing.await {
            Ok(message) => Ok(message?),
            // It costs the session that asked, as if it had signed itself.
            Err(ended) => panic::resume_unwind(ended.into_panic()),
        }
    }
}

fn compose(ready: &Ready, delivery: &DueDelivery, signer: &Signer) -> Result<Message, CryptoError> {
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
