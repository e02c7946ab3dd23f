//! An edition that is sent once more, to a reader who came later.

use chrono::{DateTime, FixedOffset};

use super::{
    dkim,
    edition::{Assembly, Edition, Piece},
};

/// What every message begins with.
const DATE: &str = "Date: ";

impl Edition {
    /// The same edition with another date, to be signed with these keys; `None`
    /// when it does not begin with a date to be replaced.
    #[must_use]
    pub fn sent_anew(
        &self,
        date: DateTime<FixedOffset>,
        keys: Option<&dkim::Keys>,
    ) -> Option<Self> {
        let mut assembly = Assembly::default();
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Fixed(range) => {
                    let text = std::str::from_utf8(&self.fixed[range.clone()]).ok()?;
                    match at {
                        0 => assembly.fixed(&dated(text, date)?),
                        _ => assembly.fixed(text),
                    }
                }
                Piece::Slot(_) if at == 0 => return None,
                Piece::Slot(slot) => assembly.slot(self.slots[*slot].clone()),
            }
        }
        let mut facts = self.facts.clone();
        facts.dkim = keys.map(|keys| keys.freeze(date));
        Some(assembly.finish(facts))
    }
}

/// The beginning of a message with another date.
fn dated(text: &str, date: DateTime<FixedOffset>) -> Option<String> {
    let (_, after) = text.strip_prefix(DATE)?.split_once("\r\n")?;
    Some(format!("{DATE}{}\r\n{after}", date.to_rfc2822()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_date_at_the_beginning_is_replaced() {
        let date = DateTime::parse_from_rfc3339("2026-11-28T07:00:00+02:00").unwrap();
        let text = "Date: Fri, 20 Nov 2026 07:00:00 +0200\r\nFrom: a\r\nX: b\r\nDate: y\r\n";
        assert_eq!(
            dated(text, date).unwrap(),
            "Date: Sat, 28 Nov 2026 07:00:00 +0200\r\nFrom: a\r\nX: b\r\nDate: y\r\n"
        );
        assert_eq!(dated("From: a\r\nDate: y\r\n", date), None);
        // What has none is left alone.
        assert!(Edition::sample().sent_anew(date, None).is_none());
    }
}
