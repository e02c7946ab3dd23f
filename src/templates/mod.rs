//! The templates of mail and pages: defaults inside the binary, overridden file by file
//! by the publication's `templates/` folder.
//!
//! Nothing else is ever loaded, no function reaches files, network or
//! environment, and values are never parsed as templates. A name that does not
//! exist is an error, not an empty string.

mod builtin;
mod error;
mod filters;
mod theme;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tera::{Context, Tera};
use walkdir::WalkDir;

use self::words::Catalogues;
pub use self::{error::TemplateError, theme::describe_theme, words::Words};
use crate::domain::{
    fingerprint::Fingerprint,
    problem::{Problem, suggestion},
};

/// Templates by name, such as `digest/issue.html`, compiled.
#[derive(Debug, Clone)]
pub struct Templates {
    tera: Tera,
    words: Arc<Catalogues>,
    /// Where the user's templates are, as people call it: `templates`.
    folder: PathBuf,
    /// Names that the user's folder provides.
    own: BTreeSet<String>,
    /// Of everything that the user's folder provides.
    fingerprint: Fingerprint,
    /// Names that some template gives itself with `for` or `set`; a template
    /// it includes sees them too.
    locals: BTreeSet<String>,
}

/// A template larger than this is a mistake.
const MOST_BYTES: u64 = 512 * 1024;

impl Templates {
    /// Compiles the built-in templates and those of `folder` over them; a
    /// folder that does not exist overrides nothing. Every template that
    /// cannot be used is a problem, and the built-in one of its name stays.
    #[must_use]
    pub fn load(folder: Option<&Path>) -> (Self, Vec<Problem>) {
        let label = folder
            .and_then(Path::file_name)
            .map_or_else(|| PathBuf::from("templates"), PathBuf::from);
        let mut problems = Vec::new();
        let files = match folder.filter(|folder| folder.is_dir()) {
            Some(folder) => read_folder(folder, &label, &mut problems),
            None => BTreeMap::new(),
        };
        let fingerprint = match files.is_empty() {
            true => Fingerprint::default(),
            false => Fingerprint::of(&files),
        };
        let (catalogues, files): (BTreeMap<_, _>, BTreeMap<_, _>) = files
            .into_iter()
            .partition(|(name, _)| name.ends_with(".ftl"));
        let words = Arc::new(Catalogues::load(&catalogues, &label, &mut problems));
        let mut tera = Tera::default();
        filters::register(&mut tera, &words);
        tera.add_raw_templates(builtin::TEMPLATES)
            .expect("the built-in templates compile: a test renders them");
        let mut templates = Self {
            tera,
            words,
            folder: label,
            own: BTreeSet::new(),
            fingerprint,
            locals: builtin::TEMPLATES
                .iter()
                .flat_map(|(_, source)| locals(source))
                .collect(),
        };
        let own_locals = files.values().flat_map(|source| locals(source));
        templates.locals.extend(own_locals);
        templates.unknown_words(&files, &mut problems);
        templates.add_own(files, &mut problems);
        problems.sort();
        problems.dedup();
        (templates, problems)
    }

    /// While it is the same, so are the templates within one build of the
    /// program.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The fixed words of a language such as `de-AT`; English where nobody
    /// wrote a catalogue of it.
    #[must_use]
    pub fn words(&self, language: &str) -> Words<'_> {
        self.words.words(language)
    }

    /// The languages that have a catalogue, by tag, with the names that they
    /// give themselves.
    #[must_use]
    pub fn languages(&self) -> Vec<(String, String)> {
        self.words.languages()
    }

    /// The kinds a digest can name as its `template`, in order: folders with
    /// an `issue.html` and an `issue.txt`.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        let kinds: BTreeSet<&str> = self
            .tera
            .get_template_names()
            .filter_map(|name| name.strip_suffix("/issue.html"))
            .filter(|kind| self.has_kind(kind))
            .collect();
        kinds.into_iter().map(str::to_owned).collect()
    }

    /// Whether there is such a kind.
    #[must_use]
    pub fn has_kind(&self, kind: &str) -> bool {
        ["html", "txt"]
            .iter()
            .all(|part| self.tera.contains_template(&format!("{kind}/issue.{part}")))
    }

    /// The HTML of an issue, before styles are inlined.
    ///
    /// # Errors
    /// When the template names something that does not exist, or cannot be
    /// rendered for another reason.
    pub fn render_html(&self, kind: &str, context: &Context) -> Result<String, TemplateError> {
        self.render(&format!("{kind}/issue.html"), context)
    }

    /// The text of an issue, as the template wrote it.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_text(&self, kind: &str, context: &Context) -> Result<String, TemplateError> {
        self.render(&format!("{kind}/issue.txt"), context)
    }

    /// The subject of an issue or a notice, by its kind; a kind without one
    /// has that of `digest`.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_kinds_subject(
        &self,
        kind: &str,
        context: &Context,
    ) -> Result<String, TemplateError> {
        let own = format!("{kind}/subject.txt");
        match self.tera.contains_template(&own) {
            true => self.render(&own, context),
            false => self.render("digest/subject.txt", context),
        }
    }

    /// The HTML of a notice such as `confirm`, before styles are inlined.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_notice_html(
        &self,
        kind: &str,
        context: &Context,
    ) -> Result<String, TemplateError> {
        self.render(&format!("{kind}/message.html"), context)
    }

    /// The text of a notice.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_notice_text(
        &self,
        kind: &str,
        context: &Context,
    ) -> Result<String, TemplateError> {
        self.render(&format!("{kind}/message.txt"), context)
    }

    /// A page of the website, such as `article.html`, or its style sheet.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_page(&self, name: &str, context: &Context) -> Result<String, TemplateError> {
        self.render(&format!("pages/{name}"), context)
    }

    /// A page for readers, such as `leave.html`, or its style sheet.
    ///
    /// # Errors
    /// As [`Templates::render_html`].
    pub fn render_reader_page(
        &self,
        name: &str,
        context: &Context,
    ) -> Result<String, TemplateError> {
        self.render(&format!("readers/{name}"), context)
    }

    /// A subject line from the digest's `subject` setting. `file` is where
    /// the setting stands, for errors; lines are not known.
    ///
    /// # Errors
    /// As [`Templates::render_html`], and when `source` is not a template.
    pub fn render_subject(
        &self,
        source: &str,
        context: &Context,
        file: &Path,
    ) -> Result<String, TemplateError> {
        self.tera
            .render_str(source, context, false)
            .map_err(|error| TemplateError {
                line: None,
                ..TemplateError::first(&error, |_| file.to_owned())
            })
    }

    /// The names at the top of `kind`'s templates that are not among `known`:
    /// finds what an `{% if %}` would silently take for false.
    #[must_use]
    pub fn unknown_names(&self, kind: &str, known: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for part in ["issue.html", "issue.txt", "message.html", "message.txt"] {
            let name = format!("{kind}/{part}");
            let Ok(used) = self.tera.get_template_variables(&name) else {
                continue;
            };
            let unknown: BTreeSet<&str> = used
                .into_iter()
                .filter(|name| !known.contains(name) && !self.locals.contains(*name))
                .collect();
            for unknown in unknown {
                let error = TemplateError::undefined(self.file_of(&name), unknown, known);
                problems.push(error.problem());
            }
        }
        problems
    }

    /// Words that no catalogue has, wherever a template asks for them by name:
    /// also where no rendering comes by.
    fn unknown_words(&self, files: &BTreeMap<String, String>, problems: &mut Vec<Problem>) {
        for (name, source) in files {
            let mut done = 0;
            while let Some(found) = source[done..].find("words(key=\"") {
                let start = done + found + "words(key=\"".len();
                done = start;
                let Some(key) = source[start..].split('"').next() else {
                    break;
                };
                if !self.words.has(key) {
                    let line = source[..start].matches('\n').count() + 1;
                    problems.push(Problem::error(
                        self.folder.join(name),
                        u32::try_from(line).ok(),
                        format!("word `{key}` is not defined"),
                        match suggestion(key, words::keys()) {
                            Some(known) => format!("did you mean `{known}`?"),
                            None => "docs/templates.md lists every word".to_owned(),
                        },
                    ));
                }
            }
        }
    }

    fn render(&self, name: &str, context: &Context) -> Result<String, TemplateError> {
        self.tera
            .render(name, context)
            .map_err(|error| TemplateError::first(&error, |name| self.file_of(name)))
    }

    /// What to call a template: its path for one of the user's, a remark for
    /// one of ours.
    fn file_of(&self, name: &str) -> PathBuf {
        if self.own.contains(name) {
            self.folder.join(name)
        } else {
            PathBuf::from(format!("{name} (built in)"))
        }
    }

    /// Adds the user's templates; leaves out, one round at a time, those that
    /// do not compile, so that one run finds the faults of all.
    fn add_own(&mut self, mut files: BTreeMap<String, String>, problems: &mut Vec<Problem>) {
        let mut left_out: BTreeSet<String> = BTreeSet::new();
        self.own = files.keys().cloned().collect();
        while let Err(error) = self.tera.add_raw_templates(&files) {
            let faults = error::faults(&error);
            let names: Vec<String> = faults
                .iter()
                .filter_map(|fault| fault.template.clone())
                .filter(|name| files.contains_key(name))
                .collect();
            for fault in faults {
                // A template that was left out is missed by those that use
                // it; that is no fault of theirs.
                let is_echo = left_out.iter().any(|name| fault.names(name));
                if !is_echo {
                    problems.push(TemplateError::from_fault(fault, |n| self.file_of(n)).problem());
                }
            }
            if names.is_empty() {
                left_out.extend(std::mem::take(&mut files).into_keys());
                break;
            }
            for name in names {
                files.remove(&name);
                left_out.insert(name);
            }
        }
        self.own = files.into_keys().collect();
    }
}

/// The names that `{% for … in %}` and `{% set … = %}` of a template define.
fn locals(source: &str) -> Vec<String> {
    let tags = source.split("{%").skip(1);
    let names = tags.filter_map(|tag| {
        let mut words = tag.trim_start_matches('-').trim_start().splitn(2, ' ');
        let (keyword, rest) = (words.next()?, words.next()?);
        match keyword {
            "for" => rest.split_once(" in ").map(|(names, _)| names),
            "set" | "set_global" => Some(rest.split(['=', '%', '|']).next().unwrap_or(rest)),
            _ => None,
        }
    });
    names
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().trim_end_matches('-').trim().to_owned())
        .collect()
}

/// Reads every template of the folder, by name with `/`.
fn read_folder(
    folder: &Path,
    label: &Path,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    // Links are not followed: a template lies inside the folder.
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let file = error.path().unwrap_or(folder);
                let file = label.join(file.strip_prefix(folder).unwrap_or(file));
                let remedy = "make the file readable";
                problems.push(Problem::error(file, None, "cannot be read", remedy));
                continue;
            }
        };
        let Ok(relative) = entry.path().strip_prefix(folder) else {
            continue;
        };
        let is_template = relative.extension().is_some_and(|ext| {
            ["html", "txt", "css", "ftl"]
                .iter()
                .any(|known| ext == *known)
        });
        if entry.file_type().is_dir() || !is_template {
            continue;
        }
        match read_template(entry.path(), entry.file_type().is_symlink(), relative) {
            Ok((name, source)) => {
                files.insert(name, source);
            }
            Err((what, remedy)) => {
                problems.push(Problem::error(label.join(relative), None, what, remedy));
            }
        }
    }
    files
}

/// One template's name and source, or what is wrong and how to mend it.
fn read_template(
    path: &Path,
    is_link: bool,
    relative: &Path,
) -> Result<(String, String), (String, &'static str)> {
    if is_link {
        return Err((
            "is a symbolic link".to_owned(),
            "put the template itself into the folder",
        ));
    }
    let name: Option<Vec<&str>> = relative
        .iter()
        .map(|part| part.to_str().filter(|part| is_plain_name(part)))
        .collect();
    let name = name.map(|parts| parts.join("/")).ok_or((
        "has a name templates cannot have".to_owned(),
        "use lower-case letters, digits, `-` and `_`",
    ))?;
    let too_large = fs::metadata(path).is_ok_and(|meta| meta.len() > MOST_BYTES);
    if too_large {
        return Err((
            "is larger than 512 KB".to_owned(),
            "a template holds layout, not pictures or data",
        ));
    }
    let source = fs::read_to_string(path)
        .map_err(|error| (format!("cannot be read: {error}"), "save it as UTF-8 text"))?;
    Ok((name, source))
}

/// `[a-z0-9][a-z0-9_-]{0,63}`, with an extension where it is a file.
fn is_plain_name(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    (1..=64).contains(&stem.len())
        && !stem.starts_with(['-', '_'])
        && part.split('.').count() <= 2
        && part.split('.').all(plain)
}

#[cfg(test)]
mod tests;
