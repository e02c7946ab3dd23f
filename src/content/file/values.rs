//! The values of front matter that have a form of their own: ids, dates,
//! places, people, tags, pictures.

use url::Url;

use crate::{
    content::{
        file::{
            dates::{self, Written},
            fields::{HeroField, Place},
            front_matter::{Node, Value},
            keys::{Keys, into_list, is_named},
        },
        ids,
    },
    domain::{
        article::{ArticleId, Slug, Tag},
        publication::Author,
        text::one_line,
    },
};

impl Keys<'_> {
    pub(super) fn id(&mut self) -> Option<ArticleId> {
        let entry = self.take(&["id", "guid"])?;
        let raw = self.text(&entry.key, entry.node)?;
        let id = ArticleId::new(&raw);
        if id.is_none() {
            self.fatal(
                entry.line,
                format!(
                    "`{}` is not an id: it is empty or has spaces",
                    one_line(&raw)
                ),
                "write a URI such as `tag:example.org,2026:green-beans`, or remove the key",
            );
        }
        id
    }

    pub(super) fn slug(&mut self) -> Option<Slug> {
        let entry = self.take(&["slug"])?;
        let raw = self.text(&entry.key, entry.node)?;
        match raw.trim().parse::<Slug>() {
            Ok(slug) => Some(slug),
            Err(error) => {
                let remedy = match Slug::of(&raw) {
                    Some(slug) => format!("write `{slug}`"),
                    None => "write a word of Latin letters and digits".to_owned(),
                };
                self.fatal(
                    entry.line,
                    format!("the slug {}", one_line(&error.to_string())),
                    remedy,
                );
                None
            }
        }
    }

    pub(super) fn place(&mut self) -> Option<Place> {
        let entry = self.take(&["path", "permalink", "url"])?;
        let raw = self.text(&entry.key, entry.node)?;
        let raw = raw.trim();
        if raw.starts_with("http://") || raw.starts_with("https://") {
            if let Ok(url) = Url::parse(raw) {
                return Some(Place::Absolute(url));
            }
            let remedy =
                "write it as a browser shows it, such as `https://example.org/green-beans/`";
            self.fatal(
                entry.line,
                format!("`{}` is not a URL", one_line(raw)),
                remedy,
            );
            return None;
        }
        let path = raw.trim_start_matches('/');
        let bad_part = path
            .split('/')
            .any(|part| matches!(part, "." | "..") || part.starts_with(':') || part.contains("{{"));
        if path.is_empty()
            || bad_part
            || path.contains(['?', '#', '\\'])
            || path.chars().any(char::is_control)
        {
            self.fatal(
                entry.line,
                format!("`{}` is not the path of an article", one_line(raw)),
                "write it out, such as `2026/08/green-beans`; placeholders are not filled in here",
            );
            return None;
        }
        Some(Place::Path(path.to_owned()))
    }

    pub(super) fn date(&mut self, names: &[&str]) -> Option<(Written, u32)> {
        let entry = self.take(names)?;
        let raw = match &entry.node.value {
            Value::Date(raw) | Value::Text(raw) => raw.as_str(),
            _ => "",
        };
        let written = Written::parse(raw);
        if written.is_none() {
            let what = if raw.is_empty() {
                format!("`{}` is not a date", entry.key)
            } else {
                format!("`{}` is not a date", one_line(raw))
            };
            self.fatal(entry.line, what, format!("write {}", dates::FORMS));
        }
        written.map(|written| (written, entry.line))
    }

    pub(super) fn section(&mut self) -> Option<(Slug, String)> {
        let entry = self.take(&["section"])?;
        let words = one_line(&self.text("section", entry.node)?);
        let slug = Slug::of(&words);
        if slug.is_none() {
            let remedy = "write the name of the section's folder, such as `food`";
            self.fatal(entry.line, format!("`{words}` is not a section"), remedy);
        }
        slug.map(|slug| (slug, words))
    }

    pub(super) fn language(&mut self) -> Option<String> {
        let line = self.line_of("language").or_else(|| self.line_of("lang"));
        let language = self.line_text(&["language", "lang"])?;
        let is_tag = language.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if is_tag {
            return Some(language);
        }
        self.error(
            line.unwrap_or(1),
            format!("`{language}` is not a language"),
            "write a tag such as `en-ZA`, `de` or `zh-Hant`",
        );
        None
    }

    pub(super) fn authors(&mut self) -> Vec<Author> {
        let Some(entry) = self.take(&["authors", "author"]) else {
            return Vec::new();
        };
        let mut authors: Vec<Author> = Vec::new();
        for node in into_list(entry.node) {
            if let Some(author) = self.author(&entry.key, node)
                && !authors.contains(&author)
            {
                authors.push(author);
            }
        }
        authors
    }

    pub(super) fn author(&mut self, key: &str, node: Node) -> Option<Author> {
        let line = node.line;
        let Value::Table(entries) = node.value else {
            let name = one_line(&self.text(key, node)?);
            return (!name.is_empty()).then(|| Author::named(name));
        };
        let [name, email, url] = self.parts(key, entries, [&["name"], &["email"], &["url", "uri"]]);
        if name.is_none() {
            self.error(line, "an author has no name", "add `name = \"…\"`");
        }
        Some(Author {
            name: name?,
            email,
            url,
        })
    }

    pub(super) fn tags(&mut self) -> Vec<Tag> {
        let mut labels = Vec::new();
        if let Some(entry) = self.take(&["taxonomies"]) {
            match entry.node.value {
                Value::Table(entries) => {
                    for group in entries {
                        let nodes = into_list(group.node);
                        labels.extend(nodes.into_iter().filter_map(|n| self.text(&group.key, n)));
                    }
                }
                _ => self.error(
                    entry.line,
                    "`taxonomies` is not a table",
                    "write `[taxonomies]` and below it `tags = [\"…\"]`",
                ),
            }
        }
        for name in ["tags", "categories", "category"] {
            let Some(entry) = self.take(&[name]) else {
                continue;
            };
            match entry.node.value {
                Value::Text(list) => labels.extend(list.split(',').map(str::to_owned)),
                _ => {
                    let nodes = into_list(entry.node);
                    labels.extend(nodes.into_iter().filter_map(|node| self.text(name, node)));
                }
            }
        }
        let mut tags: Vec<Tag> = Vec::new();
        for tag in labels.iter().filter_map(|label| tag(label)) {
            if !tags.iter().any(|known| known.slug == tag.slug) {
                tags.push(tag);
            }
        }
        tags
    }

    pub(super) fn hero(&mut self) -> Option<HeroField> {
        let entry = self.take(&["hero", "image", "cover"])?;
        let line = entry.line;
        if let Value::Table(entries) = entry.node.value {
            let names: [&[&str]; 4] = [
                &["src", "image", "url", "file", "path"],
                &["alt"],
                &["caption"],
                &["credit"],
            ];
            let alt_line = entries.iter().find(|e| is_named(e, "alt")).map(|e| e.line);
            let [src, alt, caption, credit] = self.parts(&entry.key, entries, names);
            if src.is_none() {
                let remedy = format!("add `src = \"picture.jpg\"` to `{}`", entry.key);
                self.error(line, format!("`{}` names no picture", entry.key), remedy);
            }
            return Some(HeroField {
                src: src?,
                alt,
                caption,
                credit,
                line: alt_line.unwrap_or(line),
            });
        }
        let src = self.text(&entry.key, entry.node)?.trim().to_owned();
        (!src.is_empty()).then_some(HeroField {
            src,
            alt: None,
            caption: None,
            credit: None,
            line,
        })
    }
}

/// A tag of any label; a label without Latin letters gets a slug made of its hash.
fn tag(label: &str) -> Option<Tag> {
    let label = one_line(label);
    if label.is_empty() {
        return None;
    }
    let slug = Slug::of(&label).or_else(|| {
        let hash = ids::hexadecimal(&ids::text_hash(&label));
        Slug::of(&format!("tag-{}", &hash[..8]))
    })?;
    Some(Tag { slug, label })
}
