//! Which address shows what. Everything of the preview's own is below one
//! folder whose name no article can have; all else is the publication's.

use std::path::{Path, PathBuf};

use super::{proof::Proof, site, ui, views};
use crate::web::{Answer, Asked};

/// Where the preview begins.
pub(super) const HOME: &str = "/_preview/";

/// Answers a request from what was read last.
pub(super) fn answer(proof: &Proof, asked: &Asked) -> Answer {
    let base = proof.press.config.publication.base_url.path();
    let path = asked.plain_path().unwrap_or_default();
    if path == HOME.trim_end_matches('/') || (path == "/" && base != "/") {
        return Answer::elsewhere(HOME);
    }
    match path.strip_prefix(HOME) {
        Some(rest) => desk(proof, rest, asked),
        None => site::answer(proof, asked),
    }
}

fn desk(proof: &Proof, rest: &str, asked: &Asked) -> Answer {
    let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
    match first {
        "" => views::overview::show(proof),
        ui::STYLE => ui::style(),
        "articles" if rest.is_empty() => views::articles::show(proof, asked),
        "article" => with_file(proof, rest, |file| views::article::show(proof, file, asked)),
        "file" => with_file(proof, rest, |file| views::code::show_file(proof, file)),
        "held-back" => with_file(proof, rest, |file| site::held_back(proof, file, asked)),
        "feeds" if rest.is_empty() => views::feeds::show(proof),
        "feed" => views::feed::show(proof, rest, asked),
        "issue" => views::issue::show(proof, rest, asked),
        "letter" => views::issue::letter(proof, rest, asked),
        "readers" if rest.is_empty() => views::readers::show(proof),
        "inbox" => views::inbox::show(proof, rest, asked),
        "mail" => views::inbox::html(proof, rest, asked),
        "site" if rest.is_empty() => views::site::show(proof, asked),
        _ => ui::not_here(proof, "the preview has no such page"),
    }
}

fn with_file(proof: &Proof, path: &str, show: impl FnOnce(&Path) -> Answer) -> Answer {
    let is_plain = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if is_plain {
        show(&PathBuf::from(path))
    } else {
        ui::not_here(proof, "no file of the publication has this name")
    }
}
