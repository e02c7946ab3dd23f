//! Nobody lost, nobody mailed twice: intents, outcomes, crashes, time.

use std::sync::mpsc;

use super::*;
use crate::{
    domain::delivery::{Outcome, Phase},
    store::{IssueChange, Recorded, writer::Request},
};

fn deferred(minutes: i64) -> Outcome {
    Outcome::Deferred {
        reply: Reply::new(451, "4.7.1 greylisted"),
        retry_at: later(minutes),
    }
}

#[tokio::test]
async fn a_delivery_goes_from_queued_to_sent_with_one_attempt() {
    let (world, issue) = frozen_world(2).await;
    let delivery = world.first_due().await;
    let attempt = world.granted(delivery).await;
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    let recorded = world
        .store
        .outcome(attempt, Outcome::Sent(ok()), later(1))
        .await
        .unwrap();
    assert_eq!(recorded, Recorded::Applied);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    let story = world
        .store
        .why(&address("reader0@example.org"), Some(issue))
        .await
        .unwrap();
    let told = &story.deliveries[0];
    assert_eq!((told.state, told.attempts.len()), (State::Sent, 1));
    assert_eq!(told.attempts[0].outcome, Some("sent"));
    assert_eq!(told.attempts[0].code, Some(250));
    assert_eq!(
        told.attempts[0].reply.as_deref(),
        Some("2.0.0 queued as 4711")
    );
    world.adds_up().await;
}

#[tokio::test]
async fn a_thousand_intents_that_wait_share_one_commit() {
    let (world, issue) = frozen_world(1_000).await;
    let due = world.due(now()).await;
    let (release, held) = mpsc::channel::<()>();
    let (tell, before) = mpsc::channel();
    world.store.send(Request::Alone(Box::new(move |session| {
        tell.send(session.groups).unwrap();
        held.recv().unwrap();
    })));
    let receipts: Vec<_> = due
        .iter()
        .map(|delivery| world.store.intent(delivery.id, now()))
        .collect();
    release.send(()).unwrap();
    let mut attempts = HashSet::new();
    for receipt in receipts {
        match receipt.await.unwrap() {
            Intent::Granted(attempt) => assert!(attempts.insert(attempt)),
            Intent::Refused => panic!("refused"),
        }
    }
    let before = before.recv().unwrap();
    let after = world
        .store
        .session(|session| Ok(session.groups))
        .await
        .unwrap();
    assert_eq!(after - before, 1);
    assert_eq!(attempts.len(), 1_000);
    assert_eq!(world.count(issue, State::Inflight).await, 1_000);
    world.adds_up().await;
}

#[tokio::test]
async fn an_intent_is_granted_once() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.first_due().await;
    world.granted(delivery).await;
    let again = world.store.intent(delivery, now()).await.unwrap();
    assert_eq!(again, Intent::Refused);
    assert_eq!(
        world.store.intent(4711, now()).await.unwrap(),
        Intent::Refused
    );
}

#[tokio::test]
async fn whoever_leaves_between_queue_and_intent_gets_nothing() {
    let (world, issue) = frozen_world(4).await;
    let due = world.due(now()).await;
    let site = Store::open(&world.settings, now()).await.unwrap();
    site.unsubscribe(&due[0].address, "link", now())
        .await
        .unwrap();
    site.suppress(
        &due[1].address,
        crate::store::SuppressionReason::Complaint,
        "test",
        now(),
    )
    .await
    .unwrap();
    let left = NewSubscriber {
        address: due[2].address.clone(),
        name: None,
        status: Status::Unsubscribed,
        choice: Default::default(),
    };
    site.add(vec![left], "import", now(), false).await.unwrap();
    for delivery in &due[..3] {
        let intent = world.store.intent(delivery.id, now()).await.unwrap();
        assert_eq!(intent, Intent::Refused, "{}", delivery.id);
    }
    world.granted(due[3].id).await;
    assert_eq!(world.count(issue, State::Cancelled).await, 3);
    world.adds_up().await;
}

#[tokio::test]
async fn a_paused_cancelled_or_late_issue_grants_nothing() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    let late = now() + TimeDelta::hours(72);
    let refused = world.store.intent(due[0].id, late).await.unwrap();
    assert_eq!(refused, Intent::Refused);
    let change = |change| world.store.change_issue(issue, change, now());
    change(IssueChange::Pause("by hand".to_owned()))
        .await
        .unwrap();
    assert_eq!(
        world.store.intent(due[0].id, now()).await.unwrap(),
        Intent::Refused
    );
    assert!(world.due(now()).await.is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), None);
    change(IssueChange::Resume).await.unwrap();
    world.granted(due[0].id).await;
    change(IssueChange::Cancel).await.unwrap();
    assert_eq!(
        world.store.intent(due[1].id, now()).await.unwrap(),
        Intent::Refused
    );
    assert_eq!(world.count(issue, State::Cancelled).await, 2);
    assert_eq!(world.count(issue, State::Inflight).await, 1);
}

#[tokio::test]
async fn a_deferred_delivery_comes_back_at_its_time_and_counts() {
    let (world, _) = frozen_world(2).await;
    let delivery = world.first_due().await;
    let attempt = world.granted(delivery).await;
    world
        .store
        .outcome(attempt, deferred(5), now())
        .await
        .unwrap();
    let due: Vec<_> = world.due(later(4)).await;
    assert!(due.iter().all(|due| due.id != delivery));
    let due = world.due(later(5)).await;
    let again = due.iter().find(|due| due.id == delivery).unwrap();
    assert_eq!(again.attempts, 1);
    // The one that waits since the freeze goes first.
    assert_ne!(due[0].id, delivery);
    world.granted(due[0].id).await;
    assert_eq!(world.store.next_due().await.unwrap(), Some(later(5)));
}

#[tokio::test]
async fn trouble_of_the_relay_costs_no_attempt() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.first_due().await;
    let attempt = world.granted(delivery).await;
    let requeued = Outcome::Requeued {
        reason: "connection reset before DATA".to_owned(),
    };
    world.store.outcome(attempt, requeued, now()).await.unwrap();
    let due = world.due(now()).await;
    assert_eq!((due[0].id, due[0].attempts), (delivery, 0));
}

#[tokio::test]
async fn a_hard_bounce_never_gets_another_issue() {
    let (world, first) = frozen_world(2).await;
    let due = world.due(now()).await;
    for (delivery, is_hard) in due.iter().zip([true, false]) {
        let attempt = world.granted(delivery.id).await;
        let rejected = Outcome::Rejected {
            phase: Phase::Rcpt,
            reply: Reply::new(550, "5.1.1 no such person"),
            is_hard,
        };
        world.store.outcome(attempt, rejected, now()).await.unwrap();
    }
    assert_eq!(world.count(first, State::Rejected).await, 2);
    assert_eq!(status(&world, &due[0].address).await, Status::Bounced);
    assert_eq!(status(&world, &due[1].address).await, Status::Active);
    let next = world.freeze(&issue(2, "2026-12-04T07:00")).await;
    assert_eq!((next.queued, next.exclusions["bounced"]), (1, 1));
    world.adds_up().await;
}

async fn status(world: &World, address: &EmailAddress) -> Status {
    let found = world.store.subscriber(address).await.unwrap();
    found.unwrap().status
}

#[tokio::test]
async fn what_cannot_be_built_fails_alone() {
    let (world, issue) = frozen_world(2).await;
    let attempt = world.granted(world.first_due().await).await;
    let failed = Outcome::Failed {
        reason: "the name is too long".to_owned(),
    };
    world.store.outcome(attempt, failed, now()).await.unwrap();
    assert_eq!(world.count(issue, State::Failed).await, 1);
    assert_eq!(world.due(now()).await.len(), 1);
}

#[tokio::test]
async fn a_crash_leaves_only_listed_uncertain_deliveries() {
    let (world, issue) = frozen_world(5).await;
    let due = world.due(now()).await;
    let sent = world.granted(due[0].id).await;
    drop(world.store.outcome(sent, Outcome::Sent(ok()), now()));
    world.granted(due[1].id).await;
    let lost = world.granted(due[2].id).await;
    // The process dies here: the outcomes of two attempts are never told.
    drop(world.store);

    let store = Store::open(&world.settings, later(10)).await.unwrap();
    let world = World { store, ..world };
    let recovered = world.store.recover(later(10)).await.unwrap();
    assert_eq!(recovered.uncertain, 2);
    assert_eq!(recovered.crashed, Some(now()));
    assert_eq!(world.store.recover(later(11)).await.unwrap().uncertain, 0);
    let counts = world.counts(issue).await;
    assert_eq!(counts[&State::Sent], 1);
    assert_eq!(counts[&State::Uncertain], 2);
    assert_eq!(counts[&State::Queued], 2);
    let listed = world.store.uncertain().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[1].id, listed[1].attempt), (due[2].id, lost));
    assert_eq!(listed[1].reason, "crash");
    assert_eq!((listed[1].started, listed[1].since), (now(), later(10)));
    // Nobody but the two that are queued is taken up again.
    assert_eq!(world.due(later(10)).await.len(), 2);
    world.adds_up().await;
}

#[tokio::test]
async fn a_late_confirmation_settles_an_uncertain_delivery() {
    let (world, issue) = frozen_world(1).await;
    let attempt = world.granted(world.first_due().await).await;
    let silent = Outcome::Uncertain {
        reason: "no reply after end of message".to_owned(),
    };
    world.store.outcome(attempt, silent, now()).await.unwrap();
    assert_eq!(world.count(issue, State::Uncertain).await, 1);
    let late = world
        .store
        .outcome(attempt, Outcome::Sent(ok()), later(1))
        .await
        .unwrap();
    assert_eq!(late, Recorded::Confirmed);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    // A truth that is told twice stays the same.
    let again = world
        .store
        .outcome(attempt, deferred(5), later(2))
        .await
        .unwrap();
    assert_eq!(again, Recorded::Noted);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    world.adds_up().await;
}

#[tokio::test]
async fn no_duplicate_is_silent() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.first_due().await;
    let first = world.granted(delivery).await;
    world.store.recover(now()).await.unwrap();
    world.store.resend(vec![delivery], now()).await.unwrap();
    let second = world.granted(delivery).await;
    let late = world
        .store
        .outcome(first, Outcome::Sent(ok()), now())
        .await
        .unwrap();
    assert_eq!(late, Recorded::Duplicate);
    let sent = world
        .store
        .outcome(second, Outcome::Sent(ok()), now())
        .await
        .unwrap();
    assert_eq!(sent, Recorded::Applied);
    assert_eq!(world.store.duplicates().await.unwrap(), [delivery]);
    world.adds_up().await;
}

#[tokio::test]
async fn a_late_confirmation_stops_a_resend_that_has_not_begun() {
    let (world, issue) = frozen_world(1).await;
    let delivery = world.first_due().await;
    let attempt = world.granted(delivery).await;
    world.store.recover(now()).await.unwrap();
    world.store.resend(vec![delivery], now()).await.unwrap();
    world
        .store
        .outcome(attempt, Outcome::Sent(ok()), now())
        .await
        .unwrap();
    assert_eq!(world.count(issue, State::Sent).await, 1);
    let intent = world.store.intent(delivery, now()).await.unwrap();
    assert_eq!(intent, Intent::Refused);
    assert!(world.store.duplicates().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_leaves_while_a_message_is_under_way_is_not_queued_again() {
    let (world, issue) = frozen_world(2).await;
    let due = world.due(now()).await;
    let left = world.granted(due[0].id).await;
    let called_off = world.granted(due[1].id).await;
    world
        .store
        .unsubscribe(&due[0].address, "link", now())
        .await
        .unwrap();
    world.store.outcome(left, deferred(5), now()).await.unwrap();
    world
        .store
        .change_issue(issue, IssueChange::Cancel, now())
        .await
        .unwrap();
    world
        .store
        .outcome(called_off, deferred(5), now())
        .await
        .unwrap();
    assert_eq!(world.count(issue, State::Cancelled).await, 2);
    world.adds_up().await;
}

#[tokio::test]
async fn what_an_intent_would_refuse_is_not_due() {
    let (world, issue) = frozen_world(4).await;
    let in_time = now() + TimeDelta::hours(72) - TimeDelta::seconds(1);
    assert_eq!(world.due(in_time).await.len(), 4);
    world
        .meddle(
            "UPDATE subscribers SET status = 2 WHERE id = 1;
             INSERT INTO suppressions
             SELECT address_hash, 'request', 0 FROM subscribers WHERE id = 2",
        )
        .await
        .unwrap();
    assert_eq!(world.due(in_time).await.len(), 2);
    let late = now() + TimeDelta::hours(72);
    assert!(world.due(late).await.is_empty());
    assert_eq!(
        world
            .store
            .count_due(Scope::Everything, late)
            .await
            .unwrap(),
        0
    );
    // Nobody is lost: the next run's expiry finds them.
    assert_eq!(world.count(issue, State::Queued).await, 4);
}

#[tokio::test]
async fn a_refusal_that_was_meant_for_us_is_taken_back_for_those_who_stayed() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    for delivery in &due {
        let rejected = Outcome::Rejected {
            phase: Phase::Rcpt,
            reply: Reply::new(554, "5.7.1 relay access denied"),
            is_hard: false,
        };
        let attempt = world.granted(delivery.id).await;
        world.store.outcome(attempt, rejected, now()).await.unwrap();
    }
    world
        .store
        .unsubscribe(&due[0].address, "link", now())
        .await
        .unwrap();
    let ids = due.iter().map(|delivery| delivery.id).collect();
    world.store.withdraw_rejections(ids, now()).await.unwrap();
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    let again = world.due(now()).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|delivery| delivery.attempts == 0));
    world.adds_up().await;
}

#[tokio::test]
async fn due_leaves_out_what_is_in_hand_and_keeps_the_order() {
    let (world, _) = frozen_world(10).await;
    let first = world
        .store
        .due(Scope::Everything, 4, now(), HashSet::new())
        .await
        .unwrap();
    let in_hand: HashSet<DeliveryId> = first.iter().map(|due| due.id).collect();
    let next = world
        .store
        .due(Scope::Everything, 4, now(), in_hand.clone())
        .await
        .unwrap();
    assert_eq!(next.len(), 4);
    assert!(next.iter().all(|due| !in_hand.contains(&due.id)));
    assert!(first.iter().chain(&next).is_sorted_by_key(|due| due.id));
}

#[tokio::test]
async fn a_clock_that_went_back_holds_nobody_up() {
    let (world, _) = frozen_world(2).await;
    let delivery = world.first_due().await;
    let attempt = world.granted(delivery).await;
    world
        .store
        .outcome(attempt, deferred(60 * 24 * 30), now())
        .await
        .unwrap();
    assert_eq!(world.due(now()).await.len(), 2);
}

#[tokio::test]
async fn who_waits_for_longer_than_any_retry_is_due_when_the_clock_went_back() {
    let (world, _) = frozen_world(1).await;
    let attempt = world.granted(world.first_due().await).await;
    let told = world.store.outcome(attempt, deferred(5 * 60), later(1));
    assert_eq!(told.await.unwrap(), Recorded::Applied);
    assert!(world.due(later(2)).await.is_empty(), "an ordinary wait");
    let yesterday = now() - TimeDelta::days(1);
    assert_eq!(world.due(yesterday).await.len(), 1);
    world.adds_up().await;
}

#[tokio::test]
async fn a_resumed_issue_goes_on_where_it_was_and_keeps_the_time_of_the_deferred() {
    let (world, issue) = frozen_world(3).await;
    let attempt = world.granted(world.first_due().await).await;
    let told = world.store.outcome(attempt, deferred(30), later(1));
    assert_eq!(told.await.unwrap(), Recorded::Applied);
    let pause = IssueChange::Pause("a wrong sender".to_owned());
    for (change, due) in [(pause, 0), (IssueChange::Resume, 2)] {
        world
            .store
            .change_issue(issue, change, later(2))
            .await
            .unwrap();
        assert_eq!(world.due(later(3)).await.len(), due);
    }
    assert_eq!(world.due(later(31)).await.len(), 3);
    world.adds_up().await;
}
