//! Tera's errors as file, line, phrase and suggestion.

use std::path::PathBuf;

use tera::ErrorKind;

use crate::domain::problem::{Problem, suggestion};

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}{}", place(file, *line), instead(suggestion.as_deref()))]
pub struct TemplateError {
    /// The template's file under the publication's root, or the name of a
    /// built-in one.
    pub file: PathBuf,
    /// 1-based line, where Tera knows it.
    pub line: Option<u32>,
    /// What is wrong, in one phrase.
    pub message: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

fn place(file: &std::path::Path, line: Option<u32>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}

fn instead(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl TemplateError {
    /// As a finding for `check`.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let remedy = match &self.suggestion {
            Some(name) => format!("did you mean `{name}`?"),
            None => "docs/templates.md lists what a template can use".to_owned(),
        };
        Problem::error(&self.file, self.line, &self.message, remedy)
    }

    /// A name that nothing defines.
    pub(super) fn undefined(file: PathBuf, name: &str, known: &[&str]) -> Self {
        Self {
            file,
            line: None,
            message: format!("variable `{name}` is not defined"),
            suggestion: suggestion(name, known.iter().copied()).map(str::to_owned),
        }
    }

    /// The first fault of a Tera error; rendering stops at one.
    pub(super) fn first(error: &tera::Error, file_of: impl Fn(&str) -> PathBuf) -> Self {
        let fault = faults(error).into_iter().next().unwrap_or_default();
        Self::from_fault(fault, file_of)
    }

    pub(super) fn from_fault(fault: Fault, file_of: impl Fn(&str) -> PathBuf) -> Self {
        let (message, known) = split_known(&fault.message);
        let suggestion = backticked(message)
            .and_then(|name| suggestion(name, known))
            .map(str::to_owned);
        Self {
            file: file_of(fault.template.as_deref().unwrap_or("templates")),
            line: fault.line,
            message: lower_first(message.trim_end_matches('.')),
            suggestion,
        }
    }
}

/// One fault as Tera reports it.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// Name of the template.
    pub(super) template: Option<String>,
    line: Option<u32>,
    message: String,
}

impl Fault {
    /// Whether the message is about this template's absence.
    pub(super) fn names(&self, template: &str) -> bool {
        self.message.contains(&format!("`{template}`"))
    }
}

/// Every fault an error speaks of. Tera gives several faults of the whole set
/// as one message made of reports.
pub(super) fn faults(error: &tera::Error) -> Vec<Fault> {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => vec![Fault {
            template: Some(report.filename().to_owned()),
            line: u32::try_from(report.span().start_line).ok(),
            message: report.message().to_owned(),
        }],
        ErrorKind::MissingParent { current, parent } => vec![Fault {
            template: Some(current.clone()),
            line: None,
            message: format!("extends `{parent}`, which does not exist"),
        }],
        ErrorKind::CircularExtend { tpl, .. } => vec![Fault {
            template: Some(tpl.clone()),
            line: None,
            message: "extends itself, through others".to_owned(),
        }],
        ErrorKind::CircularInclude { tpl, .. } => vec![Fault {
            template: Some(tpl.clone()),
            line: None,
            message: "includes itself, through others".to_owned(),
        }],
        ErrorKind::TemplateNotFound(name) => vec![Fault {
            template: Some(name.clone()),
            line: None,
            message: "there is no such template".to_owned(),
        }],
        _ => error.to_string().split("\n\n").map(parse_report).collect(),
    }
}

/// Reads `error: message`, then `--> file:line:column`.
fn parse_report(report: &str) -> Fault {
    let mut lines = report.lines();
    let message = lines.next().unwrap_or_default();
    let place = lines
        .find_map(|line| line.trim_start().strip_prefix("--> "))
        .map(|place| place.rsplitn(3, ':').collect::<Vec<_>>());
    let (template, line) = match place.as_deref() {
        Some([_, line, file]) => (Some((*file).to_owned()), line.parse().ok()),
        _ => (None, None),
    };
    Fault {
        template,
        line,
        message: message
            .strip_prefix("error: ")
            .unwrap_or(message)
            .to_owned(),
    }
}

/// Tera ends "not defined" with the list of what is.
fn split_known(message: &str) -> (&str, Vec<&str>) {
    [" Available variables: ", " Available fields: "]
        .into_iter()
        .find_map(|mark| message.split_once(mark))
        .map_or((message, Vec::new()), |(message, known)| {
            (message, known.split(", ").collect())
        })
}

fn backticked(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}
