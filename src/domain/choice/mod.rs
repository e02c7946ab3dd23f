//! What a reader chose to get, and which edition of an issue that comes to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use crate::domain::{
    article::{Article, Slug},
    digest::{Digest, Shown},
    language::primary,
    problem::suggestion,
};

/// What a reader chose; by default everything there is, as it is.
///
/// Its text is canonical: the same choice always reads the same, and reading
/// it gives the choice back. `sections=food,home; content=summary` is one; the
/// empty text is the choice of everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Choice {
    /// Only these digests; empty means all.
    pub digests: BTreeSet<Slug>,
    /// Only articles of these sections, or with one of `tags`; both empty
    /// means all.
    pub sections: BTreeSet<Slug>,
    /// See `sections`.
    pub tags: BTreeSet<Slug>,
    /// Only articles in this language where the publication has some, and the
    /// fixed words in it.
    pub language: Option<String>,
    /// How much of each article; where absent, as the digest says.
    pub content: Option<Shown>,
}

/// The keys of a choice's text, in their order.
const KEYS: [&str; 5] = ["digests", "sections", "tags", "language", "content"];

/// What stands for the choice of everything where an empty text would puzzle.
pub const EVERYTHING: &str = "everything";

/// A text that is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no choice: {why}")]
pub struct ChoiceError {
    text: String,
    why: String,
}

impl Choice {
    /// Whether its reader gets this digest at all.
    #[must_use]
    pub fn takes(&self, digest: &Slug) -> bool {
        self.digests.is_empty() || self.digests.contains(digest)
    }

    fn is_about(&self, article: &Article) -> bool {
        if self.sections.is_empty() && self.tags.is_empty() {
            return true;
        }
        let section = article.section.as_ref();
        section.is_some_and(|section| self.sections.contains(section))
            || article.tags.iter().any(|tag| self.tags.contains(&tag.slug))
    }

    /// For people: `everything` where nothing is left out.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.to_string() {
            text if text.is_empty() => EVERYTHING.to_owned(),
            text => text,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slugs = |slugs: &BTreeSet<Slug>| {
            let slugs: Vec<&str> = slugs.iter().map(Slug::as_str).collect();
            slugs.join(",")
        };
        let values = [
            slugs(&self.digests),
            slugs(&self.sections),
            slugs(&self.tags),
            self.language.clone().unwrap_or_default(),
            self.content.map_or("", Shown::as_str).to_owned(),
        ];
        let mut gap = "";
        for (key, value) in KEYS.iter().zip(values) {
            if !value.is_empty() {
                write!(f, "{gap}{key}={value}")?;
                gap = "; ";
            }
        }
        Ok(())
    }
}

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(raw: &str) -> Result<Self, ChoiceError> {
        let wrong = |why: String| ChoiceError {
            text: raw.chars().take(200).collect(),
            why,
        };
        let mut choice = Self::default();
        if raw.trim() == EVERYTHING {
            return Ok(choice);
        }
        for part in raw.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{part}` is not written as `key=value`")))?;
            let slugs = || {
                let words = value.split([',', ' ']).filter(|word| !word.is_empty());
                words
                    .map(|word| word.parse::<Slug>().map_err(|e| wrong(e.to_string())))
                    .collect::<Result<BTreeSet<Slug>, _>>()
            };
            match key.trim() {
                "digests" => choice.digests = slugs()?,
                "sections" => choice.sections = slugs()?,
                "tags" => choice.tags = slugs()?,
                "language" => choice.language = Some(language(value.trim()).map_err(wrong)?),
                "content" => {
                    choice.content = Some(match value.trim() {
                        "full" => Shown::Full,
                        "summary" => Shown::Summary,
                        other => {
                            return Err(wrong(format!("`{other}` is not `full` or `summary`")));
                        }
                    });
                }
                other => {
                    let known = KEYS.iter().copied();
                    return Err(wrong(match suggestion(other, known) {
                        Some(meant) => format!("it has no `{other}`; did you mean `{meant}`?"),
                        None => format!("it has no `{other}`, only {}", KEYS.join(", ")),
                    }));
                }
            }
        }
        Ok(choice)
    }
}

/// A language tag (BCP 47) in the one way in which we keep it.
fn language(raw: &str) -> Result<String, String> {
    let is_tag = (2..=35).contains(&raw.len())
        && raw.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        && raw.bytes().take(2).all(|b| b.is_ascii_alphabetic());
    if is_tag {
        Ok(raw.to_ascii_lowercase())
    } else {
        Err(format!(
            "`{raw}` is no language tag such as `af` or `en-ZA`"
        ))
    }
}

/// Why a choice comes to no edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeftOut {
    /// Its reader gets other digests only.
    OtherDigests,
    /// Nothing in this issue is what its reader chose.
    NothingChosen,
}

impl LeftOut {
    /// The reason, as the ledger keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherDigests => "get other digests only",
            Self::NothingChosen => "nothing they chose",
        }
    }

    /// The same as the end of a sentence about its readers.
    #[must_use]
    pub fn of_readers(self) -> &'static str {
        match self {
            Self::OtherDigests => "get other digests only",
            Self::NothingChosen => "find nothing in this issue that they chose",
        }
    }
}

/// What an edition is made of. Choices that come to the same variant share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Variant {
    /// Places of its articles in the issue, in order.
    pub articles: Vec<usize>,
    /// Its language, where it is not the publication's.
    pub language: Option<String>,
    /// How much of each article, where it is not as the digest says.
    pub content: Option<Shown>,
}

impl Variant {
    /// Whether it is an issue of so many articles as the digest has it.
    #[must_use]
    pub fn is_whole(&self, articles: usize) -> bool {
        self.articles.len() == articles && self.language.is_none() && self.content.is_none()
    }
}

/// The variants of an issue, and which one each choice comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// The first is the whole issue as the digest has it; the website shows it.
    pub variants: Vec<Variant>,
    /// In the order of the choices: an index, or why there is none.
    pub of_choice: Vec<Result<usize, LeftOut>>,
}

impl Variants {
    /// Finds the variants of an issue of `digest` that carries `articles`, for
    /// readers with these choices. `own` is the language of its fixed words and
    /// that of articles which name none.
    #[must_use]
    pub fn of<'c>(
        choices: impl IntoIterator<Item = &'c Choice>,
        digest: &Digest,
        articles: &[&Article],
        own: (&str, &str),
        languages: &Languages,
    ) -> Self {
        let whole = Variant {
            articles: (0..articles.len()).collect(),
            ..Variant::default()
        };
        let mut known = BTreeMap::from([(whole.clone(), 0)]);
        let mut variants = vec![whole];
        let of_choice = choices.into_iter().map(|choice| {
            let variant = variant(choice, digest, articles, own, languages)?;
            let next = variants.len();
            Ok(*known.entry(variant).or_insert_with_key(|variant| {
                variants.push(variant.clone());
                next
            }))
        });
        let of_choice = of_choice.collect();
        Self {
            variants,
            of_choice,
        }
    }
}

/// Primary subtags of languages.
#[derive(Debug, Clone, Default)]
pub struct Languages {
    /// Those in which the publication has articles.
    pub of_articles: BTreeSet<String>,
    /// Those in which the program has fixed words.
    pub of_words: BTreeSet<String>,
}

fn variant(
    choice: &Choice,
    digest: &Digest,
    articles: &[&Article],
    (of_words, of_articles): (&str, &str),
    languages: &Languages,
) -> Result<Variant, LeftOut> {
    if !choice.takes(&digest.name) {
        return Err(LeftOut::OtherDigests);
    }
    let wanted = choice.language.as_deref().map(primary);
    let only = wanted
        .as_ref()
        .filter(|wanted| languages.of_articles.contains(*wanted));
    let is_in = |article: &Article| {
        let tongue = primary(article.language.as_deref().unwrap_or(of_articles));
        choice.is_about(article) && only.is_none_or(|only| *only == tongue)
    };
    let places = articles.iter().enumerate();
    let articles: Vec<usize> = places
        .filter(|(_, article)| is_in(article))
        .map(|(at, _)| at)
        .collect();
    if articles.is_empty() {
        return Err(LeftOut::NothingChosen);
    }
    let speaks = wanted.filter(|w| *w != primary(of_words) && languages.of_words.contains(w));
    Ok(Variant {
        articles,
        language: speaks.and(choice.language.clone()),
        content: choice.content.filter(|c| Some(*c) != digest.content),
    })
}

#[cfg(test)]
mod tests;
