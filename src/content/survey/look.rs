//! Looks at the content folder again, and loads what was edited since.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    Seen, Survey, few, listing,
    records::{self, Facts, sorted},
};
use crate::{
    content::{
        Source,
        cache::{Cache, Known, Pictures},
        file::{Kind, ParsedArticle, Reading},
        ids,
        load::{self, slashed},
        pictures::Measures,
        plan::{self, Planned},
        site::{Later, Site},
    },
    domain::{
        article::{Article, Remembered},
        problem::Problem,
    },
    files::record::{Record, split, take_length},
};

/// How the content folder looks now, where only texts were edited.
#[derive(Debug)]
pub struct Sight {
    /// Articles that say something else.
    pub edited: Vec<Edited>,
    /// Every warning, as a whole load would tell it.
    pub problems: Vec<Problem>,
    /// What links in them resolve against.
    pub site: Arc<Site>,
    /// By their places among the files.
    changed: BTreeMap<usize, Change>,
}

/// An article that says something else than it did.
#[derive(Debug)]
pub struct Edited {
    /// The article.
    pub article: Article,
    /// What the ledger is to remember of it, where that is new.
    pub remember: Option<Remembered>,
    /// Whether it is called otherwise.
    pub is_retitled: bool,
    /// What is wrong with it now: warnings.
    problems: Vec<Problem>,
}

/// What a survey has to say of a file from now on.
#[derive(Debug)]
struct Change {
    known: Known,
    facts: Option<Vec<u8>>,
}

impl Sight {
    /// Whether no file looks otherwise than it did.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.changed.is_empty()
    }

    /// The places of the files that do.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.changed.keys().copied()
    }

    /// Takes in what is wrong with the edited articles.
    fn tell_anew(&mut self) {
        for one in &mut self.edited {
            let source = &one.article.source;
            self.problems.retain(|problem| problem.file != *source);
            self.problems.append(&mut one.problems);
        }
        self.problems.sort();
    }

    /// What is new about the file at this place.
    pub(super) fn now(&self, at: usize) -> Option<(Known, Option<&[u8]>)> {
        let change = self.changed.get(&at)?;
        Some((change.known, change.facts.as_deref()))
    }
}

impl Survey {
    /// Looks at every file of the content folder. `None` when that is not
    /// enough and everything has to be loaded: files came or went, something
    /// fell due, or an edit may concern other articles than its own.
    #[must_use]
    pub fn look(&self, source: &Source<'_>) -> Option<Sight> {
        if !self.span.holds(source.now) {
            return None;
        }
        let folder = source.root.join(source.dir);
        let listing = listing::list(&folder)?;
        let names = listing.markdown.iter().map(|(name, _)| name.as_str());
        if listing.others != self.others || !names.eq(self.files.iter().map(|file| self.name(file)))
        {
            return None;
        }
        let looks_other = listing.markdown.iter().zip(&self.files).enumerate();
        let looks_other: Vec<usize> = looks_other
            .filter(|(_, ((_, stamp), seen))| seen.known.stamp != Some(*stamp))
            .map(|(at, _)| at)
            .collect();
        if looks_other.len() > few(self.files.len()) {
            return None;
        }
        let mut site = Site::empty(source);
        site.files = listing.others.into_iter().map(|(name, _)| name).collect();
        self.fill(&mut site)?;
        let site = Arc::new(site);
        let changes = looks_other
            .par_iter()
            .map(|&at| self.change(at, source, &folder, &site));
        let mut sight = Sight {
            edited: Vec::new(),
            changed: BTreeMap::new(),
            problems: self.problems.clone(),
            site: Arc::clone(&site),
        };
        for (at, change, edited) in changes.collect::<Option<Vec<_>>>()? {
            sight.changed.insert(at, change);
            sight.edited.extend(edited);
        }
        sight.tell_anew();
        Some(sight)
    }

    /// What stands where: as it was, to be read where somebody asks.
    fn fill(&self, site: &mut Site) -> Option<()> {
        let all = &mut &self.bytes[self.site.clone()];
        site.pages = self.later(all)?;
        site.folders = self.later(all)?;
        site.paths = self.later(all)?;
        Some(())
    }

    fn later<T: Record + Send + 'static>(
        &self,
        rest: &mut &[u8],
    ) -> Option<Later<HashMap<String, T>>> {
        let length = take_length(rest)?;
        let start = self.site.end - rest.len();
        split(rest, length)?;
        let bytes = Arc::clone(&self.bytes);
        let read = move || {
            // The checksum has vouched for them.
            records::take_map(&mut &bytes[start..start + length]).unwrap_or_default()
        };
        Some(Later::new(Box::new(read)))
    }

    /// What has become of a file that looks otherwise; `None` when that may
    /// concern others.
    fn change(
        &self,
        at: usize,
        source: &Source<'_>,
        folder: &Path,
        site: &Arc<Site>,
    ) -> Option<(usize, Change, Option<Edited>)> {
        let seen = self.files.get(at)?;
        let reading = Reading {
            folder,
            dir: source.dir,
            base: &source.publication.base_url,
            smart_punctuation: source.rules.smart_punctuation,
            cache: &Cache::default(),
            since: source.since,
        };
        let (parsed, _) = reading.parse(self.name(seen));
        let known = parsed.known?;
        if known.content == seen.known.content {
            // Saved, or touched.
            let known = Known {
                stamp: known.stamp,
                ..seen.known
            };
            return Some((at, Change { known, facts: None }, None));
        }
        let Some(Kind::Article(article)) = parsed.kind else {
            return None;
        };
        if known.outward != seen.known.outward {
            return None;
        }
        let (edited, facts) = self.edited(seen, article, parsed.problems, source, site)?;
        let facts = Some(facts);
        Some((at, Change { known, facts }, Some(edited)))
    }

    /// An article that is to others what it was, complete; `None` when there
    /// is an error in it, or it refers to other files of ours.
    fn edited(
        &self,
        seen: &Seen,
        parsed: Box<ParsedArticle>,
        mut problems: Vec<Problem>,
        source: &Source<'_>,
        site: &Arc<Site>,
    ) -> Option<(Edited, Vec<u8>)> {
        let facts = Facts::take(&mut &self.bytes[seen.facts.clone()])?;
        // Nobody has seen it, so its id may still change.
        if facts.is_held_back {
            return None;
        }
        let key = slashed(&parsed.source);
        let known = Remembered {
            source: key.clone(),
            id: facts.id.clone(),
            body_hash: ids::hexadecimal(&facts.text_hash),
        };
        let mut planned = Planned {
            is_elsewhere: facts.url.origin() != source.publication.base_url.origin(),
            parsed,
            key,
            known: Some(&known),
            id: facts.id,
            url: facts.url,
            published: facts.published,
            updated: facts.updated,
            withheld: None,
        };
        // Only for what is wrong with it: changes are set apart already.
        plan::update(&mut planned, source, &mut problems);
        planned.updated = facts.updated;
        let none = Pictures::new();
        let measures = Measures::new(&site.folder, source.since, &none);
        let mut finished = load::finish(planned, source, site, &measures);
        problems.append(&mut finished.problems);
        if problems.iter().any(Problem::is_error) || sorted(finished.files.clone()) != facts.files {
            return None;
        }
        let is_retitled = finished.article.title != facts.title;
        let mut facts = Vec::new();
        Facts::of(&finished).put(&mut facts);
        let edited = Edited {
            is_retitled,
            article: finished.article,
            remember: finished.remember,
            problems,
        };
        Some((edited, facts))
    }
}
