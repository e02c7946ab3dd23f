//! Builds that use what earlier ones remember: they do less and publish the
//! same, whatever becomes of the memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use crate::dice::Dice;
use crate::press::Press;

const CACHES: [&str; 2] = [
    "letterpress.db.articles.cache",
    "letterpress.db.output.cache",
];

/// Articles that link to each other, with and without raw HTML, in two sections.
fn linked() -> Press {
    let press = Press::new();
    for number in 0..8 {
        let next = (number + 1) % 8;
        let raw = if number == 3 {
            "<p>Raw <a href=\"/food/story-5/\">five</a></p>\n"
        } else {
            ""
        };
        press.article(
            &format!("food/story-{number}.md"),
            &format!(
                "+++\ntitle = \"Story {number}\"\ndate = 2026-11-1{number}\ntags = [\"t{}\"]\n+++\n\
                 First words {number}.\n\n## Part {number}\n\n[Next](story-{next}.md#part-{next})\n\n{raw}",
                number % 3
            ),
        );
    }
    press
}

pub(crate) fn public(press: &Press, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = press.path(folder);
    let files = walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let name = entry.path().strip_prefix(&root).unwrap();
            (
                name.to_str().unwrap().to_owned(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// What a build without any memory publishes.
fn cold(press: &Press) -> BTreeMap<String, Vec<u8>> {
    for name in CACHES {
        drop(fs::remove_file(press.path(name)));
    }
    drop(fs::remove_dir_all(press.path("cold")));
    press.run(&["build", "--out", "cold"]).succeeds();
    public(press, "cold")
}

fn edit(press: &Press, file: &str, from: &str, to: &str) {
    let path = format!("content/{file}");
    let text = press.read(&path);
    assert!(text.contains(from), "{file} has no {from}");
    press.write(&path, &text.replacen(from, to, 1));
}

#[test]
fn whatever_is_edited_the_output_is_that_of_a_build_without_memory() {
    let press = linked();
    press.run(&["build"]).succeeds();
    let edits = [
        ("food/story-2.md", "Part 2", "Another part"),
        (
            "food/story-4.md",
            "title = \"Story 4\"",
            "title = \"A new name\"",
        ),
        ("food/story-5.md", "+++\n", "+++\nslug = \"fifth\"\n"),
        ("food/story-1.md", "+++\n", "+++\ndraft = true\n"),
        (
            "food/story-6.md",
            "tags = [\"t0\"]",
            "tags = [\"t1\", \"new\"]",
        ),
        ("food/story-7.md", "First words", "Other words"),
        ("food/story-1.md", "draft = true", "draft = false"),
    ];
    for (file, from, to) in edits {
        // The fourth article's link to a draft is a warning, no error.
        edit(&press, file, from, to);
        let saved: Vec<_> = CACHES
            .map(|name| fs::read(press.path(name)).unwrap())
            .into();
        press.run(&["build"]).succeeds();
        let found = public(&press, "public");
        let after: Vec<_> = CACHES
            .map(|name| fs::read(press.path(name)).unwrap())
            .into();
        assert_ne!(saved, after, "{file}: what was remembered is out of date");
        assert_eq!(found, cold(&press), "{file}: {from} -> {to}");
        for (name, bytes) in CACHES.iter().zip(after) {
            fs::write(press.path(name), bytes).unwrap();
        }
    }
    press.write(
        "templates/pages/article.html",
        "{{ article.title }}{{ article.html }}",
    );
    press.run(&["build"]).succeeds();
    assert_eq!(public(&press, "public"), cold(&press), "another template");
    press.set("publication.base_url", "https://elsewhere.example.org/");
    press.run(&["build"]).succeeds();
    assert_eq!(public(&press, "public"), cold(&press), "another address");
}

/// An article of which everything may change.
struct Story {
    file: String,
    title: u64,
    text: u64,
    tag: u64,
    day: u64,
    links_to: u64,
    is_draft: bool,
}

impl Story {
    fn new(number: u64, dice: &mut Dice) -> Self {
        Self {
            file: format!("part-{}/story-{number}.md", number % 4),
            title: number,
            text: 0,
            tag: dice.below(9),
            day: dice.below(28) + 1,
            links_to: number.saturating_sub(1),
            is_draft: false,
        }
    }

    fn write(&self, press: &Press) {
        let Self {
            file,
            title,
            text,
            tag,
            day,
            links_to,
            is_draft,
        } = self;
        press.article(
            file,
            &format!(
                "+++\ntitle = \"Story {title}\"\ndate = 2026-10-{day:02}\ntags = [\"t{tag}\"]\n\
                 authors = [\"A {}\"]\ndraft = {is_draft}\n+++\n\
                 Text {text}.\n\n## Part {text}\n\n[Some](../part-{}/story-{links_to}.md)\n",
                tag % 3,
                links_to % 4,
            ),
        );
    }

    fn change(&mut self, dice: &mut Dice) {
        match dice.below(7) {
            0 => self.title += 1_000,
            1 => self.tag = dice.below(9),
            2 => self.day = dice.below(28) + 1,
            3 => self.links_to = dice.below(260),
            4 => self.is_draft ^= true,
            // Saved, and nothing is different.
            5 => {}
            _ => self.text += 1,
        }
    }
}

#[test]
fn after_any_edits_a_build_with_memory_publishes_what_one_without_publishes() {
    let press = Press::new();
    press.set("content.pages", false);
    press.set("content.missing", "warning");
    // Archive documents stay as they were made, which is no matter of memory.
    press.set("feeds.archive", false);
    let mut dice = Dice::thrown();
    // So many that a few edits are not worth writing all of them down again.
    let mut stories: Vec<Story> = (0..260).map(|n| Story::new(n, &mut dice)).collect();
    stories.iter().for_each(|story| story.write(&press));
    settle(&press);
    press.run(&["build"]).succeeds();
    let mut next = 1_000;
    for round in 0..12 {
        let edits = if dice.percent(70) { 1 } else { 9 };
        for _ in 0..edits {
            let at = dice.below(stories.len() as u64) as usize;
            match dice.below(10) {
                0 => drop(fs::remove_file(
                    press.path(&format!("content/{}", stories.swap_remove(at).file)),
                )),
                1 => {
                    next += 1;
                    let story = Story::new(next, &mut dice);
                    story.write(&press);
                    stories.push(story);
                }
                2 => {
                    next += 1;
                    let story = &mut stories[at];
                    let old = press.path(&format!("content/{}", story.file));
                    story.file = format!("part-{}/renamed-{next}.md", next % 4);
                    let new = press.path(&format!("content/{}", story.file));
                    fs::rename(old, new).unwrap();
                }
                _ => {
                    stories[at].change(&mut dice);
                    stories[at].write(&press);
                }
            }
        }
        if dice.percent(50) {
            settle(&press);
        }
        press.run(&["build"]).succeeds();
        let found = public(&press, "public");
        let kept = CACHES.map(|name| fs::read(press.path(name)).unwrap());
        assert_eq!(found, cold(&press), "round {round}");
        for (name, bytes) in CACHES.iter().zip(kept) {
            fs::write(press.path(name), bytes).unwrap();
        }
    }
}

#[test]
fn an_edit_touches_only_what_shows_it() {
    let press = linked();
    press.run(&["build"]).succeeds();
    let page = |number: usize| press.path(&format!("public/food/story-{number}/index.html"));
    let inodes = || (0..8).map(|n| fs::metadata(page(n)).unwrap().ino());
    let before: Vec<u64> = inodes().collect();
    // A heading that is linked to: the page itself, and the one that links to
    // it. Raw HTML may refer to anything, so that page is made again, but
    // its bytes are the same.
    edit(
        &press,
        "food/story-5.md",
        "## Part 5",
        "## Part 5 {#own-name}",
    );
    press.run(&["build"]).succeeds();
    let after: Vec<u64> = inodes().collect();
    let changed: Vec<usize> = (0..8).filter(|&n| before[n] != after[n]).collect();
    assert_eq!(changed, [4, 5], "four links to it");
    // Its address: also its neighbours in time, and who links to it.
    edit(
        &press,
        "food/story-2.md",
        "+++\n",
        "+++\nslug = \"second\"\n",
    );
    press.run(&["build"]).succeeds();
    let moved: Vec<usize> = (0..8)
        .filter(|&n| n != 2 && fs::metadata(page(n)).unwrap().ino() != after[n])
        .collect();
    assert_eq!(moved, [1, 3]);
    press
        .run(&["build"])
        .succeeds()
        .says("0 new files, 0 changed");
}

#[test]
fn a_memory_that_is_cut_damaged_or_foreign_is_made_anew_without_a_word() {
    let press = linked();
    press.run(&["build"]).succeeds();
    let whole = public(&press, "public");
    for name in CACHES {
        let path = press.path(name);
        // One of which every file had settled: a file that has changed just
        // now has no stamp in it.
        fs::remove_file(&path).unwrap();
        press.run(&["build"]).succeeds();
        let good = fs::read(&path).unwrap();
        let middle = good.len() / 2;
        let mut flipped = good.clone();
        flipped[middle] ^= 4;
        let mut other_build = good.clone();
        let end = good.iter().position(|byte| *byte == b'\n').unwrap();
        other_build[end - 1] ^= 1;
        for bytes in [
            Vec::new(),
            good[..20].to_vec(),
            good[..middle].to_vec(),
            good[..good.len() - 1].to_vec(),
            flipped,
            other_build,
            b"a file of another program\n".to_vec(),
        ] {
            fs::write(&path, &bytes).unwrap();
            press.run(&["check"]).succeeds().conceals("cache");
            assert_eq!(fs::read(&path).unwrap(), bytes, "check writes nothing");
            press
                .run(&["build"])
                .succeeds()
                .conceals("cache")
                .says("0 new files, 0 changed");
            let again = fs::read(&path).unwrap();
            assert_eq!(again.len(), good.len(), "{name} is whole again");
        }
        // A folder in its place is somebody else's: nothing is remembered.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        press
            .run(&["build"])
            .succeeds()
            .says("0 new files, 0 changed");
        fs::remove_dir(&path).unwrap();
    }
    assert_eq!(public(&press, "public"), whole);
}

#[test]
fn a_published_file_that_somebody_changed_or_took_away_comes_back() {
    let press = linked();
    press.run(&["build"]).succeeds();
    let whole = public(&press, "public");
    for name in [
        "rss.xml",
        "rss.xml.gz",
        "food/story-3/index.html",
        "feeds.opml",
    ] {
        let path = press.path(&format!("public/{name}"));
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        // Of the same size and the same age.
        fs::write(&path, vec![b' '; whole[name].len()]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
        press.run(&["build"]).succeeds();
        assert_eq!(public(&press, "public"), whole, "{name} is as it was");
        fs::remove_file(&path).unwrap();
        press.run(&["build"]).succeeds();
        assert_eq!(public(&press, "public"), whole, "{name} is back");
    }
}

#[test]
fn builds_and_readers_at_the_same_time_leave_the_memory_whole() {
    let press = linked();
    press.run(&["build"]).succeeds();
    // An edit in the middle of a build would stop it: nothing of two versions
    // is published.
    for number in 0..4 {
        let file = format!("food/story-{number}.md");
        edit(&press, &file, "First", "Changed");
    }
    let running: Vec<_> = (0..4)
        .flat_map(|_| [press.spawn(&["build"]), press.spawn(&["check"])])
        .collect();
    for one in running {
        one.wait().succeeds();
    }
    press
        .run(&["build"])
        .succeeds()
        .says("0 new files, 0 changed");
    let found = public(&press, "public");
    assert_eq!(found, cold(&press));
}

/// Everything was saved an hour ago: what was saved just now is read again.
pub(crate) fn settle(press: &Press) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for file in press.files("content") {
        let file = fs::File::options().append(true).open(press.path(&file));
        file.unwrap().set_modified(hour_ago).unwrap();
    }
}

#[test]
fn a_build_without_news_opens_no_article() {
    let press = linked();
    press.write(
        "content/food/_index.md",
        "+++\ntitle = \"Food\"\npodcast = true\ncategory = \"Arts / Food\"\nexplicit = false\n\
         image = \"cover.png\"\nguid = \"917393e3-1b1e-5cef-ace4-edaa54e1f810\"\n\
         owner = { name = \"Thandi\", email = \"talk@example.org\" }\n+++\n",
    );
    press.picture("food/cover.png", 1400, 1400);
    edit(
        &press,
        "food/story-3.md",
        "tags =",
        "enclosure = { url = \"https://media.example.net/three.mp3\", length = 99 }\ntags =",
    );
    settle(&press);
    press.run(&["build"]).succeeds();
    assert!(press.path("public/sections/food/podcast.xml").exists());

    let wrapper = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=openat"];
    press.spawn_under(&wrapper, &["build"]).wait().succeeds();
    let trace = press.read("trace");
    assert!(trace.contains("letterpress.toml"), "{trace}");
    // What a section says of itself is small and read each time.
    let is_article = |line: &&str| line.contains(".md\"") && !line.contains("/_index.md");
    let opened = trace.lines().filter(is_article);
    assert_eq!(opened.collect::<Vec<_>>(), [""; 0]);

    edit(&press, "food/_index.md", "Thandi", "Sipho");
    press.run(&["build"]).succeeds();
    let podcast = press.read("public/sections/food/podcast.xml");
    assert!(podcast.contains("Sipho"), "{podcast}");
    assert_eq!(public(&press, "public"), cold(&press));
}
