//! `[theme]`: how letters and pages look.

use std::path::PathBuf;

use toml::Spanned;
use url::Url;

use super::{
    Place,
    findings::Findings,
    raw::{RawPalette, RawTheme},
};
use crate::domain::{
    text::one_line,
    theme::{BARELY_READABLE, FooterLink, Palette, READABLE, Theme},
};

/// Reads `[theme]`; what cannot be used is reported, and stays as usual. The
/// second part are files to publish.
pub(super) fn check(
    raw: &RawTheme,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> (Theme, Vec<(PathBuf, Url)>) {
    let usual = Theme::default();
    let light = palette(&raw.light, Palette::light(), findings);
    let mut dark_base = Palette::dark();
    if raw.light.accent.is_some() {
        // A house colour is the same by night, as light as it must be there.
        dark_base.accent = light.accent.readable_on(dark_base.tint());
    }
    let dark = palette(&raw.dark, dark_base, findings);
    contrasts("light", &light, &raw.light, findings);
    contrasts("dark", &dark, &raw.dark, findings);
    let mut artwork = Vec::new();
    let logo = raw.logo.as_ref().and_then(|text| {
        let (file, logo) = place.measure(text, findings)?;
        artwork.push((file, logo.url.clone()));
        Some(logo)
    });
    let text_font = fonts(raw.text_font.as_ref(), "text_font", findings);
    let heading_font = fonts(raw.heading_font.as_ref(), "heading_font", findings);
    let theme = Theme {
        light,
        dark,
        heading_font: heading_font
            .or_else(|| text_font.clone())
            .unwrap_or(usual.heading_font),
        text_font: text_font.unwrap_or(usual.text_font),
        label_font: fonts(raw.label_font.as_ref(), "label_font", findings)
            .unwrap_or(usual.label_font),
        logo,
        footer: raw
            .footer
            .as_deref()
            .map(one_line)
            .filter(|text| !text.is_empty()),
        links: raw
            .links
            .iter()
            .filter_map(|link| footer_link(link.title.as_ref(), link.url.as_ref(), findings))
            .collect(),
    };
    (theme, artwork)
}

fn palette(raw: &RawPalette, usual: Palette, findings: &mut Findings<'_>) -> Palette {
    let mut colour = |text: &Option<Spanned<String>>, usual| {
        let Some(text) = text else { return usual };
        let remedy = "write it as `#rrggbb`, such as `#8a2b1f`";
        findings
            .parsed(Some(text), text.get_ref().parse(), remedy)
            .unwrap_or(usual)
    };
    Palette {
        background: colour(&raw.background, usual.background),
        paper: colour(&raw.paper, usual.paper),
        ink: colour(&raw.ink, usual.ink),
        quiet: colour(&raw.quiet, usual.quiet),
        accent: colour(&raw.accent, usual.accent),
        line: colour(&raw.line, usual.line),
    }
}

/// Text that cannot be read well, at the colour of it that is configured.
fn contrasts(scheme: &str, palette: &Palette, raw: &RawPalette, findings: &mut Findings<'_>) {
    for (text, colour, ground, below) in palette.pairs() {
        let contrast = colour.contrast(below);
        if contrast >= READABLE {
            continue;
        }
        let place = raw.get(text).or_else(|| raw.get(ground));
        // Neither is configured: the other one of the pair came from there.
        let offset = place.map_or(0, |text| text.span().start);
        let what =
            format!("theme.{scheme}: `{text}` on `{ground}` has a contrast of {contrast:.2} to 1");
        let remedy = format!(
            "people need {READABLE} to 1 to read it; {} would do",
            colour.readable_on(below)
        );
        if contrast < BARELY_READABLE {
            findings.error(offset, what, remedy);
        } else {
            findings.warning(offset, what, remedy);
        }
    }
}

/// A list of font families as CSS has it, from characters that mean nothing
/// else there.
fn fonts(text: Option<&Spanned<String>>, key: &str, findings: &mut Findings<'_>) -> Option<String> {
    let text = text?;
    let list = text.get_ref().trim().replace('\'', "\"");
    let is_plain = !list.is_empty()
        && list.matches('"').count() % 2 == 0
        && list
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " ,-\"".contains(c));
    if is_plain {
        return Some(list);
    }
    findings.at(
        Some(text),
        format!("theme.{key} is no list of fonts"),
        "write it like `Georgia, \"Times New Roman\", serif`",
    );
    None
}

fn footer_link(
    title: Option<&Spanned<String>>,
    url: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<FooterLink> {
    let title = findings.required(title, "theme.links.title")?;
    let address = findings.required(url, "theme.links.url")?;
    let parsed = Url::parse(&address)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http" | "mailto"))
        .ok_or_else(|| format!("`{address}` is no address a letter can link to"));
    let url = findings.parsed(
        url,
        parsed,
        "write it in full, such as `https://example.org/`",
    )?;
    Some(FooterLink { title, url })
}
