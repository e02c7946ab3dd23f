//! `plan`, `render`, `send`, `issues`, `status`, `why`, `uncertain`.

use super::{planned, snapshot};
use crate::mailbox::Mail;
use crate::net::free_port;
use crate::press::Press;

#[test]
fn a_plan_tells_when_to_how_many_and_why() {
    let press = Press::new();
    press.subscribers(3);
    press.set_digest("max_articles", 3);
    let plan = press.run(&["plan", "weekly", "--count", "2"]);
    plan.succeeds()
        .prints("schedule 0 7 * * FRI Africa/Johannesburg, to 3 readers")
        .prints("issue 1, due since Friday 27 November 2026, 07:00")
        .prints("subject: A bowl of apricots and 2 more")
        .prints("in   A bowl of apricots")
        .prints("out  Flatbread on coals (older than the articles of the first issue)")
        .prints("issue 2, not before Friday 4 December 2026, 07:00")
        .prints("would be skipped: no new article")
        .prints("out  A bowl of apricots (already in issue 1)");
    let document = press.run(&["--format", "json", "plan"]).json();
    let issue = &document[0]["issues"][0];
    assert_eq!(issue["slot"], "2026-11-27T07:00");
    assert_eq!(issue["at"], "2026-11-27T07:00:00+02:00");
    assert_eq!(issue["is_due"], true);
    assert_eq!(issue["articles"], 3);
    assert_eq!(issue["considered"].as_array().unwrap().len(), 4);
    press
        .run(&["plan", "monthly"])
        .exits(2)
        .says("there is no digest `monthly`")
        .says("letterpress.toml has: weekly");
}

#[test]
fn a_plan_counts_the_readers_that_the_first_run_will_bring() {
    let press = Press::new();
    press.write(
        "seed.csv",
        "email,status\na@example.org,active\nb@example.org,active\nc@example.org,pending\n",
    );
    press.set("subscribers.seed_file", "seed.csv");
    press.run(&["plan"]).prints("to 2 readers");
    press
        .run(&["send", "weekly", "--dry-run"])
        .prints("to 2 readers");
    assert!(!press.database().exists());
    press.run(&["run"]).succeeds();
    assert_eq!(press.files("outbox").len(), 2);
}

#[test]
fn a_rendering_is_three_files_that_agree_and_leaves_the_ledger_alone() {
    let press = Press::new();
    press.subscribers(1);
    let before = planned(&press);
    press
        .run(&["render", "weekly", "--out", "preview"])
        .succeeds()
        .prints("preview/issue.html")
        .says("issue weekly/1: A bowl of apricots and 3 more");
    let mail = Mail::parse(&press.read_bytes("preview/issue.eml"));
    assert_eq!(mail.subject, "A bowl of apricots and 3 more");
    let same_lines = |a: &str, b: &str| {
        assert_eq!(
            a.lines().map(str::trim_end).collect::<Vec<_>>(),
            b.lines().map(str::trim_end).collect::<Vec<_>>()
        );
    };
    // The file shows the pictures that stand beside it.
    let html = mail.html.as_deref().unwrap();
    let html = html.replace("https://garden.example.org/mail/", "mail/");
    same_lines(&html, &press.read("preview/issue.html"));
    same_lines(
        mail.text.as_deref().unwrap(),
        &press.read("preview/issue.txt"),
    );
    assert_eq!(planned(&press), before);
    press
        .run(&["issues", "list"])
        .succeeds()
        .says("no issue yet");
}

#[test]
fn every_kind_of_message_can_be_looked_at() {
    let press = Press::new();
    let render =
        |arguments: &[&str]| press.run(&[&["render"][..], arguments, &["--out", "out"]].concat());
    render(&["weekly", "--kind", "letter"])
        .succeeds()
        .prints("out/issue.html");
    assert!(press.read("out/issue.txt").contains("3 more stories"));
    for (notice, subject) in [
        ("confirm", "Please confirm: The Garden Table, weekly"),
        ("welcome", "Welcome to The Garden Table, weekly"),
        ("goodbye", "You have left The Garden Table, weekly"),
    ] {
        render(&["--kind", notice])
            .succeeds()
            .prints(&format!("out/{notice}.eml"))
            .says(&format!("{notice}: {subject}"));
        let mail = Mail::parse(&press.read_bytes(&format!("out/{notice}.eml")));
        assert_eq!(mail.subject, subject);
    }
    render(&["weekly", "--kind", "leter"])
        .exits(2)
        .says("there is no kind `leter`")
        .says("did you mean `letter`?");
    assert!(!press.database().exists());
    press.config(|settings| drop(settings.remove("serve")));
    render(&["--kind", "confirm"])
        .exits(78)
        .says("set `serve.public_url`");
}

#[test]
fn what_templates_see_can_be_looked_at() {
    let press = Press::new();
    press
        .run(&["render", "weekly", "--context"])
        .succeeds()
        .prints("issue.lead.title ")
        .prints("\"A bowl of apricots\"")
        .prints("list of 4");
    let seen = press
        .run(&["--format", "json", "render", "weekly", "--context"])
        .json();
    assert_eq!(seen["issue"]["lead"]["title"], "A bowl of apricots");
    assert_eq!(seen["issue"]["lead"]["shown"], "summary");
    assert_eq!(
        seen["issue"]["web_url"],
        "https://garden.example.org/letters/weekly/1/"
    );
    // A sample reader, and no mark of a slot.
    assert_eq!(seen["reader"]["name"], "Thandi Mokoena");
    assert!(!seen.to_string().contains("lpslot"));
}

#[test]
fn a_fault_of_any_template_or_catalogue_is_found_by_check() {
    let press = Press::new();
    press.write(
        "templates/weekly/issue.txt",
        "one\n{% if false %}{{ words(key=\"read-onn\") }}{% endif %}\n{{ issue.leed.title }}\n",
    );
    press.write("templates/welcome/message.txt", "{{ reader.nam }}\n");
    press.write("templates/words/en.ftl", "sent-to = To { $adress }\n");
    press
        .run(&["check"])
        .exits(65)
        .prints("templates/weekly/issue.txt:2: error: word `read-onn` is not defined; did you mean `read-on`?")
        .prints("templates/weekly/issue.txt:3: error: field `leed` is not defined; did you mean `lead`?")
        .prints("templates/welcome/message.txt:1: error: field `nam` is not defined; did you mean `name`?")
        .prints("templates/words/en.ftl:1: error: `sent-to` cannot be said");
}

#[test]
fn a_language_without_words_is_told_and_a_catalogue_of_ones_own_ends_that() {
    let press = Press::new();
    press.set("publication.language", "xh-ZA");
    press
        .run(&["check"])
        .succeeds()
        .prints("no catalogue of words in `xh-ZA`")
        .prints("write templates/words/xh.ftl");
    press.write("templates/words/xh.ftl", "unsubscribe = Yeka\n");
    press
        .run(&["check"])
        .succeeds()
        .conceals("no catalogue of words")
        .prints("templates/words/xh.ftl: warning: lacks ")
        .prints(" words; until then these are English: weekday, ");
    press.run(&["render", "weekly", "--out", "out"]).succeeds();
    let text = press.read("out/issue.txt");
    assert!(text.contains("Yeka:\nhttps://"), "{text}");
}

#[test]
fn the_theme_has_a_logo_of_letters_and_a_foot_for_letters_and_pages() {
    let press = Press::new();
    press.picture("icon.png", 100, 100);
    press.picture("letterhead.png", 480, 96);
    press.set("publication.logo", "content/icon.png");
    press.set("theme.logo", "content/letterhead.png");
    press.set("theme.footer", "A word at the foot.");
    press.config(|settings| {
        let mut light = toml::Table::new();
        light.insert("accent".to_owned(), "#0b5d4e".into());
        settings["theme"]
            .as_table_mut()
            .unwrap()
            .insert("light".to_owned(), light.into());
    });
    press.subscribers(1);
    press.run(&["run"]).succeeds();
    let letter = press.files("outbox");
    let mail = Mail::parse(&press.read_bytes(&letter[0]));
    let html = mail.html.unwrap();
    // Shown at half its size, and sharp.
    assert!(html.contains("width=\"240\" height=\"48\""), "{html}");
    assert!(html.contains("A word at the foot.") && html.contains("#0b5d4e"));
    assert!(mail.text.unwrap().contains("A word at the foot."));
    assert!(press.path("public/letterhead.png").exists());
    let home = press.read("public/index.html");
    assert!(home.contains("A word at the foot.") && home.contains("/icon.png"));
    assert!(
        press
            .read("public/style.css")
            .contains("--accent: #0b5d4e;")
    );
}

#[test]
fn a_dry_run_and_a_test_change_nothing_and_the_articles_still_go_out() {
    let press = Press::new();
    press.subscribers(2);
    let before = planned(&press);
    assert_eq!(before.len(), 4);
    press
        .run(&["send", "weekly", "--dry-run"])
        .succeeds()
        .prints("would freeze issue weekly/1 and send it to 2 readers")
        .prints("subject: A bowl of apricots and 3 more");
    assert!(!press.path("outbox").exists());
    press
        .run(&[
            "send",
            "weekly",
            "--test",
            "editor@example.org",
            "--test",
            "proof@example.org",
        ])
        .succeeds()
        .says("test of issue 1 sent to editor@example.org");
    assert_eq!(press.files("outbox").len(), 2);
    assert_eq!(planned(&press), before);
    press.run(&["issues", "list"]).says("no issue yet");
    press
        .run(&["send", "weekly", "--test", "nobody"])
        .exits(2)
        .says("`--test`: ");

    press.run(&["run"]).succeeds();
    assert_eq!(press.files("outbox").len(), 4);
}

#[test]
fn send_does_not_send_the_same_articles_again() {
    let press = Press::new();
    press.subscribers(2);
    press.run(&["send", "weekly"]).succeeds().says("2 sent");
    let before = snapshot(&press, "outbox");
    press
        .run(&["send", "weekly"])
        .succeeds()
        .says("nothing to send");
    press.run(&["run"]).succeeds();
    assert_eq!(snapshot(&press, "outbox"), before);
}

#[test]
fn an_issue_can_be_listed_shown_and_followed_to_one_reader() {
    let press = Press::new();
    press.subscribe(["anna@example.org", "ben@example.org"]);
    press
        .run(&["subscribers", "unsubscribe", "ben@example.org"])
        .succeeds();
    press.run(&["run"]).succeeds();
    press
        .run(&["issues", "list"])
        .succeeds()
        .prints("weekly/1")
        .prints("A bowl of apricots and 3 more");
    press
        .run(&["issues", "show", "1"])
        .succeeds()
        .prints("for the slot 2026-11-27T07:00")
        .prints("1 sent")
        .prints("Flatbread on coals");
    let shown = press
        .run(&["--format", "json", "issues", "show", "weekly/1"])
        .json();
    assert_eq!(shown["counts"]["sent"], 1);
    assert_eq!(shown["articles"].as_array().unwrap().len(), 4);
    press.run(&["issues", "show", "weekly/9"]).exits(66);
    press.run(&["issues", "show", "x/y/z"]).exits(2);

    press
        .run(&["why", "anna@example.org"])
        .succeeds()
        .prints("active since")
        .prints("issue weekly/1: sent");
    let story = press
        .run(&["--format", "json", "why", "anna@example.org", "weekly/1"])
        .json();
    assert_eq!(
        story["deliveries"][0]["attempts"].as_array().unwrap().len(),
        1
    );
    press
        .run(&["why", "ben@example.org"])
        .prints("unsubscribed")
        .prints("no issue was frozen for this reader");
    press.run(&["why", "nobody@example.org"]).exits(66);
    press.run(&["why", "nobody"]).exits(65);
}

#[test]
fn a_paused_issue_waits_and_a_cancelled_one_gives_its_articles_back() {
    let mut press = Press::new();
    press.subscribers(2);
    // Nothing answers here, so that the issue stays queued.
    press
        .relay(&format!("smtp://127.0.0.1:{}?tls=none", free_port()))
        .set("mail.relay_patience", "1ms");
    press.run(&["run"]).exits(75);
    press
        .run(&["issues", "pause", "weekly/1", "--reason", "wrong picture"])
        .succeeds()
        .says("issue weekly/1 paused");
    press.relay("folder:outbox");
    press.at("2026-11-27T09:00:00+02:00");
    press.run(&["run"]);
    assert!(
        !press.path("outbox").exists(),
        "a paused issue does not leave"
    );
    press
        .run(&["status"])
        .prints("paused")
        .prints("wrong picture");

    press.run(&["issues", "resume", "weekly/1"]).succeeds();
    press
        .run(&["issues", "cancel", "weekly/1"])
        .succeeds()
        .says("cancelled");
    press.run(&["issues", "resume", "weekly/1"]).exits(65);
    assert_eq!(planned(&press).len(), 4, "the articles are free again");
    press.run(&["send", "weekly"]).succeeds().says("2 sent");
}

#[test]
fn status_says_where_everything_stands() {
    let press = Press::new();
    press
        .run(&["status"])
        .succeeds()
        .prints("readers    none yet")
        .prints("weekly: 0 issues so far, next due Friday 4 December 2026, 07:00")
        .says("there is no ledger yet");
    assert!(!press.database().exists());
    press.subscribers(2);
    press.run(&["run"]).succeeds();
    press
        .run(&["status"])
        .prints("readers    2 active")
        .prints("weekly: 1 issue so far")
        .prints("last run   number 1, Friday 27 November 2026, 08:00: exit 0");
    let document = press.run(&["--format", "json", "status"]).json();
    assert_eq!(document["readers"]["active"], 2);
    assert_eq!(document["uncertain"], 0);
}

#[test]
fn nothing_is_uncertain_in_a_quiet_ledger() {
    let press = Press::new();
    press
        .run(&["uncertain", "list"])
        .succeeds()
        .says("no delivery is uncertain");
    let list = press.run(&["--format", "json", "uncertain", "list"]);
    assert_eq!(list.json(), serde_json::json!([]));
    press.run(&["uncertain", "mark-sent"]).exits(2);
    press.subscribers(1);
    press
        .run(&["uncertain", "resend", "reader000001@example.com"])
        .exits(66);
}

#[test]
fn what_a_letter_shows_shorter_is_named_when_it_is_rendered_and_when_it_is_frozen() {
    let press = Press::new();
    press.subscribers(1);
    press.set_digest("content", "full");
    let long = "The rain came back, and with it the soup. ".repeat(700);
    for hour in 1..=3 {
        press.write(
            &format!("content/garden/long-{hour}.md"),
            &format!(
                "+++\ntitle = \"Long {hour}\"\ndate = 2026-11-27T0{hour}:00:00+02:00\n+++\n\n{long}\n"
            ),
        );
    }
    // The newest come first, so “Long 1” and the starter articles are the last.
    let warning = "letterpress.toml: warning: `mail.size_budget` is used up: the letter has room \
                   only for the summaries of “Long 1”, “A bowl of apricots”, “";
    press
        .run(&["render", "weekly", "--out", "preview"])
        .succeeds()
        .says(warning);
    let html = press.read("preview/issue.html");
    // Two in full, and a few sentences of the third.
    let sentences = html.matches("The rain came back").count();
    assert!((1_400..1_420).contains(&sentences), "{sentences}");
    press.run(&["send", "weekly"]).succeeds().says(warning);
    let sent = press.files("outbox");
    let mail = Mail::parse(&press.read_bytes(&sent[0]));
    let html = mail.html.unwrap();
    assert!((70_000..=90_000).contains(&html.len()), "{}", html.len());

    // One that no letter has room for.
    press.write(
        "content/garden/longest.md",
        &format!(
            "+++\ntitle = \"Longest\"\ndate = 2026-11-27T05:00:00+02:00\n+++\n\n{}\n",
            long.repeat(4)
        ),
    );
    press
        .run(&["send", "weekly"])
        .exits(65)
        .says("bytes of HTML with “Longest”, and")
        .says("`mail.size_budget` allows 90000");
    assert_eq!(press.files("outbox"), sent);
}

#[test]
fn a_pruned_issue_is_told_as_before_but_not_who_got_it() {
    let mut press = Press::new();
    press.subscribers(3);
    for (number, day) in ["2026-11-27", "2026-12-04", "2026-12-11"]
        .iter()
        .enumerate()
    {
        press.article(
            &format!("food/dish-{number}.md"),
            &format!("+++\ntitle = \"Dish {number}\"\ndate = {day}\n+++\n\nA dish.\n"),
        );
        press.at(&format!("{day}T08:00:00+02:00"));
        press.run(&["run"]).succeeds();
    }
    let shown = press.run(&["issues", "show", "weekly/1"]).stdout;
    let pages = press.files("public/letters");
    let prune = &["issues", "prune", "--keep", "1"][..];
    let dry = press.run(&[prune, &["--dry-run"]].concat());
    dry.succeeds()
        .prints("6 deliveries of 2 issues would be removed");
    assert_eq!(press.ledger().rows().len(), 9);
    press
        .run(&[prune, &["daily"]].concat())
        .exits(2)
        .says("there is no digest `daily`");
    press.run(&["issues", "prune", "--keep", "0"]).exits(2);
    press
        .run(&[prune, &["weekly"]].concat())
        .succeeds()
        .prints("weekly/1")
        .prints("weekly/2")
        .prints("6 deliveries of 2 issues removed");
    press.run(prune).succeeds().prints("nothing to prune");

    assert_eq!(press.run(&["issues", "show", "weekly/1"]).stdout, shown);
    press.run(&["store", "verify"]).succeeds();
    press
        .run(&["why", &crate::press::reader_address(1)])
        .succeeds()
        .prints("2 older issues were pruned: who got them is not known any more")
        .prints("issue weekly/3: sent");
    press.run(&["run"]).succeeds();
    assert_eq!(press.files("public/letters"), pages);
    assert_eq!(press.files("outbox").len(), 9, "nothing was sent again");
}
