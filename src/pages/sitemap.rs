//! `sitemap.xml` (sitemaps.org, protocol 0.9): every page that search engines
//! should know. More than 50,000 addresses need several files and an index.

use std::io;

use chrono::{DateTime, FixedOffset};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{Page, PagesError, article, letter, list::Span, site::Site};
use crate::domain::publication::Publication;

const NAMESPACE: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";
const FILE: &str = "sitemap.xml";
/// Most addresses in one file.
const MOST: usize = 50_000;

/// An address and when its page last changed.
pub(super) struct Entry {
    url: String,
    changed: Option<DateTime<FixedOffset>>,
}

/// What is listed: articles, first pages of lists, letters.
pub(super) fn entries(
    site: &Site<'_>,
    articles: &[article::Planned<'_>],
    spans: &[Span<'_, '_>],
    letters: &[letter::Planned<'_>],
) -> Vec<Entry> {
    let lists = spans
        .iter()
        .filter(|span| span.is_first())
        .map(|span| Entry {
            url: site.absolute(&span.path()),
            changed: span.articles().iter().map(|one| one.updated).max(),
        });
    let articles = articles
        .iter()
        .filter(|planned| planned.file.is_some())
        .map(|planned| Entry {
            url: planned.article.url.as_str().to_owned(),
            changed: Some(planned.article.updated),
        });
    let letters = letters.iter().map(|planned| Entry {
        url: site.absolute(&planned.path()),
        changed: planned.changed(),
    });
    lists.chain(articles).chain(letters).collect()
}

/// The sitemap, or its parts and their index.
pub(super) fn pages(
    publication: &Publication,
    entries: &[Entry],
) -> impl Iterator<Item = Result<Page, PagesError>> {
    let parts: Vec<(String, &[Entry])> = if entries.len() <= MOST {
        vec![(FILE.to_owned(), entries)]
    } else {
        let chunks = entries.chunks(MOST).zip(1..);
        chunks
            .map(|(chunk, number)| (format!("sitemap-{number}.xml"), chunk))
            .collect()
    };
    let index = (entries.len() > MOST).then(|| {
        let parts: Vec<Entry> = parts
            .iter()
            .map(|(file, chunk)| Entry {
                url: format!("{}{file}", publication.base_url),
                changed: chunk.iter().filter_map(|entry| entry.changed).max(),
            })
            .collect();
        made(FILE.to_owned(), ["sitemapindex", "sitemap"], &parts)
    });
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(file, chunk)| made(file, ["urlset", "url"], chunk))
        .collect();
    parts.into_iter().chain(index)
}

fn made(path: String, names: [&str; 2], entries: &[Entry]) -> Result<Page, PagesError> {
    match document(names, entries) {
        Ok(bytes) => Ok(Page {
            path,
            recipe: None,
            bytes,
        }),
        Err(source) => Err(PagesError::Sitemap { path, source }),
    }
}

fn document([root, element]: [&str; 2], entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element(root)
        .with_attribute(("xmlns", NAMESPACE))
        .write_inner_content(|writer| {
            for entry in entries {
                writer
                    .create_element(element)
                    .write_inner_content(|writer| {
                        let text = BytesText::new(&entry.url);
                        writer.create_element("loc").write_text_content(text)?;
                        if let Some(changed) = entry.changed {
                            let changed = changed.to_rfc3339();
                            let text = BytesText::new(&changed);
                            writer.create_element("lastmod").write_text_content(text)?;
                        }
                        Ok(())
                    })?;
            }
            Ok(())
        })?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}
