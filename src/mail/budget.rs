//! The size budget: a letter that Gmail would clip shows its last articles
//! shorter until it fits.

use std::ops::Range;

use super::{mime::Content, render::RenderError};
use crate::domain::digest::Shown;

/// An article that is shown shorter than the digest says, so that the letter
/// fits into the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// Its headline.
    pub title: String,
    /// How much of it the digest asks for.
    pub wished: Shown,
    /// How much of it is shown.
    pub shown: Shown,
}

/// What becomes of the first article of a letter that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadRule {
    /// It is what the publisher made the letter for: it stays as it is, and a
    /// letter that is too large with it is an error.
    Kept,
    /// It comes first only because of what a reader chose: it gets shorter
    /// after all others. No choice of one reader keeps an issue from the rest.
    LastToGo,
}

/// A letter that fits: what its templates made of it, and how much of each
/// article they were given.
pub(super) struct Fitting {
    pub(super) content: Content,
    pub(super) shown: Vec<Shown>,
}

/// The letter with as much of its articles as `fits` allows, or, where even
/// the shortest does not fit, that one as an error. `wished` is how much of
/// each article the digest asks for; `make` renders the letter.
///
/// From the last article on, whole articles become summaries; when that is not
/// enough, summaries become headlines, again from the last on. The lead stays
/// as it is, unless `lead` lets it follow at the very end. Each step makes a
/// letter shorter, so the fewest steps are found by halving.
pub(super) fn fit(
    wished: &[Shown],
    lead: LeadRule,
    fits: impl Fn(&Content) -> bool,
    mut make: impl FnMut(&[Shown]) -> Result<Content, RenderError>,
) -> Result<Result<Fitting, Content>, RenderError> {
    let mut make = |shown: Vec<Shown>| {
        let content = make(&shown)?;
        Ok::<_, RenderError>(Fitting { content, shown })
    };
    let whole = make(wished.to_vec())?;
    if fits(&whole.content) {
        return Ok(Ok(whole));
    }
    let steps = steps(wished, lead);
    let mut best = make(after(wished, &steps))?;
    if !fits(&best.content) {
        return Ok(Err(best.content));
    }
    // What `most` steps make fits, what `least` steps make does not.
    let (mut least, mut most) = (0, steps.len());
    while most - least > 1 {
        let middle = usize::midpoint(least, most);
        let tried = make(after(wished, &steps[..middle]))?;
        if fits(&tried.content) {
            most = middle;
            best = tried;
        } else {
            least = middle;
        }
    }
    Ok(Ok(best))
}

/// Which article becomes what, one after the other.
fn steps(wished: &[Shown], lead: LeadRule) -> Vec<(usize, Shown)> {
    let to_summary = |at: &usize| wished[*at] == Shown::Full;
    let to_title = |at: &usize| wished[*at] != Shown::Title;
    let shorter = |places: Range<usize>| {
        let summaries = places.clone().rev().filter(to_summary);
        let titles = places.rev().filter(to_title);
        summaries
            .map(|at| (at, Shown::Summary))
            .chain(titles.map(|at| (at, Shown::Title)))
    };
    let last = match lead {
        LeadRule::Kept => 0..0,
        LeadRule::LastToGo => 0..wished.len().min(1),
    };
    shorter(1..wished.len().max(1))
        .chain(shorter(last))
        .collect()
}

fn after(wished: &[Shown], steps: &[(usize, Shown)]) -> Vec<Shown> {
    let mut shown = wished.to_vec();
    for &(at, to) in steps {
        shown[at] = to;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::Shown::{Full, Summary, Title};
    use super::*;
    use crate::mail::{edition::Facts, slot::Part};

    /// A letter as long as its articles: 100, 10 and 1.
    fn content(shown: &[Shown]) -> Content {
        let length = shown.iter().map(|shown| match shown {
            Full => 100,
            Summary => 10,
            Title => 1,
        });
        Content {
            html: vec![Part::Fixed("x".repeat(length.sum()))],
            text: Vec::new(),
            facts: Facts::sample(),
        }
    }

    fn length(content: &Content) -> usize {
        match content.html.as_slice() {
            [Part::Fixed(text)] => text.len(),
            other => panic!("{other:?}"),
        }
    }

    /// How much is shown in a letter of at most `budget`, and after how many
    /// renderings that is known.
    fn fitted(wished: &[Shown], budget: usize) -> (Result<Vec<Shown>, usize>, usize) {
        fitted_by(LeadRule::Kept, wished, budget)
    }

    fn fitted_by(
        lead: LeadRule,
        wished: &[Shown],
        budget: usize,
    ) -> (Result<Vec<Shown>, usize>, usize) {
        let mut made = 0;
        let fitting = fit(
            wished,
            lead,
            |content| length(content) <= budget,
            |shown| {
                made += 1;
                Ok(content(shown))
            },
        );
        let shown = fitting.unwrap();
        (
            shown
                .map(|fitting| fitting.shown)
                .map_err(|content| length(&content)),
            made,
        )
    }

    #[test]
    fn what_fits_stays_and_is_rendered_once() {
        assert_eq!(fitted(&[Full, Full], 200), (Ok(vec![Full, Full]), 1));
    }

    #[test]
    fn the_last_articles_get_shorter_and_never_more_than_needed() {
        let wished = [Full; 4];
        let shown = |budget| fitted(&wished, budget).0;
        assert_eq!(shown(399), Ok(vec![Full, Full, Full, Summary]));
        assert_eq!(shown(309), Ok(vec![Full, Full, Summary, Summary]));
        assert_eq!(shown(130), Ok(vec![Full, Summary, Summary, Summary]));
        assert_eq!(shown(129), Ok(vec![Full, Summary, Summary, Title]));
        assert_eq!(shown(103), Ok(vec![Full, Title, Title, Title]));
    }

    #[test]
    fn the_publishers_lead_is_never_shortened() {
        assert_eq!(fitted(&[Full; 4], 102).0, Err(103));
        assert_eq!(fitted(&[Summary], 9).0, Err(10));
    }

    #[test]
    fn the_lead_of_a_readers_choice_is_the_last_to_be_shortened() {
        let shown = |wished: &[Shown], budget| fitted_by(LeadRule::LastToGo, wished, budget).0;
        assert_eq!(shown(&[Full; 3], 102), Ok(vec![Full, Title, Title]));
        assert_eq!(shown(&[Full; 3], 101), Ok(vec![Summary, Title, Title]));
        assert_eq!(shown(&[Full; 3], 3), Ok(vec![Title; 3]));
        assert_eq!(shown(&[Full], 99), Ok(vec![Summary]));
        assert_eq!(shown(&[Summary], 9), Ok(vec![Title]));
        assert_eq!(shown(&[Full; 2], 1), Err(2));
    }

    #[test]
    fn every_budget_gets_the_longest_letter_of_the_rule() {
        let wished = [Full, Summary, Full, Title, Full, Summary];
        for lead in [LeadRule::Kept, LeadRule::LastToGo] {
            let steps = steps(&wished, lead);
            let letters: Vec<Vec<Shown>> = (0..=steps.len())
                .map(|number| after(&wished, &steps[..number]))
                .collect();
            for budget in 0..=length(&content(&wished)) {
                let longest = letters
                    .iter()
                    .find(|shown| length(&content(shown)) <= budget);
                let fitted = fitted_by(lead, &wished, budget).0;
                assert_eq!(fitted.ok().as_ref(), longest, "{lead:?} {budget}");
            }
        }
    }

    #[test]
    fn a_long_issue_is_rendered_a_few_times_only() {
        let (shown, made) = fitted(&[Full; 500], 20_000);
        let shown = shown.unwrap();
        assert_eq!(shown.iter().filter(|shown| **shown == Full).count(), 166);
        assert!(made <= 12, "{made}");
    }
}
