//! What the HTML part must be to survive mail clients: its size, its style
//! block, its pictures, tables and links.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    CLIPPED_AT, Finding, LARGEST_STYLE_BLOCK, Measure, Part, Rule, css, excerpt, looks::Looks,
    page::Page,
};
use crate::{domain::language::direction, mail::render::Rendered};

/// Filters take a picture with less HTML around it for an advertisement.
const HARDLY_MORE_THAN_A_PICTURE: usize = 3200;
/// A title longer than so many subjects costs points.
const TITLE_TO_SUBJECT: f64 = 3.5;
/// The width of a letter.
const WIDEST: f64 = 600.0;
/// The smallest type, in pixels.
const SMALLEST_TYPE: f64 = 14.0;
/// The lowest link that stands by itself, in pixels.
const LOWEST_TARGET: f64 = 44.0;

/// Finds what is wrong with the HTML part as a document.
pub(super) fn check(
    letter: &Rendered,
    measure: &Measure<'_>,
    page: &Page,
    looks: &Looks,
    found: &mut Vec<Finding>,
) {
    size(letter, measure, found);
    style_blocks(page, found);
    document(letter, page, found);
    pictures(letter, page, found);
    tables(page, found);
    type_sizes(page, looks, found);
    targets(page, looks, found);
}

fn size(letter: &Rendered, measure: &Measure<'_>, found: &mut Vec<Finding>) {
    let bytes = letter.html.len();
    let remedy = "carry fewer articles (`max_articles`), or summaries instead of full texts";
    let budget = measure.settings.size_budget;
    if bytes > budget {
        let what = format!("the HTML has {bytes} bytes, more than its budget of {budget}");
        found.push(Finding::error(Rule::Size, Part::Html, what, remedy));
    } else if bytes > CLIPPED_AT {
        // Whoever raised the budget knows.
        let what = format!("the HTML has {bytes} bytes, and Gmail cuts off after {CLIPPED_AT}");
        found.push(Finding::warning(Rule::Size, Part::Html, what, remedy));
    }
}

fn style_blocks(page: &Page, found: &mut Vec<Finding>) {
    for (index, element) in page.all("style") {
        let texts = page.texts.iter().filter(|text| text.parent == index);
        let css: String = texts.map(|text| text.text.as_str()).collect();
        let error = |what: String, remedy| {
            Finding::error(Rule::StyleBlock, Part::Html, what, remedy).at(element.line)
        };
        if css.len() > LARGEST_STYLE_BLOCK {
            found.push(error(
                format!(
                    "the style block has {} characters, and Gmail drops one of more than {LARGEST_STYLE_BLOCK}",
                    css.len()
                ),
                "make the rules inside `@media` fewer; all others are written into the elements",
            ));
        }
        for rule in css::at_rules(&css).iter().filter(|rule| rule.is_nested) {
            let what = format!(
                "another at-rule stands inside `@{} {}`, and Gmail drops the whole style block for it",
                rule.name, rule.question
            );
            found.push(error(what, "write both conditions into one `@media`"));
        }
    }
}

fn document(letter: &Rendered, page: &Page, found: &mut Vec<Finding>) {
    let warn =
        |what: &str, remedy: &str| Finding::warning(Rule::Document, Part::Html, what, remedy).at(1);
    let html = page.all("html").next().map(|(_, html)| html);
    let attribute = |name| {
        html.and_then(|html| html.attribute(name))
            .unwrap_or_default()
    };
    let language = attribute("lang");
    if language.is_empty() {
        found.push(warn(
            "`<html>` has no `lang`",
            "add `lang=\"{{ publication.language }}\"`, for screen readers and hyphenation",
        ));
    }
    match attribute("dir") {
        "" => found.push(warn(
            "`<html>` has no `dir`",
            "add `dir=\"{{ publication.dir }}\"`",
        )),
        dir if !language.is_empty() && dir != direction(language) => found.push(warn(
            &format!("`dir` is `{dir}`, and `{language}` is written the other way"),
            "use `dir=\"{{ publication.dir }}\"`",
        )),
        _ => {}
    }
    let is_viewport =
        |(_, meta): (usize, &super::page::Element)| meta.attribute("name") == Some("viewport");
    if !page.all("meta").any(is_viewport) {
        found.push(warn(
            "there is no `viewport`: phones show the letter small",
            "add `<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">`",
        ));
    }
    title(letter, page, found);
}

fn title(letter: &Rendered, page: &Page, found: &mut Vec<Finding>) {
    let Some((index, element)) = page.all("title").next() else {
        let what = "there is no `<title>`";
        let remedy = "add `<title>{{ issue.subject }}</title>`";
        found.push(Finding::warning(Rule::Document, Part::Html, what, remedy).at(1));
        return;
    };
    let letters = |text: &str| text.graphemes(true).count();
    let (title, subject) = (letters(&page.text_in(index)), letters(&letter.subject));
    #[expect(clippy::cast_precision_loss, reason = "nobody writes so long a title")]
    if title as f64 > subject as f64 * TITLE_TO_SUBJECT {
        let what = format!(
            "the `<title>` has {title} characters and the subject {subject}: spam filters mind"
        );
        let remedy = "use `<title>{{ issue.subject }}</title>`";
        found.push(Finding::warning(Rule::TitleLength, Part::Html, what, remedy).at(element.line));
    }
}

fn pictures(letter: &Rendered, page: &Page, found: &mut Vec<Finding>) {
    for (_, picture) in page.all("img") {
        let src = picture.attribute("src").unwrap_or_default();
        let warn = |rule, what: String, remedy: &str| {
            let finding = Finding::warning(rule, Part::Html, what, remedy);
            finding.at(picture.line).about(src)
        };
        if picture.attribute("alt").is_none() {
            found.push(warn(
                Rule::Alt,
                format!("the picture `{}` has no `alt`", excerpt(src)),
                "say what it shows, or `alt=\"\"` where it only decorates",
            ));
        }
        let is_whole = |name| {
            let value = picture.attribute(name).unwrap_or_default();
            value.parse::<u32>().is_ok_and(|number| number > 0)
        };
        if !is_whole("width") || !is_whole("height") {
            found.push(warn(
                Rule::PictureSize,
                format!(
                    "the picture `{}` has no whole `width` and `height`",
                    excerpt(src)
                ),
                "give both as numbers without a unit: Outlook knows no others",
            ));
        }
    }
    let bytes = letter.html.len();
    if page.all("img").next().is_some() && bytes < HARDLY_MORE_THAN_A_PICTURE {
        let what = format!(
            "a picture with {bytes} bytes of HTML around it: spam filters take it for an advertisement"
        );
        let remedy = "write more words than pictures, or leave the picture out";
        found.push(Finding::warning(
            Rule::PictureOnly,
            Part::Html,
            what,
            remedy,
        ));
    }
}

fn tables(page: &Page, found: &mut Vec<Finding>) {
    for (index, table) in page.all("table") {
        let holds_data = page
            .all("th")
            .any(|(th, _)| page.around(th).any(|one| one == index));
        let role = table.attribute("role").unwrap_or_default();
        if !holds_data && !matches!(role, "presentation" | "none") {
            let what = "a table for layout is read out as one of data";
            let remedy = "add `role=\"presentation\"`, or `<th>` where it holds data";
            found.push(Finding::warning(Rule::TableRole, Part::Html, what, remedy).at(table.line));
        }
    }
    for element in &page.elements {
        let attribute = element
            .attribute("width")
            .and_then(|width| width.parse().ok());
        let style = element.attribute("style").unwrap_or_default();
        let declared = css::declarations(style).into_iter();
        let mut widths =
            declared.filter(|(name, _)| matches!(name.as_str(), "width" | "min-width"));
        let declared = widths.find_map(|(_, value)| css::pixels(&value));
        if let Some(width) = attribute.or(declared).filter(|width| *width > WIDEST) {
            let what = format!(
                "`<{}>` is {width} pixels wide, and a letter {WIDEST}",
                element.name
            );
            let remedy = "use `width=\"100%\"` with `max-width:600px`";
            found.push(Finding::warning(Rule::Width, Part::Html, what, remedy).at(element.line));
        }
    }
}

fn type_sizes(page: &Page, looks: &Looks, found: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for text in &page.texts {
        let look = looks.of_element(text.parent);
        let is_small = look.font_size < SMALLEST_TYPE && !text.text.trim().is_empty();
        // Tenths of a pixel tell sizes apart.
        #[expect(clippy::cast_possible_truncation, reason = "a size in pixels is small")]
        if is_small && !look.is_hidden && told.insert((look.font_size * 10.0) as i64) {
            let what = format!(
                "`{}` is set in {} pixels",
                excerpt(&text.text),
                look.font_size
            );
            let remedy = format!("use at least {SMALLEST_TYPE}");
            found.push(Finding::warning(Rule::TypeSize, Part::Html, what, remedy).at(text.line));
        }
    }
}

/// Links that stand by themselves are buttons for fingers; those within a
/// sentence are as high as its lines (WCAG 2.2, 2.5.8).
fn targets(page: &Page, looks: &Looks, found: &mut Vec<Finding>) {
    for (index, link) in page.all("a") {
        let Some(href) = link.attribute("href") else {
            continue;
        };
        let text = page.text_in(index);
        let look = looks.of_element(index);
        if text.is_empty() || look.is_hidden {
            continue;
        }
        let warn = |rule, what: String, remedy: &str| {
            let finding = Finding::warning(rule, Part::Html, what, remedy);
            finding.at(link.line).about(href)
        };
        if !look.has_colour {
            found.push(warn(
                Rule::LinkColour,
                format!(
                    "the link `{}` has no colour: clients make it blue",
                    excerpt(&text)
                ),
                "give every link a `color`",
            ));
        }
        let block = page.block_of(index);
        // A headline is as high as its letters make it, on as many lines as it
        // takes.
        let is_headline = page.elements[block].name.starts_with('h');
        let stands_alone = page.text_in(block) == text && !is_headline;
        let height = height(page, looks, index);
        if stands_alone && height < LOWEST_TARGET {
            found.push(warn(
                Rule::TapTarget,
                format!("the link `{}` is {height:.0} pixels high", excerpt(&text)),
                "add padding above and below until it is 44 pixels high, for fingers",
            ));
        }
    }
}

/// How high a link is: with what stands inside it, and how many lines it must
/// have is not known.
fn height(page: &Page, looks: &Looks, index: usize) -> f64 {
    let inside = page.elements.iter().enumerate().skip(index);
    let inside = inside.filter(|(at, _)| page.around(*at).any(|one| one == index));
    let heights = inside.map(|(at, _)| looks.of_element(at).height());
    heights.fold(0.0, f64::max)
}
