//! Wakes the writer while it waits for a group to grow.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicIsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use super::{Grouped, Request};

/// Rings when the writer need not wait any longer. To wake it for each request would
/// cost more than most of them.
#[derive(Debug, Default)]
pub(in crate::store) struct Bell {
    writer: OnceLock<Thread>,
    /// Somebody waits for an intent that was asked for ahead.
    is_waited_for: AtomicBool,
    /// So many more of those make a group.
    missing: AtomicIsize,
}

impl Bell {
    /// The calling thread is the writer.
    pub(super) fn wakes_this_thread(&self) {
        self.writer.get_or_init(thread::current);
    }

    /// Somebody waits for an intent that was asked for ahead.
    pub(in crate::store) fn waited_for(&self) {
        self.is_waited_for.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether somebody has begun to wait since this was asked last.
    pub(super) fn was_waited_for(&self) -> bool {
        self.is_waited_for.swap(false, Ordering::Acquire)
    }

    /// A request was sent that is of this weight.
    pub(in crate::store) fn sent(&self, weight: Weight) {
        match weight {
            Weight::Nothing => {}
            Weight::OneOfMany => {
                if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.ring();
                }
            }
            Weight::Enough => self.ring(),
        }
    }

    /// Rings for so many intents that are asked for ahead from now on.
    pub(super) fn rings_for(&self, intents: usize) {
        let intents = isize::try_from(intents).unwrap_or(isize::MAX);
        self.missing.store(intents, Ordering::Release);
    }

    /// Waits until it rings, and no longer than this. It may have rung before.
    pub(super) fn wait(&self, limit: Duration) {
        thread::park_timeout(limit);
    }

    fn ring(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// What a request is to a writer that waits for more.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Weight {
    /// It goes with what comes.
    Nothing,
    /// A few of its kind are worth a commit.
    OneOfMany,
    /// It is waited for.
    Enough,
}

impl Request {
    /// What it is to a writer that waits for more.
    pub(in crate::store) fn weight(&self) -> Weight {
        match self {
            Self::Grouped(Grouped::Outcome { .. }) => Weight::Nothing,
            Self::Grouped(Grouped::Intent { is_ahead: true, .. }) => Weight::OneOfMany,
            Self::Grouped(_) | Self::Leave(_) | Self::Alone(_) => Weight::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(30);

    fn bell() -> Bell {
        let bell = Bell::default();
        bell.wakes_this_thread();
        bell
    }

    /// Whether it has rung since the last wait.
    fn has_rung(bell: &Bell, limit: Duration) -> bool {
        let begun = Instant::now();
        bell.wait(limit);
        begun.elapsed() < limit
    }

    #[test]
    fn it_rings_once_for_the_last_of_a_group() {
        let bell = bell();
        bell.rings_for(3);
        bell.sent(Weight::OneOfMany);
        bell.sent(Weight::Nothing);
        bell.sent(Weight::OneOfMany);
        assert!(!has_rung(&bell, SHORT));
        bell.sent(Weight::OneOfMany);
        assert!(has_rung(&bell, LONG));
        bell.sent(Weight::OneOfMany);
        assert!(!has_rung(&bell, SHORT));
    }

    #[test]
    fn it_rings_for_whoever_waits() {
        let bell = bell();
        bell.rings_for(3);
        bell.sent(Weight::Enough);
        assert!(has_rung(&bell, LONG));
        assert!(!bell.was_waited_for());
        bell.waited_for();
        assert!(has_rung(&bell, LONG));
        assert!(bell.was_waited_for());
    }
}
