//! Old addresses of articles: each leads to where the article is now.

use percent_encoding::percent_decode_str;
use tera::Value;

use super::{
    Input,
    claims::Claims,
    context::{href, map},
    site::{Draft, Head, Site},
    structured,
};
use crate::domain::{article::Article, publication::plain_file, text::one_line};

/// An old address.
pub(super) struct Planned<'a> {
    pub(super) file: String,
    article: &'a Article,
}

/// Every alias that nothing stands in the place of.
pub(super) fn plan<'a>(input: &Input<'a>, claims: &mut Claims) -> Vec<Planned<'a>> {
    let mut planned = Vec::new();
    for article in input.collection.articles() {
        for alias in &article.aliases {
            if let Some(file) = file_of(alias).filter(|file| claims.take(file)) {
                planned.push(Planned { file, article });
            }
        }
    }
    planned
}

/// `/old/path` as `old/path/index.html`, `old.html` as it is.
fn file_of(alias: &str) -> Option<String> {
    let path = alias.split(['?', '#']).next().unwrap_or(alias);
    let path = percent_decode_str(path.trim_start_matches('/'))
        .decode_utf8()
        .ok()?;
    let is_file = [".html", ".htm", ".xhtml", ".php"]
        .iter()
        .any(|end| path.ends_with(end));
    if is_file || path.ends_with('/') {
        plain_file(&path)
    } else {
        plain_file(&format!("{path}/"))
    }
    .filter(|file| file != "index.html")
}

/// A page that leads on.
pub(super) fn page<'a>(site: &'a Site<'a>, planned: &Planned<'_>) -> Draft<'a> {
    let article = planned.article;
    let publication = site.input.publication;
    let title = one_line(&article.title);
    let url = article.url.as_str();
    let target = href(&article.url, &publication.base_url);
    let own: Value = map([("title", title.as_str().into()), ("url", target.into())]);
    let head = Head {
        title: &title,
        description: "",
        url,
        kind: "website",
        section: None,
        trail: &[],
        streams: &[],
        image: None,
        structured: structured::collection(publication, "WebPage", (&title, "", url), &[]),
        properties: Vec::new(),
        style: "",
        is_listed: false,
    };
    site.draft(&planned.file, "redirect.html", head, [("target", own)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_names_a_file_below_the_output_folder_and_no_other() {
        for (alias, file) in [
            ("/old/path", Some("old/path/index.html")),
            ("old/path/", Some("old/path/index.html")),
            ("2019/old.html", Some("2019/old.html")),
            ("/caf%C3%A9/?x=1#y", Some("café/index.html")),
            ("../../etc/passwd", None),
            ("/%2e%2e/x", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(file_of(alias).as_deref(), file, "{alias}");
        }
    }
}
