//! JSON Feed 1.1.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Judge;

const IN_FEED: &str = "version title home_page_url feed_url description icon language authors \
    hubs items";
const IN_ITEM: &str = "id url external_url title content_html content_text summary image \
    banner_image date_published date_modified authors tags language attachments";
const IN_ATTACHMENT: &str = "url mime_type title size_in_bytes duration_in_seconds";

pub(super) fn check(judge: &mut Judge<'_>, bytes: &[u8]) {
    let feed: Value = serde_json::from_slice(bytes).unwrap();
    known(judge, &feed, IN_FEED);
    let version = &feed["version"];
    judge.expect(
        version == "https://jsonfeed.org/version/1.1",
        "no JSON Feed 1.1",
    );
    let own = judge.own();
    judge.expect(feed["feed_url"] == own.as_str(), "feed_url is another");
    judge.address(text(&feed["home_page_url"]), "home_page_url");
    judge.line(text(&feed["title"]), "title");
    judge.language(text(&feed["language"]));
    authors(judge, &feed["authors"]);
    for hub in list(&feed["hubs"]) {
        judge.line(text(&hub["type"]), "the type of a hub");
        judge.address(text(&hub["url"]), "the hub");
    }
    let mut ids = BTreeSet::new();
    judge.expect(feed["items"].is_array(), "no items");
    for item in list(&feed["items"]) {
        self::item(judge, item, &mut ids);
    }
}

fn known(judge: &mut Judge<'_>, object: &Value, names: &str) {
    for key in object.as_object().unwrap().keys() {
        let is_known = key.starts_with('_') || names.split_whitespace().any(|name| name == key);
        judge.expect(is_known, format!("an unknown key {key}"));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn authors(judge: &mut Judge<'_>, authors: &Value) {
    let count = list(authors).count();
    judge.expect(count > 0, "no authors");
    for author in list(authors) {
        judge.line(text(&author["name"]), "name");
        let url = text(&author["url"]);
        if !url.is_empty() && !url.starts_with("mailto:") {
            judge.address(url, "the page of an author");
        }
    }
}

fn item<'v>(judge: &mut Judge<'_>, item: &'v Value, ids: &mut BTreeSet<&'v str>) {
    known(judge, item, IN_ITEM);
    judge.id(text(&item["id"]), ids);
    judge.line(text(&item["title"]), "title");
    for key in ["url", "external_url", "image", "banner_image"] {
        if let Some(address) = item[key].as_str() {
            judge.address(address, key);
        }
    }
    judge.expect(item["url"].is_string(), "an item without url");
    authors(judge, &item["authors"]);
    let published = judge.moment(text(&item["date_published"]), "date_published");
    let modified = judge.moment(text(&item["date_modified"]), "date_modified");
    judge.expect(published <= modified, "changed before it was published");
    match (&item["content_html"], &item["content_text"]) {
        (Value::String(html), Value::Null) => judge.content(html),
        (Value::Null, Value::String(_)) => {}
        _ => judge.complain("an item needs one of content_html and content_text"),
    }
    for tag in list(&item["tags"]) {
        judge.line(text(tag), "tag");
    }
    for attachment in list(&item["attachments"]) {
        known(judge, attachment, IN_ATTACHMENT);
        judge.address(text(&attachment["url"]), "an attachment");
        judge.media_type(text(&attachment["mime_type"]), "mime_type");
        judge.number(&attachment["size_in_bytes"].to_string(), "size_in_bytes");
    }
}
