//! HTML as a flat list of tags and texts, for checks and for the text part.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

/// A piece of HTML and the line of the input on which it ends, from 0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

/// The kinds of piece that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A start tag: lower-case name, attributes with their entities decoded.
    Open(String, Vec<(String, String)>),
    /// An end tag.
    Close(String),
    /// Text with its entities decoded.
    Text(String),
}

/// The candidates of a `srcset`: what each leads to, and its width or density.
pub(super) fn candidates(set: &str) -> impl Iterator<Item = (&str, &str)> {
    set.split(", ").map(|candidate| {
        let candidate = candidate.trim().trim_end_matches(',');
        let (src, size) = candidate
            .split_once(char::is_whitespace)
            .unwrap_or((candidate, ""));
        (src, size.trim())
    })
}

/// Elements that have no end tag.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Reads any text as HTML; nothing in it is an error.
pub(super) fn pieces(html: &str) -> Vec<Piece> {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    // The only interruption is a script to run, which nobody here does.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.pieces.into_inner()
}

#[derive(Default)]
struct Sink {
    pieces: RefCell<Vec<Piece>>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut pieces = self.pieces.borrow_mut();
        // The tokenizer counts lines from 1.
        let line = u32::try_from(line.saturating_sub(1)).unwrap_or(u32::MAX);
        match token {
            Token::CharacterTokens(text) => {
                if let Some(Piece {
                    kind: Kind::Text(last),
                    ..
                }) = pieces.last_mut()
                {
                    last.push_str(&text);
                } else {
                    let kind = Kind::Text(text.to_string());
                    pieces.push(Piece { line, kind });
                }
            }
            Token::TagToken(tag) => {
                let name = tag.name.to_string();
                let raw = match name.as_str() {
                    "script" => Some(RawKind::ScriptData),
                    "style" | "iframe" | "noembed" | "noframes" | "xmp" => Some(RawKind::Rawtext),
                    "textarea" | "title" => Some(RawKind::Rcdata),
                    _ => None,
                };
                let is_start = tag.kind == TagKind::StartTag;
                let kind = if is_start {
                    let attributes = tag.attrs.iter();
                    let attributes =
                        attributes.map(|a| (a.name.local.to_string(), a.value.to_string()));
                    Kind::Open(name, attributes.collect())
                } else {
                    Kind::Close(name)
                };
                pieces.push(Piece { line, kind });
                if let Some(raw) = raw.filter(|_| is_start) {
                    return TokenSinkResult::RawData(raw);
                }
            }
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_texts_come_in_order_with_lines() {
        let found =
            pieces("a &amp; b\n<IMG\n src='x.png' alt=\"&lt;\">\n<script><a href=y></script>");
        let kinds: Vec<&Kind> = found.iter().map(|piece| &piece.kind).collect();
        let attributes = [("src", "x.png"), ("alt", "<")];
        let attributes = attributes
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .to_vec();
        assert_eq!(kinds[0], &Kind::Text("a & b\n".to_owned()));
        assert_eq!(kinds[1], &Kind::Open("img".to_owned(), attributes));
        assert_eq!(kinds[4], &Kind::Text("<a href=y>".to_owned()));
        assert_eq!(found[1].line, 2);
    }
}
