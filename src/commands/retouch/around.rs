//! What feeds are made of besides articles and ledger: settings, templates,
//! logo and icon, and where they go.

use std::{fs, path::Path};

use walkdir::WalkDir;

use crate::{
    commands::{Context, workspace},
    config::Config,
    domain::fingerprint::Fingerprint,
    files::{Stamp, record::record},
};

/// While it is the same, so is everything that a publication without pages is
/// made of besides articles and ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    settings: Fingerprint,
    files: Fingerprint,
}

record!(Around { settings, files });

impl Around {
    /// Looks at it, before any of it is used; `None` for a publication with
    /// pages, and where a file has changed so lately that nobody could tell a
    /// further change.
    #[must_use]
    pub fn of(context: &Context, config: &Config, folder: &Path) -> Option<Self> {
        if config.content.pages {
            return None;
        }
        let Config {
            root,
            publication,
            artwork,
            content_dir,
            content,
            compress,
            feeds,
            digests,
            mail: _,
            bounces: _,
            ses_topic: _,
            postmark_secret_file: _,
            hard_limit: _,
            serve: _,
            store: _,
            store_section: _,
            seed_file: _,
        } = config;
        // A digest's template has to exist, or nothing is published.
        let wanted: Vec<&str> = digests.iter().map(|one| one.template.as_str()).collect();
        let names: Vec<&str> = digests.iter().map(|one| one.name.as_str()).collect();
        let where_to = (root, folder, content_dir);
        Some(Self {
            settings: Fingerprint::of(&(
                where_to,
                (publication, artwork, content, compress, feeds),
                (wanted, names),
            )),
            files: files(context, config)?,
        })
    }
}

/// Of the stamps of templates and artwork.
fn files(context: &Context, config: &Config) -> Option<Fingerprint> {
    let since = context.clock.machine_time();
    let stamp = |path: &Path| {
        let facts = fs::symlink_metadata(path).ok()?;
        let stamp = Stamp::of(&facts);
        // What a link leads to may change without it.
        (!facts.is_symlink() && stamp.is_settled(since)).then_some(stamp)
    };
    let mut all = Vec::new();
    let folder = config.root.join(workspace::TEMPLATES);
    if fs::symlink_metadata(&folder).is_ok() {
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let path = entry.ok()?.into_path();
            let stamp = stamp(&path)?;
            all.push((path, stamp));
        }
    }
    for (file, _) in &config.artwork {
        let path = config.root.join(file);
        let stamp = stamp(&path)?;
        all.push((path, stamp));
    }
    Some(Fingerprint::of(&all))
}
