//! The feeds of a build: the ledger learns what is shown, then every stream's
//! documents are made, many at a time, and handed to the publisher.

mod archives;
mod history;
mod maker;

pub(super) use self::{
    history::foresee,
    maker::{Maker, Plan, Unmade, publish as publish_outlines},
};
use super::{Context, ahead::Ahead, exit::Failure, publisher::Publisher, retouch, workspace};
use crate::{config::Config, content::Loaded, domain::chronicle::Chronicle, feed, store::Store};

/// What was made, for the ledger.
#[must_use]
pub struct Made {
    /// The ledger learns what readers are shown; it must know it before they are.
    pub recording: Ahead<()>,
    /// See [`retouch::shown`].
    shown: Option<Vec<u8>>,
    folder: String,
    /// What new archive documents were made of. The ledger may know it once
    /// they stand in their places, not before.
    files: Vec<(String, String)>,
}

impl Made {
    /// Tells the ledger; for when the publisher has finished. What each stream
    /// shows, for the next build, if that may go by it.
    ///
    /// # Errors
    /// When the ledger cannot be written; then the next build makes the same
    /// documents again.
    pub async fn note(self, store: &Store) -> Result<Option<Vec<u8>>, Failure> {
        if !self.files.is_empty() {
            let noting = store.note_archive_files(&self.folder, self.files).await;
            noting.map_err(workspace::store_failure)?;
        }
        Ok(self.shown)
    }
}

/// Makes every feed. `known` is what readers were shown until now.
///
/// # Errors
/// When the ledger or a file cannot be written.
pub async fn publish(
    context: &Context,
    config: &Config,
    store: &Store,
    loaded: &Loaded,
    known: Chronicle,
    publisher: &Publisher<'_>,
) -> Result<Made, Failure> {
    // 1. What readers are shown from now on.
    let (chronicle, recording) = history::record(context, config, store, loaded, known);
    // 2. What they subscribe to.
    let maker = Maker::new(config, loaded, &chronicle);
    let plans = maker.subscriptions();
    let is_wanted = loaded.survey.is_some();
    let shown = is_wanted.then(|| retouch::shown(&plans, &loaded.collection));
    maker.publish(context, publisher, &plans)?;
    maker.podcasts(publisher)?;
    let list = feed::opml(&config.publication, &loaded.collection, maker.streams());
    let list = list.map_err(|error| maker::broken(&error))?;
    publisher.put(&list.path, None, &list.bytes)?;
    // 3. What stays as it is once it is there.
    let folder = publisher.folder().to_owned();
    let known = store.archive_files(&folder).await;
    let known = known.map_err(workspace::store_failure)?;
    let files = maker.archives(context, &known, publisher)?;
    Ok(Made {
        recording,
        shown: shown.flatten(),
        folder,
        files,
    })
}
