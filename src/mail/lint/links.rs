//! Where the links of a letter lead, and that a reader of the text part has
//! them, too.

use std::collections::BTreeSet;

use url::Url;

use super::{Finding, Lead, Measure, Part, Rule, excerpt, page::Page};
use crate::mail::render::Rendered;

/// Finds links that do not work from a mailbox.
pub(super) fn check(
    letter: &Rendered,
    measure: &Measure<'_>,
    page: &Page,
    found: &mut Vec<Finding>,
) {
    let mut told = BTreeSet::new();
    for element in &page.elements {
        let attributes = ["href", "src", "background"].map(|name| element.attribute(name));
        for address in attributes.into_iter().flatten() {
            if !told.insert(address) {
                continue;
            }
            let is_link = element.name == "a";
            let finding = match address.trim().strip_prefix('#') {
                Some(place) if is_link => anchor(page, place, address),
                _ => followed(measure, address, is_link),
            };
            found.extend(finding.map(|one| one.at(element.line).about(address)));
        }
    }
    in_text(letter, page, found);
}

fn anchor(page: &Page, place: &str, address: &str) -> Option<Finding> {
    let names = |element: &super::page::Element| {
        let named = ["id", "name"].map(|name| element.attribute(name));
        named.contains(&Some(place))
    };
    if place.eq_ignore_ascii_case("top") || page.elements.iter().any(names) {
        return None;
    }
    let what = match place {
        "" => "a link leads to `#`, which is nowhere".to_owned(),
        _ => format!("the link `{address}` leads to no place in the letter"),
    };
    let remedy = "give the place this `id`, or link to a page";
    Some(Finding::error(Rule::Anchor, Part::Html, what, remedy))
}

fn followed(measure: &Measure<'_>, address: &str, is_link: bool) -> Option<Finding> {
    let shown = excerpt(address);
    let error = |what, remedy| Some(Finding::error(Rule::Link, Part::Html, what, remedy));
    let Ok(url) = Url::parse(address.trim()) else {
        return error(
            format!("the address `{shown}` is not absolute: in a mailbox it leads nowhere"),
            "begin it with `https://`, or with `{{ publication.base_url }}`",
        );
    };
    match url.scheme() {
        "http" | "https" => {}
        "mailto" if is_link => return None,
        "cid" if !is_link => return None,
        scheme => {
            return error(
                format!("`{shown}` begins with `{scheme}:`, which mail clients refuse"),
                "use an http, https or mailto address",
            );
        }
    }
    let is_reader_page = measure
        .settings
        .public_url
        .as_ref()
        .is_some_and(|base| url.as_str().starts_with(base.as_str()));
    // What stands behind pictures was looked at when the articles were read.
    if !is_link || is_reader_page {
        return None;
    }
    let (what, remedy) = match (measure.leads)(&url) {
        Lead::There => return None,
        Lead::Nowhere => (
            format!("the link `{shown}` leads to no page or file of the publication"),
            "correct it; if another program serves that page, all is well",
        ),
        Lead::NoSuchHeading => (
            format!("the link `{shown}` names a heading that its page does not have"),
            "correct what follows `#`",
        ),
    };
    Some(Finding::warning(Rule::DeadLink, Part::Html, what, remedy))
}

/// Readers of the text part get every address that the HTML part has.
fn in_text(letter: &Rendered, page: &Page, found: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (_, link) in page.all("a") {
        let href = link.attribute("href").unwrap_or_default();
        let is_web = href.starts_with("https://") || href.starts_with("http://");
        let plain = href.trim_end_matches('/');
        if is_web && !letter.text.contains(plain) && told.insert(href) {
            let what = format!("the text part lacks the link `{}`", excerpt(href));
            let remedy = "print it in the kind's `issue.txt`, too";
            let finding = Finding::warning(Rule::TextLinks, Part::Html, what, remedy);
            found.push(finding.at(link.line).about(href));
        }
    }
}
