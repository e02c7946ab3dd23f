//! A validator of our own, as strict as the strictest: what the W3C validator
//! warns of and what readers stumble over is a complaint.
//!
//! [`complaints`] reads every feed of an output folder; one file per format
//! knows its rules, this one what they share.

mod atom;
mod broken;
mod html;
mod json;
mod opml;
mod rss;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, FixedOffset, TimeDelta};
use url::Url;

use crate::tree::Node;

/// What is wrong with one document. Each complaint begins with its file.
pub(crate) struct Judge<'a> {
    file: &'a str,
    /// Address of the output folder; ends in `/`.
    base: &'a str,
    /// When it was built.
    at: DateTime<FixedOffset>,
    complaints: Vec<String>,
    /// Contents that were judged, since many feeds have the same.
    judged: HashSet<String>,
}

/// Everything wrong with the feeds among `files`, which are named by their path
/// below `base` and were built at `at`.
pub(crate) fn complaints(files: &BTreeMap<String, Vec<u8>>, base: &str, at: &str) -> Vec<String> {
    let mut judge = Judge::new(base, at);
    for (file, bytes) in files {
        judge.file(file, bytes);
    }
    judge.complaints
}

/// Everything wrong with one file; nothing if it is no feed.
fn complaints_of(file: &str, bytes: &[u8], base: &str, at: &str) -> Vec<String> {
    let mut judge = Judge::new(base, at);
    judge.file(file, bytes);
    judge.complaints
}

fn is_xml(name: &str) -> bool {
    name.ends_with(".xml")
}

impl<'a> Judge<'a> {
    fn new(base: &'a str, at: &str) -> Self {
        Self {
            file: "",
            base,
            at: at.parse().unwrap(),
            complaints: Vec::new(),
            judged: HashSet::new(),
        }
    }

    fn file(&mut self, file: &'a str, bytes: &[u8]) {
        self.file = file;
        let name = file.rsplit('/').next().unwrap();
        match name.split(['.', '-']).next().unwrap() {
            "rss" | "podcast" if is_xml(name) => rss::check(self, bytes),
            "atom" if is_xml(name) => atom::check(self, bytes),
            "feed" if name == "feed.json" => json::check(self, bytes),
            "feeds" if name == "feeds.opml" => opml::check(self, bytes),
            _ => {}
        }
    }

    fn complain(&mut self, what: impl AsRef<str>) {
        self.complaints
            .push(format!("{}: {}", self.file, what.as_ref()));
    }

    fn expect(&mut self, holds: bool, what: impl AsRef<str>) {
        if !holds {
            self.complain(what);
        }
    }

    /// The public address of the document.
    fn own(&self) -> String {
        format!("{}{}", self.base, self.file)
    }

    fn is_archive(&self) -> bool {
        self.file.contains("archive/")
    }

    /// An address in ASCII as RFC 3986 allows it, absolute and normal: lower
    /// case host, no default port, a path.
    fn address(&mut self, address: &str, of: &str) {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
        let is_normal = Url::parse(address)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.as_str() == address);
        if !is_normal || !address.bytes().all(is_plain) {
            self.complain(format!("{of} is no proper address: {address}"));
        }
    }

    /// RFC 3339 with seconds, `T` and `Z`, and not in the future.
    fn moment(&mut self, text: &str, of: &str) -> Option<DateTime<FixedOffset>> {
        let parsed = DateTime::parse_from_rfc3339(text).ok();
        let is_upper = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
        match parsed.filter(|_| is_upper) {
            Some(at) => {
                self.not_later(at, of);
                Some(at)
            }
            None => {
                self.complain(format!("{of} is no RFC 3339 date: {text}"));
                None
            }
        }
    }

    fn not_later(&mut self, at: DateTime<FixedOffset>, of: &str) {
        let latest = self.at + TimeDelta::minutes(10);
        self.expect(at <= latest, format!("{of} is in the future: {at}"));
    }

    /// What all XML documents must hold to; the parsed document.
    fn xml(&mut self, bytes: &[u8], namespaces: &[(&str, &str)]) -> Node {
        let text = std::str::from_utf8(bytes).unwrap();
        let declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
        self.expect(
            text.starts_with(declaration),
            "the XML declaration is another",
        );
        let odd = text
            .chars()
            .find(|c| c.is_control() && !matches!(*c, '\n' | '\t'));
        self.expect(odd.is_none(), format!("a control character: {odd:?}"));
        let root = Node::root(bytes);
        for (name, uri) in &root.attributes {
            let Some(prefix) = name.strip_prefix("xmlns:") else {
                continue;
            };
            let is_known = namespaces.contains(&(prefix, uri.as_str()));
            self.expect(is_known, format!("an unknown namespace {prefix}: {uri}"));
        }
        let mut prefixes = BTreeSet::new();
        collect_prefixes(&root, &mut prefixes);
        for prefix in prefixes {
            let is_declared = root.attributes.contains_key(&format!("xmlns:{prefix}"));
            self.expect(is_declared, format!("nobody declares {prefix}:"));
        }
        root
    }

    /// Plain text that no reader takes for HTML: `&` and `<` by number.
    fn plain_references(&mut self, bytes: &[u8], elements: &[&str]) {
        let text = std::str::from_utf8(bytes).unwrap();
        for element in elements {
            let end = format!("</{element}>");
            for part in text.split(&format!("<{element}")).skip(1) {
                let Some((attributes, inner)) = part.split_once('>') else {
                    continue;
                };
                let is_it = attributes.is_empty() || attributes.starts_with(' ');
                let inner = match attributes.ends_with('/') {
                    true => "",
                    false => inner.split(&end).next().unwrap(),
                };
                let label = attributes.split(" label=").nth(1).unwrap_or_default();
                let is_named = [inner, label]
                    .iter()
                    .any(|text| text.contains("&amp;") || text.contains("&lt;"));
                self.expect(
                    !(is_it && is_named),
                    format!("{element} with a named reference: {inner}{label}"),
                );
            }
        }
    }

    /// An id that stays: unique, and of a `tag:` URI in lower case.
    fn id<'t>(&mut self, id: &'t str, seen: &mut BTreeSet<&'t str>) {
        self.expect(seen.insert(id), format!("two articles with the id {id}"));
        if let Some(authority) = id.strip_prefix("tag:").and_then(|id| id.split(':').next()) {
            let is_lower = !authority.bytes().any(|byte| byte.is_ascii_uppercase());
            self.expect(
                is_lower && authority.contains(','),
                format!("an odd authority: {id}"),
            );
        }
        self.expect(
            Url::parse(id).is_ok() && id.is_ascii(),
            format!("an id that is no URI: {id}"),
        );
    }

    /// Text in one line, without what HTML would make of it.
    fn line(&mut self, text: &str, of: &str) {
        let is_one = !text.is_empty() && text.trim() == text && !text.contains('\n');
        self.expect(is_one, format!("{of} is not one line: {text:?}"));
    }

    fn number(&mut self, text: &str, of: &str) {
        let is_number = text.parse::<u64>().is_ok_and(|number| number > 0);
        self.expect(is_number, format!("{of} is no number: {text}"));
    }

    fn media_type(&mut self, text: &str, of: &str) {
        let is_one = text.split_once('/').is_some_and(|(kind, sub)| {
            !kind.is_empty() && !sub.is_empty() && !text.contains([' ', ';'])
        });
        self.expect(is_one, format!("{of} is no media type: {text}"));
    }

    fn language(&mut self, tag: &str) {
        let mut parts = tag.split('-');
        let is_tag = parts
            .next()
            .is_some_and(|first| (2..=3).contains(&first.len()))
            && parts.all(|part| (2..=8).contains(&part.len()));
        self.expect(is_tag, format!("no language tag: {tag}"));
    }

    /// The picture of an article in Media RSS.
    fn picture(&mut self, item: &Node) {
        let pictures: Vec<&Node> = item.all("media:content").collect();
        self.expect(pictures.len() <= 1, "more than one hero picture");
        for picture in pictures {
            for (name, value) in &picture.attributes {
                match name.as_str() {
                    "url" => self.address(value, "media:content"),
                    "type" => self.media_type(value, "the type of media:content"),
                    "fileSize" | "width" | "height" => self.number(value, name),
                    "medium" => self.expect(value == "image", format!("medium is {value}")),
                    _ => self.complain(format!("media:content has {name}")),
                }
            }
            for needed in ["url", "type", "medium"] {
                let has = picture.attributes.contains_key(needed);
                self.expect(has, format!("media:content without {needed}"));
            }
            for child in &picture.children {
                let is_known = matches!(
                    child.name.as_str(),
                    "media:title" | "media:description" | "media:credit"
                );
                self.expect(is_known, format!("media:content holds {}", child.name));
                self.line(&child.text, &child.name);
            }
        }
    }

    /// Where the document says it stands in its history (RFC 5005, 4).
    fn history(&mut self, links: &[&Node], has_mark: bool) {
        let is_archive = self.is_archive();
        let of = |rel: &str| -> Vec<&str> {
            let these = links.iter().filter(|link| link.attribute("rel") == rel);
            these.map(|link| link.attribute("href")).collect()
        };
        self.expect(
            of("self") == [self.own()],
            format!("self is {:?}", of("self")),
        );
        self.expect(
            has_mark == is_archive,
            "fh:archive stands where it may not, or is missing",
        );
        self.expect(
            of("current").len() == usize::from(is_archive),
            "current of no archive, or missing",
        );
        self.expect(of("prev-archive").len() <= 1, "two older archives");
        self.expect(
            of("next-archive").len() <= usize::from(is_archive),
            "next-archive of no archive",
        );
        for link in links {
            self.address(link.attribute("href"), "a link");
            let rel = link.attribute("rel");
            let has_type = link.attributes.contains_key("type");
            self.expect(
                has_type || rel == "hub",
                format!("a {rel} link without type"),
            );
        }
    }
}

fn collect_prefixes<'n>(node: &'n Node, prefixes: &mut BTreeSet<&'n str>) {
    let names = std::iter::once(&node.name).chain(node.attributes.keys());
    for prefix in names.filter_map(|name| name.split_once(':').map(|(prefix, _)| prefix)) {
        if !matches!(prefix, "xml" | "xmlns") {
            prefixes.insert(prefix);
        }
    }
    for child in &node.children {
        collect_prefixes(child, prefixes);
    }
}
