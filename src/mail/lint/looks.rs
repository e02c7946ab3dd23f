//! How each element of a letter looks: what its own style says, and what it
//! has from the elements around it.

use std::borrow::Cow;

use css_inline::{CSSInliner, InlineOptions};

use super::{
    css::{self, Colour},
    page::Page,
};

/// The looks of every element, by its index in the page.
pub(super) struct Looks(Vec<Look>);

/// How an element looks.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) ink: Colour,
    /// What is behind its text; `None` where a picture is.
    pub(super) behind: Option<Colour>,
    pub(super) is_hidden: bool,
    pub(super) is_bold: bool,
    /// In pixels.
    pub(super) font_size: f64,
    /// In pixels.
    pub(super) line_height: Option<f64>,
    /// Pixels above and below its text.
    pub(super) padding: (f64, f64),
    /// Whether its own style has a colour.
    pub(super) has_colour: bool,
}

/// What a mail client has where a letter says nothing.
#[derive(Clone, Copy)]
struct Client {
    ink: Colour,
    paper: Colour,
    link: Colour,
}

impl Client {
    fn light() -> Self {
        Self {
            ink: Colour::opaque(0, 0, 0),
            paper: Colour::opaque(255, 255, 255),
            link: Colour::opaque(0, 0, 238),
        }
    }

    fn dark() -> Self {
        Self {
            ink: Colour::opaque(255, 255, 255),
            paper: Colour::opaque(18, 18, 18),
            link: Colour::opaque(158, 158, 255),
        }
    }
}

impl Looks {
    /// As a client in light mode shows the letter.
    pub(super) fn light(page: &Page) -> Self {
        Self::of(page, Client::light())
    }

    /// As a client shows it that is in dark mode and follows the letter's own
    /// rules; `None` where it has none.
    pub(super) fn dark(html: &str, page: &Page) -> Option<Self> {
        let styles: Vec<usize> = page.all("style").map(|(index, _)| index).collect();
        let blocks = page.texts.iter().filter(|one| styles.contains(&one.parent));
        let rules: Vec<String> = blocks.map(|one| css::dark_rules(&one.text)).collect();
        let rules = rules.join("\n");
        let knows_dark = page.all("meta").any(|(_, meta)| {
            meta.attribute("name") == Some("color-scheme")
                && meta
                    .attribute("content")
                    .is_some_and(|both| both.contains("dark"))
        });
        if rules.trim().is_empty() && !knows_dark {
            return None;
        }
        // The inliner knows which rule wins; it is asked once more, as if dark
        // mode were the only one.
        let inliner = CSSInliner::new(InlineOptions {
            inline_style_tags: false,
            keep_style_tags: true,
            load_remote_stylesheets: false,
            extra_css: Some(Cow::Owned(rules)),
            ..InlineOptions::default()
        });
        let dark = Page::read(&inliner.inline(html).ok()?);
        let client = match knows_dark {
            true => Client::dark(),
            false => Client::light(),
        };
        (dark.elements.len() == page.elements.len()).then(|| Self::of(&dark, client))
    }

    fn of(page: &Page, client: Client) -> Self {
        let mut looks: Vec<Look> = Vec::with_capacity(page.elements.len());
        for element in &page.elements {
            let around = element.parent.map(|parent| &looks[parent]);
            let mut look = Look::inside(around, client);
            look.by_name(&element.name, client);
            if let Some(colour) = element.attribute("bgcolor").and_then(css::colour) {
                look.put_behind(colour);
            }
            let style = element.attribute("style").unwrap_or_default();
            for (name, value) in css::declarations(style) {
                look.declare(&name, &value);
            }
            looks.push(look);
        }
        Self(looks)
    }

    /// The look of the element at this index of the page.
    pub(super) fn of_element(&self, index: usize) -> &Look {
        &self.0[index]
    }
}

impl Look {
    fn inside(around: Option<&Self>, client: Client) -> Self {
        match around {
            Some(around) => Self {
                padding: (0.0, 0.0),
                has_colour: false,
                ..around.clone()
            },
            None => Self {
                ink: client.ink,
                behind: Some(client.paper),
                is_hidden: false,
                is_bold: false,
                font_size: 16.0,
                line_height: None,
                padding: (0.0, 0.0),
                has_colour: false,
            },
        }
    }

    /// What browsers do with an element of this name.
    fn by_name(&mut self, name: &str, client: Client) {
        match name {
            "a" => self.ink = client.link,
            "b" | "strong" | "th" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.is_bold = true,
            "head" | "style" | "title" | "script" => self.is_hidden = true,
            _ => {}
        }
    }

    fn declare(&mut self, name: &str, value: &str) {
        match name {
            "color" => {
                self.has_colour = true;
                if let Some(colour) = css::colour(value) {
                    self.ink = colour;
                }
            }
            "background" | "background-color" | "background-image" => {
                if let Some(colour) = css::colour(value) {
                    self.put_behind(colour);
                } else if value.contains("url(") || value.contains("gradient(") {
                    self.behind = None;
                }
            }
            "display" if value == "none" => self.is_hidden = true,
            "visibility" if value == "hidden" => self.is_hidden = true,
            "opacity" if value.parse() == Ok(0.0) => self.is_hidden = true,
            "max-height" | "max-width" if css::pixels(value) == Some(0.0) => self.is_hidden = true,
            "font-size" => self.size(value),
            "font-weight" => {
                let weight = value.parse::<u32>().ok();
                self.is_bold = value.starts_with("bold") || weight.is_some_and(|w| w >= 700);
            }
            "line-height" => {
                let times = value
                    .parse::<f64>()
                    .ok()
                    .map(|times| times * self.font_size);
                self.line_height = css::pixels(value).filter(|px| *px > 0.0).or(times);
            }
            "padding" => self.padding = css::top_and_bottom(value).unwrap_or(self.padding),
            "padding-top" => self.padding.0 = css::pixels(value).unwrap_or(self.padding.0),
            "padding-bottom" => self.padding.1 = css::pixels(value).unwrap_or(self.padding.1),
            _ => {}
        }
    }

    fn size(&mut self, value: &str) {
        if let Some(size) = css::pixels(value) {
            self.font_size = size;
            self.is_hidden |= size < 2.0;
        }
    }

    fn put_behind(&mut self, colour: Colour) {
        self.behind = match self.behind {
            Some(behind) => Some(colour.over(behind)),
            None if colour.alpha >= 1.0 => Some(colour),
            None => None,
        };
    }

    /// WCAG's "large scale" text: 24 pixels, or 18.66 in bold.
    pub(super) fn is_large(&self) -> bool {
        self.font_size >= 24.0 || (self.is_bold && self.font_size >= 18.66)
    }

    /// How high a finger finds it.
    pub(super) fn height(&self) -> f64 {
        let line = self.line_height.unwrap_or(self.font_size * 1.2);
        line + self.padding.0 + self.padding.1
    }
}
