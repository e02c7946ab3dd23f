//! Splits a file into front matter and Markdown, and reads TOML or YAML into
//! one tree that knows the line of every key and value.

use std::{ops::Range, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};
use toml::de::{DeTable, DeValue};

use crate::domain::{problem::Problem, text::one_line};

/// A value and the 1-based line of the file on which it stands.
#[derive(Debug)]
pub(in crate::content) struct Node {
    pub(in crate::content) line: u32,
    pub(in crate::content) value: Value,
}

/// What TOML and YAML have in common.
#[derive(Debug)]
pub(in crate::content) enum Value {
    Text(String),
    /// As written, so that a title such as `1.10` stays what it is.
    Number(String),
    /// A TOML date, as written.
    Date(String),
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// YAML `key:` with nothing after it.
    Nothing,
}

/// A key with its value.
#[derive(Debug)]
pub(in crate::content) struct Entry {
    pub(in crate::content) key: String,
    /// Line of the key.
    pub(in crate::content) line: u32,
    pub(in crate::content) node: Node,
}

/// The two languages of front matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Between `+++` lines.
    Toml,
    /// Between `---` lines.
    Yaml,
}

/// A file in its two halves.
#[derive(Debug)]
pub(in crate::content) struct Halves<'a> {
    kind: Kind,
    front: &'a str,
    /// What follows the front matter.
    pub(in crate::content) markdown: &'a str,
    /// 1-based line on which it begins.
    pub(in crate::content) markdown_line: u32,
}

/// Why front matter cannot be read.
#[derive(Debug)]
pub(in crate::content) struct FrontMatterError {
    pub(in crate::content) line: u32,
    pub(in crate::content) what: String,
    pub(in crate::content) remedy: String,
}

impl FrontMatterError {
    /// The problem of the file that it stands in.
    pub(in crate::content) fn at(self, source: impl Into<PathBuf>) -> Problem {
        Problem::error(source, self.line, self.what, self.remedy)
    }
}

/// Splits a text with `\n` line ends.
pub(in crate::content) fn split(text: &str) -> Result<Halves<'_>, FrontMatterError> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    let kind = match first {
        "+++" => Kind::Toml,
        "---" => Kind::Yaml,
        _ => {
            return Err(FrontMatterError {
                line: 1,
                what: "there is no front matter".to_owned(),
                remedy: "begin the file with `+++`, `title = \"…\"`, `date = 2026-08-01`, `+++`"
                    .to_owned(),
            });
        }
    };
    let start = text.find('\n').map_or(text.len(), |at| at + 1);
    let mut at = start;
    for (count, line) in (0u32..).zip(text[start..].split_inclusive('\n')) {
        if line.trim_end() == first {
            return Ok(Halves {
                kind,
                front: &text[start..at],
                markdown: &text[at + line.len()..],
                markdown_line: count + 3,
            });
        }
        at += line.len();
    }
    Err(FrontMatterError {
        line: 1,
        what: format!("the front matter that begins with `{first}` never ends"),
        remedy: format!("close it with a line `{first}`"),
    })
}

impl Halves<'_> {
    /// What stands before the Markdown in the text that was split.
    pub(in crate::content) fn before<'t>(&self, text: &'t str) -> &'t str {
        text.strip_suffix(self.markdown).unwrap_or(text)
    }

    /// Reads the front matter as a table.
    pub(in crate::content) fn parse(&self) -> Result<Vec<Entry>, FrontMatterError> {
        match self.kind {
            Kind::Toml => parse_toml(self.front),
            Kind::Yaml => parse_yaml(self.front),
        }
    }
}

fn parse_toml(front: &str) -> Result<Vec<Entry>, FrontMatterError> {
    let lines = Lines::of(front);
    let table = DeTable::parse(front).map_err(|error| FrontMatterError {
        line: lines.at(error.span().map_or(0, |span| span.start)),
        what: format!(
            "the front matter is not TOML: {}",
            one_line(error.message())
        ),
        remedy: "correct this line; texts stand in quotes, as in `title = \"…\"`".to_owned(),
    })?;
    Ok(toml_entries(table.into_inner(), &lines))
}

fn toml_entries(table: DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            line: lines.at(key.span().start),
            node: toml_node(value.span(), value.into_inner(), lines),
            key: key.into_inner().into_owned(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn toml_node(span: Range<usize>, value: DeValue<'_>, lines: &Lines) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Boolean(flag) => Value::Bool(flag),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| toml_node(item.span(), item.into_inner(), lines))
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(toml_entries(table, lines)),
    };
    Node {
        line: lines.at(span.start),
        value,
    }
}

fn parse_yaml(front: &str) -> Result<Vec<Entry>, FrontMatterError> {
    if front.trim().is_empty() {
        return Ok(Vec::new());
    }
    let not_yaml = |line, what: &str| FrontMatterError {
        line,
        what: format!("the front matter is not YAML: {}", one_line(what)),
        remedy:
            "correct this line; it should read `key: value`, and a text with `: ` stands in quotes"
                .to_owned(),
    };
    let tree: Spanned<YamlValue> = serde_saphyr::from_str(front).map_err(|error| {
        let error = error.without_snippet();
        let line = error.location().map_or(1, yaml_line);
        // The library ends its message with the position, counted from the
        // front matter's first line; ours counts from the file's.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        // And it gives advice to programmers.
        not_yaml(line, text.split(", set ").next().unwrap_or(text))
    })?;
    let root = yaml_node(tree, front);
    match root.value {
        Value::Table(entries) => Ok(entries),
        _ => Err(not_yaml(root.line, "it is no list of keys and values")),
    }
}

/// Line of the file for a place in the front matter, which begins on line 2.
fn yaml_line(location: Location) -> u32 {
    u32::try_from(location.line())
        .unwrap_or(u32::MAX)
        .max(1)
        .saturating_add(1)
}

fn yaml_node(node: Spanned<YamlValue>, front: &str) -> Node {
    let value = match node.value {
        YamlValue::Text(text) => Value::Text(text),
        YamlValue::Number(number) => {
            let span = node.defined.span();
            let written = span
                .byte_offset()
                .zip(span.byte_len())
                .and_then(|(at, len)| {
                    let at = usize::try_from(at).ok()?;
                    front.get(at..at.checked_add(usize::try_from(len).ok()?)?)
                });
            Value::Number(written.map_or(number, |text| text.trim().to_owned()))
        }
        YamlValue::Bool(flag) => Value::Bool(flag),
        YamlValue::Nothing => Value::Nothing,
        YamlValue::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| yaml_node(item, front))
                .collect(),
        ),
        YamlValue::Table(entries) => Value::Table(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    line: yaml_line(key.referenced),
                    key: key.value,
                    node: yaml_node(value, front),
                })
                .collect(),
        ),
    };
    Node {
        line: yaml_line(node.referenced),
        value,
    }
}

/// Any YAML value, as the library hands it over.
enum YamlValue {
    Text(String),
    Number(String),
    Bool(bool),
    Nothing,
    List(Vec<Spanned<YamlValue>>),
    Table(Vec<(Spanned<String>, Spanned<YamlValue>)>),
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = YamlValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<YamlValue, E> {
        Ok(YamlValue::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Nothing)
    }

    fn visit_none<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<YamlValue, D::Error> {
        YamlValue::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<YamlValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(YamlValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<YamlValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(YamlValue::Table(entries))
    }
}

/// Byte offsets in the front matter to lines of the file.
struct Lines(Vec<usize>);

impl Lines {
    fn of(front: &str) -> Self {
        Self(front.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The front matter begins on line 2, below its fence.
    fn at(&self, offset: usize) -> u32 {
        let before = self.0.partition_point(|&end| end < offset);
        u32::try_from(before).unwrap_or(u32::MAX - 2) + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<(String, u32)> {
        let entries = split(text).unwrap().parse().unwrap();
        entries
            .into_iter()
            .map(|entry| (entry.key, entry.line))
            .collect()
    }

    #[test]
    fn both_languages_know_the_line_of_every_key() {
        let toml = "+++\ntitle = \"A\"\n\n[hero]\nsrc = \"a.jpg\"\n+++\nText\n";
        assert_eq!(
            keys(toml),
            [("title".to_owned(), 2), ("hero".to_owned(), 4)]
        );
        let yaml = "---\ntitle: A\n\nhero:\n  src: a.jpg\ntags: [a, b]\n---\nText\n";
        assert_eq!(
            keys(yaml),
            [
                ("title".to_owned(), 2),
                ("hero".to_owned(), 4),
                ("tags".to_owned(), 6)
            ]
        );
        let halves = split(yaml).unwrap();
        assert_eq!((halves.markdown, halves.markdown_line), ("Text\n", 8));
    }

    #[test]
    fn a_number_keeps_its_spelling() {
        for text in ["---\ntitle: 1.10\n---\n", "+++\ntitle = 1.10\n+++\n"] {
            let entries = split(text).unwrap().parse().unwrap();
            assert!(
                matches!(&entries[0].node.value, Value::Number(number) if number == "1.10"),
                "{entries:?}"
            );
        }
    }

    #[test]
    fn broken_front_matter_is_reported_on_its_line() {
        for (text, line, part) in [
            ("+++\ntitle = \"A\"\ndate = = 3\n+++\n", 3, "not TOML"),
            ("+++\ntitle = \"A\"\ntitle = \"B\"\n+++\n", 3, "not TOML"),
            ("---\ntitle: A\nx: [1, 2\n---\n", 3, "not YAML"),
            ("---\ntitle: A\ntitle: B\n---\n", 3, "not YAML"),
            ("---\n- a\n- b\n---\n", 2, "keys and values"),
        ] {
            let error = split(text).unwrap().parse().unwrap_err();
            assert!(error.what.contains(part), "{}", error.what);
            assert!(
                error.line.abs_diff(line) <= 1,
                "{text}: line {}",
                error.line
            );
            assert!(!error.what.contains('\n') && !error.what.contains("Options"));
        }
    }

    #[test]
    fn a_file_without_fences_says_what_to_write() {
        assert!(split("Just text").unwrap_err().remedy.contains("+++"));
        assert!(split("").is_err());
        assert!(
            split("+++\ntitle = \"A\"\n")
                .unwrap_err()
                .what
                .contains("never ends")
        );
        let halves = split("+++\n+++").unwrap();
        assert_eq!(halves.markdown, "");
        assert!(split("---\n---\nText").unwrap().parse().unwrap().is_empty());
    }

    #[test]
    fn a_yaml_bomb_is_refused() {
        let mut bomb = "---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let ten = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{ten}]\n"));
        }
        bomb.push_str("---\n");
        assert!(split(&bomb).unwrap().parse().is_err());
    }
}
