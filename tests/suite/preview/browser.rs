//! The preview in a real browser, driven from outside by a script.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::client::Preview;
use crate::press::Press;
use crate::tools::{program, python};

/// A browser that does what lines say, and answers each with a line.
struct Browser {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Browser {
    fn start() -> Self {
        let script = "tests/suite/preview/browser.py";
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mut child = Command::new(python())
            .arg(script)
            .args([program("chromium"), program("chromedriver")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    #[track_caller]
    fn ask(&mut self, order: &[&str]) -> serde_json::Value {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", serde_json::to_string(order).unwrap()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{order:?}: {error}: {line:?}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its orders ends it, and the browser with it.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

#[test]
fn an_open_page_follows_a_save_and_no_page_troubles_a_browser() {
    let press = Press::new();
    press.article(
        "garden/hostile.md",
        "+++\ntitle = \"<script>document.title='x'</script> & </b>\"\ndate = 2026-11-26\n+++\n\
         <script>document.title = 'ran'</script> <img src=shade.png alt=Shade onerror=\"document.title='ran'\">\n\n\
         <iframe src=\"https://example.org/\"></iframe> `a very long word without any place to break it: \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`\n",
    );
    let preview = Preview::of(&press);
    let home = preview.home().as_str().trim_end_matches('/').to_owned();
    let mut browser = Browser::start();

    // A save is followed: on a page of the preview's own, and on the site.
    let apricots = press.read("content/food/apricots.md");
    let site = format!("http://{}/food/apricots/", preview.host());
    let article = format!("{home}/article/content/food/apricots.md");
    for (number, page) in [site, article].iter().enumerate() {
        browser.ask(&["open", page]);
        let title = format!("Bowl number {number}");
        press.write(
            "content/food/apricots.md",
            &apricots.replace("A bowl of apricots", &title),
        );
        let shown = browser.ask(&["wait for heading", &title]);
        assert_eq!(
            shown,
            serde_json::json!(title),
            "{page} shows the new title by itself"
        );
    }

    // Every view on a phone and on a desk, in both colours: nothing is wider
    // than the screen, the console is empty, pictures are there, and no script
    // of an article gave a page or a frame another title.
    for path in [
        "/",
        "/articles/",
        "/article/content/garden/hostile.md",
        "/article/content/garden/hostile.md?view=page",
        "/article/content/garden/hostile.md?view=source",
        "/article/content/garden/shade.md?view=page&scheme=dark",
        "/feeds/",
        "/feed/",
        "/feed/sections/garden/?view=atom.xml",
        "/issue/weekly/",
        "/issue/weekly/?scheme=forced",
        "/issue/weekly/?view=markup",
        "/issue/weekly/?view=source",
        "/inbox/",
        "/issue/weekly/?view=plan",
        "/site/",
    ] {
        let seen = browser.ask(&["look", &format!("{home}{path}")]);
        assert_eq!(seen["wide"], serde_json::json!([]), "{path}: {seen}");
        assert_eq!(seen["console"], serde_json::json!([]), "{path}: {seen}");
        assert_eq!(seen["broken"], serde_json::json!([]), "{path}: {seen}");
        let titles = seen["titles"].as_array().unwrap();
        assert!(!titles.is_empty(), "{path}: {seen}");
        for planted in ["x", "ran"] {
            assert!(!titles.contains(&planted.into()), "{path}: {seen}");
        }
    }
}
