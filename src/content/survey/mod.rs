//! How a load saw the content folder: every file by its stamp, and what became
//! of each article. The next load goes by it to the few articles that were
//! edited, instead of making all of them again.
//!
//! What an article is to others (its address, its dates, its lists, its
//! headings) has one fingerprint, [`Known::outward`]. While those are the same,
//! and every other file, and nothing fell due meanwhile, all other articles are
//! what they were, and so is what is wrong with them.
//!
//! Pure but for [`look`]: whoever calls reads and writes the file.

mod listing;
mod look;
mod records;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    ops::Range,
    path::Path,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use self::records::Facts;
use crate::{
    content::{Source, cache::Known, load::Finished, site::Site},
    domain::problem::Problem,
    files::{
        Stamp,
        record::{Record, put_bytes, put_length, take_length, take_range},
    },
};

pub use look::{Edited, Sight};

/// How a load saw the content folder.
#[derive(Debug)]
pub struct Survey {
    /// What it was read from.
    bytes: Arc<Vec<u8>>,
    /// Where it stands in there.
    whole: Range<usize>,
    /// Files of which it says something else than what stands there.
    renewed: BTreeSet<usize>,
    span: Span,
    /// Warnings; with errors nothing is published.
    problems: Vec<Problem>,
    others: Vec<(String, Stamp)>,
    /// Markdown files by name.
    files: Vec<Seen>,
    site: Range<usize>,
}

/// From when on and until when the clock changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Span {
    fn holds(self, now: DateTime<Utc>) -> bool {
        now >= self.since && self.until.is_none_or(|until| now < until)
    }
}

/// A Markdown file.
#[derive(Debug, Clone)]
struct Seen {
    name: Range<usize>,
    known: Known,
    /// [`Facts`] of an article; empty for other files.
    facts: Range<usize>,
}

/// Stamps of files that are no Markdown, by name; `None` when one of them has
/// changed so lately that nobody could tell a further change.
pub(super) fn stamps(
    source: &Source<'_>,
    folder: &Path,
    others: &HashSet<String>,
) -> Option<Vec<(String, Stamp)>> {
    let stamp = |name: &String| {
        let facts = fs::symlink_metadata(folder.join(name)).ok()?;
        let stamp = Stamp::of(&facts);
        stamp
            .is_settled(source.since)
            .then(|| (name.clone(), stamp))
    };
    let mut stamps: Vec<_> = others.par_iter().map(stamp).collect::<Option<_>>()?;
    stamps.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Some(stamps)
}

/// What a survey says of articles, before anything is known of problems.
/// `files` are all Markdown files by name; `None` when one could not be read.
pub(super) fn draft(
    source: &Source<'_>,
    files: &[(String, Option<Known>)],
    others: &[(String, Stamp)],
    finished: &[Finished],
    site: &Site,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(files.len() * 512);
    let due = finished.iter().filter_map(|article| article.until);
    source.now.put(&mut out);
    due.min().put(&mut out);
    put_length(others.len(), &mut out);
    for (name, stamp) in others {
        put_bytes(name, &mut out);
        stamp.put(&mut out);
    }
    let mut block = Vec::with_capacity(files.len() * 256);
    records::put_site(site, &mut block);
    put_bytes(&block, &mut out);
    put_length(files.len(), &mut out);
    let mut articles = finished.iter().peekable();
    for (name, known) in files {
        block.clear();
        if let Some(article) = articles.next_if(|article| article.file == *name) {
            Facts::of(article).put(&mut block);
        }
        put_seen(name.as_bytes(), *known.as_ref()?, &block, &mut out);
    }
    // A double has fallen out: an error.
    articles.next().is_none().then_some(out)
}

/// The whole survey, unless there is an error.
pub(super) fn complete(mut draft: Vec<u8>, problems: &Vec<Problem>) -> Option<Vec<u8>> {
    if problems.iter().any(Problem::is_error) {
        return None;
    }
    problems.put(&mut draft);
    Some(draft)
}

fn put_seen(name: &[u8], known: Known, facts: &[u8], out: &mut Vec<u8>) {
    put_bytes(name, out);
    known.put(out);
    put_bytes(facts, out);
}

impl Survey {
    /// Reads a survey at the front of `rest`, which is the end of the first
    /// `end` of these bytes.
    #[must_use]
    pub fn take(bytes: &Arc<Vec<u8>>, end: usize, rest: &mut &[u8]) -> Option<Self> {
        let all = bytes.get(..end)?;
        let start = end - rest.len();
        let span = Span {
            since: Record::take(rest)?,
            until: Record::take(rest)?,
        };
        let others = Record::take(rest)?;
        let site = take_range(all, rest)?;
        let count = take_length(rest)?;
        let mut files = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            files.push(Seen {
                name: take_range(all, rest)?,
                known: Record::take(rest)?,
                facts: take_range(all, rest)?,
            });
        }
        Some(Self {
            span,
            others,
            site,
            files,
            problems: Record::take(rest)?,
            whole: start..end - rest.len(),
            renewed: BTreeSet::new(),
            bytes: Arc::clone(bytes),
        })
    }

    /// Takes in what [`Self::put_edits`] wrote, at the front of `rest`, which is
    /// the end of the bytes that the survey was read from.
    #[must_use]
    pub fn take_edits(&mut self, rest: &mut &[u8]) -> Option<()> {
        let bytes = Arc::clone(&self.bytes);
        for _ in 0..take_length(rest)? {
            let at = usize::take(rest)?;
            let file = self.files.get_mut(at)?;
            file.known = Record::take(rest)?;
            file.facts = take_range(&bytes, rest)?;
            self.renewed.insert(at);
        }
        self.problems = Record::take(rest)?;
        Some(())
    }

    /// Writes what is different from the survey as it was first made.
    pub fn put_edits(&self, sight: &Sight, out: &mut Vec<u8>) {
        let places: BTreeSet<usize> = self.renewed.iter().copied().chain(sight.places()).collect();
        put_length(places.len(), out);
        for at in places {
            let (known, facts) = self.now(at, sight);
            at.put(out);
            known.put(out);
            put_bytes(facts, out);
        }
        sight.problems.put(out);
    }

    /// Whether so many files are different that the survey should be made anew.
    #[must_use]
    pub fn is_worn(&self, sight: &Sight) -> bool {
        self.renewed.len() + sight.places().count() > few(self.files.len())
    }

    /// The survey of a load that would see what `sight` saw.
    #[must_use]
    pub fn renewed(&self, sight: &Sight) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.whole.len() + 1024);
        let first = self.files.first().map_or(self.whole.end, |file| {
            // The length of the name comes before it.
            file.name.start - size_of::<u32>()
        });
        out.extend_from_slice(&self.bytes[self.whole.start..first]);
        for (at, file) in self.files.iter().enumerate() {
            let (known, facts) = self.now(at, sight);
            put_seen(&self.bytes[file.name.clone()], known, facts, &mut out);
        }
        sight.problems.put(&mut out);
        out
    }

    /// What is to be said of a file from now on.
    fn now<'a>(&'a self, at: usize, sight: &'a Sight) -> (Known, &'a [u8]) {
        let file = &self.files[at];
        let facts = || &self.bytes[file.facts.clone()];
        match sight.now(at) {
            None => (file.known, facts()),
            Some((known, new)) => (known, new.unwrap_or_else(facts)),
        }
    }

    fn name(&self, file: &Seen) -> &str {
        std::str::from_utf8(&self.bytes[file.name.clone()]).unwrap_or_default()
    }
}

/// So many of all files may be edited before it is better to load them all, or
/// to write all down again.
fn few(files: usize) -> usize {
    8 + files / 128
}
