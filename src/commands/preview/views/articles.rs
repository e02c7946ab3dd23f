//! Every article, a page at a time, held-back ones first.

use serde::Serialize;

use super::{
    super::{
        proof::Proof,
        routes::HOME,
        ui::{self, Place},
    },
    Row, reason,
};
use crate::web::{Answer, Asked};

/// Articles on one page.
const PER_PAGE: usize = 100;

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
    total: usize,
    held_back: usize,
    number: usize,
    of: usize,
    newer: Option<String>,
    older: Option<String>,
}

/// The page.
pub(in super::super) fn show(proof: &Proof, asked: &Asked) -> Answer {
    let press = &proof.press;
    let language = &press.config.publication.language;
    let collection = &press.loaded.collection;
    let held = press.loaded.set_aside.iter();
    let held = held.map(|aside| (&aside.article, Some(reason(&aside.reason, language))));
    let published = collection.articles().iter().map(|article| (article, None));
    let all: Vec<_> = held.chain(published).collect();
    let of = all.len().div_ceil(PER_PAGE).max(1);
    let wanted = asked.value("page").and_then(|page| page.parse().ok());
    let number = wanted.unwrap_or(1).clamp(1, of);
    let url = |number: usize| format!("{HOME}articles/?page={number}");
    let rows = all.into_iter().skip((number - 1) * PER_PAGE).take(PER_PAGE);
    let view = View {
        rows: rows
            .map(|(article, held_back)| {
                let problems = proof.problems_of(&article.source).len();
                Row::of(article, press, problems, held_back)
            })
            .collect(),
        total: collection.articles().len(),
        held_back: collection.held_back().len(),
        number,
        of,
        newer: (number > 1).then(|| url(number - 1)),
        older: (number < of).then(|| url(number + 1)),
    };
    ui::page(
        proof,
        "articles.html",
        (Some(Place::Articles), "Articles"),
        &view,
    )
}
