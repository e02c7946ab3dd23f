//! "Everybody gets the same answer": a relay that will not relay, or content
//! that nobody takes, must not be recorded as a list full of bad addresses.

use std::collections::{HashMap, HashSet};

use crate::domain::delivery::{DeliveryId, IssueId, Phase, Reply};

/// Only the beginning of an issue is watched.
const FIRST: usize = 20;
/// So many equal refusals among the first mean that it is not the people.
const ENOUGH: usize = 10;
/// Or at least this part of all answers blames the sender: one in so many. A
/// large provider is one domain, and the others may take everything.
const ONE_IN: usize = 20;
/// Over at least so many domains.
const DOMAINS: usize = 3;

/// What the first unclear refusals of each issue look like.
#[derive(Default)]
pub(super) struct Refusals {
    issues: HashMap<IssueId, Watched>,
}

#[derive(Default)]
struct Watched {
    attempts: usize,
    any_success: bool,
    same: HashMap<String, Group>,
    /// What everybody was told, once that is found. Other sessions may be in
    /// the middle of hearing it, too.
    universal: Option<String>,
    /// Who was refused because of the sender.
    of_sender: Vec<DeliveryId>,
    is_sender: bool,
}

#[derive(Default)]
struct Group {
    deliveries: Vec<DeliveryId>,
    domains: HashSet<String>,
}

/// The relay refuses everybody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Universal {
    /// Those who were refused so far: they go back to the queue.
    pub(super) deliveries: Vec<DeliveryId>,
    /// At RCPT it is the relay, at the dot it is the content.
    pub(super) phase: Phase,
    /// What everybody was told.
    pub(super) reply: Reply,
}

impl Refusals {
    /// Somebody's message was accepted: the relay does take this issue.
    pub(super) fn success(&mut self, issue: IssueId) {
        let watched = self.issues.entry(issue).or_default();
        watched.attempts += 1;
        watched.any_success = true;
        watched.same.clear();
    }

    /// A refusal that blames the sender, so that success with other receivers
    /// says nothing against it. Answers when it is one too many.
    pub(super) fn of_sender(
        &mut self,
        issue: IssueId,
        delivery: DeliveryId,
        phase: Phase,
        reply: &Reply,
    ) -> Option<Universal> {
        let watched = self.issues.entry(issue).or_default();
        watched.attempts += 1;
        watched.of_sender.push(delivery);
        let count = watched.of_sender.len();
        watched.is_sender |= count >= ENOUGH && count * ONE_IN >= watched.attempts;
        watched.is_sender.then(|| Universal {
            deliveries: std::mem::take(&mut watched.of_sender),
            phase,
            reply: reply.clone(),
        })
    }

    /// An unclear refusal. Answers when it is one too many.
    pub(super) fn unclear(
        &mut self,
        issue: IssueId,
        delivery: DeliveryId,
        domain: &str,
        phase: Phase,
        reply: &Reply,
    ) -> Option<Universal> {
        let watched = self.issues.entry(issue).or_default();
        let told = || likeness(phase, reply);
        if watched.universal.as_ref().is_some_and(|all| *all == told()) {
            return Some(Universal {
                deliveries: vec![delivery],
                phase,
                reply: reply.clone(),
            });
        }
        watched.attempts += 1;
        if watched.any_success || watched.attempts > FIRST {
            return None;
        }
        let group = watched.same.entry(told()).or_default();
        group.deliveries.push(delivery);
        group.domains.insert(domain.to_owned());
        if group.deliveries.len() < ENOUGH || group.domains.len() < DOMAINS {
            return None;
        }
        watched.universal = Some(told());
        Some(Universal {
            deliveries: std::mem::take(&mut group.deliveries),
            phase,
            reply: reply.clone(),
        })
    }
}

/// Replies are alike when they differ only in the address and the queue id:
/// code, enhanced code, and the words without digits, `@` or `<`.
fn likeness(phase: Phase, reply: &Reply) -> String {
    let words = reply
        .text
        .split(' ')
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit() || "@<:".contains(c)))
        .collect::<Vec<_>>()
        .join(" ");
    format!("{phase} {} {:?} {words}", reply.code, reply.enhanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(refusals: &mut Refusals, count: i64) -> Option<Universal> {
        let mut found = None;
        for id in 0..count {
            let reply = Reply::new(
                554,
                &format!("5.7.1 <r{id}@example.org>: relay access denied"),
            );
            let domain = format!("d{}.example.org", id % 4);
            found = refusals.unclear(1, id, &domain, Phase::Rcpt, &reply);
            if found.is_some() {
                break;
            }
        }
        found
    }

    #[test]
    fn ten_equal_refusals_over_three_domains_are_not_the_people() {
        let found = refuse(&mut Refusals::default(), 20).unwrap();
        assert_eq!(found.deliveries, (0..10).collect::<Vec<_>>());
        assert_eq!(found.phase, Phase::Rcpt);
    }

    #[test]
    fn who_hears_it_a_moment_later_goes_back_to_the_queue_as_well() {
        let mut refusals = Refusals::default();
        refuse(&mut refusals, 20).unwrap();
        let reply = Reply::new(554, "5.7.1 <late@example.org>: relay access denied");
        let late = refusals.unclear(1, 99, "example.org", Phase::Rcpt, &reply);
        assert_eq!(late.unwrap().deliveries, [99]);
        let other = Reply::new(550, "5.7.1 blocked");
        let own = refusals.unclear(1, 100, "example.org", Phase::Rcpt, &other);
        assert_eq!(own, None);
    }

    #[test]
    fn a_provider_that_blames_the_sender_is_heard_although_others_take_everything() {
        let reply = Reply::new(550, "5.7.26 the sender is unauthenticated");
        let blame = |refusals: &mut Refusals, count: i64| {
            (0..count).find_map(|id| refusals.of_sender(1, id, Phase::Dot, &reply))
        };
        let mut refusals = Refusals::default();
        (0..150).for_each(|_| refusals.success(1));
        let found = blame(&mut refusals, 20).unwrap();
        assert_eq!(found.deliveries, (0..10).collect::<Vec<_>>());
        let late = refusals.of_sender(1, 99, Phase::Dot, &reply);
        assert_eq!(late.unwrap().deliveries, [99]);

        let mut refusals = Refusals::default();
        (0..1000).for_each(|_| refusals.success(1));
        assert_eq!(
            blame(&mut refusals, 20),
            None,
            "a few odd servers are no proof"
        );
    }

    #[test]
    fn one_success_clears_the_relay() {
        let mut refusals = Refusals::default();
        assert_eq!(refuse(&mut refusals, 9), None);
        refusals.success(1);
        assert_eq!(refuse(&mut refusals, 20), None);
    }

    #[test]
    fn one_domain_alone_may_refuse_all_its_people() {
        let mut refusals = Refusals::default();
        for id in 0..20 {
            let reply = Reply::new(554, "5.7.1 denied");
            let found = refusals.unclear(1, id, "example.org", Phase::Rcpt, &reply);
            assert_eq!(found, None);
        }
    }
}
