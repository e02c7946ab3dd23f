//! `build`: feeds, pages and the pictures they show into `public/`; only files
//! whose bytes differ are touched.

use std::{fs, io, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::{
    Context,
    ahead::Ahead,
    exit::{Exit, Failure},
    feeds,
    pings::{self, Round},
    publisher::{Built, Destination, Publisher},
    retouch::{self, Around, Retouched},
    website, workspace,
};
use crate::{
    config::Config,
    content::{Asset, Loaded},
    domain::{chronicle::Chronicle, fingerprint::Fingerprint},
    files::Stamp,
    store::{Standing, Store},
    templates::Templates,
};

/// Write the feeds, pages and pictures into public/; say what changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress build
  letterpress build --out /srv/www/magazine

Writes rss.xml, atom.xml and feed.json for the publication and, below
sections/, tags/ and authors/, for each of those; podcast.xml for sections with
a podcast; older articles into archive/; and feeds.opml, which lists all feeds;
each with compressed copies as `content.compress` says.
Files whose bytes would not change are not touched; files that nothing makes any
more are removed, unless somebody else changed them. Files of others are never
touched. Beside the feeds stands the website: home page, articles, sections, tags,
authors, the letters that were sent, a sitemap; none of it with
`content.pages = false`. While an article or template has an error, nothing is written. The hub
that `feeds.hub` names is told which feeds changed.

Exit codes: 0 done; 65 articles have errors, or a file of somebody else stands
where one of ours should; 66 no letterpress.toml; 69 the ledger is held, or its
server is away; 74 the folder or the ledger cannot be written; 75 another build is
at work, or an article was edited meanwhile; 78 configuration.")]
pub struct Build {
    /// Write here instead of public/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace files that this publication did not write
    #[arg(long)]
    overwrite: bool,
}

/// What a build did, for `--format json`.
#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    built: &'a Built,
    hub: &'a Round,
}

/// # Errors
/// When an error stands in articles or templates, or the output cannot be written.
pub async fn run(context: &Context, args: &Build) -> Result<Exit, Failure> {
    // 1. Settings, ledger; nothing is written while an error stands.
    let (config, warnings) = workspace::configuration(context)?;
    let store = workspace::ledger(context, &config).await?;
    let out = args.out.as_deref();
    let destination = Destination::take(context, &config, out, args.overwrite).await?;
    // 2. Only what was edited, or everything.
    let retouched = retouch::build(context, &config, &store, destination).await?;
    let (built, checked) = match retouched {
        Retouched::Built(built) => {
            warnings
                .iter()
                .for_each(|warning| context.talk.say(warning));
            (built, None)
        }
        Retouched::Whole(destination) => {
            let checked = load(context, &config, &store, Some(&destination)).await?;
            warnings
                .iter()
                .for_each(|warning| context.talk.say(warning));
            let built = publish(context, &config, &store, &checked, destination).await?;
            (built, Some(checked))
        }
    };
    // 3. The hub hears of it.
    let hub = pings::end(pings::start(context, &config, &store)).await?;
    // 4. What changed.
    let done = Done {
        built: &built,
        hub: &hub,
    };
    context.talk.data(&done, || built.lines())?;
    context.talk.say(built.summary());
    let exit = built.tell_foreign(context);
    // The process ends here: giving back every article one by one takes a tenth
    // of the time of a build that changes little.
    std::mem::forget(checked);
    Ok(exit)
}

/// What a build is made of, without an error.
pub struct Checked {
    /// The articles.
    pub loaded: Loaded,
    /// The templates of pages and mail.
    pub templates: Templates,
    /// The ledger learns new ids.
    remembering: Ahead<()>,
    /// What readers were shown until now.
    chronicle: Ahead<Chronicle>,
    /// What was around the articles and what the ledger said, before anything
    /// was read; where the next build may go by it.
    before: Option<(Around, Ahead<Standing>)>,
}

/// Loads articles and templates, refuses errors, and makes the ledger remember
/// new ids. Who has the right to publish already (`turn`) need not wait for the
/// ledger here: nobody else changes meanwhile what it knows of articles.
///
/// # Errors
/// Exit 65 while an error stands; then the ledger is as before.
pub async fn load(
    context: &Context,
    config: &Config,
    store: &Store,
    turn: Option<&Destination>,
) -> Result<Checked, Failure> {
    // 1. The ledger looks things up while the cache is read.
    let around = turn.and_then(|turn| Around::of(context, config, turn.folder()));
    let before = around.map(|around| {
        let store = store.clone();
        (around, Ahead::of(async move { store.standing().await }))
    });
    let known = store.clone();
    let remembered = Ahead::of(async move { known.remembered().await });
    let known = store.clone();
    let chronicle = match turn {
        Some(_) => Ahead::of(async move { known.chronicle().await }),
        None => Ahead::nothing(),
    };
    let cache = workspace::kept_cache(config);
    let remembered = remembered.answer().await?.unwrap_or_default();
    // 2. Everything that may have errors.
    let now = context.clock.start();
    let is_surveyed = before.is_some();
    let mut loaded =
        workspace::articles_from(context, config, &remembered, now, &cache, is_surveyed)?;
    let (templates, template_problems) = workspace::templates(config);
    let before = before.filter(|_| template_problems.is_empty());
    let mut problems = std::mem::take(&mut loaded.problems);
    problems.extend(template_problems);
    let refused = workspace::refuse_errors(context, &problems);
    // 3. New ids; and what was read, errors or not.
    let new = std::mem::take(&mut loaded.remember);
    let remembering = match refused.is_ok() && !new.is_empty() {
        true => {
            let store = store.clone();
            Ahead::of(async move { store.remember(new).await })
        }
        false => Ahead::nothing(),
    };
    workspace::keep_cache(config, &mut loaded);
    refused?;
    if turn.is_none() {
        remembering.answer().await?;
    }
    Ok(Checked {
        loaded,
        templates,
        remembering,
        chronicle,
        before,
    })
}

/// Makes every feed and page and copies every picture; all only where bytes
/// differ.
/// What an earlier build made and this one does not is removed.
/// The ledger learns what readers are shown before they are shown it.
///
/// # Errors
/// When a file cannot be written; what was there stays complete.
pub async fn publish(
    context: &Context,
    config: &Config,
    store: &Store,
    checked: &Checked,
    destination: Destination,
) -> Result<Built, Failure> {
    let loaded = &checked.loaded;
    let publisher = Publisher::begin(config, store, destination).await?;
    let known = match checked.chronicle.answer().await? {
        Some(known) => known,
        None => store.chronicle().await.map_err(workspace::store_failure)?,
    };
    let made = feeds::publish(context, config, store, loaded, known, &publisher).await?;
    pictures(context, config, &loaded.pictures, &publisher)?;
    website::publish(config, store, checked, &publisher).await?;
    checked.remembering.answer().await?;
    made.recording.answer().await?;
    let folder = publisher.out().to_owned();
    let built = publisher.finish(context.clock.now()).await?;
    let shown = made.note(store).await?;
    // What the next build may go by.
    if let Some((around, before)) = &checked.before
        && let Some(before) = before.answer().await?
        && let Some((shown, survey)) = shown.zip(loaded.survey.as_ref())
    {
        let before = (*around, before);
        retouch::keep(config, store, before, (&folder, &built), (&shown, survey)).await?;
    }
    Ok(built)
}

fn pictures(
    context: &Context,
    config: &Config,
    pictures: &[Asset],
    publisher: &Publisher<'_>,
) -> Result<(), Failure> {
    let since = context.clock.machine_time();
    let artwork = config.artwork.iter().map(|(file, url)| (file, url));
    let own = pictures.iter().map(|asset| (&asset.file, &asset.url));
    for (file, url) in artwork.chain(own) {
        let Some(below) = config.publication.file_at(url) else {
            continue;
        };
        let from = config.root.join(file);
        let failed = |error: io::Error| {
            Failure::of(Exit::Io, &error).hint(format!("{} cannot be read", from.display()))
        };
        // A picture that looks as it did is not read to be copied.
        let stamp = Stamp::of(&fs::metadata(&from).map_err(failed)?);
        let recipe = stamp.is_settled(since).then(|| Fingerprint::of(&stamp));
        if let Some(recipe) = recipe
            && publisher.keeps(&below, recipe)?
        {
            continue;
        }
        let bytes = fs::read(&from).map_err(failed)?;
        publisher.put(&below, recipe, &bytes)?;
    }
    Ok(())
}
