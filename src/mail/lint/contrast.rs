//! Text must be told from what is behind it, in light and in dark mode
//! (WCAG 2.2, 1.4.3).

use std::collections::BTreeSet;

use super::{Finding, Part, Rule, excerpt, looks::Looks, page::Page};

/// Below this hardly anybody reads it, and spam filters take it for hidden.
const UNREADABLE: f64 = 2.0;

/// Finds each pair of colours that is too close, once.
pub(super) fn check(page: &Page, looks: &Looks, scheme: &str, found: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for text in &page.texts {
        let look = looks.of_element(text.parent);
        let Some(behind) = look.behind else { continue };
        if look.is_hidden || text.text.trim().is_empty() {
            continue;
        }
        let ink = look.ink.over(behind);
        let contrast = ink.contrast(behind);
        let needed = if look.is_large() { 3.0 } else { 4.5 };
        // A pair that rounds to what is needed is what people chose by.
        if contrast >= needed - 0.005 || !told.insert((ink.hex(), behind.hex())) {
            continue;
        }
        let what = format!(
            "`{}` is {} on {} in {scheme} mode: a contrast of {contrast:.1}, and {needed:.1} is needed",
            excerpt(&text.text),
            ink.hex(),
            behind.hex(),
        );
        let remedy = match scheme {
            "dark" => "give it a colour in the rules for dark mode, too",
            _ => "darken the text or lighten what is behind it",
        };
        let finding = match contrast < UNREADABLE {
            true => Finding::error(Rule::Contrast, Part::Html, what, remedy),
            false => Finding::warning(Rule::Contrast, Part::Html, what, remedy),
        };
        found.push(finding.at(text.line));
    }
}
