//! Makes archive documents, which stay as they are once they are there (see
//! `feed/archive.rs`).

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::maker::{Maker, Plan, Unmade, broken};
use crate::{
    commands::{Context, exit::Failure, publisher::Publisher},
    domain::{
        article::ArticleId,
        chronicle::{Documents, Tombstone},
        publication::FeedContent,
    },
    feed::{self, File, Part, Stream},
};

/// Changes when archive documents are written differently, so that those of
/// older versions are made anew.
const ARCHIVE_VERSION: &str = "1";

impl Maker<'_> {
    /// Numbers of the archive documents of a stream, oldest first.
    pub(in crate::commands) fn archive_numbers(&self, stream: &Stream) -> Vec<u32> {
        let is_archived = self.config.feeds.archive_size.is_some() && stream.is_archived();
        let documents = self.chronicle.archives.get(&stream.path());
        let documents = documents.filter(|_| is_archived);
        let numbers = documents.into_iter().flat_map(Documents::iter);
        numbers.map(|(number, _)| number).collect()
    }

    /// One archive document of a stream, if it is complete.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::commands) fn archive(
        &self,
        stream: &Stream,
        number: u32,
    ) -> Result<Vec<File>, Unmade> {
        let documents = self.chronicle.archives.get(&stream.path());
        let found = documents.and_then(|documents| {
            let (_, ids) = documents.iter().find(|(known, _)| *known == number)?;
            Some(self.document(stream, documents, number, ids))
        });
        let Some(plan) = found else {
            return Ok(Vec::new());
        };
        let bodies = self.bodies(&plan)?;
        Ok(self.assemble(&plan).with_bodies(&bodies)?.files()?)
    }

    /// Makes the archive documents that are not there as they should be, and
    /// returns their paths with what they were made of.
    pub(super) fn archives(
        &self,
        context: &Context,
        known: &HashMap<String, String>,
        publisher: &Publisher<'_>,
    ) -> Result<Vec<(String, String)>, Failure> {
        if self.config.feeds.archive_size.is_none() {
            return Ok(Vec::new());
        }
        let mut plans = Vec::new();
        let mut noted = Vec::new();
        for stream in self.streams().iter().filter(|stream| stream.is_archived()) {
            let Some(documents) = self.chronicle.archives.get(&stream.path()) else {
                continue;
            };
            for (number, ids) in documents.iter() {
                let plan = self.document(stream, documents, number, ids);
                let fingerprint = self.fingerprint(&plan);
                let paths = feed::archive_files(stream, number).map(|file| file.path);
                let is_known = |path: &String| known.get(path) == Some(&fingerprint);
                if paths.iter().all(is_known) && publisher.keep_all(&paths)? {
                    continue;
                }
                noted.extend(paths.map(|path| (path, fingerprint.clone())));
                plans.push(plan);
            }
        }
        let bar = context.talk.bar("archiving", plans.len() as u64);
        // An article is rendered once for all its documents, and in memory only
        // as long as one of them is to come: so those of one time come together.
        plans.sort_by_key(|plan| plan.articles.last().map(|oldest| oldest.published));
        let renderer = self.renderer();
        let uses = Uses::of(&plans);
        plans.par_iter().try_for_each(|plan| {
            let bodies = renderer.render_all(plan.articles.iter().copied())?;
            let feed = self.assemble(plan).with_bodies(&bodies);
            let files = feed.and_then(|feed| feed.files());
            for file in files.map_err(|error| broken(&error))? {
                publisher.put(&file.path, None, &file.bytes)?;
            }
            for article in &plan.articles {
                if uses.end(&article.id) {
                    renderer.forget(&article.id);
                }
            }
            bar.inc(1);
            Ok::<(), Failure>(())
        })?;
        bar.finish_and_clear();
        Ok(noted)
    }

    fn document<'b>(
        &'b self,
        stream: &'b Stream,
        documents: &Documents,
        number: u32,
        ids: &[ArticleId],
    ) -> Plan<'b> {
        let (older, newer) = documents.around(number);
        let mut withdrawn: Vec<Tombstone> = ids
            .iter()
            .filter_map(|id| {
                let at = self.chronicle.published.get(id)?.gone_at?;
                Some(Tombstone { id: id.clone(), at })
            })
            .collect();
        withdrawn.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Plan {
            stream,
            articles: feed::document(&self.loaded.collection, ids),
            part: Part::Archive {
                number,
                older,
                newer,
            },
            withdrawn,
        }
    }

    /// What may change an archive document: where everything is read, and what
    /// was taken back. Not the words of articles, and not the next document.
    fn fingerprint(&self, plan: &Plan<'_>) -> String {
        let publication = &self.config.publication;
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text);
            hash.update([0]);
        };
        add(ARCHIVE_VERSION);
        add(publication.base_url.as_str());
        add(&publication.id_authority);
        add(&self.config.content.permalink);
        add(match self.config.feeds.content {
            FeedContent::Full => "full",
            FeedContent::Summary => "summary",
        });
        if let Part::Archive { number, older, .. } = plan.part {
            add(&format!("{number} {older:?}"));
        }
        for article in &plan.articles {
            add(article.id.as_str());
        }
        for stone in &plan.withdrawn {
            add(&format!("{} {}", stone.id, stone.at.timestamp()));
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

/// In how many documents that are still to be made each article stands.
struct Uses<'a>(HashMap<&'a ArticleId, AtomicUsize>);

impl<'a> Uses<'a> {
    fn of(plans: &[Plan<'a>]) -> Self {
        let mut uses: HashMap<&ArticleId, AtomicUsize> = HashMap::new();
        for article in plans.iter().flat_map(|plan| &plan.articles) {
            *uses.entry(&article.id).or_default().get_mut() += 1;
        }
        Self(uses)
    }

    /// One of them is made: whether it was the last.
    fn end(&self, article: &ArticleId) -> bool {
        let left = self.0.get(article);
        left.is_none_or(|left| left.fetch_sub(1, Ordering::Relaxed) <= 1)
    }
}
