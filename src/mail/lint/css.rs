//! What style attributes and the style block say, as far as a lint can judge
//! it: declarations, lengths, colours, and the rules for dark mode.

use cssparser::{
    Delimiter, ParseError, Parser, Token,
    color::{parse_hash_color, parse_named_color},
};

/// A colour with its opacity, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour {
    pub(super) rgb: [f64; 3],
    pub(super) alpha: f64,
}

/// The declarations of a style attribute: lower-case names, values as written
/// but for `!important`.
pub(super) fn declarations(style: &str) -> Vec<(String, String)> {
    let mut parser = Parser::new(style);
    let mut declarations = Vec::new();
    while !parser.is_exhausted() {
        let one = parser.parse_until_after(Delimiter::Semicolon, |one| {
            let name = one.expect_ident()?.to_ascii_lowercase();
            one.expect_colon()?;
            let start = one.position();
            while one.next().is_ok() {}
            Ok::<_, ParseError<()>>((name, one.slice_from(start).trim().to_owned()))
        });
        // What a browser does not understand it leaves out, and so do we.
        if let Ok((name, value)) = one {
            let plain = match value.rsplit_once('!') {
                Some((before, word)) if word.trim().eq_ignore_ascii_case("important") => {
                    before.trim().to_owned()
                }
                _ => value,
            };
            declarations.push((name, plain));
        }
    }
    declarations
}

/// A length in pixels.
pub(super) fn pixels(value: &str) -> Option<f64> {
    let mut parser = Parser::new(value);
    let length = match parser.next().ok()? {
        Token::Dimension { value, unit, .. } if unit.eq_ignore_ascii_case("px") => *value,
        Token::Number { value, .. } if *value == 0.0 => 0.0,
        _ => return None,
    };
    parser.is_exhausted().then_some(f64::from(length))
}

/// Top and bottom of a `padding` of one to four lengths.
pub(super) fn top_and_bottom(value: &str) -> Option<(f64, f64)> {
    let parts: Vec<&str> = value.split_ascii_whitespace().collect();
    let (top, bottom) = match parts.as_slice() {
        [all] | [all, _] => (all, all),
        [top, _, bottom] | [top, _, bottom, _] => (top, bottom),
        _ => return None,
    };
    Some((pixels(top)?, pixels(bottom)?))
}

/// The first colour in a value: all of a `color`, part of a `background`.
/// `None` where there is none that can be judged.
pub(super) fn colour(value: &str) -> Option<Colour> {
    let mut parser = Parser::new(value);
    loop {
        let token = parser.next().ok()?.clone();
        match token {
            Token::Hash(text) | Token::IDHash(text) => {
                let (r, g, b, alpha) = parse_hash_color(text.as_bytes()).ok()?;
                return Some(Colour::opaque(r, g, b).with_alpha(f64::from(alpha)));
            }
            Token::Ident(name) if name.eq_ignore_ascii_case("transparent") => {
                return Some(Colour::opaque(0, 0, 0).with_alpha(0.0));
            }
            Token::Ident(name) => {
                if let Ok((r, g, b)) = parse_named_color(&name) {
                    return Some(Colour::opaque(r, g, b));
                }
            }
            Token::Function(name) => {
                let is_rgb = ["rgb", "rgba"]
                    .iter()
                    .any(|one| name.eq_ignore_ascii_case(one));
                let numbers =
                    parser.parse_nested_block(|inside| Ok::<_, ParseError<()>>(numbers(inside)));
                if is_rgb {
                    return Colour::of_numbers(&numbers.ok()?);
                }
            }
            _ => {}
        }
    }
}

/// The numbers inside `rgb()`; percentages of colours are of 255, that of the
/// opacity is of 1.
fn numbers(inside: &mut Parser<'_>) -> Vec<f64> {
    let mut numbers = Vec::new();
    while let Ok(token) = inside.next() {
        match token {
            Token::Number { value, .. } => numbers.push(f64::from(*value)),
            Token::Percentage { unit_value, .. } => {
                let whole = if numbers.len() < 3 { 255.0 } else { 1.0 };
                numbers.push(f64::from(*unit_value) * whole);
            }
            _ => {}
        }
    }
    numbers
}

impl Colour {
    pub(super) fn opaque(r: u8, g: u8, b: u8) -> Self {
        Self {
            rgb: [r, g, b].map(f64::from),
            alpha: 1.0,
        }
    }

    fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    fn of_numbers(numbers: &[f64]) -> Option<Self> {
        let (rgb, alpha) = match *numbers {
            [r, g, b] => ([r, g, b], 1.0),
            [r, g, b, alpha] => ([r, g, b], alpha),
            _ => return None,
        };
        let rgb = rgb.map(|part| part.clamp(0.0, 255.0));
        Some(Self {
            rgb,
            alpha: alpha.clamp(0.0, 1.0),
        })
    }

    /// What one sees of it before `behind`.
    pub(super) fn over(self, behind: Self) -> Self {
        let mix = |at: usize| self.rgb[at] * self.alpha + behind.rgb[at] * (1.0 - self.alpha);
        Self {
            rgb: [mix(0), mix(1), mix(2)],
            alpha: 1.0,
        }
    }

    /// Contrast of two opaque colours, 1 to 21 (WCAG 2.2, "contrast ratio").
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let [r, g, b] = self.rgb.map(|part| {
            let part = part / 255.0;
            match part <= 0.040_45 {
                true => part / 12.92,
                false => ((part + 0.055) / 1.055).powf(2.4),
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// As style sheets write it.
    pub(super) fn hex(self) -> String {
        let [r, g, b] = self.rgb.map(f64::round);
        format!(
            "#{r:02x}{g:02x}{b:02x}",
            r = r as u8,
            g = g as u8,
            b = b as u8
        )
    }
}

/// An at-rule of a style block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AtRule<'a> {
    /// Without `@`.
    pub(super) name: String,
    /// What stands between name and block.
    pub(super) question: &'a str,
    /// The inside of its block.
    pub(super) block: &'a str,
    /// Whether another at-rule stands inside.
    pub(super) is_nested: bool,
}

/// The at-rules of a style block, outermost only.
pub(super) fn at_rules(css: &str) -> Vec<AtRule<'_>> {
    let mut parser = Parser::new(css);
    let mut rules = Vec::new();
    while let Ok(token) = parser.next() {
        let Token::AtKeyword(name) = token else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        let start = parser.position();
        let has_block = loop {
            match parser.next() {
                Ok(Token::CurlyBracketBlock) => break true,
                Ok(Token::Semicolon) | Err(_) => break false,
                Ok(_) => {}
            }
        };
        let question = parser.slice_from(start).trim_end_matches(['{', ';']).trim();
        let inside = match has_block {
            true => parser.parse_nested_block(|inside| {
                let start = inside.position();
                let mut is_nested = false;
                while let Ok(token) = inside.next() {
                    is_nested |= matches!(token, Token::AtKeyword(_));
                }
                Ok::<_, ParseError<()>>((inside.slice_from(start), is_nested))
            }),
            false => Ok(("", false)),
        };
        let (block, is_nested) = inside.unwrap_or(("", false));
        rules.push(AtRule {
            name,
            question,
            block,
            is_nested,
        });
    }
    rules
}

/// The rules that hold in dark mode only, without the question around them.
pub(super) fn dark_rules(css: &str) -> String {
    let asks = |rule: &&AtRule<'_>| {
        let question: String = rule.question.split_ascii_whitespace().collect();
        rule.name == "media" && question.contains("(prefers-color-scheme:dark)")
    };
    let rules = at_rules(css);
    let dark: Vec<&str> = rules.iter().filter(asks).map(|rule| rule.block).collect();
    dark.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_as_a_browser_reads_them() {
        assert_eq!(
            declarations("COLOR: #fff !important; x; background:url(\"a;b\") red;;padding:1px 2px"),
            [
                ("color", "#fff"),
                ("background", "url(\"a;b\") red"),
                ("padding", "1px 2px")
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(pixels("12.5px"), Some(12.5));
        assert_eq!(pixels("1em"), None);
        assert_eq!(top_and_bottom("12px 24px 8px"), Some((12.0, 8.0)));
    }

    #[test]
    fn colours_are_read_in_every_way_that_mail_writes_them() {
        let red = Colour::opaque(255, 0, 0);
        for value in [
            "#f00",
            "#FF0000",
            "red",
            "rgb(255, 0, 0)",
            "rgb(100% 0% 0%)",
        ] {
            assert_eq!(colour(value), Some(red), "{value}");
        }
        assert_eq!(colour("url(x.png) no-repeat red"), Some(red));
        assert_eq!(colour("rgba(255,0,0,.5)").unwrap().alpha, 0.5);
        assert_eq!(colour("transparent").unwrap().alpha, 0.0);
        assert_eq!(colour("inherit"), None);
        assert_eq!(red.hex(), "#ff0000");
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let black = Colour::opaque(0, 0, 0);
        let white = Colour::opaque(255, 255, 255);
        let grey = Colour::opaque(118, 118, 118);
        assert!((black.contrast(white) - 21.0).abs() < 0.001);
        assert!((grey.contrast(white) - 4.54).abs() < 0.01);
        let half = Colour {
            alpha: 0.5,
            ..black
        };
        assert_eq!(half.over(white).hex(), "#808080");
    }

    #[test]
    fn the_rules_for_dark_mode_are_found_and_nested_at_rules_noticed() {
        let css = "a{b:c}@media (max-width:1px){x{y:z}}\
                   @media screen and (prefers-color-scheme : dark){.p{color:#fff}}\
                   @media print{@supports (a:b){q{r:s}}}";
        assert_eq!(dark_rules(css), ".p{color:#fff}");
        let nested: Vec<bool> = at_rules(css).iter().map(|rule| rule.is_nested).collect();
        assert_eq!(nested, [false, false, true]);
    }
}
