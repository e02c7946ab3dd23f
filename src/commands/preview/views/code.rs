//! Source text with numbered lines: problems stand below the line they are
//! about, and tags, names and strings of XML and JSON have colours.

use std::{fs, path::Path};

use serde::Serialize;

use super::super::{
    proof::Proof,
    ui::{self, Finding},
};
use crate::{domain::problem::Problem, web::Answer};

/// Nobody reads on after so much; the rest is left out.
const MOST_BYTES: usize = 400_000;

/// One line.
#[derive(Serialize)]
pub(super) struct Line {
    number: u32,
    /// Escaped, with spans.
    html: String,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct View {
    name: String,
    findings: Vec<Finding>,
    lines: Vec<Line>,
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Plain,
    Xml,
    Json,
}

/// A file that a problem is about. Others are nobody's business here: a
/// publication's folder holds its list of readers, too.
pub(in super::super) fn show_file(proof: &Proof, file: &Path) -> Answer {
    let problems = problems_of(proof, file);
    let lines = match problems.as_slice() {
        [] => None,
        _ => read(proof, file),
    };
    let Some(lines) = lines else {
        return ui::not_here(proof, "no problem is known in a file of this name");
    };
    let nowhere = problems.iter().filter(|problem| problem.line.is_none());
    let view = View {
        name: file.display().to_string(),
        findings: Finding::all(proof, nowhere.copied()),
        lines,
    };
    let name = view.name.clone();
    ui::page(proof, "file.html", (None, &name), &view)
}

/// The lines of a file of the publication, with its problems.
pub(super) fn read(proof: &Proof, file: &Path) -> Option<Vec<Line>> {
    let root = fs::canonicalize(&proof.press.config.root).ok()?;
    let place = fs::canonicalize(root.join(file)).ok()?;
    if !place.starts_with(&root) || !place.is_file() {
        return None;
    }
    let text = String::from_utf8_lossy(&fs::read(place).ok()?).into_owned();
    let mut lines = lines(&text, Language::Plain);
    for problem in problems_of(proof, file) {
        let at = problem.line.map(|line| line.saturating_sub(1) as usize);
        if let Some(line) = at.and_then(|at| lines.get_mut(at)) {
            line.findings.push(Finding::of(proof, problem));
        }
    }
    Some(lines)
}

/// The problems of a file: what was wrong when it was read, and what the letter
/// made of it breaks.
fn problems_of<'p>(proof: &'p Proof, file: &Path) -> Vec<&'p Problem> {
    let mut problems = proof.problems_of(file);
    problems.extend(proof.letter_problems_of(file));
    problems
}

/// Puts a finding below its line; gives it back where there is no such line.
pub(super) fn mark(lines: &mut [Line], line: Option<u32>, finding: Finding) -> Option<Finding> {
    let at = line.map(|line| line.saturating_sub(1) as usize);
    match at.and_then(|at| lines.get_mut(at)) {
        Some(line) => {
            line.findings.push(finding);
            None
        }
        None => Some(finding),
    }
}

/// The lines of a text.
pub(super) fn lines(text: &str, language: Language) -> Vec<Line> {
    let end = (0..=MOST_BYTES.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    let mut lines = Vec::new();
    let mut html = String::new();
    let mut push = |html: &mut String| {
        lines.push(Line {
            number: u32::try_from(lines.len() + 1).unwrap_or(u32::MAX),
            html: std::mem::take(html),
            findings: Vec::new(),
        });
    };
    for (class, token) in tokens(&text[..end], language) {
        for (at, part) in token.split('\n').enumerate() {
            if at > 0 {
                push(&mut html);
            }
            add(&mut html, class, part);
        }
    }
    if !html.is_empty() {
        push(&mut html);
    }
    if end < text.len() {
        let mut rest = String::new();
        add(
            &mut rest,
            Some("c"),
            "… and more; the file itself has everything",
        );
        push(&mut rest);
    }
    lines
}

fn add(html: &mut String, class: Option<&'static str>, text: &str) {
    if text.is_empty() {
        return;
    }
    let escaped = quick_xml::escape::partial_escape(text).replace('\r', "");
    match class {
        None => html.push_str(&escaped),
        Some(class) => {
            html.push_str("<span class=\"");
            html.push_str(class);
            html.push_str("\">");
            html.push_str(&escaped);
            html.push_str("</span>");
        }
    }
}

type Token<'a> = (Option<&'static str>, &'a str);

fn tokens(text: &str, language: Language) -> Vec<Token<'_>> {
    match language {
        Language::Plain => vec![(None, text)],
        Language::Xml => xml(text),
        Language::Json => json(text),
    }
}

/// Tags (`t`), attribute values (`s`), comments and declarations (`c`).
fn xml(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        tokens.push((None, before));
        let whole = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        let special = whole.iter().find(|(open, _)| tag.starts_with(open));
        let closer = special.map_or(">", |(_, close)| close);
        let end = tag.find(closer).map_or(tag.len(), |at| at + closer.len());
        let (tag, after) = tag.split_at(end);
        match special {
            Some(_) => tokens.push((Some("c"), tag)),
            None => attributes(tag, &mut tokens),
        }
        rest = after;
    }
    tokens.push((None, rest));
    tokens
}

fn attributes<'a>(tag: &'a str, tokens: &mut Vec<Token<'a>>) {
    for (at, part) in tag.split_inclusive('"').enumerate() {
        // What stands between quotes is every second part.
        if at % 2 == 0 {
            match part.strip_suffix('"') {
                Some(name) => {
                    tokens.push((Some("t"), name));
                    tokens.push((Some("s"), &part[name.len()..]));
                }
                None => tokens.push((Some("t"), part)),
            }
        } else {
            tokens.push((Some("s"), part));
        }
    }
}

/// Names (`t`) and other strings (`s`).
fn json(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, string) = rest.split_at(at);
        tokens.push((None, before));
        let mut is_escaped = false;
        let end = string.char_indices().skip(1).find(|&(_, c)| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let end = end.map_or(string.len(), |(at, _)| at + 1);
        let (string, after) = string.split_at(end);
        let is_name = after.trim_start().starts_with(':');
        tokens.push((Some(if is_name { "t" } else { "s" }), string));
        rest = after;
    }
    tokens.push((None, rest));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str, language: Language) -> Vec<String> {
        lines(text, language)
            .into_iter()
            .map(|line| line.html)
            .collect()
    }

    #[test]
    fn a_text_keeps_its_lines_and_cannot_be_markup() {
        assert_eq!(
            html("a <b>\r\n\n&", Language::Plain),
            ["a &lt;b&gt;", "", "&amp;"]
        );
    }

    #[test]
    fn xml_and_json_have_colours_on_every_line() {
        assert_eq!(
            html("<a b=\"1\n2\">x</a><!-- y -->", Language::Xml),
            [
                "<span class=\"t\">&lt;a b=</span><span class=\"s\">\"</span><span class=\"s\">1</span>",
                "<span class=\"s\">2\"</span><span class=\"t\">&gt;</span>x\
                 <span class=\"t\">&lt;/a&gt;</span><span class=\"c\">&lt;!-- y --&gt;</span>",
            ]
        );
        assert_eq!(
            html(r#"{"a": "b\"c"}"#, Language::Json),
            [r#"{<span class="t">"a"</span>: <span class="s">"b\"c"</span>}"#]
        );
    }
}
