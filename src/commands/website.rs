//! The website's part of a build: pages of articles and lists, and the archive
//! of letters from the ledger.

use super::{
    build::Checked,
    exit::{Exit, Failure},
    publisher::Publisher,
    workspace,
};
use crate::{
    config::Config,
    content::{Loaded, Renderer},
    domain::{
        article::{Article, SafeHtml},
        delivery::State,
        fingerprint::Fingerprint,
        issue::IssueState,
    },
    feed::{self, Place, Stream},
    mail::{Edition, Everybody, LETTER_CLASS},
    pages::{self, FeedFile, Feeds, Input, Letter, Page, PagesError, Target},
    store::{IssueSummary, Store},
    templates::Templates,
};

/// Makes every page, unless `content.pages` says that there are none.
///
/// # Errors
/// When a template fails or a file cannot be written.
pub async fn publish(
    config: &Config,
    store: &Store,
    checked: &Checked,
    publisher: &Publisher<'_>,
) -> Result<(), Failure> {
    if !config.content.pages {
        return Ok(());
    }
    let Checked {
        loaded, templates, ..
    } = checked;
    let letters = letters(config, templates, store).await?;
    let renderer = Renderer::new(std::sync::Arc::clone(&loaded.site));
    let feeds = feeds(loaded);
    let input = Input {
        publication: &config.publication,
        collection: &loaded.collection,
        templates,
        letters: &letters,
        feeds: &feeds,
    };
    let target = Website {
        publisher,
        renderer,
    };
    pages::write(&input, &target)
}

/// Pages on their way into the output folder.
struct Website<'a> {
    publisher: &'a Publisher<'a>,
    renderer: Renderer,
}

impl Target for Website<'_> {
    type Error = Failure;

    fn keeps(&self, path: &str, recipe: Fingerprint) -> Result<bool, Failure> {
        self.publisher.keeps(path, recipe)
    }

    fn text(&self, article: &Article) -> Result<SafeHtml, Failure> {
        Ok(self.renderer.page(article)?)
    }

    fn put(&self, page: Page) -> Result<(), Failure> {
        self.publisher.put(&page.path, page.recipe, &page.bytes)
    }
}

/// Every feed there is.
pub(super) fn feeds(loaded: &Loaded) -> Feeds {
    let collection = &loaded.collection;
    let files = |stream: &Stream| {
        let places = feed::files_of(stream, collection).into_iter();
        let file = |place: Place| FeedFile {
            label: place.label,
            path: place.path,
            media_type: place.media_type,
        };
        (stream.path(), places.map(file).collect())
    };
    Feeds {
        list: feed::LIST.to_owned(),
        files: feed::streams(collection).iter().map(files).collect(),
    }
}

impl From<PagesError> for Failure {
    fn from(error: PagesError) -> Self {
        let exit = match &error {
            PagesError::Template(_) => Exit::Data,
            PagesError::Sitemap { .. } => Exit::Internal,
        };
        Self::of(exit, &error)
    }
}

/// Every issue that somebody got or is getting, newest first.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn letters(
    config: &Config,
    templates: &Templates,
    store: &Store,
) -> Result<Vec<Letter>, Failure> {
    let words = templates.words(&config.publication.language);
    let readers = words.say("our-readers", &[]);
    let issues = store
        .issues(usize::MAX)
        .await
        .map_err(workspace::store_failure)?;
    let mut letters = Vec::new();
    for issue in issues.into_iter().filter(went_out) {
        let frozen = store
            .edition(issue.id, 1)
            .await
            .map_err(workspace::store_failure)?;
        letters.extend(frozen.and_then(|frozen| letter(config, &readers, issue, &frozen.bytes)));
    }
    Ok(letters)
}

/// Whether the issue is no secret any more.
fn went_out(issue: &IssueSummary) -> bool {
    match issue.state {
        IssueState::Sending | IssueState::Done => true,
        // Called off or held: a letter only if somebody has it.
        IssueState::Paused | IssueState::Cancelled => {
            issue.counts.get(&State::Sent).is_some_and(|sent| *sent > 0)
        }
    }
}

/// An edition that this version cannot read has no page; its readers have it.
fn letter(config: &Config, readers: &str, issue: IssueSummary, edition: &[u8]) -> Option<Letter> {
    let publication = &config.publication;
    let everybody = Everybody {
        address: readers,
        base_url: &publication.base_url,
    };
    let edition = Edition::from_bytes(edition).ok()?.for_the_web(everybody)?;
    let sent = issue.frozen.with_timezone(&publication.timezone);
    Some(Letter {
        digest: issue.digest.parse().ok()?,
        digest_title: issue.title,
        number: issue.number,
        subject: edition.subject,
        sent: sent.fixed_offset(),
        articles: issue.articles.into_iter().map(|one| one.title).collect(),
        html: edition.html,
        style: edition.style,
        class: LETTER_CLASS,
    })
}
