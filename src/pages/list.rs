//! Lists of articles, page by page: home, sections, tags, authors.

use tera::Value;

use super::{
    claims::Claims,
    context::{self, map},
    site::{Draft, Head, Site},
    structured,
    trail::Step,
};
use crate::domain::{
    article::{Article, Slug},
    publication::Author,
    text::one_line,
};

/// Articles on one page of a list.
const PER_PAGE: usize = 24;
/// The first page of the home page has a lead article besides.
const FIRST_OF_HOME: usize = 25;

/// Whose articles a list has.
enum Kind<'a> {
    Home,
    Section(&'a Slug),
    Tag,
    Author(&'a Author),
}

/// One list.
pub(super) struct List<'a> {
    kind: Kind<'a>,
    title: String,
    description: String,
    /// Below the base URL: empty, or ends in `/`.
    path: String,
    /// Folder of its feeds below the output folder.
    feeds: String,
    articles: Vec<&'a Article>,
}

/// One page of a list.
pub(super) struct Span<'l, 'a> {
    list: &'l List<'a>,
    /// From 1.
    number: usize,
    of: usize,
    articles: &'l [&'a Article],
}

/// Every list, home first, that nothing else stands in the place of.
pub(super) fn plan<'a>(site: &Site<'a>, claims: &mut Claims) -> Vec<List<'a>> {
    let (publication, collection) = (site.input.publication, site.input.collection);
    let mut lists = vec![List {
        kind: Kind::Home,
        title: one_line(&publication.title),
        description: one_line(&publication.description),
        path: String::new(),
        feeds: String::new(),
        articles: collection.articles().iter().collect(),
    }];
    for section in collection.sections().values() {
        let slug = &section.slug;
        lists.push(List {
            kind: Kind::Section(slug),
            title: site.section_title(slug),
            description: one_line(section.description.as_deref().unwrap_or_default()),
            path: format!("{slug}/"),
            feeds: format!("sections/{slug}/"),
            articles: collection.in_section(slug).collect(),
        });
    }
    for tag in collection.tags() {
        let path = format!("tags/{}/", tag.slug);
        lists.push(List {
            kind: Kind::Tag,
            title: one_line(&tag.label),
            description: String::new(),
            feeds: path.clone(),
            path,
            articles: collection.with_tag(&tag.slug).collect(),
        });
    }
    for byline in collection.bylines() {
        let path = format!("authors/{}/", byline.slug);
        lists.push(List {
            kind: Kind::Author(&byline.author),
            title: one_line(&byline.author.name),
            description: String::new(),
            feeds: path.clone(),
            path,
            articles: collection.by_author(&byline.slug).collect(),
        });
    }
    lists.retain(|list| claims.take(&format!("{}index.html", list.path)));
    lists
}

/// Every page of every list; an empty list has one.
pub(super) fn spans<'l, 'a>(lists: &'l [List<'a>]) -> Vec<Span<'l, 'a>> {
    lists
        .iter()
        .flat_map(|list| {
            let first = match list.kind {
                Kind::Home => FIRST_OF_HOME,
                Kind::Section(_) | Kind::Tag | Kind::Author(_) => PER_PAGE,
            };
            let (head, rest) = list.articles.split_at(first.min(list.articles.len()));
            let chunks: Vec<&[&Article]> =
                std::iter::once(head).chain(rest.chunks(PER_PAGE)).collect();
            let of = chunks.len();
            chunks
                .into_iter()
                .zip(1..)
                .map(move |(articles, number)| Span {
                    list,
                    number,
                    of,
                    articles,
                })
        })
        .collect()
}

impl<'a> Span<'_, 'a> {
    /// Where it is, below the base URL.
    pub(super) fn path(&self) -> String {
        self.path_of(self.number)
    }

    /// Whether it is the first of its list.
    pub(super) fn is_first(&self) -> bool {
        self.number == 1
    }

    /// The articles it shows.
    pub(super) fn articles(&self) -> &[&'a Article] {
        self.articles
    }

    fn path_of(&self, number: usize) -> String {
        if number == 1 {
            self.list.path.clone()
        } else {
            format!("{}page/{number}/", self.list.path)
        }
    }

    fn title(&self) -> String {
        if self.is_first() {
            self.list.title.clone()
        } else {
            format!("{}, page {}", self.list.title, self.number)
        }
    }
}

/// One page of a list.
pub(super) fn page<'s>(site: &'s Site<'s>, span: &Span<'_, '_>) -> Draft<'s> {
    let list = span.list;
    let (template, schema) = match list.kind {
        Kind::Home => ("home.html", "WebSite"),
        Kind::Section(_) => ("section.html", "CollectionPage"),
        Kind::Tag => ("tag.html", "CollectionPage"),
        Kind::Author(_) => ("author.html", "ProfilePage"),
    };
    let schema = if span.is_first() {
        schema
    } else {
        "CollectionPage"
    };
    let title = span.title();
    let mut trail = vec![site.home_step()];
    let mut streams = vec![site.whole()];
    if !matches!(list.kind, Kind::Home) {
        trail.push(Step::new(&list.title, list.path.as_str()));
        streams.insert(0, site.stream(list.feeds.clone(), &list.title));
    }
    let path = span.path();
    if !span.is_first() {
        trail.push(Step::new(&format!("Page {}", span.number), path.as_str()));
    }
    let url = site.absolute(&path);
    let cards = span.articles.iter().map(|article| {
        let summary = article.standfirst.as_ref().unwrap_or(&article.summary);
        context::card(site, article, summary)
    });
    let head = Head {
        title: &title,
        description: &list.description,
        url: &url,
        kind: "website",
        section: match list.kind {
            Kind::Section(slug) => Some(slug),
            Kind::Home | Kind::Tag | Kind::Author(_) => None,
        },
        trail: &trail,
        streams: &streams,
        image: span.articles.iter().find_map(|one| one.hero.as_ref()),
        structured: structured::collection(
            site.input.publication,
            schema,
            (&title, &list.description, &url),
            &trail,
        ),
        properties: Vec::new(),
        style: "",
        is_listed: true,
    };
    let own = [("list", describe(site, span, cards.collect()))];
    let file = format!("{path}index.html");
    site.draft(&file, template, head, own)
}

fn describe(site: &Site<'_>, span: &Span<'_, '_>, cards: Vec<Value>) -> Value {
    let list = span.list;
    let author = match list.kind {
        Kind::Author(author) => Some(site.author(author)),
        Kind::Home | Kind::Section(_) | Kind::Tag => None,
    };
    let neighbour = |number: usize| site.path(&span.path_of(number));
    let previous = (span.number > 1).then(|| neighbour(span.number - 1));
    let next = (span.number < span.of).then(|| neighbour(span.number + 1));
    map([
        ("title", list.title.as_str().into()),
        ("description", list.description.as_str().into()),
        ("author", author.into()),
        ("count", list.articles.len().into()),
        ("articles", cards.into()),
        ("number", span.number.into()),
        ("of", span.of.into()),
        ("previous_url", previous.into()),
        ("next_url", next.into()),
    ])
}
