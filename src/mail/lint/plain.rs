//! The text part, as terminals and screen readers get it.

use unicode_width::UnicodeWidthStr;

use super::{Finding, Part, Rule, excerpt};
use crate::mail::render::Rendered;

/// Most columns of a line (RFC 5322, 2.1.1).
const WIDEST: usize = 78;

/// Finds what is wrong with the text part.
pub(super) fn check(letter: &Rendered, found: &mut Vec<Finding>) {
    if letter.text.trim().is_empty() {
        let what = "the text part is empty";
        let remedy = "print the articles in the kind's `issue.txt`";
        found.push(Finding::error(Rule::TextEmpty, Part::Text, what, remedy));
    }
    for (number, line) in (1..).zip(letter.text.lines()) {
        let width = line.width();
        // An address stays whole, however long it is.
        let addresses = line.split_whitespace().filter(|word| is_address(word));
        let longest = addresses.map(UnicodeWidthStr::width).max();
        if width > WIDEST && width - longest.unwrap_or(0) > WIDEST / 2 {
            let what = format!("`{}` is {width} columns wide", excerpt(line));
            let remedy = "wrap it at 76: `{{ … | wrap }}`";
            found.push(Finding::warning(Rule::TextWidth, Part::Text, what, remedy).at(number));
        }
    }
}

fn is_address(word: &str) -> bool {
    word.contains("://") || word.contains("mailto:")
}
