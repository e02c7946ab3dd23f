//! What all pages share: publication, sections, letters, feeds, and the head
//! that each page has of its own.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use sha2::{Digest as _, Sha256};
use tera::{Context, Value};

use super::{
    Input, Page, PagesError,
    context::{href, line, logo, map, picture},
    structured,
    trail::{self, Step},
};
use crate::{
    domain::{
        article::{Article, Picture, Slug},
        fingerprint::Fingerprint,
        language::direction,
        publication::Author,
        text::one_line,
    },
    templates::{Words, describe_theme},
};

/// The one style sheet.
pub(super) const STYLE_FILE: &str = "style.css";
/// Shown where nothing stands.
pub(super) const NOT_FOUND_FILE: &str = "404.html";

/// What all pages share.
pub(super) struct Site<'a> {
    pub(super) input: &'a Input<'a>,
    publication: Value,
    theme: Value,
    site: Value,
    /// Of what all pages share.
    shared: Fingerprint,
}

/// A page before its template ran: all that it is made of.
pub(super) struct Draft<'s> {
    site: &'s Site<'s>,
    path: String,
    template: &'static str,
    /// What only this page has, by name.
    own: Vec<(&'static str, Value)>,
}

/// What a page says of itself in its head.
pub(super) struct Head<'h> {
    /// Plain text, one line.
    pub(super) title: &'h str,
    pub(super) description: &'h str,
    /// Absolute.
    pub(super) url: &'h str,
    /// Open Graph type: `website` or `article`.
    pub(super) kind: &'static str,
    pub(super) section: Option<&'h Slug>,
    pub(super) trail: &'h [Step],
    /// Folders of feeds that tell of changes here, and what each is about.
    pub(super) streams: &'h [(String, String)],
    pub(super) image: Option<&'h Picture>,
    /// JSON-LD, safe inside a script element.
    pub(super) structured: String,
    /// Open Graph properties of an article.
    pub(super) properties: Vec<(&'static str, String)>,
    /// Rules for this page alone.
    pub(super) style: &'h str,
    /// Whether search engines may list it.
    pub(super) is_listed: bool,
}

/// The style sheet, from its template.
pub(super) fn style(input: &Input<'_>) -> Result<String, PagesError> {
    let mut context = Context::new();
    context.insert_value("publication", publication(input));
    context.insert_value("theme", describe_theme(&input.publication.theme));
    Ok(input.templates.render_page(STYLE_FILE, &context)?)
}

fn publication(input: &Input<'_>) -> Value {
    let publication = input.publication;
    let base = &publication.base_url;
    map([
        ("title", one_line(&publication.title).into()),
        ("description", one_line(&publication.description).into()),
        ("base_url", base.as_str().into()),
        ("home", base.path().into()),
        ("language", publication.language.as_str().into()),
        ("dir", direction(&publication.language).into()),
        (
            "logo",
            publication.logo.as_ref().map(|l| logo(l, base)).into(),
        ),
        (
            "icon",
            publication.icon.as_ref().map(|l| logo(l, base)).into(),
        ),
        ("rights", line(publication.rights.as_deref())),
    ])
}

impl<'a> Site<'a> {
    pub(super) fn new(input: &'a Input<'a>, style: &str) -> Self {
        let mut site = Self {
            input,
            publication: publication(input),
            theme: describe_theme(&input.publication.theme),
            site: Value::none(),
            shared: Fingerprint::default(),
        };
        // The style sheet may be cached for ever: its address follows its bytes.
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(style)[..4]);
        let whole = (String::new(), one_line(&input.publication.title));
        site.site = map([
            (
                "style_url",
                format!("{}?v={hash}", site.path(STYLE_FILE)).into(),
            ),
            ("sections", site.sections().into()),
            ("letters", site.letters().into()),
            ("feeds", site.feeds(&[whole]).into()),
            ("opml_url", site.path(&input.feeds.list).into()),
        ]);
        let templates = input.templates.fingerprint();
        site.shared = Fingerprint::of(&(
            templates,
            &input.publication.theme,
            told(&site.publication),
            told(&site.site),
        ));
        site
    }

    /// A page to be made from its template. `own` is what only this kind of
    /// page has.
    pub(super) fn draft(
        &'a self,
        file: &str,
        template: &'static str,
        head: Head<'_>,
        own: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Draft<'a> {
        let mut all = vec![("page", self.head(head))];
        all.extend(own);
        Draft {
            site: self,
            path: file.to_owned(),
            template,
            own: all,
        }
    }

    fn head(&self, head: Head<'_>) -> Value {
        let publication = self.input.publication;
        let name = one_line(&publication.title);
        let full_title = if head.title == name {
            name
        } else {
            format!("{} · {name}", head.title)
        };
        let properties = head
            .properties
            .into_iter()
            .map(|(name, content)| map([("property", name.into()), ("content", content.into())]));
        let base = &publication.base_url;
        BTreeMap::from([
            ("title", head.title.into()),
            ("full_title", full_title.into()),
            ("description", head.description.into()),
            ("url", head.url.into()),
            ("kind", head.kind.into()),
            ("locale", publication.language.replace('-', "_").into()),
            ("section", head.section.map(Slug::as_str).into()),
            ("trail", trail::describe(head.trail, base)),
            ("feeds", self.feeds(head.streams).into()),
            ("image", head.image.map(|p| picture(p, base)).into()),
            ("structured", Value::safe_string(&head.structured)),
            ("properties", properties.collect::<Vec<_>>().into()),
            ("style", Value::safe_string(head.style)),
            ("is_listed", head.is_listed.into()),
        ])
        .into()
    }

    /// The fixed words of the publication's language.
    pub(super) fn words(&self) -> Words<'_> {
        let language = &self.input.publication.language;
        self.input.templates.words(language)
    }

    /// The path on this host of something below the base URL.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.input.publication.base_url.path())
    }

    /// The absolute URL of something below the base URL.
    pub(super) fn absolute(&self, below: &str) -> String {
        format!("{}{below}", self.input.publication.base_url)
    }

    pub(super) fn language_of<'s>(&'s self, article: &'s Article) -> &'s str {
        let own = article.language.as_ref();
        own.unwrap_or(&self.input.publication.language)
    }

    /// What readers call a section.
    pub(super) fn section_title(&self, slug: &Slug) -> String {
        let known = self.input.collection.sections().get(slug);
        known.map_or_else(|| slug.to_string(), |section| one_line(&section.title))
    }

    pub(super) fn section_of(&self, article: &Article) -> Value {
        article
            .section
            .as_ref()
            .map(|slug| self.section(slug))
            .into()
    }

    fn section(&self, slug: &Slug) -> Value {
        map([
            ("slug", slug.as_str().into()),
            ("title", self.section_title(slug).into()),
            ("url", self.path(&format!("{slug}/")).into()),
        ])
    }

    pub(super) fn author(&self, author: &Author) -> Value {
        let page = self.input.collection.author_slug(author);
        let home = author.url.as_deref().and_then(|url| url.parse().ok());
        let base = &self.input.publication.base_url;
        map([
            ("name", one_line(&author.name).into()),
            (
                "url",
                page.map(|slug| self.path(&format!("authors/{slug}/")))
                    .into(),
            ),
            ("home_page", home.and_then(|url| href(&url, base)).into()),
        ])
    }

    /// Sections that have articles, by title.
    fn sections(&self) -> Vec<Value> {
        let collection = self.input.collection;
        let mut slugs: Vec<&Slug> = collection
            .sections()
            .keys()
            .filter(|slug| collection.in_section(slug).next().is_some())
            .collect();
        slugs.sort_by_cached_key(|slug| self.section_title(slug).to_lowercase());
        slugs.into_iter().map(|slug| self.section(slug)).collect()
    }

    /// Digests of which an issue was sent.
    fn letters(&self) -> Vec<Value> {
        let mut seen = HashSet::new();
        let newest = self.input.letters.iter();
        newest
            .filter(|letter| seen.insert(&letter.digest))
            .map(|letter| {
                let path = format!("letters/{}/", letter.digest);
                map([
                    ("title", one_line(&letter.digest_title).into()),
                    ("url", self.path(&path).into()),
                ])
            })
            .collect()
    }

    /// The feeds that exist in these folders.
    fn feeds(&self, streams: &[(String, String)]) -> Vec<Value> {
        let mut found = Vec::new();
        for (folder, title) in streams {
            for file in self.input.feeds.files.get(folder).into_iter().flatten() {
                found.push(map([
                    ("url", self.absolute(&file.path).into()),
                    ("path", self.path(&file.path).into()),
                    ("media_type", file.media_type.into()),
                    ("label", file.label.into()),
                    ("title", format!("{title} ({})", file.label).into()),
                ]));
            }
        }
        found
    }

    /// The whole publication as a stream.
    pub(super) fn whole(&self) -> (String, String) {
        (String::new(), one_line(&self.input.publication.title))
    }

    /// A part of the publication as a stream.
    pub(super) fn stream(&self, folder: String, title: &str) -> (String, String) {
        let name = one_line(&self.input.publication.title);
        (folder, format!("{name}: {title}"))
    }

    pub(super) fn home_step(&self) -> Step {
        Step::new(&one_line(&self.input.publication.title), "")
    }
}

impl Draft<'_> {
    /// Below the output folder.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Of everything that its template can see.
    pub(super) fn recipe(&self) -> Fingerprint {
        let own: Vec<(&str, String)> = self
            .own
            .iter()
            .map(|(name, value)| (*name, told(value)))
            .collect();
        Fingerprint::of(&(self.site.shared, self.template, own))
    }

    /// Says something else under a name.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        self.own.retain(|(known, _)| *known != name);
        self.own.push((name, value));
    }

    /// The page, known by `recipe` where it is kept.
    pub(super) fn render(self, recipe: Option<Fingerprint>) -> Result<Page, PagesError> {
        let mut context = Context::new();
        context.insert_value("publication", self.site.publication.clone());
        context.insert_value("theme", self.site.theme.clone());
        context.insert_value("site", self.site.site.clone());
        for (name, value) in self.own {
            context.insert_value(name, value);
        }
        let templates = self.site.input.templates;
        let html = templates.render_page(self.template, &context)?;
        Ok(Page {
            path: self.path,
            recipe,
            bytes: tidy(&html).into_bytes(),
        })
    }
}

/// A value as text, the same for equal values: maps have no order of their own.
fn told(value: &Value) -> String {
    let mut text = String::new();
    tell(value, &mut text);
    text
}

fn tell(value: &Value, out: &mut String) {
    // Writing to a text cannot fail.
    if let Some(map) = value.as_map() {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        let _ = write!(out, "{{{}", entries.len());
        for (key, value) in entries {
            let _ = write!(out, " {key}=");
            tell(value, out);
        }
    } else if let Some(values) = value.as_array() {
        let _ = write!(out, "[{}", values.len());
        for value in values {
            out.push(' ');
            tell(value, out);
        }
    } else if let Some(text) = value.as_str() {
        let _ = write!(out, "{}:{text}", text.len());
    } else {
        let _ = write!(out, "{value:?}");
    }
}

/// Templates leave blank lines where they decide; a page needs none. Lines
/// inside `pre` are kept: what is blank there is part of the text.
fn tidy(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut is_in_pre = false;
    for line in html.lines() {
        if is_in_pre || !line.trim().is_empty() {
            out.push_str(line);
            out.push('\n');
        }
        let opened = line.rfind("<pre").map_or(0, |at| at + 1);
        let closed = line.rfind("</pre").map_or(0, |at| at + 1);
        if opened != closed {
            is_in_pre = opened > closed;
        }
    }
    out
}

/// The page that a server shows where nothing stands.
pub(super) fn not_found<'a>(site: &'a Site<'a>) -> Draft<'a> {
    let publication = site.input.publication;
    let title = "Page not found";
    let url = site.absolute(NOT_FOUND_FILE);
    let trail = [site.home_step(), Step::new(title, NOT_FOUND_FILE)];
    let head = Head {
        title,
        description: "",
        url: &url,
        kind: "website",
        section: None,
        trail: &trail,
        streams: &[site.whole()],
        image: None,
        structured: structured::collection(publication, "WebPage", (title, "", &url), &[]),
        properties: Vec::new(),
        style: "",
        is_listed: false,
    };
    site.draft(NOT_FOUND_FILE, NOT_FOUND_FILE, head, [])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_told_alike_and_others_are_not() {
        let entries = |order: [&'static str; 3]| -> Value {
            BTreeMap::from(order.map(|name| (name, Value::from(name.len())))).into()
        };
        for _ in 0..20 {
            let forth = entries(["one", "three", "thirteen"]);
            let back = entries(["thirteen", "three", "one"]);
            assert_eq!(told(&forth), told(&back));
        }
        let others: [Value; 8] = [
            "a".into(),
            "1".into(),
            1.into(),
            true.into(),
            Value::none(),
            vec![Value::from("a"), "b".into()].into(),
            vec![Value::from("a b")].into(),
            map([("a", "b".into())]),
        ];
        let texts: HashSet<String> = others.iter().map(told).collect();
        assert_eq!(texts.len(), others.len());
    }

    #[test]
    fn blank_lines_go_but_for_those_of_code() {
        assert_eq!(
            tidy("<p>\n\n  \na</p>\n<pre>x\n\ny</pre>\n\n<p>b</p>"),
            "<p>\na</p>\n<pre>x\n\ny</pre>\n<p>b</p>\n"
        );
    }
}
