//! Leaving: one click of a mailbox provider (RFC 8058), or a page with a button.
//! Questions change nothing; the effect is on stable storage before the answer;
//! a token that is none of ours, or was used before, is answered like any other.

use axum::{extract::Request, http::Method, http::StatusCode, response::Response};

use super::{Holder, Site};
use crate::{
    domain::consent::Evidence,
    store::Departure,
    web::gate::{body, peer::Asker},
};

/// What a mailbox provider sends (RFC 8058, 3.1).
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");
/// The field of our own page.
const WHAT: &str = "what";

/// What the button of the page or of a mail program asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    OneClick,
    ThisDigest,
    Everything,
    ForGood,
}

impl Wish {
    fn of(form: &body::Form) -> Option<Self> {
        match form.value(WHAT) {
            Some("digest") => return Some(Self::ThisDigest),
            Some("all") => return Some(Self::Everything),
            Some("never") => return Some(Self::ForGood),
            _ => {}
        }
        let (name, value) = ONE_CLICK;
        form.value(name)
            .filter(|given| given.trim().eq_ignore_ascii_case(value))
            .map(|_| Self::OneClick)
    }

    /// The word for figures and for the reader's record.
    fn name(self) -> &'static str {
        match self {
            Self::OneClick => "one-click",
            Self::ThisDigest => "page, one digest",
            Self::Everything => "page, all",
            Self::ForGood => "page, for good",
        }
    }
}

pub(super) async fn answer(
    site: &Site,
    asker: &Asker,
    holder: Option<Holder>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let language = site.pages.language(&head.headers);
    if head.method != Method::POST {
        return page(site, language, StatusCode::OK);
    }
    let form = match body::form(&head.headers, body).await {
        Ok(form) => form,
        Err(refused) => return site.refused(refused),
    };
    let Some(wish) = Wish::of(&form) else {
        return page(site, language, StatusCode::BAD_REQUEST);
    };
    let result = match holder {
        Some(holder) => match leave(site, asker, holder, wish).await {
            Ok(result) => result,
            Err(response) => return response,
        },
        None => "no valid token",
    };
    site.counts.departures.count((wish.name(), result));
    site.pages
        .page("left.html", language, "page-left-heading")
        .answer()
}

/// The page with the button: the same for every token, so that nothing is
/// looked up.
fn page(site: &Site, language: String, status: StatusCode) -> Response {
    site.pages
        .page("leave.html", language, "page-leave-heading")
        .with("has_several", site.digests.len() > 1)
        .status(status)
        .answer()
}

async fn leave(
    site: &Site,
    asker: &Asker,
    holder: Holder,
    wish: Wish,
) -> Result<&'static str, Response> {
    // One click comes from the mailbox provider, whose network says nothing.
    let evidence = Evidence {
        source: format!("web ({})", wish.name()),
        wording: None,
        network: asker.network().filter(|_| wish != Wish::OneClick),
    };
    let departure = departure(site, holder, wish);
    let left = site
        .exit
        .leave(holder.reader, departure, evidence, (site.now)())
        .await;
    match left {
        Ok(outcome) if outcome.is_noted => Ok("noted"),
        Ok(outcome) if outcome.was.is_none() => Ok("not on the list"),
        Ok(_) => Ok("done"),
        Err(error) => Err(site.failed(&error)),
    }
}

/// One click is for the list that the message names: its digest. Where that is
/// gone or the only one, it is for everything.
fn departure(site: &Site, holder: Holder, wish: Wish) -> Departure {
    match wish {
        Wish::Everything => Departure::List,
        Wish::ForGood => Departure::ForGood,
        Wish::OneClick | Wish::ThisDigest => {
            let left = site.digest_of(holder.digest).map(|digest| &digest.name);
            Departure::of_digest(left, site.digests.iter().map(|digest| &digest.name))
        }
    }
}
