//! Sanitised HTML as a list of tags and texts, each with its partner, and back.
//!
//! Only for what the sanitiser wrote: it closes every element, quotes every
//! attribute and escapes every `<` of text, so reading it needs no parser.

use std::borrow::Cow;

use crate::content::html;

/// A piece of sanitised HTML. Attributes and text stay escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text between tags.
    Text(Cow<'a, str>),
    /// A start tag.
    Open {
        name: &'a str,
        /// What stands between name and `>`, with its leading space.
        attributes: Cow<'a, str>,
        /// Where its end tag is; itself for an element that has none.
        end: usize,
    },
    /// An end tag.
    Close(&'a str),
    /// Left out of what is written.
    Gone,
}

/// Reads `html`; `None` if the sanitiser cannot have written it.
pub(super) fn read(html: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let text = rest.find('<').unwrap_or(rest.len());
        if text > 0 {
            tokens.push(Token::Text(Cow::Borrowed(&rest[..text])));
        }
        rest = &rest[text..];
        let Some(tag) = rest.strip_prefix('<') else {
            break;
        };
        let length = length_of_tag(tag)?;
        let inner = &tag[..length];
        let at = tokens.len();
        if let Some(name) = inner.strip_prefix('/') {
            let start = open.pop()?;
            let Token::Open {
                name: opened, end, ..
            } = &mut tokens[start]
            else {
                return None;
            };
            if *opened != name {
                return None;
            }
            *end = at;
            tokens.push(Token::Close(name));
        } else {
            let name = &inner[..inner.find(' ').unwrap_or(inner.len())];
            if !html::is_void(name) {
                open.push(at);
            }
            tokens.push(Token::Open {
                name,
                attributes: Cow::Borrowed(&inner[name.len()..]),
                end: at,
            });
        }
        rest = &tag[length + 1..];
    }
    open.is_empty().then_some(tokens)
}

/// The place of the `>` that ends a tag: one outside quotes.
fn length_of_tag(tag: &str) -> Option<usize> {
    let mut is_quoted = false;
    tag.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b'>' && !is_quoted
    })
}

/// The HTML of `tokens`.
pub(super) fn write(tokens: &[Token<'_>], room: usize) -> String {
    let mut html = String::with_capacity(room);
    for token in tokens {
        match token {
            Token::Text(text) => html.push_str(text),
            Token::Open {
                name, attributes, ..
            } => {
                for part in ["<", name, attributes, ">"] {
                    html.push_str(part);
                }
            }
            Token::Close(name) => {
                for part in ["</", name, ">"] {
                    html.push_str(part);
                }
            }
            Token::Gone => {}
        }
    }
    html
}

/// The escaped value of an attribute.
pub(super) fn attribute<'t>(attributes: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = attributes.trim_start();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        if key == name {
            return Some(value);
        }
        rest = after.trim_start();
    }
    None
}

/// The attributes without those of a name.
pub(super) fn without(attributes: &str, name: &str) -> String {
    match attribute(attributes, name) {
        Some(value) => attributes.replacen(&format!(" {name}=\"{value}\""), "", 1),
        None => attributes.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for html in [
            "",
            "text &lt;b&gt;",
            "<p title=\"a>b\">x<br>y<img src=\"z\" alt=\"\"></p>\n<ul><li>a</li></ul>",
        ] {
            assert_eq!(write(&read(html).unwrap(), 0), html);
        }
        for html in ["<p>", "</p>", "<p></b>", "<p title=\">"] {
            assert_eq!(read(html), None, "{html}");
        }
    }

    #[test]
    fn attributes_are_found_and_taken_away() {
        let attributes = " src=\"a b=&quot;c&quot;\" srcset=\"d 2w\" alt=\"\"";
        assert_eq!(attribute(attributes, "srcset"), Some("d 2w"));
        assert_eq!(attribute(attributes, "alt"), Some(""));
        assert_eq!(attribute(attributes, "b"), None);
        assert_eq!(
            without(attributes, "srcset"),
            " src=\"a b=&quot;c&quot;\" alt=\"\""
        );
    }
}
