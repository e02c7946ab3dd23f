//! The contract of the store, promise by promise: `contract/` holds for either
//! engine and is run against both, the rest for what one of them alone does.

mod postgres;
mod sqlite;

/// The server that the integration tests use, too.
#[path = "../../../tests/harness"]
#[expect(dead_code, reason = "they use more of it")]
mod harness {
    pub(super) mod net;
    pub(super) mod postgres;
}

use std::{collections::HashSet, marker::PhantomData, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use self::harness::postgres::Database;

use crate::{
    config::settings::{Durability, Sender, StoreSettings},
    domain::{
        address::EmailAddress,
        article::{ArticleId, Slug},
        delivery::{AttemptId, DeliveryId, DueDelivery, Intent, IssueId, Reply, State},
        issue::Occasion,
        subscriber::{NewSubscriber, Status},
    },
    store::{
        Begun, Counts, Freeze, FreezeOutcome, Frozen, FrozenArticle, Scope, Share, Store,
        StoreError,
    },
};

/// A ledger of its own in a folder of its own.
struct World<E> {
    store: Store,
    settings: StoreSettings,
    folder: TempDir,
    /// What else goes with it.
    database: Option<Database>,
    engine: PhantomData<E>,
}

/// The morning of the sample issue.
fn now() -> DateTime<Utc> {
    "2026-11-27T05:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

fn weekly() -> Slug {
    "weekly".parse().unwrap()
}

fn article(name: &str) -> ArticleId {
    ArticleId::new(&format!("tag:magazine.example.org,2026:{name}")).unwrap()
}

fn reader(text: &str, status: Status) -> NewSubscriber {
    NewSubscriber {
        address: address(text),
        name: Some("Thandi".to_owned()),
        status,
        choice: Default::default(),
    }
}

fn occasion(text: &str) -> Occasion {
    text.parse().unwrap()
}

fn issue(number: u32, occasion_text: &str) -> Freeze {
    Freeze {
        digest: weekly(),
        occasion: occasion(occasion_text),
        number,
        title: "The weekly letter".to_owned(),
        subject: "Five soups and 2 more".to_owned(),
        sender: Sender {
            name: "The Magazine".to_owned(),
            address: address("news@magazine.example.org"),
        },
        articles: vec![FrozenArticle {
            id: article(&format!("article-{number}")),
            title: "Five soups".to_owned(),
        }],
        passed_over: Vec::new(),
        editions: vec![b"edition".to_vec()],
        shares: vec![Share::EVERYTHING],
        caught_up: Vec::new(),
        missed: Vec::new(),
        hold: None,
        idempotency_header: None,
        expire_at: now() + TimeDelta::hours(72),
    }
}

fn ok() -> Reply {
    Reply::new(250, "2.0.0 queued as 4711")
}

impl<E> World<E> {
    async fn join(&self, readers: usize) {
        let readers = (0..readers)
            .map(|n| reader(&format!("reader{n}@example.org"), Status::Active))
            .collect();
        self.store
            .add(readers, "import list.csv", now(), false)
            .await
            .unwrap();
    }

    /// The same with so many readers and an issue to all of them.
    async fn with_issue(self, readers: usize) -> (Self, IssueId) {
        self.join(readers).await;
        let frozen = self.freeze(&issue(1, "2026-11-27T07:00")).await;
        (self, frozen.issue)
    }

    async fn freeze(&self, issue: &Freeze) -> Frozen {
        match self.store.freeze(issue.clone(), now()).await.unwrap() {
            FreezeOutcome::Frozen(frozen) => frozen,
            other => panic!("{other:?}"),
        }
    }

    async fn due(&self, at: DateTime<Utc>) -> Vec<DueDelivery> {
        let due = self
            .store
            .due(Scope::Everything, 10_000, at, HashSet::new());
        due.await.unwrap()
    }

    async fn first_due(&self) -> DeliveryId {
        self.due(now()).await[0].id
    }

    async fn granted(&self, delivery: DeliveryId) -> AttemptId {
        match self.store.intent(delivery, now()).await.unwrap() {
            Intent::Granted(attempt) => attempt,
            Intent::Refused => panic!("delivery {delivery} was refused"),
        }
    }

    async fn counts(&self, issue: IssueId) -> Counts {
        self.store.progress(issue).await.unwrap()
    }

    async fn count(&self, issue: IssueId, state: State) -> u64 {
        self.counts(issue).await.get(&state).copied().unwrap_or(0)
    }

    async fn begun(&self, pid: u32, at: DateTime<Utc>) -> i64 {
        match self.store.begin_run(pid, at).await.unwrap() {
            Begun::Run(number) => number,
            Begun::Restored(restored) => panic!("{restored:?}"),
        }
    }

    /// Every test may end with this: nothing ever fails to add up.
    async fn adds_up(&self) {
        assert_eq!(self.store.verify().await.unwrap(), Vec::<String>::new());
    }

    /// Runs statements that no request would, as other hands might.
    async fn meddle(&self, sql: &'static str) -> Result<(), StoreError> {
        self.store
            .session(move |session| {
                session.connection().execute_batch(sql).unwrap();
                Ok(())
            })
            .await
    }
}

/// Every file of the ledger, in lower case.
fn files(folder: &TempDir) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
            (path.display().to_string(), bytes)
        })
        .collect()
}

/// Which of the files beside a ledger hold these bytes.
fn files_with(folder: &TempDir, needle: &str) -> Vec<String> {
    let needle = needle.as_bytes();
    let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    let files = files(folder).into_iter();
    files
        .filter(|(_, bytes)| has(bytes))
        .map(|(name, _)| name)
        .collect()
}
