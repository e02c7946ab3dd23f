//! What can be told from a survey, and what needs a whole load.

use std::sync::Arc;

use super::*;
use crate::content::{
    Loaded,
    tests::{World, connected},
};

fn read(bytes: Vec<u8>) -> Survey {
    let bytes = Arc::new(bytes);
    let mut rest = &bytes[..];
    let survey = Survey::take(&bytes, bytes.len(), &mut rest).unwrap();
    assert!(rest.is_empty());
    survey
}

/// The survey of a load whose files are all taken for old.
fn surveyed(world: &mut World) -> (Survey, Loaded) {
    world.since = DateTime::<Utc>::MAX_UTC;
    let loaded = world.load();
    let survey = read(loaded.survey.clone().unwrap());
    world.remembered.extend(loaded.remember.iter().cloned());
    (survey, loaded)
}

/// What a look tells is what a load of everything tells.
fn tells_all(world: &World, sight: &Sight) {
    let whole = world.load();
    assert_eq!(sight.problems, whole.problems);
    for one in &sight.edited {
        let loaded = whole.collection.get(&one.article.id).unwrap();
        assert_eq!(
            format!("{:?}", one.article),
            format!("{loaded:?}"),
            "as it is when everything is loaded"
        );
        let remember = whole.remember.iter().find(|row| row.id == loaded.id);
        assert_eq!(one.remember.as_ref(), remember);
    }
}

#[test]
fn an_edit_of_a_text_is_loaded_alone() {
    let mut world = connected();
    let (survey, _) = surveyed(&mut world);
    let same = world.with_source(|source| survey.look(source)).unwrap();
    assert!(same.is_same() && same.edited.is_empty());
    assert_eq!(survey.renewed(&same), survey.bytes[..]);

    // A title, another link, a warning that was not there.
    world.replace("c.md", "Beans", "Soup");
    world.replace("c.md", "/food/b/", "/nowhere/");
    let sight = world.with_source(|source| survey.look(source)).unwrap();
    assert!(matches!(&sight.edited[..], [one] if one.is_retitled));
    assert_ne!(sight.problems, survey.problems);
    tells_all(&world, &sight);

    // From now on nothing is different, whether that is written down whole or
    // as what is different from before.
    let whole = read(survey.renewed(&sight));
    let mut bytes = survey.bytes.to_vec();
    let end = bytes.len();
    survey.put_edits(&sight, &mut bytes);
    let bytes = Arc::new(bytes);
    let mut edits = Survey::take(&bytes, end, &mut &bytes[..end]).unwrap();
    edits.take_edits(&mut &bytes[end..]).unwrap();
    for next in [&whole, &edits] {
        assert_eq!(next.problems, sight.problems);
        assert!(
            world
                .with_source(|source| next.look(source))
                .unwrap()
                .is_same()
        );
    }
    let rows = sight.edited.iter().filter_map(|one| one.remember.clone());
    for row in rows {
        world.remembered.retain(|known| known.id != row.id);
        world.remembered.push(row);
    }
    world.replace("c.md", "/nowhere/", "/food/b/");
    let sight = world.with_source(|source| edits.look(source)).unwrap();
    tells_all(&world, &sight);
    let again = world.with_source(|source| read(edits.renewed(&sight)).look(source));
    assert!(again.unwrap().is_same());
}

#[test]
fn whatever_may_concern_other_articles_needs_a_whole_load() {
    for (name, from, to) in [
        ("food/b.md", "tags", "tagz"),
        ("food/b.md", "## Two", "## Three"),
        ("food/b.md", "date", "draft = true\ndate"),
        ("food/b.md", "date", "slug = \"other\"\ndate"),
        ("food/b.md", "date", "updated = 2026-08-03\ndate"),
        ("food/b.md", "date", "withdrawn = 2027-01-01\ndate"),
        ("food/a/index.md", "p.png", "q.png"),
        ("food/_index.md", "Food", "Meals"),
        ("food/b.md", "+++", "no front matter"),
    ] {
        let mut world = connected();
        let (survey, _) = surveyed(&mut world);
        world.replace(name, from, to);
        let sight = world.with_source(|source| survey.look(source));
        assert!(sight.is_none(), "{name}: {from} -> {to}");
    }
    for name in ["new.md", "food/new.png"] {
        let mut world = connected();
        let (survey, _) = surveyed(&mut world);
        world.write(name, b"new");
        assert!(world.with_source(|source| survey.look(source)).is_none());
        fs::remove_file(world.path(name)).unwrap();
        assert!(world.with_source(|source| survey.look(source)).is_some());
    }
    let mut world = connected();
    let (survey, _) = surveyed(&mut world);
    fs::remove_file(world.path("c.md")).unwrap();
    assert!(world.with_source(|source| survey.look(source)).is_none());
}

#[test]
fn what_falls_due_needs_a_whole_load() {
    let mut world = connected();
    world.write(
        "later.md",
        b"+++\ntitle = \"Later\"\ndate = 2026-12-01T07:00:00+02:00\n+++\nText\n",
    );
    let (survey, _) = surveyed(&mut world);
    for (now, is_enough) in [
        ("2026-11-27T07:59:59+02:00", false),
        ("2026-11-27T08:00:00+02:00", true),
        ("2026-12-01T06:59:59+02:00", true),
        ("2026-12-01T07:00:00+02:00", false),
    ] {
        world.now = now;
        let sight = world.with_source(|source| survey.look(source));
        assert_eq!(sight.is_some(), is_enough, "{now}");
    }
}

#[test]
fn a_file_that_changed_just_now_makes_no_survey_or_is_read_again() {
    let mut world = connected();
    // No file counts as settled: a picture cannot be told by its bytes.
    assert!(world.load().survey.is_none());
    for name in ["food/a/p.png", "food/a/q.png"] {
        drop(fs::remove_file(world.path(name)));
    }
    world.rules.missing = crate::domain::problem::Level::Warning;
    let survey = read(world.load().survey.unwrap());
    assert!(survey.files.iter().all(|file| file.known.stamp.is_none()));
    let sight = world.with_source(|source| survey.look(source)).unwrap();
    assert!(sight.edited.is_empty(), "their bytes are the same");
    world.replace("c.md", "/food/b/", "/nowhere/");
    let sight = world.with_source(|source| survey.look(source)).unwrap();
    assert_eq!(sight.edited.len(), 1);
}

#[test]
fn an_error_leaves_no_survey() {
    let world = connected();
    world.write("broken.md", b"no front matter");
    assert!(world.load().survey.is_none());
}
