//! The steps from a folder to a collection.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
    path::{MAIN_SEPARATOR, Path},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use url::Url;

use crate::{
    content::{
        Asset, LoadError, Loaded, SetAside, Source,
        anchors::Anchors,
        cache::{Cache, Kept},
        checks, enclosures,
        file::{
            self, Kind, Parsed, ParsedArticle, Reading,
            fields::SectionFields,
            list::{self, Files},
        },
        ids,
        pictures::{self, Beside, Measures},
        plan::{self, Planned},
        podcast,
        site::{self, Origin, Page, Site},
        survey, urls,
    },
    domain::{
        article::{Article, Remembered, Slug},
        collection::{Collection, HeldBack, Section},
        fingerprint::Fingerprint,
        problem::Problem,
        publication::{Author, Publication},
    },
};

/// Loads the content folder: the collection as far as it is sound, and every
/// problem there is. `progress` hears how many of how many files are read, from
/// any thread.
///
/// # Errors
/// When the content folder is missing or cannot be listed. Whatever is wrong
/// with single files is in [`Loaded::problems`].
pub fn load(
    source: &Source<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Loaded, LoadError> {
    let folder = source.root.join(source.dir);
    let mut files = list::list(&folder, source.dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Missing(source.dir.to_owned()),
        _ => LoadError::Unreadable(source.dir.to_owned(), error),
    })?;
    let mut problems = std::mem::take(&mut files.problems);
    let is_surveyed = source.is_surveyed && problems.is_empty();
    // Before any of them is read, so that a later change shows.
    let others = is_surveyed
        .then(|| survey::stamps(source, &folder, &files.others))
        .flatten();

    // 1. Every file by itself, from the cache where it has not changed.
    let settings = settings(source);
    let none = Cache::default();
    let cache = Some(source.cache).filter(|cache| cache.is_for(settings));
    let cache = cache.unwrap_or(&none);
    let reading = Reading {
        folder: &folder,
        dir: source.dir,
        base: &source.publication.base_url,
        smart_punctuation: source.rules.smart_punctuation,
        cache,
        since: source.since,
    };
    let (parsed, kept) = parse_all(&files, reading, progress);
    let names = std::mem::take(&mut files.markdown);
    let known: Vec<_> = parsed.iter().map(|file| file.known).collect();
    let kept = names.iter().map(String::as_str).zip(kept);
    let kept = kept
        .filter_map(|(name, kept)| Some((name, kept?)))
        .collect();
    let (articles, indexes) = sort_out(parsed, &mut problems);

    // 2. What they have only together; beside that the next cache is drafted.
    let (draft, planned) = rayon::join(
        || cache.draft(settings, kept),
        || plan::plan(articles, source, &names, &mut problems),
    );
    let (mut sections, podcasts) = sections(indexes, source.dir, &planned);
    let section_urls = section_urls(&sections, &source.publication.base_url);
    let mut planned = plan::without_doubles(planned, source, &section_urls, &mut problems);

    // 3. What they refer to.
    let site = Arc::new(site_of(
        source,
        &names,
        files.others,
        &mut planned,
        &section_urls,
    ));
    let measures = Measures::new(&folder, source.since, cache.pictures());
    let finished: Vec<Finished> = planned
        .into_par_iter()
        .map(|article| finish(article, source, &site, &measures))
        .collect();

    let mut files = BTreeSet::new();
    for (slug, said) in podcasts {
        let made = podcast::check(&said, &site, &folder, &mut problems);
        files.extend(made.file);
        if let Some(section) = sections.get_mut(&slug) {
            section.podcast = made.podcast;
        }
    }

    // 4. What makes the next load quicker, and the collection.
    let survey = others.and_then(|others| {
        let files: Vec<_> = names.into_iter().zip(known).collect();
        survey::draft(source, &files, &others, &finished, &site)
    });
    let (mut result, next) = rayon::join(
        || gather(finished, sections, files, source, &site),
        || draft.finish(measures.into_found()),
    );
    result.cache = next;
    result.problems.append(&mut problems);
    result.problems.sort();
    result.survey = survey.and_then(|draft| survey::complete(draft, &result.problems));
    Ok(result)
}

/// What reading a file depends on besides its name and its bytes.
fn settings(source: &Source<'_>) -> Fingerprint {
    Fingerprint::of(&(
        source.dir,
        source.publication.base_url.as_str(),
        source.rules.smart_punctuation,
    ))
}

fn parse_all(
    files: &Files,
    reading: Reading<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> (Vec<Parsed>, Vec<Option<Kept>>) {
    let total = files.markdown.len();
    let done = AtomicUsize::new(0);
    files
        .markdown
        .par_iter()
        .map(|name| {
            let parsed = reading.parse(name);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            parsed
        })
        .unzip()
}

/// Articles, and what describes sections, by path in the content folder.
#[expect(
    clippy::vec_box,
    reason = "large values that change hands several times: only pointers move"
)]
fn sort_out(
    parsed: Vec<Parsed>,
    problems: &mut Vec<Problem>,
) -> (Vec<Box<ParsedArticle>>, Vec<(String, SectionFields)>) {
    let mut articles = Vec::new();
    let mut indexes = Vec::new();
    for mut file in parsed {
        problems.append(&mut file.problems);
        match file.kind {
            Some(Kind::Article(article)) => articles.push(article),
            Some(Kind::Section(section)) => indexes.push((file.file, *section)),
            None => {}
        }
    }
    (articles, indexes)
}

type Podcasts = Vec<(Slug, podcast::Said)>;

/// Sections by slug: those with an index and those with a published article;
/// and what indexes say about podcasts.
fn sections(
    indexes: Vec<(String, SectionFields)>,
    dir: &Path,
    planned: &[Planned<'_>],
) -> (BTreeMap<Slug, Section>, Podcasts) {
    let mut sections = BTreeMap::new();
    let mut podcasts = Vec::new();
    for (file, fields) in indexes {
        // The root's index is the publication itself; deeper ones divide a
        // section further, which feeds do not show.
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let Some(slug) = Slug::of(folder).filter(|_| !folder.contains('/')) else {
            continue;
        };
        let section = Section {
            slug: slug.clone(),
            title: fields.title.unwrap_or_else(|| file::title_of(folder)),
            description: fields.description,
            entries: fields.entries,
            language: fields.language,
            podcast: None,
        };
        if let Some(fields) = fields.podcast {
            let source = dir.join(&file);
            let said = podcast::Said {
                file,
                source,
                fields,
            };
            podcasts.push((slug.clone(), said));
        }
        sections.insert(slug, section);
    }
    for article in planned.iter().filter(|article| article.withheld.is_none()) {
        if let Some((slug, title)) = &article.parsed.section
            && !sections.contains_key(slug)
        {
            let section = Section {
                slug: slug.clone(),
                title: title.clone(),
                description: None,
                entries: None,
                language: None,
                podcast: None,
            };
            sections.insert(slug.clone(), section);
        }
    }
    (sections, podcasts)
}

fn section_urls(sections: &BTreeMap<Slug, Section>, base: &Url) -> HashMap<Slug, Url> {
    let url = |slug: &Slug| (slug.clone(), urls::below(base, &format!("{slug}/")));
    sections.keys().map(url).collect()
}

/// What stands where; takes what only links need out of the articles.
fn site_of(
    source: &Source<'_>,
    markdown: &[String],
    others: HashSet<String>,
    planned: &mut [Planned<'_>],
    sections: &HashMap<Slug, Url>,
) -> Site {
    let base = source.publication.base_url.clone();
    let mut pages = HashMap::new();
    let mut paths = HashMap::from([(site::path_key(base.path()), None)]);
    let own =
        ["rss.xml", "atom.xml", "feed.json", "feeds.opml"].map(|name| urls::below(&base, name));
    let known = own.iter().chain(sections.values());
    paths.extend(known.map(|url| (site::path_key(url.path()), None)));
    for file in markdown.iter().filter(|file| is_index(file)) {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let page = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let url = urls::below(&base, &page);
        paths.insert(site::path_key(url.path()), None);
        let page = Page {
            url,
            is_held_back: false,
            anchors: Anchors::default(),
            has_pictograms: false,
        };
        pages.insert(file.clone(), page);
    }
    let folders = add_articles(&base, &mut pages, &mut paths, planned);
    let address = |file: &String| {
        let url = site::file_url(&base, &folders, file);
        (site::path_key(url.path()), Some(file.clone()))
    };
    paths.extend(others.iter().map(address));
    Site {
        pages: site::made(pages),
        folders: site::made(folders),
        paths: site::made(paths),
        files: others,
        ..Site::empty(source)
    }
}

/// Adds the articles to what stands where; folders that have one of their own.
fn add_articles(
    base: &Url,
    pages: &mut HashMap<String, Page>,
    paths: &mut HashMap<String, Option<String>>,
    planned: &mut [Planned<'_>],
) -> HashMap<String, Url> {
    let here = || planned.par_iter().filter(|article| !article.is_elsewhere);
    let places: Vec<String> = here()
        .map(|article| site::path_key(article.url.path()))
        .collect();
    let folder = |article: &Planned<'_>| {
        let folder = article.parsed.file.strip_suffix("/index.md")?;
        Some((folder.to_owned(), article.url.clone()))
    };
    let folders = here().filter_map(folder).collect();
    let aliases = planned.iter().flat_map(|one| &one.parsed.fields.aliases);
    let aliases = aliases.map(|alias| urls::below(base, alias));
    let aliases: Vec<String> = aliases.map(|url| site::path_key(url.path())).collect();
    let page = |article: &mut Planned<'_>| {
        let page = Page {
            url: article.url.clone(),
            is_held_back: article.withheld.is_some(),
            anchors: std::mem::take(&mut article.parsed.scan.anchors),
            has_pictograms: article.parsed.scan.has_pictograms,
        };
        (article.parsed.file.clone(), page)
    };
    let all: Vec<(String, Page)> = planned.par_iter_mut().map(page).collect();
    let places = places.into_iter().chain(aliases).map(|path| (path, None));
    rayon::join(|| pages.extend(all), || paths.extend(places));
    folders
}

fn is_index(file: &str) -> bool {
    file == "_index.md" || file.ends_with("/_index.md")
}

/// An article with everything it refers to.
pub(super) struct Finished {
    /// By path in the content folder.
    pub(super) file: String,
    pub(super) article: Article,
    pub(super) held_back: Option<HeldBack>,
    pub(super) problems: Vec<Problem>,
    pub(super) files: Vec<String>,
    /// Where the ledger knows something else.
    pub(super) remember: Option<Remembered>,
    /// When it will be something else, though nobody edits it.
    pub(super) until: Option<DateTime<Utc>>,
}

/// Connects an article with everything that it refers to.
pub(super) fn finish(
    planned: Planned<'_>,
    source: &Source<'_>,
    site: &Site,
    measures: &Measures<'_>,
) -> Finished {
    let parsed = &planned.parsed;
    let origin = Origin {
        file: &parsed.file,
        url: &planned.url,
    };
    let beside = Beside {
        site,
        origin,
        folder: &site.folder,
        measures,
        source: &parsed.source,
        missing: source.rules.missing,
    };
    let text = checks::Text {
        scan: &parsed.scan,
        first_line: parsed.markdown_line,
        is_held_back: planned.withheld.is_some(),
    };
    let checks::Findings {
        mut problems,
        mut files,
        places,
    } = checks::text(text, beside);
    let fields = &parsed.fields;
    let hero = fields
        .hero
        .as_ref()
        .and_then(|hero| pictures::hero(hero, &fields.title, beside, &mut problems));
    let enclosure = fields
        .enclosure
        .as_ref()
        .and_then(|enclosure| enclosures::enclosure(enclosure, beside, &mut problems));
    let own = hero.iter().map(|picture| picture.file.as_deref());
    let heard = enclosure.iter().flat_map(|enclosure| {
        let beside = enclosure.transcript.iter().chain(&enclosure.chapters);
        std::iter::once(enclosure.file.as_deref()).chain(beside.map(|c| c.file.as_deref()))
    });
    files.extend(
        own.chain(heard)
            .flatten()
            .map(|file| site.in_content(&slashed(file)).to_owned()),
    );
    let body_hash = ids::hexadecimal(&parsed.text_hash);
    let is_known = |known: &Remembered| known.id == planned.id && known.body_hash == body_hash;
    // Nobody has seen a held-back article, so its id may still change.
    let is_new = planned.withheld.is_none() && !planned.known.is_some_and(is_known);
    let remember = is_new.then(|| Remembered {
        source: planned.key.clone(),
        id: planned.id.clone(),
        body_hash,
    });
    let text = Fingerprint::of(&(
        parsed.text_hash,
        (&parsed.file, &planned.url, site.smart_punctuation),
        places,
        // What may lead anywhere depends on everything.
        parsed.scan.may_refer_to_more.then(|| site.fingerprint()),
    ));
    let held_back = planned.withheld.clone().map(|reason| HeldBack {
        id: planned.id.clone(),
        source: parsed.source.clone(),
        title: fields.title.clone(),
        reason,
    });
    let until = plan::until(&planned, source);
    let file = parsed.file.clone();
    let mut article = article(planned, source.publication);
    article.hero = hero;
    article.enclosure = enclosure.map(Box::new);
    article.text = text;
    Finished {
        file,
        article,
        held_back,
        problems,
        files,
        remember,
        until,
    }
}

/// The article but for its pictures, which are measured before it is taken apart.
fn article(planned: Planned<'_>, publication: &Publication) -> Article {
    let parsed = *planned.parsed;
    let fields = parsed.fields;
    let authors = if fields.authors.is_empty() {
        speakers(publication)
    } else {
        fields.authors
    };
    Article {
        id: planned.id,
        source: parsed.source,
        slug: parsed.slug,
        url: planned.url,
        is_elsewhere: planned.is_elsewhere,
        section: parsed.section.map(|(slug, _)| slug),
        kicker: fields.kicker,
        title: fields.title,
        standfirst: fields.standfirst,
        authors,
        tags: fields.tags,
        hero: None,
        enclosure: None,
        published: planned.published,
        updated: planned.updated,
        aliases: fields.aliases,
        language: fields.language,
        summary: parsed.summary,
        text_hash: parsed.text_hash,
        text: Fingerprint::default(),
    }
}

/// Who speaks where an article names nobody.
fn speakers(publication: &Publication) -> Vec<Author> {
    if publication.authors.is_empty() {
        vec![Author::named(&publication.title)]
    } else {
        publication.authors.clone()
    }
}

fn gather(
    finished: Vec<Finished>,
    sections: BTreeMap<Slug, Section>,
    mut used: BTreeSet<String>,
    source: &Source<'_>,
    site: &Arc<Site>,
) -> Loaded {
    let mut articles = Vec::with_capacity(finished.len());
    let mut held_back = Vec::new();
    let mut set_aside = Vec::new();
    let mut problems = Vec::new();
    let mut remember = Vec::new();
    let asset = |file: String| Asset {
        url: site.file_url(&file),
        file: source.dir.join(file),
    };
    for mut one in finished {
        problems.append(&mut one.problems);
        if let Some(held) = one.held_back {
            set_aside.push(SetAside {
                article: one.article,
                reason: held.reason.clone(),
                files: one.files.into_iter().map(asset).collect(),
            });
            held_back.push(held);
            continue;
        }
        remember.extend(one.remember);
        used.extend(one.files);
        articles.push(one.article);
    }
    Loaded {
        collection: Collection::new(articles, sections.into_values(), held_back),
        problems,
        remember,
        pictures: used.into_iter().map(asset).collect(),
        site: Arc::clone(site),
        cache: None,
        survey: None,
        set_aside,
    }
}

/// A relative path with `/`, as the ledger and links write it.
pub(super) fn slashed(path: &Path) -> String {
    // Most paths are written so already, and taking them apart is slow.
    if let Some(text) = path.to_str().filter(|_| MAIN_SEPARATOR == '/')
        && !(text.starts_with('/') || text.ends_with('/'))
        && !(text.contains("//") || text.contains("/."))
    {
        return text.to_owned();
    }
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
