//! What comes back: a mail and its effect are one, and are done once.

use super::*;
use crate::{
    domain::{
        consent::Who,
        delivery::Outcome,
        report::{Finding, Report, ReportKind},
    },
    store::{Effect, Fate, InboundMail, MailboxPlace},
};

fn mail(id: u8, delivery: DeliveryId, kind: ReportKind) -> InboundMail {
    InboundMail {
        id: [id; 16],
        effect: Some(Effect::Report(Report {
            delivery,
            finding: Finding {
                kind,
                code: Some((5, 2, 2)),
                reason: "552 5.2.2 <reader0@example.org> is full".to_owned(),
            },
        })),
    }
}

/// One delivery that left, and its reader's number in tokens.
async fn sent(world: &World) -> DueDelivery {
    let due = world.due(now()).await.remove(0);
    let attempt = world.granted(due.id).await;
    let outcome = world.store.outcome(attempt, Outcome::Sent(ok()), now());
    outcome.await.unwrap();
    due
}

impl World {
    async fn fates(&self, mails: Vec<InboundMail>) -> Vec<Fate> {
        let applied = self.store.apply_inbound(mails, None, 1, now()).await;
        applied.unwrap().fates
    }
}

#[tokio::test]
async fn a_mail_is_done_once_and_a_report_counts_once() {
    let (world, issue) = frozen_world(2).await;
    let due = sent(&world).await;
    let soft = ReportKind::SoftBounce;
    let fates = world
        .fates(vec![
            mail(1, due.id, soft),
            mail(1, due.id, soft),
            mail(2, due.id, soft),
            mail(3, due.id, ReportKind::HardBounce),
            mail(4, due.id, ReportKind::Complaint),
        ])
        .await;
    assert_eq!(
        fates,
        [
            Fate::Noted(soft),
            Fate::Repeated,
            Fate::Told,
            Fate::Suppressed(ReportKind::HardBounce),
            Fate::Suppressed(ReportKind::Complaint),
        ]
    );
    assert_eq!(
        world.fates(vec![mail(4, due.id, soft)]).await,
        [Fate::Repeated]
    );
    let reader = world.store.subscriber(&due.address).await.unwrap().unwrap();
    assert_eq!(reader.status, Status::Complained);
    let summary = world.store.issues(1).await.unwrap().remove(0);
    assert_eq!(summary.id, issue);
    assert_eq!(summary.reports.values().sum::<u64>(), 3);
    world.adds_up().await;
}

#[tokio::test]
async fn of_what_never_left_nobody_can_tell_anything() {
    let (world, issue) = frozen_world(2).await;
    let due = world.first_due().await;
    let hard = ReportKind::HardBounce;
    let fates = world
        .fates(vec![mail(1, due, hard), mail(2, 4711, hard)])
        .await;
    assert_eq!(fates, [Fate::Unknown, Fate::Unknown]);
    assert_eq!(world.count(issue, State::Queued).await, 2);
}

#[tokio::test]
async fn a_report_settles_an_uncertain_delivery_and_the_place_is_kept_with_it() {
    let (world, issue) = frozen_world(1).await;
    let due = world.first_due().await;
    world.granted(due).await;
    world.store.recover(later(1)).await.unwrap();
    assert_eq!(world.count(issue, State::Uncertain).await, 1);
    let place = MailboxPlace {
        source: "mbox:/var/mail/bounces".to_owned(),
        offset: 4711,
        tail: vec![1, 2, 3],
    };
    let applied = world
        .store
        .apply_inbound(
            vec![mail(1, due, ReportKind::Delayed)],
            Some(place.clone()),
            1,
            later(2),
        )
        .await
        .unwrap();
    assert_eq!(applied.proven, 1);
    assert_eq!(world.count(issue, State::Sent).await, 1);
    let known = world.store.mailbox_place(&place.source).await.unwrap();
    assert_eq!(known, Some(place));
    assert_eq!(world.store.mailbox_place("mbox:other").await.unwrap(), None);
    world.adds_up().await;
}

#[tokio::test]
async fn reports_forget_an_erased_reader_and_later_ones_learn_nothing() {
    let (world, _) = frozen_world(2).await;
    let due = sent(&world).await;
    let text = due.address.expose().to_ascii_lowercase();
    assert_eq!(text, "reader0@example.org");
    world
        .fates(vec![mail(1, due.id, ReportKind::SoftBounce)])
        .await;
    assert!(!found(&world, "<reader0@example.org> is full").is_empty());
    world
        .store
        .erase(Who::Reader(due.subscriber), "command line", later(1))
        .await
        .unwrap();
    assert!(found(&world, &text).is_empty());
    let late = world
        .fates(vec![
            mail(2, due.id, ReportKind::HardBounce),
            mail(3, due.id, ReportKind::Complaint),
        ])
        .await;
    assert_eq!(late.len(), 2);
    assert!(found(&world, &text).is_empty());
    world.adds_up().await;
}
