//! What an article is about, in a line of plain text.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::{
    content::file::scan::{is_more, options},
    domain::text::{cut, many_lines, one_line},
};

/// Most characters of a summary.
const MOST_CHARS: usize = 400;

/// The standfirst, else the text before `<!-- more -->`, else the first
/// paragraph.
pub(super) fn of(standfirst: Option<&str>, markdown: &str, smart_punctuation: bool) -> String {
    let summary = match standfirst {
        Some(standfirst) => one_line(standfirst),
        None => {
            let markdown = many_lines(markdown);
            let events = Parser::new_ext(&markdown, options(smart_punctuation));
            // Most articles have no such mark, and then the parser need not
            // go further than the first paragraph.
            if markdown.contains("<!--") {
                let events: Vec<_> = events.collect();
                match teaser(&events) {
                    Some(teaser) => plain(&teaser),
                    None => first_paragraph(events.into_iter()),
                }
            } else {
                first_paragraph(events)
            }
        }
    };
    cut(&summary, MOST_CHARS)
}

/// Events before `<!-- more -->`, with what is open there closed. Footnotes
/// stay with the article.
pub(super) fn teaser<'a>(events: &[Event<'a>]) -> Option<Vec<Event<'a>>> {
    let mut open: Vec<TagEnd> = Vec::new();
    let mut before = Vec::new();
    for event in events {
        match event {
            Event::Html(html) | Event::InlineHtml(html) if is_more(html) => {
                before.extend(open.into_iter().rev().map(Event::End));
                return Some(before);
            }
            Event::Start(tag) => open.push(tag.to_end()),
            Event::End(_) => {
                open.pop();
            }
            _ => {}
        }
        before.push(event.clone());
    }
    None
}

/// The text of events in one line: no pictures, code blocks, notes or raw HTML.
fn plain<'e, 'a: 'e>(events: impl IntoIterator<Item = &'e Event<'a>>) -> String {
    let mut text = String::new();
    let mut hidden = 0usize;
    for event in events {
        match event {
            Event::Start(tag) if is_hidden(&tag.to_end()) => hidden += 1,
            Event::End(end) if is_hidden(end) => hidden = hidden.saturating_sub(1),
            _ if hidden > 0 => {}
            Event::Text(part) | Event::Code(part) => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell,
            ) => {
                text.push(' ');
            }
            _ => {}
        }
    }
    one_line(&text)
}

fn is_hidden(end: &TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Image | TagEnd::CodeBlock | TagEnd::FootnoteDefinition | TagEnd::HtmlBlock
    )
}

/// The first paragraph that says something.
fn first_paragraph<'a>(mut events: impl Iterator<Item = Event<'a>>) -> String {
    while events.any(|event| matches!(event, Event::Start(Tag::Paragraph))) {
        let inside: Vec<_> = events
            .by_ref()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Paragraph)))
            .collect();
        let text = plain(&inside);
        if !text.is_empty() {
            return text;
        }
    }
    String::new()
}
