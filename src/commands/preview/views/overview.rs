//! Where everything stands: what is wrong, what is held back, what is newest,
//! and what would go out next.

use serde::Serialize;

use super::{
    super::{
        super::{freezing, talk::count},
        proof::Proof,
        routes::HOME,
        ui::{self, Finding, Place},
    },
    Row, moment, reason,
};
use crate::{
    commands::preview::press::Press,
    domain::{digest::Digest, issue::IssuePlan, schedule::Slot},
    feed,
    web::Answer,
};

/// Articles shown; all of them have a page of their own.
const NEWEST: usize = 8;
/// Findings shown before `check` is the better place to read them.
const MOST_FINDINGS: usize = 100;

#[derive(Serialize)]
struct View {
    title: String,
    description: String,
    counts: Vec<String>,
    findings: Vec<Finding>,
    /// Findings that are not shown.
    more: usize,
    held_back: Vec<Row>,
    newest: Vec<Row>,
    articles: usize,
    issues: Vec<Next>,
    base_path: String,
    base_url: String,
    has_pages: bool,
    streams: usize,
}

/// The next issue of a digest, in a line or two.
#[derive(Serialize)]
pub(super) struct Next {
    title: String,
    url: String,
    number: u32,
    subject: Option<String>,
    when: String,
    carries: String,
}

impl Next {
    /// What the next issue would be now.
    pub(super) fn of(press: &Press, digest: &Digest) -> Self {
        let (plan, slot) = plan(press, digest);
        let language = &press.config.publication.language;
        let is_enough = plan.is_enough(digest);
        let carries = match is_enough {
            true => count(plan.articles.len(), "article"),
            false => format!("would be skipped: {}", freezing::too_few(&plan, digest)),
        };
        let when = slot.map_or_else(
            || "not scheduled".to_owned(),
            |slot| {
                let at = digest.schedule.instant(slot);
                let at = at.with_timezone(&digest.schedule.zone()).fixed_offset();
                let word = if at <= press.now {
                    "due since"
                } else {
                    "not before"
                };
                format!("{word} {}", moment(at, language))
            },
        );
        Self {
            title: digest.title.clone(),
            url: format!("{HOME}issue/{}/", digest.name),
            number: plan.number,
            subject: match plan.articles.is_empty() {
                true => None,
                false => {
                    let Press {
                        config,
                        loaded,
                        templates,
                        ..
                    } = press;
                    freezing::subject(config, loaded, templates, digest, &plan)
                }
            },
            when,
            carries,
        }
    }
}

/// The next issue as it would be if it were made now, and its slot.
pub(super) fn plan<'p>(press: &'p Press, digest: &Digest) -> (IssuePlan<'p>, Option<Slot>) {
    let none = Default::default();
    let history = press.known.get(&digest.name);
    let history = history.map_or(&none, |known| &known.history);
    let due = digest
        .schedule
        .due(history.cursor, press.now, digest.max_late);
    let collection = &press.loaded.collection;
    let plan = IssuePlan::make(digest, collection, history, due.slot, press.now);
    let upcoming = || digest.schedule.upcoming(press.now, 1).into_iter().next();
    (plan, due.slot.or_else(upcoming))
}

/// The page.
pub(in super::super) fn show(proof: &Proof) -> Answer {
    let press = &proof.press;
    let (publication, collection) = (&press.config.publication, &press.loaded.collection);
    let problems_of = |source| proof.problems_of(source).len();
    let held = press.loaded.set_aside.iter();
    let readers = press.known.values().map(|known| known.readers).max();
    let mut counts = vec![
        count(collection.articles().len(), "article"),
        count(collection.sections_with_articles().count(), "section"),
        count(collection.tags().count(), "tag"),
        count(collection.bylines().count(), "author"),
    ];
    counts.extend(readers.map(|number| count(usize::try_from(number).unwrap_or(0), "reader")));
    let shown = proof.problems.iter().rev().filter(|p| p.is_error());
    let shown = shown.chain(proof.problems.iter().filter(|p| !p.is_error()));
    let mut shown: Vec<_> = shown.take(MOST_FINDINGS).collect();
    shown.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.cmp(b)));
    let view = View {
        title: publication.title.clone(),
        description: publication.description.clone(),
        counts,
        more: proof.problems.len() - shown.len(),
        findings: Finding::all(proof, shown),
        held_back: held
            .map(|aside| {
                let (article, why) = (&aside.article, &aside.reason);
                let why = reason(why, &publication.language);
                Row::of(article, press, problems_of(&article.source), Some(why))
            })
            .collect(),
        newest: collection
            .articles()
            .iter()
            .take(NEWEST)
            .map(|article| Row::of(article, press, problems_of(&article.source), None))
            .collect(),
        articles: collection.articles().len(),
        issues: press
            .config
            .digests
            .iter()
            .map(|digest| Next::of(press, digest))
            .collect(),
        base_path: publication.base_url.path().to_owned(),
        base_url: publication.base_url.to_string(),
        has_pages: press.config.content.pages,
        streams: feed::streams(collection).len(),
    };
    ui::page(
        proof,
        "overview.html",
        (Some(Place::Overview), "Overview"),
        &view,
    )
}
