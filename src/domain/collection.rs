//! All published articles, newest first, and the indexes that streams need.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

use crate::domain::{
    article::{Article, ArticleId, Slug, Tag},
    podcast::Podcast,
    publication::Author,
    text::one_line,
};

/// A section: a folder of articles, described by its `_index.md`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Section {
    /// Folder name.
    pub slug: Slug,
    /// As readers see it; where nobody said, the folder name: `slow-living` is
    /// `Slow living`.
    pub title: String,
    /// One sentence about it.
    pub description: Option<String>,
    /// How many entries its feeds carry, where it differs from the publication.
    pub entries: Option<usize>,
    /// BCP 47 tag where it differs from the publication's.
    pub language: Option<String>,
    /// What its podcast feed says of it, if it has one.
    pub podcast: Option<Podcast>,
}

/// Why a file in `content/` is not in the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// `draft = true`.
    Draft,
    /// Its date is still to come.
    Future(chrono::DateTime<chrono::FixedOffset>),
    /// `withdrawn = …`: taken back at this time, which is not before its last change.
    Withdrawn(chrono::DateTime<chrono::FixedOffset>),
}

/// A held-back article: enough to explain it in a plan and to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The id it has, or would be published under.
    pub id: ArticleId,
    /// The file, relative to the publication's root.
    pub source: PathBuf,
    /// Its title.
    pub title: String,
    /// Draft, future or withdrawn.
    pub reason: Withheld,
}

/// Someone who wrote articles, and the place of their list in URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Byline {
    /// As in URLs. Of two names that would make one slug, the name of the older
    /// article has it, and the other one gets `-2`.
    pub slug: Slug,
    /// The person, with the email and home page that their newest article gives.
    pub author: Author,
}

/// Every article that may be shown, in one order for all formats.
#[derive(Debug, Default)]
pub struct Collection {
    articles: Vec<Article>,
    by_id: HashMap<ArticleId, usize>,
    sections: BTreeMap<Slug, Section>,
    held_back: Vec<HeldBack>,
    by_section: BTreeMap<Slug, Vec<usize>>,
    by_tag: BTreeMap<Slug, (Tag, Vec<usize>)>,
    by_author: BTreeMap<Slug, (Byline, Vec<usize>)>,
    /// Slug of every author's name, as [`name_of`] writes it.
    author_slugs: HashMap<String, Slug>,
}

impl Collection {
    /// Orders articles newest first (ties by id, so that the order is stable)
    /// and indexes them. Ids are unique by the loader's check.
    #[must_use]
    pub fn new(
        mut articles: Vec<Article>,
        sections: impl IntoIterator<Item = Section>,
        held_back: Vec<HeldBack>,
    ) -> Self {
        // By the cached key, so that each of these large values is moved once.
        articles.sort_by_cached_key(|one| (Reverse(one.published), one.id.clone()));
        let sections = sections.into_iter().map(|s| (s.slug.clone(), s)).collect();
        let places = articles.iter().enumerate();
        let places = places.map(|(at, article)| (article.id.clone(), at));
        let (by_id, author_slugs) = rayon::join(|| places.collect(), || author_slugs(&articles));
        let mut collection = Self {
            articles: Vec::new(),
            by_id,
            sections,
            held_back,
            by_section: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            by_author: BTreeMap::new(),
            author_slugs,
        };
        let mut slugs = HashMap::new();
        for (at, article) in articles.iter().enumerate() {
            collection.index(at, article, &mut slugs);
        }
        collection.articles = articles;
        collection
    }

    /// A few articles of a collection whose sections, tags and authors are
    /// these: what it says of an article is what the whole one says, but its
    /// lists are not complete.
    #[must_use]
    pub fn excerpt(
        articles: Vec<Article>,
        sections: Vec<Section>,
        tags: Vec<Tag>,
        bylines: Vec<Byline>,
    ) -> Self {
        let few = Self::new(articles, sections, Vec::new());
        let slug = |one: &Byline| (name_of(&one.author), one.slug.clone());
        Self {
            author_slugs: bylines.iter().map(slug).collect(),
            by_author: bylines
                .into_iter()
                .map(|one| (one.slug.clone(), (one, Vec::new())))
                .collect(),
            by_tag: tags
                .into_iter()
                .map(|tag| (tag.slug.clone(), (tag, Vec::new())))
                .collect(),
            by_section: BTreeMap::new(),
            ..few
        }
    }

    /// Adds the article to its lists; called newest first. `slugs` are of the
    /// names met so far, as they are written.
    fn index<'a>(
        &mut self,
        at: usize,
        article: &'a Article,
        slugs: &mut HashMap<&'a str, Option<Slug>>,
    ) {
        if let Some(section) = &article.section {
            match self.by_section.get_mut(section) {
                Some(list) => list.push(at),
                None => drop(self.by_section.insert(section.clone(), vec![at])),
            }
        }
        for tag in &article.tags {
            let Some((oldest, list)) = self.by_tag.get_mut(&tag.slug) else {
                let new = (tag.clone(), vec![at]);
                self.by_tag.insert(tag.slug.clone(), new);
                continue;
            };
            // The first label that was ever used stays.
            if oldest.label != tag.label {
                oldest.label.clone_from(&tag.label);
            }
            list.push(at);
        }
        for author in &article.authors {
            let known = slugs.entry(&author.name);
            let slug = known.or_insert_with(|| self.author_slugs.get(&name_of(author)).cloned());
            let Some(slug) = slug else {
                continue;
            };
            if !self.by_author.contains_key(slug) {
                let byline = Byline {
                    slug: slug.clone(),
                    author: author.clone(),
                };
                self.by_author.insert(slug.clone(), (byline, Vec::new()));
            }
            let Some((byline, list)) = self.by_author.get_mut(slug) else {
                continue;
            };
            let known = &mut byline.author;
            known.email = known.email.take().or_else(|| author.email.clone());
            known.url = known.url.take().or_else(|| author.url.clone());
            if list.last() != Some(&at) {
                list.push(at);
            }
        }
    }

    /// Newest first.
    #[must_use]
    pub fn articles(&self) -> &[Article] {
        &self.articles
    }

    /// The article with this id.
    #[must_use]
    pub fn get(&self, id: &ArticleId) -> Option<&Article> {
        self.by_id.get(id).map(|&at| &self.articles[at])
    }

    /// Sections by slug, those without articles included.
    #[must_use]
    pub fn sections(&self) -> &BTreeMap<Slug, Section> {
        &self.sections
    }

    /// The sections that have articles, in the order of their slugs.
    pub fn sections_with_articles(&self) -> impl Iterator<Item = &Slug> {
        self.by_section.keys()
    }

    /// Every tag that an article has, by slug, with the label it had first.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.by_tag.values().map(|(tag, _)| tag)
    }

    /// The tag of this slug, if an article has it.
    #[must_use]
    pub fn tag(&self, slug: &Slug) -> Option<&Tag> {
        self.by_tag.get(slug).map(|(tag, _)| tag)
    }

    /// Every author of an article, by slug.
    pub fn bylines(&self) -> impl Iterator<Item = &Byline> {
        self.by_author.values().map(|(byline, _)| byline)
    }

    /// The author of this slug.
    #[must_use]
    pub fn byline(&self, slug: &Slug) -> Option<&Byline> {
        self.by_author.get(slug).map(|(byline, _)| byline)
    }

    /// The slug of an author of one of the articles; `None` for a stranger and
    /// for a name without a letter.
    #[must_use]
    pub fn author_slug(&self, author: &Author) -> Option<&Slug> {
        self.author_slugs.get(&name_of(author))
    }

    /// Articles of one section, newest first.
    pub fn in_section<'a>(&'a self, section: &Slug) -> impl Iterator<Item = &'a Article> {
        self.listed(self.by_section.get(section))
    }

    /// Articles with one tag, newest first.
    pub fn with_tag<'a>(&'a self, tag: &Slug) -> impl Iterator<Item = &'a Article> {
        self.listed(self.by_tag.get(tag).map(|(_, list)| list))
    }

    /// Articles of one author, newest first.
    pub fn by_author<'a>(&'a self, author: &Slug) -> impl Iterator<Item = &'a Article> {
        self.listed(self.by_author.get(author).map(|(_, list)| list))
    }

    fn listed<'a>(&'a self, list: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Article> {
        list.into_iter().flatten().map(|&at| &self.articles[at])
    }

    /// Drafts, future and withdrawn articles: not published anywhere.
    #[must_use]
    pub fn held_back(&self) -> &[HeldBack] {
        &self.held_back
    }

    /// Every author once, in the order of first appearance.
    #[must_use]
    pub fn authors(&self) -> Vec<&Author> {
        let mut seen = HashSet::new();
        self.articles
            .iter()
            .flat_map(|article| &article.authors)
            .filter(|author| seen.insert(*author))
            .collect()
    }
}

/// A name by which an author is recognised, whatever email or page goes with it.
fn name_of(author: &Author) -> String {
    one_line(&author.name)
}

/// A slug for every name, given out from the oldest article on, so that a new
/// author never takes the place of a known one.
fn author_slugs(newest_first: &[Article]) -> HashMap<String, Slug> {
    let mut slugs = HashMap::new();
    let mut taken = HashSet::new();
    let mut seen = HashSet::new();
    for author in newest_first.iter().rev().flat_map(|a| &a.authors) {
        if !seen.insert(author.name.as_str()) {
            continue;
        }
        let name = name_of(author);
        if name.is_empty() || slugs.contains_key(&name) {
            continue;
        }
        let Some(plain) = Slug::of(&name).or_else(|| Slug::hashed("author", &name)) else {
            continue;
        };
        let numbered = (2u32..).map(|n| plain.numbered(n));
        let slug = std::iter::once(plain.clone())
            .chain(numbered)
            .find(|slug| !taken.contains(slug));
        if let Some(slug) = slug {
            taken.insert(slug.clone());
            slugs.insert(name, slug);
        }
    }
    slugs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_authors_of_one_slug_are_told_apart_and_the_older_one_keeps_it() {
        let mut articles = vec![
            Article::sample("a", 2, "Zoë Adams"),
            Article::sample("b", 1, "Zoe Adams"),
            Article::sample("c", 3, "王"),
        ];
        let slugs = |articles: &[Article]| -> Vec<String> {
            let collection = Collection::new(articles.to_vec(), [], Vec::new());
            let slug = |name: &str| collection.author_slug(&Author::named(name)).cloned();
            let names = ["Zoe Adams", "Zoë Adams", "王"];
            names.map(|name| slug(name).unwrap().to_string()).to_vec()
        };
        let before = slugs(&articles);
        assert_eq!(before[..2], ["zoe-adams", "zoe-adams-2"]);
        assert!(before[2].starts_with("author-"), "{before:?}");
        articles.push(Article::sample("d", 4, "ZOE ADAMS"));
        assert_eq!(
            slugs(&articles),
            before,
            "newcomers change nobody's address"
        );
    }

    #[test]
    fn an_author_is_one_person_whatever_else_is_said_of_them() {
        let mut newer = Article::sample("a", 2, "Thandi");
        newer.authors[0].url = Some("https://example.org/thandi".to_owned());
        let mut older = Article::sample("b", 1, " Thandi ");
        older.authors[0].email = Some("thandi@example.org".to_owned());
        let collection = Collection::new(vec![newer, older], [], Vec::new());
        let bylines: Vec<&Byline> = collection.bylines().collect();
        let [thandi] = bylines[..] else {
            panic!("{bylines:?}")
        };
        assert_eq!(collection.by_author(&thandi.slug).count(), 2);
        assert!(thandi.author.email.is_some() && thandi.author.url.is_some());
    }
}
