//! The editions of an issue: rendered once for each variant that readers'
//! choices come to, whatever their number.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rayon::prelude::*;

use super::{
    exit::Failure,
    freezing::{self, Made, Material},
    linting,
};
use crate::{
    config::Config,
    content::Loaded,
    domain::{
        choice::{Choice, Languages, Variant, Variants},
        digest::Digest,
        issue::IssuePlan,
        language::primary,
        problem::Problem,
    },
    mail::Rendered,
    store::{Chosen, Share},
    templates::Templates,
};

/// The editions of an issue, rendered.
pub struct Editions {
    /// In order; the first is the whole issue.
    pub letters: Vec<Rendered>,
    /// Which one readers with which choice get.
    pub shares: Vec<Share>,
    /// What is not as the author meant it, each once.
    pub warnings: Vec<Problem>,
    /// How long all of it took.
    pub took: Duration,
}

/// The variants that these choices come to.
#[must_use]
pub fn variants<'c>(
    config: &Config,
    loaded: &Loaded,
    templates: &Templates,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    choices: impl IntoIterator<Item = &'c Choice> + Clone,
) -> Variants {
    let own = digest.language(&config.publication);
    let articles = loaded.collection.articles().iter();
    let tongues = articles.map(|a| {
        a.language
            .as_deref()
            .unwrap_or(&config.publication.language)
    });
    let wished = choices.clone().into_iter();
    let wished = wished.filter_map(|choice| choice.language.as_deref());
    let languages = Languages {
        of_articles: tongues.map(primary).collect(),
        of_words: wished
            .filter(|language| templates.words(language).is_known())
            .map(primary)
            .collect(),
    };
    let publications = &config.publication.language;
    Variants::of(
        choices,
        digest,
        &plan.articles,
        (own, publications),
        &languages,
    )
}

/// The digest and the plan of one variant of an issue.
#[must_use]
pub fn narrowed<'a>(
    digest: &Digest,
    plan: &IssuePlan<'a>,
    variant: &Variant,
) -> (Digest, IssuePlan<'a>) {
    let digest = Digest {
        content: variant.content.or(digest.content),
        language: variant.language.clone().or(digest.language.clone()),
        ..digest.clone()
    };
    let articles = variant.articles.iter();
    let plan = IssuePlan {
        number: plan.number,
        articles: articles
            .filter_map(|at| plan.articles.get(*at).copied())
            .collect(),
        passed_over: Vec::new(),
        considered: Vec::new(),
        cutoff: plan.cutoff,
    };
    (digest, plan)
}

/// Renders each variant of an issue once, on all cores, and lints it.
///
/// # Errors
/// When one cannot be rendered, or the lint finds an error in it: exit 65.
pub fn render(
    made: &Made<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    material: &Material<'_>,
    chosen: &[Chosen],
) -> Result<Editions, Failure> {
    let started = Instant::now();
    let Made {
        config,
        loaded,
        templates,
        ..
    } = *made;
    let choices = chosen.iter().map(|chosen| &chosen.choice);
    let found = variants(config, loaded, templates, digest, plan, choices);
    let letters: Vec<Rendered> = found
        .variants
        .par_iter()
        .map(|variant| {
            let (digest, plan) = narrowed(digest, plan, variant);
            let letter = freezing::render_of(made, &digest, &plan, material)?;
            let problems = freezing::linted(config, loaded, &digest, &plan, &letter);
            linting::refuse(&format!("{}/{}", digest.name, plan.number), &problems)?;
            Ok(letter)
        })
        .collect::<Result<_, Failure>>()?;
    let shortened = letters.iter().filter_map(freezing::shortened);
    let warnings = material.illustrations.warnings.iter().cloned();
    let warnings = warnings.chain(shortened);
    Ok(Editions {
        warnings: warnings.collect::<BTreeSet<_>>().into_iter().collect(),
        shares: shares(chosen, &found),
        letters,
        took: started.elapsed(),
    })
}

fn shares(chosen: &[Chosen], found: &Variants) -> Vec<Share> {
    let pairs = chosen.iter().zip(&found.of_choice);
    pairs
        .map(|(chosen, variant)| Share {
            choice: chosen.id,
            // Editions are counted from 1, and are far fewer than 2³².
            edition: variant.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX)),
        })
        .collect()
}
