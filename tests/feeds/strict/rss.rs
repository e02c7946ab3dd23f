//! RSS 2.0, the RSS Best Practices Profile, and the modules we use.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset};

use super::Judge;
use crate::tree::Node;

const NAMESPACES: [(&str, &str); 8] = [
    ("atom", "http://www.w3.org/2005/Atom"),
    ("content", "http://purl.org/rss/1.0/modules/content/"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("fh", "http://purl.org/syndication/history/1.0"),
    ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("media", "http://search.yahoo.com/mrss/"),
    ("podcast", "https://podcastindex.org/namespace/1.0"),
    ("sy", "http://purl.org/rss/1.0/modules/syndication/"),
];

const IN_CHANNEL: &str = "title link description language copyright pubDate lastBuildDate \
    generator image item atom:link dc:creator fh:archive sy:updatePeriod sy:updateFrequency \
    itunes:author itunes:category itunes:image itunes:explicit itunes:owner itunes:summary \
    itunes:type podcast:guid podcast:locked";
const IN_ITEM: &str = "title link description category guid pubDate enclosure content:encoded \
    media:content atom:updated atom:link dc:creator dc:language itunes:author itunes:duration \
    itunes:explicit itunes:image itunes:episode itunes:season itunes:episodeType itunes:summary \
    podcast:person podcast:transcript podcast:chapters";

pub(super) fn check(judge: &mut Judge<'_>, bytes: &[u8]) {
    let root = judge.xml(bytes, &NAMESPACES);
    judge.plain_references(bytes, &["title", "category", "dc:creator", "copyright"]);
    judge.expect(
        root.name == "rss" && root.attribute("version") == "2.0",
        "no RSS 2.0",
    );
    let channel = root.one("channel");
    known(judge, channel, IN_CHANNEL);
    each_once(
        judge,
        channel,
        &["title", "link", "description", "language"],
    );
    let first = channel
        .children
        .iter()
        .position(|child| child.name == "item");
    let behind = &channel.children[first.unwrap_or(channel.children.len())..];
    let are_items = behind.iter().all(|child| child.name == "item");
    judge.expect(are_items, "metadata behind the first item");
    judge.line(channel.text_of("title"), "title");
    judge.address(channel.text_of("link"), "link");
    judge.language(channel.text_of("language"));
    let links: Vec<&Node> = channel.all("atom:link").collect();
    judge.history(&links, channel.all("fh:archive").next().is_some());
    image(judge, channel);
    let mut newest = None;
    let mut ids = BTreeSet::new();
    let items: Vec<&Node> = channel.all("item").collect();
    for item in &items {
        newest = newest.max(self::item(judge, item, &mut ids));
    }
    for name in ["pubDate", "lastBuildDate"] {
        let said: Vec<_> = channel
            .all(name)
            .filter_map(|date| rfc_822(judge, &date.text))
            .collect();
        let expected: Vec<_> = newest.into_iter().collect();
        judge.expect(
            said == expected,
            format!("{name} is not that of the newest item"),
        );
    }
    let is_podcast = judge.file.ends_with("podcast.xml");
    let has_period =
        ["sy:updatePeriod", "sy:updateFrequency", "ttl"].map(|name| channel.all(name).count());
    let is_subscription = !judge.is_archive() && !is_podcast;
    judge.expect(
        has_period == [1, 1, 0] || !is_subscription,
        "readers are not told how often to ask",
    );
    let text = std::str::from_utf8(bytes).unwrap();
    if text.contains("<itunes:") {
        podcast(judge, channel, &items);
    }
}

fn known(judge: &mut Judge<'_>, node: &Node, names: &str) {
    for child in &node.children {
        let is_known = names.split_whitespace().any(|name| name == child.name);
        judge.expect(is_known, format!("{} holds {}", node.name, child.name));
    }
}

fn each_once(judge: &mut Judge<'_>, node: &Node, names: &[&str]) {
    for name in names {
        let count = node.all(name).count();
        judge.expect(count == 1, format!("{} holds {count} {name}", node.name));
    }
}

/// At most 144 by 400 pixels, and named as the channel.
fn image(judge: &mut Judge<'_>, channel: &Node) {
    for image in channel.all("image") {
        for name in ["title", "link"] {
            let is_same = image.text_of(name) == channel.text_of(name);
            judge.expect(is_same, format!("the {name} of the image is another"));
        }
        judge.address(image.text_of("url"), "the image");
        let width: u32 = image.text_of("width").parse().unwrap_or(u32::MAX);
        let height: u32 = image.text_of("height").parse().unwrap_or(u32::MAX);
        let is_svg = image.text_of("url").contains(".svg");
        judge.expect(
            width <= 144 && height <= 400 && !is_svg,
            "the image is not one of RSS",
        );
    }
}

/// Checks an item; when it last changed.
fn item<'n>(
    judge: &mut Judge<'_>,
    item: &'n Node,
    ids: &mut BTreeSet<&'n str>,
) -> Option<DateTime<FixedOffset>> {
    known(judge, item, IN_ITEM);
    each_once(judge, item, &["title", "link", "guid", "pubDate"]);
    judge.line(item.text_of("title"), "title");
    let link = item.text_of("link");
    judge.address(link, "link");
    let guid = item.one("guid");
    judge.id(&guid.text, ids);
    let permalink = guid.attributes.get("isPermaLink").map(String::as_str);
    judge.expect(
        permalink == (guid.text != link).then_some("false"),
        "isPermaLink is wrong",
    );
    let authors = item.all("dc:creator").count();
    judge.expect(authors > 0, format!("no author of {}", guid.text));
    for category in item.all("category") {
        judge.address(category.attribute("domain"), "the domain of a category");
        judge.line(&category.text, "category");
    }
    texts(judge, item);
    enclosure(judge, item);
    judge.picture(item);
    let published = rfc_822(judge, item.text_of("pubDate"));
    let updated = item
        .all("atom:updated")
        .filter_map(|at| judge.moment(&at.text, "atom:updated"));
    updated.max().or(published)
}

/// Summary before content, each at most once.
fn texts(judge: &mut Judge<'_>, item: &Node) {
    let at = |name: &str| -> Vec<usize> {
        let children = item.children.iter().enumerate();
        children
            .filter(|(_, child)| child.name == name)
            .map(|(at, _)| at)
            .collect()
    };
    let (summary, content) = (at("description"), at("content:encoded"));
    judge.expect(
        summary.len() <= 1 && content.len() <= 1,
        "two descriptions or contents",
    );
    judge.expect(
        content.is_empty() || summary < content,
        "no description before the content",
    );
    for summary in summary {
        judge.content(&item.children[summary].text);
    }
    for content in content {
        judge.content(&item.children[content].text);
    }
}

fn enclosure(judge: &mut Judge<'_>, item: &Node) {
    let enclosures: Vec<&Node> = item.all("enclosure").collect();
    judge.expect(enclosures.len() <= 1, "more than one enclosure");
    for enclosure in enclosures {
        judge.address(enclosure.attribute("url"), "the enclosure");
        judge.media_type(enclosure.attribute("type"), "the type of the enclosure");
        judge.number(enclosure.attribute("length"), "the length of the enclosure");
    }
}

/// `Fri, 04 Dec 2026 07:00:00 +0200`: four digits of year, a month in English,
/// the right day of the week, `GMT` or an offset.
fn rfc_822(judge: &mut Judge<'_>, text: &str) -> Option<DateTime<FixedOffset>> {
    // The library checks the day of the week.
    let at = DateTime::parse_from_rfc2822(text).ok();
    let fields: Vec<&str> = text.split(' ').collect();
    let zone = fields.last().copied().unwrap_or_default();
    let has_zone = zone == "GMT" || (zone.len() == 5 && zone.starts_with(['+', '-']));
    let has_year = fields.get(3).is_some_and(|year| year.len() == 4);
    match at.filter(|_| fields.len() == 6 && has_zone && has_year && text.as_bytes()[3] == b',') {
        Some(at) => {
            judge.not_later(at, "a date");
            Some(at)
        }
        None => {
            judge.complain(format!("no date of RFC 822: {text}"));
            None
        }
    }
}

/// One `itunes:` element demands the whole set.
fn podcast(judge: &mut Judge<'_>, channel: &Node, items: &[&Node]) {
    let needed = ["author", "category", "image", "explicit", "owner", "type"];
    each_once(
        judge,
        channel,
        &needed
            .map(|name| format!("itunes:{name}"))
            .each_ref()
            .map(String::as_str),
    );
    each_once(judge, channel, &["podcast:guid", "podcast:locked"]);
    judge.address(channel.one("itunes:image").attribute("href"), "the cover");
    let owner = channel.one("itunes:owner");
    each_once(judge, owner, &["itunes:name", "itunes:email"]);
    let guid = channel.text_of("podcast:guid");
    judge.expect(
        guid.len() == 36 && guid.matches('-').count() == 4,
        "podcast:guid is no UUID",
    );
    let is_truth = |text: &str| matches!(text, "true" | "false");
    judge.expect(
        is_truth(channel.text_of("itunes:explicit")),
        "itunes:explicit is no answer",
    );
    for item in items {
        each_once(
            judge,
            item,
            &["enclosure", "itunes:explicit", "itunes:episodeType"],
        );
        judge.expect(
            is_truth(item.text_of("itunes:explicit")),
            "itunes:explicit is no answer",
        );
        for number in ["duration", "episode", "season"] {
            for element in item.all(&format!("itunes:{number}")) {
                judge.number(&element.text, number);
            }
        }
        for linked in ["podcast:transcript", "podcast:chapters"] {
            for element in item.all(linked) {
                judge.address(element.attribute("url"), linked);
                judge.media_type(element.attribute("type"), linked);
            }
        }
    }
}
