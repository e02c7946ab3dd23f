//! The opening of an article: its first paragraphs, for the lead of an issue.

use std::collections::HashSet;

use ammonia::Builder;

use crate::domain::article::{Body, SafeHtml};

/// The first paragraphs of an article, as HTML and as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    /// Paragraphs with emphasis only: no links, pictures or footnote marks,
    /// which belong to the whole article.
    pub(super) html: SafeHtml,
    /// The same words.
    pub(super) text: String,
}

/// Paragraphs are added while the opening is shorter than this.
const ENOUGH_CHARACTERS: usize = 240;

/// The opening of `body`: what stands before `<!-- more -->` if the article
/// has that mark, else its first paragraph, or two when the first is short.
/// `None` when the article begins with anything but a paragraph.
pub(super) fn opening(body: &Body) -> Option<Opening> {
    let source = body.summary_html.as_ref().unwrap_or(&body.html).as_str();
    let mut html = Vec::new();
    let mut text: Vec<String> = Vec::new();
    let mut rest = source.trim_start();
    while text.iter().map(|p| p.chars().count()).sum::<usize>() < ENOUGH_CHARACTERS {
        let Some((paragraph, after)) = first_paragraph(rest) else {
            break;
        };
        let words = plain(paragraph);
        if words.is_empty() {
            break;
        }
        html.push(emphasis_only(paragraph));
        text.push(words);
        rest = after.trim_start();
    }
    (!text.is_empty()).then(|| Opening {
        html: SafeHtml::from_sanitiser(html.join("\n")),
        text: text.join("\n\n"),
    })
}

/// The paragraph `html` begins with, and what follows. Paragraphs do not
/// nest; the slice is sanitised again before anyone sees it.
fn first_paragraph(html: &str) -> Option<(&str, &str)> {
    let opens = html.starts_with("<p>") || html.starts_with("<p ");
    let end = html.find("</p>").filter(|_| opens)? + "</p>".len();
    Some(html.split_at(end))
}

fn emphasis_only(html: &str) -> String {
    Builder::empty()
        .tags(HashSet::from(["p", "em", "strong", "b", "i", "q", "cite"]))
        .clean_content_tags(HashSet::from(["sup"]))
        .clean(html)
        .to_string()
}

/// The words alone. The cleaner escapes exactly these four in text.
fn plain(html: &str) -> String {
    let escaped = Builder::empty()
        .clean_content_tags(HashSet::from(["sup"]))
        .clean(html)
        .to_string();
    let text = escaped
        .replace("&nbsp;", "\u{a0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(html: &str) -> Body {
        Body {
            html: SafeHtml::from_sanitiser(html.to_owned()),
            ..Body::default()
        }
    }

    #[test]
    fn an_opening_is_the_first_paragraph_without_its_links() {
        let long = "word ".repeat(60);
        let opening = opening(&body(&format!(
            "<p>See <a href=\"https://example.org/\" title=\"a>b\">this</a> &amp; <em>that</em><sup>1</sup> {long}</p>\n<p>No.</p>"
        )))
        .unwrap();
        assert!(
            opening
                .html
                .as_str()
                .starts_with("<p>See this &amp; <em>that</em> word")
        );
        assert!(opening.text.starts_with("See this & that word"));
        assert!(!opening.text.contains("No."));
    }

    #[test]
    fn a_short_first_paragraph_takes_the_second_along() {
        let opening = opening(&body(
            "<p>Short.</p>\n<p>Second.</p><h2>Head</h2><p>Third</p>",
        ));
        assert_eq!(opening.unwrap().text, "Short.\n\nSecond.");
    }

    #[test]
    fn an_article_that_begins_with_a_picture_or_heading_has_no_opening() {
        assert_eq!(opening(&body("<h2>Head</h2><p>Text</p>")), None);
        assert_eq!(opening(&body("<p><img src=\"x\"></p><p>Text</p>")), None);
        assert_eq!(opening(&body("")), None);
    }
}
