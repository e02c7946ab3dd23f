//! Everything that the templates of an issue can see, with its values: for
//! `render --context`.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    context::{IssueContext, NAMES},
    finish::Sample,
    message::Reader,
    render::{IssueInput, RenderError, facts, subject_line},
    slot::{Marks, Part},
};
use crate::{
    config::settings::MailSettings,
    domain::text::{cut, one_line},
    links::Signer,
    templates::Templates,
};

/// What the templates of an issue see, by name.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Inventory(Value);

/// Collects it; what differs by reader is that of a reader who does not exist.
///
/// # Errors
/// When the subject does not work out.
pub fn inventory(
    input: &IssueInput<'_>,
    templates: &Templates,
    settings: &MailSettings,
    signer: &Signer,
) -> Result<Inventory, RenderError> {
    let subject = subject_line(input, templates, settings)?;
    let marks = Marks::new(&signer.slot_key());
    let context =
        IssueContext::new(input, &input.wished(), settings, templates).for_body(&subject, &marks);
    let facts = facts(input.digest, settings, &subject);
    let sample = Sample::new();
    let to = sample.addressed(input.number);
    let reader = Reader::of_facts(&facts, &to, signer);
    let names = NAMES.iter().filter_map(|name| {
        let value = serde_json::to_value(context.get(name)?).ok()?;
        Some(((*name).to_owned(), filled(value, &marks, &reader)))
    });
    Ok(Inventory(Value::Object(names.collect())))
}

/// With slots where marks stand.
fn filled(value: Value, marks: &Marks, reader: &Reader<'_>) -> Value {
    match value {
        Value::String(text) => match marks.cut_text(&text).as_deref() {
            Ok([Part::Slot(used)]) => reader.escaped(used).into(),
            _ => text.into(),
        },
        Value::Array(items) => items
            .into_iter()
            .map(|item| filled(item, marks, reader))
            .collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(name, value)| (name, filled(value, marks, reader)))
            .collect(),
        plain => plain,
    }
}

impl Inventory {
    /// A line for each name, with its value; of a list the first item.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = Vec::new();
        list("", &self.0, &mut lines);
        let widest = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in lines {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{name:widest$}  {value}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn list(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (inner, value) in entries {
                let dot = if name.is_empty() { "" } else { "." };
                list(&format!("{name}{dot}{inner}"), value, lines);
            }
        }
        Value::Array(items) => {
            lines.push((name.to_owned(), format!("list of {}", items.len())));
            if let Some(first) = items.first() {
                list(&format!("{name}[0]"), first, lines);
            }
        }
        Value::String(text) => {
            let short = cut(&one_line(text), 60);
            lines.push((name.to_owned(), format!("\"{short}\"")));
        }
        Value::Null => lines.push((name.to_owned(), "none".to_owned())),
        Value::Bool(_) | Value::Number(_) => lines.push((name.to_owned(), value.to_string())),
    }
}
