//! The keys of `[mail]` that say what a letter is like: its pictures and links.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bytesize::ByteSize;
use toml::Spanned;

use super::{
    findings::Findings,
    settings::{PictureWay, TextLinks},
};

/// Bytes of a letter's HTML, where nothing else is said.
const USUAL_BUDGET: usize = 90_000;
/// Smaller is no letter, larger is a mistake.
const BUDGETS: RangeInclusive<usize> = 10_000..=10_000_000;
/// Most characters of a parameter's value, as written.
const LONGEST_VALUE: usize = 200;

/// `pictures`; `None` when unusable.
pub(super) fn pictures(
    raw: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<PictureWay> {
    match raw.map(|text| text.get_ref().as_str()) {
        None | Some("remote") => Some(PictureWay::Remote),
        Some("embed") => Some(PictureWay::Embed),
        Some(other) => {
            findings.at(
                raw,
                format!("mail.pictures is `{other}`"),
                "use \"remote\" (mail clients fetch them) or \"embed\" (they travel in the message)",
            );
            None
        }
    }
}

/// `text_links`; `None` when unusable.
pub(super) fn text_links(
    raw: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<TextLinks> {
    match raw.map(|text| text.get_ref().as_str()) {
        None | Some("numbered") => Some(TextLinks::Numbered),
        Some("inline") => Some(TextLinks::Inline),
        Some(other) => {
            findings.at(
                raw,
                format!("mail.text_links is `{other}`"),
                "use \"numbered\" (addresses below the article) or \"inline\" (each after its words)",
            );
            None
        }
    }
}

/// `size_budget` in bytes; `None` when unusable. Gmail cuts a letter off at
/// 102 KB, so the usual budget leaves room for what relays add.
pub(super) fn size_budget(
    raw: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    let Some(text) = raw else {
        return Some(USUAL_BUDGET);
    };
    let size = text.get_ref().parse::<ByteSize>().ok();
    let budget = size
        .and_then(|size| usize::try_from(size.as_u64()).ok())
        .filter(|bytes| BUDGETS.contains(bytes));
    if budget.is_none() {
        findings.at(
            raw,
            format!("mail.size_budget is `{}`", text.get_ref()),
            "use a size from \"10 KB\" to \"10 MB\"; Gmail cuts a letter off at 102 KB",
        );
    }
    budget
}

/// `link_params`, by name; `None` when one is unusable.
pub(super) fn link_params(
    raw: &BTreeMap<String, Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<Vec<(String, String)>> {
    let mut params = Vec::new();
    let mut is_sound = true;
    for (name, value) in raw {
        let text = value.get_ref().trim();
        let is_name = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        let wrong = if !is_name {
            Some(format!("mail.link_params has the name `{name}`"))
        } else if text.is_empty() {
            Some(format!("mail.link_params.{name} is empty"))
        } else if text.chars().count() > LONGEST_VALUE || text.chars().any(char::is_control) {
            Some(format!("mail.link_params.{name} is no short line of text"))
        } else {
            None
        };
        match wrong {
            None => params.push((name.clone(), text.to_owned())),
            Some(what) => {
                is_sound = false;
                findings.at(
                    Some(value),
                    what,
                    "write it like `utm_campaign = \"{{ digest.name }}-{{ issue.number }}\"`",
                );
            }
        }
    }
    is_sound.then_some(params)
}
