//! What readers are shown from now on, as the ledger keeps it: articles that are
//! new, gone or back, and the archive documents that are complete.

use chrono::{DateTime, Utc};

use crate::{
    commands::{Context, ahead::Ahead},
    config::Config,
    content::Loaded,
    domain::{
        article::Article,
        chronicle::{Archived, Changes, Chronicle, Documents},
    },
    feed,
    store::Store,
};

/// Tells the ledger which articles are new, gone or back, and which archive
/// documents are complete.
pub(super) fn record(
    context: &Context,
    config: &Config,
    store: &Store,
    loaded: &Loaded,
    known: Chronicle,
) -> (Chronicle, Ahead<()>) {
    let now = context.clock.start();
    let (chronicle, changes) = foresee(config, loaded, known, now);
    if changes.is_empty() {
        return (chronicle, Ahead::nothing());
    }
    let store = store.clone();
    let recording = Ahead::of(async move { store.record_published(changes, now).await });
    (chronicle, recording)
}

/// What a build at `now` would make of the chronicle, and what it would add.
pub(in crate::commands) fn foresee(
    config: &Config,
    loaded: &Loaded,
    mut chronicle: Chronicle,
    now: DateTime<Utc>,
) -> (Chronicle, Changes) {
    let collection = &loaded.collection;
    let folders = |article: &Article| feed::folders_of(article, collection);
    let mut changes = chronicle.changes(collection, folders, now);
    chronicle.apply(&noticed(&chronicle, &changes));
    let archived = completed(config, loaded, &chronicle);
    chronicle.apply(&Changes {
        archived: archived.clone(),
        ..Changes::default()
    });
    changes.archived = archived;
    (chronicle, changes)
}

/// The changes that feeds tell of: what is gone and what is back. New articles
/// may be very many, and no feed asks the chronicle for them.
fn noticed(chronicle: &Chronicle, changes: &Changes) -> Changes {
    let was_gone = |id| {
        let known = chronicle.published.get(id);
        known.is_some_and(|known| known.gone_at.is_some())
    };
    let published = changes.published.iter();
    Changes {
        published: published
            .filter(|(id, row)| row.gone_at.is_some() || was_gone(id))
            .cloned()
            .collect(),
        returned: changes.returned.clone(),
        archived: Vec::new(),
    }
}

/// The articles of archive documents that are complete from now on.
fn completed(config: &Config, loaded: &Loaded, chronicle: &Chronicle) -> Vec<Archived> {
    let none = Documents::default();
    let mut archived = Vec::new();
    for stream in feed::streams(&loaded.collection) {
        let path = stream.path();
        let documents = chronicle.archives.get(&path).unwrap_or(&none);
        let new = feed::complete(&loaded.collection, &stream, &config.feeds, documents);
        let first = documents.newest().unwrap_or(0) + 1;
        for (document, articles) in (first..).zip(new) {
            archived.extend(articles.iter().map(|article| Archived {
                stream: path.clone(),
                document,
                id: article.id.clone(),
                updated: article.updated.to_utc(),
            }));
        }
    }
    archived
}
