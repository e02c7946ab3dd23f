//! The editions of the issues under way, read from the ledger once while they
//! are few.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use super::{OutboxError, locked};
use crate::{
    domain::delivery::IssueId,
    links::Signer,
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

/// So many editions are kept, and those whose messages are being made: one that
/// carries its pictures has megabytes, and readers may have chosen in many ways.
const MOST_KEPT: usize = 64;

/// More than what differs by reader takes in a message: fifty of the longest names.
const ROOM: usize = 64 * 1024;

/// Editions by issue and number.
pub(super) struct Issues {
    store: Store,
    keys: Option<Keys>,
    ready: Mutex<HashMap<(IssueId, u32), Arc<Ready>>>,
    /// No message of this issue has more bytes.
    fits: std::sync::Mutex<HashMap<IssueId, usize>>,
}

impl Issues {
    pub(super) fn new(store: Store, keys: Option<Keys>) -> Self {
        Self {
            store,
            keys,
            ready: Mutex::default(),
            fits: std::sync::Mutex::default(),
        }
    }

    /// Bytes of the largest message of an issue, if those are more than `most`: it is
    /// for nobody then, so that not half of its readers have it.
    pub(super) async fn larger_than(
        &self,
        most: usize,
        issue: IssueId,
        signer: &Signer,
    ) -> Result<Option<usize>, OutboxError> {
        let fits = |known: &usize| *known <= most;
        if locked(&self.fits).get(&issue).is_some_and(fits) {
            return Ok(None);
        }
        let may_be_larger = |bytes: u64| bytes.saturating_add(ROOM as u64) > most as u64;
        let mut largest = 0;
        if may_be_larger(self.store.largest_edition(issue).await?) {
            for edition in self.store.editions(issue).await? {
                if edition.readers > 0 && may_be_larger(edition.bytes) {
                    let ready = self.get(issue, edition.number).await?;
                    largest = largest.max(ready.composer.largest(signer)?);
                }
            }
        }
        if largest > most {
            return Ok(Some(largest));
        }
        locked(&self.fits).insert(issue, most);
        Ok(None)
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
        let edition =
            Edition::from_bytes(&stored.bytes).map_err(|source| OutboxError::Edition {
                ledger: self.store.name().to_owned(),
                issue: format!("{}/{}", stored.digest, stored.number),
                source,
            })?;
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
        if ready.len() >= MOST_KEPT {
            ready.retain(|_, kept| Arc::strong_count(kept) > 1);
        }
        ready.insert(key, Arc::clone(&new));
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::frozen_issue, *};
    use crate::{
        config::settings::{Durability, Engine, StoreSettings},
        mail::Edition,
        store::FreezeOutcome,
    };

    #[tokio::test]
    async fn few_of_many_editions_are_kept_and_those_in_hand_stay() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = StoreSettings {
            path: folder.path().join("letterpress.db"),
            durability: Durability::Process,
            allow_network_file_system: false,
            engine: Engine::Sqlite,
        };
        let now = "2026-11-27T05:00:00Z".parse().unwrap();
        let store = Store::open(&ledger, now).await.unwrap();
        let mut freeze = frozen_issue();
        let number = u32::try_from(MOST_KEPT).unwrap() * 3;
        freeze.editions = (0..number).map(|_| Edition::sample().to_bytes()).collect();
        let FreezeOutcome::Frozen(frozen) = store.freeze(freeze, now).await.unwrap() else {
            panic!("not frozen");
        };
        let issues = Issues::new(store, None);
        let in_hand = issues.get(frozen.issue, 1).await.unwrap();
        for edition in 2..=number {
            drop(issues.get(frozen.issue, edition).await.unwrap());
            assert!(issues.ready.lock().await.len() <= MOST_KEPT);
        }
        let again = issues.get(frozen.issue, 1).await.unwrap();
        assert!(Arc::ptr_eq(&in_hand, &again), "it was read a second time");
    }
}
