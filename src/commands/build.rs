//! `build`: feeds, pages and the pictures they show into `public/`; only files
//! whose bytes differ are touched.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use url::Url;

use super::{
    Context,
    exit::{Exit, Failure},
    publisher::{Built, Publisher},
    website, workspace,
};
use crate::{
    config::Config,
    content::{Asset, Loaded, Renderer},
    domain::article::ArticleId,
    feed::{self, Feed},
    store::Store,
};

/// Write the feeds, pages and pictures into public/; say what changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress build
  letterpress build --out /srv/www/magazine

Writes rss.xml, atom.xml and feed.json for the publication and, below
sections/, for each section. Files whose bytes would not change are not
touched. Beside the feeds stands the website: home page, articles, sections,
tags, authors, the letters that were sent, a sitemap; none of it with
`content.pages = false`. While an article or template has an error, nothing is written.")]
pub struct Build {
    /// Write here instead of public/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// # Errors
/// When an error stands in articles or templates, or the output cannot be written.
pub async fn run(context: &Context, args: &Build) -> Result<Exit, Failure> {
    // 1. Settings, ledger, articles; nothing is written while an error stands.
    let (config, warnings) = workspace::configuration(context)?;
    let store = workspace::ledger(context, &config).await?;
    let loaded = load(context, &config, &store).await?;
    for warning in warnings {
        context.talk.say(warning);
    }
    // 2. Feeds and pictures.
    let out = match &args.out {
        Some(dir) => dir.clone(),
        None => config.root.join(workspace::PUBLIC),
    };
    let built = publish(context, &config, &store, &loaded, &out).await?;
    // 3. What changed.
    context.talk.data(&built, || {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(built.created.iter().map(|name| format!("new      {name}")));
        lines.extend(built.changed.iter().map(|name| format!("changed  {name}")));
        lines.join("\n")
    })?;
    context.talk.say(built.summary());
    Ok(Exit::Done)
}

/// Loads articles, refuses errors, and makes the ledger remember new ids.
///
/// # Errors
/// Exit 65 while an error stands; then the ledger is as before.
pub async fn load(context: &Context, config: &Config, store: &Store) -> Result<Loaded, Failure> {
    let remembered = store.remembered().await.map_err(workspace::store_failure)?;
    let mut loaded = workspace::articles(context, config, &remembered)?;
    let (_, template_problems) = workspace::templates(config);
    let mut problems = std::mem::take(&mut loaded.problems);
    problems.extend(template_problems);
    workspace::refuse_errors(context, &problems)?;
    if !loaded.remember.is_empty() {
        store
            .remember(loaded.remember.clone())
            .await
            .map_err(workspace::store_failure)?;
    }
    Ok(loaded)
}

/// Makes every feed and page and copies every picture; all only where bytes
/// differ.
///
/// # Errors
/// When a file cannot be written; what was there stays complete.
pub async fn publish(
    context: &Context,
    config: &Config,
    store: &Store,
    loaded: &Loaded,
    out: &Path,
) -> Result<Built, Failure> {
    let mut publisher = Publisher::new(out);
    feeds(context, config, loaded, &mut publisher)?;
    pictures(config, &loaded.pictures, &mut publisher)?;
    website::publish(config, store, loaded, &mut publisher).await?;
    Ok(publisher.finish())
}

fn feeds(
    context: &Context,
    config: &Config,
    loaded: &Loaded,
    publisher: &mut Publisher,
) -> Result<(), Failure> {
    let publication = &config.publication;
    let collection = &loaded.collection;
    let streams = feed::streams(collection);
    let chosen: Vec<_> = streams
        .iter()
        .map(|stream| feed::select(collection, stream, &config.feeds))
        .collect();
    let renderer = Renderer::new(Arc::clone(&loaded.site));
    let shown: BTreeSet<&ArticleId> = chosen.iter().flatten().map(|a| &a.id).collect();
    let bodies = renderer.render_all(shown.iter().filter_map(|id| collection.get(id)));
    let bar = context.talk.bar("building", streams.len() as u64);
    for (stream, articles) in streams.iter().zip(chosen) {
        let made = Feed::assemble(
            publication,
            &config.feeds,
            collection,
            stream,
            &articles,
            &bodies,
        )
        .and_then(|feed| feed.files())
        .map_err(|error| Failure::of(Exit::Internal, &error))?;
        for file in made {
            publisher.put(&file.path, &file.bytes)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn pictures(config: &Config, pictures: &[Asset], publisher: &mut Publisher) -> Result<(), Failure> {
    let artwork = config.artwork.iter().map(|(file, url)| (file, url));
    let own = pictures.iter().map(|asset| (&asset.file, &asset.url));
    for (file, url) in artwork.chain(own) {
        let Some(below) = path_below(&config.publication.base_url, url) else {
            continue;
        };
        let from = config.root.join(file);
        let bytes = fs::read(&from).map_err(|error| {
            Failure::of(Exit::Io, &error).hint(format!("{} cannot be read", from.display()))
        })?;
        publisher.put(&below, &bytes)?;
    }
    Ok(())
}

/// The path of a URL below the base URL, decoded; `None` for one that is not ours.
fn path_below(base: &Url, url: &Url) -> Option<String> {
    let rest = url.as_str().strip_prefix(base.as_str())?;
    let path = percent_encoding::percent_decode_str(rest)
        .decode_utf8()
        .ok()?;
    let is_plain = !path.is_empty() && path.split('/').all(|part| part != "..");
    is_plain.then(|| path.into_owned())
}
