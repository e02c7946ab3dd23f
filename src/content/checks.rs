//! What the text of an article refers to, checked against what there is.

use url::Url;

use crate::{
    content::{
        file::scan::{MOST_BYTES, MOST_DEPTH, PictureRef, Scan},
        pictures::{self, Beside},
        site::{Lead, anchor_key},
    },
    domain::{
        problem::Problem,
        text::{cut, one_line},
    },
};

/// Share of equal letters from which one file name is taken for another.
const LIKELY: f64 = 0.75;

/// What the checks of one article found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    /// Files that the text refers to, by path in the content folder.
    pub(super) files: Vec<String>,
    /// Where its links and pictures lead, in their order.
    pub(super) places: Vec<Option<Url>>,
}

/// The article's text, as it was scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) scan: &'a Scan,
    /// Line of the file on which the Markdown begins.
    pub(super) first_line: u32,
    /// A draft may link to drafts.
    pub(super) is_held_back: bool,
}

/// Size and depth: what is beyond them is never rendered.
pub(super) fn limits(source: &std::path::Path, markdown: &str, scan: &Scan) -> Option<Problem> {
    if markdown.len() > MOST_BYTES {
        return Some(Problem::error(
            source,
            None,
            format!(
                "the article has {} KB; at most {} are published",
                markdown.len() / 1024,
                MOST_BYTES / 1024
            ),
            "split it, or move tables and code into files of their own",
        ));
    }
    (scan.depth > MOST_DEPTH).then(|| {
        Problem::error(
            source,
            None,
            format!(
                "quotes, lists or HTML are nested {} deep; at most {MOST_DEPTH} are published",
                scan.depth
            ),
            "close what was opened, or nest less",
        )
    })
}

/// Checks every link, picture and shortcode of one article.
pub(super) fn text(text: Text<'_>, beside: Beside<'_>) -> Findings {
    let mut findings = Findings::default();
    for (raw, line) in &text.scan.links {
        link(raw, text.first_line + line, text, beside, &mut findings);
    }
    for reference in &text.scan.pictures {
        picture(
            reference,
            text.first_line + reference.line,
            beside,
            &mut findings,
        );
    }
    for (name, line) in &text.scan.shortcodes {
        findings.problems.push(Problem::warning(
            beside.source,
            text.first_line + line,
            format!("unknown shortcode `{name}`, shown as text"),
            "write Markdown or HTML instead, or put it in backquotes",
        ));
    }
    findings
}

fn link(raw: &str, line: u32, text: Text<'_>, beside: Beside<'_>, findings: &mut Findings) {
    let followed = beside.site.follow(beside.origin, raw);
    findings.places.push(followed.url);
    let shown = cut(&one_line(raw), 100);
    let mut warn = |what: String, remedy: &str| {
        findings
            .problems
            .push(Problem::warning(beside.source, line, what, remedy));
    };
    match followed.lead {
        Lead::Away | Lead::Mail | Lead::OnSite => {}
        Lead::File(file) => findings.files.push(file),
        Lead::Page(file) => {
            let Some(page) = beside.site.pages.get(&file) else {
                return;
            };
            if page.is_held_back && !text.is_held_back {
                warn(
                    format!("the link `{shown}` leads to an article that is not published"),
                    "publish that one first, or remove the link",
                );
            }
            let fragment = raw
                .split_once('#')
                .map(|(_, fragment)| anchor_key(fragment));
            if let Some(anchor) = fragment
                && !anchor.is_empty()
                && anchor != "top"
                && !page.has_pictograms
                && page.anchors.get(&anchor).is_none()
            {
                warn(
                    format!("the link `{shown}` names a heading that `{file}` does not have"),
                    "correct what follows `#`",
                );
            }
        }
        Lead::NoSuchPage(file) => {
            let name = file.rsplit('/').next().unwrap_or(&file);
            let remedy = match nearest(name, beside) {
                Some(near) => format!("did you mean `@/{near}`?"),
                None => {
                    "correct the path; it is relative to this file, or `@/` to the content folder"
                        .to_owned()
                }
            };
            let what = format!("the link `{shown}` leads to no article");
            findings
                .problems
                .push(Problem::error(beside.source, line, what, remedy).at(beside.missing));
        }
        Lead::Nowhere { is_relative: true } if looks_like_a_host(raw) => warn(
            format!("the link `{shown}` leads into this site"),
            "begin it with `https://` if it names another site",
        ),
        Lead::Nowhere { .. } => warn(
            format!("the link `{shown}` leads to no article, section, alias or file of this site"),
            "correct it; if another program serves that page, all is well",
        ),
        Lead::Scheme(scheme) => warn(
            format!("the link `{shown}` begins with `{scheme}:` and is not published"),
            "link to an http, https or mailto address",
        ),
        Lead::Nonsense => warn(
            format!("the link `{shown}` is no address and is not published"),
            "write it as a browser shows it",
        ),
    }
}

/// `github.com/x` and `www.example.org`, where a scheme was forgotten.
fn looks_like_a_host(raw: &str) -> bool {
    let host = raw.split('/').next().unwrap_or(raw);
    let is_dotted = host.len() < raw.len() && !host.starts_with('.') && host.contains('.');
    is_dotted || host.starts_with("www.")
}

/// A Markdown file of this name elsewhere, or of nearly this name.
fn nearest<'a>(name: &str, beside: Beside<'a>) -> Option<&'a str> {
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let pages = beside.site.pages.keys().map(String::as_str);
    pages
        .filter(|path| *path != beside.origin.file)
        .map(|path| {
            (
                strsim::normalized_damerau_levenshtein(name, &file_name(path)),
                path,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKELY)
        // Between equals the first by name, so that every run says the same.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, path)| path)
}

fn picture(reference: &PictureRef, line: u32, beside: Beside<'_>, findings: &mut Findings) {
    let followed = beside.site.follow(beside.origin, &reference.src);
    findings.places.push(followed.url);
    let shown = cut(&one_line(&reference.src), 100);
    let problems = &mut findings.problems;
    if !reference.has_alt {
        problems.push(Problem::warning(
            beside.source,
            line,
            format!("the picture `{shown}` has no alternative text"),
            "say what it shows: `![what it shows](file)`",
        ));
    }
    match followed.lead {
        Lead::Away => {}
        Lead::File(file) => match beside.measures.measure(&file) {
            Ok(_) => findings.files.push(file),
            Err(error) => problems.push(pictures::no_picture(beside.source, line, &shown, &error)),
        },
        // Another program may serve what is named by its place on the site.
        Lead::OnSite | Lead::Nowhere { is_relative: false } => problems.push(Problem::warning(
            beside.source,
            line,
            format!("the picture `{shown}` is not in the content folder"),
            "put it there; if another program serves it, all is well",
        )),
        Lead::Scheme(scheme) => problems.push(Problem::warning(
            beside.source,
            line,
            format!("a picture begins with `{scheme}:` and is not published"),
            "put the picture in a file beside the article",
        )),
        Lead::Nowhere { is_relative: true }
        | Lead::Page(_)
        | Lead::NoSuchPage(_)
        | Lead::Mail
        | Lead::Nonsense => problems.push(pictures::missing(beside, line, &shown)),
    }
}
