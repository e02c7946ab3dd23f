//! What the ledger is asked or told before anybody needs the answer: it works
//! on a thread of its own, while articles are read and feeds are made.

use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::{
    exit::{Exit, Failure},
    workspace,
};
use crate::store::StoreError;

/// An answer of the ledger that is on its way, to be taken once.
pub struct Ahead<T>(Mutex<Option<JoinHandle<Result<T, StoreError>>>>);

impl<T: Send + 'static> Ahead<T> {
    /// Asks now.
    pub fn of(request: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Self {
        Self(Mutex::new(Some(tokio::spawn(request))))
    }

    /// Asks nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self(Mutex::new(None))
    }

    /// Waits for the answer; `None` when nothing was asked, or it was taken.
    ///
    /// # Errors
    /// When the ledger failed.
    pub async fn answer(&self) -> Result<Option<T>, Failure> {
        let asked = {
            // A handle is there or not, whoever panicked.
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            asked.take()
        };
        let Some(asked) = asked else {
            return Ok(None);
        };
        let answer = asked
            .await
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        answer.map(Some).map_err(workspace::store_failure)
    }
}
