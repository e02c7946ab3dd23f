//! The pages of readers, put together and opened to the world.

use std::{future::Future, path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;

use super::{
    gate,
    readers::{self, Site, hooks::Hooks, page::Pages, rehearsal},
};
use crate::{
    config::settings::ServeSettings,
    domain::{digest::Digest, problem::Problem, publication::Publication},
    links::Signer,
    store::Store,
    templates::{TemplateError, Templates},
};

/// All that the pages of readers are made of.
pub struct Serving {
    /// Whose readers they are.
    pub publication: Publication,
    /// What readers can get and leave.
    pub digests: Vec<Digest>,
    /// How pages look.
    pub templates: Templates,
    /// `[serve]`.
    pub settings: ServeSettings,
    /// The output folder.
    pub folder: PathBuf,
    /// A handle to the ledger for readers who leave, and for nothing that could
    /// make them wait.
    pub exit: Store,
    /// Another handle, for all else.
    pub store: Store,
    /// Whether a mail that asks for a yes could be sent, and lead here.
    pub can_subscribe: bool,
    /// What time it is.
    pub now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Where providers tell of bounces.
    pub hooks: Hooks,
    /// Hears what the publisher must know, without an address or a token.
    pub tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// Answers readers until `stop`; lets them finish then.
///
/// # Errors
/// When a template of a page does not work out; then nobody was answered.
pub async fn serve_readers(
    listener: TcpListener,
    serving: Serving,
    stop: impl Future<Output = ()>,
) -> Result<(), TemplateError> {
    let pages = Pages::new(serving.publication, serving.templates)?;
    rehearsal::try_all(&pages)?;
    let proxies = serving.settings.trusted_proxies;
    let public_url = serving.settings.public_url.as_ref();
    let own = [Some(&pages.publication().base_url), public_url];
    let site = Arc::new(Site {
        prefixes: own.into_iter().flatten().map(readers::prefix).collect(),
        signer: Signer::new(serving.store.install_key()),
        pages,
        digests: serving.digests,
        folder: serving.folder,
        proxies: proxies.clone(),
        exit: serving.exit,
        store: serving.store,
        now: serving.now,
        hooks: serving.hooks,
        tell: serving.tell,
        rates: readers::rates(),
        can_subscribe: serving.can_subscribe,
        window: readers::window(serving.settings.signups_per_hour),
        counts: readers::Counts::default(),
        has_told_of_proxy: false.into(),
    });
    let answering = Arc::clone(&site);
    gate::server::open(
        listener,
        proxies,
        move |peer, request| Arc::clone(&answering).answer(peer, request),
        || site.counts.limits.count("connections"),
        stop,
    )
    .await;
    Ok(())
}

/// Renders every page for readers, with nobody looking.
#[must_use]
pub fn check_templates(publication: &Publication, templates: &Templates) -> Vec<Problem> {
    let tried = Pages::new(publication.clone(), templates.clone())
        .and_then(|pages| rehearsal::try_all(&pages));
    tried
        .err()
        .map(|error| error.problem())
        .into_iter()
        .collect()
}
