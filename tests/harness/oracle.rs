//! The reconciliation oracle: holds the ledger against what servers received
//! and lists every promise that was broken. An empty list is the only pass.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use crate::harness::process::Finished;
use crate::harness::receipt::{Fate, Receipt};

/// One delivery as the ledger tells it.
#[derive(Clone, Debug)]
pub(crate) struct LedgerRow {
    /// Names the delivery in a violation.
    pub(crate) delivery_id: i64,
    /// The issue it belongs to.
    pub(crate) issue_id: i64,
    /// The address it is for.
    pub(crate) recipient: String,
    /// Without angle brackets.
    pub(crate) message_id: String,
    /// A state of the glossary: `queued`, `sent`, `uncertain` …
    pub(crate) state: &'static str,
    /// The ledger itself says that this reader may have two copies.
    pub(crate) duplicate: bool,
}

/// What `on_uncertain` allowed in the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// `hold` or `assume-sent`: nobody may be handed two copies.
    Once,
    /// `resend`: a second copy is allowed where the ledger flags it.
    Resend,
}

/// Everything servers received, by message; grows while a scenario goes on.
#[derive(Debug, Default)]
pub(crate) struct Evidence(HashMap<String, Copies>);

/// What servers did with the copies of one message.
#[derive(Debug, Default)]
struct Copies {
    accepted: usize,
    unanswered: usize,
    refused: usize,
    /// Every address it was handed over for.
    recipients: BTreeSet<String>,
    /// Every form it had: length and hash.
    forms: BTreeSet<(usize, String)>,
}

impl Evidence {
    /// The evidence of these receipts.
    pub(crate) fn of(receipts: &[Receipt]) -> Self {
        let mut evidence = Self::default();
        evidence.add(receipts);
        evidence
    }

    /// Takes more receipts in.
    pub(crate) fn add(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            let copies = self.0.entry(receipt.message_id.clone()).or_default();
            match receipt.fate {
                Fate::Accepted => copies.accepted += 1,
                Fate::Unanswered => copies.unanswered += 1,
                Fate::Refused => copies.refused += 1,
            }
            copies.recipients.insert(receipt.recipient.clone());
            copies.forms.insert((receipt.bytes, receipt.sha256.clone()));
        }
    }

    /// How many messages were handed over more than once: their copies could be
    /// compared.
    pub(crate) fn compared(&self) -> usize {
        let all = self.0.values();
        all.filter(|copies| copies.accepted + copies.unanswered + copies.refused > 1)
            .count()
    }

    /// How often this message was accepted.
    pub(crate) fn accepted(&self, message_id: &str) -> usize {
        self.0.get(message_id).map_or(0, |copies| copies.accepted)
    }
}

/// Every broken promise, one line each; empty when ledger and servers agree.
pub(crate) fn violations(rows: &[LedgerRow], receipts: &[Receipt], policy: Policy) -> Vec<String> {
    broken(rows, &Evidence::of(receipts), policy)
}

/// As [`violations`], for evidence that was gathered bit by bit.
pub(crate) fn broken(rows: &[LedgerRow], evidence: &Evidence, policy: Policy) -> Vec<String> {
    let mut found = repeated_keys(rows);
    let none = Copies::default();
    let mut explained = 0;
    for row in rows {
        let copies = evidence.0.get(&row.message_id);
        explained += usize::from(copies.is_some());
        found.extend(row_violations(row, copies.unwrap_or(&none), policy));
    }
    if explained < evidence.0.len() {
        let known: HashSet<&str> = rows.iter().map(|row| row.message_id.as_str()).collect();
        let mut strangers: Vec<String> = evidence
            .0
            .iter()
            .filter(|(id, _)| !known.contains(id.as_str()))
            .map(|(id, copies)| {
                let readers: Vec<&str> = copies.recipients.iter().map(String::as_str).collect();
                let readers = readers.join(", ");
                format!("a server received <{id}> for {readers}, which no delivery explains")
            })
            .collect();
        strangers.sort();
        found.extend(strangers);
    }
    found
}

/// The sum rule: `candidates = Σ states + Σ exclusions`.
pub(crate) fn sum_violation(
    rows: &[LedgerRow],
    candidates: usize,
    exclusions: usize,
) -> Option<String> {
    let deliveries = rows.len();
    (candidates != deliveries + exclusions).then(|| {
        format!("{candidates} candidates, but {deliveries} deliveries + {exclusions} exclusions")
    })
}

/// Fails with every violation and a count of states and fates.
#[track_caller]
pub(crate) fn assert_reconciled(rows: &[LedgerRow], receipts: &[Receipt], policy: Policy) {
    let found = violations(rows, receipts, policy);
    assert!(
        found.is_empty(),
        "{} violations:\n  {}\n{}",
        found.len(),
        found.join("\n  "),
        summary(rows, receipts)
    );
}

/// Asserts that `uncertain list`, run by `run`, names exactly the uncertain ones;
/// what it says of each.
#[track_caller]
pub(crate) fn every_uncertain_one_is_listed(
    rows: &[LedgerRow],
    run: impl FnOnce(&[&str]) -> Finished,
) -> Vec<Value> {
    let uncertain = rows.iter().filter(|row| row.state == "uncertain");
    let uncertain: BTreeSet<&str> = uncertain.map(|row| row.recipient.as_str()).collect();
    let list = run(&["--format", "json", "uncertain", "list", "--full"]);
    let entries = list.succeeds().json().as_array().unwrap().clone();
    let listed = entries.iter().map(|entry| entry["address"].as_str());
    let listed: BTreeSet<&str> = listed.map(Option::unwrap).collect();
    assert_eq!(listed, uncertain, "{list}");
    assert_eq!(entries.len(), uncertain.len(), "{list}");
    entries
}

/// Counts of states and fates in one line, for messages and reports.
pub(crate) fn summary(rows: &[LedgerRow], receipts: &[Receipt]) -> String {
    let count = |fate| receipts.iter().filter(|one| one.fate == fate).count();
    let states: BTreeSet<&str> = rows.iter().map(|row| row.state).collect();
    let states: Vec<String> = states
        .into_iter()
        .map(|state| {
            let number = rows.iter().filter(|row| row.state == state).count();
            format!("{number} {state}")
        })
        .collect();
    format!(
        "ledger: {}; servers: {} accepted, {} refused, {} unanswered",
        states.join(", "),
        count(Fate::Accepted),
        count(Fate::Refused),
        count(Fate::Unanswered)
    )
}

/// Two deliveries must not share a Message-ID, nor an issue and an address.
fn repeated_keys(rows: &[LedgerRow]) -> Vec<String> {
    let mut found = Vec::new();
    let mut messages = HashMap::new();
    let mut readers = HashMap::new();
    for row in rows {
        let id = row.delivery_id;
        if let Some(first) = messages.insert(&row.message_id, id) {
            let message_id = &row.message_id;
            found.push(format!("deliveries {first} and {id} share <{message_id}>"));
        }
        if let Some(first) = readers.insert((row.issue_id, row.recipient.to_lowercase()), id) {
            found.push(format!(
                "deliveries {first} and {id} are both issue {} for {}",
                row.issue_id, row.recipient
            ));
        }
    }
    found
}

fn row_violations(row: &LedgerRow, copies: &Copies, policy: Policy) -> Vec<String> {
    let Copies {
        accepted,
        unanswered,
        recipients,
        forms,
        ..
    } = copies;
    // A message read to its dot and never answered may have reached the reader.
    let possible = accepted + unanswered;
    let mut wrong = Vec::new();

    let flagged = policy == Policy::Resend && row.duplicate;
    match row.state {
        "sent" if *accepted == 0 => wrong.push("sent, but no server accepted it".to_owned()),
        "sent" | "uncertain" | "inflight" if possible > 1 && !flagged => {
            wrong.push(format!(
                "up to {possible} copies ({accepted} accepted, {unanswered} unanswered)"
            ));
        }
        "sent" | "uncertain" | "inflight" => {}
        "queued" | "claimed" | "rejected" | "failed" | "expired" | "cancelled" => {
            if possible > 0 && !flagged {
                wrong.push(format!(
                    "{accepted} accepted and {unanswered} unanswered copies, none allowed"
                ));
            }
        }
        _ => wrong.push("not a state of the ledger".to_owned()),
    }

    for recipient in recipients {
        if !recipient.eq_ignore_ascii_case(&row.recipient) {
            wrong.push(format!("its message went to {recipient}"));
        }
    }
    if forms.len() > 1 {
        wrong.push(format!("its copies differ: {forms:?}"));
    }
    wrong
        .iter()
        .map(|what| {
            let (id, reader, state) = (row.delivery_id, &row.recipient, row.state);
            format!("delivery {id} to {reader} ({state}): {what}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &'static str) -> LedgerRow {
        LedgerRow {
            delivery_id: 7,
            issue_id: 1,
            recipient: "anna@example.org".to_owned(),
            message_id: "m7@example.org".to_owned(),
            state,
            duplicate: false,
        }
    }

    fn copy(fate: Fate, body: &str) -> Receipt {
        let data = format!("Message-ID: <m7@example.org>\r\n\r\n{body}\r\n");
        Receipt::of(fate, "anna@example.org", data.as_bytes())
    }

    fn verdict(state: &'static str, copies: &[Receipt]) -> usize {
        violations(&[row(state)], copies, Policy::Once).len()
    }

    #[test]
    fn sent_means_accepted_exactly_once() {
        let accepted = || copy(Fate::Accepted, "a");
        assert_eq!(verdict("sent", &[accepted()]), 0);
        assert_eq!(verdict("sent", &[copy(Fate::Refused, "a"), accepted()]), 0);
        assert_eq!(verdict("sent", &[]), 1);
        assert_eq!(verdict("sent", &[copy(Fate::Refused, "a")]), 1);
        assert_eq!(verdict("sent", &[accepted(), accepted()]), 1);
        assert_eq!(
            verdict("sent", &[copy(Fate::Unanswered, "a"), accepted()]),
            1
        );
    }

    #[test]
    fn uncertain_means_at_most_one_copy() {
        assert_eq!(verdict("uncertain", &[]), 0);
        assert_eq!(verdict("uncertain", &[copy(Fate::Unanswered, "a")]), 0);
        assert_eq!(verdict("uncertain", &[copy(Fate::Accepted, "a")]), 0);
        let both = [copy(Fate::Unanswered, "a"), copy(Fate::Accepted, "a")];
        assert_eq!(verdict("uncertain", &both), 1);
    }

    #[test]
    fn every_other_state_means_no_copy_at_all() {
        for state in [
            "queued",
            "claimed",
            "rejected",
            "failed",
            "expired",
            "cancelled",
        ] {
            assert_eq!(verdict(state, &[copy(Fate::Refused, "a")]), 0, "{state}");
            assert_eq!(verdict(state, &[copy(Fate::Accepted, "a")]), 1, "{state}");
            assert_eq!(verdict(state, &[copy(Fate::Unanswered, "a")]), 1, "{state}");
        }
        assert_eq!(verdict("delivered", &[]), 1, "not a word of the ledger");
    }

    #[test]
    fn a_duplicate_passes_only_when_flagged_under_resend() {
        let twice = [copy(Fate::Accepted, "a"), copy(Fate::Accepted, "a")];
        let mut flagged = row("sent");
        assert_eq!(
            violations(&[flagged.clone()], &twice, Policy::Resend).len(),
            1
        );
        flagged.duplicate = true;
        assert_eq!(
            violations(&[flagged.clone()], &twice, Policy::Resend).len(),
            0
        );
        assert_eq!(violations(&[flagged], &twice, Policy::Once).len(), 1);
    }

    #[test]
    fn strangers_wrong_readers_and_changed_retries_are_found() {
        let changed = [copy(Fate::Refused, "a"), copy(Fate::Accepted, "b")];
        assert_eq!(
            verdict("sent", &changed),
            1,
            "a retry must be byte-identical"
        );

        let mut astray = copy(Fate::Accepted, "a");
        astray.recipient = "ben@example.org".to_owned();
        assert_eq!(
            verdict("sent", &[astray]),
            1,
            "one reader's message to another"
        );

        let stranger = [copy(Fate::Accepted, "a")];
        assert_eq!(violations(&[], &stranger, Policy::Once).len(), 1);
    }

    #[test]
    fn repeated_keys_and_a_wrong_sum_are_found() {
        let rows = [row("queued"), row("queued")];
        assert_eq!(violations(&rows, &[], Policy::Once).len(), 2);
        assert!(sum_violation(&rows, 3, 1).is_none());
        assert!(sum_violation(&rows, 3, 0).is_some());
    }
}
