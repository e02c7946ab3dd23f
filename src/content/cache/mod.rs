//! What earlier loads read: an article whose file is the same is not parsed
//! again, a picture not measured again. Losing it costs time only: bytes that
//! are damaged, of another build or of other settings count as none.
//!
//! Pure: whoever calls reads and writes the file.

mod records;

pub(super) use records::outward;

use std::{collections::HashMap, ops::Range, path::Path};

use crate::{
    content::{file::ParsedArticle, pictures::Measure},
    domain::fingerprint::Fingerprint,
    files::{
        Stamp,
        record::{Record, put_bytes, put_length, seal, take_length, take_range, unseal},
    },
};

/// How a cache begins: what it is, and which build of the program made it.
const HEAD: &[u8] = concat!("letterpress articles ", env!("LETTERPRESS_BUILD"), "\n").as_bytes();

/// Of so many articles one may be read again in every load: the cache is large,
/// and writing it takes longer.
const FEW: usize = 128;

/// What earlier loads read; empty by default.
#[derive(Debug, Default)]
pub struct Cache {
    bytes: Vec<u8>,
    settings: Fingerprint,
    /// By name.
    articles: Vec<Slot>,
    /// Where the pictures begin in `bytes`.
    pictures_at: usize,
    pictures: Pictures,
}

/// Measured pictures by path in the content folder.
pub(super) type Pictures = HashMap<String, (Option<Stamp>, Measure)>;

/// An article in the cache.
#[derive(Debug)]
struct Slot {
    name: Range<usize>,
    known: Known,
    record: Range<usize>,
}

/// How a file is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// While it looks like this it is the same; `None` when it had changed so
    /// lately that only its bytes can tell.
    pub(super) stamp: Option<Stamp>,
    /// Of its bytes.
    pub(super) content: Fingerprint,
    /// Of what matters to other articles in it.
    pub(super) outward: Fingerprint,
}

/// An article as the next cache will hold it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) known: Known,
    record: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The record of this number in the old cache.
    Old {
        slot: usize,
        is_same: bool,
    },
    New(Vec<u8>),
}

/// An article found in the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    cache: &'a Cache,
    slot: usize,
}

impl Cache {
    /// Reads a cache that was kept; one that is not whole, or not of this
    /// build, is empty.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Self {
        match Self::parts(&bytes) {
            Some(cache) => Self { bytes, ..cache },
            None => Self::default(),
        }
    }

    fn parts(bytes: &[u8]) -> Option<Self> {
        let mut rest = unseal(HEAD, bytes)?;
        let rest = &mut rest;
        let settings = Fingerprint::take(rest)?;
        let mut articles = Vec::new();
        for _ in 0..take_length(rest)? {
            articles.push(Slot {
                name: take_range(bytes, rest)?,
                known: Known::take(rest)?,
                record: take_range(bytes, rest)?,
            });
        }
        let pictures_at = bytes.len() - rest.len();
        let pictures: Vec<(String, (Option<Stamp>, Measure))> = Record::take(rest)?;
        rest.is_empty().then(|| Self {
            bytes: Vec::new(),
            settings,
            articles,
            pictures_at,
            pictures: pictures.into_iter().collect(),
        })
    }

    /// Whether it was made with these settings.
    pub(super) fn is_for(&self, settings: Fingerprint) -> bool {
        self.settings == settings
    }

    /// Pictures that were measured.
    pub(super) fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// The article that this file held.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let by_name = |slot: &Slot| self.bytes[slot.name.clone()].cmp(name.as_bytes());
        let slot = self.articles.binary_search_by(by_name).ok()?;
        Some(Found { cache: self, slot })
    }

    /// Begins the cache of a load: `articles` by name, in order. Its pictures
    /// are known later, when nobody needs the records any more. As long as it
    /// is out of date for a few articles only, it stays: their bytes tell.
    pub(super) fn draft(&self, settings: Fingerprint, articles: Vec<(&str, Kept)>) -> Draft<'_> {
        let is_same = |kept: &Kept| matches!(kept.record, Kind::Old { is_same: true, .. });
        let others = articles.iter().filter(|(_, kept)| !is_same(kept)).count();
        let is_new = !self.is_for(settings)
            || self.articles.len() != articles.len()
            || others > articles.len() / FEW;
        let new = is_new.then(|| {
            let mut out = Vec::with_capacity(self.bytes.len());
            settings.put(&mut out);
            put_length(articles.len(), &mut out);
            for (name, kept) in articles {
                put_bytes(name, &mut out);
                kept.known.put(&mut out);
                put_bytes(self.record(&kept.record), &mut out);
            }
            out
        });
        Draft { old: self, new }
    }

    fn record<'a>(&'a self, kind: &'a Kind) -> &'a [u8] {
        match kind {
            Kind::Old { slot, .. } => &self.bytes[self.articles[*slot].record.clone()],
            Kind::New(bytes) => bytes,
        }
    }
}

/// A cache without its pictures.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    old: &'a Cache,
    /// Settings and articles, where the old ones are out of date.
    new: Option<Vec<u8>>,
}

impl Draft<'_> {
    /// The bytes of the cache; `None` when it says what the old one says.
    pub(super) fn finish(self, pictures: Pictures) -> Option<Vec<u8>> {
        if self.new.is_none() && self.old.pictures == pictures {
            return None;
        }
        let body = HEAD.len() + size_of::<u32>();
        let articles = match &self.new {
            Some(bytes) => bytes,
            None => &self.old.bytes[body..self.old.pictures_at],
        };
        let mut pictures: Vec<_> = pictures.into_iter().collect();
        pictures.sort_by(|a, b| a.0.cmp(&b.0));
        Some(seal(HEAD, articles.len() + pictures.len() * 128, |out| {
            out.extend_from_slice(articles);
            pictures.put(out);
        }))
    }
}

impl Found<'_> {
    fn slot(&self) -> &Slot {
        &self.cache.articles[self.slot]
    }

    /// How its file is recognised.
    pub(super) fn known(&self) -> Known {
        self.slot().known
    }

    /// The article, if the record can be read.
    pub(super) fn article(&self, dir: &Path, file: &str) -> Option<ParsedArticle> {
        records::take_article(&self.cache.bytes[self.slot().record.clone()], dir, file)
    }

    /// The same record for the next cache, whatever its file looks like now.
    pub(super) fn keep(&self, stamp: Option<Stamp>) -> Kept {
        let known = Known {
            stamp,
            ..self.known()
        };
        let is_same = known == self.known();
        let slot = self.slot;
        Kept {
            known,
            record: Kind::Old { slot, is_same },
        }
    }
}

impl Kept {
    /// An article that was parsed.
    pub(super) fn new(article: &ParsedArticle, known: Known) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        records::put_article(article, &mut bytes);
        Self {
            known,
            record: Kind::New(bytes),
        }
    }
}

impl Record for Fingerprint {
    fn put(&self, out: &mut Vec<u8>) {
        self.bytes().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Record::take(bytes).map(Self::from_bytes)
    }
}

impl Record for Known {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            stamp,
            content,
            outward,
        } = self;
        stamp.put(out);
        content.put(out);
        outward.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            stamp: Record::take(bytes)?,
            content: Record::take(bytes)?,
            outward: Record::take(bytes)?,
        })
    }
}
