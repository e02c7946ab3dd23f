//! What an article or a section says of itself, every value checked.

use std::{collections::BTreeMap, path::Path};

use url::Url;

use crate::{
    content::file::{dates::Written, front_matter::Entry, keys::Keys},
    domain::{
        article::{ArticleId, Slug, Tag},
        problem::Problem,
        publication::Author,
    },
};

/// What an article's front matter says, with every value checked.
#[derive(Debug)]
pub(in crate::content) struct Fields {
    pub(in crate::content) title: String,
    pub(in crate::content) id: Option<ArticleId>,
    pub(in crate::content) slug: Option<Slug>,
    pub(in crate::content) place: Option<Place>,
    pub(in crate::content) date: Option<Written>,
    pub(in crate::content) updated: Option<(Written, u32)>,
    pub(in crate::content) is_draft: bool,
    pub(in crate::content) withdrawn: Option<Written>,
    /// Slug and the words it was made of.
    pub(in crate::content) section: Option<(Slug, String)>,
    pub(in crate::content) kicker: Option<String>,
    pub(in crate::content) standfirst: Option<String>,
    pub(in crate::content) authors: Vec<Author>,
    pub(in crate::content) tags: Vec<Tag>,
    pub(in crate::content) hero: Option<HeroField>,
    pub(in crate::content) enclosure: Option<EnclosureField>,
    pub(in crate::content) aliases: Vec<String>,
    pub(in crate::content) language: Option<String>,
    /// Line of the title, for problems that concern the article as a whole.
    pub(in crate::content) line: u32,
}

/// Where an article says it stands.
#[derive(Debug)]
pub(in crate::content) enum Place {
    /// A path of this site, without the leading `/`.
    Path(String),
    /// An absolute URL.
    Absolute(Url),
}

/// The hero picture as written.
#[derive(Debug)]
pub(in crate::content) struct HeroField {
    pub(in crate::content) src: String,
    pub(in crate::content) alt: Option<String>,
    pub(in crate::content) caption: Option<String>,
    pub(in crate::content) credit: Option<String>,
    pub(in crate::content) line: u32,
}

/// The enclosure as written.
#[derive(Debug)]
pub(in crate::content) struct EnclosureField {
    pub(in crate::content) src: String,
    pub(in crate::content) media_type: Option<String>,
    pub(in crate::content) bytes: Option<u64>,
    pub(in crate::content) duration_seconds: Option<u64>,
    pub(in crate::content) transcript: Option<String>,
    pub(in crate::content) chapters: Option<String>,
    pub(in crate::content) episode: Option<u32>,
    pub(in crate::content) season: Option<u32>,
    pub(in crate::content) is_explicit: Option<bool>,
    pub(in crate::content) line: u32,
}

/// What an `_index.md` says about its section's podcast, unchecked: what is
/// needed may be absent.
#[derive(Debug)]
pub(in crate::content) struct PodcastFields {
    pub(in crate::content) owner_name: Option<String>,
    pub(in crate::content) owner_email: Option<String>,
    pub(in crate::content) category: Option<String>,
    pub(in crate::content) is_explicit: Option<bool>,
    pub(in crate::content) image: Option<String>,
    pub(in crate::content) guid: Option<String>,
    pub(in crate::content) is_locked: bool,
    /// Lines of the keys that are there.
    pub(in crate::content) lines: BTreeMap<&'static str, u32>,
    /// Line of `podcast = true`.
    pub(in crate::content) line: u32,
}

/// What an `_index.md` says about its section.
#[derive(Debug, Default)]
pub(in crate::content) struct SectionFields {
    pub(in crate::content) title: Option<String>,
    pub(in crate::content) description: Option<String>,
    pub(in crate::content) entries: Option<usize>,
    pub(in crate::content) language: Option<String>,
    pub(in crate::content) podcast: Option<PodcastFields>,
}

/// Reads an article's keys. Problems go to `problems`; `None` when one of them
/// leaves no article to speak of (no title, an unusable date, id, slug or path).
pub(in crate::content) fn article(
    entries: Vec<Entry>,
    file: &Path,
    problems: &mut Vec<Problem>,
) -> Option<Fields> {
    let mut keys = Keys::new(entries, file, problems);
    let line = keys.line_of("title").unwrap_or(1);
    let title = keys.line_text(&["title"]);
    if title.is_none() && !keys.is_fatal {
        keys.fatal(
            line,
            "there is no title",
            "add `title = \"…\"` (YAML: `title: …`)",
        );
    }
    let published_flag = keys.take_bool("published");
    let fields = Fields {
        title: title.unwrap_or_default(),
        id: keys.id(),
        slug: keys.slug(),
        place: keys.place(),
        date: keys
            .date(&["date", "published", "pubdate", "publishdate"])
            .map(|(date, _)| date),
        updated: keys.date(&["updated", "lastmod", "modified"]),
        // `published: false` is how Jekyll writes a draft.
        is_draft: keys.take_bool("draft") == Some(true) || published_flag == Some(false),
        withdrawn: keys.date(&["withdrawn"]).map(|(date, _)| date),
        section: keys.section(),
        kicker: keys.line_text(&["kicker"]),
        standfirst: keys.line_text(&["standfirst", "description", "summary", "excerpt"]),
        authors: keys.authors(),
        tags: keys.tags(),
        hero: keys.hero(),
        enclosure: keys.enclosure(),
        aliases: keys.texts(&["aliases", "redirect_from"]),
        language: keys.language(),
        line,
    };
    (!keys.finish()).then_some(fields)
}

/// Reads a section's keys.
pub(in crate::content) fn section(
    entries: Vec<Entry>,
    file: &Path,
    problems: &mut Vec<Problem>,
) -> SectionFields {
    let mut keys = Keys::new(entries, file, problems);
    let fields = SectionFields {
        title: keys.line_text(&["title"]),
        description: keys.line_text(&["standfirst", "description", "summary"]),
        entries: keys.number("entries").and_then(|n| usize::try_from(n).ok()),
        language: keys.language(),
        podcast: keys.podcast(),
    };
    // An index may carry anything an article may: dates, tags, aliases.
    keys.take_known();
    keys.finish();
    fields
}
