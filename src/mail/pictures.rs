//! Pictures as a letter shows them: which copy stands where, and how large.
//! The copies themselves are made elsewhere; without one the original stands
//! in its place.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use tera::Value;

use super::{
    context::{line, map, web},
    tags::{Attributes, escaped, rewritten, tags},
};
use crate::domain::{
    article::{Picture, PictureType, SafeHtml},
    publication::Logo,
    text::one_line,
};

/// What a picture is in a letter, which decides how wide it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// As wide as the text column: 600 less two margins of 24.
    Column,
    /// Beside a shorter article.
    Thumb,
    /// In the masthead.
    Logo,
}

impl Role {
    /// Width up to which it is shown, in pixels of the page.
    #[must_use]
    pub const fn widest(self) -> u32 {
        match self {
            Self::Column => 552,
            Self::Thumb => 164,
            Self::Logo => 240,
        }
    }
}

/// What stands in a letter for a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where it is fetched: an address, or `cid:` for one that travels along.
    pub url: String,
    /// The same with twice as many pixels, where there are that many.
    pub url_2x: Option<String>,
    /// Whole pixels of the page.
    pub width: u32,
    /// Whole pixels of the page.
    pub height: u32,
}

/// A picture that travels in the message (RFC 2387, RFC 2392).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// What `cid:` addresses it by, without angle brackets.
    pub content_id: String,
    /// What a mail client calls it when it is saved.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where copies of pictures are, below the base URL.
pub const PICTURE_FOLDER: &str = "mail";

/// The pictures of an issue that were scaled for mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    shown: BTreeMap<(String, Role), Shown>,
    inline: Arc<[Inline]>,
}

impl Pictures {
    /// Notes what stands for the picture at the address `original`.
    pub fn insert(&mut self, original: &str, role: Role, shown: Shown) {
        self.shown.insert((original.to_owned(), role), shown);
    }

    /// Gives the message these pictures to carry.
    pub fn embed(&mut self, inline: Vec<Inline>) {
        self.inline = inline.into();
    }

    /// The pictures that the message carries.
    pub(super) fn inline(&self) -> &[Inline] {
        &self.inline
    }

    fn get(&self, original: &str, role: Role) -> Option<&Shown> {
        self.shown.get(&(original.to_owned(), role))
    }

    /// The text of an article with its pictures as mail shows them.
    pub(super) fn in_text<'a>(&self, html: &'a SafeHtml) -> Cow<'a, SafeHtml> {
        if self.shown.is_empty() || !html.as_str().contains("<img") {
            return Cow::Borrowed(html);
        }
        let html = rewritten(html.as_str(), |tag| self.picture(tag));
        // Whole tags of the sanitiser's own, with addresses of ours.
        Cow::Owned(SafeHtml::from_sanitiser(html))
    }

    /// A picture of an article's text as a tag of its own.
    fn picture(&self, tag: &str) -> Option<String> {
        let attributes = Attributes::of(tag, "img")?;
        let shown = self.get(&attributes.value("src")?, Role::Column)?;
        let wished = attributes
            .value("width")
            .and_then(|width| width.parse().ok());
        let widest = wished.filter(|&width| width > 0).unwrap_or(shown.width);
        let (width, height) = fitted(shown.width, shown.height, widest)?;
        let mut tag = format!("<img src=\"{}\"", escaped(&shown.url));
        if let Some(url) = &shown.url_2x {
            tag.push_str(&format!(" srcset=\"{} 2x\"", escaped(url)));
        }
        tag.push_str(&format!(" width=\"{width}\" height=\"{height}\""));
        let alt = attributes.value("alt").unwrap_or_default();
        tag.push_str(&format!(" alt=\"{}\"", escaped(&alt)));
        for name in ["title", "lang", "dir"] {
            if let Some(value) = attributes.value(name) {
                tag.push_str(&format!(" {name}=\"{}\"", escaped(&value)));
            }
        }
        tag.push('>');
        Some(tag)
    }

    /// Address, address at twice the pixels, width and height; width and height
    /// are none where nobody measured the original.
    fn describe(&self, original: &str, (width, height): (u32, u32), role: Role) -> [Value; 4] {
        match self.get(original, role) {
            Some(shown) => [
                shown.url.as_str().into(),
                shown.url_2x.as_deref().into(),
                shown.width.into(),
                shown.height.into(),
            ],
            None => {
                let (width, height) = fitted(width, height, role.widest()).unzip();
                [original.into(), Value::none(), width.into(), height.into()]
            }
        }
    }
}

/// The addresses of the pictures in the text of an article.
#[must_use]
pub fn pictures_in(html: &SafeHtml) -> Vec<String> {
    let pictures = tags(html.as_str()).filter_map(|tag| Attributes::of(tag, "img")?.value("src"));
    pictures.collect()
}

/// The logo as templates see it.
pub(super) fn describe_logo(logo: &Logo, pictures: &Pictures) -> Value {
    let size = (logo.width, logo.height);
    let [url, url_2x, width, height] = pictures.describe(logo.url.as_str(), size, Role::Logo);
    map([
        ("url", logo.url.as_str().into()),
        ("width", logo.width.into()),
        ("height", logo.height.into()),
        ("mail_url", url),
        ("mail_url_2x", url_2x),
        ("mail_width", width),
        ("mail_height", height),
    ])
}

/// The hero of an article as templates see it; none where mail clients would
/// not show it.
pub(super) fn describe_hero(hero: Option<&Picture>, pictures: &Pictures) -> Value {
    let shown = hero.filter(|hero| is_shown_by_mail_clients(hero.kind));
    let Some(hero) = shown.filter(|hero| web(&hero.url).is_some()) else {
        return Value::none();
    };
    let describe = |role| {
        let size = (hero.width, hero.height);
        pictures.describe(hero.url.as_str(), size, role)
    };
    let [mail_url, mail_url_2x, mail_width, mail_height] = describe(Role::Column);
    let [thumb_url, thumb_url_2x, thumb_width, thumb_height] = describe(Role::Thumb);
    map([
        ("url", hero.url.as_str().into()),
        ("alt", one_line(&hero.alt).into()),
        ("caption", line(hero.caption.as_deref())),
        ("credit", line(hero.credit.as_deref())),
        ("width", hero.width.into()),
        ("height", hero.height.into()),
        ("mail_url", mail_url),
        ("mail_url_2x", mail_url_2x),
        ("mail_width", mail_width),
        ("mail_height", mail_height),
        ("thumb_url", thumb_url),
        ("thumb_url_2x", thumb_url_2x),
        ("thumb_width", thumb_width),
        ("thumb_height", thumb_height),
    ])
}

/// Vector pictures and AVIF show as a broken picture in most mail clients.
fn is_shown_by_mail_clients(kind: PictureType) -> bool {
    match kind {
        PictureType::Jpeg | PictureType::Png | PictureType::Webp | PictureType::Gif => true,
        PictureType::Avif | PictureType::Svg => false,
    }
}

/// Whole pixels of a picture that is at most `widest` wide and never enlarged;
/// `None` where nobody measured it.
#[must_use]
pub fn fitted(width: u32, height: u32, widest: u32) -> Option<(u32, u32)> {
    if width == 0 || height == 0 {
        return None;
    }
    let shown = width.min(widest);
    let tall = (u64::from(height) * u64::from(shown) + u64::from(width) / 2) / u64::from(width);
    Some((shown, u32::try_from(tall.max(1)).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_scaled_to_whole_pixels_and_never_enlarged() {
        assert_eq!(fitted(1600, 900, Role::Column.widest()), Some((552, 311)));
        assert_eq!(fitted(300, 200, Role::Column.widest()), Some((300, 200)));
        assert_eq!(fitted(5000, 1, Role::Thumb.widest()), Some((164, 1)));
        assert_eq!(fitted(0, 0, Role::Column.widest()), None);
    }

    #[test]
    fn a_copy_stands_where_there_is_one_and_the_original_elsewhere() {
        let mut pictures = Pictures::default();
        let copy = Shown {
            url: "https://example.org/mail/a-552.jpg".to_owned(),
            url_2x: None,
            width: 552,
            height: 311,
        };
        pictures.insert("https://example.org/a.jpg", Role::Column, copy);
        let describe = |role| pictures.describe("https://example.org/a.jpg", (1600, 900), role);
        let [url, url_2x, width, _] = describe(Role::Column);
        assert_eq!(url.as_str(), Some("https://example.org/mail/a-552.jpg"));
        assert!(url_2x.is_none());
        assert_eq!(width, Value::from(552));
        let [url, _, width, height] = describe(Role::Thumb);
        assert_eq!(url.as_str(), Some("https://example.org/a.jpg"));
        assert_eq!((width, height), (Value::from(164), Value::from(92)));
    }

    #[test]
    fn pictures_in_a_text_are_copies_with_whole_pixels_and_words_about_pictures_stay() {
        let mut pictures = Pictures::default();
        let copy = Shown {
            url: "https://example.org/mail/a-552.jpg".to_owned(),
            url_2x: Some("https://example.org/mail/a-1104.jpg".to_owned()),
            width: 552,
            height: 311,
        };
        pictures.insert("https://example.org/a.jpg?b&c", Role::Column, copy);
        let html = SafeHtml::from_sanitiser(
            "<p title=\"<img src=&quot;x\">a &lt;img&gt; <img alt=\"A > B &quot;q&quot;\" src=\"https://example.org/a.jpg?b&amp;c\" srcset=\"x 2x\" width=\"4000\">\
             <img src=\"https://example.org/a.jpg?b&amp;c\" width=\"100\"><img src=\"https://example.net/far.png\" alt=\"far\"></p>"
                .to_owned(),
        );
        let sources = ["https://example.org/a.jpg?b&c"; 2];
        assert_eq!(pictures_in(&html)[..2], sources);
        assert_eq!(
            pictures.in_text(&html).as_str(),
            "<p title=\"<img src=&quot;x\">a &lt;img&gt; <img src=\"https://example.org/mail/a-552.jpg\" srcset=\"https://example.org/mail/a-1104.jpg 2x\" width=\"552\" height=\"311\" alt=\"A &gt; B &quot;q&quot;\">\
             <img src=\"https://example.org/mail/a-552.jpg\" srcset=\"https://example.org/mail/a-1104.jpg 2x\" width=\"100\" height=\"56\" alt=\"\"><img src=\"https://example.net/far.png\" alt=\"far\"></p>"
        );
    }
}
