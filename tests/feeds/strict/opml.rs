//! OPML 2.0 as a list of subscriptions.

use std::collections::BTreeSet;

use super::Judge;

pub(super) fn check(judge: &mut Judge<'_>, bytes: &[u8]) {
    let root = judge.xml(bytes, &[]);
    let is_opml = root.name == "opml" && root.attribute("version") == "2.0";
    judge.expect(is_opml, "no OPML 2.0");
    judge.line(root.one("head").text_of("title"), "title");
    let mut feeds = BTreeSet::new();
    for outline in root.one("body").all("outline") {
        for name in ["text", "title", "type", "xmlUrl"] {
            let has = outline.attributes.contains_key(name);
            judge.expect(has, format!("an outline without {name}"));
        }
        let of = |name: &str| outline.attributes.get(name).map_or("", String::as_str);
        judge.expect(
            of("type") == "rss",
            format!("an outline of type {}", of("type")),
        );
        judge.line(of("text"), "text");
        judge.address(of("xmlUrl"), "xmlUrl");
        judge.address(of("htmlUrl"), "htmlUrl");
        judge.expect(
            feeds.insert(of("xmlUrl")),
            format!("{} twice", of("xmlUrl")),
        );
    }
    judge.expect(!feeds.is_empty(), "an empty list");
}
