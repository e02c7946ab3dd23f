//! What something was made of, in sixteen bytes: while they are the same,
//! making it again would give the same result.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

/// A hash of facts, good within one build of the program: the next one may
/// make other things of the same facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; Self::LENGTH]);

impl Fingerprint {
    /// Bytes in a fingerprint: half of SHA-256, which nobody can make collide.
    pub const LENGTH: usize = 16;

    /// The fingerprint of everything that `facts` hash.
    #[must_use]
    pub fn of(facts: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = Facts(Sha256::new());
        facts.hash(&mut hasher);
        let hash: [u8; 32] = hasher.0.finalize().into();
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(&hash[..Self::LENGTH]);
        Self(bytes)
    }

    /// The bytes, to be kept.
    #[must_use]
    pub fn bytes(self) -> [u8; Self::LENGTH] {
        self.0
    }

    /// A fingerprint that was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

/// Feeds facts to SHA-256.
struct Facts(Sha256);

impl Hasher for Facts {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash: [u8; 32] = self.0.clone().finalize().into();
        hash[..8]
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_that_differ_have_other_fingerprints() {
        let facts = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", "")];
        let all: std::collections::BTreeSet<_> = facts.iter().map(Fingerprint::of).collect();
        assert_eq!(all.len(), facts.len());
        assert_eq!(Fingerprint::of("a"), Fingerprint::of("a"));
        let kept = Fingerprint::from_bytes(Fingerprint::of("a").bytes());
        assert_eq!(kept, Fingerprint::of("a"));
    }
}
