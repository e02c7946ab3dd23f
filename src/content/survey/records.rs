//! What a survey says of one article, and of what stands where.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset};
use url::Url;

use crate::{
    content::{
        load::Finished,
        site::{Page, Site},
    },
    domain::{
        article::ArticleId,
        problem::{Level, Problem},
    },
    files::record::{Record, put_bytes, put_length, record, take_length},
};

/// What a load made of an article's file that the file alone does not say.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: ArticleId,
    pub(super) url: Url,
    pub(super) title: String,
    pub(super) published: DateTime<FixedOffset>,
    pub(super) updated: DateTime<FixedOffset>,
    pub(super) is_held_back: bool,
    pub(super) text_hash: [u8; 32],
    /// Our own files that it refers to, by path in the content folder, sorted.
    pub(super) files: Vec<String>,
}

record!(Facts {
    id,
    url,
    title,
    published,
    updated,
    is_held_back,
    text_hash,
    files,
});

impl Facts {
    pub(super) fn of(finished: &Finished) -> Self {
        let article = &finished.article;
        Self {
            id: article.id.clone(),
            url: article.url.clone(),
            title: article.title.clone(),
            published: article.published,
            updated: article.updated,
            is_held_back: finished.held_back.is_some(),
            text_hash: article.text_hash,
            files: sorted(finished.files.clone()),
        }
    }
}

/// Each once, in order.
pub(super) fn sorted(mut files: Vec<String>) -> Vec<String> {
    files.sort_unstable();
    files.dedup();
    files
}

impl Record for Problem {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            file,
            line,
            level,
            what,
            remedy,
        } = self;
        file.put(out);
        line.put(out);
        (*level == Level::Error).put(out);
        what.put(out);
        remedy.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            file: Record::take(bytes)?,
            line: Record::take(bytes)?,
            level: match bool::take(bytes)? {
                true => Level::Error,
                false => Level::Warning,
            },
            what: Record::take(bytes)?,
            remedy: Record::take(bytes)?,
        })
    }
}

/// What stands where, but for files that are no Markdown: each load lists them.
pub(super) fn put_site(site: &Site, out: &mut Vec<u8>) {
    let Site {
        base: _,
        folder: _,
        dir: _,
        smart_punctuation: _,
        pages,
        files: _,
        folders,
        paths,
        fingerprint: _,
    } = site;
    let mut block = Vec::new();
    put_length(pages.len(), &mut block);
    for (file, page) in pages.iter() {
        file.put(&mut block);
        page.put(&mut block);
    }
    put_bytes(&block, out);
    block.clear();
    put_length(folders.len(), &mut block);
    for (folder, url) in folders.iter() {
        folder.put(&mut block);
        url.put(&mut block);
    }
    put_bytes(&block, out);
    block.clear();
    put_length(paths.len(), &mut block);
    for (path, file) in paths.iter() {
        path.put(&mut block);
        file.put(&mut block);
    }
    put_bytes(&block, out);
}

/// Reads a map that [`put_site`] wrote.
pub(super) fn take_map<T: Record>(bytes: &mut &[u8]) -> Option<HashMap<String, T>> {
    let count = take_length(bytes)?;
    let mut map = HashMap::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        map.insert(String::take(bytes)?, T::take(bytes)?);
    }
    bytes.is_empty().then_some(map)
}

record!(Page {
    url,
    is_held_back,
    anchors,
    has_pictograms,
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{content::site::tests::site, files::record::split};

    #[test]
    fn what_stands_where_is_read_as_it_was() {
        let site = site();
        let mut bytes = Vec::new();
        put_site(&site, &mut bytes);
        let rest = &mut &bytes[..];
        let mut block = || {
            let length = take_length(rest).unwrap();
            split(rest, length).unwrap()
        };
        let (mut pages, mut folders, mut paths) = (block(), block(), block());
        let pages: HashMap<String, Page> = take_map(&mut pages).unwrap();
        assert_eq!(pages.len(), site.pages.len());
        for (file, page) in &pages {
            let known = &site.pages[file];
            assert_eq!(
                (&page.url, page.is_held_back),
                (&known.url, known.is_held_back)
            );
            assert_eq!(page.anchors.lines(), known.anchors.lines());
        }
        assert_eq!(take_map(&mut folders), Some((*site.folders).clone()));
        assert_eq!(take_map(&mut paths), Some((*site.paths).clone()));
    }
}
