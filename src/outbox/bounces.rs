//! The safety stop of an issue: when too many addresses do not exist, it is the
//! list that is wrong, and going on would cost the sender's good name.

use std::collections::HashMap;

use crate::domain::delivery::IssueId;

/// Before so many answers nothing is concluded.
const ENOUGH: u64 = 200;
/// More hard bounces than one in so many (5 %) stop the issue.
const ONE_IN: u64 = 20;

/// What the relays said in this run, issue by issue.
#[derive(Default)]
pub(super) struct Bounces {
    issues: HashMap<IssueId, Counts>,
}

#[derive(Default)]
struct Counts {
    answers: u64,
    hard: u64,
    is_stopped: bool,
}

impl Bounces {
    /// Counts an answer about one reader. `Some` says, once per issue and run,
    /// that it has to stop, and why.
    pub(super) fn answer(&mut self, issue: IssueId, is_hard: bool) -> Option<String> {
        let counts = self.issues.entry(issue).or_default();
        counts.answers += 1;
        counts.hard += u64::from(is_hard);
        let is_too_much = counts.answers >= ENOUGH && counts.hard * ONE_IN > counts.answers;
        if !is_too_much || counts.is_stopped {
            return None;
        }
        counts.is_stopped = true;
        let percent = counts.hard * 100 / counts.answers;
        Some(format!(
            "{} of the first {} addresses do not exist ({percent} %, more than 5 %)",
            counts.hard, counts.answers
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_one_in_twenty_of_two_hundred_stops_an_issue_once() {
        let mut bounces = Bounces::default();
        let stops: Vec<usize> = (1..=400)
            .filter(|n| bounces.answer(1, n % 10 == 0).is_some())
            .collect();
        assert_eq!(stops, [200]);
        assert!(
            (1..=2000).all(|n| bounces.answer(2, n % 20 == 0).is_none()),
            "5 %"
        );
        let late: Vec<usize> = (1..=400)
            .filter(|n| bounces.answer(3, *n > 300).is_some())
            .collect();
        assert_eq!(late, [316], "16 of 316");
    }
}
