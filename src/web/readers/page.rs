//! A page for readers: a template, the words of their language, and headers
//! that keep what stands in its address from everybody else.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use tera::{Context, Value};

use super::negotiation;
use crate::{
    domain::{
        language::{direction, primary},
        publication::Publication,
        text::one_line,
    },
    templates::{TemplateError, Templates, Words, describe_theme},
};

/// Said with every page of ours: its address is a secret, and it stands alone.
const ALWAYS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("vary", "accept-language"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// The pages of one publication.
#[derive(Debug)]
pub(in crate::web) struct Pages {
    publication: Publication,
    templates: Templates,
    style: String,
    /// The content security policy: no script, and no style but ours.
    policy: String,
}

/// A page in one language, before its template ran.
pub(super) struct Page<'p> {
    pages: &'p Pages,
    status: StatusCode,
    template: &'static str,
    language: String,
    own: BTreeMap<&'static str, Value>,
}

pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    BTreeMap::from(entries).into()
}

impl Pages {
    /// Renders what all of them share.
    ///
    /// # Errors
    /// When the template of the style sheet does not work out.
    pub(in crate::web) fn new(
        publication: Publication,
        templates: Templates,
    ) -> Result<Self, TemplateError> {
        let mut context = Context::new();
        context.insert_value("theme", describe_theme(&publication.theme));
        let style = templates.render_reader_page("style.css", &context)?;
        let hash = BASE64.encode(&Sha256::digest(&style));
        Ok(Self {
            publication,
            templates,
            style,
            policy: format!(
                "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            ),
        })
    }

    /// Whose pages they are.
    pub(in crate::web) fn publication(&self) -> &Publication {
        &self.publication
    }

    /// The fixed words of a language.
    pub(super) fn words(&self, language: &str) -> Words<'_> {
        self.templates.words(language)
    }

    /// The languages that have words, by tag, with their own names.
    pub(super) fn languages(&self) -> Vec<(String, String)> {
        self.templates.languages()
    }

    /// The language to answer in: the publication's, unless the browser asks for
    /// others and we have the words of one.
    pub(super) fn language(&self, headers: &HeaderMap) -> String {
        let own = &self.publication.language;
        let wanted = negotiation::languages(headers).into_iter().find_map(|tag| {
            if primary(&tag) == primary(own) {
                return Some(own.clone());
            }
            self.words(&tag).is_known().then_some(tag)
        });
        wanted.unwrap_or_else(|| own.clone())
    }

    /// A page to be made from its template, called what the word says.
    pub(super) fn page(&self, template: &'static str, language: String, title: &str) -> Page<'_> {
        let title = self.words(&language).say(title, &[]);
        Page {
            pages: self,
            status: StatusCode::OK,
            template,
            language,
            own: BTreeMap::from([("title", title.into())]),
        }
    }

    fn secured(&self, status: StatusCode, body: Body, media_type: &'static str) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            let value = HeaderValue::from_static(value);
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        // A policy is plain ASCII; without one nothing would be held back.
        let policy = HeaderValue::from_str(&self.policy);
        let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'; sandbox"));
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }

    /// A few words for programs.
    pub(super) fn plain(&self, status: StatusCode, text: &'static str) -> Response {
        self.secured(status, Body::from(text), "text/plain; charset=utf-8")
    }

    /// The words of a program for another.
    pub(super) fn data(&self, media_type: &'static str, body: String) -> Response {
        self.secured(StatusCode::OK, Body::from(body), media_type)
    }
}

impl Page<'_> {
    /// The same with another status code.
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// What only this page has.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.own.insert(name, value.into());
        self
    }

    /// The HTML.
    ///
    /// # Errors
    /// When the template names something that does not exist.
    pub(super) fn html(&self) -> Result<String, TemplateError> {
        let publication = &self.pages.publication;
        let mut context = Context::new();
        let described = map([
            ("title", one_line(&publication.title).into()),
            ("base_url", publication.base_url.as_str().into()),
            ("language", self.language.as_str().into()),
            ("dir", direction(&self.language).into()),
        ]);
        context.insert_value("publication", described);
        context.insert_value("theme", describe_theme(&publication.theme));
        context.insert_value("style", Value::safe_string(&self.pages.style));
        context.insert_value("page", self.own.clone().into());
        self.pages
            .templates
            .render_reader_page(self.template, &context)
    }

    /// The page as an answer.
    pub(super) fn answer(self) -> Response {
        match self.html() {
            Ok(html) => {
                let media_type = "text/html; charset=utf-8";
                self.pages
                    .secured(self.status, Body::from(html), media_type)
            }
            // All of them were tried before the first was asked for.
            Err(_) => self
                .pages
                .plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        }
    }
}
