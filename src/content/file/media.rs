//! The values of front matter about sound and film: enclosures of articles and
//! the podcast of a section.

use std::collections::BTreeMap;

use crate::content::file::{
    fields::{EnclosureField, PodcastFields},
    front_matter::{Entry, Value},
    keys::Keys,
};

/// The keys of an enclosure; for suggestions.
const ENCLOSURE: [&str; 11] = [
    "src",
    "url",
    "file",
    "type",
    "length",
    "duration",
    "transcript",
    "chapters",
    "episode",
    "season",
    "explicit",
];

impl Keys<'_> {
    pub(super) fn enclosure(&mut self) -> Option<EnclosureField> {
        let entry = self.take(&["enclosure"])?;
        let line = entry.line;
        match entry.node.value {
            Value::Table(entries) => self.enclosure_table(entries, line),
            _ => {
                let src = self.text("enclosure", entry.node)?.trim().to_owned();
                (!src.is_empty()).then(|| EnclosureField::of(src, line))
            }
        }
    }

    fn enclosure_table(&mut self, entries: Vec<Entry>, line: u32) -> Option<EnclosureField> {
        let mut keys = self.inner(entries);
        let src = keys.line_text(&["src", "url", "file"]);
        let length = keys.line_text(&["length"]);
        let duration = keys.line_text(&["duration"]);
        let mut field = EnclosureField {
            media_type: keys.line_text(&["type"]),
            transcript: keys.line_text(&["transcript"]),
            chapters: keys.line_text(&["chapters"]),
            episode: keys.count("episode"),
            season: keys.count("season"),
            is_explicit: keys.take_bool("explicit"),
            ..EnclosureField::of(src.clone().unwrap_or_default(), line)
        };
        keys.refuse_rest("enclosure", &ENCLOSURE);
        if src.is_none() {
            let remedy = "add `src = \"talk.mp3\"` or `src = \"https://…\"`";
            self.error(line, "`enclosure` names no file", remedy);
        }
        field.bytes = length.as_deref().and_then(|text| text.parse().ok());
        if length.is_some() && field.bytes.is_none() {
            self.error(
                line,
                "the enclosure's `length` is no number of bytes",
                "write `length = 1048576`",
            );
        }
        field.duration_seconds = duration.as_deref().and_then(seconds);
        if duration.is_some() && field.duration_seconds.is_none() {
            let remedy = "write seconds, or `1:02:03`";
            self.error(
                line,
                "the enclosure's `duration` is no length of time",
                remedy,
            );
        }
        src.map(|_| field)
    }

    /// A whole number from 1.
    fn count(&mut self, name: &str) -> Option<u32> {
        let line = self.line_of(name).unwrap_or(1);
        let number = self.number(name)?;
        let count = u32::try_from(number).ok().filter(|n| *n > 0);
        if count.is_none() {
            self.error(
                line,
                format!("`{name}` is {number}"),
                "count from 1 up".to_owned(),
            );
        }
        count
    }

    /// What a section says about its podcast; nothing unless `podcast = true`.
    pub(super) fn podcast(&mut self) -> Option<PodcastFields> {
        let line = self.line_of("podcast")?;
        if self.take_bool("podcast") != Some(true) {
            return None;
        }
        let lines: BTreeMap<&'static str, u32> = ["owner", "category", "explicit", "image", "guid"]
            .into_iter()
            .filter_map(|name| Some((name, self.line_of(name)?)))
            .collect();
        let [owner_name, owner_email] = match self.take(&["owner"]) {
            None => [None, None],
            Some(entry) => match entry.node.value {
                Value::Table(entries) => self.parts("owner", entries, [&["name"], &["email"]]),
                _ => {
                    let remedy = "write `owner = { name = \"…\", email = \"…\" }`";
                    self.error(entry.line, "`owner` is not a table", remedy);
                    [None, None]
                }
            },
        };
        Some(PodcastFields {
            owner_name,
            owner_email,
            category: self.line_text(&["category"]),
            is_explicit: self.take_bool("explicit"),
            image: self.line_text(&["image"]),
            guid: self.line_text(&["guid"]),
            is_locked: self.take_bool("locked").unwrap_or(true),
            lines,
            line,
        })
    }
}

impl EnclosureField {
    /// A file of which nothing else is said.
    fn of(src: String, line: u32) -> Self {
        Self {
            src,
            media_type: None,
            bytes: None,
            duration_seconds: None,
            transcript: None,
            chapters: None,
            episode: None,
            season: None,
            is_explicit: None,
            line,
        }
    }
}

/// `95`, `1:35` or `0:01:35`.
fn seconds(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    (parts.len() <= 3).then(|| {
        parts.iter().fold(0u64, |sum, part| {
            sum.saturating_mul(60).saturating_add(*part)
        })
    })
}
