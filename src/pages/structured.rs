//! What a page is about, told to machines: schema.org as JSON-LD.

use serde_json::{Value, json};
use url::Url;

use super::trail::Step;
use crate::domain::{
    article::{Article, Picture},
    publication::{Author, Publication},
    text::one_line,
};

/// An article with where it stands.
pub(super) fn article(
    publication: &Publication,
    article: &Article,
    (summary, section, language): (&str, Option<&str>, &str),
    trail: &[Step],
) -> String {
    let url = article.url.as_str();
    let tags: Vec<String> = article.tags.iter().map(|t| one_line(&t.label)).collect();
    let authors: Vec<Value> = article.authors.iter().map(person).collect();
    let mut about = json!({
        "@type": "Article",
        "@id": format!("{url}#article"),
        "mainEntityOfPage": url,
        "url": url,
        "headline": one_line(&article.title),
        "datePublished": article.published.to_rfc3339(),
        "dateModified": article.updated.to_rfc3339(),
        "inLanguage": language,
        "author": authors,
        "publisher": publisher(publication),
        "isAccessibleForFree": true,
    });
    let mut add = |key: &str, value: Value| {
        about[key] = value;
    };
    if !summary.is_empty() {
        add("description", json!(one_line(summary)));
    }
    if let Some(section) = section {
        add("articleSection", json!(one_line(section)));
    }
    if !tags.is_empty() {
        add("keywords", json!(tags));
    }
    if let Some(hero) = &article.hero {
        add("image", picture(hero));
    }
    if let Some(rights) = &publication.rights {
        add("copyrightNotice", json!(rights));
    }
    script(vec![about, breadcrumb(&publication.base_url, trail)])
}

/// A list or another page that is no article.
pub(super) fn collection(
    publication: &Publication,
    kind: &str,
    (title, description, url): (&str, &str, &str),
    trail: &[Step],
) -> String {
    let mut about = json!({
        "@type": kind,
        "@id": url,
        "url": url,
        "name": title,
        "inLanguage": publication.language,
        "publisher": publisher(publication),
    });
    if !description.is_empty() {
        about["description"] = json!(description);
    }
    let mut graph = vec![about];
    if trail.len() > 1 {
        graph.push(breadcrumb(&publication.base_url, trail));
    }
    script(graph)
}

fn breadcrumb(base: &Url, trail: &[Step]) -> Value {
    let steps: Vec<Value> = trail
        .iter()
        .zip(1..)
        .map(|(step, position)| {
            json!({
                "@type": "ListItem",
                "position": position,
                "name": step.title,
                "item": format!("{base}{}", step.path),
            })
        })
        .collect();
    json!({ "@type": "BreadcrumbList", "itemListElement": steps })
}

fn publisher(publication: &Publication) -> Value {
    let mut publisher = json!({
        "@type": "Organization",
        "name": publication.title,
        "url": publication.base_url.as_str(),
    });
    if let Some(logo) = publication.logo.as_ref().or(publication.icon.as_ref()) {
        publisher["logo"] = json!({
            "@type": "ImageObject",
            "url": logo.url.as_str(),
            "width": logo.width,
            "height": logo.height,
        });
    }
    publisher
}

fn person(author: &Author) -> Value {
    let mut person = json!({ "@type": "Person", "name": one_line(&author.name) });
    let url = author.url.as_deref().and_then(|url| Url::parse(url).ok());
    if let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) {
        person["url"] = json!(url.as_str());
    }
    person
}

fn picture(picture: &Picture) -> Value {
    let mut image = json!({ "@type": "ImageObject", "url": picture.url.as_str() });
    if picture.width > 0 && picture.height > 0 {
        image["width"] = json!(picture.width);
        image["height"] = json!(picture.height);
    }
    if let Some(caption) = &picture.caption {
        image["caption"] = json!(one_line(caption));
    }
    if let Some(credit) = &picture.credit {
        image["creditText"] = json!(one_line(credit));
    }
    image
}

/// JSON that no parser of HTML takes for anything else: `</script>` and
/// `<!--` cannot stand in it.
fn script(graph: Vec<Value>) -> String {
    let data = json!({ "@context": "https://schema.org", "@graph": graph });
    data.to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_script() {
        let made = script(vec![json!({ "name": "</script><!-- & \u{2028}" })]);
        assert!(!made.contains(['<', '>', '&', '\u{2028}']), "{made}");
        let read: Value = serde_json::from_str(&made).unwrap();
        assert_eq!(read["@graph"][0]["name"], "</script><!-- & \u{2028}");
    }
}
