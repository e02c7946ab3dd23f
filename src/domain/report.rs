//! What a report from the world says became of one message that had left.

use serde::Serialize;

use crate::domain::delivery::DeliveryId;

/// An enhanced status code (RFC 3463), such as 5.1.1.
pub type EnhancedCode = (u8, u16, u16);

/// What a report says, from the mildest to the gravest: of several recipients
/// behind one address, the mildest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The message arrived, or went on to where nobody reports.
    Accepted,
    /// It still waits somewhere.
    Delayed,
    /// It was refused for what it is or who sent it: that says nothing of the
    /// address.
    Blocked,
    /// It was given up, and the next may arrive: a full mailbox, a server away.
    SoftBounce,
    /// The address does not exist or takes no mail.
    HardBounce,
    /// Its reader reported it as unwanted.
    Complaint,
}

impl ReportKind {
    /// Every kind, in order.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Delayed,
        Self::Blocked,
        Self::SoftBounce,
        Self::HardBounce,
        Self::Complaint,
    ];

    /// The words for tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delayed => "delayed",
            Self::Blocked => "blocked",
            Self::SoftBounce => "soft bounce",
            Self::HardBounce => "hard bounce",
            Self::Complaint => "complaint",
        }
    }
}

/// A report about one delivery, proven by a token of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// About which delivery.
    pub delivery: DeliveryId,
    /// What it says.
    pub finding: Finding,
}

/// What a report says, and in which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What became of the message.
    pub kind: ReportKind,
    /// The code that says so, if one does.
    pub code: Option<EnhancedCode>,
    /// The words of the server that knows, on one clean line.
    pub reason: String,
}

/// What a delivery status means (RFC 3464): `action` is what was done, `code`
/// what for.
#[must_use]
pub fn kind_of(action: Action, code: Option<EnhancedCode>) -> ReportKind {
    match (action, code) {
        (Action::Passed, _) => ReportKind::Accepted,
        (Action::Delayed, _) => ReportKind::Delayed,
        // The sender's address, and all that is policy, is not the reader's.
        (Action::Failed, Some((_, 7, _) | (5, 1, 7 | 8))) => ReportKind::Blocked,
        (Action::Failed, Some((5, 1, _) | (5, 2, 1))) => ReportKind::HardBounce,
        // Also when the code is of class 4: somebody gave it up after days.
        (Action::Failed, _) => ReportKind::SoftBounce,
    }
}

/// What was done with a message (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Delivered, relayed to where nobody reports, or expanded.
    Passed,
    /// Still being tried.
    Delayed,
    /// Given up.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_rule_eighteen_says() {
        use ReportKind::{Accepted, Blocked, Delayed, HardBounce, SoftBounce};
        for (action, code, kind) in [
            (Action::Failed, Some((5, 1, 1)), HardBounce),
            (Action::Failed, Some((5, 1, 2)), HardBounce),
            (Action::Failed, Some((5, 1, 10)), HardBounce),
            (Action::Failed, Some((5, 2, 1)), HardBounce),
            (Action::Failed, Some((5, 1, 7)), Blocked),
            (Action::Failed, Some((5, 1, 8)), Blocked),
            (Action::Failed, Some((5, 7, 1)), Blocked),
            (Action::Failed, Some((5, 7, 26)), Blocked),
            (Action::Failed, Some((4, 7, 0)), Blocked),
            (Action::Failed, Some((5, 2, 2)), SoftBounce),
            (Action::Failed, Some((5, 0, 0)), SoftBounce),
            (Action::Failed, Some((4, 4, 7)), SoftBounce),
            (Action::Failed, None, SoftBounce),
            (Action::Delayed, Some((4, 2, 2)), Delayed),
            (Action::Delayed, Some((5, 1, 1)), Delayed),
            (Action::Passed, Some((2, 0, 0)), Accepted),
        ] {
            assert_eq!(kind_of(action, code), kind, "{action:?} {code:?}");
        }
    }

    #[test]
    fn the_mildest_comes_first() {
        assert!(ReportKind::ALL.is_sorted());
        assert!(ReportKind::SoftBounce < ReportKind::HardBounce);
    }
}
