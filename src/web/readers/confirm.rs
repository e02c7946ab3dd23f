//! Saying yes: asking shows a button, and only pressing it makes it true, since
//! mail scanners open every link. A link that is none of ours, was used before,
//! is too old or of an older request than the newest is answered like any other
//! that leads to nothing.

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};

use super::{Holder, Site};
use crate::{
    domain::consent::Evidence,
    web::gate::{body, peer::Asker},
};

pub(super) async fn answer(
    site: &Site,
    asker: &Asker,
    holder: Option<Holder>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let language = site.pages.language(&head.headers);
    if head.method != Method::POST {
        let page = site.pages.page("confirm.html", language, "confirm-heading");
        return page.answer();
    }
    let form = match body::form(&head.headers, body).await {
        Ok(form) => form,
        Err(refused) => return site.refused(refused),
    };
    // A page of somebody else cannot press the button by accident.
    if form.value("yes") != Some("1") {
        let page = site.pages.page("confirm.html", language, "confirm-heading");
        return page.status(StatusCode::BAD_REQUEST).answer();
    }
    let named = holder.and_then(|holder| Some((holder.reader, holder.asked?)));
    let Some((reader, asked)) = named else {
        return site.dead_link(&head.headers);
    };
    let evidence = Evidence {
        source: "confirmation page".to_owned(),
        wording: Some(site.pages.words(&language).say("page-confirm-text", &[])),
        network: asker.network(),
    };
    match site
        .store
        .confirm(reader, asked, evidence, (site.now)())
        .await
    {
        Ok(Some(_)) => site.told(&head.headers, "page-confirmed", StatusCode::OK),
        Ok(None) => site.dead_link(&head.headers),
        Err(error) => site.failed(&error),
    }
}
