//! Signing up: a form, and the same for programs. What is typed leads to one
//! mail to that address at most, and to the same answer whoever it belongs to.
//! Nothing here waits for a mail to be sent.

use std::collections::BTreeSet;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use tera::Value;

use super::{Site, page::map};
use crate::{
    domain::{
        address::EmailAddress,
        choice::Choice,
        consent::{Evidence, SignUp},
        digest::Digest,
        text::{cut, one_line},
    },
    store::StoreError,
    web::gate::{
        body::{self, Form},
        peer::Asker,
        window::Closed,
    },
};

/// Nobody fills in a form in less time; programs do.
const LEAST_AGE: TimeDelta = TimeDelta::seconds(3);
/// A form that was open for longer is shown again.
const MOST_AGE: TimeDelta = TimeDelta::hours(2);
/// A name is no longer.
const LONGEST_NAME: usize = 100;
/// The field that people do not see.
const TRAP: &str = "website";

/// What was typed, into the form or by a program.
#[derive(Debug, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    digests: Vec<String>,
    #[serde(default)]
    form: String,
    #[serde(default)]
    website: String,
}

impl Entry {
    fn of(form: &Form) -> Self {
        let value = |name| form.value(name).unwrap_or_default().to_owned();
        Self {
            email: value("email"),
            name: value("name"),
            digests: form.values("digest").map(str::to_owned).collect(),
            form: value("form"),
            website: value(TRAP),
        }
    }
}

/// What came of it.
#[derive(Debug)]
enum Outcome {
    /// Perhaps a mail is on its way.
    Asked,
    /// It is no address that we can write to.
    NoAddress,
    /// There are several digests and none was chosen.
    NoDigest,
    /// The form was not ours, or too new, or too old: once more, please.
    Again,
    /// Too many sign up.
    Closed,
    Failed(StoreError),
}

impl Outcome {
    /// The word for programs, for figures, and for the template.
    fn word(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::NoAddress => "no-address",
            Self::NoDigest => "no-digest",
            Self::Again => "again",
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Asked => StatusCode::OK,
            Self::NoAddress | Self::NoDigest | Self::Again => StatusCode::BAD_REQUEST,
            Self::Closed => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

pub(super) async fn answer(site: &Site, asker: &Asker, request: Request) -> Response {
    if !site.can_subscribe {
        return site.dead_link(request.headers());
    }
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let mut response = match head.method {
        Method::OPTIONS => preflight(site),
        Method::POST => match says(headers, header::CONTENT_TYPE, "application/json") {
            true => match body::bytes(headers, body).await {
                Ok(bytes) => for_program(site, asker, headers, &bytes).await,
                Err(refused) => site.refused(refused),
            },
            false => match body::form(headers, body).await {
                Ok(form) => for_person(site, asker, headers, &form).await,
                Err(refused) => site.refused(refused),
            },
        },
        _ if says(headers, header::ACCEPT, "application/json") => offer(site, headers),
        _ if site.window.is_closed() => site.told(headers, "page-closed", StatusCode::OK),
        _ => {
            let query = head.uri.query().unwrap_or_default().as_bytes();
            let wanted = url::form_urlencoded::parse(query);
            let wanted = wanted
                .filter(|(name, _)| name == "digest")
                .map(|(_, v)| v.into_owned());
            let entry = Entry {
                digests: wanted.collect(),
                ..Entry::default()
            };
            form(site, headers, &entry, None)
        }
    };
    allow_own_site(site, &mut response);
    response
}

fn says(headers: &HeaderMap, name: header::HeaderName, value: &str) -> bool {
    let said = headers.get(name).and_then(|said| said.to_str().ok());
    said.is_some_and(|said| said.to_ascii_lowercase().starts_with(value))
}

async fn for_person(site: &Site, asker: &Asker, headers: &HeaderMap, sent: &Form) -> Response {
    let entry = Entry::of(sent);
    let wording = wording(site, headers);
    let outcome = decide(site, asker, &entry, wording, "form").await;
    match outcome {
        Outcome::Asked => site.told(headers, "page-asked", StatusCode::OK),
        Outcome::Closed => site.told(headers, "page-closed", outcome.status()),
        Outcome::Failed(error) => site.failed(&error),
        Outcome::NoAddress | Outcome::NoDigest | Outcome::Again => {
            form(site, headers, &entry, Some(outcome))
        }
    }
}

async fn for_program(site: &Site, asker: &Asker, headers: &HeaderMap, bytes: &[u8]) -> Response {
    let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
        return site.refused(body::Refused::Broken);
    };
    let outcome = decide(site, asker, &entry, wording(site, headers), "form (JSON)").await;
    if let Outcome::Failed(error) = &outcome {
        site.tell_failure(error);
    }
    let mut said = json!({ "outcome": outcome.word() });
    if matches!(outcome, Outcome::Again) {
        said["form"] = site.signer.stamp((site.now)()).into();
    }
    let mut response = site.pages.data("application/json", format!("{said}\n"));
    *response.status_mut() = outcome.status();
    response
}

/// What a program needs to show a form of its own.
fn offer(site: &Site, headers: &HeaderMap) -> Response {
    let digests = site
        .digests
        .iter()
        .map(|digest| json!({ "name": digest.name.as_str(), "title": digest.title }));
    let said = json!({
        "form": site.signer.stamp((site.now)()),
        "is_open": !site.window.is_closed(),
        "digests": digests.collect::<Vec<_>>(),
        "wording": wording(site, headers),
    });
    site.pages.data("application/json", format!("{said}\n"))
}

/// The words that whoever presses the button agrees to.
fn wording(site: &Site, headers: &HeaderMap) -> String {
    let words = site.pages.words(&site.pages.language(headers));
    let publication = site.pages.publication().title.as_str();
    words.say(
        "page-subscribe-consent",
        &[("publication", publication.into())],
    )
}

async fn decide(
    site: &Site,
    asker: &Asker,
    entry: &Entry,
    wording: String,
    source: &str,
) -> Outcome {
    let outcome = tried(site, asker, entry, wording, source).await;
    // Whoever fills in what people do not see is told what people are told.
    let word = match entry.website.is_empty() {
        true => outcome.word(),
        false => "trap",
    };
    site.counts.signups.count(word);
    outcome
}

async fn tried(
    site: &Site,
    asker: &Asker,
    entry: &Entry,
    wording: String,
    source: &str,
) -> Outcome {
    if !entry.website.is_empty() {
        return Outcome::Asked;
    }
    let Ok(address) = entry.email.trim().parse::<EmailAddress>() else {
        return Outcome::NoAddress;
    };
    let Some(digests) = wanted(&site.digests, &entry.digests) else {
        return Outcome::NoDigest;
    };
    let now = (site.now)();
    let age = site.signer.stamped(&entry.form).map(|shown| now - shown);
    if age.is_none_or(|age| age < LEAST_AGE || age > MOST_AGE) {
        return Outcome::Again;
    }
    match site.window.enter(asker.address) {
        Ok(()) => {}
        Err(closed) => {
            site.tell_closed(closed);
            return Outcome::Closed;
        }
    }
    let name = cut(&one_line(&entry.name), LONGEST_NAME);
    let ask = SignUp {
        address,
        name: Some(name).filter(|name| !name.is_empty()),
        digest: digests[0].name.clone(),
        choice: Choice {
            // All of them is everything, and what there will be.
            digests: match digests.len() == site.digests.len() {
                true => BTreeSet::new(),
                false => digests.iter().map(|digest| digest.name.clone()).collect(),
            },
            ..Choice::default()
        },
    };
    let evidence = Evidence {
        source: source.to_owned(),
        wording: Some(wording),
        network: asker.network(),
    };
    match site.store.sign_up(ask, evidence, now).await {
        Ok(()) => Outcome::Asked,
        Err(error) => Outcome::Failed(error),
    }
}

/// The digests that were chosen, never none; the only one where there is one.
fn wanted<'d>(digests: &'d [Digest], named: &[String]) -> Option<Vec<&'d Digest>> {
    let wanted: Vec<&Digest> = match digests {
        [only] => vec![only],
        several => {
            let is_wanted = |digest: &&Digest| named.iter().any(|n| n == digest.name.as_str());
            several.iter().filter(is_wanted).collect()
        }
    };
    (!wanted.is_empty()).then_some(wanted)
}

/// The form, with what was typed before and what is wrong with it.
fn form(site: &Site, headers: &HeaderMap, entry: &Entry, wrong: Option<Outcome>) -> Response {
    let digests = site.digests.iter().map(|digest| {
        map([
            ("value", digest.name.as_str().into()),
            ("title", digest.title.as_str().into()),
            (
                "is_chosen",
                entry
                    .digests
                    .iter()
                    .any(|n| n == digest.name.as_str())
                    .into(),
            ),
        ])
    });
    let digests: Vec<Value> = digests.collect();
    let digests = if digests.len() > 1 {
        digests
    } else {
        Vec::new()
    };
    let status = wrong.as_ref().map_or(StatusCode::OK, Outcome::status);
    let language = site.pages.language(headers);
    site.pages
        .page("subscribe.html", language, "page-subscribe-heading")
        .with("wrong", wrong.map(|outcome| outcome.word()))
        .with("email", cut(&one_line(&entry.email), 254))
        .with("name", cut(&one_line(&entry.name), LONGEST_NAME))
        .with("digests", digests)
        .with("form", site.signer.stamp((site.now)()))
        .status(status)
        .answer()
}

/// Programs on the publication's own site may ask; others may not read the answer.
fn allow_own_site(site: &Site, response: &mut Response) {
    let origin = site
        .pages
        .publication()
        .base_url
        .origin()
        .ascii_serialization();
    if let Ok(origin) = HeaderValue::from_str(&origin) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

fn preflight(site: &Site) -> Response {
    let mut response = site.pages.plain(StatusCode::NO_CONTENT, "");
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, accept"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Site {
    /// Tells the publisher once that the form closed itself.
    fn tell_closed(&self, closed: Closed) {
        self.counts.limits.count(match closed {
            Closed::Network => "sign-ups of a network",
            Closed::All { .. } => "sign-ups",
        });
        if closed == (Closed::All { is_news: true }) {
            (self.tell)(
                "too many sign-ups within an hour: the form is closed for the next hour. Somebody \
                 may be using it to bother others; `letterpress_form_closed` in /metrics tells",
            );
        }
    }
}
