//! Reads Markdown once for what the checks need: links, pictures, shortcodes,
//! headings, depth. Renders and sanitises nothing.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};
use url::Url;

use crate::{
    content::{
        anchors::{Anchors, HeadingIds},
        html::{self, Kind},
        site::{self, anchor_key},
    },
    domain::text::has_controls,
};

/// Most bytes of Markdown in one article.
pub(in crate::content) const MOST_BYTES: usize = 512 * 1024;
/// Deepest nesting of an article's structure.
pub(in crate::content) const MOST_DEPTH: usize = 100;

/// What stands in an article; lines count from the first line of the Markdown, 0.
#[derive(Debug, Default)]
pub(in crate::content) struct Scan {
    pub(in crate::content) links: Vec<(String, u32)>,
    pub(in crate::content) pictures: Vec<PictureRef>,
    /// Names of shortcodes outside code.
    pub(in crate::content) shortcodes: Vec<(String, u32)>,
    /// Places that a fragment may name.
    pub(in crate::content) anchors: Anchors,
    /// Whether a heading has emoji or other signs beyond letters and ASCII.
    pub(in crate::content) has_pictograms: bool,
    /// Whether raw HTML or control characters may hide further references from
    /// this list, so that anything on the site may matter to it.
    pub(in crate::content) may_refer_to_more: bool,
    pub(in crate::content) depth: usize,
}

impl Scan {
    /// Forgets what leads to other sites in good order: nothing about it
    /// depends on this one, and there may be very much of it.
    pub(in crate::content) fn forget_what_leads_away(&mut self, base: &Url) {
        self.links.retain(|(raw, _)| !site::leads_away(base, raw));
        self.pictures
            .retain(|picture| !(picture.has_alt && site::is_far_picture(base, &picture.src)));
    }
}

/// A picture in the text.
#[derive(Debug)]
pub(in crate::content) struct PictureRef {
    pub(in crate::content) src: String,
    pub(in crate::content) has_alt: bool,
    pub(in crate::content) line: u32,
}

/// How articles are read: for checks and for rendering alike.
pub(in crate::content) fn options(smart_punctuation: bool) -> Options {
    let mut options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_HEADING_ATTRIBUTES;
    options.set(Options::ENABLE_SMART_PUNCTUATION, smart_punctuation);
    options
}

/// Scans one article.
pub(in crate::content) fn scan(markdown: &str) -> Scan {
    let mut scanner = Scanner {
        markdown,
        place: (0, 0),
        code: Vec::new(),
        depth: 0,
        html_depth: 0,
        heading: None,
        heading_ids: HeadingIds::default(),
        alt: None,
        anchors: Vec::new(),
        found: Scan::default(),
    };
    for (event, range) in Parser::new_ext(markdown, options(false)).into_offset_iter() {
        scanner.event(event, range);
    }
    scanner.shortcodes();
    scanner.found.anchors = Anchors::new(&scanner.anchors);
    scanner.found.may_refer_to_more |= has_controls(markdown);
    scanner.found
}

struct Scanner<'a> {
    markdown: &'a str,
    /// The place that was asked for last, and its line.
    place: (usize, u32),
    /// Where code stands, in order.
    code: Vec<Range<usize>>,
    depth: usize,
    html_depth: usize,
    /// Own id and text of the heading that is open.
    heading: Option<(Option<String>, String)>,
    heading_ids: HeadingIds,
    /// The picture that is open: its text is the alternative.
    alt: Option<PictureRef>,
    /// Keys and ids.
    anchors: Vec<(String, String)>,
    found: Scan,
}

impl Scanner<'_> {
    /// The line of a place. Nearly all are asked for in their order, so that
    /// each line is counted once.
    fn line(&mut self, offset: usize) -> u32 {
        let (last, line) = match self.place {
            (last, line) if last <= offset => (last, line),
            _ => (0, 0),
        };
        let between = &self.markdown.as_bytes()[last..offset];
        let more = memchr::memchr_iter(b'\n', between).count();
        let line = line.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.place = (offset, line);
        line
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Code(text) => {
                self.code.push(range);
                self.text(&text);
            }
            Event::Text(text) => self.text(&text),
            Event::InlineHtml(_) => self.html(range),
            Event::FootnoteReference(_)
            | Event::Html(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        self.depth += 1;
        self.deepest();
        match tag {
            Tag::CodeBlock(_) => self.code.push(range),
            Tag::HtmlBlock => self.html(range),
            Tag::Heading { id, .. } => {
                self.heading = Some((id.map(|id| id.into_string()), String::new()));
            }
            Tag::Link {
                dest_url,
                link_type,
                ..
            } if link_type != LinkType::Email => {
                let line = self.line(range.start);
                self.found.links.push((dest_url.into_string(), line));
            }
            Tag::Image { dest_url, .. } => {
                self.alt = Some(PictureRef {
                    src: dest_url.into_string(),
                    has_alt: false,
                    line: self.line(range.start),
                });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        self.depth = self.depth.saturating_sub(1);
        match tag {
            TagEnd::Heading(_) => {
                let (own, heading) = self.heading.take().unwrap_or_default();
                self.found.has_pictograms |= has_pictograms(&heading);
                let id = self.heading_ids.next(own.as_deref(), &heading);
                let id = id.unwrap_or_default();
                for key in [anchor_key(&id), anchor_key(&heading)] {
                    self.anchor(key, &id);
                }
            }
            TagEnd::Image => self.found.pictures.extend(self.alt.take()),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(picture) = &mut self.alt {
            picture.has_alt |= !text.trim().is_empty();
        }
        if let Some((_, heading)) = &mut self.heading {
            heading.push_str(text);
        }
    }

    fn deepest(&mut self) {
        self.found.depth = self.found.depth.max(self.depth + self.html_depth);
    }

    fn anchor(&mut self, key: String, id: &str) {
        if !key.is_empty() {
            self.anchors.push((key, id.to_owned()));
        }
    }

    /// Links, pictures and anchors of raw HTML.
    fn html(&mut self, range: Range<usize>) {
        let first = self.line(range.start);
        self.found.may_refer_to_more |= !is_more(&self.markdown[range.clone()]);
        for piece in html::pieces(&self.markdown[range]) {
            let line = first + piece.line;
            match piece.kind {
                Kind::Open(name, attributes) => self.html_tag(&name, attributes, line),
                Kind::Close(name) if counts(&name) => {
                    self.html_depth = self.html_depth.saturating_sub(1);
                }
                Kind::Close(_) | Kind::Text(_) => {}
            }
        }
    }

    fn html_tag(&mut self, name: &str, attributes: Vec<(String, String)>, line: u32) {
        if counts(name) {
            self.html_depth += 1;
            self.deepest();
        }
        let mut src = None;
        let mut set = None;
        let mut has_alt = false;
        for (key, value) in attributes {
            match (name, key.as_str()) {
                ("a", "href") => self.found.links.push((value, line)),
                ("img", "src") => src = Some(value),
                ("img", "srcset") => set = Some(value),
                // An empty `alt` says that the picture is decoration.
                ("img", "alt") => has_alt = true,
                (_, "id") | ("a", "name") => self.anchor(anchor_key(&value), &value),
                _ => {}
            }
        }
        // Other sizes of the picture, whose `alt` is looked at once.
        let set = set.unwrap_or_default();
        let others = html::candidates(&set).filter(|(other, _)| !other.is_empty());
        let others = others.filter(|(other, _)| Some(*other) != src.as_deref());
        let others = others.map(|(other, _)| PictureRef {
            src: other.to_owned(),
            has_alt: true,
            line,
        });
        self.found.pictures.extend(others);
        self.found
            .pictures
            .extend(src.map(|src| PictureRef { src, has_alt, line }));
    }

    /// `{{ x() }}`, `{% x %}`, `{{< x >}}` and `{{% x %}}` outside code.
    fn shortcodes(&mut self) {
        let mut at = 0;
        while let Some(found) = self.markdown[at..].find('{') {
            let start = at + found;
            at = start + 1;
            if !self.markdown[at..].starts_with(['{', '%']) {
                continue;
            }
            at += 1;
            let next_code = self.code.partition_point(|code| code.end <= start);
            if let Some(code) = self.code.get(next_code).filter(|code| code.start <= start) {
                at = at.max(code.end);
                continue;
            }
            if let Some(name) = shortcode(&self.markdown[start..]) {
                let line = self.line(start);
                self.found.shortcodes.push((name.to_owned(), line));
            }
        }
    }
}

/// Whether raw HTML is the mark that ends the summary.
pub(in crate::content) fn is_more(html: &str) -> bool {
    let inner = html
        .trim()
        .strip_prefix("<!--")
        .and_then(|rest| rest.strip_suffix("-->"));
    inner.is_some_and(|inner| inner.trim() == "more")
}

/// Whether a heading has emoji, arrows and the like, also written as `:crab:`.
fn has_pictograms(heading: &str) -> bool {
    let is_sign = |c: char| matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}');
    let is_name =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    heading.chars().any(is_sign) || heading.split(':').skip(1).any(is_name)
}

/// Elements whose nesting counts; the others close themselves.
fn counts(name: &str) -> bool {
    !html::is_void(name)
        && !matches!(
            name,
            "p" | "li" | "dt" | "dd" | "td" | "th" | "tr" | "tbody" | "thead" | "option"
        )
}

/// The name of the shortcode that `text` begins with.
fn shortcode(text: &str) -> Option<&str> {
    let is_block = text.starts_with("{%");
    let inner = &text[2..];
    let end = inner.find(if is_block { "%}" } else { "}}" })?;
    let inner = &inner[..end];
    let is_hugo = !is_block && inner.starts_with(['<', '%']);
    let inner = inner.trim_start_matches(['<', '%', '/', '-', ' ', '\t', '\n']);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let length = inner.find(|c| !is_part(c)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(length);
    let is_call = is_hugo || is_block || rest.trim_start().starts_with('(');
    // The end of a block was reported at its beginning.
    let is_end = is_block && name.starts_with("end");
    (is_call && !is_end && name.starts_with(|c: char| c.is_alphabetic())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_pictures_are_found_in_markdown_and_html() {
        let found = scan(
            "# A *b*! {#own}\n\n[x](a.md) ![](p.png) ![alt](q.png)\n\n\
             <figure>\n<img\n src=\"r.png\" srcset=\"r.png 1x, r2.png 2x\" alt=\"\"></figure>\n\n\
             Text <a href=\"/y/\" id=\"z-1\">y</a> <img src=s.png> <me@example.org>\n\n[r]\n\n[r]: b.md\n",
        );
        assert_eq!(
            found.links,
            [
                ("a.md".to_owned(), 2),
                ("/y/".to_owned(), 8),
                ("b.md".to_owned(), 10)
            ]
        );
        let pictures: Vec<_> = found
            .pictures
            .iter()
            .map(|p| (p.src.as_str(), p.has_alt, p.line))
            .collect();
        assert_eq!(
            pictures,
            [
                ("p.png", false, 2),
                ("q.png", true, 2),
                ("r2.png", true, 6),
                ("r.png", true, 6),
                ("s.png", false, 8)
            ]
        );
        assert_eq!(found.anchors.lines(), "own\nab\town\nz-1\n");
        assert!(found.may_refer_to_more);
        assert!(!scan("[x](a.md)\n\n<!-- more -->\n").may_refer_to_more);
    }

    #[test]
    fn shortcodes_are_found_outside_code_only() {
        for (text, names) in [
            ("{{ youtube(id=\"x_y\") }}", &["youtube"][..]),
            ("{% quote(author=\"A\") %}x{% end %}", &["quote"]),
            ("{% include a.html %}", &["include"]),
            ("{{< figure src=\"a\" >}} {{% note %}}", &["figure", "note"]),
            ("{{ page.title }} and {{closure}} and {{", &[]),
            (
                "`{{ a() }}`\n\n```\n{{ b() }}\n```\n\n    {% c %}\n\n{{ d() }}",
                &["d"],
            ),
            ("``` {{ a() }}\nx\n```", &[]),
        ] {
            let found = scan(text);
            let found: Vec<&str> = found.shortcodes.iter().map(|(n, _)| n.as_str()).collect();
            assert_eq!(found, names, "{text}");
        }
    }

    #[test]
    fn depth_counts_markdown_and_html() {
        assert!(
            scan(&"> ".repeat(150)).depth >= 100
                || scan(&format!("{}x", "> ".repeat(150))).depth > 100
        );
        assert!(scan(&format!("{}x", "<div>".repeat(150))).depth > 100);
        assert!(scan(&format!("a {}x", "<b>".repeat(150))).depth > 100);
        assert!(scan(&"<p>a<br>\n\n- b\n\n".repeat(150)).depth < 10);
    }
}
