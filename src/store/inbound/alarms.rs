//! The safety stops of an issue that reports feed: when too much of it comes
//! back, going on would cost the sender's good name.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::{
        delivery::{IssueId, State},
        issue::IssueState,
        report::ReportKind,
    },
    store::{codes, error::Fault, issues, sql::Connection},
};

/// Before so many answers of relays nothing is concluded.
const ENOUGH: u64 = 200;
/// More hard bounces than this stop the issue.
const HARD_BOUNCES: Limit = Limit::Above(50);
/// So many complaints stop the issue: large providers block senders then.
const COMPLAINTS: Limit = Limit::From(3);
/// So many are said.
const SOME_COMPLAINTS: Limit = Limit::From(1);

/// A part of an issue's messages, in thousandths.
#[derive(Clone, Copy)]
enum Limit {
    Above(u64),
    From(u64),
}

impl Limit {
    fn is_reached(self, number: u64, of: u64) -> bool {
        let is_too_much = match self {
            Self::Above(part) => number * 1000 > of * part,
            Self::From(part) => number * 1000 >= of * part,
        };
        of >= ENOUGH && is_too_much
    }

    /// Whether the last `news` made the difference.
    fn is_crossed(self, number: u64, news: u64, of: u64) -> bool {
        self.is_reached(number, of) && !self.is_reached(number.saturating_sub(news), of)
    }
}

/// Too much of an issue came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// The digest and its number of the issue: `weekly/3`.
    pub issue: String,
    /// What came back.
    pub text: String,
    /// Whether what is left of the issue is held for it.
    pub is_paused: bool,
}

/// New reports by issue: hard bounces and complaints.
#[derive(Default)]
pub(super) struct News(BTreeMap<IssueId, (u64, u64)>);

impl News {
    pub(super) fn add(&mut self, issue: IssueId, kind: ReportKind) {
        let (hard, complaints) = match kind {
            ReportKind::HardBounce => (1, 0),
            ReportKind::Complaint => (0, 1),
            _ => return,
        };
        let known = self.0.entry(issue).or_default();
        known.0 += hard;
        known.1 += complaints;
    }
}

/// Holds issues of which too much came back, and says so; of those that are
/// done it is only said, once.
pub(super) fn raise(connection: &Connection, news: &News) -> Result<Vec<Alarm>, Fault> {
    let mut alarms = Vec::new();
    for (issue, (hard, complaints)) in &news.0 {
        let standing = Standing::of(connection, *issue)?;
        let text = match (*hard, *complaints) {
            (news @ 1.., _) if standing.is_wrong(HARD_BOUNCES, standing.bounced, news) => {
                Some(standing.told(standing.bounced, "addresses do not exist", "5 %"))
            }
            (_, news @ 1..) if standing.is_wrong(COMPLAINTS, standing.complaints, news) => {
                Some(standing.told(standing.complaints, "readers call it unwanted", "0.3 %"))
            }
            _ => None,
        };
        if let Some(text) = text {
            let is_paused = standing.state == IssueState::Sending;
            if is_paused {
                issues::pause(connection, *issue, &text)?;
            }
            alarms.push(standing.alarm(text, is_paused));
        } else if SOME_COMPLAINTS.is_crossed(standing.complaints, *complaints, standing.answers) {
            let text = standing.told(standing.complaints, "readers call it unwanted", "0.1 %");
            alarms.push(standing.alarm(text, false));
        }
    }
    Ok(alarms)
}

/// How an issue was received.
struct Standing {
    name: String,
    state: IssueState,
    /// Messages that a relay took or refused.
    answers: u64,
    /// Readers of it whose address turned out not to exist.
    bounced: u64,
    complaints: u64,
}

impl Standing {
    fn of(connection: &Connection, issue: IssueId) -> Result<Self, Fault> {
        let (name, state) = connection
            .prepare_cached("SELECT digest || '/' || number, state FROM issues WHERE id = ?1")?
            .query_row([issue], |row| {
                Ok((row.get(0)?, codes::issue_state(row, 1)?))
            })?;
        let counts = issues::counts(connection, issue)?;
        let reports = super::counts(connection, issue)?;
        let of = |state: State| counts.get(&state).copied().unwrap_or(0);
        // Refused by the relay itself, or by a server behind it.
        let bounced = connection
            .prepare_cached(
                "SELECT count(*)
                   FROM issues i
                   JOIN deliveries d ON d.id BETWEEN i.first_delivery AND i.last_delivery
                   JOIN subscribers s ON s.id = d.subscriber_id
                  WHERE i.id = ?1 AND d.state IN (3, 5) AND s.status = 2",
            )?
            .query_row(params![issue], |row| codes::count(row, 0))?;
        Ok(Self {
            name,
            state,
            answers: of(State::Sent) + of(State::Rejected),
            bounced,
            complaints: reports.get(&ReportKind::Complaint).copied().unwrap_or(0),
        })
    }

    /// An issue under way is held as long as it is so; of another one it is said
    /// once.
    fn is_wrong(&self, limit: Limit, number: u64, news: u64) -> bool {
        match self.state {
            IssueState::Sending => limit.is_reached(number, self.answers),
            _ => limit.is_crossed(number, news, self.answers),
        }
    }

    fn told(&self, number: u64, what: &str, limit: &str) -> String {
        let per_myriad = number * 10_000 / self.answers.max(1);
        format!(
            "{number} of {} {what} ({}.{:02} %, the limit is {limit})",
            self.answers,
            per_myriad / 100,
            per_myriad % 100
        )
    }

    fn alarm(&self, text: String, is_paused: bool) -> Alarm {
        Alarm {
            issue: self.name.clone(),
            text,
            is_paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_need_enough_answers_and_are_crossed_once() {
        assert!(!COMPLAINTS.is_reached(5, 199));
        assert!(!HARD_BOUNCES.is_reached(10, 200));
        assert!(HARD_BOUNCES.is_reached(11, 200));
        assert!(COMPLAINTS.is_reached(3, 1000));
        assert!(!COMPLAINTS.is_reached(2, 1000));
        assert!(COMPLAINTS.is_crossed(3, 1, 1000));
        assert!(!COMPLAINTS.is_crossed(4, 1, 1000));
        assert!(SOME_COMPLAINTS.is_crossed(1, 1, 1000));
        assert!(!SOME_COMPLAINTS.is_crossed(1, 1, 1001));
    }
}
