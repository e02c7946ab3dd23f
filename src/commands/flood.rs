//! The flood guard: an issue with far more articles than usual is more often a
//! mishap (all dates or ids changed) than a good week, and waits for a person.

use std::fmt;

use super::{Context, exit::Failure, freezing::FrozenIssue, workspace};
use crate::{domain::digest::Digest, store::Store};

/// More than so many times what is usual.
const TIMES: usize = 3;
/// Fewer than this are no flood, whatever is usual.
const LEAST: usize = 10;

/// How many articles an issue has, far beyond what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    articles: usize,
    usual: usize,
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} articles, usually {}", self.articles, self.usual)
    }
}

/// Whether an issue with so many articles is to be held. One that makes up for
/// missed slots may carry that much more.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn check(
    store: &Store,
    digest: &Digest,
    articles: usize,
    caught_up: usize,
) -> Result<Option<Flood>, Failure> {
    let usual = store
        .usual_articles(&digest.name)
        .await
        .map_err(workspace::store_failure)?;
    Ok(usual
        .filter(|usual| is_flood(articles, *usual, caught_up))
        .map(|usual| Flood { articles, usual }))
}

fn is_flood(articles: usize, usual: usize, caught_up: usize) -> bool {
    articles >= LEAST && articles > TIMES * usual.max(1) * (caught_up + 1)
}

/// Says that an issue is held, and what to do.
pub fn tell(context: &Context, issue: &FrozenIssue, flood: Flood) {
    context.talk.must_say(format!(
        "issue {0}: {flood} — issue held for approval\n\
         hint: look at it with `letterpress issues show {0}`; `letterpress issues resume {0}` sends \
         it, `letterpress issues cancel {0}` calls it off",
        issue.issue
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_more_than_three_times_the_usual_and_not_a_few() {
        assert!(is_flood(50, 3, 0));
        assert!(is_flood(10, 3, 0));
        assert!(!is_flood(9, 2, 0), "too few to matter");
        assert!(
            !is_flood(12, 4, 0),
            "three times is not more than three times"
        );
        assert!(!is_flood(12, 3, 1), "it makes up for another slot");
        assert!(is_flood(10, 0, 0));
    }
}
