//! What was asked and answered, counted since the start.

use std::{collections::BTreeMap, sync::Mutex};

/// Counters by what they count; each grows and never shrinks.
#[derive(Debug)]
pub(in crate::web) struct Tally<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord + Clone> Tally<K> {
    /// Counts one.
    pub(in crate::web) fn count(&self, key: K) {
        // A panic elsewhere harms no number in here.
        let mut counts = self.0.lock().unwrap_or_else(|held| held.into_inner());
        *counts.entry(key).or_default() += 1;
    }

    /// All that was counted, in order.
    pub(in crate::web) fn all(&self) -> Vec<(K, u64)> {
        let counts = self.0.lock().unwrap_or_else(|held| held.into_inner());
        counts
            .iter()
            .map(|(key, count)| (key.clone(), *count))
            .collect()
    }
}
