//! Which element may stand where: the content models of HTML, which parsers
//! forgive and validators do not.
//!
//! The sanitiser lets elements pass one by one; a `p` in a `span` or an `li`
//! outside a list pass as well. Here tags are dropped or renamed until what is
//! left conforms. No text is lost and no element added but the `li` and `dd`
//! around what stands in a list by itself.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{
    sanitise::Stage,
    tokens::{self, Token, attribute, without},
};

/// `html` of the sanitiser as it conforms to the standard. Whoever changes it
/// has it sanitised again: dropping tags may move others.
pub(super) fn conform(html: String, stage: Stage) -> String {
    let Some(tokens) = tokens::read(&html) else {
        return html;
    };
    let mut pass = Pass {
        tokens,
        open: Vec::new(),
        headings: Vec::new(),
        stage,
    };
    for at in 0..pass.tokens.len() {
        pass.visit(at);
    }
    tokens::write(&pass.tokens, html.len())
}

/// What an element means to those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Words in a line, which may hold only such.
    Phrase,
    /// As its parent.
    Transparent,
    /// A block that may hold only words.
    Line,
    /// A block that may hold blocks.
    Block,
    /// A place for blocks that only its parent gives: a cell, an item.
    Place,
}

fn role(name: &str) -> Role {
    match name {
        "a" | "ins" | "del" => Role::Transparent,
        "p" | "pre" | "summary" => Role::Line,
        _ if is_heading(name) => Role::Line,
        "blockquote" | "details" | "div" | "dl" | "figure" | "hr" | "ol" | "table" | "ul" => {
            Role::Block
        }
        "caption" | "col" | "colgroup" | "dd" | "dt" | "figcaption" | "li" | "tbody" | "td"
        | "tfoot" | "th" | "thead" | "tr" => Role::Place,
        _ => Role::Phrase,
    }
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

struct Pass<'a> {
    tokens: Vec<Token<'a>>,
    /// Start tags that are open and stay, outermost first.
    open: Vec<usize>,
    /// Levels, as written, of the headings that this place is below.
    headings: Vec<u8>,
    stage: Stage,
}

impl<'a> Pass<'a> {
    fn visit(&mut self, at: usize) {
        while let Some(&last) = self.open.last()
            && self.end(last) < at
        {
            self.open.pop();
        }
        match &self.tokens[at] {
            Token::Text(text) => {
                if !text.trim().is_empty() && self.is_stray("#text") {
                    self.tokens[at] = Token::Text(Cow::Owned(self.as_item(text)));
                } else if !is_nfc(text) && !self.is_within(&["code", "pre", "kbd", "samp"]) {
                    self.tokens[at] = Token::Text(Cow::Owned(text.nfc().collect()));
                }
            }
            &Token::Open { name, .. } => self.element(at, name),
            Token::Close(_) | Token::Gone => {}
        }
    }

    fn element(&mut self, at: usize, name: &'a str) {
        let name = self.renamed(at, name);
        match name {
            "img" => self.picture(at),
            "details" if !self.has_summary(at) => return self.drop_tags(at),
            "bdo" if self.value(at, "dir").is_none() => return self.drop_tags(at),
            "time" if self.value(at, "datetime").is_none() => return self.drop_tags(at),
            _ => {}
        }
        if matches!(role(name), Role::Block | Role::Line) && !self.makes_room(name) {
            return self.drop_tags(at);
        }
        if self.stage == Stage::OwnPage && is_heading(name) {
            self.rank(at, name);
        }
        self.open.push(at);
    }

    /// What the parent demands of a child's name.
    fn renamed(&mut self, at: usize, name: &'a str) -> &'a str {
        let parent = self.parent();
        let new = match name {
            "li" if !matches!(parent, Some("ul" | "ol")) => "div",
            "dt" | "dd" if !matches!(parent, Some("dl" | "div")) => "div",
            "figcaption" if parent != Some("figure") => "div",
            "summary" if parent != Some("details") || !self.is_first(at) => "div",
            "rt" if parent != Some("ruby") => "span",
            "tt" => "code",
            _ => name,
        };
        if new != name {
            self.set_name(at, new);
        }
        if self.is_stray(new) {
            // A list that stands in a list belongs to an item of it.
            let item = self.item();
            let end = self.end(at);
            self.surround(at, end, item);
        }
        new
    }

    /// Drops the words around a block; whether it may then stand here.
    fn makes_room(&mut self, name: &str) -> bool {
        let mut around = Vec::new();
        for &at in self.open.iter().rev() {
            let Token::Open { name: outer, .. } = self.tokens[at] else {
                continue;
            };
            match role(outer) {
                Role::Phrase => around.push(at),
                Role::Transparent if name == "details" && outer == "a" => around.push(at),
                Role::Transparent => {}
                Role::Line if outer == "summary" && is_heading(name) => break,
                Role::Line => return false,
                Role::Place if is_heading(name) && matches!(outer, "dt" | "th") => return false,
                Role::Place | Role::Block => break,
            }
        }
        for at in around {
            self.drop_tags(at);
        }
        self.open.retain(|&at| self.tokens[at] != Token::Gone);
        true
    }

    /// Headings go down step by step, below the title of the page.
    fn rank(&mut self, at: usize, name: &str) {
        let level = name.as_bytes()[1] - b'0';
        while self.headings.last().is_some_and(|&above| above >= level) {
            self.headings.pop();
        }
        self.headings.push(level);
        let name = ["h2", "h3", "h4", "h5", "h6"][self.headings.len().min(5) - 1];
        self.set_name(at, name);
    }

    /// A picture has a source and an alternative text; a set with widths has
    /// sizes.
    fn picture(&mut self, at: usize) {
        let Token::Open { attributes, .. } = &self.tokens[at] else {
            return;
        };
        let alt = attribute(attributes, "alt");
        let set = attribute(attributes, "srcset").unwrap_or_default();
        let mut sound = attributes.to_string();
        if attribute(attributes, "src").is_none() {
            let Some(first) = set.split([' ', ',']).next().filter(|url| !url.is_empty()) else {
                let words = alt.unwrap_or_default().to_owned();
                self.tokens[at] = Token::Text(Cow::Owned(words));
                return;
            };
            sound = format!(" src=\"{first}\"{sound}");
        }
        if alt.is_none() {
            sound.push_str(" alt=\"\"");
        }
        let mut descriptors = set.split(", ").filter_map(|one| one.rsplit_once(' '));
        let has_widths = descriptors.any(|(_, descriptor)| descriptor.ends_with('w'));
        let has_sizes = attribute(attributes, "sizes").is_some();
        if has_widths && !has_sizes {
            sound = without(&sound, "srcset");
        } else if has_sizes && !has_widths {
            sound = without(&sound, "sizes");
        }
        if let Token::Open { attributes, .. } = &mut self.tokens[at] {
            *attributes = Cow::Owned(sound);
        }
    }

    fn parent(&self) -> Option<&'a str> {
        self.open.last().and_then(|&at| self.name(at))
    }

    fn name(&self, at: usize) -> Option<&'a str> {
        match self.tokens[at] {
            Token::Open { name, .. } => Some(name),
            _ => None,
        }
    }

    fn is_within(&self, names: &[&str]) -> bool {
        let mut outer = self.open.iter().filter_map(|&at| self.name(at));
        outer.any(|name| names.contains(&name))
    }

    /// Whether a list holds this directly, where only items may stand.
    fn is_stray(&self, name: &str) -> bool {
        match self.parent() {
            Some("ul" | "ol") => name != "li",
            Some("dl") => !matches!(name, "dt" | "dd" | "div"),
            _ => false,
        }
    }

    fn item(&self) -> &'static str {
        if self.parent() == Some("dl") {
            "dd"
        } else {
            "li"
        }
    }

    fn as_item(&self, text: &str) -> String {
        let item = self.item();
        format!("<{item}>{text}</{item}>")
    }

    /// Writes an element around another: the next pass reads it as such.
    fn surround(&mut self, at: usize, end: usize, item: &str) {
        let inner = tokens::write(&self.tokens[at..=end], 0);
        for token in &mut self.tokens[at..=end] {
            *token = Token::Gone;
        }
        self.tokens[at] = Token::Text(Cow::Owned(format!("<{item}>{inner}</{item}>")));
    }

    fn is_first(&self, at: usize) -> bool {
        let Some(&parent) = self.open.last() else {
            return true;
        };
        self.tokens[parent + 1..at]
            .iter()
            .all(|token| matches!(token, Token::Text(text) if text.trim().is_empty()))
    }

    fn has_summary(&self, at: usize) -> bool {
        let inner = &self.tokens[at + 1..self.end(at)];
        let first = inner
            .iter()
            .find(|token| !matches!(token, Token::Text(text) if text.trim().is_empty()));
        matches!(
            first,
            Some(Token::Open {
                name: "summary",
                ..
            })
        )
    }

    fn value(&self, at: usize, name: &str) -> Option<&str> {
        match &self.tokens[at] {
            Token::Open { attributes, .. } => attribute(attributes, name),
            _ => None,
        }
    }

    fn end(&self, at: usize) -> usize {
        match self.tokens[at] {
            Token::Open { end, .. } => end,
            _ => at,
        }
    }

    fn set_name(&mut self, at: usize, new: &'a str) {
        let end = self.end(at);
        if let Token::Open { name, .. } = &mut self.tokens[at] {
            *name = new;
        }
        if let Token::Close(name) = &mut self.tokens[end] {
            *name = new;
        }
    }

    /// Drops an element but not what is in it; a block leaves a space, so that
    /// words stay apart.
    fn drop_tags(&mut self, at: usize) {
        let is_block = self.name(at).is_some_and(|name| role(name) != Role::Phrase);
        let left = |is_block| match is_block {
            true => Token::Text(Cow::Borrowed(" ")),
            false => Token::Gone,
        };
        let end = self.end(at);
        self.tokens[at] = Token::Gone;
        self.tokens[end] = left(is_block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conformed(html: &str) -> String {
        conform(html.to_owned(), Stage::OwnPage)
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_given_another() {
        for (html, sound) in [
            ("<span><p>a</p></span>", "<p>a</p>"),
            (
                "<em><a href=\"x\"><p>a</p></a></em>",
                "<a href=\"x\"><p>a</p></a>",
            ),
            ("<h2><div>a</div><p>b</p></h2>", "<h2>a b </h2>"),
            ("<pre><p>a</p></pre>", "<pre>a </pre>"),
            ("<li>a</li>", "<div>a</div>"),
            ("<dt>a</dt>", "<div>a</div>"),
            ("<ul>a<li>b</li></ul>", "<ul><li>a</li><li>b</li></ul>"),
            (
                "<ul><li>a</li><ul><li>b</li></ul></ul>",
                "<ul><li>a</li><li><ul><li>b</li></ul></li></ul>",
            ),
            ("<dl><p>a</p></dl>", "<dl><dd><p>a</p></dd></dl>"),
            ("<p><tt>a</tt></p>", "<p><code>a</code></p>"),
            ("<details>a</details>", "a "),
            (
                "<details>\n<summary><h2>a</h2></summary>b</details>",
                "<details>\n<summary><h2>a</h2></summary>b</details>",
            ),
            ("<figcaption>a</figcaption>", "<div>a</div>"),
            ("<p><bdo>a</bdo><time>noon</time></p>", "<p>anoon</p>"),
            (
                "<table><tbody><tr><th><h3>a</h3></th></tr></tbody></table>",
                "<table><tbody><tr><th>a </th></tr></tbody></table>",
            ),
        ] {
            assert_eq!(conformed(html), sound, "{html}");
            assert_eq!(conformed(sound), sound);
        }
    }

    #[test]
    fn headings_go_down_step_by_step_on_the_articles_page_only() {
        let html = "<h3>a</h3><h1>b</h1><h6>c</h6><h4>d</h4><h1>e</h1>";
        let sound = "<h2>a</h2><h2>b</h2><h3>c</h3><h3>d</h3><h2>e</h2>";
        assert_eq!(conformed(html), sound);
        assert_eq!(conformed(sound), sound);
        assert_eq!(conform(html.to_owned(), Stage::Anywhere), html);
        let deep = "<h1>1</h1><h2>2</h2><h3>3</h3><h4>4</h4><h5>5</h5><h6>6</h6>";
        assert!(conformed(deep).ends_with("<h6>5</h6><h6>6</h6>"));
    }

    #[test]
    fn a_picture_has_a_source_and_an_alternative() {
        for (html, sound) in [
            ("<img src=\"a\">", "<img src=\"a\" alt=\"\">"),
            ("<img alt=\"b &amp; c\">", "b &amp; c"),
            (
                "<img srcset=\"a.new 1x, b 2x\" alt=\"\">",
                "<img src=\"a.new\" srcset=\"a.new 1x, b 2x\" alt=\"\">",
            ),
            (
                "<img src=\"a\" srcset=\"b 20w\" alt=\"\">",
                "<img src=\"a\" alt=\"\">",
            ),
            (
                "<img src=\"a\" sizes=\"50vw\" srcset=\"b 2x\" alt=\"\">",
                "<img src=\"a\" srcset=\"b 2x\" alt=\"\">",
            ),
        ] {
            assert_eq!(conformed(html), sound, "{html}");
        }
    }

    #[test]
    fn text_is_in_normal_form_but_code_is_as_it_was_written() {
        let html = "<p>Le\u{301}o</p><pre><code>e\u{301}</code></pre>";
        assert_eq!(
            conformed(html),
            "<p>L\u{e9}o</p><pre><code>e\u{301}</code></pre>"
        );
    }
}
