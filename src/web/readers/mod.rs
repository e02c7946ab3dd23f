//! The pages of readers and the files of the publication: who asks for what,
//! and who answers.

mod confirm;
mod files;
pub(in crate::web) mod hooks;
mod leave;
mod metrics;
mod negotiation;
pub(in crate::web) mod page;
mod preferences;
pub(in crate::web) mod rehearsal;
mod snippet;
mod subscribe;
mod topics;

use std::{
    error::Error as _,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use url::Url;

pub use self::snippet::snippet;

use self::page::Pages;
use super::gate::{
    body::Refused,
    peer::{self, Asker},
    rates::{Crowd, Rate, Rates},
    tally::Tally,
    window::Window,
};
use crate::{
    domain::{delivery::DeliveryId, digest::Digest, network::Network, subscriber::SubscriberId},
    links::{DigestTag, Payload, Purpose, Signer},
    store::{Store, StoreError},
};

/// An answer is given by then, or never.
const TOTAL: Duration = Duration::from_secs(30);
/// What one address may ask for without a valid token: a page has many files.
const OF_ONE: Rate = Rate {
    burst: 300,
    every: Duration::from_millis(200),
};
/// What a network may.
const OF_MANY: Rate = Rate {
    burst: 1500,
    every: Duration::from_millis(40),
};

/// All that answering needs.
pub(in crate::web) struct Site {
    pub(in crate::web) pages: Pages,
    pub(in crate::web) digests: Vec<Digest>,
    /// The output folder.
    pub(in crate::web) folder: PathBuf,
    pub(in crate::web) proxies: Vec<Network>,
    /// For readers who leave, and nothing that could make them wait.
    pub(in crate::web) exit: Store,
    /// For all else.
    pub(in crate::web) store: Store,
    pub(in crate::web) signer: Signer,
    pub(in crate::web) now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Providers that tell of bounces by HTTP.
    pub(in crate::web) hooks: hooks::Hooks,
    /// Hears what the publisher must know, without an address or a token.
    pub(in crate::web) tell: Box<dyn Fn(&str) + Send + Sync>,
    /// The paths below which we may be reached: those of our own URL and of
    /// the publication's, without the slash at their ends.
    pub(in crate::web) prefixes: Vec<String>,
    pub(in crate::web) rates: Rates,
    /// Whether a mail that asks for a yes could be sent, and lead here.
    pub(in crate::web) can_subscribe: bool,
    pub(in crate::web) window: Window,
    pub(in crate::web) counts: Counts,
    /// Whether a proxy that is not listed was told of.
    pub(in crate::web) has_told_of_proxy: AtomicBool,
}

/// What is counted for `/metrics`.
#[derive(Debug, Default)]
pub(in crate::web) struct Counts {
    /// Requests by kind and status code.
    requests: Tally<(&'static str, u16)>,
    /// Readers who left, by what they did and what came of it.
    departures: Tally<(&'static str, &'static str)>,
    /// Sign-ups by what came of them.
    signups: Tally<&'static str>,
    /// Limits that were hit.
    pub(in crate::web) limits: Tally<&'static str>,
}

/// So many of one network may sign up in an hour.
const MOST_OF_NETWORK: usize = 5;

/// The limits on those who sign up: after so many in all the form closes itself.
pub(in crate::web) fn window(most: usize) -> Window {
    Window::new(MOST_OF_NETWORK, most)
}

/// The limits on requests of this kind.
pub(in crate::web) fn rates() -> Rates {
    Rates::new(OF_ONE, OF_MANY)
}

/// The path of a URL without the slash at its end.
pub(in crate::web) fn prefix(url: &Url) -> String {
    url.path().trim_end_matches('/').to_owned()
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'p> {
    Unsubscribe(&'p str),
    Preferences(&'p str),
    Confirm(&'p str),
    Subscribe,
    /// What Amazon SNS posts.
    SesHook,
    /// What Postmark posts.
    PostmarkHook,
    Health,
    Metrics,
    File(&'p str),
}

impl<'p> Route<'p> {
    /// What stands at a path that begins with a slash.
    fn of(path: &'p str) -> Self {
        let below = path.strip_prefix('/').unwrap_or(path);
        match below.split_once('/') {
            Some(("unsubscribe", token)) => Self::Unsubscribe(token),
            Some(("preferences", token)) => Self::Preferences(token),
            Some(("confirm", token)) => Self::Confirm(token),
            Some(("hooks", "ses")) => Self::SesHook,
            Some(("hooks", "postmark")) => Self::PostmarkHook,
            None if below == "subscribe" => Self::Subscribe,
            None if below == "healthz" => Self::Health,
            None if below == "metrics" => Self::Metrics,
            _ => Self::File(path),
        }
    }

    /// Its name in figures: never the path, which may be a secret.
    fn name(self) -> &'static str {
        match self {
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Preferences(_) => "preferences",
            Self::Confirm(_) => "confirm",
            Self::Subscribe => "subscribe",
            Self::SesHook => "ses hook",
            Self::PostmarkHook => "postmark hook",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::File(_) => "file",
        }
    }

    /// The token that it holds, and what that is good for.
    fn token(self) -> Option<(Purpose, &'p str)> {
        match self {
            Self::Unsubscribe(token) => Some((Purpose::Unsubscribe, token)),
            Self::Preferences(token) => Some((Purpose::Manage, token)),
            Self::Confirm(token) => Some((Purpose::Confirm, token)),
            Self::Subscribe
            | Self::SesHook
            | Self::PostmarkHook
            | Self::Health
            | Self::Metrics
            | Self::File(_) => None,
        }
    }

    /// Whether the machines around us ask for it, often and regularly.
    fn is_for_machines(self) -> bool {
        match self {
            Self::Health | Self::Metrics => true,
            Self::Unsubscribe(_)
            | Self::Preferences(_)
            | Self::Confirm(_)
            | Self::Subscribe
            | Self::SesHook
            | Self::PostmarkHook
            | Self::File(_) => false,
        }
    }

    fn allows(self, method: &Method) -> bool {
        let is_question = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Unsubscribe(_) | Self::Preferences(_) | Self::Confirm(_) => {
                is_question || *method == Method::POST
            }
            Self::Subscribe => is_question || matches!(*method, Method::POST | Method::OPTIONS),
            Self::SesHook | Self::PostmarkHook => *method == Method::POST,
            Self::Health | Self::Metrics | Self::File(_) => is_question,
        }
    }
}

/// The reader that a valid token names, and the digest it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    reader: SubscriberId,
    digest: DigestTag,
    /// Of a yes: the mail that asked for it.
    asked: Option<DeliveryId>,
}

impl Site {
    /// Answers a request that came through a connection from `peer`.
    pub(in crate::web) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request,
    ) -> Response {
        let asker = peer::asker(peer, request.headers(), &self.proxies);
        self.tell_of_proxy(&asker, peer);
        let path = request.uri().path().to_owned();
        let route = Route::of(self.below(&path));
        let holder = route
            .token()
            .and_then(|(purpose, token)| self.holder(purpose, token));
        let is_known = holder.is_some() || self.is_provider(route, request.headers());
        let mut response = match self.refusal(route, &asker, is_known, request.method()) {
            Some(refusal) => refusal,
            None => {
                let answered = self.dispatch(route, &asker, holder, request);
                match tokio::time::timeout(TOTAL, answered).await {
                    Ok(response) => response,
                    Err(_) => {
                        self.counts.limits.count("time");
                        self.busy()
                    }
                }
            }
        };
        let nosniff = HeaderValue::from_static("nosniff");
        response
            .headers_mut()
            .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        self.counts
            .requests
            .count((route.name(), response.status().as_u16()));
        response
    }

    /// The path below the one at which a proxy may have us.
    fn below<'p>(&self, path: &'p str) -> &'p str {
        let ours = self.prefixes.iter().filter(|prefix| !prefix.is_empty());
        let below = ours.filter_map(|prefix| path.strip_prefix(prefix.as_str()));
        below
            .filter(|rest| rest.starts_with('/'))
            .min_by_key(|rest| rest.len())
            .unwrap_or(path)
    }

    /// Who a token names: known by its MAC alone, before anything is looked up.
    fn holder(&self, purpose: Purpose, token: &str) -> Option<Holder> {
        match self.signer.verify(purpose, token)? {
            Payload::Reader { subscriber, digest } => Some(Holder {
                reader: subscriber,
                digest,
                asked: None,
            }),
            Payload::Asked {
                subscriber,
                digest,
                delivery,
            } => Some(Holder {
                reader: subscriber,
                digest,
                asked: Some(delivery),
            }),
            Payload::Delivery(_) => None,
        }
    }

    /// Whether a provider proves itself already by the head of its request.
    fn is_provider(&self, route: Route<'_>, headers: &HeaderMap) -> bool {
        let hook = self.hooks.postmark.as_ref();
        matches!(route, Route::PostmarkHook) && hook.is_some_and(|hook| hook.knows(headers))
    }

    fn refusal(
        &self,
        route: Route<'_>,
        asker: &Asker,
        is_known: bool,
        method: &Method,
    ) -> Option<Response> {
        if !route.allows(method) {
            return Some(
                self.pages
                    .plain(StatusCode::METHOD_NOT_ALLOWED, "not this way\n"),
            );
        }
        // Mailbox providers send what many readers press from few addresses: a
        // valid token is never refused. What came back of an issue is told by few, too.
        if is_known || (route.is_for_machines() && !asker.is_forwarded) {
            return None;
        }
        let crowd = self.rates.count(asker.address).err()?;
        self.counts.limits.count(match crowd {
            Crowd::Address => "address",
            Crowd::Network => "network",
        });
        let mut response = self
            .pages
            .plain(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
        let later = HeaderValue::from_static("60");
        response.headers_mut().insert(header::RETRY_AFTER, later);
        Some(response)
    }

    async fn dispatch(
        &self,
        route: Route<'_>,
        asker: &Asker,
        holder: Option<Holder>,
        request: Request,
    ) -> Response {
        match route {
            Route::Unsubscribe(_) => leave::answer(self, asker, holder, request).await,
            Route::Preferences(_) => preferences::answer(self, asker, holder, request).await,
            Route::Confirm(_) => confirm::answer(self, asker, holder, request).await,
            Route::Subscribe => subscribe::answer(self, asker, request).await,
            Route::SesHook => hooks::ses(self, request).await,
            Route::PostmarkHook => hooks::postmark(self, request).await,
            Route::Health => metrics::health(self).await,
            Route::Metrics => metrics::answer(self, asker).await,
            Route::File(path) => {
                let wanted = files::Wanted {
                    method: request.method(),
                    path,
                    headers: request.headers(),
                };
                files::answer(&self.folder, &wanted).await
            }
        }
    }

    /// A body that is not taken.
    fn refused(&self, refused: Refused) -> Response {
        self.counts.limits.count(match refused {
            Refused::TooLarge | Refused::Broken | Refused::Unknown => "body",
            Refused::TooSlow => "time",
        });
        let mut response = self.pages.plain(refused.status(), "this cannot be read\n");
        // What is still on its way is not read.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        response
    }

    /// A page of a few words, `<key>-heading` and `<key>-text`.
    fn told(&self, headers: &HeaderMap, key: &str, status: StatusCode) -> Response {
        let language = self.pages.language(headers);
        let text = self.pages.words(&language).say(&format!("{key}-text"), &[]);
        let page = self
            .pages
            .page("told.html", language, &format!("{key}-heading"));
        page.with("text", text).status(status).answer()
    }

    /// The page for a link that leads to nobody, whatever the reason.
    fn dead_link(&self, headers: &HeaderMap) -> Response {
        self.told(headers, "page-dead-link", StatusCode::NOT_FOUND)
    }

    /// The page for what did not work and may work later.
    fn busy(&self) -> Response {
        let headers = HeaderMap::new();
        let mut response = self.told(&headers, "page-busy", StatusCode::SERVICE_UNAVAILABLE);
        let later = HeaderValue::from_static("30");
        response.headers_mut().insert(header::RETRY_AFTER, later);
        response
    }

    /// The ledger failed: the reader may try again, the publisher hears why.
    fn failed(&self, error: &StoreError) -> Response {
        self.tell_failure(error);
        self.busy()
    }

    fn tell_failure(&self, error: &StoreError) {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        (self.tell)(&format!("a reader was sent away: {why}"));
    }

    /// The digest that a token came with, if there still is one of that name.
    fn digest_of(&self, tag: DigestTag) -> Option<&Digest> {
        self.digests
            .iter()
            .find(|digest| DigestTag::of(&digest.name) == tag)
    }

    fn tell_of_proxy(&self, asker: &Asker, peer: IpAddr) {
        if asker.is_hidden && !self.has_told_of_proxy.swap(true, Ordering::Relaxed) {
            (self.tell)(&format!(
                "requests come through a proxy at {peer} that `serve.trusted_proxies` does not \
                 name: all its readers count as one"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_place() {
        for (path, route) in [
            ("/unsubscribe/v1.a.b.c", Route::Unsubscribe("v1.a.b.c")),
            ("/unsubscribe/", Route::Unsubscribe("")),
            ("/unsubscribe", Route::File("/unsubscribe")),
            ("/preferences/v1.a.b.c", Route::Preferences("v1.a.b.c")),
            ("/healthz", Route::Health),
            ("/metrics", Route::Metrics),
            ("/metrics/", Route::File("/metrics/")),
            ("/", Route::File("/")),
            ("/food/", Route::File("/food/")),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
