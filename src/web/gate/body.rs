//! What a form or a mailbox provider sends: few bytes, in little time, as one
//! of the two forms that browsers and RFC 8058 know, or as JSON.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, StatusCode, header},
};
use multer::Multipart;

/// A form holds a few words.
const LARGEST: usize = 8 * 1024;
/// A body must be complete by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// More fields than any form of ours has.
const MOST_FIELDS: usize = 256;

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Refused {
    /// More than a form can hold.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// It broke off, or is not what it says.
    Broken,
    /// It is of a kind that we do not read.
    Unknown,
}

impl Refused {
    /// What is answered.
    pub(in crate::web) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Unknown => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// The fields of a form by name, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::web) struct Form(Vec<(String, String)>);

impl Form {
    /// The first value of this name.
    pub(in crate::web) fn value(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(known, _)| known == name)?;
        Some(named.1.as_str())
    }

    /// Every value of this name.
    pub(in crate::web) fn values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// The whole body, if it is small and comes in time.
pub(in crate::web) async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    bytes_up_to(LARGEST, headers, body).await
}

/// The whole body, if it has no more than `most` bytes and comes in time.
pub(in crate::web) async fn bytes_up_to(
    most: usize,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Refused> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length| length > most as u64) {
        return Err(Refused::TooLarge);
    }
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, most)).await;
    let read = read.map_err(|_| Refused::TooSlow)?;
    read.map_err(|error| {
        // A body without a length shows only on the way that it is too large.
        let source = std::error::Error::source(&error);
        match source.is_some_and(|source| source.to_string().contains("length limit")) {
            true => Refused::TooLarge,
            false => Refused::Broken,
        }
    })
}

/// The fields of a form. A body of no kind is read as the usual one.
pub(in crate::web) async fn form(headers: &HeaderMap, body: Body) -> Result<Form, Refused> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap_or("?").to_owned());
    let bytes = bytes(headers, body).await?;
    let essence = kind.as_deref().unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "" | "application/x-www-form-urlencoded" => Ok(urlencoded(&bytes)),
        "multipart/form-data" => multipart(kind.as_deref().unwrap_or_default(), bytes).await,
        _ => Err(Refused::Unknown),
    }
}

fn urlencoded(bytes: &[u8]) -> Form {
    let fields = url::form_urlencoded::parse(bytes).into_owned();
    Form(fields.take(MOST_FIELDS).collect())
}

async fn multipart(kind: &str, bytes: Bytes) -> Result<Form, Refused> {
    let boundary = multer::parse_boundary(kind).map_err(|_| Refused::Broken)?;
    let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes)]);
    let mut parts = Multipart::new(whole, boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| Refused::Broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let value = part.text().await.map_err(|_| Refused::Broken)?;
        fields.push((name, value));
        if fields.len() > MOST_FIELDS {
            return Err(Refused::TooLarge);
        }
    }
    Ok(Form(fields))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn read(kind: Option<&'static str>, body: impl Into<Body>) -> Result<Form, Refused> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        form(&headers, body.into()).await
    }

    #[tokio::test]
    async fn both_forms_of_one_click_are_read() {
        let plain = read(
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            "List-Unsubscribe=One-Click",
        );
        let parts = read(
            Some("multipart/form-data; boundary=\"---------------------------7da\""),
            "-----------------------------7da\r\n\
             Content-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
             One-Click\r\n-----------------------------7da--\r\n",
        );
        for form in [
            plain.await,
            parts.await,
            read(None, "List-Unsubscribe=One-Click").await,
        ] {
            assert_eq!(form.unwrap().value("List-Unsubscribe"), Some("One-Click"));
        }
    }

    #[tokio::test]
    async fn what_is_large_or_slow_or_broken_is_refused() {
        let large = "a=".to_owned() + &"x".repeat(LARGEST);
        assert_eq!(read(None, large).await, Err(Refused::TooLarge));
        let unending =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(100)));
        assert_eq!(
            read(None, Body::from_stream(unending)).await,
            Err(Refused::TooLarge)
        );
        let cut_off = read(
            Some("multipart/form-data; boundary=a"),
            "--a\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1",
        );
        assert_eq!(cut_off.await, Err(Refused::Broken));
        assert_eq!(read(Some("text/xml"), "<a/>").await, Err(Refused::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_only_so_long() {
        let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(
            read(None, Body::from_stream(silent)).await,
            Err(Refused::TooSlow)
        );
    }
}
