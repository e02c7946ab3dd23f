//! Collects the problems of one configuration file, with their lines.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, time::Duration};

use toml::Spanned;

use crate::domain::{
    problem::{Level, Problem},
    text::one_line,
};

/// The problems found so far, and the text that turns offsets into lines.
pub(super) struct Findings<'a> {
    file: PathBuf,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(file: PathBuf, text: &'a str) -> Self {
        Self {
            file,
            text,
            problems: Vec::new(),
        }
    }

    /// Everything found, in the order of the file.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        problems.sort();
        problems.dedup();
        problems
    }

    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// The line of a place in the file.
    pub(super) fn line(&self, offset: usize) -> Option<u32> {
        let before = self.text.as_bytes().get(..offset)?;
        let lines = before.iter().filter(|b| **b == b'\n').count();
        u32::try_from(lines + 1).ok()
    }

    pub(super) fn error(
        &mut self,
        offset: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = self.line(offset);
        self.problems
            .push(Problem::error(self.file.clone(), line, what, remedy));
    }

    pub(super) fn warning(
        &mut self,
        offset: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = self.line(offset);
        self.problems
            .push(Problem::warning(self.file.clone(), line, what, remedy));
    }

    /// An error about a value that may be absent.
    pub(super) fn at<T>(
        &mut self,
        value: Option<&Spanned<T>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.error(value.map_or(0, |v| v.span().start), what, remedy);
    }

    /// What the TOML reader says.
    pub(super) fn toml(&mut self, error: &toml::de::Error) {
        let line = error.span().and_then(|span| self.line(span.start));
        self.problems.push(Problem {
            file: self.file.clone(),
            line,
            level: Level::Error,
            what: one_line(error.message()),
            remedy: "docs/configuration.md shows every key with an example".to_owned(),
        });
    }

    /// The text of a key that must be there and not be blank.
    pub(super) fn required(
        &mut self,
        value: Option<&Spanned<String>>,
        key: &str,
    ) -> Option<String> {
        let text = value.map(|v| one_line(v.get_ref())).unwrap_or_default();
        if text.is_empty() {
            let name = key.rsplit('.').next().unwrap_or(key);
            self.at(
                value,
                format!("{key} is missing or empty"),
                format!("add `{name} = \"…\"`"),
            );
            return None;
        }
        Some(text)
    }

    /// The value, or an error where it stands.
    pub(super) fn parsed<T, E: Display, S>(
        &mut self,
        place: Option<&Spanned<S>>,
        result: Result<T, E>,
        remedy: &str,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.at(place, error.to_string(), remedy);
                None
            }
        }
    }

    /// A number within bounds, or its default.
    pub(super) fn counted<T>(
        &mut self,
        value: Option<&Spanned<T>>,
        key: &str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: PartialOrd + Copy + Display,
    {
        let number = value.map_or(default, |v| *v.get_ref());
        if bounds.contains(&number) {
            return Some(number);
        }
        self.at(
            value,
            format!("{key} is {number}"),
            format!("use {} to {}", bounds.start(), bounds.end()),
        );
        None
    }

    /// A span of time such as `24h` or `10m`, or its default.
    pub(super) fn span(
        &mut self,
        value: Option<&Spanned<String>>,
        key: &str,
        default: Duration,
    ) -> Option<Duration> {
        let Some(text) = value else {
            return Some(default);
        };
        let parsed = humantime::parse_duration(text.get_ref())
            .ok()
            .filter(|span| !span.is_zero() && *span <= Duration::from_secs(400 * 86_400))
            .ok_or_else(|| format!("{key} is `{}`", text.get_ref()));
        self.parsed(
            value,
            parsed,
            "use a span such as \"90s\", \"10m\", \"24h\" or \"3d\"",
        )
    }
}
