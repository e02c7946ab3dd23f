//! A list as a file holds it, CSV or JSON, row by row.

use std::{borrow::Cow, path::Path};

use serde_json::Value;

use super::columns::{Columns, Said};
use crate::{
    commands::exit::{Exit, Failure},
    domain::{
        problem::Problem,
        text::{cut, one_line},
    },
};

/// Calls `with` for every row, with its line, and collects what cannot be read.
///
/// # Errors
/// When the file as a whole is no list.
pub(super) fn each_row(
    text: &str,
    file: &Path,
    with: impl FnMut(Option<u32>, &Said<'_>, &mut Vec<Problem>),
) -> Result<Vec<Problem>, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().starts_with(['[', '{']) {
        true => json(text, file, with),
        false => csv(text, file, with),
    }
}

fn no_list(file: &Path, line: usize, what: &str, hint: &str) -> Failure {
    Failure::new(
        Exit::Data,
        format!("{}:{line}: error: {what}", file.display()),
    )
    .hint(hint.to_owned())
}

fn csv(
    text: &str,
    file: &Path,
    mut with: impl FnMut(Option<u32>, &Said<'_>, &mut Vec<Problem>),
) -> Result<Vec<Problem>, Failure> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let head = reader
        .headers()
        .map_err(|error| Failure::of(Exit::Data, &error))?;
    let columns = Columns::of(head).ok_or_else(|| {
        let hint = "the first line names the columns, such as `email,name,status`";
        no_list(file, 1, "no column `email`", hint)
    })?;
    let mut problems = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = |place: Option<&csv::Position>| place.and_then(|p| u32::try_from(p.line()).ok());
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(problems),
            Ok(true) => {
                let said = columns.read(|at| Cow::Borrowed(record.get(at).unwrap_or("")));
                with(line(record.position()), &said, &mut problems);
            }
            Err(error) => problems.push(Problem::error(
                file,
                line(error.position()),
                one_line(&error.to_string()),
                "mend the quotes of this row",
            )),
        }
    }
}

/// Spreadsheets of some countries write semicolons, some programs tabs.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |sign: char| head.matches(sign).count();
    let most = [(',', b','), (';', b';'), ('\t', b'\t')];
    let found = most
        .into_iter()
        .max_by_key(|(sign, byte)| (count(*sign), *byte == b','));
    found.map_or(b',', |(_, byte)| byte)
}

fn json(
    text: &str,
    file: &Path,
    mut with: impl FnMut(Option<u32>, &Said<'_>, &mut Vec<Problem>),
) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    let mut found = 0_usize;
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    for document in documents {
        let document = document.map_err(|error| {
            let what = cut(&one_line(&error.to_string()), 200);
            no_list(
                file,
                error.line(),
                &what,
                "the file is to be JSON: one list, or one reader a line",
            )
        })?;
        for entry in entries(document) {
            found += 1;
            let line = u32::try_from(found).ok();
            let row = Row::of(&entry);
            match Columns::of(row.0.iter().map(|(name, _)| name.as_str())) {
                Some(columns) => {
                    let said = columns.read(|at| Cow::Borrowed(row.0[at].1.as_str()));
                    with(line, &said, &mut problems);
                }
                None => problems.push(Problem::error(
                    file,
                    line,
                    "an entry without `email`",
                    "add its address, or remove the entry",
                )),
            }
        }
    }
    if found == 0 {
        let hint = "a list is `[{\"email\": \"…\"}, …]`, or one such object a line";
        return Err(no_list(file, 1, "no readers in it", hint));
    }
    Ok(problems)
}

/// The readers in a document: a list, a reader, or an answer of another
/// program's interface that holds the list in one of its usual places.
fn entries(document: Value) -> Vec<Value> {
    match document {
        Value::Array(entries) => entries,
        Value::Object(mut object) => {
            for name in ["data", "results", "subscribers", "members"] {
                match object.get_mut(name).map(Value::take) {
                    Some(Value::Array(entries)) => return entries,
                    Some(Value::Object(inner)) => return entries_within(inner),
                    _ => {}
                }
            }
            vec![Value::Object(object)]
        }
        _ => Vec::new(),
    }
}

fn entries_within(object: serde_json::Map<String, Value>) -> Vec<Value> {
    let lists = object.into_iter().find_map(|(_, value)| match value {
        Value::Array(entries) => Some(entries),
        _ => None,
    });
    lists.unwrap_or_default()
}

/// The texts of an entry by name; those of an object inside it (`merge_fields`)
/// come after its own.
struct Row(Vec<(String, String)>);

impl Row {
    fn of(entry: &Value) -> Self {
        let mut row = Vec::new();
        let Value::Object(object) = entry else {
            return Self(row);
        };
        for (name, value) in object {
            row.extend(text(value).map(|text| (name.clone(), text)));
        }
        for inner in object.values().filter_map(Value::as_object) {
            for (name, value) in inner {
                row.extend(text(value).map(|text| (name.clone(), text)));
            }
        }
        Self(row)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
