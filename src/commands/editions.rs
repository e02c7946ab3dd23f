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
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    content::Loaded,
    domain::{
        choice::{Choice, Languages, Variant, Variants},
        digest::{Digest, Shown},
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
        is_whole: variant.is_whole(plan.articles.len()),
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
    let (found, tried) = tried(made, digest, plan, material, chosen);
    let findings = told_once(&tried, |one| one.findings.iter().collect());
    let shortened = told_once(&tried, |one| one.shortened.iter().collect());
    let letters = tried.into_iter().map(|one| match (one.letter, one.label) {
        (Err(failure), Some(label)) => Err(failure.within(format!("{label} cannot be made"))),
        (letter, _) => letter,
    });
    let letters: Vec<Rendered> = letters.collect::<Result<_, _>>()?;
    linting::refuse(&format!("{}/{}", digest.name, plan.number), &findings)?;
    let pictures = material.illustrations.warnings.iter().cloned();
    Ok(Editions {
        warnings: pictures.chain(shortened).collect(),
        shares: shares(chosen, &found),
        letters,
        took: started.elapsed(),
    })
}

/// What is wrong with an issue in any of its editions, each thing once: what
/// cannot be rendered, what the lint finds, and what there is no room for.
#[must_use]
pub fn problems(
    made: &Made<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    chosen: &[Chosen],
) -> Vec<Problem> {
    match Material::of(made, plan) {
        Ok(material) => {
            let (_, tried) = tried(made, digest, plan, &material, chosen);
            told_once(&tried, |one| {
                one.findings.iter().chain(&one.shortened).collect()
            })
        }
        Err(failure) => vec![failure.problem(workspace::TEMPLATES.as_ref())],
    }
}

/// One variant of an issue, rendered if it can be.
struct Tried {
    /// What people call it; the whole issue needs no name.
    label: Option<String>,
    letter: Result<Rendered, Failure>,
    /// What the lint says, or what keeps it from being made.
    findings: Vec<Problem>,
    /// What there is no room for.
    shortened: Option<Problem>,
}

fn tried(
    made: &Made<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    material: &Material<'_>,
    chosen: &[Chosen],
) -> (Variants, Vec<Tried>) {
    let Made {
        config,
        loaded,
        templates,
        ..
    } = *made;
    let choices = chosen.iter().map(|chosen| &chosen.choice);
    let found = variants(config, loaded, templates, digest, plan, choices);
    let total = plan.articles.len();
    let numbered = found.variants.par_iter().enumerate();
    let tried = numbered.map(|(at, variant)| {
        let (digest, plan) = narrowed(digest, plan, variant);
        let letter = freezing::render_of(made, &digest, &plan, material);
        let findings = match &letter {
            Ok(letter) => freezing::linted(config, loaded, &digest, &plan, letter),
            Err(failure) => vec![failure.problem(workspace::TEMPLATES.as_ref())],
        };
        Tried {
            label: (at > 0).then(|| label(at + 1, variant, total)),
            shortened: letter.as_ref().ok().and_then(freezing::shortened),
            letter,
            findings,
        }
    });
    let tried = tried.collect();
    (found, tried)
}

/// `edition 2 (1 of 6 articles, full)`: the number that `plan` gives it, and
/// what its readers chose.
fn label(number: usize, variant: &Variant, total: usize) -> String {
    let mut label = format!(
        "edition {number} ({} of {}",
        variant.articles.len(),
        count(total, "article")
    );
    let content = variant.content.map(Shown::as_str);
    for extra in [variant.language.as_deref(), content].into_iter().flatten() {
        label.push_str(", ");
        label.push_str(extra);
    }
    label.push(')');
    label
}

/// Every problem of those that `which` picks once, with the name of the first
/// edition that has it.
fn told_once(tried: &[Tried], which: impl Fn(&Tried) -> Vec<&Problem>) -> Vec<Problem> {
    let mut known = BTreeSet::new();
    let mut told = Vec::new();
    for one in tried {
        for problem in which(one) {
            if !known.insert(problem) {
                continue;
            }
            let mut problem = problem.clone();
            if let Some(label) = &one.label {
                problem.what = format!("{label}: {}", problem.what);
            }
            told.push(problem);
        }
    }
    told
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
