//! What articles have only together: ids, instants, addresses, and none of
//! them twice.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    path::Path,
};

use chrono::{DateTime, Duration, FixedOffset};
use url::Url;

use crate::{
    content::{
        Source,
        file::{ParsedArticle, dates::Written, fields::Place},
        ids, urls,
    },
    domain::{
        article::{ArticleId, Slug},
        collection::Withheld,
        problem::Problem,
        publication::is_feed_place,
    },
};

/// An article with everything but its pictures.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) parsed: Box<ParsedArticle>,
    pub(super) id: ArticleId,
    pub(super) url: Url,
    pub(super) is_elsewhere: bool,
    pub(super) published: DateTime<FixedOffset>,
    pub(super) updated: DateTime<FixedOffset>,
    /// Why it is not published yet.
    pub(super) withheld: Option<Withheld>,
}

impl Planned {
    /// The source file as the ledger writes it.
    pub(super) fn source_key(&self) -> String {
        key_of(&self.parsed)
    }
}

/// Source file relative to the publication's root, with `/`.
fn key_of(parsed: &ParsedArticle) -> String {
    let parts: Vec<_> = parsed
        .source
        .iter()
        .map(|part| part.to_string_lossy())
        .collect();
    parts.join("/")
}

/// Gives every article its id, instants and address, in the order of source
/// files. `present` holds every source file there is, as [`key_of`] writes it.
#[expect(
    clippy::vec_box,
    reason = "large values that change hands several times: only pointers move"
)]
pub(super) fn plan(
    articles: Vec<Box<ParsedArticle>>,
    source: &Source<'_>,
    present: &HashSet<String>,
    problems: &mut Vec<Problem>,
) -> Vec<Planned> {
    let zone = source.publication.timezone;
    let keys: Vec<String> = articles.iter().map(|article| key_of(article)).collect();
    let candidates: Vec<ids::Candidate<'_>> = articles
        .iter()
        .zip(&keys)
        .map(|(article, key)| ids::Candidate {
            source: key,
            written: article.fields.id.as_ref(),
            text_hash: (!article.is_empty).then_some(article.text_hash),
            day: article.date.day(zone),
            slug: &article.slug,
        })
        .collect();
    let authority = &source.publication.id_authority;
    let ids = ids::assign(authority, &candidates, source.remembered, present);
    let mut planned: Vec<Planned> = articles
        .into_iter()
        .zip(ids)
        .map(|(parsed, id)| place(parsed, id, source))
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
fn withheld(article: &Planned, source: &Source<'_>) -> Option<Withheld> {
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

fn place(parsed: Box<ParsedArticle>, id: ArticleId, source: &Source<'_>) -> Planned {
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
fn set_apart(planned: &mut [Planned]) {
    let mut order: Vec<usize> = (0..planned.len()).collect();
    order.sort_by_key(|&at| {
        let article = &planned[at];
        let is_day = matches!(article.parsed.date, Written::Day(_));
        (article.published, is_day, article.id.clone())
    });
    let mut taken = HashSet::new();
    for at in order {
        let article = &mut planned[at];
        while !taken.insert(article.published) {
            article.published += Duration::seconds(1);
        }
        article.updated = article.published;
    }
}

/// The same for changes; those that never changed keep their time.
fn set_updates_apart(planned: &mut [Planned]) {
    let mut order: Vec<usize> = (0..planned.len()).collect();
    order.sort_by_key(|&at| {
        let article = &planned[at];
        let has_changed = article.updated != article.published;
        (has_changed, article.updated, article.id.clone())
    });
    let mut taken = HashSet::new();
    for at in order {
        while !taken.insert(planned[at].updated) {
            planned[at].updated += Duration::seconds(1);
        }
    }
}

fn update(article: &mut Planned, source: &Source<'_>, problems: &mut Vec<Problem>) {
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
pub(super) fn without_doubles(
    mut planned: Vec<Planned>,
    source: &Source<'_>,
    sections: &HashMap<Slug, Url>,
    problems: &mut Vec<Problem>,
) -> Vec<Planned> {
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
    fn add(&mut self, article: &'a Planned) -> Result<(), Problem> {
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
