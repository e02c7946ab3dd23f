//! Whole folders through [`load`]: what a publication is promised.

use std::{fs, path::PathBuf, sync::atomic::AtomicUsize, sync::atomic::Ordering};

use tempfile::TempDir;

use super::*;
use crate::{
    content::pictures::tests::PNG,
    domain::{
        collection::Withheld,
        problem::Level,
        publication::{Author, parse_base_url},
    },
};

/// A publication in a temporary folder.
pub(in crate::content) struct World {
    pub(in crate::content) dir: TempDir,
    pub(in crate::content) publication: Publication,
    pub(in crate::content) rules: ContentRules,
    pub(in crate::content) remembered: Vec<Remembered>,
    pub(in crate::content) now: &'static str,
    /// What an earlier load kept.
    pub(in crate::content) cache: Cache,
    /// No file counts as settled unless a test says so.
    pub(in crate::content) since: DateTime<Utc>,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            publication: Publication {
                title: "The Bean".to_owned(),
                description: "On beans".to_owned(),
                base_url: parse_base_url("https://example.org/").unwrap(),
                language: "en".to_owned(),
                timezone: chrono_tz::Africa::Johannesburg,
                authors: vec![Author::named("The Editors")],
                id_authority: "example.org,2026".to_owned(),
                logo: None,
                icon: None,
                rights: None,
                theme: Default::default(),
            },
            rules: ContentRules {
                pages: true,
                permalink: "/{section}/{slug}/".to_owned(),
                smart_punctuation: false,
                missing: Level::Error,
            },
            remembered: Vec::new(),
            now: "2026-11-27T08:00:00+02:00",
            cache: Cache::default(),
            since: DateTime::UNIX_EPOCH,
        };
        fs::create_dir(world.dir.path().join("content")).unwrap();
        for (name, text) in files {
            world.write(name, text.as_bytes());
        }
        world
    }

    pub(in crate::content) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join("content").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(in crate::content) fn load(&self) -> Loaded {
        self.with_source(|source| load(source, &|_, _| {}).unwrap())
    }

    pub(in crate::content) fn with_source<T>(&self, see: impl FnOnce(&Source<'_>) -> T) -> T {
        let source = Source {
            root: self.dir.path(),
            dir: Path::new("content"),
            publication: &self.publication,
            rules: &self.rules,
            now: self.now.parse().unwrap(),
            remembered: &self.remembered,
            cache: &self.cache,
            since: self.since,
            is_surveyed: true,
        };
        see(&source)
    }

    pub(in crate::content) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("content").join(name)
    }

    /// Another file under the name, as editors do it.
    pub(in crate::content) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        fs::remove_file(self.path(name)).unwrap();
        self.write(name, text.replacen(from, to, 1).as_bytes());
    }

    fn problems(&self) -> Vec<String> {
        self.load()
            .problems
            .iter()
            .map(ToString::to_string)
            .collect()
    }
}

/// An article with a title, a date and `more` front matter in TOML.
fn article(more: &str, text: &str) -> String {
    let date = if more.contains("date =") {
        ""
    } else {
        "date = 2026-08-01\n"
    };
    format!("+++\ntitle = \"Beans\"\n{date}{more}\n+++\n{text}\n")
}

fn only(loaded: &Loaded) -> &crate::domain::article::Article {
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.collection.articles().len(), 1);
    &loaded.collection.articles()[0]
}

#[test]
fn both_front_matters_with_every_key_say_the_same() {
    let toml = "+++\r\ntitle = \"Beans:\\nall of them\"\r\ndate = 2026-08-01T07:00:00\r\n\
        updated = 2026-08-02\r\nslug = \"all-beans\"\r\nid = \"urn:beans\"\r\nkicker = \"Food\"\r\n\
        description = \"Short\"\r\nauthors = [{ name = \"A\", email = \"a@example.org\" }, \"B\"]\r\n\
        aliases = [\"old/beans\"]\r\nlanguage = \"en-ZA\"\r\nweight = 3\r\ntemplate = \"x.html\"\r\n\
        [taxonomies]\r\ntags = [\"Pulses\", \"pulses\", \"日本\"]\r\n[hero]\r\nsrc = \"p.png\"\r\n\
        alt = \"Beans\"\r\ncaption = \"Cap\"\r\ncredit = \"Us\"\r\n[extra]\r\nanything = true\r\n+++\r\nText\r\n";
    let yaml = "\u{FEFF}---\ntitle: \"Beans:\\nall of them\"\npublished: 2026-08-01 07:00\nlastmod: 2026-08-02\n\
        slug: all-beans\nguid: urn:beans\nkicker: Food\nsummary: Short\nauthor:\n  - name: A\n    \
        email: a@example.org\n  - B\nredirect_from: old/beans\nlang: en-ZA\nlayout: x\n\
        categories: [Pulses]\ntags: Pulses, 日本\ncover:\n  image: p.png\n  alt: Beans\n  caption: Cap\n  \
        credit: Us\n---\nText\n";
    let described = [toml, yaml].map(|text| {
        let world = World::new(&[("food/beans.md", text)]);
        world.write("food/p.png", PNG);
        let loaded = world.load();
        let article = only(&loaded);
        assert_eq!(article.url.as_str(), "https://example.org/food/all-beans/");
        assert_eq!(article.title, "Beans: all of them");
        assert_eq!(article.authors.len(), 2);
        assert_eq!(article.tags.len(), 2);
        assert_eq!(article.published.to_rfc3339(), "2026-08-01T07:00:00+02:00");
        let hero = article.hero.as_ref().unwrap();
        assert_eq!((hero.width, hero.height), (3, 2));
        assert_eq!(hero.url.as_str(), "https://example.org/food/p.png");
        assert_eq!(loaded.pictures[0].file, PathBuf::from("content/food/p.png"));
        format!("{article:?}")
    });
    assert_eq!(described[0], described[1]);
}

#[test]
fn every_fault_is_named_with_file_line_and_remedy() {
    for (more, text, part) in [
        (
            "titel = \"x\"",
            "",
            "a.md:4: error: unknown key `titel`; did you mean `title`?",
        ),
        ("zzz = 1", "", "a.md:4: error: unknown key `zzz`; remove it"),
        (
            "[hero]\nsource = \"p.png\"\nsrc = \"p.png\"\nalt = \"x\"",
            "",
            "a.md:5: error: unknown key `hero.source`",
        ),
        (
            "date = \"soon\"",
            "",
            "a.md:3: error: `soon` is not a date; write `2026-08-01`",
        ),
        ("date = 3", "", "error: `date` is not a date"),
        ("updated = \"x\"", "", "a.md:4: error: `x` is not a date"),
        (
            "updated = 2025-01-01",
            "",
            "a.md:4: warning: the article was updated before",
        ),
        (
            "updated = 2027-01-01",
            "",
            "a.md:4: warning: `updated` is still to come",
        ),
        (
            "slug = \"Not A Slug\"",
            "",
            "a.md:4: error: the slug `Not A Slug`",
        ),
        ("id = \"a b\"", "", "a.md:4: error: `a b` is not an id"),
        (
            "path = \"/:year/:title/\"",
            "",
            "a.md:4: error: `/:year/:title/` is not the path",
        ),
        ("path = \"../x\"", "", "error: `../x` is not the path"),
        (
            "draft = \"yes\"",
            "",
            "a.md:4: error: `draft` is neither true nor false",
        ),
        ("kicker = [1]", "", "a.md:4: error: `kicker` is not a text"),
        (
            "language = \"English please\"",
            "",
            "a.md:4: error: `English please` is not a language",
        ),
        (
            "hero = \"none.png\"",
            "",
            "a.md:4: error: there is no picture `none.png`",
        ),
        (
            "hero = \"p.png\"",
            "",
            "a.md:4: warning: the picture `p.png` has no alternative text",
        ),
        (
            "hero = \"no.jpg\"",
            "",
            "error: `no.jpg` is not a JPEG, PNG",
        ),
        (
            "hero = \"../../secret.png\"",
            "",
            "error: there is no picture",
        ),
        (
            "[hero]\nsrc = \"https://example.net/p.png\"\nalt = \"x\"",
            "",
            "warning: the picture `https://example.net/p.png` is on another site",
        ),
        (
            "enclosure = \"none.mp3\"",
            "",
            "a.md:4: error: there is no file `none.mp3`",
        ),
        (
            "enclosure = \"https://example.net/a.mp3\"",
            "",
            "a.md:4: error: nobody knows how long",
        ),
        (
            "enclosure = \"/audio/none.mp3\"",
            "",
            "a.md:4: error: there is no file `/audio/none.mp3`",
        ),
        (
            "[enclosure]\nsrc = \"no.jpg\"\nlength = 5",
            "",
            "a.md:4: warning: the enclosure `no.jpg` has 12 bytes, not 5",
        ),
        (
            "[enclosure]\nsrc = \"no.jpg\"\ntranscript = \"p.xyz\"",
            "",
            "a.md:4: error: players cannot read the transcript `p.xyz`",
        ),
        (
            "[enclosure]\nsrc = \"no.jpg\"\nepisodes = 5",
            "",
            "a.md:6: error: unknown key `enclosure.episodes`; did you mean `episode`?",
        ),
        (
            "withdrawn = \"soon\"",
            "",
            "a.md:4: error: `soon` is not a date",
        ),
        (
            "enclosure = \"p.xyz\"",
            "",
            "error: the kind of the enclosure `p.xyz` is unknown",
        ),
        (
            "",
            "a\n\n[x](none.md)",
            "a.md:8: error: the link `none.md` leads to no article",
        ),
        (
            "",
            "[x](@/b/target.md)",
            "a.md:6: error: the link `@/b/target.md` leads to no article; did you mean `@/target.md`?",
        ),
        (
            "",
            "[x](aa.md)",
            "a.md:6: error: the link `aa.md` leads to no article; correct the path",
        ),
        (
            "",
            "[x](target.md#none)",
            "a.md:6: warning: the link `target.md#none` names a heading that",
        ),
        (
            "",
            "[x](draft.md)",
            "a.md:6: warning: the link `draft.md` leads to an article that is not published",
        ),
        (
            "",
            "[x](/nowhere/)",
            "a.md:6: warning: the link `/nowhere/` leads to no article",
        ),
        ("", "[x](example.net/x)", "begin it with `https://`"),
        (
            "",
            "[x](javascript:x)",
            "a.md:6: warning: the link `javascript:x` begins with `javascript:`",
        ),
        (
            "",
            "![](p.png)",
            "a.md:6: warning: the picture `p.png` has no alternative text",
        ),
        (
            "",
            "![x](none.png)",
            "a.md:6: error: there is no picture `none.png`",
        ),
        ("", "![x](no.jpg)", "a.md:6: error: `no.jpg` is not a JPEG"),
        (
            "",
            "![x](/img/x.png)",
            "a.md:6: warning: the picture `/img/x.png` is not in the content folder",
        ),
        (
            "",
            "<img src=\"none.png\" alt=\"\">",
            "a.md:6: error: there is no picture `none.png`",
        ),
        (
            "",
            "{{ youtube(id=1) }}",
            "a.md:6: warning: unknown shortcode `youtube`, shown as text",
        ),
    ] {
        let world = World::new(&[
            ("a.md", &article(more, text)),
            ("target.md", &article("slug = \"target\"", "## A heading")),
            ("draft.md", &article("draft = true", "")),
            ("no.jpg", "this is text"),
            ("p.xyz", "?"),
        ]);
        world.write("p.png", PNG);
        let problems = world.problems();
        assert!(problems.len() == 1, "{more} {text}: {problems:#?}");
        assert!(problems[0].contains(part), "{more} {text}: {problems:#?}");
    }
}

#[test]
fn what_is_not_there_may_be_a_warning() {
    let mut world = World::new(&[
        (
            "a.md",
            &article(
                "hero = \"none.png\"\nenclosure = \"none.mp3\"",
                "![x](none.jpg) [y](none.md)",
            ),
        ),
        ("b.md", &article("slug = \"b\"", "![x](no.jpg)")),
        ("no.jpg", "this is text"),
    ]);
    let errors = world.load().problems;
    assert_eq!(errors.len(), 5, "{errors:#?}");
    assert!(errors.iter().all(Problem::is_error), "{errors:#?}");
    world.rules.missing = Level::Warning;
    let loaded = world.load();
    let found: Vec<_> = loaded
        .problems
        .iter()
        .map(|p| (p.level, p.what.as_str()))
        .collect();
    // A file that is there and broken stays an error.
    assert_eq!(
        found,
        [
            (Level::Warning, "there is no picture `none.png`"),
            (Level::Warning, "there is no file `none.mp3`"),
            (Level::Warning, "the link `none.md` leads to no article"),
            (Level::Warning, "there is no picture `none.jpg`"),
            (
                Level::Error,
                "`no.jpg` is not a JPEG, PNG, WebP, GIF, AVIF or SVG picture"
            ),
        ]
    );
    let article = &loaded.collection.articles()[0];
    assert!(article.hero.is_none() && article.enclosure.is_none());
}

#[test]
fn what_is_right_is_not_reported() {
    let text = "[a](target.md#a-heading) [b](/target/) [c](/old/) [d](/food/) [e](https://example.org/target)\n\n\
        `{{ x() }}` [f](#own) <mailto:a@example.org> [g](p.png) ![x](/p.png)\n\n## Own\n\n\
        ```\n{{ y() }} [x](none.md)\n```\n\n[r]\n\n[r]: target.md";
    let world = World::new(&[
        ("a.md", &article("", text)),
        (
            "target.md",
            &article("aliases = [\"/old/\"]", "## A heading!"),
        ),
        (
            "food/_index.md",
            "+++\ntitle = \"Food\"\nsort_by = \"date\"\n+++\n",
        ),
    ]);
    world.write("p.png", PNG);
    assert_eq!(world.problems(), [""; 0]);
}

#[test]
fn one_broken_file_never_stops_the_others() {
    let world = World::new(&[
        ("a.md", "+++\ntitle = \n+++\n"),
        ("b.md", "no front matter"),
        ("c.md", &article("", "good")),
        ("e.md", "---\ntitle: [\n---\n"),
        ("f.md", &article("", &"> ".repeat(120))),
        ("g.md", &article("", &"word ".repeat(120_000))),
        ("h.md", "+++\ntitle = \"No date\"\n+++\n"),
        ("i.md", "+++\ndate = 2026-08-01\n+++\nNo title"),
    ]);
    world.write("d.md", b"+++\ntitle = \"\xFF\"\n+++\n");
    let loaded = world.load();
    assert_eq!(loaded.collection.articles().len(), 1);
    let files: Vec<_> = loaded
        .problems
        .iter()
        .map(|p| p.file.display().to_string())
        .collect();
    let expected =
        ["a", "b", "d", "e", "f", "g", "h", "i"].map(|name| format!("content/{name}.md"));
    assert_eq!(files, expected, "{:#?}", loaded.problems);
    assert!(loaded.problems.iter().all(Problem::is_error));
}

#[test]
fn drafts_and_the_future_are_held_back_by_one_gate() {
    let world = World::new(&[
        ("a.md", &article("", "")),
        ("b.md", &article("draft = true", "[x](none.md)")),
        ("c.md", &article("date = 2026-11-27T08:00:01+02:00", "")),
        ("d.md", &article("date = 2026-11-27T08:00:00+02:00", "")),
        (
            "e.md",
            "---\ntitle: E\ndate: 2026-08-01\npublished: false\n---\n",
        ),
    ]);
    let loaded = world.load();
    let shown: Vec<_> = loaded
        .collection
        .articles()
        .iter()
        .map(|a| a.slug.as_str())
        .collect();
    assert_eq!(shown, ["d", "a"]);
    let held: Vec<_> = loaded
        .collection
        .held_back()
        .iter()
        .map(|h| &h.reason)
        .collect();
    assert!(
        matches!(
            held[..],
            [Withheld::Draft, Withheld::Future(_), Withheld::Draft]
        ),
        "{held:?}"
    );
    assert_eq!(loaded.problems.len(), 1, "a draft is checked all the same");
    assert_eq!(
        loaded.remember.len(),
        2,
        "only what readers saw is remembered"
    );
}

#[test]
fn doubles_are_reported_once_with_both_files() {
    for (a, b, what) in [
        (
            ("food/a.md", "id = \"urn:x\""),
            ("home/b.md", "id = \"urn:x\""),
            "the id `urn:x` is also that of content/food/a.md",
        ),
        (
            ("food/a.md", "slug = \"x\""),
            ("food/b.md", "slug = \"x\""),
            "the slug `x` is also that of content/food/a.md",
        ),
        (
            ("food/a.md", "path = \"x/y\""),
            ("home/b.md", "path = \"/x/y/\""),
            "the address https://example.org/x/y/ is also that of content/food/a.md",
        ),
        (
            ("food/a.md", ""),
            ("food.md", ""),
            "the address https://example.org/food/ is also that of a section",
        ),
        (
            ("food/a/index.md", ""),
            ("food/a.md", ""),
            "the slug `a` is also that of content/food/a/index.md",
        ),
        (
            ("food/a.md", ""),
            ("home/b.md", "path = \"/tags/x/atom.xml\""),
            "the address https://example.org/tags/x/atom.xml/ is that of a feed",
        ),
    ] {
        let world = World::new(&[(a.0, &article(a.1, "")), (b.0, &article(b.1, ""))]);
        let loaded = world.load();
        assert_eq!(loaded.problems.len(), 1, "{:#?}", loaded.problems);
        assert_eq!(loaded.problems[0].what, what);
        assert!(loaded.problems[0].is_error());
        assert_eq!(loaded.collection.articles().len(), 1);
    }
    let mut dated = World::new(&[
        ("blog/2025-01-01-x.md", "---\ntitle: A\n---\n"),
        ("blog/2026-01-01-x.md", "---\ntitle: B\n---\n"),
        ("home/x.md", &article("", "")),
    ]);
    dated.rules.permalink = "/{year}/{section}/{slug}/".to_owned();
    assert_eq!(dated.problems(), [""; 0]);
}

#[test]
fn addresses_follow_pattern_path_or_another_site() {
    for (file, more, url, is_elsewhere) in [
        (
            "food/beans.md",
            "",
            "https://example.org/food/beans/",
            false,
        ),
        ("beans.md", "", "https://example.org/beans/", false),
        (
            "food/beans.md",
            "section = \"Slow Living\"",
            "https://example.org/slow-living/beans/",
            false,
        ),
        (
            "food/beans.md",
            "path = \"2026/Beans ü\"",
            "https://example.org/2026/Beans%20%C3%BC/",
            false,
        ),
        (
            "food/beans.md",
            "url = \"/x/beans.html\"",
            "https://example.org/x/beans.html",
            false,
        ),
        (
            "food/beans.md",
            "url = \"https://Example.NET/ü\"",
            "https://example.net/%C3%BC",
            true,
        ),
        (
            "food/Größe & Co.md",
            "",
            "https://example.org/food/grosse-co/",
            false,
        ),
    ] {
        let world = World::new(&[(file, &article(more, ""))]);
        let loaded = world.load();
        let article = only(&loaded);
        assert_eq!(
            (article.url.as_str(), article.is_elsewhere),
            (url, is_elsewhere),
            "{file} {more}"
        );
    }
}

#[test]
fn an_id_survives_rename_redating_and_a_new_base_url() {
    let mut world = World::new(&[("food/old.md", &article("", "The text of it."))]);
    let first = world.load();
    let id = only(&first).id.clone();
    assert_eq!(id.as_str(), "tag:example.org,2026:2026-08-01/old");
    world.remembered = first.remember;

    fs::rename(
        world.dir.path().join("content/food/old.md"),
        world.dir.path().join("content/food/new.md"),
    )
    .unwrap();
    world.publication.base_url = parse_base_url("https://example.com/blog").unwrap();
    let renamed = world.load();
    assert_eq!(only(&renamed).id, id);
    assert_eq!(renamed.remember.len(), 1);
    world.remembered.extend(renamed.remember);

    world.write(
        "food/new.md",
        article("date = 2026-09-09", "Other text.").as_bytes(),
    );
    let edited = world.load();
    assert_eq!(only(&edited).id, id);
    assert_eq!(edited.remember.len(), 1, "the new text is remembered");
    world
        .remembered
        .retain(|row| row.source != "content/food/new.md");
    world.remembered.extend(edited.remember);
    assert_eq!(world.load().remember, []);
}

#[test]
fn articles_of_one_day_get_distinct_and_stable_times() {
    let files: Vec<(String, String)> = (0..200)
        .map(|n| (format!("a{n}.md"), article("updated = 2026-08-03", "")))
        .chain([0, 1].map(|n| {
            (
                format!("b{n}.md"),
                article("date = 2026-08-01T00:10:00", ""),
            )
        }))
        .collect();
    let borrowed: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let world = World::new(&borrowed);
    let times = |loaded: &Loaded| -> Vec<_> {
        loaded
            .collection
            .articles()
            .iter()
            .map(|a| (a.published, a.updated))
            .collect()
    };
    let first = times(&world.load());
    assert_eq!(first, times(&world.load()));
    let published: std::collections::HashSet<_> = first.iter().map(|t| t.0).collect();
    let updated: std::collections::HashSet<_> = first.iter().map(|t| t.1).collect();
    assert_eq!((published.len(), updated.len()), (202, 202));
    assert!(
        first
            .iter()
            .all(|(published, _)| published.date_naive().to_string() == "2026-08-01")
    );
}

#[test]
fn sections_come_from_folders_and_their_index() {
    let index = "---\ntitle: Good Food\ndescription: All of it\nentries: 5\nlanguage: af\npaginate_by: 3\n---\n";
    let world = World::new(&[
        ("_index.md", "+++\ntitle = \"The Bean\"\n+++\n"),
        ("food/_index.md", index),
        ("food/deep/er/x.md", &article("", "")),
        ("slow-living/y/index.md", &article("", "![a](p.png)")),
        ("empty/p.png", "x"),
        ("secret/z.md", &article("draft = true", "")),
    ]);
    world.write("slow-living/y/p.png", PNG);
    let loaded = world.load();
    assert_eq!(loaded.problems, []);
    let sections: Vec<_> = loaded.collection.sections().values().collect();
    let titles: Vec<_> = sections.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(titles, ["Good Food", "Slow living"]);
    assert_eq!(
        (sections[0].entries, sections[0].language.as_deref()),
        (Some(5), Some("af"))
    );
    let asset = &loaded.pictures[0];
    assert_eq!(
        asset.url.as_str(),
        "https://example.org/slow-living/y/p.png"
    );
    let section = loaded
        .collection
        .articles()
        .iter()
        .find(|a| a.slug.as_str() == "x")
        .unwrap();
    assert_eq!(section.section.as_ref().unwrap().as_str(), "food");
}

#[test]
fn hostile_titles_stay_plain_text() {
    for (toml, title) in [
        ("{{ secrets }} {% x %}", "{{ secrets }} {% x %}"),
        ("a <b>bold</b> &amp; \\\"x\\\"", "a <b>bold</b> &amp; \"x\""),
        ("x\\r\\nBcc: a@example.org\\u0000", "x Bcc: a@example.org"),
        ("\\u202Eevil", "evil"),
        ("-- straight \\\"quotes\\\"...", "-- straight \"quotes\"..."),
    ] {
        let mut world = World::new(&[(
            "a.md",
            &format!("+++\ntitle = \"{toml}\"\ndate = 2026-08-01\n+++\n"),
        )]);
        world.rules.smart_punctuation = true;
        assert_eq!(only(&world.load()).title, title);
    }
}

#[test]
fn a_missing_folder_is_named_and_progress_reaches_the_end() {
    let world = World::new(&[("a.md", &article("", "")), ("b.md", &article("", ""))]);
    let source = Source {
        root: world.dir.path(),
        dir: Path::new("none"),
        publication: &world.publication,
        rules: &world.rules,
        now: world.now.parse().unwrap(),
        remembered: &[],
        cache: &Cache::default(),
        since: DateTime::UNIX_EPOCH,
        is_surveyed: false,
    };
    let error = load(&source, &|_, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the content folder `none` does not exist"
    );
    let most = AtomicUsize::new(0);
    let source = Source {
        dir: Path::new("content"),
        ..source
    };
    load(&source, &|done, total| {
        assert_eq!(total, 2);
        most.fetch_max(done, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(most.into_inner(), 2);
}

#[test]
fn a_loaded_article_renders_with_its_own_links() {
    let world = World::new(&[
        (
            "food/a/index.md",
            &article("", "![p](p.png) [b](../b.md) [d](../../d.md)"),
        ),
        ("food/b.md", &article("", "")),
        ("d.md", &article("draft = true", "")),
    ]);
    world.write("food/a/p.png", PNG);
    let loaded = world.load();
    let article = loaded
        .collection
        .articles()
        .iter()
        .find(|a| a.slug.as_str() == "a")
        .unwrap();
    let renderer = Renderer::new(Arc::clone(&loaded.site));
    let bodies = renderer.render_all([article]).unwrap();
    let html = bodies[&article.id].html.as_str();
    for url in ["food/a/p.png", "food/b/", "d/"] {
        assert!(
            html.contains(&format!("\"https://example.org/{url}\"")),
            "{html}"
        );
    }
}

/// Articles that depend on each other in every way there is.
pub(in crate::content) fn connected() -> World {
    let world = World::new(&[
        ("food/_index.md", "+++\ntitle = \"Food\"\n+++\n"),
        (
            "food/a/index.md",
            &article(
                "[hero]\nsrc = \"p.png\"\nalt = \"x\"",
                "# One\n\n![p](p.png) [b](../b.md#two) [d](../../d.md) [c](../../c.md)",
            ),
        ),
        (
            "food/b.md",
            &article("tags = [\"x\", \"y\"]", "## Two\n\nText[^1].\n\n[^1]: Note"),
        ),
        (
            "c.md",
            &article("slug = \"cee\"", "<p id=x><a href=/food/b/>b</a></p>"),
        ),
        (
            "d.md",
            &article("draft = true", "[x](https://elsewhere.example.net/)"),
        ),
    ]);
    world.write("food/a/p.png", PNG);
    world
}

impl World {
    /// Loads with what the last load kept, and keeps what this one read.
    fn load_again(&mut self) -> Loaded {
        let mut loaded = self.load();
        if let Some(bytes) = loaded.cache.take() {
            self.cache = Cache::read(bytes);
        }
        loaded
    }

    /// Everything that a load without a cache says, and what it renders.
    fn told(&self, loaded: &Loaded) -> String {
        let renderer = Renderer::new(Arc::clone(&loaded.site));
        let articles = loaded.collection.articles();
        let bodies = renderer.render_all(articles).unwrap();
        let bodies: Vec<_> = articles.iter().map(|one| &bodies[&one.id]).collect();
        format!(
            "{articles:?} {bodies:?} {:?} {:?} {:?} {:?} {:?}",
            loaded.collection.sections(),
            loaded.collection.held_back(),
            loaded.problems,
            loaded.pictures,
            loaded.remember,
        )
    }

    fn cold(&self) -> String {
        let cold = Self {
            dir: tempfile::tempdir().unwrap(),
            publication: self.publication.clone(),
            rules: self.rules.clone(),
            remembered: self.remembered.clone(),
            cache: Cache::default(),
            ..*self
        };
        let from = self.dir.path().join("content");
        for entry in walkdir::WalkDir::new(&from) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(&from).unwrap();
                cold.write(name.to_str().unwrap(), &fs::read(entry.path()).unwrap());
            }
        }
        cold.told(&cold.load())
    }
}

#[test]
fn whatever_is_edited_a_load_with_a_cache_says_what_one_without_says() {
    let mut world = connected();
    // Small enough to be repeated: what is edited is what a reader may notice.
    let edits: [(&str, &str, &str); 12] = [
        ("food/b.md", "## Two", "## Three"),
        ("food/b.md", "Text", "Other text, \"quoted\""),
        ("c.md", "cee", "sea"),
        ("d.md", "draft = true", "draft = false"),
        ("c.md", "/food/b/", "/nowhere/"),
        ("food/a/index.md", "title = \"Beans\"", "title = \"Soup\""),
        ("food/a/index.md", "../b.md#two", "../b.md#three"),
        ("food/a/index.md", "p.png", "q.png"),
        ("food/b.md", "tags", "tagz"),
        ("food/b.md", "tagz", "tags"),
        ("food/_index.md", "Food", "Meals"),
        ("food/a/index.md", "q.png", "p.png"),
    ];
    for is_settled in [false, true] {
        if is_settled {
            // Whatever the files' times are, they are taken for old.
            world.since = DateTime::<Utc>::MAX_UTC;
        }
        for (name, from, to) in edits.into_iter().chain(edits.map(|(n, a, b)| (n, b, a))) {
            let path = world.dir.path().join("content").join(name);
            let text = fs::read_to_string(&path).unwrap().replace(from, to);
            // Another file under the name, as editors do it.
            fs::remove_file(&path).unwrap();
            world.write(name, text.as_bytes());
            let loaded = world.load_again();
            assert_eq!(world.told(&loaded), world.cold(), "{name}: {from} -> {to}");
        }
        world.rules.smart_punctuation ^= true;
        let loaded = world.load_again();
        assert_eq!(world.told(&loaded), world.cold());
    }
}

#[test]
fn what_has_not_changed_is_neither_read_nor_parsed_and_leaves_the_cache_alone() {
    let mut world = connected();
    world.since = DateTime::<Utc>::MAX_UTC;
    let first = world.load_again();
    let path = world.dir.path().join("content/food/b.md");
    let before = fs::metadata(&path).unwrap();
    let again = world.load();
    assert!(again.cache.is_none());
    assert_eq!(world.told(&again), world.told(&first));
    // Another text under the old size, name and time of change is noticed.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let text = fs::read(&path).unwrap();
        fs::write(&path, vec![b'x'; text.len()]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.len(), after.ino()), (before.len(), before.ino()));
        assert_ne!(after.ctime_nsec(), before.ctime_nsec());
        let said = world.problems();
        assert!(
            said.iter()
                .any(|line| line.contains("b.md:1: error: there is no front matter"))
        );
    }
}

#[test]
fn a_large_cache_is_not_written_again_for_a_few_articles() {
    let files: Vec<(String, String)> = (0..300)
        .map(|n| (format!("{n}.md"), article("", &format!("Text {n}"))))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&n[..], &t[..])).collect();
    let mut world = World::new(&files);
    world.since = DateTime::<Utc>::MAX_UTC;
    world.load_again();
    for (edited, is_written) in [(1, false), (2, false), (3, true), (4, false)] {
        world.write(&format!("{edited}.md"), article("", "Edited").as_bytes());
        let loaded = world.load();
        assert_eq!(loaded.cache.is_some(), is_written, "{edited} edited");
        assert_eq!(world.told(&loaded), world.cold(), "{edited} edited");
        world.load_again();
    }
    // What is there, and what is not, is always known.
    world.write("new.md", article("", "New").as_bytes());
    assert!(world.load_again().cache.is_none(), "it was taken");
    fs::remove_file(world.dir.path().join("content/new.md")).unwrap();
    let loaded = world.load();
    assert!(loaded.cache.is_some());
    assert_eq!(world.told(&loaded), world.cold());
}

#[test]
fn a_file_that_changed_just_now_is_read_again_whatever_its_entry_says() {
    let mut world = connected();
    let loaded = world.load_again();
    assert!(loaded.problems.iter().all(|problem| !problem.is_error()));
    // `since` is before every change, so no stamp was kept.
    let again = world.load();
    assert!(again.cache.is_none(), "the bytes are known by their hash");
    assert_eq!(world.told(&again), world.told(&loaded));
}

#[test]
fn a_cache_that_is_cut_damaged_or_not_ours_is_as_good_as_none() {
    let mut world = connected();
    world.since = DateTime::<Utc>::MAX_UTC;
    let cold = world.load();
    let whole = cold.cache.clone().unwrap();
    let told = world.told(&cold);
    let mut broken: Vec<Vec<u8>> = vec![Vec::new(), b"another program's file".to_vec()];
    broken.extend(
        (0..whole.len())
            .step_by(7)
            .map(|length| whole[..length].to_vec()),
    );
    let at_bit = |bit: usize| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    broken.extend((0..whole.len() * 8).step_by(37).map(at_bit));
    broken.push([&whole[..], b"more"].concat());
    let end = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let mut older = whole.clone();
    older[end - 1] = if older[end - 1] == b'0' { b'1' } else { b'0' };
    broken.push(older);
    for bytes in broken {
        world.cache = Cache::read(bytes);
        let loaded = world.load();
        assert_eq!(world.told(&loaded), told);
        assert_eq!(loaded.cache.as_ref(), Some(&whole), "it is made anew");
    }
    world.cache = Cache::read(whole);
    assert!(world.load().cache.is_none());
}
