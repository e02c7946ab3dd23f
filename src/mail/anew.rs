//! An edition that is sent once more, to a reader who came later.

use chrono::{DateTime, FixedOffset};

use super::{
    dkim,
    edition::{Assembly, Edition, Piece},
};

/// What stands before the date in the header, after the line before it.
const DATE: &str = "\r\nDate: ";

impl Edition {
    /// The same edition with another date, to be signed with these keys; `None`
    /// when its header has no date to be replaced.
    #[must_use]
    pub fn sent_anew(
        &self,
        date: DateTime<FixedOffset>,
        keys: Option<&dkim::Keys>,
    ) -> Option<Self> {
        let mut assembly = Assembly::default();
        let mut is_dated = false;
        for piece in &self.pieces {
            let range = match piece {
                Piece::Fixed(range) => range.clone(),
                Piece::Slot(slot) => {
                    assembly.slot(self.slots[*slot].clone());
                    continue;
                }
            };
            let text = std::str::from_utf8(&self.fixed[range]).ok()?;
            match dated(text, date).filter(|_| !is_dated) {
                Some(text) => {
                    is_dated = true;
                    assembly.fixed(&text);
                }
                None => assembly.fixed(text),
            }
        }
        let mut facts = self.facts.clone();
        facts.dkim = keys.map(|keys| keys.freeze(date));
        is_dated.then(|| assembly.finish(facts))
    }
}

/// The text with the date replaced that stands in its header.
fn dated(text: &str, date: DateTime<FixedOffset>) -> Option<String> {
    let (before, rest) = text.split_once(DATE)?;
    // A header ends with an empty line, and what comes after it has no date.
    if before.contains("\r\n\r\n") {
        return None;
    }
    let (_, after) = rest.split_once("\r\n")?;
    Some(format!("{before}{DATE}{}\r\n{after}", date.to_rfc2822()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_date_of_the_header_is_replaced() {
        let date = DateTime::parse_from_rfc3339("2026-11-28T07:00:00+02:00").unwrap();
        let text = "From: a\r\nDate: Fri, 20 Nov 2026 07:00:00 +0200\r\nSubject: b\r\n\r\nx\r\nDate: y\r\n";
        assert_eq!(
            dated(text, date).unwrap(),
            "From: a\r\nDate: Sat, 28 Nov 2026 07:00:00 +0200\r\nSubject: b\r\n\r\nx\r\nDate: y\r\n"
        );
        assert_eq!(dated("From: a\r\n\r\n\r\nDate: y\r\n", date), None);
    }
}
