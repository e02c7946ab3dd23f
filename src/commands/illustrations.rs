//! The pictures of an issue: found, measured and named before the letter is
//! made; the copies that the letter then shows are made, and kept where readers
//! fetch them for as long as they keep the letter.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use url::Url;

use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, settings::PictureWay},
    content::{Asset, Loaded, Renderer},
    domain::{
        article::{Article, Body, PictureType},
        digest::Digest,
        issue::IssuePlan,
        problem::Problem,
    },
    files::{self, Readers},
    mail::{Inline, PICTURE_FOLDER, Pictures, Role, Shown, fitted, pictures_in},
    scaling::{self, Format, Original, ScaleError},
    store::Store,
};

/// Where copies are, below the output folder and below the base URL. Builds
/// know nothing of them and leave them alone.
pub const FOLDER: &str = PICTURE_FOLDER;

/// A picture twice as dense is worth its bytes from this part on of twice the
/// pixels, in tenths.
const WORTH_IT: u32 = 12;

/// The pictures of an issue and how they can be copied.
#[derive(Debug, Default)]
pub struct Illustrations {
    /// What the letter's templates see.
    pub pictures: Pictures,
    /// What readers will see otherwise than the author meant.
    pub warnings: Vec<Problem>,
    copies: BTreeMap<String, Copy>,
    way: PictureWay,
    host: String,
}

/// A copy that has a name and may have to be made.
#[derive(Debug, Clone)]
struct Copy {
    original: Arc<Source>,
    width: u32,
    height: u32,
    format: Format,
}

/// The file of an original, and what it was when the copies were named.
#[derive(Debug)]
struct Source {
    /// Relative to the publication's root.
    file: PathBuf,
    path: PathBuf,
    facts: Original,
}

/// An original, and what the letter may show it as.
struct Wanted {
    file: PathBuf,
    roles: Vec<Role>,
}

/// What was found when the originals were looked at.
struct Look {
    /// Those that can be copied.
    all: Illustrations,
    /// What is wrong with the others.
    broken: Vec<Problem>,
}

impl Look {
    /// All of them, or what is wrong.
    fn whole(self) -> Result<Illustrations, Failure> {
        let Some(first) = self.broken.first() else {
            return Ok(self.all);
        };
        let problems = self.broken.iter();
        let names: Vec<String> = problems
            .map(|problem| format!("`{}` {}", problem.file.display(), problem.what))
            .collect();
        Err(Failure::new(Exit::Data, names.join("; ")).hint(&first.remedy))
    }
}

impl Illustrations {
    /// Looks at every picture of ours that the articles, or the masthead, may
    /// show.
    ///
    /// # Errors
    /// Exit 65 when there are some that cannot be copied; all of them are named.
    pub fn of(
        config: &Config,
        loaded: &Loaded,
        articles: &[(&Article, Arc<Body>)],
    ) -> Result<Self, Failure> {
        Self::look(config, &loaded.pictures, articles).whole()
    }

    /// Looks at the logo only: for messages without articles.
    ///
    /// # Errors
    /// As [`Illustrations::of`].
    pub fn of_masthead(config: &Config) -> Result<Self, Failure> {
        Self::look(config, &[], &[]).whole()
    }

    /// Those that can be copied, and what is wrong with the others.
    fn look(config: &Config, assets: &[Asset], articles: &[(&Article, Arc<Body>)]) -> Look {
        let known = known_formats(&public(config));
        let looked: Vec<_> = wanted(config, assets, articles)
            .into_par_iter()
            .map(|(url, wanted)| (url, look(config, wanted.file, &known), wanted.roles))
            .collect();
        let mail = config.mail.as_ref();
        let mut all = Self {
            way: mail.map(|mail| mail.pictures).unwrap_or_default(),
            host: host(&config.publication.base_url),
            ..Self::default()
        };
        let mut broken = Vec::new();
        for (url, source, roles) in looked {
            match source {
                Ok(source) => all.plan(config, &url, &Arc::new(source), &roles),
                // Vector pictures and what is of no kind that mail shows stay
                // as they are.
                Err((_, ScaleError::Kind)) => {}
                Err((file, error)) => {
                    let remedy = "save it again as JPEG or PNG, or take it out of the article";
                    let failure = Failure::of(Exit::Data, &error).hint(remedy);
                    broken.push(failure.problem(&file));
                }
            }
        }
        Look { all, broken }
    }

    fn plan(&mut self, config: &Config, url: &str, source: &Arc<Source>, roles: &[Role]) {
        let facts = &source.facts;
        for &role in roles {
            let is_whole = facts.is_kept_whole && role == Role::Column;
            let Some((width, height)) = fitted(facts.width, facts.height, role.widest()) else {
                continue;
            };
            let (once, twice) = match is_whole {
                true => ((facts.width, facts.height), None),
                false => ((width, height), twice(facts, width)),
            };
            let url_2x = twice.map(|size| self.name(config, source, size, is_whole));
            let url_1x = self.name(config, source, once, is_whole);
            let (url_1x, url_2x) = match self.way {
                PictureWay::Remote => (url_1x, url_2x),
                // Mail clients that show what travels along choose nothing:
                // they get the one that is sharp everywhere.
                PictureWay::Embed => (url_2x.unwrap_or(url_1x), None),
            };
            self.pictures.insert(
                url,
                role,
                Shown {
                    url: url_1x,
                    url_2x,
                    width,
                    height,
                },
            );
        }
        if facts.is_animated && !facts.is_kept_whole {
            self.warnings.push(Problem::warning(
                &source.file,
                None,
                "is animated, and mail shows its first picture only",
                "make it a GIF of at most 512 KiB, or see that its first picture says enough",
            ));
        }
    }

    /// The address of a copy; notes how it is made.
    fn name(
        &mut self,
        config: &Config,
        source: &Arc<Source>,
        (width, height): (u32, u32),
        is_whole: bool,
    ) -> String {
        let format = match (is_whole, source.facts.format) {
            (true, _) => Format::Gif,
            (false, format) => format,
        };
        let key = source.facts.key();
        let name = format!("{key}-{width}.{}", format.extension());
        let address = match self.way {
            PictureWay::Remote => format!("{}{FOLDER}/{name}", config.publication.base_url),
            PictureWay::Embed => format!("cid:{name}@{}", self.host),
        };
        let copy = Copy {
            original: Arc::clone(source),
            width,
            height,
            format,
        };
        self.copies.insert(name, copy);
        address
    }

    /// The names of the copies that this HTML shows.
    #[must_use]
    pub fn shown_in(&self, html: &str) -> Vec<&str> {
        let names = self.copies.keys().map(String::as_str);
        names.filter(|name| html.contains(name)).collect()
    }

    /// Makes copies, each with its name. An original is decoded once.
    ///
    /// # Errors
    /// When an original is not what it was when the copies were named.
    pub fn make(&self, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut by_original: BTreeMap<&Path, Vec<(&str, &Copy)>> = BTreeMap::new();
        for name in names {
            if let Some((name, copy)) = self.copies.get_key_value(*name) {
                let of_original = by_original.entry(&copy.original.path).or_default();
                of_original.push((name, copy));
            }
        }
        let made: Result<Vec<_>, Failure> = by_original
            .into_par_iter()
            .map(|(_, copies)| make_of_one(&copies))
            .collect();
        Ok(made?.into_iter().flatten().collect())
    }

    /// The pictures with those that travel in the message, once it is known
    /// what it shows; `None` where nothing travels along.
    ///
    /// # Errors
    /// As [`Illustrations::make`].
    pub fn embedded(&self, html: &str) -> Result<Option<Pictures>, Failure> {
        if self.way == PictureWay::Remote {
            return Ok(None);
        }
        let copies = self.make(&self.shown_in(html))?;
        let inline = copies.into_iter().map(|(name, bytes)| Inline {
            media_type: self
                .copies
                .get(&name)
                .map_or("image/jpeg", |copy| copy.format.media_type()),
            content_id: format!("{name}@{}", self.host),
            name,
            bytes,
        });
        let mut pictures = self.pictures.clone();
        pictures.embed(inline.collect());
        Ok(Some(pictures))
    }

    /// Puts the copies that this HTML shows where readers fetch them. What is
    /// there already has the same bytes: its name says so.
    ///
    /// # Errors
    /// When one cannot be made or written.
    pub fn publish(&self, config: &Config, html: &str) -> Result<(), Failure> {
        self.write(&public(config), html)
    }

    /// Puts the copies that this HTML shows into a folder.
    ///
    /// # Errors
    /// When one cannot be made or written.
    pub fn write(&self, folder: &Path, html: &str) -> Result<(), Failure> {
        let mut names = self.shown_in(html);
        names.retain(|name| !folder.join(name).is_file());
        for (name, bytes) in self.make(&names)? {
            files::write_if_changed(&folder.join(name), &bytes, Readers::Everybody)
                .map_err(|error| Failure::of(Exit::Io, &error))?;
        }
        Ok(())
    }

    /// The HTML with copies at paths that begin with `folder` instead of at
    /// their addresses: for looking at it before they are anywhere else.
    #[must_use]
    pub fn at(&self, folder: &str, html: &str, base_url: &Url) -> String {
        let html = html.replace(&format!("{base_url}{FOLDER}/"), folder);
        match self.way {
            PictureWay::Remote => html,
            PictureWay::Embed => html
                .replace("cid:", folder)
                .replace(&format!("@{}\"", self.host), "\""),
        }
    }

    /// Says what readers will see otherwise than the author meant.
    pub fn tell(&self, context: &Context) {
        workspace::tell_problems(context, &self.warnings);
    }
}

/// What is wrong with pictures of the articles that the next issue of a digest
/// would carry, found by looking into them.
///
/// # Errors
/// When the ledger cannot be read, or an article is not what it was.
pub async fn findings(
    config: &Config,
    store: Option<&Store>,
    loaded: &Loaded,
    digest: &Digest,
    now: DateTime<Utc>,
) -> Result<Vec<Problem>, Failure> {
    let known = workspace::known(config, store, digest).await?;
    let plan = IssuePlan::make(digest, &loaded.collection, &known.history, None, now);
    let renderer = Renderer::new(Arc::clone(&loaded.site)).without_text();
    let bodies = renderer.render_all(plan.articles.iter().copied())?;
    let articles: Vec<(&Article, Arc<Body>)> = plan
        .articles
        .iter()
        .filter_map(|article| Some((*article, Arc::clone(bodies.get(&article.id)?))))
        .collect();
    let Look {
        mut all,
        mut broken,
    } = Illustrations::look(config, &loaded.pictures, &articles);
    broken.append(&mut all.warnings);
    Ok(broken)
}

/// Where the copies of a publication are.
#[must_use]
pub fn public(config: &Config) -> PathBuf {
    config.root.join(workspace::PUBLIC).join(FOLDER)
}

fn host(base_url: &Url) -> String {
    base_url.host_str().unwrap_or("localhost").to_owned()
}

/// Twice the pixels, or as many as there are if those are worth it.
fn twice(facts: &Original, shown: u32) -> Option<(u32, u32)> {
    let size = fitted(facts.width, facts.height, shown * 2)?;
    (size.0 * 10 >= shown * WORTH_IT).then_some(size)
}

/// What earlier copies were written as, by the key of their original.
fn known_formats(folder: &Path) -> HashMap<String, Format> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let known = names.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (key, rest) = name.split_once('-')?;
        let end = rest.rsplit_once('.')?.1;
        let format = Format::ALL.into_iter().find(|f| f.extension() == end)?;
        // The copy of an animation says nothing of what a still one would be.
        (format != Format::Gif).then(|| (key.to_owned(), format))
    });
    known.collect()
}

fn wanted(
    config: &Config,
    assets: &[Asset],
    articles: &[(&Article, Arc<Body>)],
) -> BTreeMap<String, Wanted> {
    let assets: HashMap<&str, &Path> = assets
        .iter()
        .map(|asset| (asset.url.as_str(), asset.file.as_path()))
        .collect();
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut want = |url: &str, file: &Path, roles: &[Role]| {
        let wanted = all.entry(url.to_owned()).or_insert_with(|| Wanted {
            file: file.to_owned(),
            roles: Vec::new(),
        });
        wanted.roles.extend(roles);
        wanted.roles.sort_unstable();
        wanted.roles.dedup();
    };
    let publication = &config.publication;
    if let Some(logo) = publication
        .theme
        .logo
        .as_ref()
        .or(publication.logo.as_ref())
    {
        let artwork = config.artwork.iter().find(|(_, url)| *url == logo.url);
        if let Some((file, url)) = artwork {
            want(url.as_str(), file, &[Role::Logo]);
        }
    }
    for (article, body) in articles {
        if let Some(hero) = &article.hero
            && let Some(file) = &hero.file
            && !matches!(hero.kind, PictureType::Svg | PictureType::Avif)
        {
            want(hero.url.as_str(), file, &[Role::Column, Role::Thumb]);
        }
        for url in pictures_in(&body.html) {
            if let Some(file) = assets.get(url.as_str()) {
                want(&url, file, &[Role::Column]);
            }
        }
    }
    all
}

fn look(
    config: &Config,
    file: PathBuf,
    known: &HashMap<String, Format>,
) -> Result<Source, (PathBuf, ScaleError)> {
    let path = config.root.join(&file);
    let looked = fs::read(&path)
        .map_err(|error| ScaleError::Broken(error.into()))
        .and_then(|bytes| {
            let known = known.get(&Original::key_of(&bytes)).copied();
            Original::read(&bytes, known)
        });
    match looked {
        Ok(facts) => Ok(Source { file, path, facts }),
        Err(error) => Err((file, error)),
    }
}

fn make_of_one(copies: &[(&str, &Copy)]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let Some((_, first)) = copies.first() else {
        return Ok(Vec::new());
    };
    let source = &first.original;
    let what = || format!("`{}` cannot be copied for mail", source.file.display());
    let failed = |error: ScaleError| Failure::of(Exit::Data, &error).within(what());
    let bytes = fs::read(&source.path).map_err(|e| Failure::of(Exit::Io, &e).within(what()))?;
    if Original::key_of(&bytes) != source.facts.key() {
        let what = format!(
            "{} was changed while it was being published",
            source.file.display()
        );
        return Err(Failure::new(Exit::Temporary, what)
            .hint("run the same command again; nothing was published"));
    }
    let mut decoded = None;
    let mut made = Vec::with_capacity(copies.len());
    for (name, copy) in copies {
        let bytes = match copy.format {
            Format::Gif => scaling::whole_animation(&bytes).map_err(failed)?,
            Format::Jpeg | Format::Png => {
                let pixels = match decoded.take() {
                    Some(pixels) => pixels,
                    None => scaling::decode(&bytes).map_err(failed)?,
                };
                let copied = pixels.copy(copy.width, copy.height, copy.format);
                decoded = Some(pixels);
                copied.map_err(failed)?
            }
        };
        made.push(((*name).to_owned(), bytes));
    }
    Ok(made)
}
