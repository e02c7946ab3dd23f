//! What is sent for a delivery: the envelope, and the message, its slots filled
//! and, where the issue was frozen to be signed, signed.
//!
//! A signature takes a fraction of a millisecond: threads of their own make them,
//! one for each core, so that no answer of a relay waits to be read meanwhile. What
//! is not signed takes less than to wake a thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, OnceLock},
    thread,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

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

/// By so much they step back behind the threads that talk to relays: an answer that
/// was not read yet is one of which nobody would know.
const NICE: i32 = 10;

/// The threads that sign; `None` where the system gives none.
fn signers() -> Option<&'static ThreadPool> {
    static SIGNERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        ThreadPoolBuilder::new()
            .thread_name(|number| format!("signer-{number}"))
            .start_handler(|_| {
                // Where it is refused, they compete as equals.
                let _ = rustix::process::nice(NICE);
            })
            .build()
            .ok()
    };
    SIGNERS.get_or_init(start).as_ref()
}

/// A message that another thread signs.
pub(super) struct Signing(oneshot::Receiver<thread::Result<Result<Message, CryptoError>>>);

impl Signing {
    /// Begins to make the message of `delivery`; `None` if its session is to make it.
    pub(super) fn begin(
        ready: &Arc<Ready>,
        delivery: &DueDelivery,
        signer: &Arc<Signer>,
    ) -> Option<Self> {
        if !ready.composer.signs() {
            return None;
        }
        let signers = signers()?;
        let (done, signing) = oneshot::channel();
        let (ready, delivery, signer) = (Arc::clone(ready), delivery.clone(), Arc::clone(signer));
        signers.spawn(move || {
            // What panics is this message, as if its session had made it.
            let made = catch_unwind(AssertUnwindSafe(|| message(&ready, &delivery, &signer)));
            drop(done.send(made));
        });
        Some(Self(signing))
    }

    /// The message, once it is made.
    pub(super) async fn message(self) -> Result<Message, CryptoError> {
        match self.0.await {
            Ok(Ok(made)) => made,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => unreachable!("the thread always answers"),
        }
    }
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
