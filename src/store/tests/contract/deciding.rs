//! What ends an issue or a doubt: expiry, cancellation, a person's word.

use super::*;
use crate::{
    domain::{
        delivery::Outcome,
        issue::{IssueState, Past},
    },
    store::{ChangeOutcome, IssueChange, IssueKey, Resent},
};

async fn state(world: &World, issue: IssueId) -> IssueState {
    let found = world.store.issue(IssueKey::Id(issue)).await.unwrap();
    found.unwrap().state
}

async fn settle_all(world: &World) {
    for delivery in world.due(now()).await {
        let attempt = world.granted(delivery.id).await;
        world
            .store
            .outcome(attempt, Outcome::Sent(ok()), now())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_issue_is_done_when_nothing_is_open() {
    let (world, issue) = frozen_world(3).await;
    assert!(world.store.finish_issues(now()).await.unwrap().is_empty());
    let uncertain = world.granted(world.first_due().await).await;
    settle_all(&world).await;
    assert!(world.store.finish_issues(now()).await.unwrap().is_empty());
    let silent = Outcome::Uncertain {
        reason: "timeout".to_owned(),
    };
    world.store.outcome(uncertain, silent, now()).await.unwrap();
    assert_eq!(world.store.finish_issues(now()).await.unwrap(), [issue]);
    assert_eq!(state(&world, issue).await, IssueState::Done);
    for change in [IssueChange::Cancel, IssueChange::Resume] {
        let outcome = world.store.change_issue(issue, change, now()).await;
        assert_eq!(outcome.unwrap(), ChangeOutcome::Refused(IssueState::Done));
    }
    let unknown = world
        .store
        .change_issue(99, IssueChange::Resume, now())
        .await;
    assert_eq!(unknown.unwrap(), ChangeOutcome::Unknown);
}

#[tokio::test]
async fn a_cancelled_issue_gives_its_articles_and_its_occasion_back() {
    let world = world().await;
    world.join(2).await;
    let mut first = issue(1, "manual-0011223344556677");
    first.passed_over = vec![article("old")];
    let id = world.freeze(&first).await.issue;
    let outcome = world
        .store
        .change_issue(id, IssueChange::Cancel, now())
        .await
        .unwrap();
    assert_eq!(
        outcome,
        ChangeOutcome::Changed {
            cancelled_deliveries: 2
        }
    );
    let history = world.store.history(&weekly()).await.unwrap();
    assert!(!history.articles.contains_key(&article("article-1")));
    // What the first issue left behind stays behind.
    assert_eq!(history.articles[&article("old")], Past::PassedOver);
    assert_eq!(history.last_number, 1);
    first.number = 2;
    first.passed_over.clear();
    world.freeze(&first).await;
    assert_eq!(world.due(now()).await.len(), 2);
    world.adds_up().await;
}

#[tokio::test]
async fn time_runs_out_for_what_was_tried() {
    let (world, issue) = frozen_world(3).await;
    for delivery in world.due(now()).await {
        let attempt = world.granted(delivery.id).await;
        let deferred = Outcome::Deferred {
            reply: Reply::new(450, "4.2.0 later"),
            retry_at: later(5),
        };
        world.store.outcome(attempt, deferred, now()).await.unwrap();
    }
    let before = world
        .store
        .expire(now() + TimeDelta::hours(71))
        .await
        .unwrap();
    assert_eq!(before.deliveries, 0);
    let expired = world
        .store
        .expire(now() + TimeDelta::hours(72))
        .await
        .unwrap();
    assert_eq!((expired.deliveries, expired.paused.len()), (3, 0));
    assert_eq!(world.count(issue, State::Expired).await, 3);
    assert_eq!(world.store.finish_issues(now()).await.unwrap(), [issue]);
    world.adds_up().await;
}

#[tokio::test]
async fn an_issue_that_was_hardly_tried_is_paused_instead_of_expired() {
    let (world, issue) = frozen_world(3).await;
    let late = now() + TimeDelta::days(30);
    let expired = world.store.expire(late).await.unwrap();
    assert_eq!((expired.deliveries, expired.paused), (0, vec![issue]));
    assert_eq!(state(&world, issue).await, IssueState::Paused);
    // It is said once; the next run leaves it to the person.
    let again = world.store.expire(late).await.unwrap();
    assert_eq!((again.deliveries, again.paused.len()), (0, 0));
    world
        .store
        .change_issue(issue, IssueChange::Resume, late)
        .await
        .unwrap();
    let resumed = world.store.issue(IssueKey::Id(issue)).await.unwrap();
    assert_eq!(resumed.unwrap().expire_at, late + TimeDelta::hours(72));
    assert_eq!(world.store.expire(late).await.unwrap().deliveries, 0);
    assert_eq!(world.due(late).await.len(), 3);
}

#[tokio::test]
async fn a_person_settles_uncertain_deliveries() {
    let (world, issue) = frozen_world(4).await;
    let due = world.due(now()).await;
    for delivery in &due {
        world.granted(delivery.id).await;
    }
    world.store.recover(now()).await.unwrap();
    assert_eq!(world.store.finish_issues(now()).await.unwrap(), [issue]);
    let marked = world.store.mark_sent(vec![due[0].id, 4711]).await.unwrap();
    assert_eq!(marked, 1);
    world
        .store
        .unsubscribe(&due[2].address, "link", now())
        .await
        .unwrap();
    let resent = world
        .store
        .resend(vec![due[0].id, due[1].id, due[2].id], later(20))
        .await
        .unwrap();
    assert_eq!(resent, Resent { queued: 1, left: 2 });
    // The issue is being sent again, and the first attempt stays on record.
    assert_eq!(state(&world, issue).await, IssueState::Sending);
    let again = world.due(later(20)).await;
    assert_eq!((again.len(), again[0].id), (1, due[1].id));
    world.granted(due[1].id).await;
    let story = world.store.why(&due[1].address, None).await.unwrap();
    let outcomes: Vec<_> = story.deliveries[0]
        .attempts
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(outcomes, [Some("uncertain"), None]);
    let listed = world.store.uncertain().await.unwrap();
    assert_eq!(listed.len(), 2);
    world.adds_up().await;
}

#[tokio::test]
async fn what_was_put_off_as_its_issue_was_called_off_is_called_off_with_it() {
    let (world, issue) = frozen_world(3).await;
    let cancelled = world.store.change_issue(issue, IssueChange::Cancel, now());
    cancelled.await.unwrap();
    world
        .meddle("UPDATE deliveries SET state = 0 WHERE id = 2")
        .await
        .unwrap();
    world.store.expire(later(1)).await.unwrap();
    assert_eq!(world.count(issue, State::Cancelled).await, 3);
    world.adds_up().await;
}

#[tokio::test]
async fn verify_finds_what_does_not_add_up() {
    let (world, _) = frozen_world(3).await;
    world
        .meddle("UPDATE tallies SET count = 7 WHERE state = 0; DELETE FROM deliveries WHERE id = 2")
        .await
        .unwrap();
    let findings = world.store.verify().await.unwrap();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("3 candidates, but 2 deliveries"));
    assert!(findings[1].contains("7 deliveries are noted as queued, 2 are"));
}

#[tokio::test]
async fn the_story_of_a_stranger_is_empty() {
    let (world, _) = frozen_world(1).await;
    let story = world
        .store
        .why(&address("stranger@example.org"), None)
        .await
        .unwrap();
    assert!(story.subscriber.is_none() && story.suppression.is_none());
    assert!(story.events.is_empty() && story.deliveries.is_empty());
}
