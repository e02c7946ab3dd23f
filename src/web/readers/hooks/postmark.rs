//! Postmark posts what it has to tell of bounces and complaints. It signs
//! nothing: it sends along a secret, as a password (RFC 7617) or in a header.

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::apply;
use crate::{
    inbound::mail,
    web::{gate::body, readers::Site},
};

/// The header that may carry the secret instead of a password.
const SECRET: &str = "x-letterpress-secret";
/// What is put under the key: secrets are compared by that, in constant time.
const LABEL: &[u8] = b"letterpress postmark hook";

/// What the endpoint for Postmark needs.
pub struct PostmarkHook {
    tag: Vec<u8>,
}

impl PostmarkHook {
    /// An endpoint for those who know this secret.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let tag = keyed(secret.expose_secret().as_bytes()).finalize();
        Self {
            tag: tag.into_bytes().to_vec(),
        }
    }

    /// Whether a request carries the secret: whoever the user is said to be.
    pub(in crate::web::readers) fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(SECRET).map(|value| value.as_bytes().to_vec());
        given
            .or_else(|| password(headers))
            .is_some_and(|given| keyed(&given).verify_slice(&self.tag).is_ok())
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(LABEL);
    mac
}

/// The password of `Authorization: Basic`.
fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64.decode(given.trim().as_bytes()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

/// Answers a post of Postmark. To whoever knows the secret the answer is the
/// same whatever came of it; anybody else hears nothing either.
pub(in crate::web::readers) async fn postmark(site: &Site, request: Request) -> Response {
    let Some(hook) = &site.hooks.postmark else {
        return site
            .pages
            .plain(StatusCode::NOT_FOUND, "there is nothing here\n");
    };
    let (head, body) = request.into_parts();
    // Strangers make nobody read what they send.
    if !hook.knows(&head.headers) {
        return site.pages.plain(StatusCode::FORBIDDEN, "not taken\n");
    }
    let bytes = match body::bytes_up_to(mail::MOST_BYTES, &head.headers, body).await {
        Ok(bytes) => bytes,
        Err(refused) => return site.refused(refused),
    };
    let limit = site.hooks.hard_limit;
    match apply(&bytes, limit, &site.store, &site.signer, (site.now)()).await {
        Ok(news) => {
            news.iter().for_each(|line| (site.tell)(line));
            site.pages.plain(StatusCode::OK, "taken\n")
        }
        Err(error) => site.failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            header::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn only_the_secret_opens_whether_as_a_password_or_in_its_header() {
        let hook = PostmarkHook::new(&SecretString::from("open: sesame"));
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
        for right in [
            with("authorization", &basic("postmark:open: sesame")),
            with(
                "authorization",
                &basic(":open: sesame").replace("Basic", "basic"),
            ),
            with(SECRET, "open: sesame"),
        ] {
            assert!(hook.knows(&right), "{right:?}");
        }
        for wrong in [
            HeaderMap::new(),
            with("authorization", &basic("open: sesame:")),
            with("authorization", &basic("postmark:open: sesam")),
            with("authorization", &basic("open")),
            with("authorization", "Basic !"),
            with("authorization", "Bearer open: sesame"),
            with(SECRET, ""),
            with(SECRET, "open: sesame2"),
        ] {
            assert!(!hook.knows(&wrong), "{wrong:?}");
        }
    }
}
