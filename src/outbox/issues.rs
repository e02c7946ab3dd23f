//! The editions of the issues under way, read from the ledger once.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use super::OutboxError;
use crate::{
    domain::delivery::IssueId,
    mail::{Composer, Edition, dkim::Keys},
    store::Store,
};

/// What a message of an issue is made of.
pub(super) struct Ready {
    /// The number readers see.
    pub(super) number: u32,
    /// The digest's name.
    pub(super) digest: String,
    /// What makes its messages.
    pub(super) composer: Composer,
}

/// Editions by issue and number: as many as there are, whatever the audience.
pub(super) struct Issues {
    store: Store,
    keys: Option<Keys>,
    ready: Mutex<HashMap<(IssueId, u32), Arc<Ready>>>,
}

impl Issues {
    pub(super) fn new(store: Store, keys: Option<Keys>) -> Self {
        Self {
            store,
            keys,
            ready: Mutex::default(),
        }
    }

    /// What messages of this edition of an issue are made of.
    pub(super) async fn get(
        &self,
        issue: IssueId,
        edition: u32,
    ) -> Result<Arc<Ready>, OutboxError> {
        let key = (issue, edition);
        let mut ready = self.ready.lock().await;
        if let Some(known) = ready.get(&key) {
            return Ok(Arc::clone(known));
        }
        let stored = self
            .store
            .edition(issue, edition)
            .await?
            .ok_or(OutboxError::NoEdition { issue })?;
        let edition = Edition::from_bytes(&stored.bytes)
            .map_err(|source| OutboxError::Edition { issue, source })?;
        let composer =
            Composer::new(edition, self.keys.as_ref()).map_err(|source| OutboxError::Keys {
                issue: format!("{}/{}", stored.digest, stored.number),
                source,
            })?;
        let new = Arc::new(Ready {
            number: stored.number,
            digest: stored.digest,
            composer,
        });
        ready.insert(key, Arc::clone(&new));
        Ok(new)
    }
}
