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

mod look;
mod records;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, fs, ops::Range, path::Path, sync::Arc};

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
    bytes: Arc<[u8]>,
    /// Where it stands in there.
    whole: Range<usize>,
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
    /// Reads a survey at the front of `rest`, which is the end of `bytes`.
    #[must_use]
    pub fn take(bytes: &Arc<[u8]>, rest: &mut &[u8]) -> Option<Self> {
        let start = bytes.len() - rest.len();
        let span = Span {
            since: Record::take(rest)?,
            until: Record::take(rest)?,
        };
        let others = Record::take(rest)?;
        let site = take_range(bytes, rest)?;
        let count = take_length(rest)?;
        let mut files = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            files.push(Seen {
                name: take_range(bytes, rest)?,
                known: Record::take(rest)?,
                facts: take_range(bytes, rest)?,
            });
        }
        Some(Self {
            span,
            others,
            site,
            files,
            problems: Record::take(rest)?,
            whole: start..bytes.len() - rest.len(),
            bytes: Arc::clone(bytes),
        })
    }

    /// The survey of a load that would see what `sight` saw: the same but for
    /// the files that were edited.
    #[must_use]
    pub fn renewed(&self, sight: &Sight) -> Vec<u8> {
        if sight.is_same() {
            return self.bytes[self.whole.clone()].to_vec();
        }
        let mut out = Vec::with_capacity(self.whole.len() + 1024);
        let first = self.files.first().map_or(self.whole.end, |file| {
            // The length of the name comes before it.
            file.name.start - size_of::<u32>()
        });
        out.extend_from_slice(&self.bytes[self.whole.start..first]);
        for (at, file) in self.files.iter().enumerate() {
            let name = &self.bytes[file.name.clone()];
            let facts = &self.bytes[file.facts.clone()];
            match sight.now(at) {
                None => put_seen(name, file.known, facts, &mut out),
                Some((known, None)) => put_seen(name, known, facts, &mut out),
                Some((known, Some(facts))) => put_seen(name, known, facts, &mut out),
            }
        }
        sight.problems.put(&mut out);
        out
    }

    fn name(&self, file: &Seen) -> &str {
        std::str::from_utf8(&self.bytes[file.name.clone()]).unwrap_or_default()
    }
}
