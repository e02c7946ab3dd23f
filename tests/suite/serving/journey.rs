//! The whole way of a reader, in a real browser and through a real mail server:
//! in by a form, a letter, another as chosen, and out by a page.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::{Served, path_to, unsubscribe_path};
use crate::mailbox::Mail;
use crate::postfix::{Options, Postfix};
use crate::press::Press;
use crate::tools::{program, python};

/// A browser that does what lines say, and answers each with a line.
struct Browser {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    /// One whose reader has set this language.
    fn start(language: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/serving/journey.py");
        let mut command = Command::new(python());
        command
            .arg(script)
            .args([program("chromium"), program("chromedriver")])
            .arg(language);
        // `PICTURES=folder` keeps a picture of every page, to look at.
        if let Some(folder) = std::env::var_os("PICTURES") {
            command.arg(folder);
        }
        let mut child = command
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

    #[track_caller]
    fn open(&mut self, served: &Served, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", served.port());
        self.ask(&["open", &url]).as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn press(&mut self, button: &str) -> String {
        self.ask(&["press", button]).as_str().unwrap().to_owned()
    }

    /// Nothing on this page is in anybody's way, on no screen.
    #[track_caller]
    fn audit(&mut self, name: &str) {
        assert_eq!(self.ask(&["audit", name]), serde_json::json!([]), "{name}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its orders ends it, and the browser with it.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// The newest mail of an address with this subject, once it has come.
#[track_caller]
fn mail(postfix: &Postfix, address: &str, subject: &str) -> Mail {
    let begin = Instant::now();
    loop {
        let delivered = postfix.delivered();
        let own = delivered.iter().filter(|one| one.recipient == address);
        let found = own
            .map(|one| Mail::parse(&one.data))
            .find(|mail| mail.subject.contains(subject));
        if let Some(mail) = found {
            return mail;
        }
        let subjects: Vec<_> = delivered
            .iter()
            .map(|one| Mail::parse(&one.data).subject)
            .collect();
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "no {subject} for {address}: {subjects:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status_of(press: &Press, address: &str) -> String {
    let shown = press.run(&["--format", "json", "subscribers", "show", address]);
    shown.json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_reader_joins_confirms_reads_chooses_and_leaves_without_a_script_or_a_login() {
    let postfix = Postfix::start(&Options::default());
    let mut press = Press::new();
    press.subscribers(1).relay(&postfix.url());
    press.config(|settings| {
        let digests = settings["digest"].as_array_mut().unwrap();
        let mut second = digests[0].clone();
        let table = second.as_table_mut().unwrap();
        table.insert("name".to_owned(), "monthly".into());
        table.insert("title".to_owned(), "The Garden Table, monthly".into());
        table.insert("schedule".to_owned(), "0 7 1 * *".into());
        digests.push(second);
    });
    press.run(&["build"]).succeeds();
    let reader = "naledi@example.org";
    let served = Served::of(&press);
    let mut browser = Browser::start("en");

    // In by the form: first without a digest, then as it should be.
    assert_eq!(browser.open(&served, "/subscribe"), "Subscribe");
    browser.audit("subscribe");
    browser.ask(&["fill", "#email", reader]);
    browser.ask(&["fill", "#name", "Naledi"]);
    std::thread::sleep(Duration::from_millis(3100));
    assert_eq!(browser.press("button"), "Subscribe");
    browser.audit("subscribe-again");
    browser.ask(&["tick", "input[value=weekly]"]);
    std::thread::sleep(Duration::from_millis(3100));
    assert_eq!(browser.press("button"), "Look into your mailbox");
    browser.audit("asked");

    // The mail that asks, through the mail server, and the yes.
    press.run(&["run"]).succeeds();
    let asked = mail(&postfix, reader, "confirm");
    assert!(
        !asked.text.clone().unwrap().contains("Naledi"),
        "nothing that was typed"
    );
    assert_eq!(
        browser.open(&served, &path_to("confirm", &asked)),
        "One more step"
    );
    browser.audit("confirm");
    assert_eq!(status_of(&press, reader), "pending");
    assert_eq!(browser.press("button"), "You are on the list");
    browser.audit("confirmed");
    assert_eq!(status_of(&press, reader), "active");

    // The next issue comes, and leads to the page of choices.
    let issue = |press: &mut Press, day: u32| {
        for (section, title) in [("food", "Plums"), ("garden", "Hedges")] {
            press.article(
                &format!("{section}/new-{day}.md"),
                &format!("+++\ntitle = \"{title} {day}\"\ndate = 2026-12-{day:02}\n+++\nText.\n"),
            );
        }
        press.at(&format!("2026-12-{:02}T08:00:00+02:00", day + 1));
        press.run(&["send", "weekly"]).succeeds();
    };
    issue(&mut press, 2);
    let first = mail(&postfix, reader, "2 and");
    let text = first.text.clone().unwrap();
    assert!(
        text.contains("Plums 2") && text.contains("Hedges 2"),
        "{text}"
    );
    assert_eq!(
        browser.open(&served, &path_to("preferences", &first)),
        "What you get"
    );
    browser.audit("preferences");
    browser.ask(&["tick", "input[value=food]"]);
    browser.ask(&["choose", "#pause", "none"]);
    browser.ask(&["tick", "input[value=summary]"]);
    assert_eq!(browser.press("button[value=save]"), "What you get");
    assert!(
        browser
            .ask(&["text"])
            .as_str()
            .unwrap()
            .starts_with("What you get\nSaved.")
    );
    browser.audit("saved");

    // The one after that follows the choice.
    issue(&mut press, 9);
    let second = mail(&postfix, reader, "Plums 9");
    let text = second.text.clone().unwrap();
    assert!(
        text.contains("Plums 9") && !text.contains("Hedges 9"),
        "{text}"
    );

    // Out by the page; the browser was given nothing to remember.
    assert_eq!(
        browser.open(&served, &unsubscribe_path(&second)),
        "Unsubscribe"
    );
    browser.audit("leave");
    browser.ask(&["tick", "input[value=all]"]);
    assert_eq!(browser.press("button"), "You are unsubscribed");
    browser.audit("left");
    assert_eq!(status_of(&press, reader), "unsubscribed");
    assert_eq!(browser.ask(&["cookies"]), serde_json::json!([]));

    // And from the other one's mailbox, as its provider sends it: out of the
    // digest whose letter was clicked.
    let other = &crate::press::reader_address(1);
    let click = unsubscribe_path(&mail(&postfix, other, "2 and"));
    served.one_click(&click).is(200);
    let told = press.run(&["why", other]);
    assert!(told.stdout.contains("digests=monthly"), "{told}");
    served.end().succeeds();
}

#[test]
fn a_page_in_arabic_runs_from_right_to_left_and_is_in_nobodys_way() {
    let press = super::sent(1);
    press.set("publication.language", "ar");
    let path = path_to("preferences", &super::client::mails(&press)[0].1);
    let served = Served::of(&press);
    let mut browser = Browser::start("ar");
    assert_eq!(browser.open(&served, &path), "ما يصلك");
    browser.audit("preferences-ar");
    assert_eq!(browser.open(&served, "/subscribe"), "اشترك");
    browser.audit("subscribe-ar");
    assert!(
        served
            .get(&path)
            .text()
            .contains("<html lang=\"ar\" dir=\"rtl\">")
    );
    served.end().succeeds();
}
