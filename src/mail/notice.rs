//! Notices: the messages that answer what one reader did. Rendered like an
//! issue, with slots, so that one rendering serves all who do the same.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use tera::{Context, Value};

use super::{
    context::{describe_digest, describe_list, describe_publication},
    dkim,
    finish::finish,
    mime::compose_notice,
    pictures::Pictures,
    render::{LONGEST_SUBJECT, RenderError, Rendered, cut_parts, facts},
    slot::Marks,
    styling::{inlined, tidy},
};
use crate::{
    config::settings::MailSettings,
    domain::{
        digest::Digest,
        publication::Publication,
        text::{cut, one_line},
    },
    links::Signer,
    templates::{Templates, describe_theme},
};

/// What a reader did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Somebody asked for the digest in the reader's name: is it so?
    Confirm,
    /// The reader said yes.
    Welcome,
    /// The reader left.
    Goodbye,
}

impl Notice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Confirm, Self::Welcome, Self::Goodbye];

    /// The folder of its templates, and its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Welcome => "welcome",
            Self::Goodbye => "goodbye",
        }
    }

    /// The notice of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.name() == name)
    }
}

/// What the templates of a notice see.
pub(super) struct NoticeContext {
    notice: Notice,
    publication: Value,
    theme: Value,
    digest: Value,
    list: Value,
    about: BTreeMap<&'static str, Value>,
    has_preferences: bool,
}

/// The names at the top, for notices. There is no `issue`; the template that
/// all messages share speaks of it in blocks that notices replace.
pub(super) const NOTICE_NAMES: [&str; 7] = [
    "issue",
    "publication",
    "theme",
    "digest",
    "notice",
    "reader",
    "list",
];

impl NoticeContext {
    /// Describes a notice.
    pub(super) fn new(
        notice: Notice,
        input: &NoticeInput<'_>,
        settings: &MailSettings,
        templates: &Templates,
    ) -> Self {
        let language = input.language();
        let words = templates.words(language);
        Self {
            notice,
            publication: describe_publication(input.publication, language, input.pictures),
            theme: describe_theme(&input.publication.theme),
            digest: describe_digest(input.digest),
            list: describe_list(settings),
            about: BTreeMap::from([
                ("kind", notice.name().into()),
                ("date", input.date.to_rfc3339().into()),
                ("date_text", words.weekday_and_day(input.date).into()),
                ("hours", CONFIRM_HOURS.into()),
            ]),
            has_preferences: settings.public_url.is_some(),
        }
    }

    /// What the subject sees: nothing of the reader.
    fn for_subject(&self) -> Context {
        let mut context = Context::new();
        context.insert_value("publication", self.publication.clone());
        context.insert_value("theme", self.theme.clone());
        context.insert_value("digest", self.digest.clone());
        context.insert_value("list", self.list.clone());
        context.insert_value("notice", self.about.clone().into());
        context
    }

    /// What the two parts see. Who has not confirmed has no name here: it is
    /// what a stranger typed.
    pub(super) fn for_body(mut self, subject: &str, marks: &Marks) -> Context {
        self.about.insert("subject", subject.into());
        let mut context = self.for_subject();
        let mut reader: BTreeMap<&'static str, Value> = BTreeMap::from([
            ("address", marks.address().into()),
            ("unsubscribe_url", marks.unsubscribe_url().into()),
        ]);
        match self.notice {
            Notice::Confirm => {
                reader.insert("confirm_url", marks.confirm_url().into());
            }
            Notice::Welcome | Notice::Goodbye => {
                let preferences = self.has_preferences.then(|| marks.preferences_url());
                reader.insert("name", marks.name().into());
                reader.insert("preferences_url", preferences.into());
            }
        }
        context.insert_value("reader", Value::from(reader));
        context
    }
}

/// How long the link of a `confirm` works, in hours.
pub const CONFIRM_HOURS: u32 = 72;

/// All that a notice is made of.
#[derive(Debug)]
pub struct NoticeInput<'a> {
    /// Who speaks.
    pub publication: &'a Publication,
    /// About which mailing.
    pub digest: &'a Digest,
    /// The copies of the logo.
    pub pictures: &'a Pictures,
    /// The Date header.
    pub date: DateTime<FixedOffset>,
    /// The language of the readers it is for; where absent the digest's.
    pub language: Option<&'a str>,
}

impl NoticeInput<'_> {
    fn language(&self) -> &str {
        self.language
            .unwrap_or_else(|| self.digest.language(self.publication))
    }
}

/// Renders a notice, to be signed with `keys` where there are any. Nothing
/// that a stranger could have typed is in a `confirm`: no name, neither in its
/// text nor in its To header.
///
/// # Errors
/// As [`super::render()`]; and a `confirm` needs `serve.public_url`.
pub fn render_notice(
    notice: Notice,
    input: &NoticeInput<'_>,
    templates: &Templates,
    settings: &MailSettings,
    signer: &Signer,
    keys: Option<&dkim::Keys>,
) -> Result<Rendered, RenderError> {
    let kind = notice.name();
    if notice == Notice::Confirm && settings.public_url.is_none() {
        return Err(RenderError::NoPage { kind });
    }
    let marks = Marks::new(&signer.slot_key());
    let context = NoticeContext::new(notice, input, settings, templates);
    let raw = templates.render_kinds_subject(kind, &context.for_subject())?;
    let subject = cut(&one_line(&raw), LONGEST_SUBJECT);
    if subject.is_empty() {
        return Err(RenderError::Subject(kind.to_owned()));
    }
    let context = context.for_body(&subject, &marks);
    let html = inlined(&templates.render_notice_html(kind, &context)?, kind)?;
    let text = tidy(&templates.render_notice_text(kind, &context)?);
    let mut facts = facts(input.digest, settings, &subject);
    if let (Notice::Confirm, Some(base)) = (notice, &settings.public_url) {
        facts.confirm_page = Some(format!("{base}confirm/"));
    }
    facts.dkim = keys.map(|keys| keys.freeze(input.date));
    let content = cut_parts(&html, &text, &marks, kind, facts)?;
    finish(
        content,
        |content| compose_notice(notice, input, settings, content),
        (input.digest, 0),
        signer,
        keys,
    )
}
