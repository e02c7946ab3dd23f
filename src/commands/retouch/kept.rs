//! The files in which a build keeps how it saw everything, beside the ledger:
//! a large one, and a small one of what is different since that was written.
//! Losing them costs time only: bytes that are damaged, of another build of the
//! program, or do not belong together, count as none.

use std::{
    borrow::Cow,
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

/// How the files begin: what they are, and which build of the program made them.
const WHOLE: &[u8] = concat!("letterpress standing ", env!("LETTERPRESS_BUILD"), "\n").as_bytes();
const EDITS: &[u8] = concat!("letterpress edits ", env!("LETTERPRESS_BUILD"), "\n").as_bytes();

/// What everything was after a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) around: Around,
    /// What the ledger knew.
    pub(super) standing: Standing,
    /// Of the files in the output folder.
    pub(super) outputs: Fingerprint,
}

impl Record for Moment {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            around,
            standing,
            outputs,
        } = self;
        around.put(out);
        put_bytes(standing.as_str(), out);
        outputs.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            around: Record::take(bytes)?,
            standing: Standing::new(Record::take(bytes)?),
            outputs: Record::take(bytes)?,
        })
    }
}

/// What the last build kept.
pub(super) struct Kept {
    /// The large file, then the small one.
    bytes: Arc<Vec<u8>>,
    /// Of the large file.
    whole: Fingerprint,
    pub(super) last: Moment,
    /// Where sections, tags, authors and streams stand in `bytes`.
    frame: Range<usize>,
    pub(super) sections: Vec<Section>,
    pub(super) tags: Vec<Tag>,
    pub(super) bylines: Vec<Byline>,
    streams: Vec<KeptStream>,
    /// Articles that a stream shows: the file of each, and the article.
    articles: Vec<(Range<usize>, Range<usize>)>,
    /// Those of them that the small file has.
    renewed: BTreeSet<u32>,
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
        article.source.put(&mut out);
        put_bytes(record_of(article), &mut out);
    }
    Some(out)
}

fn record_of(article: &Article) -> Vec<u8> {
    let mut record = Vec::with_capacity(1024);
    article.put(&mut record);
    record
}

/// Keeps how a build saw everything. Without it the next one takes longer and
/// does the same, so a failure is none.
pub(super) fn write(config: &Config, now: &Moment, shown: &[u8], survey: &[u8]) {
    let bytes = seal(WHOLE, shown.len() + survey.len() + 256, |out| {
        now.put(out);
        out.extend_from_slice(shown);
        out.extend_from_slice(survey);
    });
    // What is different since another one was written belongs to that.
    drop(fs::remove_file(edits_file(config)));
    drop(files::write_unsynced(&file(config), &bytes, Readers::Owner));
}

fn file(config: &Config) -> PathBuf {
    workspace::beside_ledger(config, ".standing.cache")
}

fn edits_file(config: &Config) -> PathBuf {
    workspace::beside_ledger(config, ".edits.cache")
}

/// Of a file that [`seal`] made: of its checksum and what it begins with.
fn identity(bytes: &[u8]) -> Fingerprint {
    let start = &bytes[..bytes.len().min(WHOLE.len() + 256)];
    Fingerprint::of(&(bytes.len(), start))
}

impl Kept {
    /// What the last build kept, if it is whole and of this build of the program.
    pub(super) fn read(config: &Config) -> Option<Self> {
        let mut bytes = fs::read(file(config)).ok()?;
        let end = bytes.len();
        let whole = identity(&bytes);
        // None where nothing is different since.
        let edits = fs::read(edits_file(config)).unwrap_or_default();
        bytes.extend_from_slice(&edits);
        let bytes = Arc::new(bytes);
        let mut kept = Self::take(&bytes, end, whole)?;
        if !edits.is_empty() {
            kept.take_edits(unseal(EDITS, &bytes[end..])?)?;
        }
        Some(kept)
    }

    fn take(bytes: &Arc<Vec<u8>>, end: usize, whole: Fingerprint) -> Option<Self> {
        let all = &bytes[..end];
        let mut rest = unseal(WHOLE, all)?;
        let rest = &mut rest;
        let last = Record::take(rest)?;
        let frame = take_range(all, rest)?;
        let mut parts = &all[frame.clone()];
        let sections = Record::take(&mut parts)?;
        let tags = Record::take(&mut parts)?;
        let bylines = Record::take(&mut parts)?;
        let streams = Record::take(&mut parts)?;
        let count = take_length(rest)?;
        let mut articles = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            articles.push((take_range(all, rest)?, take_range(all, rest)?));
        }
        let survey = Survey::take(bytes, end, rest)?;
        (rest.is_empty() && parts.is_empty()).then_some(Self {
            whole,
            last,
            frame,
            sections,
            tags,
            bylines,
            streams,
            articles,
            renewed: BTreeSet::new(),
            survey,
            bytes: Arc::clone(bytes),
        })
    }

    /// Takes in what the small file says, which is the end of `self.bytes`.
    fn take_edits(&mut self, mut rest: &[u8]) -> Option<()> {
        let rest = &mut rest;
        if Fingerprint::take(rest)? != self.whole {
            return None;
        }
        self.last = Record::take(rest)?;
        let bytes = Arc::clone(&self.bytes);
        for _ in 0..take_length(rest)? {
            let place = u32::take(rest)?;
            let article = self.articles.get_mut(usize::try_from(place).ok()?)?;
            article.1 = take_range(&bytes, rest)?;
            self.renewed.insert(place);
        }
        self.survey.take_edits(rest)?;
        rest.is_empty().then_some(())
    }

    /// Keeps how everything is after these edits.
    pub(super) fn write(&self, config: &Config, now: &Moment, sight: &Sight) {
        let new = self.shown_anew(&sight.edited);
        if self.survey.is_worn(sight) {
            write(config, now, &self.shown(&new), &self.survey.renewed(sight));
            return;
        }
        let places: BTreeSet<u32> = self.renewed.iter().chain(new.keys()).copied().collect();
        let bytes = seal(EDITS, places.len() * 1024 + 4096, |out| {
            self.whole.put(out);
            now.put(out);
            put_length(places.len(), out);
            for place in places {
                place.put(out);
                put_bytes(self.record(place, &new), out);
            }
            self.survey.put_edits(sight, out);
        });
        drop(files::write_unsynced(
            &edits_file(config),
            &bytes,
            Readers::Owner,
        ));
    }

    /// What every stream shows from now on.
    fn shown(&self, new: &HashMap<u32, &Article>) -> Vec<u8> {
        let mut shown = Vec::with_capacity(self.bytes.len());
        put_bytes(&self.bytes[self.frame.clone()], &mut shown);
        put_length(self.articles.len(), &mut shown);
        for (place, (file, _)) in (0u32..).zip(&self.articles) {
            put_bytes(&self.bytes[file.clone()], &mut shown);
            put_bytes(self.record(place, new), &mut shown);
        }
        shown
    }

    /// The record of an article that is shown, as it is now.
    fn record(&self, place: u32, new: &HashMap<u32, &Article>) -> Cow<'_, [u8]> {
        match (new.get(&place), self.articles.get(place as usize)) {
            (Some(article), _) => Cow::Owned(record_of(article)),
            (None, Some((_, record))) => Cow::Borrowed(&self.bytes[record.clone()]),
            (None, None) => Cow::Borrowed(&[]),
        }
    }

    /// Edited articles that a stream shows, by their places.
    fn shown_anew<'a>(&self, edited: &'a [Edited]) -> HashMap<u32, &'a Article> {
        edited
            .iter()
            .filter_map(|one| Some((self.place(&one.article)?, &one.article)))
            .collect()
    }

    /// The streams that show one of these articles, and what they show now.
    pub(super) fn showing(&self, edited: &[Edited]) -> Option<Showing> {
        let new = self.shown_anew(edited);
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
}
