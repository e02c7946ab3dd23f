//! A build after an edit: of a publication without pages, of which the last
//! build kept how it saw everything, only what was edited is loaded, and only
//! the feeds that show it are made. Whatever else may have changed (settings,
//! templates, other files, the ledger, the output, what falls due) is looked at;
//! one change more than that, and everything is loaded as ever.

mod around;
mod kept;
mod records;

use std::{collections::HashSet, path::Path, sync::Arc};

pub use self::around::Around;
pub(super) use self::kept::shown;
use self::kept::{Kept, Moment, Showing};
use super::{
    Context,
    ahead::Ahead,
    exit::Failure,
    feeds,
    publisher::{self, Built, Destination, Publisher},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    content::{Cache, Renderer, Sight, Source},
    domain::{collection::Collection, fingerprint::Fingerprint},
    feed::Part,
    store::{Standing, Store},
};

/// What became of a build.
pub enum Retouched {
    /// It is done.
    Built(Built),
    /// Everything has to be loaded.
    Whole(Destination),
}

/// Builds what few edits concern, if that can be told.
///
/// # Errors
/// When the ledger or a file cannot be written.
pub async fn build(
    context: &Context,
    config: &Config,
    store: &Store,
    destination: Destination,
) -> Result<Retouched, Failure> {
    let Some((kept, sight)) = compare(context, config, store, &destination).await? else {
        return Ok(Retouched::Whole(destination));
    };
    let folder = destination.folder().to_owned();
    let publisher = Publisher::begin(config, store, destination).await?;
    // 1. What shows an edited article is made again; all else must be there.
    if !retouch(context, config, &publisher, &kept, &sight)? {
        return Ok(Retouched::Whole(publisher.give_up()));
    }
    // 2. The ledger knows of the edits before anybody sees them.
    tell_ledger(store, &sight).await?;
    let built = publisher.finish(context.clock.now()).await?;
    // 3. What the next build goes by.
    let last = &kept.last;
    if let Some(now) = now(config, store, last, &folder, &built).await?
        && (now != *last || !sight.is_same())
    {
        kept.write(config, &now, &sight);
    }
    Ok(Retouched::Built(built))
}

/// Tells the ledger of edited articles what it keeps of each.
async fn tell_ledger(store: &Store, sight: &Sight) -> Result<(), Failure> {
    let edited = || sight.edited.iter();
    let news: Vec<_> = edited().filter_map(|one| one.remember.clone()).collect();
    if !news.is_empty() {
        let remembered = store.remember(news).await;
        remembered.map_err(workspace::store_failure)?;
    }
    let titles = edited()
        .filter(|one| one.is_retitled)
        .map(|one| &one.article);
    let titles: Vec<_> = titles
        .map(|article| (article.id.clone(), article.title.clone()))
        .collect();
    if !titles.is_empty() {
        let retitled = store.retitle(titles).await;
        retitled.map_err(workspace::store_failure)?;
    }
    Ok(())
}

/// What the last build kept, and which articles were edited since; `None` when
/// that is not all that is different.
async fn compare(
    context: &Context,
    config: &Config,
    store: &Store,
    destination: &Destination,
) -> Result<Option<(Kept, Sight)>, Failure> {
    let Some(around) = Around::of(context, config, destination.folder()) else {
        return Ok(None);
    };
    let asked = store.clone();
    let standing = Ahead::of(async move { asked.standing().await });
    let kept = Kept::read(config).filter(|kept| kept.last.around == around);
    let source = Source {
        root: &config.root,
        dir: &config.content_dir,
        publication: &config.publication,
        rules: &config.content,
        now: context.clock.start(),
        remembered: &[],
        cache: &Cache::default(),
        since: context.clock.machine_time(),
        is_surveyed: false,
    };
    let sight = kept.as_ref().and_then(|kept| kept.survey.look(&source));
    let standing = standing.answer().await?;
    Ok(kept
        .zip(sight)
        .filter(|(kept, _)| standing.as_ref() == Some(&kept.last.standing)))
}

/// Makes what shows an edited article; `false` when something else has to be
/// made, too, so that nothing of this may be published.
fn retouch(
    context: &Context,
    config: &Config,
    publisher: &Publisher<'_>,
    kept: &Kept,
    sight: &Sight,
) -> Result<bool, Failure> {
    if publisher.noted_files() != kept.last.outputs {
        return Ok(false);
    }
    let Some(Showing { articles, streams }) = kept.showing(&sight.edited) else {
        return Ok(false);
    };
    let lists = (&kept.sections, &kept.tags, &kept.bylines);
    let (sections, tags, bylines) = lists;
    let collection = Collection::excerpt(articles, sections.clone(), tags.clone(), bylines.clone());
    let outlines = streams.iter().map(|one| {
        let articles = one.ids.iter().filter_map(|id| collection.get(id));
        let plan = feeds::Plan {
            stream: &one.stream,
            articles: articles.collect(),
            part: Part::Subscription { newest: one.newest },
            withdrawn: one.withdrawn.clone(),
        };
        plan.assemble(config, &collection)
    });
    let outlines: Vec<_> = outlines.collect();
    let places: HashSet<String> = outlines.iter().flat_map(|feed| feed.places()).collect();
    if !publisher.keep_rest(&places)? {
        return Ok(false);
    }
    workspace::tell_problems(context, &sight.problems);
    if context.talk.is_verbose() {
        context.talk.say(format!(
            "{} edited since the last build, shown in {}; all else stands",
            count(sight.edited.len(), "article"),
            count(outlines.len(), "stream")
        ));
    }
    let renderer = Renderer::new(Arc::clone(&sight.site)).without_text();
    feeds::publish_outlines(context, publisher, &renderer, outlines)?;
    Ok(true)
}

/// Keeps how a build that loaded everything saw it, for the next one: what it
/// was made of before it began, where it went and what it did there, what streams
/// show, and how the content folder looked.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn keep(
    config: &Config,
    store: &Store,
    (around, standing): (Around, Standing),
    (folder, built): (&Path, &Built),
    (shown, survey): (&[u8], &[u8]),
) -> Result<(), Failure> {
    let outputs = Fingerprint::default();
    let before = Moment {
        around,
        standing,
        outputs,
    };
    if let Some(now) = now(config, store, &before, folder, built).await? {
        kept::write(config, &now, shown, survey);
    }
    Ok(())
}

/// What everything is after a build; `None` when somebody else changed the
/// ledger meanwhile, or not all is published.
async fn now(
    config: &Config,
    store: &Store,
    before: &Moment,
    folder: &Path,
    built: &Built,
) -> Result<Option<Moment>, Failure> {
    let standing = store.standing_since(&before.standing).await;
    let standing = standing.map_err(workspace::store_failure)?;
    let standing = standing.filter(|_| built.in_the_way.is_empty());
    Ok(standing.map(|standing| Moment {
        around: before.around,
        standing,
        outputs: publisher::noted_files(config, folder),
    }))
}
