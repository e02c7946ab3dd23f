//! Parameters of links (`utm_source` and the like) that lead to the
//! publication itself: written into the address, seen by everybody, and the
//! same for all readers. Nothing is counted, nothing redirected.

use std::borrow::Cow;

use url::Url;

use super::tags::{Attributes, rewritten, with_value};
use crate::domain::text::{cut, one_line};

/// Most characters of a value.
const LONGEST_VALUE: usize = 200;

/// The parameters of one issue, and whose links get them.
pub(super) struct Linking<'a> {
    base_url: &'a Url,
    params: Vec<(&'a str, String)>,
}

impl<'a> Linking<'a> {
    /// Parameters for links to the host of `base_url`; a value that came out
    /// empty is left out.
    pub(super) fn new(base_url: &'a Url, params: impl Iterator<Item = (&'a str, String)>) -> Self {
        let params = params.map(|(name, value)| (name, cut(&one_line(&value), LONGEST_VALUE)));
        Self {
            base_url,
            params: params.filter(|(_, value)| !value.is_empty()).collect(),
        }
    }

    /// Names and values, as they are added.
    pub(super) fn params(&self) -> Vec<(String, String)> {
        let params = self.params.iter();
        params
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// HTML whose links to the publication have the parameters. What stands
    /// for a reader's own links is no address yet, and stays.
    pub(super) fn in_html<'h>(&self, html: &'h str) -> Cow<'h, str> {
        if self.params.is_empty() {
            return Cow::Borrowed(html);
        }
        Cow::Owned(rewritten(html, |tag| {
            // Outlook's buttons are drawings that lead somewhere.
            let links = ["a", "v:roundrect"].into_iter();
            let mut links = links.filter(|name| Attributes::of(tag, name).is_some());
            let name = links.next()?;
            let href = Attributes::of(tag, name)?.value("href")?;
            with_value(tag, name, "href", &self.marked(&href)?)
        }))
    }

    /// Text whose addresses of the publication have the parameters.
    pub(super) fn in_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.params.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = next_address(rest) {
            let (before, from) = rest.split_at(start);
            let end = from.find(ends_address).unwrap_or(from.len());
            // A full stop after an address ends the sentence.
            let address = from[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'']);
            out.push_str(before);
            match self.marked(address) {
                Some(marked) => out.push_str(&marked),
                None => out.push_str(address),
            }
            rest = &from[address.len()..];
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// The address with the parameters; `None` for one that leads elsewhere or
    /// has them all.
    fn marked(&self, address: &str) -> Option<String> {
        let mut url = Url::parse(address).ok()?;
        let is_web = matches!(url.scheme(), "https" | "http");
        if !is_web || !is_same_host(&url, self.base_url) {
            return None;
        }
        // What the author wrote counts.
        let own: Vec<String> = url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        let missing = self
            .params
            .iter()
            .filter(|(name, _)| !own.iter().any(|n| n == name));
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return None;
        }
        url.query_pairs_mut().extend_pairs(missing);
        Some(url.into())
    }
}

/// The address without these parameters.
pub(super) fn without(mut url: Url, params: &[(String, String)]) -> Url {
    let is_added =
        |(name, value): &(String, String)| params.iter().any(|(n, v)| n == name && v == value);
    let pairs = url.query_pairs().into_owned();
    let (added, own): (Vec<_>, Vec<_>) = pairs.partition(is_added);
    if !added.is_empty() {
        match own.is_empty() {
            true => url.set_query(None),
            false => drop(url.query_pairs_mut().clear().extend_pairs(own)),
        }
    }
    url
}

/// With or without `www.` it is one publication.
fn is_same_host(url: &Url, base_url: &Url) -> bool {
    let bare = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    // A port of its own is a site of its own; http and https are one.
    bare(url) == bare(base_url) && url.port() == base_url.port()
}

fn next_address(text: &str) -> Option<usize> {
    let starts = ["https://", "http://"];
    starts.iter().filter_map(|start| text.find(start)).min()
}

fn ends_address(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linking(base: &Url) -> Linking<'_> {
        let params = [
            ("utm_campaign", "weekly-7 & more".to_owned()),
            ("utm_medium", "email".to_owned()),
            ("utm_term", "  ".to_owned()),
        ];
        Linking::new(base, params.into_iter())
    }

    const ADDED: &str = "utm_campaign=weekly-7+%26+more&utm_medium=email";

    #[test]
    fn links_to_the_publication_get_parameters_before_the_fragment_and_after_a_query() {
        let base: Url = "https://magazine.example.org/".parse().unwrap();
        let linking = linking(&base);
        for (address, marked) in [
            (
                "https://magazine.example.org/a/",
                format!("https://magazine.example.org/a/?{ADDED}"),
            ),
            (
                "https://magazine.example.org/a/#fn-1",
                format!("https://magazine.example.org/a/?{ADDED}#fn-1"),
            ),
            (
                "https://magazine.example.org/a?x=1&y=%C3%A9",
                format!("https://magazine.example.org/a?x=1&y=%C3%A9&{ADDED}"),
            ),
            (
                "http://www.magazine.example.org/",
                format!("http://www.magazine.example.org/?{ADDED}"),
            ),
            (
                "https://magazine.example.org/?utm_medium=own",
                "https://magazine.example.org/?utm_medium=own&utm_campaign=weekly-7+%26+more"
                    .to_owned(),
            ),
        ] {
            assert_eq!(linking.marked(address), Some(marked));
        }
        for address in [
            "https://example.net/?u=https://magazine.example.org/",
            "https://magazine.example.org.example.net/",
            "https://magazine.example.org@example.net/",
            "https://magazine.example.org:8443/",
            "mailto:letters@magazine.example.org",
            "lpslotkeyuz",
            "cid:a@magazine.example.org",
            "#top",
        ] {
            assert_eq!(linking.marked(address), None, "{address}");
        }
    }

    #[test]
    fn what_was_added_can_be_taken_away() {
        let base: Url = "https://magazine.example.org/".parse().unwrap();
        let linking = linking(&base);
        for address in [
            "https://magazine.example.org/a/#x",
            "https://magazine.example.org/a/?b=1&c",
            "https://magazine.example.org/?utm_medium=own",
        ] {
            let marked = linking.marked(address).unwrap().parse().unwrap();
            let found = without(marked, &linking.params());
            assert_eq!(found.as_str().trim_end_matches('='), address);
        }
    }

    #[test]
    fn only_links_are_changed_and_text_keeps_its_full_stops() {
        let base: Url = "https://magazine.example.org/".parse().unwrap();
        let linking = linking(&base);
        let html = "<a class=\"x\" href=\"https://magazine.example.org/a?b=1&amp;c\">https://magazine.example.org/</a>\
                    <img src=\"https://magazine.example.org/p.png\"><a href=\"lpslotkeyuz\">Leave</a>";
        let marked = format!("b=1&amp;c&amp;{}", ADDED.replace('&', "&amp;"));
        assert_eq!(linking.in_html(html), html.replace("b=1&amp;c", &marked));
        let for_outlook = "<!--[if mso]><v:roundrect arcsize=\"8%\" href=\"https://magazine.example.org/a?b=1&amp;c\"><![endif]-->\
                           <!--[if !mso]><!--><a href=\"https://magazine.example.org/a?b=1&amp;c\"><!--<![endif]-->\
                           <!-- <a href=\"https://magazine.example.org/\"> -->";
        let found = linking.in_html(for_outlook);
        assert_eq!(found, for_outlook.replace("b=1&amp;c", &marked));
        assert_eq!(
            linking.in_text("See https://magazine.example.org/a/, or\n<https://magazine.example.org/b>. https://example.net/."),
            format!(
                "See https://magazine.example.org/a/?{ADDED}, or\n<https://magazine.example.org/b?{ADDED}>. https://example.net/."
            )
        );
    }
}
