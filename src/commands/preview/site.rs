//! The files of a build, made one at a time when somebody asks for them: feeds
//! byte for byte, pages with links that stay here.

use std::{borrow::Cow, fs, path::Path, sync::Arc};

use super::{
    super::{
        feeds::{Maker, Unmade},
        illustrations::FOLDER,
        website,
    },
    frames::{self, Scheme},
    press::Press,
    proof::Proof,
    routes::HOME,
    ui,
};
use crate::{
    content::{Changed, Renderer},
    domain::{collection::Collection, media_type, problem::Problem, publication::plain_file},
    feed::{self, File},
    pages::{self, Input, Page, PagesError},
    web::{Answer, Asked, Trust},
};

/// What browsers ask for by themselves.
const FAVICON: &str = "favicon.ico";

/// What a build would put at the path that was asked for.
pub(super) fn answer(proof: &Proof, asked: &Asked) -> Answer {
    let press = &proof.press;
    let base = &press.config.publication.base_url;
    let Some(below) = asked.path.strip_prefix(base.path()) else {
        let what = format!("the publication is below {}", base.path());
        return ui::not_here(proof, &what);
    };
    let below = percent_encoding::percent_decode_str(below).decode_utf8();
    let file = below.ok().and_then(|below| plain_file(&below));
    let Some(file) = file else {
        return ui::not_here(proof, "no file can have this address");
    };
    if let Some(path) = press.file_at(&file) {
        return asset(proof, path, press.media_type_at(&file));
    }
    if let Some(name) = mail_picture(&file)
        && let Some(bytes) = press.mail_picture(name)
    {
        return Answer::of(media_type::of_file(name), Trust::File, bytes);
    }
    match feed_file(press, &file) {
        Ok(Some(file)) => return Answer::of(file.media_type, Trust::File, file.bytes),
        Ok(None) => {}
        Err(error) => return ui::broken(proof, &error, None),
    }
    if !press.config.content.pages {
        return ui::not_here(
            proof,
            "`content.pages = false`: there are feeds and no pages",
        );
    }
    site_page(proof, &file, asked)
}

/// The name of a copy that letters show, if the file can be one.
fn mail_picture(file: &str) -> Option<&str> {
    let name = file.strip_prefix(FOLDER)?.strip_prefix('/')?;
    (!name.contains('/')).then_some(name)
}

fn asset(proof: &Proof, path: &Path, media_type: Cow<'_, str>) -> Answer {
    match fs::read(path) {
        Ok(bytes) => Answer::of(media_type, Trust::File, bytes),
        Err(error) => ui::broken(proof, &error, None),
    }
}

fn site_page(proof: &Proof, file: &str, asked: &Asked) -> Answer {
    let press = &proof.press;
    let collection = &press.loaded.collection;
    match page_at(press, collection, file) {
        Ok(Some(page)) => shown(proof, page, asked),
        Ok(None) => {
            if let Some(source) = press.held_back_at(file) {
                return Answer::elsewhere(&ui::address("held-back", source));
            }
            if let Some(digest) = next_issue_at(press, file) {
                return Answer::elsewhere(&format!("{HOME}issue/{digest}/"));
            }
            let index = format!("{file}/index.html");
            if let Ok(Some(_)) = page_at(press, collection, &index) {
                return Answer::elsewhere(&format!("{}/", asked.path));
            }
            if file == FAVICON {
                return Answer::of("image/x-icon", Trust::File, "").status(204);
            }
            match page_at(press, collection, "404.html") {
                Ok(Some(page)) => shown(proof, page, asked).status(404),
                _ => ui::not_here(proof, "no page has this address"),
            }
        }
        Err(error) => template_fault(proof, error),
    }
}

/// The digest whose next issue will have this page when it was sent: letters
/// lead to their own pages.
fn next_issue_at<'f>(press: &Press, file: &'f str) -> Option<&'f str> {
    let below = file.strip_prefix("letters/")?;
    let (digest, number) = below.strip_suffix("/index.html")?.split_once('/')?;
    number.parse::<u32>().ok()?;
    press.config.digest(digest).map(|_| digest)
}

/// The page of an article that is held back, as it would be.
pub(super) fn held_back(proof: &Proof, source: &Path, asked: &Asked) -> Answer {
    let press = &proof.press;
    let file = press.set_aside(source).and_then(|aside| {
        let publication = &press.config.publication;
        publication.file_at(&aside.article.url)
    });
    let Some(file) = file else {
        return ui::not_here(proof, "no article that is held back has this file");
    };
    match page_at(press, press.everything(), &file) {
        Ok(Some(page)) => shown(proof, page, asked),
        Ok(None) => ui::not_here(proof, "the article would have no page here"),
        Err(error) => template_fault(proof, error),
    }
}

fn template_fault(proof: &Proof, error: NoPage) -> Answer {
    match error {
        NoPage::Pages(PagesError::Template(error)) => {
            let problem = error.problem();
            ui::broken(proof, &error, Some(&problem))
        }
        other => ui::broken(proof, &other, None),
    }
}

fn shown(proof: &Proof, page: Page, asked: &Asked) -> Answer {
    let scheme = asked.value("scheme");
    let scheme = scheme.as_deref().and_then(Scheme::from_word);
    let media_type = media_type::of_file(&page.path);
    let text = String::from_utf8_lossy(&page.bytes);
    if !media_type.starts_with("text/html") {
        let text = match scheme {
            Some(scheme) => frames::in_scheme(&text, scheme),
            None => text.into_owned(),
        };
        return Answer::of(media_type, Trust::File, text);
    }
    let mut html = frames::local(&text, &proof.press.config.publication.base_url);
    if let Some(scheme) = scheme {
        html = frames::page_in_scheme(&html, scheme);
    }
    // The page around a frame reloads it.
    if !asked.is_framed {
        html = frames::reloading(&html, &proof.version());
    }
    Answer::of(media_type, Trust::Page, html)
}

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
enum NoPage {
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error(transparent)]
    Changed(#[from] Changed),
}

fn page_at(press: &Press, collection: &Collection, file: &str) -> Result<Option<Page>, NoPage> {
    let renderer = Renderer::new(Arc::clone(&press.loaded.site));
    let feeds = website::feeds(&press.loaded);
    let input = Input {
        publication: &press.config.publication,
        collection,
        templates: &press.templates,
        letters: &press.letters,
        feeds: &feeds,
    };
    pages::page_at(&input, file, |article| {
        renderer.page(article).map_err(NoPage::from)
    })
}

/// The feed, archive document or list of feeds at a path below the output folder.
fn feed_file(press: &Press, path: &str) -> Result<Option<File>, Unmade> {
    let is_list = path == feed::LIST;
    if !is_list && !path.ends_with(".xml") && !path.ends_with(".json") {
        return Ok(None);
    }
    let maker = Maker::new(&press.config, &press.loaded, &press.chronicle);
    if is_list {
        let publication = &press.config.publication;
        let collection = &press.loaded.collection;
        return Ok(Some(feed::opml(publication, collection, maker.streams())?));
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (folder, number) = match folder.rsplit_once('/').unwrap_or(("", folder)) {
        (above, "archive") => (above, number_in(name)),
        _ => (folder, None),
    };
    let is_stream = |path: String| path.trim_end_matches('/') == folder;
    let Some(stream) = maker.streams().iter().find(|one| is_stream(one.path())) else {
        return Ok(None);
    };
    let files = match (number, name) {
        (Some(number), _) => maker.archive(stream, number)?,
        (None, feed::PODCAST) => maker.podcast(stream)?.into_iter().collect(),
        (None, _) => maker.one(stream, |feed| feed.files())?,
    };
    Ok(files.into_iter().find(|file| file.path == path))
}

/// `rss-0012.xml` is number 12.
fn number_in(name: &str) -> Option<u32> {
    let (_, number) = name.strip_suffix(".xml")?.rsplit_once('-')?;
    number.parse().ok()
}

/// A problem to show for an error that is none of an author's.
pub(super) fn internal(what: &str) -> Problem {
    Problem::error("letterpress", None, what, "please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_document_has_the_number_of_its_name() {
        assert_eq!(number_in("rss-0012.xml"), Some(12));
        assert_eq!(number_in("rss.xml"), None);
    }
}
