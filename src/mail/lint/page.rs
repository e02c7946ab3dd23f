//! The HTML of a finished letter as elements and texts with their lines. It
//! comes from a serialiser, so every element that opens is closed again.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

/// Elements that have no end tag (HTML, 13.1.2).
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];
/// Elements that stand within a line of text.
const INLINE: [&str; 18] = [
    "a", "abbr", "b", "br", "code", "del", "em", "font", "i", "img", "ins", "mark", "s", "small",
    "span", "strong", "sub", "sup",
];

/// A letter's document.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// In the order of their start tags.
    pub(super) elements: Vec<Element>,
    /// Texts that a reader may see, and those in `title` and `style`.
    pub(super) texts: Vec<Text>,
}

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    /// Index of the element around it.
    pub(super) parent: Option<usize>,
    /// 1-based line of its start tag.
    pub(super) line: u32,
}

/// Text between tags.
#[derive(Debug)]
pub(super) struct Text {
    /// Index of the element around it.
    pub(super) parent: usize,
    pub(super) text: String,
    pub(super) line: u32,
}

impl Element {
    /// The value of an attribute, if it is there.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Page {
    /// Reads a document.
    pub(super) fn read(html: &str) -> Self {
        let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        // The only interruption is a script to run, which nobody here does.
        while !input.is_empty() {
            let _ = tokenizer.feed(&input);
        }
        tokenizer.end();
        tokenizer.sink.state.into_inner().page
    }

    /// Elements of this name.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = (usize, &'p Element)> {
        let elements = self.elements.iter().enumerate();
        elements.filter(move |(_, element)| element.name == name)
    }

    /// The element and those around it, outwards.
    pub(super) fn around(&self, index: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(index), |at| self.elements[*at].parent)
    }

    /// The text inside an element, its spaces as a browser shows them.
    pub(super) fn text_in(&self, index: usize) -> String {
        let mut words = Vec::new();
        for text in &self.texts {
            if self.around(text.parent).any(|one| one == index) {
                words.extend(text.text.split_whitespace());
            }
        }
        words.join(" ")
    }

    /// The nearest element around this one that begins a line of its own.
    pub(super) fn block_of(&self, index: usize) -> usize {
        let is_block = |at: &usize| !INLINE.contains(&self.elements[*at].name.as_str());
        self.around(index).find(is_block).unwrap_or(index)
    }
}

#[derive(Default)]
struct State {
    page: Page,
    /// Elements that are open, outermost first.
    open: Vec<usize>,
    /// How many elements there were when the last text began.
    elements_before_text: usize,
}

#[derive(Default)]
struct Reader {
    state: RefCell<State>,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                return state.start(&tag, line);
            }
            Token::TagToken(tag) => state.end(&tag.name),
            Token::CharacterTokens(text) => state.text(&text, line),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn start(&mut self, tag: &Tag, line: u32) -> TokenSinkResult<()> {
        let name = tag.name.to_string();
        let attributes = tag.attrs.iter();
        let attributes = attributes.map(|one| (one.name.local.to_string(), one.value.to_string()));
        let index = self.page.elements.len();
        self.page.elements.push(Element {
            attributes: attributes.collect(),
            parent: self.open.last().copied(),
            line,
            name,
        });
        let name = self.page.elements[index].name.as_str();
        if !VOID.contains(&name) {
            self.open.push(index);
        }
        match name {
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            _ => TokenSinkResult::Continue,
        }
    }

    fn end(&mut self, name: &str) {
        let elements = &self.page.elements;
        let at = self.open.iter().rposition(|at| elements[*at].name == name);
        if let Some(at) = at {
            self.open.truncate(at);
        }
    }

    /// Adds to the text before, which the tokenizer cuts where it likes.
    fn text(&mut self, text: &str, line: u32) {
        let Some(&parent) = self.open.last() else {
            return;
        };
        let elements = self.page.elements.len();
        match self.page.texts.last_mut() {
            Some(last) if last.parent == parent && elements == self.elements_before_text => {
                last.text.push_str(text);
            }
            _ => {
                self.elements_before_text = elements;
                self.page.texts.push(Text {
                    parent,
                    text: text.to_owned(),
                    line,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_texts_know_what_is_around_them_and_their_lines() {
        let page = Page::read(
            "<!DOCTYPE html><html lang=en><head><title>A &amp; <b></title>\n</head>\n<body><!-- <p> -->\
             <p class=x>One <a href=\"/?a&amp;b\">two\nthree</a><br> four</p></body></html>",
        );
        let (title, _) = page.all("title").next().unwrap();
        assert_eq!(page.text_in(title), "A & <b>");
        let (link, element) = page.all("a").next().unwrap();
        assert_eq!(
            (element.line, element.attribute("href")),
            (3, Some("/?a&b"))
        );
        assert_eq!(page.text_in(link), "two three");
        let paragraph = page.block_of(link);
        assert_eq!(page.elements[paragraph].attribute("class"), Some("x"));
        assert_eq!(page.text_in(paragraph), "One two three four");
        assert_eq!(page.all("p").count(), 1);
    }
}
