//! Pictures as a letter shows them: which copy stands where, and how large.
//! The copies themselves are made elsewhere; without one the original stands
//! in its place.

use std::collections::BTreeMap;

use tera::Value;

use super::context::{line, map, web};
use crate::domain::{
    article::{Picture, PictureType},
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

/// The pictures of an issue that were scaled for mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures(BTreeMap<(String, Role), Shown>);

impl Pictures {
    /// Notes what stands for the picture at the address `original`.
    pub fn insert(&mut self, original: &str, role: Role, shown: Shown) {
        self.0.insert((original.to_owned(), role), shown);
    }

    fn get(&self, original: &str, role: Role) -> Option<&Shown> {
        self.0.get(&(original.to_owned(), role))
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
}
