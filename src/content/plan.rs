//! What articles have only together: ids, instants, addresses, and none of
//! them twice.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    hash::Hash,
    path::Path,
};

use chrono::{DateTime, Duration, FixedOffset, Utc};
use rayon::prelude::*;
use url::Url;

use crate::{
    content::{
        Source,
        file::{ParsedArticle, dates::Written, fields::Place},
        ids,
        load::slashed,
        urls,
    },
    domain::{
        article::{ArticleId, Remembered, Slug},
        collection::Withheld,
        problem::Problem,
        publication::is_feed_place,
    },
};

/// An article with everything but its pictures.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) parsed: Box<ParsedArticle>,
    /// The source file as the ledger writes it: relative to the publication's
    /// root, with `/`.
    pub(super) key: String,
    /// What the ledger remembers of that file.
    pub(super) known: Option<&'a Remembered>,
    pub(super) id: ArticleId,
    pub(super) url: Url,
    pub(super) is_elsewhere: bool,
    pub(super) published: DateTime<FixedOffset>,
    pub(super) updated: DateTime<FixedOffset>,
    /// Why it is not published yet.
    pub(super) withheld: Option<Withheld>,
}

/// Gives every article its id, instants and address, in the order of source
/// files. `names` are all that there are, by path in the content folder, sorted.
#[expect(
    clippy::vec_box,
    reason = "large values that change hands several times: only pointers move"
)]
pub(super) fn plan<'a>(
    articles: Vec<Box<ParsedArticle>>,
    source: &Source<'a>,
    names: &[String],
    problems: &mut Vec<Problem>,
) -> Vec<Planned<'a>> {
    let zone = source.publication.timezone;
    let by_source: HashMap<&str, &Remembered> = source
        .remembered
        .iter()
        .map(|row| (row.source.as_str(), row))
        .collect();
    let keys: Vec<(String, Option<&Remembered>)> = articles
        .par_iter()
        .map(|article| {
            let key = slashed(&article.source);
            let known = by_source.get(key.as_str()).copied();
            (key, known)
        })
        .collect();
    let candidates: Vec<ids::Candidate<'_>> = articles
        .iter()
        .zip(&keys)
        .map(|(article, (_, known))| ids::Candidate {
            written: article.fields.id.as_ref(),
            known: *known,
            text_hash: (!article.is_empty).then_some(article.text_hash),
            day: article.date.day(zone),
            slug: &article.slug,
        })
        .collect();
    let authority = &source.publication.id_authority;
    let dir = slashed(source.dir);
    let is_there = |key: &str| {
        let name = match dir.as_str() {
            "" => Some(key),
            dir => key
                .strip_prefix(dir)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        name.is_some_and(|name| names.binary_search_by(|one| one.as_str().cmp(name)).is_ok())
    };
    let ids = ids::assign(authority, &candidates, source.remembered, is_there);
    let mut planned: Vec<Planned<'_>> = articles
        .into_par_iter()
        .zip(keys)
        .zip(ids)
        .map(|((parsed, (key, known)), id)| place(parsed, (key, known), id, source))
        .collect();
    set_apart(&mut planned);
    for article in &mut planned {
        update(article, source, problems);
        article.withheld = withheld(article, source);
    }
    set_updates_apart(&mut planned);
    planned
}

/// The one gate: what may be shown, anywhere.
fn withheld(article: &Planned<'_>, source: &Source<'_>) -> Option<Withheld> {
    let fields = &article.parsed.fields;
    let zone = source.publication.timezone;
    let withdrawn = fields.withdrawn.map(|written| written.start(zone));
    if let Some(at) = withdrawn.filter(|at| *at <= source.now) {
        // A tombstone older than the article's last change would not count.
        Some(Withheld::Withdrawn(at.max(article.updated)))
    } else if fields.is_draft {
        Some(Withheld::Draft)
    } else if article.published > source.now {
        Some(Withheld::Future(article.published))
    } else {
        None
    }
}

/// When the clock next makes something else of an article.
pub(super) fn until(article: &Planned<'_>, source: &Source<'_>) -> Option<DateTime<Utc>> {
    let fields = &article.parsed.fields;
    let zone = source.publication.timezone;
    let withdrawn = fields.withdrawn.map(|written| written.start(zone));
    let updated = fields
        .updated
        .map(|(written, _)| written.instant(zone, &article.id));
    [Some(article.published), withdrawn, updated]
        .into_iter()
        .flatten()
        .map(|at| at.to_utc())
        .filter(|at| *at > source.now)
        .min()
}

fn place<'a>(
    parsed: Box<ParsedArticle>,
    (key, known): (String, Option<&'a Remembered>),
    id: ArticleId,
    source: &Source<'_>,
) -> Planned<'a> {
    let zone = source.publication.timezone;
    let base = &source.publication.base_url;
    let url = match &parsed.fields.place {
        Some(Place::Absolute(url)) => urls::strict(url.clone()),
        Some(Place::Path(path)) => urls::below(base, &urls::as_page(path)),
        None => {
            let section = parsed.section.as_ref().map(|(slug, _)| slug);
            let day = parsed.date.day(zone);
            let path = urls::by_pattern(&source.rules.permalink, section, &parsed.slug, day);
            urls::below(base, &path)
        }
    };
    let published = parsed.date.instant(zone, &id);
    Planned {
        is_elsewhere: url.origin() != base.origin(),
        key,
        known,
        id,
        url,
        published,
        updated: published,
        withheld: None,
        parsed,
    }
}

/// Moves articles of one instant a second apart, because feeds list by time
/// and warn of equal ones. Times that were written in full move last.
fn set_apart(planned: &mut [Planned<'_>]) {
    let mut order: Vec<usize> = (0..planned.len()).collect();
    let rank = |at: usize| {
        let article = &planned[at];
        let is_day = matches!(article.parsed.date, Written::Day(_));
        (article.published, is_day, &article.id)
    };
    order.sort_by(|&a, &b| rank(a).cmp(&rank(b)));
    let mut last: Option<DateTime<FixedOffset>> = None;
    for at in order {
        let article = &mut planned[at];
        // All times up to the last one from this one on are taken.
        if let Some(last) = last
            && article.published <= last
        {
            article.published += last - article.published + Duration::seconds(1);
        }
        last = Some(article.published);
        article.updated = article.published;
    }
}

/// The same for changes; those that never changed keep their time.
fn set_updates_apart(planned: &mut [Planned<'_>]) {
    let has_changed = |article: &Planned<'_>| article.updated != article.published;
    let all = 0..planned.len();
    let mut order: Vec<usize> = all.filter(|&at| has_changed(&planned[at])).collect();
    if order.is_empty() {
        return;
    }
    order.sort_by(|&a, &b| {
        let rank = |at: usize| (planned[at].updated, &planned[at].id);
        rank(a).cmp(&rank(b))
    });
    let kept = planned.iter().filter(|article| !has_changed(article));
    let mut taken: HashSet<_> = kept.map(|article| article.updated).collect();
    for at in order {
        while !taken.insert(planned[at].updated) {
            planned[at].updated += Duration::seconds(1);
        }
    }
}

/// Takes in when an article says that it was changed, or why that cannot be.
pub(super) fn update(article: &mut Planned<'_>, source: &Source<'_>, problems: &mut Vec<Problem>) {
    let Some((written, line)) = article.parsed.fields.updated else {
        return;
    };
    let zone = source.publication.timezone;
    let updated = written.instant(zone, &article.id);
    let file = &article.parsed.source;
    if written.day(zone) < article.parsed.date.day(zone) {
        problems.push(Problem::warning(
            file,
            line,
            "the article was updated before it was published; the date of publication is used",
            "correct `updated` or `date`",
        ));
    } else if updated > source.now {
        problems.push(Problem::warning(
            file,
            line,
            "`updated` is still to come; the date of publication is used until then",
            "write the date of the last change",
        ));
    } else {
        article.updated = updated.max(article.published);
    }
}

/// Keeps the first of each id, address and slug, published ones before held
/// back ones, and reports every other with both files.
pub(super) fn without_doubles<'a>(
    mut planned: Vec<Planned<'a>>,
    source: &Source<'_>,
    sections: &HashMap<Slug, Url>,
    problems: &mut Vec<Problem>,
) -> Vec<Planned<'a>> {
    if has_no_doubles(&planned, source, sections) {
        return planned;
    }
    let mut seen = Seen {
        // Addresses tell apart what slugs do not, when dates are part of them.
        is_dated: urls::has_date(&source.rules.permalink),
        ids: HashMap::with_capacity(planned.len()),
        slugs: HashMap::with_capacity(planned.len()),
        urls: sections.values().map(|url| (url, Path::new(""))).collect(),
    };
    let mut order: Vec<usize> = (0..planned.len()).collect();
    order.sort_by(|&a, &b| {
        let rank = |at: usize| planned[at].withheld.is_some();
        let file = |at: usize| planned[at].parsed.file.as_str();
        rank(a)
            .cmp(&rank(b))
            .then_with(|| by_folder(file(a), file(b)))
    });
    let mut is_double = vec![false; planned.len()];
    for at in order {
        if let Err(problem) = seen.add(&planned[at]) {
            problems.push(problem);
            is_double[at] = true;
        }
    }
    let mut is_double = is_double.into_iter();
    planned.retain(|_| is_double.next() == Some(false));
    planned
}

/// Whether there certainly is nothing for [`without_doubles`] to do, which is
/// quicker to tell than who of two comes first.
fn has_no_doubles(
    planned: &[Planned<'_>],
    source: &Source<'_>,
    sections: &HashMap<Slug, Url>,
) -> bool {
    let ids = || all_differ(planned.iter().map(|article| &article.id));
    let addresses = || {
        let own = planned.iter().map(|article| article.url.as_str());
        let is_feed =
            |one: &Planned<'_>| one.parsed.fields.place.is_some() && is_feed_place(one.url.path());
        all_differ(own.chain(sections.values().map(Url::as_str))) && !planned.iter().any(is_feed)
    };
    let slugs = || {
        let own = planned.iter().map(|article| &article.parsed);
        let own = own.map(|one| (one.section.as_ref().map(|(slug, _)| slug), &one.slug));
        urls::has_date(&source.rules.permalink) || all_differ(own)
    };
    let (ids, (addresses, slugs)) = rayon::join(ids, || rayon::join(addresses, slugs));
    ids && addresses && slugs
}

fn all_differ<T: Hash + Eq>(all: impl Iterator<Item = T>) -> bool {
    let mut seen = HashSet::with_capacity(all.size_hint().0);
    all.into_iter().all(|one| seen.insert(one))
}

/// The order of paths, a folder before what its name begins.
fn by_folder(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    a.bytes().map(rank).cmp(b.bytes().map(rank))
}

struct Seen<'a> {
    is_dated: bool,
    ids: HashMap<&'a ArticleId, &'a Path>,
    slugs: HashMap<(Option<&'a Slug>, &'a Slug), &'a Path>,
    urls: HashMap<&'a Url, &'a Path>,
}

impl<'a> Seen<'a> {
    fn add(&mut self, article: &'a Planned<'_>) -> Result<(), Problem> {
        let parsed = &article.parsed;
        let double = |what: String, remedy: &str| {
            Err(Problem::error(
                &parsed.source,
                parsed.fields.line,
                what,
                remedy,
            ))
        };
        if let Some(first) = self.ids.get(&article.id) {
            return double(
                format!(
                    "the id `{}` is also that of {}",
                    article.id,
                    first.display()
                ),
                "give one of them an id of its own; ids are for ever, so change the newer one",
            );
        }
        let section = parsed.section.as_ref().map(|(slug, _)| slug);
        let slug = (section, &parsed.slug);
        let has_own_place = parsed.fields.place.is_some();
        if !has_own_place
            && !self.is_dated
            && let Some(first) = self.slugs.get(&slug)
        {
            return double(
                format!(
                    "the slug `{}` is also that of {}",
                    parsed.slug,
                    first.display()
                ),
                "rename one of the files, or give one a `slug` of its own",
            );
        }
        if let Some(first) = self.urls.get(&article.url) {
            let owner = if first.as_os_str().is_empty() {
                "a section".to_owned()
            } else {
                first.display().to_string()
            };
            return double(
                format!("the address {} is also that of {owner}", article.url),
                "change `slug` or `path` of one of them",
            );
        }
        if has_own_place && is_feed_place(article.url.path()) && !article.is_elsewhere {
            return double(
                format!("the address {} is that of a feed", article.url),
                "change `path`",
            );
        }
        self.ids.insert(&article.id, &parsed.source);
        self.urls.insert(&article.url, &parsed.source);
        if !has_own_place {
            self.slugs.insert(slug, &parsed.source);
        }
        Ok(())
    }
}
