//! An issue becomes an edition: templates, styles, parts, headers. Once per
//! issue; everything that could go wrong for a reader goes wrong here.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, FixedOffset};

use super::{
    budget::{Fitting, LeadRule, Shortened, fit},
    context::IssueContext,
    dkim,
    edition::{Edition, Facts, mailto_before_token},
    finish::{finish, longest_html},
    linking::Linking,
    mime::{Content, WireError, compose},
    pictures::Pictures,
    slot::{BrokenMark, Marks},
    styling::{inlined, tidy},
};
use crate::{
    config::settings::MailSettings,
    domain::{
        article::{Article, Body, Slug},
        collection::Section,
        digest::{Digest, Shown},
        publication::Publication,
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
    /// How much of each is shown if there is room for it, in the same order;
    /// where there are fewer than articles, the digest decides.
    pub shown: Vec<Shown>,
    /// What becomes of the first where there is no room even for it.
    pub lead: LeadRule,
    /// Whether the issue gets a page on the website.
    pub has_page: bool,
    /// The copies of their pictures.
    pub pictures: &'a Pictures,
    /// The Date header and the date in the masthead: the same at every attempt.
    pub date: DateTime<FixedOffset>,
}

impl IssueInput<'_> {
    /// Where everybody can read the issue, if anywhere.
    pub(super) fn web_url(&self) -> Option<String> {
        let base = &self.publication.base_url;
        self.has_page
            .then(|| format!("{base}letters/{}/{}/", self.digest.name, self.number))
    }

    /// The language of its fixed words.
    pub(super) fn language(&self) -> &str {
        self.digest.language(self.publication)
    }

    /// How much of each article is to be shown, if there is room for it.
    pub(super) fn wished(&self) -> Vec<Shown> {
        let given = |at| self.shown.get(at).copied();
        (0..self.articles.len())
            .map(|at| given(at).unwrap_or_else(|| self.digest.shown(at)))
            .collect()
    }

    /// The headline of the article at this place.
    fn title(&self, at: usize) -> String {
        let article = self.articles.get(at);
        article.map_or_else(String::new, |(article, _)| one_line(&article.title))
    }
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
    /// Articles that are shorter than the digest says, in order.
    pub shortened: Vec<Shortened>,
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
    /// Even with headlines only the letter is larger than it may be.
    #[error(
        "digest `{digest}`: the letter has {bytes} bytes of HTML with “{lead}”{}, and \
         `mail.size_budget` allows {budget}; shorten “{lead}”, show less of it with `content = \
         \"summary\"` in its [[digest]], or raise the budget: Gmail cuts a letter off at 102 KB",
        if *has_others { " and the headlines of the others" } else { "" }
    )]
    Budget {
        /// The digest.
        digest: String,
        /// The headline of the first article.
        lead: String,
        /// Whether there are more.
        has_others: bool,
        /// Of the shortest letter there is.
        bytes: usize,
        /// What is allowed.
        budget: usize,
    },
    /// A message with a link of the reader's own that leads nowhere.
    #[error("`{kind}` needs a page to lead to: set `serve.public_url`")]
    NoPage {
        /// The kind.
        kind: &'static str,
    },
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
pub(super) const LONGEST_SUBJECT: usize = 255;

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
    //    As much of each article as there is room for.
    let wished = input.wished();
    let fitting = fit(
        &wished,
        input.lead,
        |content| longest_html(content, signer) <= settings.size_budget,
        |shown| content(input, shown, templates, settings, signer),
    )?;
    let Fitting { mut content, shown } = fitting.map_err(|shortest| RenderError::Budget {
        digest: input.digest.name.to_string(),
        lead: input.title(0),
        has_others: wished.len() > 1,
        bytes: longest_html(&shortest, signer),
        budget: settings.size_budget,
    })?;
    content.facts.dkim = keys.map(|keys| keys.freeze(input.date));

    // 2. Headers and encoding.
    let rendered = finish(
        content,
        |content| compose(input, settings, content),
        (input.digest, input.number),
        signer,
        keys,
    )?;
    let pairs = wished.into_iter().zip(shown).enumerate();
    let shortened = pairs.filter(|(_, (wished, shown))| wished != shown);
    Ok(Rendered {
        shortened: shortened
            .map(|(at, (wished, shown))| Shortened {
                title: input.title(at),
                wished,
                shown,
            })
            .collect(),
        ..rendered
    })
}

/// What the templates make of an issue, cut at the slots.
fn content(
    input: &IssueInput<'_>,
    shown: &[Shown],
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
    let context = IssueContext::new(input, shown, settings, templates);
    // The subject first: the others may print it.
    let subject = subject(digest, templates, &context)?;
    let linking = linking(input, templates, settings, &context)?;
    let context = context.for_body(&subject, &marks);
    let html = inlined(&templates.render_html(kind, &context)?, kind)?;
    let html = linking.in_html(&html);
    let text = templates.render_text(kind, &context)?;
    let text = tidy(&linking.in_text(&text));
    let mut facts = facts(input.digest, settings, &subject);
    facts.web_url = input.web_url();
    facts.link_params = linking.params();
    cut_parts(&html, &text, &marks, kind, facts)
}

/// Both finished parts, cut at the slots.
pub(super) fn cut_parts(
    html: &str,
    text: &str,
    marks: &Marks,
    kind: &str,
    facts: Facts,
) -> Result<Content, RenderError> {
    let broken = |source| RenderError::Mark {
        kind: kind.to_owned(),
        source,
    };
    Ok(Content {
        html: marks.cut_html(html).map_err(broken)?,
        text: marks.cut_text(text).map_err(broken)?,
        facts,
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
    let context = IssueContext::new(input, &input.wished(), settings, templates);
    subject(input.digest, templates, &context)
}

/// The digest's own subject, else that of its kind.
fn subject(
    digest: &Digest,
    templates: &Templates,
    context: &IssueContext,
) -> Result<String, RenderError> {
    let context = context.for_subject();
    let raw = match &digest.subject {
        Some(own) => templates
            .render_subject(own, &context, CONFIG.as_ref())
            .map_err(|error| TemplateError {
                message: format!("`subject` of digest `{}`: {}", digest.name, error.message),
                ..error
            })?,
        None => templates.render_kinds_subject(&digest.template, &context)?,
    };
    let subject = cut(&one_line(&raw), LONGEST_SUBJECT);
    if subject.is_empty() {
        return Err(RenderError::Subject(digest.name.to_string()));
    }
    Ok(subject)
}

/// What a message of this digest says beside its parts.
pub(super) fn facts(digest: &Digest, settings: &MailSettings, subject: &str) -> Facts {
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
        preferences_page: settings
            .public_url
            .as_ref()
            .map(|base| format!("{base}preferences/")),
        confirm_page: None,
        web_url: None,
        unsubscribe_mailto: mailto_before_token(unsubscribe),
        digest: DigestTag::of(&digest.name),
        dkim: None,
        link_params: Vec::new(),
        html_bytes: 0,
        text_bytes: 0,
    }
}
