//! What every request must be, and what every answer says: nobody but this
//! machine asks, nothing is kept by browsers, nothing is told to others.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Where forms are sent.
pub const FORMS: &str = "/_preview/send";

/// Said with every answer.
const ALWAYS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// Refuses what is not asked from this machine by name, and what would change
/// something.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        Some((status, why)) => (status, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; sandbox"));
    response
}

fn refusal(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let in_target = request.uri().host();
    if !named.is_some_and(is_here) || in_target.is_some_and(|host| !is_here(host)) {
        // A foreign name that leads to this machine is how web pages reach
        // into it (DNS rebinding).
        let why = "this server answers to localhost and 127.0.0.1 only";
        return Some((StatusCode::MISDIRECTED_REQUEST, why));
    }
    if request.uri().path() == FORMS {
        return refused_form(request);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
    }
    let is_foreign = says(headers, "sec-fetch-site", "cross-site");
    if is_foreign && !says(headers, "sec-fetch-mode", "navigate") {
        return Some((StatusCode::FORBIDDEN, "not for pages of other sites"));
    }
    None
}

/// A form must come from a page of this server. Browsers say so in one of two
/// ways; whether they were told the truth is shown by what the form holds.
fn refused_form(request: &Request) -> Option<(StatusCode, &'static str)> {
    if *request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "only POST"));
    }
    let headers = request.headers();
    let same = format!("http://{}", host(headers));
    // Without a referrer the origin of a form is told as `null`.
    let is_own = |origin: &HeaderValue| origin == "null" || origin == same.as_str();
    let is_ours = headers.get(header::ORIGIN).is_none_or(is_own)
        && headers
            .get("sec-fetch-site")
            .is_none_or(|site| site == "same-origin");
    let is_form = says(headers, "content-type", "application/x-www-form-urlencoded");
    match is_ours && is_form {
        true => None,
        false => Some((StatusCode::FORBIDDEN, "not for pages of other sites")),
    }
}

/// The host that was asked; empty when none was named.
pub(super) fn host(headers: &HeaderMap) -> &str {
    let named = headers.get(header::HOST);
    named
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
}

/// Whether a header has exactly this value.
pub(super) fn says(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|said| said == value)
}

/// Whether a host, with a port or without, is a name of this machine. The port
/// may be another: tunnels have theirs.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_here() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:1440",
            "[::1]:1440",
            "[::1]",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:80",
            "127.0.0.2",
            "0.0.0.0",
            "localhost:80@example.org",
            "evil:localhost",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
