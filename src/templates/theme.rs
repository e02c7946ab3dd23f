//! The theme as templates see it.

use std::collections::BTreeMap;

use tera::Value;

use crate::domain::theme::{Palette, Theme};

/// Colours, fonts and foot. Colours and fonts hold no character that means
/// anything in HTML but quotes, and print as they are: they stand in style
/// sheets.
#[must_use]
pub fn describe_theme(theme: &Theme) -> Value {
    let links = theme.links.iter().map(|link| {
        map([
            ("title", link.title.as_str().into()),
            ("url", link.url.as_str().into()),
        ])
    });
    map([
        ("light", describe_palette(&theme.light)),
        ("dark", describe_palette(&theme.dark)),
        ("text_font", Value::safe_string(&theme.text_font)),
        ("heading_font", Value::safe_string(&theme.heading_font)),
        ("label_font", Value::safe_string(&theme.label_font)),
        ("footer", theme.footer.as_deref().into()),
        ("links", links.collect::<Vec<_>>().into()),
    ])
}

fn describe_palette(palette: &Palette) -> Value {
    map([
        ("background", palette.background.to_string().into()),
        ("paper", palette.paper.to_string().into()),
        ("ink", palette.ink.to_string().into()),
        ("soft", palette.soft().to_string().into()),
        ("quiet", palette.quiet.to_string().into()),
        ("accent", palette.accent.to_string().into()),
        ("on_accent", palette.on_accent().to_string().into()),
        ("line", palette.line.to_string().into()),
        ("tint", palette.tint().to_string().into()),
    ])
}

fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    BTreeMap::from(entries).into()
}
