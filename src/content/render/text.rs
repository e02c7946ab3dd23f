//! The plain text part: written from the structure of the cleaned HTML, so
//! that it says what the HTML says, raw HTML in an article included, and names
//! every address that the HTML links to.

use unicode_width::UnicodeWidthStr;
use url::Url;

use crate::{
    content::{
        html::{self, Kind, Piece},
        render::table::Table,
    },
    domain::{
        article::SafeHtml,
        wrap::{is_address, wrap},
    },
};

/// Widest line, in columns of a terminal or a mail client.
const COLUMNS: usize = 76;
/// Narrowest line deep inside lists and quotes.
const FEWEST_COLUMNS: usize = 24;
/// Structure deeper than this is written as running text.
const MOST_DEPTH: usize = 120;

/// Where the text names the addresses of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkStyle {
    /// By numbers; the addresses stand at the end.
    #[default]
    Numbered,
    /// Each in angle brackets after its words (RFC 3986 C).
    Inline,
}

/// What a text says where HTML shows something, in the language of the article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextWords {
    /// Stands before the description of a picture, with its colon.
    pub picture: String,
    /// Stands before the number of a footnote.
    pub note: String,
}

impl Default for TextWords {
    /// In English.
    fn default() -> Self {
        Self {
            picture: "Picture:".to_owned(),
            note: "note".to_owned(),
        }
    }
}

/// The text of an article whose page is `page`.
pub(in crate::content) fn of(
    html: &SafeHtml,
    page: &Url,
    style: LinkStyle,
    words: &TextWords,
) -> String {
    let mut pieces = html::pieces(html.as_str()).into_iter();
    let root = children(&mut pieces, 0);
    let mut writer = Writer {
        note_prefix: {
            let mut note = page.clone();
            note.set_fragment(Some("fn-"));
            note.into()
        },
        style,
        words,
        links: Vec::new(),
    };
    let mut lines = writer.blocks(&root, COLUMNS);
    if !writer.links.is_empty() {
        lines.push(String::new());
        let links = (1..).zip(&writer.links);
        lines.extend(links.map(|(number, url)| format!("[{number}] {url}")));
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The cleaned HTML as a tree. The sanitiser closes what it opens.
enum Node {
    Text(String),
    Element {
        name: String,
        attributes: Vec<(String, String)>,
        children: Vec<Node>,
    },
}

fn children(pieces: &mut impl Iterator<Item = Piece>, depth: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        match piece.kind {
            Kind::Text(text) => nodes.push(Node::Text(text)),
            Kind::Open(name, attributes) => {
                let is_leaf = html::is_void(&name) || depth >= MOST_DEPTH;
                let children = if is_leaf {
                    Vec::new()
                } else {
                    children(pieces, depth + 1)
                };
                nodes.push(Node::Element {
                    name,
                    attributes,
                    children,
                });
            }
            Kind::Close(_) if depth >= MOST_DEPTH => {}
            Kind::Close(_) => break,
        }
    }
    nodes
}

fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "blockquote"
            | "pre"
            | "hr"
            | "table"
            | "figure"
            | "figcaption"
            | "details"
            | "summary"
            | "caption"
            | "thead"
            | "tbody"
            | "tfoot"
            | "tr"
            | "td"
            | "th"
            | "colgroup"
    )
}

struct Writer<'w> {
    /// What links to footnotes begin with.
    note_prefix: String,
    style: LinkStyle,
    words: &'w TextWords,
    links: Vec<String>,
}

impl Writer<'_> {
    /// Lines of blocks and the running text between them, an empty line
    /// between any two.
    fn blocks(&mut self, nodes: &[Node], columns: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut run = String::new();
        for node in nodes {
            match node {
                Node::Element {
                    name,
                    attributes,
                    children,
                } if is_block(name) => {
                    add(&mut lines, wrap(&std::mem::take(&mut run), columns));
                    let block = self.block(name, attributes, children, columns);
                    add(&mut lines, block);
                }
                inline => self.inline(inline, &mut run),
            }
        }
        add(&mut lines, wrap(&run, columns));
        lines
    }

    fn block(
        &mut self,
        name: &str,
        attributes: &[(String, String)],
        children: &[Node],
        columns: usize,
    ) -> Vec<String> {
        match name {
            "h1" | "h2" => {
                let mut lines = self.blocks(children, columns);
                let rule = if name == "h1" { "=" } else { "-" };
                let width = lines.iter().map(|line| line.width()).max().unwrap_or(0);
                lines.push(rule.repeat(width));
                lines
            }
            "h3" | "h4" | "h5" | "h6" => {
                let lines = self.blocks(children, columns);
                lines.iter().map(|line| capitals(line)).collect()
            }
            "ul" => self.list(children, columns, |_| "- ".to_owned()),
            "ol" => {
                let (first, step) = numbering(attributes, children);
                self.list(children, columns, |at| {
                    format!("{}. ", first.saturating_add(at.saturating_mul(step)))
                })
            }
            "blockquote" => {
                let lines = self.blocks(children, narrower(columns, 2));
                lines.into_iter().map(|line| format!("> {line}")).collect()
            }
            "dd" => indented(self.blocks(children, narrower(columns, 4)), "    "),
            "pre" => {
                let mut code = String::new();
                self.verbatim(children, &mut code);
                code.trim_end()
                    .lines()
                    .map(|line| format!("    {line}"))
                    .collect()
            }
            "hr" => vec!["* * *".to_owned()],
            "table" => {
                let mut table = Table::default();
                self.read_table(children, columns, &mut table);
                table.lines(columns)
            }
            _ => self.blocks(children, columns),
        }
    }

    fn list(
        &mut self,
        nodes: &[Node],
        columns: usize,
        mark: impl Fn(i64) -> String,
    ) -> Vec<String> {
        let items: Vec<&[Node]> = items(nodes).collect();
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let indent = mark(0).width().max(mark(count - 1).width());
        let is_loose = items.iter().any(|item| has_paragraph(item));
        let mut lines: Vec<String> = Vec::new();
        for (at, item) in (0..).zip(items) {
            if is_loose && !lines.is_empty() {
                lines.push(String::new());
            }
            let mark = mark(at);
            let item = self.item(item, narrower(columns, indent));
            if item.is_empty() {
                lines.push(mark.clone());
            }
            for (line_at, line) in item.into_iter().enumerate() {
                let lead = if line_at == 0 { mark.as_str() } else { "" };
                lines.push(format!("{lead:indent$}{line}"));
            }
        }
        lines
    }

    /// Like blocks, but a list within a tight item follows without a gap.
    fn item(&mut self, nodes: &[Node], columns: usize) -> Vec<String> {
        let lines = self.blocks(nodes, columns);
        if has_paragraph(nodes) {
            return lines;
        }
        let is_verbatim = nodes
            .iter()
            .any(|node| matches!(node, Node::Element { name, .. } if name == "pre"));
        lines
            .into_iter()
            .filter(|line| is_verbatim || !line.is_empty())
            .collect()
    }

    fn inline(&mut self, node: &Node, out: &mut String) {
        let (name, attributes, children) = match node {
            Node::Text(text) => {
                squeeze(text, out);
                return;
            }
            Node::Element {
                name,
                attributes,
                children,
            } => (name.as_str(), attributes, children),
        };
        match name {
            "br" => out.push('\n'),
            "img" => {
                if let Some(alt) = attribute(attributes, "alt")
                    .map(str::trim)
                    .filter(|alt| !alt.is_empty())
                {
                    out.push('[');
                    out.push_str(&self.words.picture);
                    out.push(' ');
                    squeeze(alt, out);
                    out.push(']');
                }
            }
            "a" => self.link(attribute(attributes, "href"), children, out),
            "del" | "s" => self.around("~~", children, out),
            "q" => self.around("\"", children, out),
            // How the characters before it are read aloud.
            "rt" => {
                out.push('(');
                self.inline_all(children, out);
                out.push(')');
            }
            "sup" => {
                let label = self.label(children);
                let is_note = label.starts_with('[');
                if !is_note {
                    out.push('^');
                }
                out.push_str(&label);
            }
            _ => self.inline_all(children, out),
        }
    }

    fn inline_all(&mut self, nodes: &[Node], out: &mut String) {
        for node in nodes {
            self.inline(node, out);
        }
    }

    fn around(&mut self, mark: &str, nodes: &[Node], out: &mut String) {
        let label = self.label(nodes);
        if !label.is_empty() {
            out.push_str(mark);
            out.push_str(&label);
            out.push_str(mark);
        }
    }

    fn label(&mut self, nodes: &[Node]) -> String {
        let mut label = String::new();
        self.inline_all(nodes, &mut label);
        label.trim().to_owned()
    }

    /// A link and where it leads; an address that stands in the text as it is
    /// needs no more, a footnote's is its own.
    fn link(&mut self, href: Option<&str>, nodes: &[Node], out: &mut String) {
        let start = out.len();
        self.inline_all(nodes, out);
        let label = out[start..].trim();
        let Some(href) = href else {
            return;
        };
        if href.starts_with(&self.note_prefix)
            && !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_digit())
        {
            let note = format!("[{} {label}]", self.words.note);
            out.replace_range(start.., &note);
            return;
        }
        let bare = href.strip_prefix("mailto:").unwrap_or(href);
        if label == bare || format!("{label}/") == bare {
            return;
        }
        // A link around a picture that nobody described leads somewhere, too.
        let trailing = out.ends_with([' ', '\n']);
        out.truncate(out.trim_end().len());
        if !out.is_empty() {
            out.push(' ');
        }
        let target = self.target(href);
        out.push_str(&target);
        if trailing {
            out.push(' ');
        }
    }

    /// The number of an address, or the address itself.
    fn target(&mut self, href: &str) -> String {
        if self.style == LinkStyle::Inline {
            return format!("<{href}>");
        }
        let known = self.links.iter().position(|link| link == href);
        let number = known.unwrap_or_else(|| {
            self.links.push(href.to_owned());
            self.links.len() - 1
        }) + 1;
        format!("[{number}]")
    }

    /// Text as it stands, with where its links lead.
    fn verbatim(&mut self, nodes: &[Node], out: &mut String) {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element { name, .. } if name == "br" => out.push('\n'),
                Node::Element {
                    name,
                    attributes,
                    children,
                } => {
                    let start = out.len();
                    self.verbatim(children, out);
                    let href = attribute(attributes, "href").filter(|_| name == "a");
                    if let Some(href) = href.filter(|href| out[start..].trim() != *href) {
                        let target = self.target(href);
                        out.push_str(&format!(" {target}"));
                    }
                }
            }
        }
    }

    fn read_table(&mut self, nodes: &[Node], columns: usize, table: &mut Table) {
        for node in nodes {
            let Node::Element { name, children, .. } = node else {
                continue;
            };
            match name.as_str() {
                "caption" => table.caption = self.blocks(children, columns),
                "thead" | "tbody" | "tfoot" => self.read_table(children, columns, table),
                "tr" => {
                    let mut is_head = table.head.is_none() && table.rows.is_empty();
                    let mut row = Vec::new();
                    for cell in children {
                        if let Node::Element { name, children, .. } = cell {
                            is_head &= name == "th";
                            row.push(self.blocks(children, columns).join(" "));
                        }
                    }
                    if is_head {
                        table.head = Some(row);
                    } else {
                        table.rows.push(row);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether a list item is set apart from its neighbours.
fn has_paragraph(nodes: &[Node]) -> bool {
    nodes
        .iter()
        .any(|node| matches!(node, Node::Element { name, .. } if name == "p"))
}

/// Appends a block after an empty line.
pub(super) fn add(lines: &mut Vec<String>, block: Vec<String>) {
    if !block.is_empty() {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(block);
    }
}

fn indented(lines: Vec<String>, indent: &str) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| format!("{indent}{line}"))
        .collect()
}

fn narrower(columns: usize, by: usize) -> usize {
    columns.saturating_sub(by).max(FEWEST_COLUMNS)
}

/// Text as HTML shows it: white space is one space, and none at the beginning.
fn squeeze(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{C}') {
            if !out.is_empty() && !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else if !is_unseen(c) {
            out.push(c);
        }
    }
}

/// Soft hyphens, which many mail clients print, and what turns the text around
/// that follows.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{202A}'..='\u{202E}')
}

/// The first number of a list, and the step to the next.
fn numbering(attributes: &[(String, String)], nodes: &[Node]) -> (i64, i64) {
    let start = attribute(attributes, "start").and_then(|n| n.parse().ok());
    if attribute(attributes, "reversed").is_some() {
        let count = i64::try_from(items(nodes).count()).unwrap_or(i64::MAX);
        return (start.unwrap_or(count), -1);
    }
    (start.unwrap_or(1), 1)
}

fn items(nodes: &[Node]) -> impl Iterator<Item = &[Node]> {
    nodes.iter().filter_map(|node| match node {
        Node::Element { name, children, .. } if name == "li" => Some(children.as_slice()),
        _ => None,
    })
}

/// In capitals, but for addresses, which would lead elsewhere.
fn capitals(line: &str) -> String {
    let words = line.split(' ').map(|word| match is_address(word) {
        true => word.to_owned(),
        false => word.to_uppercase(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let page = Url::parse("https://example.org/a/").unwrap();
        let html = SafeHtml::from_sanitiser(html.to_owned());
        of(&html, &page, LinkStyle::Numbered, &TextWords::default())
    }

    fn inline(html: &str) -> String {
        let page = Url::parse("https://example.org/a/").unwrap();
        let html = SafeHtml::from_sanitiser(html.to_owned());
        of(&html, &page, LinkStyle::Inline, &TextWords::default())
    }

    #[test]
    fn structure_is_kept() {
        let found = text(
            "<h1>Beans &amp; co</h1>\n<p>One\n<strong>two</strong>.<br>Three</p>\n<h3>Why?</h3>\
             <ul>\n<li><strong>Cheap:</strong> yes\n<ul>\n<li>in</li>\n</ul>\n</li>\n<li>b</li>\n</ul>\
             <ol start=\"9\"><li><p>x</p></li><li><p>y</p><p>z</p></li></ol>\
             <blockquote><p>q</p><p>r</p></blockquote><pre><code>let a;\n\n  b\n</code></pre><hr>\
             <figure><img src=\"https://example.org/p.png\" alt=\"A pot\"><figcaption>Cap</figcaption></figure>",
        );
        assert_eq!(
            found,
            "Beans & co\n==========\n\nOne two.\nThree\n\nWHY?\n\n- Cheap: yes\n  - in\n- b\n\n\
             9.  x\n\n10. y\n\n    z\n\n> q\n>\n> r\n\n    let a;\n\n      b\n\n* * *\n\n[Picture: A pot]\n\nCap\n"
        );
    }

    #[test]
    fn pictures_and_notes_are_named_in_the_words_of_the_article() {
        let page = Url::parse("https://example.org/a/").unwrap();
        let html = "<p><img src=\"https://example.org/p.png\" alt=\"Ein Topf\"> steht \
                    da<sup><a href=\"https://example.org/a/#fn-2\">2</a></sup></p>";
        let words = TextWords {
            picture: "Bild:".to_owned(),
            note: "Anmerkung".to_owned(),
        };
        let html = SafeHtml::from_sanitiser(html.to_owned());
        assert_eq!(
            of(&html, &page, LinkStyle::Numbered, &words),
            "[Bild: Ein Topf] steht da[Anmerkung 2]\n"
        );
    }

    #[test]
    fn every_link_is_listed_once_and_shows_its_host() {
        let found = text(
            "<p><a href=\"https://example.net/x\">good</a>, <a href=\"https://example.net/x\">again </a>and \
             <a href=\"https://example.com/\">https://example.org/</a>, <a href=\"https://example.com/\">https://example.com</a>, \
             <a href=\"mailto:a@example.org\">a@example.org</a><sup><a href=\"https://example.org/a/#fn-1\">1</a></sup> 10<sup>2</sup></p>",
        );
        assert_eq!(
            found,
            "good [1], again [1] and https://example.org/ [2], https://example.com,\n\
             a@example.org[note 1] 10^2\n\n[1] https://example.net/x\n[2] https://example.com/\n"
        );
    }

    #[test]
    fn tables_are_aligned_or_become_records() {
        let narrow = text(
            "<table><thead><tr><th>Day</th><th>猫</th></tr></thead><tbody><tr><td>Monday</td><td>x</td></tr></tbody></table>",
        );
        assert_eq!(narrow, "Day     猫\n------  --\nMonday  x\n");
        let long = "word ".repeat(12);
        let wide = text(&format!(
            "<table><tr><th>A</th><th>B</th></tr><tr><td>{long}</td><td>{long}</td></tr><tr><td>1</td><td></td></tr></table>"
        ));
        assert!(wide.starts_with("A: word word"), "{wide}");
        assert!(wide.contains("\nB: word"), "{wide}");
        assert!(wide.ends_with("\n\nA: 1\n"), "{wide}");
    }

    #[test]
    fn lines_fit_76_columns_in_every_script() {
        let words = "lorem ipsum ".repeat(30);
        let cats = "猫が好きです。".repeat(30);
        let emoji = "👩‍🍳 ".repeat(60);
        let found = text(&format!(
            "<p>{words}</p><blockquote><ul><li>{cats}</li></ul></blockquote><p>{emoji}</p>"
        ));
        for line in found.lines() {
            assert!(line.width() <= COLUMNS, "{line}");
        }
        let url = format!("https://example.org/{}", "a-b/".repeat(30));
        assert!(text(&format!("<p>see <a href=\"{url}\">{url}</a></p>")).contains(&url));
    }

    #[test]
    fn addresses_may_stand_after_their_words_instead() {
        let found = inline(
            "<h3>Why <a href=\"https://example.net/Why\">this</a>?</h3><p><a href=\"https://example.net/x\">good </a>and \
             <a href=\"mailto:a@example.org?subject=x\">write</a>, <a href=\"https://example.com/\">https://example.com</a>.</p>",
        );
        assert_eq!(
            found,
            "WHY THIS <https://example.net/Why>?\n\n\
             good <https://example.net/x> and write <mailto:a@example.org?subject=x>,\n\
             https://example.com.\n"
        );
    }

    #[test]
    fn no_address_is_lost_whatever_its_link_is_around() {
        let found = text(
            "<p><a href=\"https://example.net/1\"><img src=\"x\" alt=\"\"></a> \
             <a href=\"https://example.net/2\"><img src=\"x\" alt=\"A pot\"></a></p>\
             <pre><code>a <a href=\"https://example.net/3\">b</a>\n  c</code></pre>\
             <table><tr><td><a href=\"https://example.net/4\">d</a></td></tr></table>\
             <h4>See https://example.net/Mixed</h4><dl><dt><a href=\"https://example.net/5\"></a></dt></dl>",
        );
        for number in 1..=5 {
            let address = format!("[{number}] https://example.net/{number}\n");
            assert!(found.contains(&address), "{found}");
        }
        assert!(found.contains("[Picture: A pot] [2]"), "{found}");
        assert!(found.contains("    a b [3]\n      c\n"), "{found}");
        assert!(found.contains("SEE https://example.net/Mixed"), "{found}");
    }

    #[test]
    fn words_without_spaces_are_broken_and_addresses_beside_them_are_not() {
        let cats = "猫が好きです。".repeat(20);
        let url = format!("https://example.org/{}", "a-b/".repeat(30));
        let word = "x".repeat(200);
        let found = text(&format!("<p>{cats}{word} {url} 👩‍🍳👨‍👩‍👧‍👦 {cats}</p>"));
        assert!(found.contains(&format!("\n{url}\n")), "{found}");
        let lines = found.lines().filter(|line| !line.contains("://"));
        for line in lines {
            assert!(line.width() <= COLUMNS, "{line}");
        }
        let whole: String = found.split_whitespace().collect();
        assert_eq!(whole, format!("{cats}{word}{url}👩‍🍳👨‍👩‍👧‍👦{cats}"));
    }

    #[test]
    fn lists_count_as_they_say_and_nothing_turns_the_text_around() {
        let found = text(
            "<ol reversed=\"\"><li>a</li><li>b</li></ol><ol start=\"-1\"><li>c</li><li>d</li></ol>\
             <p>co\u{AD}operate \u{202E}txt.exe <ruby>漢<rt>かん</rt></ruby></p>",
        );
        assert_eq!(
            found,
            "2. a\n1. b\n\n-1. c\n0.  d\n\ncooperate txt.exe 漢(かん)\n"
        );
    }

    #[test]
    fn deep_and_empty_html_is_no_trouble() {
        assert_eq!(text(""), "");
        assert_eq!(text("<p></p><ul></ul>"), "");
        let deep = format!(
            "{}x{}",
            "<blockquote>".repeat(3000),
            "</blockquote>".repeat(3000)
        );
        assert!(text(&deep).contains('x'));
    }
}
