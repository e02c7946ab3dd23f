//! How long a hub that does not accept the news is asked again.

use chrono::{DateTime, TimeDelta, Utc};

/// News that no hub took for so long is given up: subscribers have polled the
/// feed by then.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(3);

/// Minutes between the first attempts; then it is asked every hour.
const WAITS: [i64; 3] = [1, 5, 30];

/// What to do with news that a hub did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again.
    AskAgain(DateTime<Utc>),
    /// Never mind.
    GiveUp,
}

/// After the failure, at `now`, of an attempt that `attempts` others went
/// before, about a feed that changed at `changed_at`.
#[must_use]
pub fn after_failure(attempts: u32, changed_at: DateTime<Utc>, now: DateTime<Utc>) -> Verdict {
    if now - changed_at >= GIVE_UP_AFTER {
        return Verdict::GiveUp;
    }
    let nth = usize::try_from(attempts).unwrap_or(usize::MAX);
    let minutes = WAITS.get(nth).copied().unwrap_or(60);
    Verdict::AskAgain(now + TimeDelta::minutes(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_asked_soon_then_hourly_for_three_days() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let mut now = start;
        let mut minutes = Vec::new();
        let mut attempts = 0;
        while let Verdict::AskAgain(at) = after_failure(attempts, start, now) {
            minutes.push((at - now).num_minutes());
            now = at;
            attempts += 1;
        }
        assert_eq!(minutes[..5], [1, 5, 30, 60, 60]);
        assert!(minutes[5..].iter().all(|wait| *wait == 60));
        assert_eq!((now - start).num_hours(), 72);
    }
}
