//! Slots: what differs by reader, and the marks that stand for it while a
//! template is rendered.
//!
//! A mark is `lpslot`, the install's secret slot key, one letter for the slot,
//! the fallback in hexadecimal, and `z`: letters and digits only, so that it
//! passes through escaping, styling and wrapping unchanged, and so that no
//! article can contain one by accident or by intent.

use serde::{Deserialize, Serialize};

/// What differs by reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The reader's name, or this where they gave none.
    Name(String),
    /// The reader's address.
    Address,
    /// Where the reader leaves: an https page, or a mailto where there is none.
    UnsubscribeUrl,
    /// Where the reader chooses what to get.
    PreferencesUrl,
    /// Where the reader says yes to a subscription.
    ConfirmUrl,
    /// The mailbox of the To header: name and address.
    To,
    /// The Message-ID, in angle brackets.
    MessageId,
    /// The token inside the List-Unsubscribe header.
    UnsubscribeToken,
    /// The token that knows the delivery, as the envelope sender has it.
    BounceToken,
}

impl Slot {
    /// Whether its value is a whole URL.
    fn is_url(&self) -> bool {
        match self {
            Self::UnsubscribeUrl | Self::PreferencesUrl | Self::ConfirmUrl => true,
            Self::Name(_)
            | Self::Address
            | Self::To
            | Self::MessageId
            | Self::UnsubscribeToken
            | Self::BounceToken => false,
        }
    }
}

/// Where a slot stands, which decides how its value is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Text or a quoted attribute of the HTML part.
    Html,
    /// Inside a URL of the HTML part, after its beginning.
    HtmlUrl,
    /// The text part.
    Text,
    /// A header.
    Header,
}

/// One slot in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotUse {
    /// What is filled in.
    pub slot: Slot,
    /// How it is escaped.
    pub place: Place,
}

/// Rendered text, cut at its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Fixed(String),
    Slot(SlotUse),
}

/// A filter changed a mark, or cut one in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a filter changed what stands for the reader; `reader.…` may only be printed, or given a `fallback`"
)]
pub struct BrokenMark;

/// The marks of one installation.
pub(super) struct Marks {
    open: String,
}

impl Marks {
    pub(super) fn new(slot_key: &str) -> Self {
        Self {
            open: format!("lpslot{slot_key}"),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}nz", self.open)
    }

    pub(super) fn address(&self) -> String {
        format!("{}rz", self.open)
    }

    pub(super) fn unsubscribe_url(&self) -> String {
        format!("{}uz", self.open)
    }

    pub(super) fn preferences_url(&self) -> String {
        format!("{}pz", self.open)
    }

    pub(super) fn confirm_url(&self) -> String {
        format!("{}cz", self.open)
    }

    /// Cuts HTML at its marks.
    pub(super) fn cut_html(&self, html: &str) -> Result<Vec<Part>, BrokenMark> {
        self.cut(html, |before, slot| {
            let starts_url = slot.is_url() && before.ends_with('"');
            if stands_in_url(before) && !starts_url {
                Place::HtmlUrl
            } else {
                Place::Html
            }
        })
    }

    /// Cuts plain text at its marks.
    pub(super) fn cut_text(&self, text: &str) -> Result<Vec<Part>, BrokenMark> {
        self.cut(text, |_, _| Place::Text)
    }

    fn cut(
        &self,
        rendered: &str,
        place: impl Fn(&str, &Slot) -> Place,
    ) -> Result<Vec<Part>, BrokenMark> {
        let mut parts = Vec::new();
        let mut done = 0;
        while let Some(found) = rendered[done..].find(&self.open) {
            let start = done + found;
            let inside = &rendered[start + self.open.len()..];
            let close = inside.find('z').ok_or(BrokenMark)?;
            let slot = read_mark(&inside[..close]).ok_or(BrokenMark)?;
            self.push_fixed(&mut parts, &rendered[done..start])?;
            let place = place(&rendered[..start], &slot);
            parts.push(Part::Slot(SlotUse { slot, place }));
            done = start + self.open.len() + close + 1;
        }
        self.push_fixed(&mut parts, &rendered[done..])?;
        Ok(parts)
    }

    /// What is left between marks holds no piece of one: a mark in capitals
    /// or cut short would show up in every inbox.
    fn push_fixed(&self, parts: &mut Vec<Part>, fixed: &str) -> Result<(), BrokenMark> {
        let piece = &self.open[..self.open.len().min(14)];
        if fixed.to_ascii_lowercase().contains(piece) {
            return Err(BrokenMark);
        }
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed.to_owned()));
        }
        Ok(())
    }
}

/// Reads what stands between the key and the closing `z`.
fn read_mark(inside: &str) -> Option<Slot> {
    let (letter, fallback) = inside.split_at_checked(1)?;
    match letter {
        "n" => {
            let bytes = data_encoding::HEXLOWER.decode(fallback.as_bytes()).ok()?;
            String::from_utf8(bytes).ok().map(Slot::Name)
        }
        "r" if fallback.is_empty() => Some(Slot::Address),
        "u" if fallback.is_empty() => Some(Slot::UnsubscribeUrl),
        "p" if fallback.is_empty() => Some(Slot::PreferencesUrl),
        "c" if fallback.is_empty() => Some(Slot::ConfirmUrl),
        _ => None,
    }
}

/// Whether the text right after `before` is inside an `href` or `src` value.
/// The inliner's serialiser puts every attribute in double quotes.
fn stands_in_url(before: &str) -> bool {
    let Some(quote) = before.rfind(['"', '<', '>']) else {
        return false;
    };
    before[quote..].starts_with('"')
        && ["href=", "src="]
            .iter()
            .any(|name| before[..quote].ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks::new("abcdefghijklmnopqrstuvwxy2")
    }

    #[test]
    fn a_mark_becomes_a_slot_with_its_place() {
        let marks = marks();
        let html = format!(
            "<a href=\"{}\">Hi {}</a><a href=\"https://example.org/?n={}\">",
            marks.unsubscribe_url(),
            marks.name(),
            marks.name()
        );
        let places: Vec<Place> = marks
            .cut_html(&html)
            .unwrap()
            .into_iter()
            .filter_map(|part| match part {
                Part::Slot(used) => Some(used.place),
                Part::Fixed(_) => None,
            })
            .collect();
        assert_eq!(places, [Place::Html, Place::Html, Place::HtmlUrl]);
    }

    #[test]
    fn a_fallback_travels_inside_the_mark() {
        let marks = marks();
        let mark = marks.name().replace("nz", "n726561646572z");
        assert_eq!(
            marks.cut_text(&mark).unwrap(),
            [Part::Slot(SlotUse {
                slot: Slot::Name("reader".to_owned()),
                place: Place::Text
            })]
        );
    }

    #[test]
    fn a_changed_mark_is_an_error_and_a_stranger_is_text() {
        let marks = marks();
        assert_eq!(
            marks.cut_text(&marks.name().to_uppercase()),
            Err(BrokenMark)
        );
        assert_eq!(marks.cut_text(&marks.name()[..20]), Err(BrokenMark));
        let stranger = "lpslotzzzzzzzzzzzzzzzzzzzzzzzzzznz";
        assert_eq!(
            marks.cut_text(stranger).unwrap(),
            [Part::Fixed(stranger.to_owned())]
        );
    }
}
