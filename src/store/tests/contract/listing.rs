//! The list only ever moves toward less mail.

use std::collections::BTreeSet;

use super::*;
use crate::{
    domain::{
        article::Remembered,
        chronicle::{Archived, Changes, Chronicle, Published},
        subscriber::AddOutcome,
    },
    store::SuppressionReason,
};

async fn add(world: &World, text: &str, status: Status) -> AddOutcome {
    world
        .store
        .add(vec![reader(text, status)], "import list.csv", now(), false)
        .await
        .unwrap()[0]
}

#[tokio::test]
async fn an_import_never_brings_back_who_left() {
    let world = world().await;
    let (anna, other_case) = ("Anna@example.org", "anna@EXAMPLE.org");
    assert_eq!(add(&world, anna, Status::Active).await, AddOutcome::Added);
    assert_eq!(
        add(&world, other_case, Status::Active).await,
        AddOutcome::Unchanged
    );
    assert_eq!(
        add(&world, other_case, Status::Unsubscribed).await,
        AddOutcome::Lessened
    );
    assert_eq!(
        add(&world, anna, Status::Active).await,
        AddOutcome::Kept(Status::Unsubscribed)
    );
    // An import cannot erase: it says that they left.
    assert_eq!(
        add(&world, "gone@example.org", Status::Erased).await,
        AddOutcome::Added
    );
    let gone = world.store.subscriber(&address("gone@example.org")).await;
    assert_eq!(gone.unwrap().unwrap().status, Status::Unsubscribed);
    let anna = world.store.subscriber(&address(anna)).await.unwrap();
    assert_eq!(anna.unwrap().address.expose(), "Anna@example.org");
}

#[tokio::test]
async fn a_suppressed_address_stays_off_whether_known_or_not() {
    let world = world().await;
    let stranger = address("stranger@example.org");
    let outcome = world
        .store
        .suppress(&stranger, SuppressionReason::Request, "test", now())
        .await
        .unwrap();
    assert_eq!(outcome.was, None);
    assert_eq!(
        add(&world, "Stranger@example.org", Status::Active).await,
        AddOutcome::Suppressed
    );
    assert!(world.store.subscriber(&stranger).await.unwrap().is_none());

    add(&world, "anna@example.org", Status::Active).await;
    let anna = address("anna@example.org");
    let outcome = world
        .store
        .suppress(&anna, SuppressionReason::Complaint, "test", later(1))
        .await
        .unwrap();
    assert_eq!(outcome.was, Some(Status::Active));
    assert_eq!(
        add(&world, "anna@example.org", Status::Active).await,
        AddOutcome::Suppressed
    );
    let story = world.store.why(&anna, None).await.unwrap();
    assert_eq!(story.subscriber.unwrap().status, Status::Complained);
    assert_eq!(story.suppression.unwrap().reason, "complaint");
    let events: Vec<&str> = story.events.iter().map(|e| e.what.as_str()).collect();
    assert_eq!(events, ["added", "complained"]);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = world().await;
    add(&world, "anna@example.org", Status::Active).await;
    let readers = || {
        vec![
            reader("anna@example.org", Status::Unsubscribed),
            reader("ben@example.org", Status::Active),
            reader("BEN@example.org", Status::Active),
        ]
    };
    let expected = [
        AddOutcome::Lessened,
        AddOutcome::Added,
        AddOutcome::Unchanged,
    ];
    let before = world.store.counts_by_status().await.unwrap();
    let dry = world.store.add(readers(), "list.csv", now(), true).await;
    assert_eq!(dry.unwrap(), expected);
    assert_eq!(world.store.counts_by_status().await.unwrap(), before);
    let real = world.store.add(readers(), "list.csv", now(), false).await;
    assert_eq!(real.unwrap(), expected);
    assert_ne!(world.store.counts_by_status().await.unwrap(), before);
}

/// Readers with every status and some choices, some of them twice or thrice.
fn medley(readers: usize) -> Vec<NewSubscriber> {
    let one = |number: usize| {
        let status = Status::ALL[number * 7 % 5];
        let name = number * number % 301;
        NewSubscriber {
            choice: ["", "sections=food", "content=summary"][number % 3]
                .parse()
                .unwrap(),
            ..reader(&format!("reader{name}@example.org"), status)
        }
    };
    (0..readers).map(one).collect()
}

#[tokio::test]
async fn many_readers_are_added_as_if_one_after_the_other() {
    let (together, one_by_one) = (world().await, world().await);
    for world in [&together, &one_by_one] {
        let unwanted = address("reader4@example.org");
        let reason = SuppressionReason::Request;
        let done = world.store.suppress(&unwanted, reason, "test", now()).await;
        done.unwrap();
    }
    let readers = medley(450);
    let at_once = together
        .store
        .add(readers.clone(), "import a", now(), false);
    let at_once = at_once.await.unwrap();
    for (reader, outcome) in readers.iter().zip(&at_once) {
        let alone = one_by_one
            .store
            .add(vec![reader.clone()], "import a", now(), false);
        assert_eq!(alone.await.unwrap(), [*outcome], "{:?}", reader.address);
    }
    let kinds: BTreeSet<AddOutcome> = at_once.into_iter().collect();
    assert!(kinds.len() > 5, "{kinds:?}");
    assert_eq!(known(&together).await, known(&one_by_one).await);
}

/// Everything on the list and on record.
async fn known(world: &World) -> Vec<String> {
    let page = world.store.subscribers(None, None, 1_000).await.unwrap();
    let mut known = Vec::new();
    for one in page.subscribers {
        let story = world.store.why(&one.address, None).await.unwrap();
        let told = story.events.iter().map(|event| event.what.as_str());
        let told: Vec<&str> = told.collect();
        known.push(format!(
            "{} {:?} {} {} {} {told:?}",
            one.address.expose(),
            one.name,
            one.status,
            one.choice,
            one.source
        ));
    }
    known
}

#[tokio::test]
async fn unsubscribing_twice_is_the_same_as_once() {
    let (world, issue) = frozen_world(3).await;
    let reader = address("reader1@example.org");
    let first = world
        .store
        .unsubscribe(&reader, "command line", later(1))
        .await
        .unwrap();
    assert_eq!(
        (first.was, first.cancelled_deliveries),
        (Some(Status::Active), 1)
    );
    let again = world
        .store
        .unsubscribe(&reader, "command line", later(2))
        .await
        .unwrap();
    assert_eq!(
        (again.was, again.cancelled_deliveries),
        (Some(Status::Unsubscribed), 0)
    );
    let nobody = address("nobody@example.org");
    let unknown = world.store.unsubscribe(&nobody, "x", now()).await.unwrap();
    assert_eq!(unknown.was, None);
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    let story = world.store.why(&reader, None).await.unwrap();
    assert_eq!(story.events.len(), 2);
    assert_eq!(story.events[1].source, "command line");
    world.adds_up().await;
}

#[tokio::test]
async fn pages_give_everyone_once() {
    let world = world().await;
    world.join(25).await;
    world
        .store
        .unsubscribe(&address("reader7@example.org"), "test", now())
        .await
        .unwrap();
    for (status, expected) in [
        (None, 25),
        (Some(Status::Active), 24),
        (Some(Status::Unsubscribed), 1),
        (Some(Status::Pending), 0),
    ] {
        let (mut seen, mut cursor) = (HashSet::new(), None);
        loop {
            let page = world.store.subscribers(status, cursor, 6).await.unwrap();
            for reader in page.subscribers {
                assert!(seen.insert(reader.id), "{reader:?} came twice");
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), expected, "{status:?}");
    }
}

#[tokio::test]
async fn no_address_is_kept_in_a_suppression() {
    let world = world().await;
    world
        .store
        .suppress(
            &address("secret.person@example.org"),
            SuppressionReason::Request,
            "test",
            now(),
        )
        .await
        .unwrap();
    assert_eq!(found(&world, "secret.person"), Vec::<String>::new());
}

#[tokio::test]
async fn an_article_keeps_its_id_when_its_file_is_renamed() {
    let world = world().await;
    let note = |source: &str, name: &str| Remembered {
        source: source.to_owned(),
        id: article(name),
        body_hash: "00".to_owned(),
    };
    let first = vec![note("content/a.md", "a"), note("content/b.md", "b")];
    world.store.remember(first.clone()).await.unwrap();
    assert_eq!(world.store.remembered().await.unwrap(), first);
    world
        .store
        .remember(vec![note("content/c.md", "a"), note("content/a.md", "new")])
        .await
        .unwrap();
    assert_eq!(
        world.store.remembered().await.unwrap(),
        [
            note("content/a.md", "new"),
            note("content/b.md", "b"),
            note("content/c.md", "a")
        ]
    );
}

#[tokio::test]
async fn a_run_that_died_has_no_end() {
    let world = world().await;
    let first = world.begun(17, now()).await;
    let second = world.begun(18, later(15)).await;
    world
        .store
        .end_run(second, 75, "relay away", later(16))
        .await
        .unwrap();
    let runs = world.store.runs(10).await.unwrap();
    assert_eq!((runs[0].number, runs[1].number), (second, first));
    assert_eq!(runs[0].exit_code, Some(75));
    assert_eq!((runs[1].pid, runs[1].ended), (17, None));
}

#[tokio::test]
async fn what_was_published_and_archived_is_remembered_and_repeating_it_changes_nothing() {
    let world = world().await;
    let mut told = Chronicle::default();
    let mut changes = Changes::default();
    for name in ["a", "b"] {
        let row = Published {
            title: name.to_owned(),
            url: format!("https://example.org/{name}/"),
            streams: vec!["sections/food/".to_owned(), "tags/x/".to_owned()],
            gone_at: None,
        };
        changes.published.push((article(name), row));
        for stream in ["", "sections/food/"] {
            changes.archived.push(Archived {
                stream: stream.to_owned(),
                document: 1,
                id: article(name),
                updated: later(3),
            });
        }
    }
    told.apply(&changes);
    for _ in 0..2 {
        let recorded = world.store.record_published(changes.clone(), now()).await;
        recorded.unwrap();
        let known = world.store.chronicle().await.unwrap();
        assert_eq!(known.published, told.published);
        assert_eq!(known.archives, told.archives);
    }

    let mut gone = changes.published[0].clone();
    gone.1.gone_at = Some(later(9));
    let changes = Changes {
        published: vec![gone],
        returned: vec![article("b")],
        archived: Vec::new(),
    };
    told.apply(&changes);
    world.store.record_published(changes, now()).await.unwrap();
    let known = world.store.chronicle().await.unwrap();
    assert_eq!(known.published, told.published);
    assert_eq!(known.archives, told.archives);
    assert!(!known.archives[""].contains(&article("b")));
}

#[tokio::test]
async fn each_output_folder_has_archive_files_of_its_own() {
    let world = world().await;
    let file = |print: &str| vec![("archive/rss-0001.xml".to_owned(), print.to_owned())];
    for (folder, print) in [("/a", "1"), ("/b", "2"), ("/a", "3")] {
        let noted = world.store.note_archive_files(folder, file(print)).await;
        noted.unwrap();
    }
    let known = world.store.archive_files("/a").await.unwrap();
    assert_eq!(known["archive/rss-0001.xml"], "3");
    assert_eq!(world.store.archive_files("/c").await.unwrap().len(), 0);
}
