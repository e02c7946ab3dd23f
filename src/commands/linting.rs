//! The lint of an issue that was rendered, as findings about the files that
//! people write; before a freeze its errors refuse the issue.

use std::{
    fs,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use url::Url;
use walkdir::WalkDir;

use super::{
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::{self, Config, FILE_NAME},
    content::Loaded,
    domain::{
        digest::Digest,
        problem::{Level, Problem},
    },
    mail::{
        self, Rendered,
        lint::{Finding, Lead, Measure, Part, lint, lint_notice},
    },
    templates::Templates,
};

/// The stem of the files of an issue.
pub const ISSUE: &str = "issue";

/// What a rendered message is made of.
pub struct Linting<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The articles.
    pub loaded: &'a Loaded,
    /// Which digest.
    pub digest: &'a Digest,
    /// The files of the articles that it carries.
    pub sources: Vec<&'a Path>,
    /// What `render --out` names its files by: `issue`, or a notice's kind.
    pub stem: &'static str,
}

impl Linting<'_> {
    /// Everything that is wrong with an issue.
    #[must_use]
    pub fn problems(&self, letter: &Rendered) -> Vec<Problem> {
        self.found(letter, lint)
    }

    /// Everything that is wrong with a notice.
    #[must_use]
    pub fn notice_problems(&self, notice: &Rendered) -> Vec<Problem> {
        self.found(notice, lint_notice)
    }

    fn found(
        &self,
        letter: &Rendered,
        lint: fn(&Rendered, &Measure<'_>) -> Vec<Finding>,
    ) -> Vec<Problem> {
        let leads = |url: &Url| self.lead(url);
        let Some(settings) = &self.config.mail else {
            return Vec::new();
        };
        let measure = Measure {
            publication: &self.config.publication,
            settings,
            leads: &leads,
        };
        let found = lint(letter, &measure);
        found.into_iter().map(|one| self.problem(one)).collect()
    }

    fn lead(&self, url: &Url) -> Lead {
        let site = &self.loaded.site;
        if !site.is_there(url) && !self.is_made_by_build(url) {
            return Lead::Nowhere;
        }
        match site.has_anchor(url) {
            true => Lead::There,
            false => Lead::NoSuchHeading,
        }
    }

    /// Pages and feeds that no file of the content folder stands for.
    fn is_made_by_build(&self, url: &Url) -> bool {
        let Some(path) = self.config.publication.file_at(url) else {
            return false;
        };
        let mut parts = path.split('/');
        let (first, second) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let collection = &self.loaded.collection;
        match first {
            "tags" => collection.tags().any(|tag| tag.slug.as_str() == second),
            "authors" => collection.bylines().any(|one| one.slug.as_str() == second),
            "letters" | "sections" | "archive" | mail::PICTURE_FOLDER => true,
            _ => false,
        }
    }

    /// The finding at the place where its author can mend it, where that can be
    /// told; else at its place in the letter.
    fn problem(&self, found: Finding) -> Problem {
        let (file, line) = self.place(&found);
        Problem {
            file,
            line,
            level: found.level,
            what: format!("{} [{}]", found.what, found.rule.name()),
            remedy: found.remedy,
        }
    }

    fn place(&self, found: &Finding) -> (PathBuf, Option<u32>) {
        let needle = found.needle.as_deref().unwrap_or_default();
        if found.part == Part::Settings {
            let file = self.config.root.join(FILE_NAME);
            let line = config::line_of(&file, needle, self.digest.name.as_str());
            return (FILE_NAME.into(), line);
        }
        let written = (!needle.is_empty()).then(|| self.written(needle)).flatten();
        written.unwrap_or_else(|| {
            let end = match found.part {
                Part::Text => "txt",
                Part::Headers => "eml",
                Part::Html | Part::Settings => "html",
            };
            let part = format!("{}.{end}", self.stem);
            (rendered(self.digest.name.as_str(), &part), found.line)
        })
    }

    /// Where an address was written: as it is in a template or article, or by
    /// its file name in an article.
    fn written(&self, needle: &str) -> Option<(PathBuf, Option<u32>)> {
        let root = &self.config.root;
        let templates = WalkDir::new(root.join(workspace::TEMPLATES)).sort_by_file_name();
        let templates = templates.into_iter().filter_map(Result::ok);
        let templates = templates.filter_map(|entry| {
            let file = entry.path().strip_prefix(root).ok()?;
            let is_page = file.starts_with(Path::new(workspace::TEMPLATES).join("pages"));
            (entry.file_type().is_file() && !is_page).then(|| file.to_owned())
        });
        let name = needle
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(needle);
        let name = percent_decode_str(name).decode_utf8_lossy();
        let articles = || self.sources.iter().map(|source| source.to_path_buf());
        let found = |mut files: Box<dyn Iterator<Item = PathBuf> + '_>, text: &str| {
            files.find_map(|file| {
                let line = line_with(&root.join(&file), text)?;
                Some((file, Some(line)))
            })
        };
        found(Box::new(templates), needle)
            .or_else(|| found(Box::new(articles()), needle))
            // A short name would be found in any text.
            .or_else(|| match name.contains('.') {
                true => found(Box::new(articles()), &name),
                false => None,
            })
    }
}

/// What findings call a part of a message that nobody wrote as a file:
/// `render --out` writes it.
fn rendered(digest: &str, part: &str) -> PathBuf {
    format!("{digest}/{part}{RENDERED}").into()
}

const RENDERED: &str = " (rendered)";

/// Whether findings call the part with this end so.
#[must_use]
pub fn is_rendered(file: &Path, digest: &str, end: &str) -> bool {
    let name = file.to_str().and_then(|file| {
        let inside = file.strip_prefix(digest)?.strip_prefix('/')?;
        inside.strip_suffix(RENDERED)
    });
    name.is_some_and(|name| Path::new(name).extension() == Some(end.as_ref()))
}

fn line_with(file: &Path, text: &str) -> Option<u32> {
    let source = fs::read_to_string(file).ok()?;
    let at = source.lines().position(|line| line.contains(text))?;
    u32::try_from(at + 1).ok()
}

/// What is wrong with the next issue of a digest whose articles are made up,
/// because there is nothing new.
#[must_use]
pub fn made_up(
    config: &Config,
    loaded: &Loaded,
    templates: &Templates,
    digest: &Digest,
) -> Vec<Problem> {
    let Some(settings) = &config.mail else {
        return Vec::new();
    };
    let letter = mail::made_up_issue(&config.publication, digest, templates, settings);
    // What keeps it from being rendered is told by the check of templates.
    let Ok(letter) = letter else {
        return Vec::new();
    };
    let measure = Measure {
        publication: &config.publication,
        settings,
        // Made-up articles lead nowhere.
        leads: &|_| Lead::There,
    };
    let linting = Linting {
        config,
        loaded,
        digest,
        sources: Vec::new(),
        stem: ISSUE,
    };
    let found = lint(&letter, &measure);
    found.into_iter().map(|one| linting.problem(one)).collect()
}

/// Refuses an issue while an error stands among its findings.
///
/// # Errors
/// Exit 65 with each error.
pub fn refuse(issue: &str, problems: &[Problem]) -> Result<(), Failure> {
    let errors: Vec<&Problem> = problems
        .iter()
        .filter(|one| one.level == Level::Error)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let what = format!(
        "issue {issue} cannot go out: {} in the letter",
        count(errors.len(), "error")
    );
    Err(Failure::new(Exit::Data, what)
        .because(errors.iter().map(ToString::to_string))
        .hint("nothing was frozen; `letterpress check` lists all findings, docs/lint.md explains them"))
}
