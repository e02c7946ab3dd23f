//! A preview follows its publication through everything that takes the place of
//! a folder: another branch, a copy, a link that leads elsewhere now.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::client::{Events, Preview};
use crate::press::Press;

const ARTICLE: &str = "food/apricots.md";

/// A preview with an open page.
struct Open {
    press: Press,
    preview: Preview,
    events: Events,
}

impl Open {
    fn new(press: Press) -> Self {
        let preview = Preview::of(&press);
        let mut events = preview.listen();
        assert!(events.next().is_some(), "the version that is shown");
        Self {
            press,
            preview,
            events,
        }
    }

    /// Waits until a page says `text`: after each event it is looked at again.
    #[track_caller]
    fn shows(&mut self, path: &str, text: &str) {
        while !self.preview.page(path).contains(text) {
            self.events.next().unwrap();
        }
    }

    /// A copy of the content folder where the article has another title.
    fn copied(&self, title: &str) -> String {
        let copy = format!("{}.copy", self.press.path("content").display());
        coreutils(&["cp", "-r", &self.content(), &copy]);
        retitle(&Path::new(&copy).join(ARTICLE), title);
        copy
    }

    fn content(&self) -> String {
        self.press.path("content").display().to_string()
    }

    /// The folder that is there now is followed as the first one was.
    #[track_caller]
    fn follows(&mut self, title: &str) {
        self.shows("/rss.xml", title);
        let edited = format!("{title}, edited");
        retitle(&self.press.path("content").join(ARTICLE), &edited);
        self.shows("/rss.xml", &edited);
    }
}

fn retitle(article: &Path, title: &str) {
    let text = fs::read_to_string(article).unwrap();
    let old = text.lines().find(|line| line.starts_with("title")).unwrap();
    let text = text.replacen(old, &format!("title = \"{title}\""), 1);
    fs::write(article, text).unwrap();
}

#[track_caller]
fn coreutils(command: &[&str]) {
    let ended = Command::new(command[0]).args(&command[1..]).status();
    assert!(ended.unwrap().success(), "{command:?}");
}

#[test]
fn a_content_folder_that_was_replaced_is_followed_like_the_first_one() {
    let mut open = Open::new(Press::new());
    let content = open.content();

    // 1. Removed and copied anew, a thousand files between.
    let copy = open.copied("Removed and copied");
    for n in 0..1000 {
        fs::write(format!("{copy}/food/note-{n}.txt"), "A note.").unwrap();
    }
    fs::remove_dir_all(&content).unwrap();
    coreutils(&["cp", "-r", &copy, &content]);
    open.follows("Removed and copied");
    fs::remove_dir_all(&copy).unwrap();

    // 2. Another folder is moved to its place.
    let copy = open.copied("Moved");
    fs::rename(&content, format!("{content}.old")).unwrap();
    fs::rename(&copy, &content).unwrap();
    open.follows("Moved");

    // 3. Away for a while.
    let copy = open.copied("Back");
    fs::remove_dir_all(&content).unwrap();
    open.shows("/_preview/", "cannot be read since");
    fs::rename(&copy, &content).unwrap();
    open.follows("Back");
}

#[test]
fn a_content_folder_deep_in_the_publication_may_be_replaced_with_those_above_it() {
    let press = Press::new();
    let deep = press.path("site/pages");
    fs::create_dir_all(&deep).unwrap();
    fs::rename(press.path("content"), deep.join("content")).unwrap();
    press.set("content.dir", "site/pages/content");
    let mut open = Open::new(press);
    let article = open.press.path("site/pages/content").join(ARTICLE);
    for title in ["Another site", "A third one"] {
        let (site, other) = (open.press.path("site"), open.press.path("other"));
        coreutils(&["cp", "-r", site.to_str().unwrap(), other.to_str().unwrap()]);
        retitle(&other.join("pages/content").join(ARTICLE), title);
        fs::rename(&site, open.press.path(&format!("old {title}"))).unwrap();
        fs::rename(&other, &site).unwrap();
        open.shows("/rss.xml", title);
        let edited = format!("{title}, edited");
        retitle(&article, &edited);
        open.shows("/rss.xml", &edited);
    }
}

#[test]
fn templates_behind_a_link_are_followed_when_it_leads_elsewhere() {
    let press = Press::new();
    for folder in ["one", "two"] {
        press.write(
            &format!("{folder}/pages/article.html"),
            &format!("<p>Made by {folder}</p>"),
        );
    }
    symlink("one", press.path("templates")).unwrap();
    let mut open = Open::new(press);
    open.shows("/food/apricots/", "Made by one");
    symlink("two", open.press.path("next")).unwrap();
    fs::rename(open.press.path("next"), open.press.path("templates")).unwrap();
    open.shows("/food/apricots/", "Made by two");
    open.press.write("two/pages/article.html", "<p>Edited</p>");
    open.shows("/food/apricots/", "Edited");
}
