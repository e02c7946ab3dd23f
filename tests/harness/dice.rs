//! Chance that can be played again.

/// A small generator (splitmix64) that knows its seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The chance that belongs to this seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A new seed, printed so that a failure can be played again:
    /// `LETTERPRESS_TEST_SEED=… cargo test kill`.
    pub(crate) fn thrown() -> Self {
        let seed = std::env::var("LETTERPRESS_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("LETTERPRESS_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 to just below `limit`; 0 when that is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A waiting time around `mean`, most of them short and a few long
    /// (exponential): as likely to end at one moment as at any other.
    pub(crate) fn around(&mut self, mean: f64) -> f64 {
        let share = (self.below(1 << 32) as f64 + 1.0) / (1_u64 << 32) as f64;
        -share.ln() * mean
    }

    /// A seed for something that runs beside this.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// Puts a list in another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}
