//! One Markdown file, by itself: front matter, what its name says, its text.

pub(super) mod dates;
pub(super) mod fields;
mod front_matter;
mod keys;
pub(super) mod list;
mod media;
pub(super) mod scan;
mod values;

pub use list::is_markdown;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Utc};
use url::Url;

use crate::{
    content::{
        cache::{self, Cache, Found, Kept, Known},
        checks,
        file::{
            fields::{Fields, Place, SectionFields},
            front_matter::Halves,
            scan::Scan,
        },
        ids, summary,
    },
    domain::{article::Slug, fingerprint::Fingerprint, problem::Problem},
    files::Stamp,
};

/// A file that was read; what is wrong with it by itself is in `problems`.
#[derive(Debug)]
pub(in crate::content) struct Parsed {
    /// By path in the content folder.
    pub(in crate::content) file: String,
    pub(in crate::content) problems: Vec<Problem>,
    /// `None` when the problems leave nothing to publish.
    pub(in crate::content) kind: Option<Kind>,
    /// How the file is recognised, if it could be read.
    pub(in crate::content) known: Option<Known>,
}

/// What a Markdown file is.
#[derive(Debug)]
pub(in crate::content) enum Kind {
    /// An article.
    Article(Box<ParsedArticle>),
    /// An `_index.md`.
    Section(Box<SectionFields>),
}

/// An article whose own file is in order.
#[derive(Debug)]
pub(in crate::content) struct ParsedArticle {
    /// By path in the content folder.
    pub(in crate::content) file: String,
    /// Relative to the publication's root.
    pub(in crate::content) source: PathBuf,
    pub(in crate::content) fields: Fields,
    pub(in crate::content) slug: Slug,
    /// Where the front matter has no date: the day of the file name or path.
    pub(in crate::content) date: dates::Written,
    pub(in crate::content) section: Option<(Slug, String)>,
    pub(in crate::content) markdown_line: u32,
    /// SHA-256 of its Markdown.
    pub(in crate::content) text_hash: [u8; 32],
    /// Whether there is nothing but white space in its Markdown.
    pub(in crate::content) is_empty: bool,
    /// See [`Article::summary`](crate::domain::article::Article::summary).
    pub(in crate::content) summary: String,
    pub(in crate::content) scan: Scan,
}

/// What files are read with.
#[derive(Clone, Copy)]
pub(in crate::content) struct Reading<'a> {
    /// The content folder on disk.
    pub(in crate::content) folder: &'a Path,
    /// The same relative to the publication's root.
    pub(in crate::content) dir: &'a Path,
    pub(in crate::content) base: &'a Url,
    pub(in crate::content) smart_punctuation: bool,
    pub(in crate::content) cache: &'a Cache,
    /// The machine's time before anything is read.
    pub(in crate::content) since: DateTime<Utc>,
}

impl Reading<'_> {
    /// Reads and parses one file, unless the cache has it; and what the next
    /// cache should have of it. Files with problems are not cached: they are
    /// looked at again until they are mended.
    pub(in crate::content) fn parse(&self, file: &str) -> (Parsed, Option<Kept>) {
        let found = self.cache.find(file);
        if let Some((article, kept)) = found.and_then(|found| self.unchanged(file, found)) {
            return (Parsed::of(article, kept.known), Some(kept));
        }
        self.read(file, found)
    }

    /// Reads a file, and parses it unless its bytes say what they said.
    fn read(&self, file: &str, found: Option<Found<'_>>) -> (Parsed, Option<Kept>) {
        let source = self.dir.join(file);
        let read = list::read(&self.folder.join(file), &source)
            .and_then(|(bytes, stamp)| Ok((list::text(bytes, &source)?, stamp)));
        let (mut text, stamp) = match read {
            Ok(read) => read,
            Err(problem) => return (Parsed::failed(file, vec![problem]), None),
        };
        let mut problems = Vec::from_iter(list::without_nul(&mut text, &source));
        let halves = match front_matter::split(&text) {
            Ok(halves) => halves,
            Err(error) => {
                problems.push(error.at(source));
                return (Parsed::failed(file, problems), None);
            }
        };
        // The Markdown is hashed once, for the ledger; the rest is short.
        let text_hash = ids::text_hash(halves.markdown);
        let mut known = Known {
            stamp: Some(stamp).filter(|stamp| stamp.is_settled(self.since)),
            content: Fingerprint::of(&(halves.before(&text), text_hash)),
            outward: Fingerprint::default(),
        };
        let found = found.filter(|found| found.known().content == known.content);
        if problems.is_empty()
            && let Some(found) = found
            && let Some(article) = found.article(self.dir, file)
        {
            let kept = found.keep(known.stamp);
            return (Parsed::of(article, kept.known), Some(kept));
        }
        let mut kind = self.parse_halves(file, source, &halves, text_hash, &mut problems);
        if let Some(Kind::Article(article)) = &mut kind {
            article.scan.forget_what_leads_away(self.base);
            known.outward = cache::outward(article);
        }
        let file = file.to_owned();
        let parsed = Parsed {
            file,
            problems,
            kind,
            known: Some(known),
        };
        let kept = parsed.article().map(|article| Kept::new(article, known));
        (parsed, kept)
    }

    /// The article of a file that looks as it did when it was cached.
    fn unchanged(&self, file: &str, found: Found<'_>) -> Option<(ParsedArticle, Kept)> {
        let stamp = found.known().stamp?;
        let facts = fs::symlink_metadata(self.folder.join(file)).ok()?;
        if Stamp::of(&facts) != stamp {
            return None;
        }
        Some((found.article(self.dir, file)?, found.keep(Some(stamp))))
    }

    fn parse_halves(
        &self,
        file: &str,
        source: PathBuf,
        halves: &Halves<'_>,
        text_hash: [u8; 32],
        problems: &mut Vec<Problem>,
    ) -> Option<Kind> {
        let entries = match halves.parse() {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(error.at(source));
                return None;
            }
        };
        let name = FileName::of(file);
        if name.stem == "_index" {
            let section = fields::section(entries, &source, problems);
            return Some(Kind::Section(Box::new(section)));
        }
        let has_title = entries
            .iter()
            .any(|entry| entry.key.eq_ignore_ascii_case("title"));
        if !has_title && halves.markdown.trim().is_empty() {
            // Generators keep such files to place a template on their site.
            problems.push(Problem::warning(
                source,
                1,
                "there is neither title nor text, so this is no article",
                "write them, or move the file out of the content folder",
            ));
            return None;
        }
        let fields = fields::article(entries, &source, problems);
        let scan = scan::scan(halves.markdown);
        let too_much = checks::limits(&source, halves.markdown, &scan);
        let is_too_much = too_much.is_some();
        problems.extend(too_much);
        let fields = fields.filter(|_| !is_too_much)?;
        let slug = slug(&fields, &name, &source, problems);
        let date = date(&fields, &name, &source, problems);
        let section = section(&fields, &name, &source, problems);
        Some(Kind::Article(Box::new(ParsedArticle {
            file: file.to_owned(),
            source,
            slug: slug?,
            date: date?,
            section: section?,
            summary: summary::of(
                fields.standfirst.as_deref(),
                halves.markdown,
                self.smart_punctuation,
            ),
            fields,
            markdown_line: halves.markdown_line,
            text_hash,
            is_empty: halves.markdown.trim().is_empty(),
            scan,
        })))
    }
}

impl Parsed {
    fn of(article: ParsedArticle, known: Known) -> Self {
        Self {
            known: Some(known),
            file: article.file.clone(),
            problems: Vec::new(),
            kind: Some(Kind::Article(Box::new(article))),
        }
    }

    fn failed(file: &str, problems: Vec<Problem>) -> Self {
        Self {
            file: file.to_owned(),
            problems,
            kind: None,
            known: None,
        }
    }

    /// The article of a file in good order.
    fn article(&self) -> Option<&ParsedArticle> {
        match &self.kind {
            Some(Kind::Article(article)) if self.problems.is_empty() => Some(article),
            _ => None,
        }
    }
}

/// The Markdown of a file that was loaded before.
///
/// # Errors
/// When it is no such file any more.
pub(in crate::content) fn markdown(path: &Path, source: &Path) -> Result<String, Problem> {
    let (bytes, _) = list::read(path, source)?;
    let mut text = list::text(bytes, source)?;
    // Told when it was loaded.
    let _ = list::without_nul(&mut text, source);
    match front_matter::split(&text) {
        Ok(halves) => Ok(halves.markdown.to_owned()),
        Err(error) => Err(error.at(source)),
    }
}

/// What the name and place of a file say.
struct FileName<'a> {
    /// The file's or, for `x/index.md`, the folder's name without date.
    stem: &'a str,
    date: Option<NaiveDate>,
    /// First folder, unless it is the article's own.
    section: Option<&'a str>,
}

impl<'a> FileName<'a> {
    fn of(file: &'a str) -> Self {
        let path = file.rsplit_once('.').map_or(file, |(path, _)| path);
        // `x/index.md` is the article `x` with its pictures beside it.
        let path = path.strip_suffix("/index").unwrap_or(path);
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let named = dates::from_file_name(name);
        Self {
            stem: named.map_or(name, |(_, stem)| stem),
            date: named
                .map(|(day, _)| day)
                .or_else(|| dates::from_path(folders)),
            section: folders
                .split('/')
                .next()
                .filter(|folder| !folder.is_empty()),
        }
    }
}

fn slug(
    fields: &Fields,
    name: &FileName<'_>,
    source: &Path,
    problems: &mut Vec<Problem>,
) -> Option<Slug> {
    let last = match &fields.place {
        Some(Place::Path(path)) => path.trim_end_matches('/').rsplit('/').next(),
        _ => None,
    };
    let last = last.map(|last| last.trim_end_matches(".html"));
    let found = fields
        .slug
        .clone()
        .or_else(|| last.and_then(Slug::of))
        .or_else(|| Slug::of(name.stem));
    if found.is_none() {
        problems.push(Problem::error(
            source,
            fields.line,
            format!("the file name `{}` makes no slug", name.stem),
            "add `slug = \"…\"` of Latin letters and digits",
        ));
    }
    found
}

fn date(
    fields: &Fields,
    name: &FileName<'_>,
    source: &Path,
    problems: &mut Vec<Problem>,
) -> Option<dates::Written> {
    let in_path = || match &fields.place {
        Some(Place::Path(path)) => dates::from_path(path),
        Some(Place::Absolute(url)) => dates::from_path(url.path()),
        None => None,
    };
    let implied = || name.date.or_else(in_path).map(dates::Written::Day);
    let found = fields.date.or_else(implied);
    if found.is_none() {
        problems.push(Problem::error(
            source,
            fields.line,
            "there is no date",
            format!(
                "add `date = …`: {}; or name the file `2026-08-01-name.md`",
                dates::FORMS
            ),
        ));
    }
    found
}

/// The section, or none; `None` outside when the folder cannot be one.
fn section(
    fields: &Fields,
    name: &FileName<'_>,
    source: &Path,
    problems: &mut Vec<Problem>,
) -> Option<Option<(Slug, String)>> {
    if fields.section.is_some() {
        return Some(fields.section.clone());
    }
    let Some(folder) = name.section else {
        return Some(None);
    };
    let Some(slug) = Slug::of(folder) else {
        problems.push(Problem::error(
            source,
            None,
            format!("the folder name `{folder}` makes no section"),
            "rename the folder to Latin letters and digits, or add `section = \"…\"`",
        ));
        return None;
    };
    Some(Some((slug, title_of(folder))))
}

/// `slow-living` as a title, where nobody gave one: `Slow living`.
pub(in crate::content) fn title_of(folder: &str) -> String {
    let words = folder.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_slug_date_and_section() {
        for (file, stem, date, section) in [
            ("food/beans.md", "beans", None, Some("food")),
            ("food/beans/index.md", "beans", None, Some("food")),
            ("food/2026/deep/beans.md", "beans", None, Some("food")),
            ("about.md", "about", None, None),
            ("about/index.md", "about", None, None),
            (
                "2026-08-01-beans.markdown",
                "beans",
                Some("2026-08-01"),
                None,
            ),
            (
                "blog/2026-08-01-beans/index.md",
                "beans",
                Some("2026-08-01"),
                Some("blog"),
            ),
            (
                "blog/2026/08/01/beans.md",
                "beans",
                Some("2026-08-01"),
                Some("blog"),
            ),
        ] {
            let name = FileName::of(file);
            let found = name.date.map(|day| day.to_string());
            assert_eq!(
                (name.stem, found.as_deref(), name.section),
                (stem, date, section),
                "{file}"
            );
        }
        assert_eq!(title_of("slow-living"), "Slow living");
    }
}
