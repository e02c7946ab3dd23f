//! What readers choose, and the editions that it comes to.

use std::time::Duration;

use crate::mailbox::Mail;
use crate::net::holds_within;
use crate::press::Press;

/// A press with readers who chose.
fn press() -> Press {
    let press = Press::new();
    press.write(
        "readers.csv",
        "email,choice\nall@example.org,\nfood@example.org,sections=food\n\
         foodie@example.org,tags=apricots;sections=food\n\
         short@example.org,sections=garden; content=summary; language=af\n\
         shade@example.org,tags=shade\ndaily@example.org,digests=daily\n",
    );
    press.config(|config| {
        let mut daily = config["digest"][0].clone();
        daily["name"] = "daily".into();
        daily["schedule"] = "0 5 * * *".into();
        config["digest"].as_array_mut().unwrap().push(daily);
    });
    press
        .run(&["subscribers", "import", "readers.csv"])
        .succeeds()
        .prints("6 added");
    press
}

/// The message of a reader.
fn mail_to(press: &Press, reader: &str) -> Mail {
    let files = press.files("outbox");
    let mut mails = files
        .iter()
        .map(|file| Mail::parse(&press.read_bytes(file)));
    mails.find(|mail| mail.to == [reader]).unwrap()
}

const TITLES: [&str; 4] = [
    "A bowl of apricots",
    "After the first rain",
    "Three trees for shade",
    "Flatbread on coals",
];

/// Which of the articles a message carries.
fn carried(mail: &Mail) -> Vec<&'static str> {
    let text = mail.text.as_deref().unwrap();
    let is_there = |title: &&str| text.lines().any(|line| line == *title);
    TITLES.into_iter().filter(is_there).collect()
}

#[test]
fn readers_with_different_choices_get_different_editions() {
    let press = press();
    press
        .run(&["plan", "weekly"])
        .succeeds()
        .prints("edition 1: 4 articles, for 1 reader")
        .prints("edition 2: 2 articles, for 2 readers")
        .prints("edition 3: 2 articles, af, summary, for 1 reader")
        .prints("edition 4: 1 article, for 1 reader")
        .prints("not for 1 reader: get other digests only");
    press
        .run(&["send", "weekly"])
        .succeeds()
        .says("for 5 of 6 on the list; 1 get other digests only")
        .says("issue weekly/1: 4 editions, ");
    assert_eq!(carried(&mail_to(&press, "all@example.org")), TITLES);
    let food = mail_to(&press, "food@example.org");
    let foodie = mail_to(&press, "foodie@example.org");
    assert_eq!(carried(&food), [TITLES[0], TITLES[3]]);
    assert_eq!(carried(&foodie), carried(&food));
    let short = mail_to(&press, "short@example.org");
    assert_eq!(carried(&short), [TITLES[1], TITLES[2]]);
    let is_said = |mail: &Mail, words: &str| mail.text.as_deref().unwrap().contains(words);
    assert!(is_said(&short, "Vrydag 27 November 2026"));
    assert!(is_said(&short, "Lees verder"));
    assert!(is_said(&food, "Friday, 27 November 2026"));
    press
        .run(&["why", "food@example.org"])
        .prints("gets sections=food")
        .prints("issue weekly/1: sent (delivery 2), edition 2");
    press
        .run(&["issues", "show", "weekly/1"])
        .prints("4 editions")
        .prints("2 get edition 2, ")
        .prints("1 left out: get other digests only");
    press.run(&["store", "verify"]).succeeds();
    // What everybody can read on the website is the whole issue.
    press.run(&["build"]).succeeds();
    let page = press.read("public/letters/weekly/1/index.html");
    assert!(TITLES.iter().all(|title| page.contains(title)));
}

#[test]
fn a_reader_who_finds_nothing_gets_nothing_and_is_counted() {
    let press = Press::new();
    press.subscribers(1);
    press
        .run(&[
            "subscribers",
            "add",
            "anna@example.org",
            "--choice",
            "tags=summer",
        ])
        .succeeds();
    press.set_digest("sections", vec!["food"]);
    let articles = [
        "garden/first-rain",
        "garden/shade",
        "food/apricots",
        "food/flatbread",
    ];
    for path in articles {
        let file = format!("content/{path}.md");
        let text = press.read(&file).replace("\"summer\"", "\"winter\"");
        press.write(&file, &text);
    }
    press
        .run(&["plan"])
        .prints("not for 1 reader: nothing they chose");
    press.run(&["run"]).succeeds();
    assert_eq!(press.files("outbox").len(), 1);
    press
        .run(&["issues", "show", "weekly/1"])
        .prints("1 left out: nothing they chose");
}

#[test]
fn a_choice_is_kept_changed_and_exported_as_it_was_made() {
    let press = press();
    press
        .run(&["subscribers", "export", "--out", "out.csv"])
        .succeeds();
    let list = press.read("out.csv");
    assert!(
        list.contains(",sections=garden; language=af; content=summary\n"),
        "{list}"
    );
    assert!(
        list.contains(",\"sections=food; tags=apricots\"")
            || list.contains(",sections=food; tags=apricots"),
        "{list}"
    );
    // A list says nothing about readers who are there.
    press.write(
        "again.csv",
        "email,choice\nfood@example.org,sections=garden\n",
    );
    press
        .run(&["subscribers", "import", "again.csv"])
        .succeeds()
        .prints("1 already there");
    press
        .run(&["subscribers", "show", "food@example.org"])
        .prints("gets sections=food");
    press
        .run(&["subscribers", "choose", "food@example.org", "everything"])
        .succeeds()
        .says("gets everything from the next issue on");
    press
        .run(&["subscribers", "choose", "food@example.org", ""])
        .succeeds()
        .says("gets everything already");
    press
        .run(&["subscribers", "show", "food@example.org"])
        .prints("chose everything (command line)")
        .conceals("gets sections");
}

#[test]
fn a_choice_of_what_is_not_there_is_refused_with_what_is() {
    let press = press();
    let before = press.run(&["subscribers", "export"]).stdout;
    for (choice, code, says) in [
        ("sections=fodo", 65, "there are: food, garden"),
        ("digests=monthly", 65, "there are: daily, weekly"),
        ("tags=nothing", 65, "there is no tag `nothing`"),
        ("section=food", 2, "did you mean `sections`?"),
    ] {
        press
            .run(&["subscribers", "choose", "food@example.org", choice])
            .exits(code)
            .says(says);
        press
            .run(&["subscribers", "add", "new@example.org", "--choice", choice])
            .exits(code)
            .says(says);
    }
    press.write("bad.csv", "email,choice\nnew@example.org,colour=red\n");
    press
        .run(&["subscribers", "import", "bad.csv"])
        .exits(65)
        .prints("bad.csv:2: error: `colour=red` is no choice");
    press
        .run(&["subscribers", "choose", "nobody@example.org", "everything"])
        .exits(66)
        .says("is not on the list");
    press
        .run(&[
            "subscribers",
            "add",
            "food@example.org",
            "--choice",
            "tags=shade",
        ])
        .succeeds()
        .says("`letterpress subscribers choose` changes what they get");
    assert_eq!(press.run(&["subscribers", "export"]).stdout, before);
}

#[test]
fn an_edition_can_be_looked_at_before_anybody_gets_it() {
    let press = press();
    press
        .run(&[
            "render",
            "weekly",
            "--choice",
            "sections=food",
            "--out",
            "food",
        ])
        .succeeds();
    let mail = Mail::parse(&press.read_bytes("food/issue.eml"));
    assert_eq!(carried(&mail), [TITLES[0], TITLES[3]]);
    press
        .run(&[
            "render",
            "weekly",
            "--choice",
            "digests=daily",
            "--out",
            "none",
        ])
        .exits(65)
        .says("readers with this choice get other digests only");
    press
        .run(&[
            "render",
            "weekly",
            "--for",
            "short@example.org",
            "--out",
            "short",
        ])
        .succeeds();
    let mail = Mail::parse(&press.read_bytes("short/issue.eml"));
    assert_eq!(carried(&mail), [TITLES[1], TITLES[2]]);
    press
        .run(&[
            "render",
            "weekly",
            "--for",
            "nobody@example.org",
            "--out",
            "none",
        ])
        .exits(66)
        .says("nobody@example.org is not on the list");
}

/// Twelve choices, each of which comes to an edition of its own.
fn twelve() -> Vec<String> {
    let parts = ["", "sections=food", "sections=garden", "tags=shade"];
    let extras = ["", "content=summary", "content=full"];
    let pairs = extras.iter().flat_map(|e| parts.map(|p| (p, *e)));
    pairs.map(|(p, e)| format!("{p};{e}")).collect()
}

/// So many readers of twelve editions.
fn many(number: usize) -> Press {
    let press = Press::new();
    let choices = twelve();
    let rows: String = (0..number)
        .map(|n| format!("many{n}@example.net,{}\n", choices[n % choices.len()]))
        .collect();
    press.write("many.csv", &format!("email,choice\n{rows}"));
    press.run(&["subscribers", "import", "many.csv"]).succeeds();
    press
}

#[test]
fn a_hundred_thousand_readers_of_twelve_editions_cost_twelve_renderings() {
    const READERS: usize = 100_000;
    let press = many(READERS);
    let mut sending = press.spawn(&["-v", "send", "weekly"]);
    // Frozen is frozen: that nobody has it yet does not matter here.
    sending.wait_for_stderr("rendered in ");
    sending
        .kill()
        .says("for 100000 of 100000 on the list")
        .says("issue weekly/1: 12 editions, ");
    let told = press.run(&["--format", "json", "issues", "show", "weekly/1"]);
    let editions = told.json()["editions"].as_array().unwrap().clone();
    let readers: Vec<u64> = editions
        .iter()
        .map(|edition| edition["readers"].as_u64().unwrap())
        .collect();
    assert_eq!(readers.len(), 12);
    assert_eq!(readers.iter().sum::<u64>(), READERS as u64);
    assert!(
        readers.iter().all(|readers| readers.abs_diff(8_333) <= 1),
        "{readers:?}"
    );
    // A delivery is a row, not a letter: all of it is kept once per edition.
    let kept: u64 = editions
        .iter()
        .map(|edition| edition["bytes"].as_u64().unwrap())
        .sum();
    let few = many(12);
    few.run(&["send", "weekly"]).succeeds();
    let told = few.run(&["--format", "json", "issues", "show", "weekly/1"]);
    let of_few: u64 = told.json()["editions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edition| edition["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(kept, of_few);
    press.run(&["store", "verify"]).succeeds();
}

#[test]
fn a_choice_that_is_made_while_an_issue_is_rendered_holds_for_it() {
    let press = press();
    // The first copy of a picture waits for its folder, after the choices were
    // read and before anything is frozen.
    let (folder, trace) = (press.path("public/mail"), press.path("trace"));
    let strace = [
        "strace",
        "-f",
        "-P",
        folder.to_str().unwrap(),
        "-o",
        trace.to_str().unwrap(),
        "--trace=mkdir",
        "--inject=mkdir:delay_enter=5s",
    ];
    let sending = press.spawn_under(&strace, &["-v", "send", "weekly"]);
    assert!(holds_within(Duration::from_secs(30), || {
        std::fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("mkdir("))
    }));
    press
        .run(&[
            "subscribers",
            "choose",
            "all@example.org",
            "tags=shade; content=summary",
        ])
        .succeeds();
    sending
        .wait()
        .succeeds()
        .says("rendered, 2 times because of new choices, at last in ");
    let mail = mail_to(&press, "all@example.org");
    assert_eq!(carried(&mail), [TITLES[2]]);
    assert_eq!(press.ledger().sums_hold().count("sent"), 5);
}

#[test]
fn a_long_article_that_one_reader_chose_in_full_keeps_the_issue_from_nobody() {
    let press = Press::new();
    let long = "The shade moves with the sun, and so does the table. ".repeat(2_100);
    let paragraphs = long.as_bytes().chunks(530);
    let paragraphs: Vec<_> = paragraphs.map(String::from_utf8_lossy).collect();
    let file = "content/garden/shade.md";
    press.write(
        file,
        &(press.read(file) + "\n\n" + &paragraphs.join("\n\n")),
    );
    press.write(
        "readers.csv",
        "email,choice\nall@example.org,\nshade@example.org,tags=shade; content=full\n",
    );
    press
        .run(&["subscribers", "import", "readers.csv"])
        .succeeds();
    let named = "edition 2 (1 of 4 articles, full): `mail.size_budget` is used up: the letter \
                 has room only for the summaries of “Three trees for shade”";
    press.run(&["check"]).succeeds().prints(named);
    press.run(&["plan", "weekly"]).succeeds().prints(named);
    press
        .run(&["send", "weekly"])
        .succeeds()
        .says("for 2 of 2 on the list")
        .says(named);
    assert_eq!(carried(&mail_to(&press, "all@example.org")), TITLES);
    let shade = mail_to(&press, "shade@example.org");
    assert_eq!(carried(&shade), [TITLES[2]]);
    assert!(shade.html.as_deref().unwrap().len() < 90_000);
}

#[test]
fn what_is_wrong_with_one_edition_only_is_said_before_it_stops_the_issue() {
    let press = press();
    // A letter of one article has no second one.
    press.set_digest("subject", "{{ issue.rest[0].title }}");
    press
        .run(&["check"])
        .exits(65)
        .prints("`subject` of digest `weekly`");
    press
        .run(&["plan", "weekly"])
        .exits(65)
        .prints("edition 4 (1 of 4 articles): letterpress.toml: `subject` of digest `weekly`")
        .prints("docs/templates.md lists what a template can use");
    press
        .run(&["send", "weekly"])
        .exits(65)
        .says("edition 4 (1 of 4 articles) cannot be made")
        .says("`subject` of digest `weekly`");
    assert!(!press.path("outbox").exists());
}

#[test]
fn a_dry_run_counts_those_whom_the_issue_would_reach() {
    let press = press();
    let dry = |press: &Press| {
        let run = press.run(&["--format", "json", "send", "weekly", "--dry-run"]);
        run.succeeds();
        run.json()["readers"].as_u64().unwrap()
    };
    // One of the six wants another digest.
    assert_eq!(dry(&press), 5);
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    let pause = "UPDATE subscribers SET paused_until = unixepoch('2026-12-25')
                  WHERE address = 'food@example.org'";
    assert_eq!(ledger.execute(pause, []).unwrap(), 1);
    press
        .run(&["subscribers", "suppress", "foodie@example.org"])
        .succeeds();
    let told = press.run(&["--format", "json", "why", "foodie@example.org"]);
    let events = told.json()["events"].clone();
    let last = events.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["source"], "command line", "{last}");
    let counted = dry(&press);
    assert_eq!(counted, 3);
    press.run(&["send", "weekly"]).succeeds();
    assert_eq!(press.ledger().count("sent") as u64, counted);
}
