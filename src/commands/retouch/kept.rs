//! The file in which a build keeps how it saw everything, beside the ledger.
//! Losing it costs time only: bytes that are damaged, or of another build of
//! the program, count as none.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use super::around::Around;
use crate::{
    commands::{feeds::Plan, workspace},
    config::Config,
    content::{Edited, Sight, Survey},
    domain::{
        article::{Article, ArticleId, Tag},
        chronicle::Tombstone,
        collection::{Byline, Collection, Section},
        fingerprint::Fingerprint,
    },
    feed::{Part, Stream},
    files::{
        self, Readers,
        record::{Record, put_bytes, put_length, record, seal, take_length, take_range, unseal},
    },
    store::Standing,
};

/// How the file begins: what it is, and which build of the program made it.
const HEAD: &[u8] = concat!("letterpress standing ", env!("LETTERPRESS_BUILD"), "\n").as_bytes();

/// What the last build kept.
pub(super) struct Kept {
    bytes: Arc<[u8]>,
    pub(super) around: Around,
    /// What the ledger knew.
    pub(super) standing: Standing,
    /// Of the files in the output folder.
    pub(super) outputs: Fingerprint,
    /// Where sections, tags, authors and streams stand in `bytes`.
    frame: Range<usize>,
    pub(super) sections: Vec<Section>,
    pub(super) tags: Vec<Tag>,
    pub(super) bylines: Vec<Byline>,
    streams: Vec<KeptStream>,
    /// Articles that a stream shows: the file of each, and the article.
    articles: Vec<(Range<usize>, Range<usize>)>,
    pub(super) survey: Survey,
}

/// What a stream shows.
#[derive(Debug, Clone)]
struct KeptStream {
    stream: Stream,
    newest: Option<u32>,
    withdrawn: Vec<Tombstone>,
    /// Places in [`Kept::articles`], newest article first.
    articles: Vec<u32>,
}

record!(KeptStream {
    stream,
    newest,
    withdrawn,
    articles,
});

/// The streams that show edited articles, with all that they show.
pub(super) struct Showing {
    pub(super) articles: Vec<Article>,
    pub(super) streams: Vec<ShowingStream>,
}

/// A stream that shows an edited article.
pub(super) struct ShowingStream {
    pub(super) stream: Stream,
    pub(super) newest: Option<u32>,
    pub(super) withdrawn: Vec<Tombstone>,
    /// Newest first.
    pub(super) ids: Vec<ArticleId>,
}

/// What every stream shows, for [`write`]; `None` for a publication with a
/// podcast, which lists all its episodes.
#[must_use]
pub(in crate::commands) fn shown(plans: &[Plan<'_>], collection: &Collection) -> Option<Vec<u8>> {
    let sections: Vec<Section> = collection.sections().values().cloned().collect();
    if sections.iter().any(|section| section.podcast.is_some()) {
        return None;
    }
    let mut places: HashMap<&ArticleId, u32> = HashMap::new();
    let mut articles = Vec::new();
    let mut streams = Vec::with_capacity(plans.len());
    for plan in plans {
        let mut shown = Vec::with_capacity(plan.articles.len());
        for article in &plan.articles {
            let next = u32::try_from(articles.len()).ok()?;
            let place = *places.entry(&article.id).or_insert_with(|| {
                articles.push(*article);
                next
            });
            shown.push(place);
        }
        let Part::Subscription { newest } = plan.part else {
            return None;
        };
        streams.push(KeptStream {
            stream: plan.stream.clone(),
            newest,
            withdrawn: plan.withdrawn.clone(),
            articles: shown,
        });
    }
    let mut frame = Vec::with_capacity(64 << 10);
    sections.put(&mut frame);
    collection
        .tags()
        .cloned()
        .collect::<Vec<_>>()
        .put(&mut frame);
    let bylines: Vec<Byline> = collection.bylines().cloned().collect();
    bylines.put(&mut frame);
    streams.put(&mut frame);
    let mut out = Vec::with_capacity(frame.len() + articles.len() * 1024);
    put_bytes(&frame, &mut out);
    put_length(articles.len(), &mut out);
    for article in articles {
        put_article(article, &mut out);
    }
    Some(out)
}

fn put_article(article: &Article, out: &mut Vec<u8>) {
    article.source.put(out);
    let mut record = Vec::with_capacity(1024);
    article.put(&mut record);
    put_bytes(&record, out);
}

/// Keeps how a build saw everything. Without it the next one takes longer and
/// does the same, so a failure is none.
pub(super) fn write(
    config: &Config,
    (around, standing, outputs): (Around, &Standing, Fingerprint),
    shown: &[u8],
    survey: &[u8],
) {
    let bytes = seal(HEAD, shown.len() + survey.len() + 256, |out| {
        around.put(out);
        put_bytes(standing.as_str(), out);
        outputs.put(out);
        out.extend_from_slice(shown);
        out.extend_from_slice(survey);
    });
    drop(files::write_unsynced(&file(config), &bytes, Readers::Owner));
}

fn file(config: &Config) -> PathBuf {
    workspace::beside_ledger(config, ".standing.cache")
}

impl Kept {
    /// What the last build kept, if it is whole and of this build of the program.
    pub(super) fn read(config: &Config) -> Option<Self> {
        let bytes: Arc<[u8]> = fs::read(file(config)).ok()?.into();
        let mut rest = unseal(HEAD, &bytes)?;
        let rest = &mut rest;
        let around = Record::take(rest)?;
        let standing = Standing::new(Record::take(rest)?);
        let outputs = Record::take(rest)?;
        let frame = take_range(&bytes, rest)?;
        let mut parts = &bytes[frame.clone()];
        let sections = Record::take(&mut parts)?;
        let tags = Record::take(&mut parts)?;
        let bylines = Record::take(&mut parts)?;
        let streams = Record::take(&mut parts)?;
        let count = take_length(rest)?;
        let mut articles = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            articles.push((take_range(&bytes, rest)?, take_range(&bytes, rest)?));
        }
        let survey = Survey::take(&bytes, rest)?;
        (rest.is_empty() && parts.is_empty()).then_some(Self {
            around,
            standing,
            outputs,
            frame,
            sections,
            tags,
            bylines,
            streams,
            articles,
            survey,
            bytes: Arc::clone(&bytes),
        })
    }

    /// The streams that show one of these articles, and what they show now.
    pub(super) fn showing(&self, edited: &[Edited]) -> Option<Showing> {
        let new: HashMap<u32, &Article> = edited
            .iter()
            .filter_map(|one| Some((self.place(&one.article)?, &one.article)))
            .collect();
        let touched: Vec<&KeptStream> = self
            .streams
            .iter()
            .filter(|stream| stream.articles.iter().any(|at| new.contains_key(at)))
            .collect();
        let needed: BTreeSet<u32> = touched
            .iter()
            .flat_map(|stream| stream.articles.iter().copied())
            .collect();
        let mut articles = HashMap::with_capacity(needed.len());
        for at in needed {
            let article = match new.get(&at) {
                Some(article) => (*article).clone(),
                None => self.article(at)?,
            };
            articles.insert(at, article);
        }
        let id = |at: &u32| articles.get(at).map(|article| article.id.clone());
        let streams = touched.into_iter().map(|kept| {
            Some(ShowingStream {
                stream: kept.stream.clone(),
                newest: kept.newest,
                withdrawn: kept.withdrawn.clone(),
                ids: kept.articles.iter().map(id).collect::<Option<_>>()?,
            })
        });
        Some(Showing {
            streams: streams.collect::<Option<_>>()?,
            articles: articles.into_values().collect(),
        })
    }

    /// The place of an article among those that are shown.
    fn place(&self, article: &Article) -> Option<u32> {
        let source = article.source.to_string_lossy();
        let is_its = |(file, _): &(Range<usize>, Range<usize>)| {
            self.bytes[file.clone()] == *source.as_bytes()
        };
        let at = self.articles.iter().position(is_its)?;
        u32::try_from(at).ok()
    }

    fn article(&self, at: u32) -> Option<Article> {
        let (_, record) = self.articles.get(usize::try_from(at).ok()?)?;
        let mut bytes = &self.bytes[record.clone()];
        Article::take(&mut bytes).filter(|_| bytes.is_empty())
    }

    /// What is to be kept after these edits: what streams show, and the survey.
    pub(super) fn renewed(&self, sight: &Sight) -> (Vec<u8>, Vec<u8>) {
        let new: HashMap<u32, &Article> = sight
            .edited
            .iter()
            .filter_map(|one| Some((self.place(&one.article)?, &one.article)))
            .collect();
        let mut shown = Vec::with_capacity(self.bytes.len());
        put_bytes(&self.bytes[self.frame.clone()], &mut shown);
        put_length(self.articles.len(), &mut shown);
        for (at, (file, record)) in (0u32..).zip(&self.articles) {
            if let Some(article) = new.get(&at) {
                put_article(article, &mut shown);
            } else {
                put_bytes(&self.bytes[file.clone()], &mut shown);
                put_bytes(&self.bytes[record.clone()], &mut shown);
            }
        }
        (shown, self.survey.renewed(sight))
    }
}
