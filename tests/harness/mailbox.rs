//! A stored message read by a parser that shares no code with the writer.

use mail_parser::{MessageParser, MessagePart, MimeHeaders};

/// A parsed message.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The message as stored.
    pub(crate) raw: Vec<u8>,
    /// Name and unfolded value of every header, in their order.
    headers: Vec<(String, String)>,
    /// Subject with encoded words decoded.
    pub(crate) subject: String,
    /// Every address of To, as a parser reads them.
    pub(crate) to: Vec<String>,
    /// Message-ID without brackets.
    pub(crate) message_id: String,
    /// The decoded `text/plain` part.
    pub(crate) text: Option<String>,
    /// The decoded `text/html` part.
    pub(crate) html: Option<String>,
    /// Media type of every part, the outermost first.
    pub(crate) media_types: Vec<String>,
}

impl Mail {
    /// Parses a raw message.
    ///
    /// # Panics
    /// When the parser finds no message in it.
    #[track_caller]
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let message = MessageParser::default()
            .parse(raw)
            .unwrap_or_else(|| panic!("not a message: {:?}", String::from_utf8_lossy(raw)));
        let body_of = |media_type: &str| {
            message
                .parts
                .iter()
                .find(|part| name_of(part).as_deref() == Some(media_type))
                .and_then(|part| part.text_contents())
                .map(str::to_owned)
        };
        Self {
            raw: raw.to_vec(),
            headers: unfolded_headers(raw),
            subject: message.subject().unwrap_or_default().to_owned(),
            to: message
                .to()
                .into_iter()
                .flat_map(|list| list.iter())
                .map(|one| one.address().unwrap_or_default().to_owned())
                .collect(),
            message_id: message.message_id().unwrap_or_default().to_owned(),
            text: body_of("text/plain"),
            html: body_of("text/html"),
            media_types: message.parts.iter().filter_map(name_of).collect(),
        }
    }

    /// The value of a header, unfolded and otherwise as it stands in the
    /// message, when it stands there exactly once.
    ///
    /// # Panics
    /// When the header is repeated: a reader may take either one.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.all(name);
        assert!(found.len() <= 1, "header {name} repeated: {found:?}");
        found.first().copied()
    }

    /// Every value of a header, in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Names of all headers, in their order.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Media type of a part; a text without Content-Type is plain (RFC 2045, 5.2).
fn name_of(part: &MessagePart<'_>) -> Option<String> {
    let Some(content_type) = part.content_type() else {
        return part.is_text().then(|| "text/plain".to_owned());
    };
    let subtype = content_type.subtype().unwrap_or_default();
    Some(format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase())
}

/// Header lines with folding undone (RFC 5322, 2.2.3); values not decoded, so
/// that a test sees what is on the wire.
fn unfolded_headers(raw: &[u8]) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(raw).split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim_start().to_owned()));
        }
    }
    headers
}
