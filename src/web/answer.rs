//! What was asked and what is answered, and how far a browser may trust it.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;

use super::live;

/// A request for a page or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path as it was sent, with `%` escapes.
    pub path: String,
    /// What stands after `?`, as it was sent.
    pub query: String,
    /// The host that was asked, with its port: a name of this machine.
    pub host: String,
    /// Whether a frame of another page asks.
    pub is_framed: bool,
    /// The fields of a form that was sent, as they were sent; `None` for a
    /// question.
    pub form: Option<String>,
}

impl Asked {
    /// The path without escapes; `None` when it is no text.
    #[must_use]
    pub fn plain_path(&self) -> Option<String> {
        let path = percent_decode_str(&self.path).decode_utf8().ok()?;
        Some(path.into_owned())
    }

    /// The first value of this name in the query.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// What a browser may do with an answer: its content security policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A page of ours: our script, pictures and frames of this server.
    Own,
    /// A page of the publication: the same without frames.
    Page,
    /// A letter: no script at all, and what it links to opens elsewhere.
    Letter,
    /// A letter in a client that shows no pictures.
    LetterWithoutPictures,
    /// A file: nothing but itself.
    File,
}

impl Trust {
    fn policy(self) -> String {
        let live = live::hash();
        let shown = "img-src 'self' data:; media-src 'self'; font-src 'self'; \
                     style-src 'self' 'unsafe-inline'";
        match self {
            Self::Own => format!(
                "default-src 'none'; {shown}; script-src '{live}'; connect-src 'self'; \
                 frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
            Self::Page => format!(
                "default-src 'none'; {shown}; script-src '{live}'; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
            ),
            Self::Letter => format!(
                "default-src 'none'; {shown}; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'self'; sandbox allow-same-origin allow-popups \
                 allow-popups-to-escape-sandbox"
            ),
            Self::LetterWithoutPictures => {
                let shown = "style-src 'unsafe-inline'";
                format!(
                    "default-src 'none'; {shown}; base-uri 'none'; form-action 'none'; \
                     frame-ancestors 'self'; sandbox allow-same-origin allow-popups \
                     allow-popups-to-escape-sandbox"
                )
            }
            Self::File => "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                           frame-ancestors 'none'; sandbox"
                .to_owned(),
        }
    }
}

/// An answer, complete in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code (RFC 9110, 15).
    pub status: u16,
    /// Media type with its parameters.
    pub media_type: String,
    /// How far a browser may trust it.
    pub trust: Trust,
    /// Where to look instead.
    pub location: Option<String>,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Answer {
    /// Something that is there.
    pub fn of(media_type: impl Into<String>, trust: Trust, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            media_type: media_type.into(),
            trust,
            location: None,
            body: body.into(),
        }
    }

    /// The same with another status code.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Look at this path of the same server instead.
    #[must_use]
    pub fn elsewhere(path: &str) -> Self {
        Self {
            location: Some(path.to_owned()),
            ..Self::of("text/plain; charset=utf-8", Trust::File, "see elsewhere\n").status(302)
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let mut set = |name, value: &str| {
            // What cannot stand in a header is left out: then nothing is trusted.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, &self.media_type);
        set(header::CONTENT_SECURITY_POLICY, &self.trust.policy());
        if let Some(location) = &self.location {
            set(header::LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_policy_allows_a_script_that_is_not_ours() {
        for trust in [
            Trust::Own,
            Trust::Page,
            Trust::Letter,
            Trust::LetterWithoutPictures,
            Trust::File,
        ] {
            let policy = trust.policy();
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            let scripts = policy
                .split("; ")
                .find(|part| part.starts_with("script-src"));
            assert!(
                scripts.is_none_or(|part| part == format!("script-src '{}'", live::hash())),
                "{policy}"
            );
        }
    }

    #[test]
    fn a_query_is_read_by_name() {
        let asked = Asked {
            path: "/caf%C3%A9/".to_owned(),
            query: "view=source&page=2&view=html".to_owned(),
            host: "localhost".to_owned(),
            is_framed: false,
            form: None,
        };
        assert_eq!(asked.value("view").as_deref(), Some("source"));
        assert_eq!(asked.value("x"), None);
        assert_eq!(asked.plain_path().as_deref(), Some("/café/"));
    }
}
