//! Readers who ask, say yes, change their minds and want to be forgotten.

use super::*;
use crate::{
    domain::{
        choice::Choice,
        consent::{Answer, Evidence, SignUp, Who},
        network::Network,
        subscriber::{AddOutcome, SubscriberId},
    },
    store::{Departure, NoticeFreeze, SuppressionReason, Wishes},
};

fn ask(text: &str) -> SignUp {
    SignUp {
        address: address(text),
        name: Some("Thandi".to_owned()),
        choice: Default::default(),
        digest: weekly(),
    }
}

/// What a form knows of who used it.
fn form() -> Evidence {
    Evidence {
        source: "form".to_owned(),
        wording: Some("Yes, send me the weekly letter.".to_owned()),
        network: Some(Network::of_many("192.0.2.77".parse().unwrap())),
    }
}

fn hours(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}

impl World {
    async fn sign_up(&self, text: &str, at: DateTime<Utc>) {
        self.store.sign_up(ask(text), form(), at).await.unwrap();
    }

    async fn id(&self, text: &str) -> SubscriberId {
        let reader = self.store.subscriber(&address(text)).await.unwrap();
        reader.unwrap().id
    }

    async fn status(&self, text: &str) -> Option<Status> {
        let reader = self.store.subscriber(&address(text)).await.unwrap();
        reader.map(|reader| reader.status)
    }

    async fn says_yes(&self, text: &str, at: DateTime<Utc>) -> bool {
        let asked = self.asked(text, at).await;
        self.answers(text, asked, at).await
    }

    async fn answers(&self, text: &str, asked: DeliveryId, at: DateTime<Utc>) -> bool {
        let id = self.id(text).await;
        let yes = self.store.confirm(id, asked, form(), at).await.unwrap();
        yes.is_some()
    }

    /// The newest mail that asks, made now if one waits to be; 0 if there is none.
    async fn asked(&self, text: &str, at: DateTime<Utc>) -> DeliveryId {
        let waiting = self.store.answers().await.unwrap();
        for waiting in waiting {
            if waiting.answer != Answer::Confirm {
                continue;
            }
            let model = issue(1, "2026-11-27T07:00");
            let notice = NoticeFreeze {
                variant: waiting.language.clone().unwrap_or_default(),
                waiting,
                title: model.title,
                subject: model.subject,
                sender: model.sender,
                edition: b"edition".to_vec(),
                idempotency_header: None,
            };
            self.store.freeze_notice(notice, at).await.unwrap();
        }
        let id = self.id(text).await;
        self.store
            .read(move |tx| {
                let sql = "SELECT coalesce(max(d.id), 0) FROM deliveries d
                             JOIN issues i ON i.id = d.issue_id
                             JOIN subscribers s ON s.id = d.subscriber_id
                            WHERE i.notice = 'confirm' AND s.public_id = ?1";
                Ok(tx.query_row(sql, [&id.0[..]], |row| row.get(0))?)
            })
            .await
            .unwrap()
    }

    /// Single mails that wait to be made.
    async fn waiting(&self, kind: &str) -> i64 {
        let kind = kind.to_owned();
        self.store
            .read(move |tx| {
                let sql = "SELECT count(*) FROM answers WHERE kind = ?1";
                Ok(tx.query_row(sql, [&kind], |row| row.get(0))?)
            })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_reader_is_active_only_after_their_own_yes_and_the_proof_says_all() {
    let world = world().await;
    world.sign_up("anna@example.org", now()).await;
    assert_eq!(
        world.status("anna@example.org").await,
        Some(Status::Pending)
    );
    assert_eq!(world.waiting("confirm").await, 1);
    let id = world.id("anna@example.org").await;
    assert_eq!(
        world.store.asked_about(id, now()).await.unwrap(),
        Some(weekly())
    );
    let asked = world.asked("anna@example.org", later(1)).await;
    let yes = world
        .store
        .confirm(id, asked, form(), later(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(yes.reader.status, Status::Active);
    assert_eq!(yes.reader.name.as_deref(), Some("Thandi"));
    assert_eq!(yes.digest, weekly());
    assert_eq!(world.waiting("confirm").await, 0);
    assert_eq!(world.waiting("welcome").await, 1);

    let told = world
        .store
        .why(&address("anna@example.org"), None)
        .await
        .unwrap();
    let kinds: Vec<&str> = told.events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["asked", "confirmed"]);
    for event in &told.events {
        assert_eq!(event.source, "form");
        assert_eq!(event.network.as_deref(), Some("192.0.2.0/24"));
        let wording = event.wording.as_ref().unwrap();
        assert_eq!(wording.words, "Yes, send me the weekly letter.");
        assert_eq!(wording.sha256.len(), 64);
    }
    // The same words are kept once.
    let kept: i64 = world
        .store
        .read(|tx| Ok(tx.query_row("SELECT count(*) FROM wordings", [], |row| row.get(0))?))
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_yes_counts_once_and_for_three_days() {
    let world = world().await;
    world.sign_up("anna@example.org", now()).await;
    let id = world.id("anna@example.org").await;
    assert_eq!(world.store.asked_about(id, hours(72)).await.unwrap(), None);
    let asked = world.asked("anna@example.org", later(1)).await;
    assert!(!world.says_yes("anna@example.org", hours(72)).await);
    assert!(world.says_yes("anna@example.org", hours(71)).await);
    assert!(!world.says_yes("anna@example.org", hours(71)).await);
    // Whoever left is not brought back by the old link.
    world
        .store
        .leave(id, Departure::List, "link", hours(71))
        .await
        .unwrap();
    assert!(!world.says_yes("anna@example.org", hours(71)).await);
    let stranger = SubscriberId([7; 16]);
    assert!(
        world
            .store
            .confirm(stranger, asked, form(), now())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn the_link_of_an_older_request_does_not_answer_a_newer_one() {
    let world = world().await;
    let anna = "anna@example.org";
    world.sign_up(anna, now()).await;
    let first = world.asked(anna, later(1)).await;
    world.sign_up(anna, hours(25)).await;
    assert!(!world.answers(anna, first, hours(26)).await, "not yet made");
    let second = world.asked(anna, hours(26)).await;
    assert_ne!(first, second);
    assert!(!world.answers(anna, first, hours(27)).await);
    assert_eq!(world.status(anna).await, Some(Status::Pending));
    // Nor does a mail to somebody else, or one that asks nothing.
    world.sign_up("ben@example.org", hours(26)).await;
    let of_ben = world.asked("ben@example.org", hours(26)).await;
    assert!(!world.answers(anna, of_ben, hours(27)).await);
    assert!(!world.answers(anna, 4711, hours(27)).await);
    assert!(world.answers(anna, second, hours(27)).await);
    // One who was asked in vain, and then again, may still press either button
    // when the newer request came before the older mail was made.
    world.sign_up("carla@example.org", now()).await;
    world.sign_up("carla@example.org", hours(25)).await;
    let late = world.asked("carla@example.org", hours(26)).await;
    assert!(world.answers("carla@example.org", late, hours(27)).await);
}

#[tokio::test]
async fn a_thousand_requests_for_one_mailbox_are_one_mail() {
    let world = world().await;
    for n in 0..1000 {
        // The spellings that a large provider delivers to one mailbox.
        let text = match n % 3 {
            0 => "an.na@gmail.com".to_owned(),
            1 => format!("anna+{n}@gmail.com"),
            _ => "a.nna@googlemail.com".to_owned(),
        };
        world.sign_up(&text, later(n)).await;
    }
    assert_eq!(world.waiting("confirm").await, 1);
    let counts = world.store.counts_by_status().await.unwrap();
    assert_eq!(counts, [(Status::Pending, 1)].into());
    let requests: i64 = world
        .store
        .read(|tx| Ok(tx.query_row("SELECT sum(requests) FROM askings", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(requests, 1000);
}

#[tokio::test]
async fn a_mailbox_is_asked_once_a_day_and_three_times_in_all() {
    let world = world().await;
    for (at, mails) in [
        (0, 1),
        (23, 1),
        (24, 2),
        (47, 2),
        (48, 3),
        (72, 3),
        (9999, 3),
    ] {
        world.sign_up("anna@example.org", hours(at)).await;
        let asked: i64 = world
            .store
            .read(|tx| {
                let sql = "SELECT count(*) FROM events WHERE kind = 'asked'";
                Ok(tx.query_row(sql, [], |row| row.get(0))?)
            })
            .await
            .unwrap();
        assert_eq!(asked, mails, "after {at} hours");
    }
}

#[tokio::test]
async fn only_their_own_yes_brings_back_who_left_or_bounced_and_nothing_who_complained() {
    for (reason, is_back) in [
        (None, true),
        (Some(SuppressionReason::HardBounce), true),
        (Some(SuppressionReason::Unreachable), true),
        (Some(SuppressionReason::Complaint), false),
        (Some(SuppressionReason::Request), false),
    ] {
        let world = world().await;
        world.join(1).await;
        let text = "reader0@example.org";
        match reason {
            Some(reason) => {
                world
                    .store
                    .suppress(&address(text), reason, "test", now())
                    .await
            }
            None => world.store.unsubscribe(&address(text), "link", now()).await,
        }
        .unwrap();
        let before = world.status(text).await;
        world.sign_up(text, later(1)).await;
        assert_eq!(
            world.status(text).await,
            before,
            "asking alone changes nothing"
        );
        assert_eq!(
            world.waiting("confirm").await,
            i64::from(is_back),
            "{reason:?}"
        );
        assert_eq!(world.says_yes(text, later(2)).await, is_back, "{reason:?}");
        let after = if is_back {
            Some(Status::Active)
        } else {
            before
        };
        assert_eq!(world.status(text).await, after, "{reason:?}");
        if is_back {
            let frozen = world.freeze(&issue(1, "2026-11-27T07:00")).await;
            assert_eq!(frozen.queued, 1, "{reason:?}");
        }
        world.adds_up().await;
    }
}

#[tokio::test]
async fn who_gets_the_digest_already_hears_nothing_and_who_does_not_gets_it_too() {
    let world = world().await;
    world.join(1).await;
    let text = "reader0@example.org";
    world.sign_up(text, now()).await;
    assert_eq!(world.waiting("confirm").await, 0);
    let daily = "digests=daily".parse().unwrap();
    world
        .store
        .choose(&address(text), daily, "link", now())
        .await
        .unwrap();
    world.sign_up(text, hours(25)).await;
    assert_eq!(world.waiting("confirm").await, 1);
    assert!(world.says_yes(text, hours(26)).await);
    let reader = world
        .store
        .subscriber(&address(text))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reader.choice.to_string(), "digests=daily,weekly");
}

#[tokio::test]
async fn who_does_not_confirm_is_forgotten_after_a_week() {
    let world = world().await;
    world.join(1).await;
    world
        .store
        .unsubscribe(&address("reader0@example.org"), "link", now())
        .await
        .unwrap();
    world.sign_up("reader0@example.org", now()).await;
    world.sign_up("anna@example.org", now()).await;
    let week = now() + TimeDelta::days(7);
    assert_eq!(
        world
            .store
            .forget_unconfirmed(week - TimeDelta::minutes(1))
            .await
            .unwrap(),
        0
    );
    assert_eq!(world.store.forget_unconfirmed(week).await.unwrap(), 2);
    assert_eq!(world.status("anna@example.org").await, None);
    assert_eq!(
        world.status("reader0@example.org").await,
        Some(Status::Unsubscribed)
    );
    assert_eq!(world.waiting("confirm").await, 0);
    assert!(
        world
            .store
            .personal_data((&address("anna@example.org")).into())
            .await
            .unwrap()
            .is_none()
    );
    world.adds_up().await;
}

#[tokio::test]
async fn the_record_of_consent_only_grows() {
    let world = world().await;
    world.join(1).await;
    for sql in [
        "DELETE FROM events",
        "UPDATE events SET at = 0",
        "UPDATE events SET network = NULL WHERE id = 1",
    ] {
        let refused = world
            .store
            .write(move |tx| Ok(tx.execute_batch(sql)?))
            .await
            .unwrap_err();
        assert!(
            format!("{refused:?}").contains("only grows"),
            "{sql}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn whoever_pauses_or_leaves_a_digest_gets_nothing_of_what_waits_even_after_a_deferral() {
    let (world, issue) = frozen_world(2).await;
    for (text, delivery) in ["reader0@example.org", "reader1@example.org"]
        .iter()
        .zip(world.due(now()).await)
    {
        let attempt = world.granted(delivery.id).await;
        let id = world.id(text).await;
        if *text == "reader0@example.org" {
            let wishes = Wishes {
                name: None,
                choice: Default::default(),
                paused_until: Some(hours(500)),
            };
            world.store.wish(id, wishes, "page", now()).await.unwrap();
        } else {
            let departure = Departure::Digest {
                name: "weekly".to_owned(),
                of: vec!["weekly".to_owned(), "daily".to_owned()],
            };
            world
                .store
                .leave(id, departure, "page", now())
                .await
                .unwrap();
            assert_eq!(world.status(text).await, Some(Status::Active));
        }
        let outcome = crate::domain::delivery::Outcome::Requeued {
            reason: "lost".to_owned(),
        };
        world.store.outcome(attempt, outcome, now()).await.unwrap();
    }
    assert_eq!(world.count(issue, State::Cancelled).await, 2);
    assert!(world.due(hours(1)).await.is_empty());
    world.adds_up().await;
}

#[tokio::test]
async fn nothing_of_an_erased_reader_is_left_in_any_file() {
    let (world, issue) = frozen_world(400).await;
    let text = "Reader7@example.org";
    let key = "reader7@example.org";
    // A reply that quotes the address, a note beside, a name, a request.
    let reader = world
        .store
        .subscriber(&address(text))
        .await
        .unwrap()
        .unwrap();
    let due = world.due(now()).await;
    let own = due.iter().find(|d| d.subscriber == reader.id).unwrap().id;
    let attempt = world.granted(own).await;
    let reply = Reply::new(450, "4.2.0 <Reader7@example.org> is busy, Mandela Quixote");
    let outcome = crate::domain::delivery::Outcome::Deferred {
        reply,
        retry_at: later(5),
    };
    world.store.outcome(attempt, outcome, now()).await.unwrap();
    let wishes = Wishes {
        name: Some("Mandela Quixote".to_owned()),
        choice: "sections=home".parse().unwrap(),
        paused_until: None,
    };
    world
        .store
        .wish(reader.id, wishes, form(), now())
        .await
        .unwrap();
    let note =
        crate::store::beside::leaving::Note::new(&address(text), Departure::List, &form(), now());
    crate::store::beside::leaving::Leaving::of(&world.settings.path)
        .append(&[note])
        .unwrap();
    assert!(found(&world, key).len() > 1);
    assert!(!found(&world, "mandela quixote").is_empty());
    // One message is on its way, and its answer quotes the address.
    let erased = world
        .store
        .erase(Who::Reader(reader.id), "command line", later(1))
        .await
        .unwrap();
    assert!(erased.is_wiped);
    assert_eq!(
        erased.was,
        Some(Status::Unsubscribed),
        "the note counts first"
    );
    assert_eq!(found(&world, key), Vec::<String>::new());
    assert_eq!(found(&world, "mandela quixote"), Vec::<String>::new());
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    world.adds_up().await;
    // It outlives itself: nobody is brought back, and doing it again is nothing.
    let again = vec![super::reader(text, Status::Active)];
    let outcomes = world
        .store
        .add(again, "import list.csv", later(2), false)
        .await
        .unwrap();
    assert_eq!(outcomes, [AddOutcome::Suppressed]);
    let erased = world
        .store
        .erase((&address(text)).into(), "command line", later(3))
        .await
        .unwrap();
    assert!(erased.was_erased && erased.is_wiped && erased.was.is_none());
    assert_eq!(found(&world, key), Vec::<String>::new());
}

#[tokio::test]
async fn the_answer_to_a_message_under_way_is_kept_without_the_words_of_the_server() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    let attempt = world.granted(due[1].id).await;
    let erased = world
        .store
        .erase(Who::Reader(due[1].subscriber), "page", now())
        .await
        .unwrap();
    assert_eq!((erased.in_flight, erased.cancelled_deliveries), (1, 0));
    let reply = Reply::new(550, "5.1.1 <reader1@example.org> unknown");
    let outcome = crate::domain::delivery::Outcome::Rejected {
        phase: crate::domain::delivery::Phase::Dot,
        reply,
        is_hard: true,
    };
    world.store.outcome(attempt, outcome, now()).await.unwrap();
    assert_eq!(world.count(issue, State::Rejected).await, 1);
    assert_eq!(found(&world, "reader1@example.org"), Vec::<String>::new());
    world.adds_up().await;
}

#[tokio::test]
async fn a_person_gets_everything_that_is_known_of_them() {
    let (world, _) = frozen_world(1).await;
    let who = Who::from(&address("reader0@example.org"));
    let data = world.store.personal_data(who).await.unwrap().unwrap();
    let json = serde_json::to_value(&data).unwrap();
    assert_eq!(json["email"], "reader0@example.org");
    assert_eq!(json["status"], "active");
    assert_eq!(json["consent"][0]["kind"], "imported");
    assert_eq!(json["deliveries"][0]["digest"], "weekly");
    let stranger = Who::from(&address("nobody@example.org"));
    assert!(world.store.personal_data(stranger).await.unwrap().is_none());
}

#[tokio::test]
async fn single_mails_are_made_for_each_language_and_the_newest_issue_for_each_choice() {
    let world = world().await;
    for (text, choice) in [
        ("anna@example.org", "language=af"),
        ("ben@example.org", "sections=food; language=af"),
        ("carol@example.org", ""),
        ("dora@example.org", "sections=food"),
    ] {
        let asked = SignUp {
            choice: choice.parse().unwrap(),
            ..ask(text)
        };
        world.store.sign_up(asked, form(), now()).await.unwrap();
    }
    let waiting = world.store.answers().await.unwrap();
    let told: Vec<_> = waiting
        .iter()
        .map(|one| (one.answer, one.language.as_deref(), one.readers))
        .collect();
    assert_eq!(
        told,
        [(Answer::Confirm, Some("af"), 2), (Answer::Confirm, None, 2)]
    );
    let afrikaans = NoticeFreeze {
        waiting: waiting[0].clone(),
        variant: "af".to_owned(),
        title: "The weekly letter".to_owned(),
        subject: "Bevestig".to_owned(),
        sender: issue(1, "2026-11-27T07:00").sender,
        edition: b"af".to_vec(),
        idempotency_header: None,
    };
    let made = world.store.freeze_notice(afrikaans, now()).await.unwrap();
    assert_eq!(made, 2);
    let due = world.due(now()).await;
    let to: Vec<&str> = due.iter().map(|one| one.address.expose()).collect();
    assert_eq!(to, ["anna@example.org", "ben@example.org"]);
    let rest = world.store.answers().await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].language, None);
    for text in ["anna@example.org", "carol@example.org", "dora@example.org"] {
        assert!(world.says_yes(text, later(1)).await);
    }
    let answers = world.store.answers().await.unwrap();
    let latest: Vec<_> = answers
        .iter()
        .filter(|one| one.answer == Answer::Latest)
        .collect();
    assert_eq!(latest.len(), 3, "one for each choice: {latest:?}");
    world.adds_up().await;
}

#[tokio::test]
async fn the_newest_issue_comes_in_the_edition_of_those_who_chose_the_same() {
    let world = world().await;
    let food: Choice = "sections=food".parse().unwrap();
    let mut old = reader("old@example.org", Status::Active);
    old.choice = food.clone();
    let whole = reader("whole@example.org", Status::Active);
    let added = world.store.add(vec![old, whole], "import", now(), false);
    added.await.unwrap();
    let chosen = world.store.choices().await.unwrap();
    let of_food = chosen.iter().find(|one| one.choice == food).unwrap().id;
    let freeze = Freeze {
        editions: vec![b"whole".to_vec(), b"food".to_vec()],
        shares: vec![
            Share::EVERYTHING,
            Share {
                choice: of_food,
                edition: Ok(2),
            },
        ],
        ..issue(1, "2026-11-27T07:00")
    };
    let issue = world.freeze(&freeze).await.issue;
    for (choices, edition) in [(vec![of_food], 2), (vec![None], 1), (vec![Some(4_711)], 1)] {
        let found = world.store.edition_of_choices(issue, choices).await;
        assert_eq!(found.unwrap(), edition);
    }
}
