//! An issue is frozen whole, once, and settles what it says it settles.

use super::*;
use crate::{
    domain::issue::Past,
    store::{IssueKey, SlotFate, SuppressionReason},
};

fn slot(text: &str) -> crate::domain::schedule::Slot {
    text.parse().unwrap()
}

#[tokio::test]
async fn everyone_is_either_queued_or_excluded_with_a_reason() {
    let world = world().await;
    world.join(5).await;
    let readers = vec![
        reader("pending@example.org", Status::Pending),
        reader("gone@example.org", Status::Unsubscribed),
        reader("bounced1@example.org", Status::Bounced),
        reader("bounced2@example.org", Status::Bounced),
    ];
    world
        .store
        .add(readers, "test", now(), false)
        .await
        .unwrap();
    // Active and suppressed at once comes from an older ledger or another hand.
    world
        .store
        .suppress(
            &address("reader4@example.org"),
            SuppressionReason::Request,
            now(),
        )
        .await
        .unwrap();
    world
        .meddle("UPDATE subscribers SET status = 0 WHERE address = 'reader4@example.org'")
        .await
        .unwrap();

    let frozen = world.freeze(&issue(1, "2026-11-27T07:00")).await;
    assert_eq!((frozen.candidates, frozen.queued), (9, 4));
    let exclusions: Vec<(&str, u64)> = frozen
        .exclusions
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        exclusions,
        [
            ("bounced", 2),
            ("pending", 1),
            ("suppressed", 1),
            ("unsubscribed", 1)
        ]
    );
    let summary = world
        .store
        .issue(IssueKey::Id(frozen.issue))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(summary.exclusions, frozen.exclusions);
    assert_eq!(summary.counts[&State::Queued], 4);
    assert_eq!(summary.articles[0].title, "Five soups");
    let by_number = IssueKey::Number {
        digest: "weekly".to_owned(),
        number: 1,
    };
    assert_eq!(
        world.store.issue(by_number).await.unwrap().unwrap().id,
        frozen.issue
    );
    world.adds_up().await;
}

#[tokio::test]
async fn an_issue_keeps_the_edition_and_the_addresses_of_that_moment() {
    let (world, id) = frozen_world(2).await;
    world
        .meddle("UPDATE subscribers SET address = 'other@example.net', name = 'Other'")
        .await
        .unwrap();
    let due = world.due(now()).await;
    assert_eq!(due[0].address.expose(), "reader0@example.org");
    assert_eq!(due[0].name.as_deref(), Some("Thandi"));
    let edition = world.store.edition(id, 1).await.unwrap().unwrap();
    assert_eq!(edition.bytes, b"edition");
    assert_eq!((edition.number, edition.digest.as_str()), (1, "weekly"));
    assert_eq!(edition.subject, "Five soups and 2 more");
    assert_eq!(edition.sender.address.expose(), "news@magazine.example.org");
    assert_eq!(edition.expire_at, now() + TimeDelta::hours(72));
}

#[tokio::test]
async fn one_occasion_is_frozen_once_however_many_ask() {
    let world = world().await;
    world.join(10).await;
    let rival = Store::open(&world.settings, now()).await.unwrap();
    let asking: Vec<_> = (0..20)
        .map(|n| {
            let store = if n % 2 == 0 { &world.store } else { &rival };
            let store = store.clone();
            tokio::spawn(async move { store.freeze(issue(1, "2026-11-27T07:00"), now()).await })
        })
        .collect();
    let (mut frozen, mut already) = (0, 0);
    for asked in asking {
        match asked.await.unwrap().unwrap() {
            FreezeOutcome::Frozen(_) => frozen += 1,
            FreezeOutcome::AlreadyFrozen { number: 1, .. } => already += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((frozen, already), (1, 19));
    assert_eq!(world.due(now()).await.len(), 10);
    world.adds_up().await;
}

#[tokio::test]
async fn a_plan_that_the_ledger_overtook_is_refused() {
    let (world, _) = frozen_world(1).await;
    let mut same_article = issue(2, "2026-12-04T07:00");
    same_article.articles = issue(1, "2026-11-27T07:00").articles;
    for outdated in [
        issue(1, "2026-12-04T07:00"),
        issue(3, "2026-12-04T07:00"),
        issue(2, "2026-11-20T07:00"),
        same_article,
    ] {
        let outcome = world.store.freeze(outdated, now()).await.unwrap();
        assert!(
            matches!(outcome, FreezeOutcome::Outdated { .. }),
            "{outcome:?}"
        );
    }
    assert_eq!(world.store.issues(10).await.unwrap().len(), 1);
    world.freeze(&issue(2, "2026-12-04T07:00")).await;
    world.adds_up().await;
}

#[tokio::test]
async fn history_tells_what_was_carried_and_where_the_cursor_is() {
    let world = world().await;
    let empty = world.store.history(&weekly()).await.unwrap();
    assert_eq!((empty.last_number, empty.cursor), (0, None));
    let mut first = issue(1, "2026-11-27T07:00");
    first.passed_over = vec![article("old")];
    first.missed = vec![slot("2026-11-13T07:00")];
    first.caught_up = vec![slot("2026-11-20T07:00")];
    world.freeze(&first).await;
    let history = world.store.history(&weekly()).await.unwrap();
    assert_eq!(history.last_number, 1);
    assert_eq!(history.cursor, Some(slot("2026-11-27T07:00")));
    assert_eq!(history.articles[&article("article-1")], Past::Carried(1));
    assert_eq!(history.articles[&article("old")], Past::PassedOver);

    let skipped = vec![slot("2026-12-04T07:00")];
    world
        .store
        .record_slots(
            &weekly(),
            skipped,
            SlotFate::Skipped,
            "no new articles",
            now(),
        )
        .await
        .unwrap();
    // Going over an older slot again does not move the cursor back.
    let old = vec![slot("2026-11-13T07:00")];
    world
        .store
        .record_slots(&weekly(), old, SlotFate::Missed, "too late", now())
        .await
        .unwrap();
    let history = world.store.history(&weekly()).await.unwrap();
    assert_eq!(history.cursor, Some(slot("2026-12-04T07:00")));
    let other = world
        .store
        .history(&"daily".parse().unwrap())
        .await
        .unwrap();
    assert!(other.articles.is_empty() && other.cursor.is_none());
}

#[tokio::test]
async fn a_freeze_that_fails_leaves_no_trace() {
    let world = world().await;
    world.join(3).await;
    let mut twice = issue(1, "2026-11-27T07:00");
    twice.articles.push(twice.articles[0].clone());
    let error = world.store.freeze(twice, now()).await.unwrap_err();
    assert_eq!(error.class(), crate::store::ErrorClass::Internal);
    assert!(world.store.issues(10).await.unwrap().is_empty());
    assert!(world.due(now()).await.is_empty());
    assert_eq!(world.store.history(&weekly()).await.unwrap().last_number, 0);
    world.freeze(&issue(1, "2026-11-27T07:00")).await;
    world.adds_up().await;
}

#[tokio::test]
async fn readers_who_join_later_get_the_next_issue() {
    let (world, id) = frozen_world(2).await;
    world
        .store
        .add(
            vec![reader("late@example.org", Status::Active)],
            "test",
            now(),
            false,
        )
        .await
        .unwrap();
    assert_eq!(world.count(id, State::Queued).await, 2);
    let next = world.freeze(&issue(2, "2026-12-04T07:00")).await;
    assert_eq!(next.queued, 3);
}
