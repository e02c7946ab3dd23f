//! The HTML of a mail, written for tables and old programs, as HTML5.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use url::{Position, Url};

use super::{LETTER_CLASS, css};
use crate::mail::{PICTURE_FOLDER, linking::without};

/// Where a link leads that was one reader's own. Such links are not shown;
/// `#top` is the top of every page (HTML 7.4.6.4), so that none is broken.
pub(super) const NOBODYS_LINK: &str = "#top";

/// A mail taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) body: String,
    pub(super) style: String,
}

/// What mail did to links.
#[derive(Clone, Copy, Default)]
pub(super) struct Mailed<'a> {
    /// The page that will show the letter.
    pub(super) own: Option<&'a str>,
    /// Parameters that links to the publication were given.
    pub(super) link_params: &'a [(String, String)],
}

/// Takes a document apart; its body becomes a `div`. Links lose the parameters
/// that mail gave them; those to the page that will show it are left out.
pub(super) fn page(html: &str, base_url: &Url, mailed: Mailed<'_>) -> Page {
    let writer = Writer {
        base_url,
        mailed,
        state: RefCell::default(),
    };
    let tokenizer = Tokenizer::new(writer, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    // The only interruption is a script to run, which nobody here does.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    let state = tokenizer.sink.state.into_inner();
    Page {
        body: state.body,
        style: state.style,
    }
}

#[derive(Default)]
struct State {
    body: String,
    style: String,
    is_in_body: bool,
    /// The element whose text is no text of the letter.
    inside: Option<&'static str>,
    /// Whether a link was left out that is still open.
    is_in_dropped_link: bool,
}

struct Writer<'a> {
    base_url: &'a Url,
    mailed: Mailed<'a>,
    state: RefCell<State>,
}

impl TokenSink for Writer<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        match token {
            Token::TagToken(tag) => return self.tag(&mut state, &tag),
            Token::CharacterTokens(text) => match state.inside {
                Some("style") => state.style.push_str(&text),
                None if state.is_in_body && !state.is_in_dropped_link => {
                    let text = escaped(&text);
                    state.body.push_str(&text);
                }
                _ => {}
            },
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Writer<'_> {
    fn tag(&self, state: &mut State, tag: &Tag) -> TokenSinkResult<()> {
        let name = &*tag.name;
        let opens = tag.kind == TagKind::StartTag;
        match name {
            "style" | "script" | "title" => {
                let inside = match name {
                    "style" => "style",
                    "script" => "script",
                    _ => "title",
                };
                state.inside = opens.then_some(inside);
                if opens {
                    let kind = match name {
                        "title" => RawKind::Rcdata,
                        "script" => RawKind::ScriptData,
                        _ => RawKind::Rawtext,
                    };
                    return TokenSinkResult::RawData(kind);
                }
            }
            "body" => {
                state.is_in_body = opens;
                state.body.push_str(&self.written("div", tag));
            }
            "html" | "head" | "meta" | "link" | "base" => {}
            _ if !state.is_in_body => {}
            "a" if opens && self.leads_nowhere(tag) => state.is_in_dropped_link = true,
            "a" if !opens && state.is_in_dropped_link => state.is_in_dropped_link = false,
            _ if state.is_in_dropped_link => {}
            _ => state.body.push_str(&self.written(name, tag)),
        }
        TokenSinkResult::Continue
    }

    /// Whether a link is one reader's own, or leads where one is.
    fn leads_nowhere(&self, tag: &Tag) -> bool {
        tag.attrs.iter().any(|one| {
            let to = &*one.value;
            // Links may be marked with parameters.
            let page = to.split(['?', '#']).next();
            &*one.name.local == "href"
                && (to == NOBODYS_LINK || (self.mailed.own.is_some() && page == self.mailed.own))
        })
    }

    /// The tag under this name, with attributes that HTML5 knows.
    fn written(&self, name: &str, tag: &Tag) -> String {
        if tag.kind == TagKind::EndTag {
            return format!("</{name}>");
        }
        let mut attributes: Vec<(String, String)> = Vec::new();
        let mut style = Vec::new();
        let mut own_style = String::new();
        for attribute in &tag.attrs {
            let (key, value) = (&*attribute.name.local, &*attribute.value);
            match key {
                "style" => own_style = css::declarations(value),
                "class" => {
                    let names = value
                        .split_ascii_whitespace()
                        .map(|name| format!("{LETTER_CLASS}-{name}"));
                    attributes.push((key.to_owned(), names.collect::<Vec<_>>().join(" ")));
                }
                "href" | "src" => attributes.push((key.to_owned(), self.address(value))),
                "srcset" => attributes.push((key.to_owned(), self.addresses(value))),
                "width" | "height" if name == "img" => {
                    attributes.push((key.to_owned(), value.to_owned()));
                }
                "cellpadding" | "cellspacing" | "border" => {}
                "align" | "valign" | "bgcolor" | "width" | "height" => {
                    style.extend(declaration(name, key, value));
                }
                _ if key.starts_with("on") => {}
                _ => attributes.push((key.to_owned(), value.to_owned())),
            }
        }
        // What the mail's own style says comes last and wins.
        style.push(own_style);
        style.retain(|one| !one.is_empty());
        if !style.is_empty() {
            attributes.push(("style".to_owned(), style.join("; ")));
        }
        let attributes = attributes
            .iter()
            .map(|(key, value)| format!(" {key}=\"{}\"", escaped(value)));
        format!("<{name}{}>", attributes.collect::<String>())
    }

    /// What lies on the site by its path, so that a copy of the site works;
    /// there, too, lies a picture that travelled in the message.
    fn address(&self, value: &str) -> String {
        if let Some((name, _)) = value.strip_prefix("cid:").and_then(|id| id.split_once('@')) {
            return format!("{}{PICTURE_FOLDER}/{name}", self.base_url.path());
        }
        match Url::parse(value) {
            Ok(url) if url.origin() == self.base_url.origin() => {
                let url = without(url, self.mailed.link_params);
                url[Position::BeforePath..].to_owned()
            }
            _ => value.to_owned(),
        }
    }

    /// Each address of a set of pictures.
    fn addresses(&self, value: &str) -> String {
        let set = value.split(", ").map(|one| match one.split_once(' ') {
            Some((address, density)) => format!("{} {density}", self.address(address)),
            None => self.address(one),
        });
        set.collect::<Vec<_>>().join(", ")
    }
}

/// The declaration that means the same as an attribute of old.
fn declaration(element: &str, attribute: &str, value: &str) -> Option<String> {
    let value = value.trim();
    let is_word = value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'#');
    let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let is_percent = value
        .strip_suffix('%')
        .is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
    match attribute {
        "align" if !is_word => None,
        "align" if element == "table" && value.eq_ignore_ascii_case("center") => {
            Some("margin-left: auto; margin-right: auto".to_owned())
        }
        "align" if element == "table" => Some(format!("float: {value}")),
        "align" => Some(format!("text-align: {value}")),
        "valign" if is_word => Some(format!("vertical-align: {value}")),
        "bgcolor" if is_word => Some(format!("background-color: {value}")),
        "width" | "height" if is_number => Some(format!("{attribute}: {value}px")),
        "width" | "height" if is_percent => Some(format!("{attribute}: {value}")),
        _ => None,
    }
}

/// Escaped for text and for attributes in double quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(html: &str) -> String {
        let base: Url = "https://magazine.example.org/".parse().unwrap();
        page(html, &base, Mailed::default()).body
    }

    #[test]
    fn attributes_of_old_become_styles() {
        assert_eq!(
            body(
                "<head><title>T</title><style>a{}</style></head><body class=\"page\" style=\"margin:0;mso-x:y\">\
                 <!--[if mso]><table><![endif]--><table role=\"presentation\" align=\"center\" width=\"100%\" border=0 cellpadding=\"0\">\
                 <tr><td align=\"center\" width=\"184\" style=\"width:50%\" onclick=x>a &amp; &lt;b&gt;</td></tr></table></body>"
            ),
            "<div class=\"letter-page\" style=\"margin:0\"><table role=\"presentation\" style=\"margin-left: auto; margin-right: auto; width: 100%\">\
             <tr><td style=\"text-align: center; width: 184px; width:50%\">a &amp; &lt;b&gt;</td></tr></table></div>"
        );
    }

    #[test]
    fn links_of_the_site_are_paths_and_links_of_one_reader_are_gone() {
        assert_eq!(
            body(
                "<body><a href=\"https://magazine.example.org/food/x/?a=1&amp;b\">x</a>\
                 <a class=tap href=\"#top\">Unsubscribe <b>now</b></a> <img src=\"https://example.net/p.png\" width=\"1\">\
                 <img src=\"cid:a-552.jpg@magazine.example.org\" srcset=\"https://magazine.example.org/mail/b-9.jpg 2x\"></body>"
            ),
            "<div><a href=\"/food/x/?a=1&amp;b\">x</a> <img src=\"https://example.net/p.png\" width=\"1\">\
             <img src=\"/mail/a-552.jpg\" srcset=\"/mail/b-9.jpg 2x\"></div>"
        );
    }
}
