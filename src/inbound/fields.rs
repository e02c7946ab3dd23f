//! Header fields as names and clean lines, whatever they hold.

use mail_parser::{Message, MessageParser};

use crate::domain::text::{cut, one_line};

/// So many fields of one header are looked at.
const MOST_FIELDS: usize = 100;
/// Longer values are cut: the words of a server are shorter.
const LONGEST_VALUE: usize = 4096;

/// The first fields of a header, in their order.
pub(super) struct Fields(Vec<(String, String)>);

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), cut(&one_line(value), LONGEST_VALUE))
}

impl Fields {
    /// Those of a message or of one inside it.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let fields = message.headers_raw().take(MOST_FIELDS);
        Self(fields.map(|(name, value)| field(name, value)).collect())
    }

    /// Those of a text that is nothing but fields.
    pub(super) fn parse(text: &[u8]) -> Self {
        let parsed = MessageParser::default().parse_headers(text);
        parsed.map_or(Self(Vec::new()), |message| Self::of(&message))
    }

    /// Names and values as a program tells them.
    pub(super) fn named<'n>(fields: impl Iterator<Item = (&'n str, &'n str)>) -> Self {
        let fields = fields.take(MOST_FIELDS);
        Self(fields.map(|(name, value)| field(name, value)).collect())
    }

    /// Every value of a field.
    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let fields = self.0.iter();
        let fields = fields.filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.as_str())
    }

    /// The first value of a field.
    pub(super) fn first<'f>(&'f self, name: &'f str) -> Option<&'f str> {
        self.all(name).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_fields_are_one_line_and_no_more_than_a_hundred_are_read() {
        let fields = Fields::parse(b"Action: failed\r\nDiagnostic-Code: smtp;\r\n\t550 no\r\n");
        assert_eq!(fields.first("diagnostic-code"), Some("smtp; 550 no"));
        let many = "A: b\n".repeat(500) + "Action: failed\n";
        let fields = Fields::parse(many.as_bytes());
        assert_eq!(fields.all("a").count(), MOST_FIELDS);
        assert_eq!(fields.first("Action"), None);
    }
}
