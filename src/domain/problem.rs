//! One thing wrong with what people wrote: where, what, and how to mend it.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Publishing goes on; `check --strict` refuses it.
    Warning,
    /// `build`, `run` and `send` refuse to publish.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A finding about an input file, printed as `file:line: level: what; remedy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the publication's root.
    pub file: PathBuf,
    /// 1-based line, where one is known.
    pub line: Option<u32>,
    /// Error or warning.
    pub level: Level,
    /// What is wrong, in one phrase.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// An error, which stops publishing.
    pub fn error(
        file: impl Into<PathBuf>,
        line: impl Into<Option<u32>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: line.into(),
            level: Level::Error,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A warning, which does not.
    pub fn warning(
        file: impl Into<PathBuf>,
        line: impl Into<Option<u32>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::error(file, line, what, remedy).at(Level::Warning)
    }

    /// The same problem, mattering more or less.
    #[must_use]
    pub fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Whether publishing must wait for this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}: {}; {}", self.level, self.what, self.remedy)
    }
}

/// The known name closest to `unknown`, when it is close enough to be a slip.
#[must_use]
pub fn suggestion<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_as_file_line_level_what_remedy() {
        let problem = Problem::error("content/a.md", 3, "no title", "add `title = \"…\"`");
        assert_eq!(
            problem.to_string(),
            "content/a.md:3: error: no title; add `title = \"…\"`"
        );
        let problem = Problem::warning("content/a.md", None, "no alt", "describe it");
        assert_eq!(
            problem.to_string(),
            "content/a.md: warning: no alt; describe it"
        );
    }

    #[test]
    fn a_slip_gets_a_suggestion_and_nonsense_gets_none() {
        assert_eq!(suggestion("titel", ["title", "date"]), Some("title"));
        assert_eq!(suggestion("qqq", ["title", "date"]), None);
    }
}
