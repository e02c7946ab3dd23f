//! The preview's own pages: templates inside the binary that no publication can
//! change, and what all of them show.

use std::{error::Error, fmt::Write as _, path::Path, sync::LazyLock};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use tera::{Context, Tera};

use super::{super::talk::count, proof::Proof, routes::HOME, site, views::inbox};
use crate::{
    content::is_markdown,
    domain::problem::Problem,
    web::{self, Answer, Trust},
};

/// The file of the preview's style sheet.
pub(super) const STYLE: &str = "style.css";

/// The templates, by name.
const TEMPLATES: [(&str, &str); 24] = [
    ("base.html", include_str!("ui/base.html")),
    ("parts/code.html", include_str!("ui/parts/code.html")),
    (
        "parts/enclosure.html",
        include_str!("ui/parts/enclosure.html"),
    ),
    ("parts/facts.html", include_str!("ui/parts/facts.html")),
    (
        "parts/findings.html",
        include_str!("ui/parts/findings.html"),
    ),
    ("parts/frames.html", include_str!("ui/parts/frames.html")),
    ("parts/issue.html", include_str!("ui/parts/issue.html")),
    ("parts/plot.html", include_str!("ui/parts/plot.html")),
    ("parts/rows.html", include_str!("ui/parts/rows.html")),
    ("parts/tabs.html", include_str!("ui/parts/tabs.html")),
    ("overview.html", include_str!("ui/overview.html")),
    ("articles.html", include_str!("ui/articles.html")),
    ("article.html", include_str!("ui/article.html")),
    ("feeds.html", include_str!("ui/feeds.html")),
    ("feed.html", include_str!("ui/feed.html")),
    ("issue.html", include_str!("ui/issue.html")),
    ("issues.html", include_str!("ui/issues.html")),
    ("readers.html", include_str!("ui/readers.html")),
    ("inbox.html", include_str!("ui/inbox.html")),
    ("message.html", include_str!("ui/message.html")),
    ("sent.html", include_str!("ui/sent.html")),
    ("site.html", include_str!("ui/site.html")),
    ("file.html", include_str!("ui/file.html")),
    ("trouble.html", include_str!("ui/trouble.html")),
];

static TERA: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.add_raw_templates(TEMPLATES)
        .expect("the preview's templates compile: a test renders them");
    tera
});

/// A part of the preview, as its menu names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    Overview,
    Articles,
    Feeds,
    Issues,
    Readers,
    Inbox,
    Site,
}

/// One finding, ready to print.
#[derive(Serialize)]
pub(super) struct Finding {
    level: String,
    place: String,
    /// Where its line can be read.
    url: Option<String>,
    line: Option<u32>,
    what: String,
    remedy: String,
}

impl Finding {
    /// A finding with the address of its line.
    pub(super) fn of(proof: &Proof, problem: &Problem) -> Self {
        let file = problem.file.display();
        let place = match problem.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_string(),
        };
        Self {
            level: problem.level.to_string(),
            place,
            url: file_url(proof, &problem.file, problem.line),
            line: problem.line,
            what: problem.what.clone(),
            remedy: problem.remedy.clone(),
        }
    }

    /// The same finding, read at another address.
    pub(super) fn read_at(self, url: String) -> Self {
        Self {
            url: Some(url),
            ..self
        }
    }

    /// Findings in their order.
    pub(super) fn all<'p>(
        proof: &Proof,
        problems: impl IntoIterator<Item = &'p Problem>,
    ) -> Vec<Self> {
        let of = |problem| Self::of(proof, problem);
        problems.into_iter().map(of).collect()
    }
}

/// Where a file of the publication can be read in the preview, if it is one.
fn file_url(proof: &Proof, file: &Path, line: Option<u32>) -> Option<String> {
    let config = &proof.press.config;
    let is_source = file.starts_with(&config.content_dir);
    if !config.root.join(file).is_file() || file.is_absolute() {
        return None;
    }
    let mut url = if is_source && is_markdown(file) {
        format!("{}?view=source", address("article", file))
    } else {
        address("file", file)
    };
    if let Some(line) = line {
        // Writing to a string does not fail.
        let _ = write!(url, "#L{line}");
    }
    Some(url)
}

/// Characters that mean something else in a path.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?');

/// The address of a page of the preview about a file.
pub(super) fn address(kind: &str, file: &Path) -> String {
    let file = file.to_string_lossy().replace('\\', "/");
    format!("{HOME}{kind}/{}", utf8_percent_encode(&file, ESCAPED))
}

/// What every page shows around its own.
#[derive(Serialize)]
struct Shell<'a> {
    title: &'a str,
    publication: &'a str,
    place: Option<Place>,
    errors: usize,
    health: String,
    stale_since: Option<String>,
    /// Whether messages become files here.
    has_inbox: bool,
    /// What forms hold.
    token: &'a str,
    script: String,
}

/// A page from its template; the template knows `view` as `own`.
pub(super) fn page(
    proof: &Proof,
    template: &str,
    (place, title): (Option<Place>, &str),
    own: &impl Serialize,
) -> Answer {
    let publication = &proof.press.config.publication;
    let errors = proof.errors();
    let warnings = proof.problems.len() - errors;
    let health = match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, _) => count(warnings, "warning"),
        (_, 0) => count(errors, "error"),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let since = |at: chrono::DateTime<chrono::Utc>| {
        let at = at.with_timezone(&publication.timezone);
        at.format("%H:%M").to_string()
    };
    let shell = Shell {
        title,
        publication: &publication.title,
        place,
        errors,
        health,
        stale_since: proof.stale_since.map(since),
        has_inbox: inbox::folder(proof).is_some(),
        token: proof.token(),
        script: web::script(&proof.version()),
    };
    let mut context = Context::new();
    context.insert("shell", &shell);
    context.insert("view", own);
    match TERA.render(template, &context) {
        Ok(html) => Answer::of("text/html; charset=utf-8", Trust::Own, html),
        Err(error) => {
            let text = format!("internal error; please report it\n{error}\n");
            Answer::of("text/plain; charset=utf-8", Trust::File, text).status(500)
        }
    }
}

/// The style sheet of the preview.
pub(super) fn style() -> Answer {
    let style = include_str!("ui/style.css");
    Answer::of("text/css; charset=utf-8", Trust::File, style)
}

/// What a page of trouble says.
#[derive(Serialize)]
struct Trouble {
    heading: String,
    what: Option<String>,
    findings: Vec<Finding>,
}

/// Nothing is at this address.
pub(super) fn not_here(proof: &Proof, why: &str) -> Answer {
    let trouble = Trouble {
        heading: "Nothing is here".to_owned(),
        what: Some(why.to_owned()),
        findings: Vec::new(),
    };
    page(proof, "trouble.html", (None, "Nothing is here"), &trouble).status(404)
}

/// Something cannot be shown until a file is mended; then the page reloads.
pub(super) fn broken(proof: &Proof, error: &dyn Error, problem: Option<&Problem>) -> Answer {
    let said = site::internal(&error.to_string());
    let trouble = Trouble {
        heading: "This cannot be shown yet".to_owned(),
        what: None,
        findings: vec![Finding::of(proof, problem.unwrap_or(&said))],
    };
    page(proof, "trouble.html", (None, "Trouble"), &trouble).status(500)
}

/// `17 bytes`, `1.2 kB`, `34 kB`: thousands, as mail and feed limits are stated.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => count(bytes, "byte"),
        1000..10_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        10_000..1_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_of_the_preview_compiles() {
        let names: Vec<&str> = TERA.get_template_names().collect();
        assert_eq!(names.len(), TEMPLATES.len());
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (1, "1 byte"),
            (999, "999 bytes"),
            (1234, "1.2 kB"),
            (102_400, "102 kB"),
            (2_345_678, "2.3 MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
