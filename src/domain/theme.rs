//! How letters and pages look, as far as `[theme]` decides it: colours for
//! light and dark screens, fonts, the logo of letters, and their foot.

use std::{fmt, str::FromStr};

use url::Url;

use crate::domain::publication::Logo;

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour([u8; 3]);

/// Something that is no `#rrggbb` or `#rgb`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no colour")]
pub struct NoColour(String);

impl FromStr for Colour {
    type Err = NoColour;

    fn from_str(text: &str) -> Result<Self, NoColour> {
        let wrong = || NoColour(text.to_owned());
        let digits = text.trim().strip_prefix('#').ok_or_else(wrong)?;
        let wide = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits.to_owned(),
        };
        if wide.len() != 6 || !wide.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u32::from_str_radix(&wide, 16).map_err(|_| wrong())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

/// `#rrggbb`, the form that every mail program knows.
impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    /// Contrast with another colour, from 1 to 21 (WCAG 2.2, contrast ratio).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// So many hundredths of `other` mixed in.
    #[must_use]
    pub fn mixed(self, other: Self, hundredths: u8) -> Self {
        let share = u32::from(hundredths.min(100));
        let mut parts = self.0;
        for (part, other) in parts.iter_mut().zip(other.0) {
            let sum = u32::from(*part) * (100 - share) + u32::from(other) * share;
            *part = u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX);
        }
        Self(parts)
    }

    /// Black or white, whichever can be read better on this colour: one of
    /// them always has 4.5 to 1.
    #[must_use]
    pub fn readable(self) -> Self {
        match self.contrast(Self::WHITE) >= 4.5 {
            true => Self::WHITE,
            false => Self::BLACK,
        }
    }

    /// This colour, as much lighter or darker as it takes to be read on
    /// `ground`.
    #[must_use]
    pub fn readable_on(self, ground: Self) -> Self {
        let end = ground.readable();
        (0..=100)
            .step_by(5)
            .map(|share| self.mixed(end, share))
            .find(|colour| colour.contrast(ground) >= READABLE + 0.5)
            .unwrap_or(end)
    }
}

/// WCAG AA for text of ordinary size (1.4.3).
pub const READABLE: f64 = 4.5;
/// WCAG AA for large text; below it nothing can be read well.
pub const BARELY_READABLE: f64 = 3.0;

/// The colours of one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Palette {
    /// Around the letter, and of pages.
    pub background: Colour,
    /// The letter itself.
    pub paper: Colour,
    /// Text and headlines.
    pub ink: Colour,
    /// Captions, bylines and other small things.
    pub quiet: Colour,
    /// Links, kickers and buttons.
    pub accent: Colour,
    /// Thin lines.
    pub line: Colour,
}

impl Palette {
    /// The colours of light screens, where nothing else is configured.
    #[must_use]
    pub fn light() -> Self {
        Self {
            background: Colour([0xf5, 0xf1, 0xea]),
            paper: Colour::WHITE,
            ink: Colour([0x22, 0x1f, 0x1b]),
            quiet: Colour([0x5c, 0x55, 0x4b]),
            accent: Colour([0x8a, 0x2b, 0x1f]),
            line: Colour([0xdd, 0xd5, 0xc8]),
        }
    }

    /// The colours of dark screens, where nothing else is configured.
    #[must_use]
    pub fn dark() -> Self {
        Self {
            background: Colour([0x15, 0x13, 0x12]),
            paper: Colour([0x1f, 0x1d, 0x1a]),
            ink: Colour([0xf1, 0xeb, 0xe0]),
            quiet: Colour([0xb8, 0xaf, 0xa2]),
            accent: Colour([0xf2, 0xa6, 0x8d]),
            line: Colour([0x3d, 0x38, 0x32]),
        }
    }

    /// Of standfirsts and summaries: between text and small things.
    #[must_use]
    pub fn soft(&self) -> Colour {
        self.ink.mixed(self.quiet, 40)
    }

    /// Behind pictures that are not there, code and tables.
    #[must_use]
    pub fn tint(&self) -> Colour {
        self.background.mixed(self.line, 40)
    }

    /// Text on a button.
    #[must_use]
    pub fn on_accent(&self) -> Colour {
        self.accent.readable()
    }

    /// Every text colour with every ground it stands on, by the keys of
    /// `[theme]` they come from.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, Colour, &'static str, Colour)> {
        let texts = [
            ("ink", self.ink),
            ("quiet", self.quiet),
            ("accent", self.accent),
        ];
        let grounds = [
            ("paper", self.paper),
            ("background", self.background),
            ("line", self.tint()),
        ];
        let pairs = texts
            .iter()
            .flat_map(|text| grounds.iter().map(move |ground| (*text, *ground)));
        pairs
            .map(|((text, colour), (ground, below))| (text, colour, ground, below))
            .collect()
    }
}

/// A link at the foot of letters and pages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FooterLink {
    /// What it is called.
    pub title: String,
    /// Where it leads: http, https or mailto.
    pub url: Url,
}

/// How letters and pages look.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Theme {
    /// On light screens.
    pub light: Palette,
    /// On dark screens.
    pub dark: Palette,
    /// CSS font families of text.
    pub text_font: String,
    /// Of headlines.
    pub heading_font: String,
    /// Of kickers, captions, buttons and the foot.
    pub label_font: String,
    /// The picture in the masthead of letters; the publication's logo where absent.
    pub logo: Option<Logo>,
    /// A sentence at the foot.
    pub footer: Option<String>,
    /// Links at the foot.
    pub links: Vec<FooterLink>,
}

impl Default for Theme {
    fn default() -> Self {
        let serif = "Georgia, \"Times New Roman\", serif";
        Self {
            light: Palette::light(),
            dark: Palette::dark(),
            text_font: serif.to_owned(),
            heading_font: serif.to_owned(),
            label_font: "Helvetica, Arial, sans-serif".to_owned(),
            logo: None,
            footer: None,
            links: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    #[test]
    fn a_colour_is_read_in_both_forms_and_written_in_one() {
        assert_eq!(colour("#FA0").to_string(), "#ffaa00");
        assert_eq!(colour(" #8a2b1f ").to_string(), "#8a2b1f");
        for wrong in ["", "red", "#12345", "#12345g", "8a2b1f", "#é12"] {
            assert!(wrong.parse::<Colour>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        // The best known grey that passes on white, and the one that does not.
        assert!(colour("#767676").contrast(Colour::WHITE) >= 4.5);
        assert!(colour("#777777").contrast(Colour::WHITE) < 4.5);
    }

    #[test]
    fn every_colour_has_a_readable_one_for_text_on_it() {
        for level in 0..=255u8 {
            for ground in [Colour([level; 3]), Colour([level, 0, 255 - level])] {
                assert!(ground.readable().contrast(ground) >= 4.5, "{ground}");
                let accent = colour("#0055aa").readable_on(ground);
                assert!(accent.contrast(ground) >= 4.5, "{accent} on {ground}");
            }
        }
    }

    #[test]
    fn all_text_of_the_usual_colours_can_be_read_by_light_and_in_the_dark() {
        for palette in [Palette::light(), Palette::dark()] {
            for (text, colour, ground, below) in palette.pairs() {
                let contrast = colour.contrast(below);
                assert!(contrast >= READABLE, "{text} on {ground}: {contrast:.2}");
            }
            let button = palette.on_accent().contrast(palette.accent);
            assert!(button >= READABLE, "button: {button:.2}");
        }
    }
}
