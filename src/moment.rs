//! Time that goes on while the process is stopped and while the machine sleeps.
//! `Instant` stands still during a suspend, and then a session looks young
//! whose relay has long forgotten it.

use std::{ops::Add, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The clock that counts a suspend, where there is one.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment by `CLOCK_BOOTTIME` or, elsewhere than on Linux, `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        // Never negative: it counts from the start of the machine.
        Self(Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default())
    }

    /// How long ago it was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// How long it still takes; nothing once it is past.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_sub(Self::now().0)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_past(self) -> bool {
        Self::now() > self
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}
