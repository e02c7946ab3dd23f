//! Atom 1.0 beyond the grammar of RFC 4287, which is tested with a schema.

use std::collections::BTreeSet;

use super::Judge;
use crate::tree::Node;

const NAMESPACES: [(&str, &str); 3] = [
    ("at", "http://purl.org/atompub/tombstones/1.0"),
    ("fh", "http://purl.org/syndication/history/1.0"),
    ("media", "http://search.yahoo.com/mrss/"),
];

pub(super) fn check(judge: &mut Judge<'_>, bytes: &[u8]) {
    let feed = judge.xml(bytes, &NAMESPACES);
    judge.plain_references(
        bytes,
        &["title", "subtitle", "rights", "name", "summary", "category"],
    );
    let is_atom = feed.attribute("xmlns") == "http://www.w3.org/2005/Atom";
    judge.expect(feed.name == "feed" && is_atom, "no Atom feed");
    judge.language(feed.attribute("xml:lang"));
    let first = feed.children.iter().position(|child| child.name == "entry");
    let behind = &feed.children[first.unwrap_or(feed.children.len())..];
    judge.expect(
        behind.iter().all(|child| child.name == "entry"),
        "metadata behind the first entry",
    );
    let links: Vec<&Node> = feed.all("link").collect();
    judge.history(&links, feed.all("fh:archive").next().is_some());
    one_alternate(judge, &feed);
    for picture in ["icon", "logo"] {
        for picture in feed.all(picture) {
            judge.address(&picture.text, &picture.name);
        }
    }
    let mut ids = BTreeSet::new();
    let mut times = BTreeSet::new();
    judge.id(feed.text_of("id"), &mut BTreeSet::new());
    for entry in feed.all("entry") {
        self::entry(judge, entry, &mut ids);
        let updated = judge.moment(entry.text_of("updated"), "updated");
        if let Some(at) = updated {
            judge.expect(times.insert(at), format!("two entries updated at {at}"));
        }
    }
    let own = judge.moment(feed.text_of("updated"), "updated");
    let newest = times.last().copied();
    judge.expect(
        newest.is_none() || own == newest,
        "updated is not that of the newest entry",
    );
    tombstones(judge, &feed, &ids);
}

fn one_alternate(judge: &mut Judge<'_>, node: &Node) {
    let pages = node
        .all("link")
        .filter(|link| link.attribute("rel") == "alternate");
    let count = pages.count();
    judge.expect(count == 1, format!("{} has {count} alternates", node.name));
}

fn entry<'n>(judge: &mut Judge<'_>, entry: &'n Node, ids: &mut BTreeSet<&'n str>) {
    let id = entry.text_of("id");
    judge.id(id, ids);
    let title = entry.one("title");
    judge.line(&title.text, "title");
    let is_text = title
        .attributes
        .get("type")
        .is_none_or(|kind| kind == "text");
    judge.expect(is_text, "a title that is not plain text");
    one_alternate(judge, entry);
    for link in entry.all("link") {
        judge.address(link.attribute("href"), "a link");
        judge.media_type(link.attribute("type"), "the type of a link");
        let is_enclosure = link.attribute("rel") == "enclosure";
        if is_enclosure {
            let length = link.attributes.get("length").map_or("none", String::as_str);
            judge.number(length, "the length of the enclosure");
        }
    }
    let authors: Vec<&Node> = entry.all("author").collect();
    judge.expect(!authors.is_empty(), format!("no author of {id}"));
    for author in authors {
        judge.line(author.text_of("name"), "name");
        for uri in author.all("uri") {
            judge.address(&uri.text, "uri");
        }
    }
    for category in entry.all("category") {
        judge.address(category.attribute("scheme"), "the scheme of a category");
        judge.line(category.attribute("label"), "label");
        judge.line(category.attribute("term"), "term");
    }
    let published = judge.moment(entry.text_of("published"), "published");
    let updated = judge.moment(entry.text_of("updated"), "updated");
    judge.expect(
        published <= updated,
        format!("{id} changed before it was published"),
    );
    for content in entry.all("content") {
        judge.expect(
            content.attribute("type") == "html",
            "content that is no HTML",
        );
        judge.content(&content.text);
    }
    let has_words = ["content", "summary"]
        .iter()
        .any(|name| entry.all(name).next().is_some());
    let has_page = entry.all("link").next().is_some();
    judge.expect(has_words || has_page, "neither words nor a page");
    judge.picture(entry);
}

/// RFC 6721, 3: what is gone has a time, and is not shown.
fn tombstones(judge: &mut Judge<'_>, feed: &Node, ids: &BTreeSet<&str>) {
    for stone in feed.all("at:deleted-entry") {
        let gone = stone.attribute("ref");
        judge.moment(stone.attribute("when"), "when");
        judge.expect(
            !ids.contains(gone),
            format!("{gone} is both gone and there"),
        );
    }
}
