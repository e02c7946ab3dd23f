//! What a run keeps an eye on while it sends: the machine's clock, and the log
//! of changes that grows while somebody reads the ledger for long.

use chrono::TimeDelta;

use super::{Context, talk::span};
use crate::store::Store;

/// A clock that is off by less than this was only corrected.
const CORRECTION: TimeDelta = TimeDelta::minutes(5);
/// A log of this size is worth a word; it shrinks when its reader is done.
const LARGE_LOG: u64 = 256 << 20;

/// What was said already.
#[derive(Debug, Default)]
pub struct Watch {
    clock: bool,
    log: bool,
}

impl Watch {
    /// What a person must know by now and was not told yet.
    pub fn look(&mut self, context: &Context, store: &Store) -> Option<String> {
        if !self.log && store.log_size() >= LARGE_LOG {
            self.log = true;
            return Some(large_log(store));
        }
        let drift = context.clock.drift();
        if !self.clock && drift.abs() >= CORRECTION {
            self.clock = true;
            return Some(jump(drift));
        }
        None
    }
}

fn large_log(store: &Store) -> String {
    format!(
        "warning: the log of changes {}-wal has {} MiB: another program has been reading the ledger \
         for long; sending goes on, and the log shrinks when it is done",
        store.name(),
        store.log_size() >> 20
    )
}

fn jump(drift: TimeDelta) -> String {
    let way = if drift < TimeDelta::zero() {
        "back"
    } else {
        "forward"
    };
    format!(
        "warning: the machine's clock went {way} by {} during this run (set by hand, or the machine \
         slept); this run goes on by the time it began with",
        span(drift.abs())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_told_with_its_direction_and_size() {
        assert!(jump(TimeDelta::days(-1)).contains("went back by 1 day "));
        assert!(jump(TimeDelta::days(365)).contains("went forward by 365 days "));
        assert!(jump(TimeDelta::minutes(90)).contains("by 1 hour "));
        assert!(jump(TimeDelta::seconds(-301)).contains("back by 5 minutes "));
    }
}
