//! What is wrong with a letter before anybody gets it: all that mail clients,
//! spam filters and the law insist on and that can be seen without a network.
//!
//! Errors keep an issue from being frozen; warnings never stop anything. Every
//! rule is in docs/lint.md.

mod contrast;
mod css;
mod headers;
mod layout;
mod links;
mod looks;
mod page;
mod plain;

use url::Url;

use self::{looks::Looks, page::Page};
use super::render::Rendered;
use crate::{
    config::settings::MailSettings,
    domain::{problem::Level, publication::Publication, text},
};

/// Gmail cuts off what is longer: 102 KB of HTML.
pub const CLIPPED_AT: usize = 102 * 1000 + 400;
/// Gmail drops a style block of more characters, and with it every rule for
/// phones and dark mode.
pub const LARGEST_STYLE_BLOCK: usize = 8192;

/// What a letter is measured by.
pub struct Measure<'a> {
    /// Who speaks.
    pub publication: &'a Publication,
    /// Who writes, and how it is signed.
    pub settings: &'a MailSettings,
    /// Where an address of the publication leads.
    pub leads: &'a dyn Fn(&Url) -> Lead,
}

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Another site, or something of ours that is there.
    There,
    /// Nothing of the publication stands there.
    Nowhere,
    /// The page is there and has no such heading.
    NoSuchHeading,
}

/// The part of a letter that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The headers, as lines of the whole message.
    Headers,
    /// The HTML part.
    Html,
    /// The text part.
    Text,
    /// A key of letterpress.toml.
    Settings,
}

/// A rule, by the name that docs/lint.md lists it under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The HTML is larger than mail clients show.
    Size,
    /// The style block is larger or deeper than mail clients read.
    StyleBlock,
    /// `lang`, `dir`, `viewport` or the title is missing or wrong.
    Document,
    /// The title is much longer than the subject.
    TitleLength,
    /// A picture without words for those who do not see it.
    Alt,
    /// A picture without whole numbers for its size.
    PictureSize,
    /// A letter that is hardly more than a picture.
    PictureOnly,
    /// A layout table that a screen reader reads as data.
    TableRole,
    /// Something wider than a letter.
    Width,
    /// Letters too small to read.
    TypeSize,
    /// A link too small to hit.
    TapTarget,
    /// A link without a colour of its own.
    LinkColour,
    /// Text that is hard to tell from what is behind it.
    Contrast,
    /// A link that leads nowhere from a mailbox.
    Link,
    /// A link to a place of the publication that is not there.
    DeadLink,
    /// A link to a place in the letter that is not there.
    Anchor,
    /// A link of the HTML part that the text part lacks.
    TextLinks,
    /// A line of the text part that is too long.
    TextWidth,
    /// A text part that says nothing.
    TextEmpty,
    /// A message that would be unsafe to send.
    Wire,
    /// A header that bulk mail has to have.
    Header,
    /// A header folded or encoded as filters dislike it.
    HeaderForm,
    /// A subject that is cut off.
    SubjectLength,
    /// No postal address.
    PostalAddress,
    /// No way to unsubscribe in the letter.
    Unsubscribe,
    /// List-Unsubscribe is not as RFC 8058 wants it.
    ListUnsubscribe,
    /// The signature leaves open what it should cover.
    Dkim,
}

impl Rule {
    /// Every rule, in the order of docs/lint.md.
    pub const ALL: [Self; 27] = [
        Self::Size,
        Self::StyleBlock,
        Self::Document,
        Self::TitleLength,
        Self::Alt,
        Self::PictureSize,
        Self::PictureOnly,
        Self::TableRole,
        Self::Width,
        Self::TypeSize,
        Self::TapTarget,
        Self::LinkColour,
        Self::Contrast,
        Self::Link,
        Self::DeadLink,
        Self::Anchor,
        Self::TextLinks,
        Self::TextWidth,
        Self::TextEmpty,
        Self::Wire,
        Self::Header,
        Self::HeaderForm,
        Self::SubjectLength,
        Self::PostalAddress,
        Self::Unsubscribe,
        Self::ListUnsubscribe,
        Self::Dkim,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::StyleBlock => "style-block",
            Self::Document => "document",
            Self::TitleLength => "title-length",
            Self::Alt => "alt",
            Self::PictureSize => "picture-size",
            Self::PictureOnly => "picture-only",
            Self::TableRole => "table-role",
            Self::Width => "width",
            Self::TypeSize => "type-size",
            Self::TapTarget => "tap-target",
            Self::LinkColour => "link-colour",
            Self::Contrast => "contrast",
            Self::Link => "link",
            Self::DeadLink => "dead-link",
            Self::Anchor => "anchor",
            Self::TextLinks => "text-links",
            Self::TextWidth => "text-width",
            Self::TextEmpty => "text-empty",
            Self::Wire => "wire",
            Self::Header => "header",
            Self::HeaderForm => "header-form",
            Self::SubjectLength => "subject-length",
            Self::PostalAddress => "postal-address",
            Self::Unsubscribe => "unsubscribe",
            Self::ListUnsubscribe => "list-unsubscribe",
            Self::Dkim => "dkim",
        }
    }
}

/// One thing wrong with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// Whether it keeps the issue from going out.
    pub level: Level,
    /// Where in the letter.
    pub part: Part,
    /// 1-based line of the part, where one is known.
    pub line: Option<u32>,
    /// What stands there as its author may have written it: a link's address,
    /// a key of the settings.
    pub needle: Option<String>,
    /// What is wrong, in one phrase.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    fn error(rule: Rule, part: Part, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            rule,
            level: Level::Error,
            part,
            line: None,
            needle: None,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    fn warning(rule: Rule, part: Part, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(rule, part, what, remedy)
        }
    }

    fn at(self, line: u32) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    fn about(self, needle: impl Into<String>) -> Self {
        Self {
            needle: Some(needle.into()),
            ..self
        }
    }
}

/// Everything that is wrong with a letter, errors first.
#[must_use]
pub fn lint(letter: &Rendered, measure: &Measure<'_>) -> Vec<Finding> {
    let page = Page::read(&letter.html);
    let light = Looks::light(&page);
    let mut found = Vec::new();
    layout::check(letter, measure, &page, &light, &mut found);
    contrast::check(&page, &light, "light", &mut found);
    if let Some(dark) = Looks::dark(&letter.html, &page) {
        contrast::check(&page, &dark, "dark", &mut found);
    }
    links::check(letter, measure, &page, &mut found);
    plain::check(letter, &mut found);
    headers::check(letter, measure, &page, &mut found);
    found.sort_by_key(|one| (std::cmp::Reverse(one.level), one.part, one.line));
    found
}

/// What is wrong with a notice, which goes to one reader: what only bulk mail
/// has to have is not asked of it.
#[must_use]
pub fn lint_notice(notice: &Rendered, measure: &Measure<'_>) -> Vec<Finding> {
    let mut found = lint(notice, measure);
    found.retain(|one| {
        !matches!(
            one.rule,
            Rule::Header | Rule::Unsubscribe | Rule::ListUnsubscribe | Rule::Dkim
        )
    });
    found
}

/// `beginning of a long text …`, for a finding.
fn excerpt(raw: &str) -> String {
    const LONGEST: usize = 41;
    text::cut(&text::one_line(raw), LONGEST)
}
