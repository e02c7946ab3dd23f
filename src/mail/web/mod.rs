//! An edition as a page of the website: what everybody got, and nothing that
//! belongs to one reader.

mod css;
mod markup;

use url::Url;

use super::{
    edition::{Edition, Piece},
    mime::encode,
    slot::{Place, Slot, SlotUse},
};

/// The class of the element around a letter; every rule of its style sheet
/// applies below it only, and its own classes begin with it.
pub const LETTER_CLASS: &str = "letter";

/// What a page shows of an edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebEdition {
    /// The subject line.
    pub subject: String,
    /// What stood in the HTML part's body, as HTML5: layout attributes of mail
    /// have become styles, comments and scripts are gone, and what lies on the
    /// site is named by its path.
    pub html: String,
    /// The rules for small screens and dark mode, for elements below
    /// [`LETTER_CLASS`].
    pub style: String,
}

/// What stands where a reader's own things stood.
#[derive(Debug, Clone, Copy)]
pub struct Everybody<'a> {
    /// In place of the address: `our readers`.
    pub address: &'a str,
    /// Where the site is.
    pub base_url: &'a Url,
}

impl Edition {
    /// The edition as everybody may see it. Names are what readers without one
    /// see; the link to unsubscribe is gone. `None` where the edition has no
    /// HTML part that can be read.
    #[must_use]
    pub fn for_the_web(&self, everybody: Everybody<'_>) -> Option<WebEdition> {
        let html = self.html_part(everybody.address)?;
        let mailed = markup::Mailed {
            own: self.facts.web_url.as_deref(),
            link_params: &self.facts.link_params,
        };
        let page = markup::page(&html, everybody.base_url, mailed);
        Some(WebEdition {
            subject: self.facts.subject.clone(),
            html: page.body,
            style: css::scoped(&page.style, LETTER_CLASS),
        })
    }

    /// The HTML part, decoded, with its slots filled for everybody.
    fn html_part(&self, address: &str) -> Option<String> {
        let mut message = Vec::with_capacity(self.fixed.len());
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(range) => message.extend_from_slice(&self.fixed[range.clone()]),
                Piece::Slot(index) => {
                    let value = neutral(&self.slots[*index], address);
                    message.extend_from_slice(encode(&value).as_bytes());
                }
            }
        }
        // Quoted-printable is ASCII, and so are the headers we write.
        let message = String::from_utf8(message).ok()?;
        let (_, part) = message.split_once("\r\nContent-Type: text/html")?;
        let (_, part) = part.split_once("\r\n\r\n")?;
        // A boundary begins with what quoted-printable text cannot hold.
        let (part, _) = part.split_once("\r\n--=_")?;
        let bytes = quoted_printable::decode(part, quoted_printable::ParseMode::Robust).ok()?;
        let html = String::from_utf8(bytes).ok()?;
        Some(html.replace("\r\n", "\n"))
    }
}

/// The value of a slot for nobody in particular.
fn neutral(used: &SlotUse, address: &str) -> String {
    let value = match &used.slot {
        Slot::Name(fallback) => fallback.as_str(),
        Slot::Address => address,
        Slot::UnsubscribeUrl | Slot::PreferencesUrl | Slot::ConfirmUrl => markup::NOBODYS_LINK,
        Slot::To | Slot::MessageId | Slot::UnsubscribeToken | Slot::BounceToken => "",
    };
    match used.place {
        Place::Html => markup::escaped(value),
        Place::HtmlUrl | Place::Text | Place::Header => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_sees_stands_in_a_slot() {
        let used = |slot| SlotUse {
            slot,
            place: Place::Html,
        };
        assert_eq!(
            neutral(&used(Slot::Name("friend & co".to_owned())), "x"),
            "friend &amp; co"
        );
        assert_eq!(neutral(&used(Slot::Address), "our readers"), "our readers");
        assert_eq!(neutral(&used(Slot::UnsubscribeToken), "x"), "");
    }
}
