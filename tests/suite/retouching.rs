//! Builds after edits: what was not edited is not loaded, and what is published
//! is what a build without any memory publishes, whatever else has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::caching::{public, settle};
use crate::dice::Dice;
use crate::press::Press;

/// What builds keep beside the ledger.
const KEPT: [&str; 4] = [
    "letterpress.db.articles.cache",
    "letterpress.db.edits.cache",
    "letterpress.db.output.cache",
    "letterpress.db.standing.cache",
];

/// How a build that loaded only what was edited ends its `-v` line.
const STANDS: &str = "all else stands";

/// An article of which everything may change.
#[derive(Clone, Debug)]
struct Story {
    file: String,
    title: u64,
    summary: u64,
    text: u64,
    heading: u64,
    tag: u64,
    author: u64,
    /// Days since the first of October 2026.
    day: u64,
    updated: Option<u64>,
    withdrawn: Option<u64>,
    links_to: u64,
    picture: Option<u64>,
    is_draft: bool,
    has_raw_html: bool,
}

fn date(days: u64) -> String {
    let first = chrono::NaiveDate::from_ymd_opt(2026, 10, 1).unwrap();
    (first + chrono::Days::new(days)).to_string()
}

impl Story {
    fn new(number: u64, dice: &mut Dice) -> Self {
        Self {
            file: format!("part-{}/story-{number}.md", number % 3),
            title: number,
            summary: 0,
            text: 0,
            heading: 0,
            tag: dice.below(7),
            author: dice.below(4),
            day: dice.below(75),
            updated: None,
            withdrawn: None,
            links_to: number.saturating_sub(1),
            picture: dice.percent(30).then(|| dice.below(3)),
            is_draft: false,
            has_raw_html: dice.percent(5),
        }
    }

    fn write(&self, press: &Press) {
        let mut text = format!(
            "+++\ntitle = \"Story {}\"\ndescription = \"About {}.\"\ndate = {}\n\
             tags = [\"t{}\"]\nauthors = [\"A {}\"]\ndraft = {}\n",
            self.title,
            self.summary,
            date(self.day),
            self.tag,
            self.author,
            self.is_draft,
        );
        for (key, day) in [("updated", self.updated), ("withdrawn", self.withdrawn)] {
            if let Some(day) = day {
                text.push_str(&format!("{key} = {}\n", date(day)));
            }
        }
        if let Some(picture) = self.picture {
            text.push_str(&format!(
                "hero = {{ src = \"/pictures/{picture}.png\", alt = \"A square\" }}\n"
            ));
        }
        let links_to = self.links_to;
        text.push_str(&format!(
            "+++\nText {}.\n\n## Part {{#id-{}}}\n\n[Some](../part-{}/story-{links_to}.md#part)\n",
            self.text,
            self.heading,
            links_to % 3,
        ));
        if self.has_raw_html {
            text.push_str(&format!(
                "\n<p><a href=\"/part-1/story-{links_to}/\">raw</a></p>\n"
            ));
        }
        press.article(&self.file, &text);
    }
}

/// A publication that is edited at random.
struct Edited {
    press: Press,
    dice: Dice,
    stories: Vec<Story>,
    next: u64,
    hours: u64,
    /// What was kept after earlier builds.
    older: Vec<Vec<Option<Vec<u8>>>>,
}

impl Edited {
    fn new(number: u64) -> Self {
        let press = Press::new();
        press.set("content.pages", false);
        press.set("content.missing", "warning");
        // Archive documents stay as they were made, which is no matter of memory.
        press.set("feeds.archive", false);
        let mut dice = Dice::thrown();
        for picture in 0..3 {
            press.picture(&format!("pictures/{picture}.png"), 10, 10);
        }
        let stories: Vec<Story> = (0..number).map(|n| Story::new(n, &mut dice)).collect();
        stories.iter().for_each(|story| story.write(&press));
        settle(&press);
        Self {
            press,
            dice,
            stories,
            next: 1_000,
            hours: 0,
            older: Vec::new(),
        }
    }

    /// Nearly always one text, as people edit; now and then anything else.
    fn change(&mut self) -> String {
        let kind = self.dice.below(40);
        match kind {
            0..22 => self.edit(),
            22..24 => self.files(),
            24..26 => self.others(),
            26..28 => self.settings(),
            28..33 => self.memory(),
            33..36 => self.output(),
            36..38 => self.hours += self.dice.below(100),
            38 => drop(self.press.run(&["check"])),
            _ => {}
        }
        format!("change of kind {kind}")
    }

    fn edit(&mut self) {
        let dice = &mut self.dice;
        let edits = if dice.percent(70) { 1 } else { 3 };
        for _ in 0..edits {
            let at = dice.below(self.stories.len() as u64) as usize;
            let story = &mut self.stories[at];
            match dice.below(24) {
                0..8 => story.text += 1,
                8..12 => story.summary += 1,
                12 => story.title += 1_000,
                13 => story.heading ^= 1,
                14 => story.tag = dice.below(8),
                15 => story.author = dice.below(5),
                16 => story.day = dice.below(75),
                17 => story.updated = dice.percent(80).then(|| dice.below(90)),
                18 => story.withdrawn = dice.percent(60).then(|| dice.below(90)),
                19 => story.links_to = dice.below(70),
                20 => story.is_draft ^= true,
                21 => story.picture = dice.percent(70).then(|| dice.below(4)),
                22 => story.has_raw_html ^= true,
                // Saved, and nothing is different.
                _ => {}
            }
            story.write(&self.press);
        }
    }

    fn files(&mut self) {
        let at = self.dice.below(self.stories.len() as u64) as usize;
        self.next += 1;
        match self.dice.below(3) {
            0 => {
                let gone = self.stories.swap_remove(at);
                fs::remove_file(self.press.path(&format!("content/{}", gone.file))).unwrap();
            }
            1 => {
                let story = Story::new(self.next, &mut self.dice);
                story.write(&self.press);
                self.stories.push(story);
            }
            _ => {
                let story = &mut self.stories[at];
                let old = self.press.path(&format!("content/{}", story.file));
                story.file = format!("part-{}/renamed-{}.md", self.next % 3, self.next);
                let new = self.press.path(&format!("content/{}", story.file));
                fs::rename(old, new).unwrap();
            }
        }
    }

    fn others(&mut self) {
        let number = self.dice.below(100);
        let side = 10 + u32::try_from(number).unwrap();
        match self.dice.below(4) {
            0 => self.press.picture("pictures/1.png", side, 10),
            1 => self.press.picture(&format!("pictures/{number}.png"), 5, 5),
            2 => self.press.write(
                "content/part-1/_index.md",
                &format!(
                    "+++\ntitle = \"Part {number}\"\nentries = {}\n+++\n",
                    number % 9 + 1
                ),
            ),
            _ => self.press.write(
                "templates/pages/article.html",
                &format!("{number}{{{{ article.title }}}}{{{{ article.html }}}}"),
            ),
        };
    }

    fn settings(&mut self) {
        let number = self.dice.below(30);
        match self.dice.below(4) {
            0 => self
                .press
                .set("publication.title", format!("Title {number}")),
            1 => self.press.set("feeds.entries", number as i64 + 1),
            2 => self.press.set(
                "feeds.content",
                if number < 15 { "full" } else { "summary" },
            ),
            _ => self
                .press
                .set("publication.rights", format!("All of {number}")),
        };
    }

    /// What is kept is lost, damaged, or that of an earlier build.
    fn memory(&mut self) {
        let at = self.dice.below(KEPT.len() as u64) as usize;
        let path = self.press.path(KEPT[at]);
        let Ok(mut bytes) = fs::read(&path) else {
            return;
        };
        match self.dice.below(4) {
            0 => fs::remove_file(&path).unwrap(),
            1 => {
                let place = self.dice.below(bytes.len() as u64) as usize;
                bytes[place] ^= 1 << self.dice.below(8);
                fs::write(&path, bytes).unwrap();
            }
            2 => {
                bytes.truncate(self.dice.below(bytes.len() as u64) as usize);
                fs::write(&path, bytes).unwrap();
            }
            _ => {
                let old = self.dice.below(self.older.len() as u64) as usize;
                // All of it, as from a backup, or one file.
                let all = self.dice.percent(50);
                let kept = self.older[old].clone();
                for (name, bytes) in KEPT.iter().zip(kept) {
                    if let Some(bytes) = bytes
                        && (all || *name == KEPT[at])
                    {
                        fs::write(self.press.path(name), bytes).unwrap();
                    }
                }
            }
        }
    }

    /// Somebody changes the output, or another build does.
    fn output(&mut self) {
        let files: Vec<String> = public(&self.press, "public").into_keys().collect();
        let file = &files[self.dice.below(files.len() as u64) as usize];
        let path = self.press.path(&format!("public/{file}"));
        match self.dice.below(4) {
            0 => fs::remove_file(path).unwrap(),
            1 => fs::write(path, "nothing").unwrap(),
            2 => drop(self.press.run(&["build", "--out", "elsewhere"])),
            _ => {
                // A build of which this memory knows nothing.
                let kept = KEPT.map(|name| fs::read(self.press.path(name)).ok());
                self.edit();
                self.build();
                for (name, bytes) in KEPT.iter().zip(kept) {
                    if let Some(bytes) = bytes {
                        fs::write(self.press.path(name), bytes).unwrap();
                    }
                }
            }
        }
    }

    fn clock(&mut self) {
        self.hours += self.dice.below(4);
        let start: chrono::DateTime<chrono::FixedOffset> = crate::press::FRIDAY.parse().unwrap();
        let now = start + chrono::TimeDelta::hours(self.hours as i64);
        self.press.at(&now.to_rfc3339());
    }

    /// Builds; what was said of it.
    fn build(&mut self) -> String {
        let built = self.press.run(&["-v", "build"]);
        built.succeeds();
        self.older
            .push(KEPT.map(|name| fs::read(self.press.path(name)).ok()).into());
        built.stderr
    }
}

/// What a build without memory makes of the same ledger, and what it says.
fn cold(press: &Press) -> (BTreeMap<String, Vec<u8>>, String) {
    let copy = press.copied();
    for name in KEPT {
        drop(fs::remove_file(copy.path(name)));
    }
    drop(fs::remove_dir_all(copy.path("public")));
    let built = copy.run(&["-v", "build"]);
    built.succeeds();
    (public(&copy, "public"), built.stderr)
}

/// What is wrong with articles.
fn warnings(told: &str) -> Vec<&str> {
    let lines = told.lines();
    lines.filter(|line| line.contains(": warning: ")).collect()
}

#[test]
fn after_any_change_a_build_publishes_what_one_without_memory_publishes() {
    let mut edited = Edited::new(60);
    edited.build();
    let rounds = std::env::var("LETTERPRESS_TEST_ROUNDS");
    let rounds = rounds.map_or(40, |text| text.parse().unwrap());
    let mut retouched = 0;
    for round in 0..rounds {
        let change = edited.change();
        edited.clock();
        let (expected, told_cold) = cold(&edited.press);
        let told = edited.build();
        retouched += usize::from(told.contains(STANDS));
        assert_eq!(
            warnings(&told),
            warnings(&told_cold),
            "round {round}, {change}"
        );
        let found = public(&edited.press, "public");
        let differing: BTreeSet<&String> = found
            .keys()
            .chain(expected.keys())
            .filter(|name| found.get(*name) != expected.get(*name))
            .collect();
        assert!(
            differing.is_empty(),
            "round {round}, {change}: {differing:?}"
        );
    }
    // Often enough to have been tried at all.
    assert!(retouched > 2, "{retouched} of {rounds}");
}

#[test]
fn an_edit_opens_the_edited_article_and_no_other() {
    let mut press = Press::new();
    press.set("content.pages", false).set("feeds.entries", 1);
    press.set("feeds.archive", false);
    for day in 1..=8 {
        let text = format!(
            "+++\ntitle = \"Soup {day}\"\ndate = 2026-11-2{day}\ntags = [\"soup\"]\n+++\n\
             First words, [and before](soup-{}.md).\n",
            day.max(2) - 1
        );
        press.article(&format!("food/soup-{day}.md"), &text);
    }
    settle(&press);
    press.at("2026-11-29T08:00:00+02:00");
    press.run(&["build"]).succeeds();
    // The newest one is all that its feeds show; the second one no feed shows.
    for (file, changed) in [
        ("soup-8.md", "0 new files, 12 changed"),
        ("soup-2.md", "0 new files, 0 changed"),
    ] {
        // What was edited a moment ago is not trusted yet.
        settle(&press);
        press.run(&["build"]).succeeds();
        let path = format!("content/food/{file}");
        let text = press.read(&path);
        press.write(&path, &text.replace("First words", "Other words"));
        let wrapper = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=openat"];
        let build = ["-v", "build"];
        let built = press.spawn_under(&wrapper, &build).wait();
        built.succeeds().says(STANDS).says(changed);
        let trace = press.read("trace");
        let opened: BTreeSet<&str> = trace
            .lines()
            .filter(|line| line.contains(".md\""))
            .filter_map(|line| line.split('"').nth(1)?.rsplit('/').next())
            .collect();
        assert_eq!(opened, BTreeSet::from([file]), "{trace}");
        assert_eq!(public(&press, "public"), cold(&press).0, "{file}");
    }
}
