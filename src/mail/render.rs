//! An issue becomes an edition: templates, styles, parts, headers. Once per
//! issue; everything that could go wrong for a reader goes wrong here.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, FixedOffset};
use css_inline::{CSSInliner, InlineOptions};

use super::{
    context::IssueContext,
    dkim,
    edition::{Edition, Facts, mailto_before_token},
    linking::Linking,
    message::{Addressed, Composer, Reader},
    mime::{Content, WireError, check_wire, compose},
    pictures::Pictures,
    slot::{BrokenMark, Marks, Part},
};
use crate::{
    config::settings::MailSettings,
    domain::{
        address::EmailAddress,
        article::{Article, Body, Slug},
        collection::Section,
        digest::Digest,
        publication::Publication,
        subscriber::SubscriberId,
        text::{cut, one_line},
    },
    links::{DigestTag, Signer},
    templates::{TemplateError, Templates},
};

/// All that an issue is made of.
#[derive(Debug)]
pub struct IssueInput<'a> {
    /// Who speaks.
    pub publication: &'a Publication,
    /// In which mailing.
    pub digest: &'a Digest,
    /// The sections, for their titles.
    pub sections: &'a BTreeMap<Slug, Section>,
    /// The number readers see.
    pub number: u32,
    /// What the issue carries, in order; the first is the lead.
    pub articles: Vec<(&'a Article, Arc<Body>)>,
    /// The copies of their pictures.
    pub pictures: &'a Pictures,
    /// The Date header and the date in the masthead: the same at every attempt.
    pub date: DateTime<FixedOffset>,
}

/// An issue rendered: what is frozen, and what `render --out` shows, filled
/// for a reader who does not exist.
#[derive(Debug)]
pub struct Rendered {
    /// What the ledger keeps.
    pub edition: Edition,
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
    /// The Subject.
    pub subject: String,
    /// A whole message.
    pub eml: Vec<u8>,
}

/// Why an issue cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No articles.
    #[error("an issue needs at least one article")]
    Empty,
    /// The digest names a kind that does not exist.
    #[error("digest `{digest}`: there is no template `{kind}`; there are {}", kinds.join(", "))]
    Kind {
        /// The digest.
        digest: String,
        /// What it names.
        kind: String,
        /// What there is.
        kinds: Vec<String>,
    },
    /// A template does not work out.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The subject came out empty.
    #[error(
        "digest `{0}`: its `subject` came out empty; print something such as `{{{{ issue.lead.title }}}}`"
    )]
    Subject(String),
    /// The style sheet cannot be inlined.
    #[error("template `{kind}`: the style sheet cannot be written into the HTML")]
    Style {
        /// The kind.
        kind: String,
        /// What the inliner says.
        #[source]
        source: css_inline::InlineError,
    },
    /// Gmail drops a style block of more than 8,192 characters, and with it
    /// every rule for phones and dark mode.
    #[error(
        "template `{kind}`: {bytes} bytes of rules for screens remain in the style block; mail clients take at most 8192"
    )]
    StyleBlock {
        /// The kind.
        kind: String,
        /// How many.
        bytes: usize,
    },
    /// A filter was applied to a slot.
    #[error("template `{kind}`: what stands for the reader was altered")]
    Mark {
        /// The kind.
        kind: String,
        /// How.
        #[source]
        source: BrokenMark,
    },
    /// The keys do not sign.
    #[error(transparent)]
    Keys(#[from] dkim::Mismatch),
    /// The cryptography does not sign.
    #[error(transparent)]
    Crypto(#[from] dkim::CryptoError),
    /// A finished message would be unsafe to send.
    #[error("digest `{digest}`: no message of this issue can be sent")]
    Wire {
        /// The digest.
        digest: String,
        /// Why.
        #[source]
        source: WireError,
    },
}

/// Where settings are, in problems.
pub(super) const CONFIG: &str = "letterpress.toml";
/// Most characters of a Subject.
const LONGEST_SUBJECT: usize = 255;
/// Most bytes of the style block that Gmail keeps.
const LARGEST_STYLE_BLOCK: usize = 8192;

/// Renders an issue, to be signed with `keys` where there are any.
///
/// # Errors
/// When a template, the subject or the style sheet does not work out; see
/// [`RenderError`].
pub fn render(
    input: &IssueInput<'_>,
    templates: &Templates,
    settings: &MailSettings,
    signer: &Signer,
    keys: Option<&dkim::Keys>,
) -> Result<Rendered, RenderError> {
    // 1. Templates and styles, then slots where the marks stood.
    let mut content = content(input, templates, settings, signer)?;
    content.facts.dkim = keys.map(|keys| keys.freeze(input.date));

    // 2. What a reader would see.
    let sample = Sample::new();
    let to = sample.addressed(input.number);
    let reader = Reader::of_facts(&content.facts, &to, signer);
    let html = filled(&content.html, &reader);
    let text = filled(&content.text, &reader);
    content.facts.html_bytes = html.len();
    content.facts.text_bytes = text.len();

    // 3. Headers and encoding; the last look, with the readers most likely to
    //    break something.
    let edition = compose(input, settings, content);
    let composer = Composer::new(edition.clone(), keys)?;
    rehearse(&composer, input, signer)?;
    Ok(Rendered {
        html,
        text,
        subject: edition.subject().to_owned(),
        eml: composer.message(&to, signer)?.to_bytes(),
        edition,
    })
}

/// What the templates make of an issue, cut at the slots.
fn content(
    input: &IssueInput<'_>,
    templates: &Templates,
    settings: &MailSettings,
    signer: &Signer,
) -> Result<Content, RenderError> {
    let digest = input.digest;
    let kind = digest.template.as_str();
    if input.articles.is_empty() {
        return Err(RenderError::Empty);
    }
    if !templates.has_kind(kind) {
        return Err(RenderError::Kind {
            digest: digest.name.to_string(),
            kind: kind.to_owned(),
            kinds: templates.kinds(),
        });
    }
    let marks = Marks::new(&signer.slot_key());
    let context = IssueContext::new(input, settings);
    // The subject first: the others may print it.
    let subject = subject(digest, templates, &context)?;
    let linking = linking(input, templates, settings, &context)?;
    let context = context.for_body(&subject, &marks);
    let html = inlined(&templates.render_html(kind, &context)?, kind)?;
    let html = linking.in_html(&html);
    let text = templates.render_text(kind, &context)?;
    let text = tidy(&linking.in_text(&text));
    let broken = |source| RenderError::Mark {
        kind: kind.to_owned(),
        source,
    };
    Ok(Content {
        html: marks.cut_html(&html).map_err(broken)?,
        text: marks.cut_text(&text).map_err(broken)?,
        facts: facts(input, settings, &subject),
    })
}

/// The parameters of links, each a template that sees what the subject sees.
fn linking<'a>(
    input: &IssueInput<'a>,
    templates: &Templates,
    settings: &'a MailSettings,
    context: &IssueContext,
) -> Result<Linking<'a>, RenderError> {
    let mut params = Vec::with_capacity(settings.link_params.len());
    for (name, template) in &settings.link_params {
        let value = templates
            .render_subject(template, &context.for_subject(), CONFIG.as_ref())
            .map_err(|error| TemplateError {
                message: format!("`mail.link_params.{name}`: {}", error.message),
                ..error
            })?;
        params.push((name.as_str(), value));
    }
    let base_url = &input.publication.base_url;
    Ok(Linking::new(base_url, params.into_iter()))
}

/// The subject an issue would have, without rendering the rest.
///
/// # Errors
/// When the template fails or comes out empty.
pub fn subject_line(
    input: &IssueInput<'_>,
    templates: &Templates,
    settings: &MailSettings,
) -> Result<String, RenderError> {
    let context = IssueContext::new(input, settings);
    subject(input.digest, templates, &context)
}

fn subject(
    digest: &Digest,
    templates: &Templates,
    context: &IssueContext,
) -> Result<String, RenderError> {
    let raw = templates
        .render_subject(&digest.subject, &context.for_subject(), CONFIG.as_ref())
        .map_err(|error| TemplateError {
            message: format!("`subject` of digest `{}`: {}", digest.name, error.message),
            ..error
        })?;
    let subject = cut(&one_line(&raw), LONGEST_SUBJECT);
    if subject.is_empty() {
        return Err(RenderError::Subject(digest.name.to_string()));
    }
    Ok(subject)
}

/// Writes the style sheet into `style` attributes; what depends on the screen
/// stays in one block.
fn inlined(html: &str, kind: &str) -> Result<String, RenderError> {
    let inliner = CSSInliner::new(InlineOptions {
        keep_style_tags: false,
        keep_at_rules: true,
        load_remote_stylesheets: false,
        minify_css: true,
        ..InlineOptions::default()
    });
    let html = inliner.inline(html).map_err(|source| RenderError::Style {
        kind: kind.to_owned(),
        source,
    })?;
    let mut html = style_after_charset(&html);
    html.push('\n');
    let bytes = style_block_bytes(&html);
    if bytes > LARGEST_STYLE_BLOCK {
        return Err(RenderError::StyleBlock {
            kind: kind.to_owned(),
            bytes,
        });
    }
    Ok(html)
}

/// The inliner puts what is left of the style sheet first into the head; a
/// browser looks for the character set in the first 1,024 bytes only.
fn style_after_charset(html: &str) -> String {
    let moved = html.split_once("<head><style>").and_then(|(before, rest)| {
        let (style, rest) = rest.split_once("</style>")?;
        let (head, body) = rest.split_once("</head>")?;
        let head = head.trim();
        Some(format!(
            "{before}<head>\n{head}\n<style>{style}</style>\n</head>{body}"
        ))
    });
    moved.unwrap_or_else(|| html.to_owned())
}

fn style_block_bytes(html: &str) -> usize {
    html.split("<style")
        .skip(1)
        .filter_map(|block| block.split("</style>").next())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// Text as its template meant it: no space at the end of lines, never more
/// than one blank line, one line end at the end.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if !(blank && line.is_empty()) {
            tidy.push_str(line);
            tidy.push('\n');
        }
        blank = line.is_empty();
    }
    tidy.truncate(tidy.trim_end().len());
    tidy.push('\n');
    tidy
}

fn facts(input: &IssueInput<'_>, settings: &MailSettings, subject: &str) -> Facts {
    let list = &settings.list;
    let unsubscribe = list
        .unsubscribe_address
        .as_ref()
        .unwrap_or(&settings.from.address);
    Facts {
        subject: subject.to_owned(),
        sender: settings.from.address.expose().to_owned(),
        bounce_domain: settings.bounce_domain.clone(),
        unsubscribe_page: settings
            .public_url
            .as_ref()
            .map(|base| format!("{base}unsubscribe/")),
        unsubscribe_mailto: mailto_before_token(unsubscribe),
        digest: DigestTag::of(&input.digest.name),
        dkim: None,
        html_bytes: 0,
        text_bytes: 0,
    }
}

fn filled(parts: &[Part], reader: &Reader<'_>) -> String {
    parts.iter().fold(String::new(), |mut filled, part| {
        match part {
            Part::Fixed(text) => filled.push_str(text),
            Part::Slot(used) => filled.push_str(&reader.escaped(used)),
        }
        filled
    })
}

/// Fills the slots for readers without a name, with a long one, and with one
/// that tries to be markup and a header, and looks at every byte.
fn rehearse(
    composer: &Composer,
    input: &IssueInput<'_>,
    signer: &Signer,
) -> Result<(), RenderError> {
    let sample = Sample::new();
    let long = "Ünïcödé ".repeat(40);
    let hostile = "\u{202E}\"<b>\\,;:=?utf-8?q?x?=\r\nBcc: a@example.org\0";
    for name in [None, Some(long.as_str()), Some(hostile)] {
        let to = Addressed {
            name,
            ..sample.addressed(input.number)
        };
        check_wire(&composer.message(&to, signer)?.to_bytes()).map_err(|source| {
            RenderError::Wire {
                digest: input.digest.name.to_string(),
                source,
            }
        })?;
    }
    Ok(())
}

/// A reader who does not exist.
struct Sample {
    address: EmailAddress,
}

impl Sample {
    fn new() -> Self {
        let address = "thandi.mokoena@example.org";
        Self {
            address: address.parse().expect("a plain address"),
        }
    }

    fn addressed(&self, issue_number: u32) -> Addressed<'_> {
        Addressed {
            issue: 0,
            delivery: 0,
            issue_number,
            subscriber: SubscriberId([0; 16]),
            address: &self.address,
            name: Some("Thandi Mokoena"),
        }
    }
}
