//! What can be asked of the ledger about articles and what readers are shown of
//! them, output folders and hubs, in the order of a build. Every request fails with a [`StoreError`] when the database
//! cannot be read or written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        article::{ArticleId, Remembered},
        chronicle::{Changes, Chronicle},
    },
    store::{
        Manifest, News, Output, Ping, PingFate, Standing, Store, StoreError, WaitingPings, digests,
        outputs, pings, published, standing,
    },
};

/// Whether anything changed.
impl Store {
    /// What stands for everything below but for the hubs: it is another one
    /// after each change.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        self.read(standing::now).await
    }

    /// The same token after what this handle changed; `None` when somebody else
    /// changed something since it was `before`.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn standing_since(&self, before: &Standing) -> Result<Option<Standing>, StoreError> {
        let now = self.standing().await?;
        let is_ours = before.leads_to(&now, &self.inner.signature);
        Ok(Some(now).filter(|now| is_ours && now.is_known()))
    }
}

/// The memory of articles.
impl Store {
    /// Every article that was given an id, by source file.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn remembered(&self) -> Result<Vec<Remembered>, StoreError> {
        self.read(digests::remembered).await
    }

    /// Keeps the ids of articles. A known source is overwritten; a known id
    /// moves to its new source.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn remember(&self, articles: Vec<Remembered>) -> Result<(), StoreError> {
        self.publish(move |tx| digests::remember(tx, &articles))
            .await
    }
}

/// What readers were shown.
impl Store {
    /// Every article that was ever published, and the complete archive documents.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn chronicle(&self) -> Result<Chronicle, StoreError> {
        self.read(published::chronicle).await
    }

    /// Adds to it what a build changed; doing it again changes nothing.
    ///
    /// # Errors
    /// See the head of this module; then nothing was added.
    pub async fn record_published(
        &self,
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.publish(move |tx| published::record(tx, &changes, now))
            .await
    }

    /// Notes what published articles are called from now on, and nothing else.
    ///
    /// # Errors
    /// See the head of this module; then nothing was changed.
    pub async fn retitle(&self, titles: Vec<(ArticleId, String)>) -> Result<(), StoreError> {
        self.publish(move |tx| published::retitle(tx, &titles))
            .await
    }

    /// What the archive documents in an output folder were made of, by path.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn archive_files(&self, folder: &str) -> Result<HashMap<String, String>, StoreError> {
        let folder = folder.to_owned();
        self.read(move |tx| published::archive_files(tx, &folder))
            .await
    }

    /// Notes what archive documents in an output folder were made of, as pairs
    /// of path and fingerprint.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn note_archive_files(
        &self,
        folder: &str,
        files: Vec<(String, String)>,
    ) -> Result<(), StoreError> {
        let folder = folder.to_owned();
        self.publish(move |tx| published::note_archive_files(tx, &folder, &files))
            .await
    }
}

/// Output folders and hubs.
impl Store {
    /// What was written into an output folder.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn manifest(&self, out_dir: &str) -> Result<Manifest, StoreError> {
        let out_dir = out_dir.to_owned();
        self.read(move |tx| outputs::manifest(tx, &out_dir)).await
    }

    /// Notes, before it is done, what is going to be written into an output
    /// folder and which hub is to hear of it.
    ///
    /// # Errors
    /// See the head of this module; then nothing must be written.
    pub async fn intend_outputs(
        &self,
        out_dir: &str,
        written: Vec<Output>,
        news: Option<News>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let out_dir = out_dir.to_owned();
        self.publish(move |tx| {
            outputs::intend(tx, &out_dir, &written)?;
            news.as_ref()
                .map_or(Ok(()), |news| pings::queue(tx, news, now))
        })
        .await
    }

    /// Notes that what was intended is in its place, and what is gone; the
    /// hubs may be told.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn settle_outputs(&self, out_dir: &str, gone: Vec<Output>) -> Result<(), StoreError> {
        let out_dir = out_dir.to_owned();
        self.publish(move |tx| {
            outputs::forget(tx, &out_dir, &gone)?;
            pings::make_ready(tx)
        })
        .await
    }

    /// Takes the pings of the publication's hub that are due; each is given to
    /// one process only. Without a hub, what waits is forgotten.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn take_pings(
        &self,
        hub: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ping>, StoreError> {
        let hub = hub.map(str::to_owned);
        self.write(move |tx| pings::take(tx, hub.as_deref(), now))
            .await
    }

    /// Records what became of pings that were taken.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn settle_pings(
        &self,
        hub: &str,
        pings: Vec<(Ping, PingFate)>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let hub = hub.to_owned();
        self.write(move |tx| pings::settle(tx, &hub, &pings, now))
            .await
    }

    /// The pings that wait; `None` when every hub knows everything.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn waiting_pings(&self) -> Result<Option<WaitingPings>, StoreError> {
        self.read(pings::waiting).await
    }
}
