//! Which feeds a publication has, which articles each is about, and what each
//! is called.

use url::Url;

use crate::{
    domain::{
        article::{Article, Slug},
        collection::{Collection, Section},
        publication::{Author, FeedRules, Publication},
    },
    feed::entry::below,
};

/// Which articles a feed is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// The whole publication.
    Whole,
    /// One section.
    Section(Slug),
    /// One tag.
    Tag(Slug),
    /// One author.
    Author(Slug),
}

/// Every stream that has a feed: the whole publication, then each section, tag
/// and author that has articles, each by slug.
#[must_use]
pub fn streams(collection: &Collection) -> Vec<Stream> {
    let sections = collection.sections_with_articles().cloned();
    let tags = collection.tags().map(|tag| tag.slug.clone());
    let authors = collection.bylines().map(|byline| byline.slug.clone());
    std::iter::once(Stream::Whole)
        .chain(sections.map(Stream::Section))
        .chain(tags.map(Stream::Tag))
        .chain(authors.map(Stream::Author))
        .collect()
}

/// The streams that show an article of the collection.
#[must_use]
pub fn streams_of(article: &Article, collection: &Collection) -> Vec<Stream> {
    let section = article.section.iter().cloned();
    let tags = article.tags.iter().map(|tag| tag.slug.clone());
    let slugs = article
        .authors
        .iter()
        .filter_map(|a| collection.author_slug(a));
    std::iter::once(Stream::Whole)
        .chain(section.map(Stream::Section))
        .chain(tags.map(Stream::Tag))
        .chain(slugs.cloned().map(Stream::Author))
        .collect()
}

/// The folders of these streams' feeds, but for the whole publication's.
#[must_use]
pub fn folders_of(article: &Article, collection: &Collection) -> Vec<String> {
    // Asked of every article in every build, so without a stream in between.
    let section = article.section.iter().map(|slug| folder(SECTIONS, slug));
    let tags = article.tags.iter().map(|tag| folder(TAGS, &tag.slug));
    let slugs = article
        .authors
        .iter()
        .filter_map(|a| collection.author_slug(a));
    let authors = slugs.map(|slug| folder(AUTHORS, slug));
    section.chain(tags).chain(authors).collect()
}

const SECTIONS: &str = "sections/";
const TAGS: &str = "tags/";
const AUTHORS: &str = "authors/";

fn folder(kind: &str, slug: &Slug) -> String {
    [kind, slug.as_str(), "/"].concat()
}

/// The newest articles of a stream, newest first, as many as the section's own
/// limit, else the rules, allow.
#[must_use]
pub fn select<'a>(
    collection: &'a Collection,
    stream: &Stream,
    rules: &FeedRules,
) -> Vec<&'a Article> {
    let mut articles = stream.articles(collection);
    articles.truncate(stream.limit(collection, rules));
    articles
}

impl Stream {
    /// The folder of the stream's feeds below `public/`: empty, or ends in `/`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Whole => String::new(),
            Self::Section(slug) => folder(SECTIONS, slug),
            Self::Tag(slug) => folder(TAGS, slug),
            Self::Author(slug) => folder(AUTHORS, slug),
        }
    }

    /// Its articles, newest first.
    #[must_use]
    pub fn articles<'a>(&self, collection: &'a Collection) -> Vec<&'a Article> {
        match self {
            Self::Whole => collection.articles().iter().collect(),
            Self::Section(slug) => collection.in_section(slug).collect(),
            Self::Tag(slug) => collection.with_tag(slug).collect(),
            Self::Author(slug) => collection.by_author(slug).collect(),
        }
    }

    /// How many of its newest articles its feeds show at least.
    #[must_use]
    pub fn limit(&self, collection: &Collection, rules: &FeedRules) -> usize {
        self.section(collection)
            .and_then(|section| section.entries)
            .unwrap_or(rules.entries)
    }

    fn section<'a>(&self, collection: &'a Collection) -> Option<&'a Section> {
        match self {
            Self::Section(slug) => collection.sections().get(slug),
            Self::Whole | Self::Tag(_) | Self::Author(_) => None,
        }
    }

    /// Those who speak where an article names nobody; in an author's own
    /// stream the author.
    pub(super) fn authors<'a>(
        &self,
        publication: &'a Publication,
        collection: &'a Collection,
    ) -> &'a [Author] {
        match self {
            Self::Author(slug) => collection
                .byline(slug)
                .map_or(&publication.authors, |byline| {
                    std::slice::from_ref(&byline.author)
                }),
            Self::Whole | Self::Section(_) | Self::Tag(_) => &publication.authors,
        }
    }

    /// A feed list shows titles side by side: a section names its publication.
    pub(super) fn title(&self, publication: &Publication, collection: &Collection) -> String {
        let of = |name: &str| format!("{}: {name}", publication.title);
        match self {
            Self::Whole => publication.title.clone(),
            Self::Section(slug) => of(&section_title(slug, collection)),
            Self::Tag(slug) => of(collection
                .tag(slug)
                .map_or(slug.as_str(), |tag| tag.label.as_str())),
            Self::Author(slug) => of(collection
                .byline(slug)
                .map_or(slug.as_str(), |byline| byline.author.name.as_str())),
        }
    }

    pub(super) fn description<'a>(
        &self,
        publication: &'a Publication,
        collection: &'a Collection,
    ) -> &'a str {
        self.section(collection)
            .and_then(|section| section.description.as_deref())
            .unwrap_or(&publication.description)
    }

    pub(super) fn language<'a>(
        &self,
        publication: &'a Publication,
        collection: &'a Collection,
    ) -> &'a str {
        self.section(collection)
            .and_then(|section| section.language.as_deref())
            .unwrap_or(&publication.language)
    }

    pub(super) fn home_page(&self, base: &Url) -> Url {
        match self {
            Self::Section(slug) => below(base, &format!("{slug}/")),
            Self::Whole | Self::Tag(_) | Self::Author(_) => below(base, &self.path()),
        }
    }

    /// Made of what never changes: not of the URL, not of the title.
    pub(super) fn feed_id(&self, id_authority: &str) -> String {
        let authority = id_authority.to_ascii_lowercase();
        match self {
            Self::Whole => format!("tag:{authority}:feeds/whole"),
            _ => format!(
                "tag:{authority}:feeds/{}",
                self.path().trim_end_matches('/')
            ),
        }
    }
}

/// What readers call a section; its slug where nobody described it.
pub(super) fn section_title(slug: &Slug, collection: &Collection) -> String {
    collection
        .sections()
        .get(slug)
        .map_or_else(|| slug.to_string(), |section| section.title.clone())
}
