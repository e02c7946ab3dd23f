//! The lint: a letter that readers could not read, leave or answer does not go
//! out, and every command that makes one says where and why.

use crate::press::Press;

const GOOD: &str = "{% extends \"digest/issue.html\" %}\n";

/// A publication with a reader, whose letter has this in its HTML.
fn with_template(html: &str) -> Press {
    let press = Press::new();
    press.subscribers(1);
    press.write("templates/weekly/issue.html", html).write(
        "templates/weekly/issue.txt",
        "{% extends \"digest/issue.txt\" %}\n",
    );
    press
}

#[test]
fn the_letters_of_the_sample_and_of_a_new_publication_have_no_fault() {
    Press::sample()
        .run(&["check", "--strict"])
        .succeeds()
        .says("0 errors, 0 warnings");
    let press = Press::empty();
    press.run(&["init"]).succeeds();
    press.run(&["check", "--strict"]).succeeds();
}

#[test]
fn a_letter_that_nobody_can_leave_is_refused_before_anything_is_written() {
    let footer = "{% block footer %}<p>{{ list.postal_address }}</p>{% endblock footer %}\n";
    let press = with_template(&format!("{GOOD}{footer}"));
    let what = "weekly/issue.html (rendered): error: the HTML part has no link to unsubscribe \
                [unsubscribe]; print `{{ reader.unsubscribe_url }}` in the kind's `issue.html`";
    for command in [
        &["run"][..],
        &["send", "weekly"],
        &["send", "weekly", "--dry-run"],
    ] {
        press
            .run(command)
            .exits(65)
            .says("error: issue weekly/1 cannot go out: 1 error in the letter")
            .says(&format!("caused by: {what}"))
            .says("hint: nothing was frozen");
    }
    assert!(!press.path("outbox").exists(), "nobody got anything");
    assert!(!press.path("public/mail").exists(), "no picture was copied");
    let listed = press.run(&["--format", "json", "issues", "list"]);
    assert_eq!(listed.succeeds().json(), serde_json::json!([]));

    // Those that look say the same.
    press.run(&["check"]).exits(65).prints(what);
    press.run(&["plan"]).exits(65).prints(what);
    press
        .run(&["render", "weekly", "--out", "next"])
        .exits(65)
        .says(what);
    assert!(press.path("next/issue.html").exists());

    // A test goes out: it is there to be looked at.
    press
        .run(&["send", "weekly", "--test", "editor@example.org"])
        .succeeds()
        .says(what);

    // Mended, the issue goes to everybody.
    press.write("templates/weekly/issue.html", GOOD);
    press.run(&["run"]).succeeds();
    assert_eq!(press.files("outbox").len(), 2);
}

#[test]
fn a_finding_is_told_where_its_author_can_mend_it() {
    let block = "{% block masthead %}\n<p>See our <a href=\"/shop/\">shop</a>, the \
                 <a href=\"https://garden.example.org/gone/\">garden</a> and \
                 <a href=\"https://garden.example.org/tags/summer/\">summer</a>.</p>\n\
                 {% endblock masthead %}\n";
    let press = with_template(&format!("{GOOD}{block}"));
    press.set_digest("subject", "Soup ".repeat(20));
    let found = press.run(&["check"]);
    found
        .exits(65)
        .prints("templates/weekly/issue.html:3: error: the address `/shop/` is not absolute")
        .prints("letterpress.toml:")
        .prints("warning: the subject `Soup Soup");
    let warned = press.run(&["--format", "json", "plan"]);
    let plan = warned.exits(65).json();
    let findings = plan[0]["issues"][0]["findings"].as_array().unwrap();
    let about = |text: &str| {
        let mut lines = findings
            .iter()
            .filter(|one| one["what"].as_str().unwrap().contains(text));
        lines.next().cloned()
    };
    let dead = about("/gone/` leads to no page").unwrap();
    assert_eq!(dead["file"], "templates/weekly/issue.html");
    assert_eq!(dead["level"], "warning");
    assert_eq!(about("tags/summer/` leads to no page"), None);
    let line = about("columns wide").unwrap()["line"].as_u64().unwrap();
    let settings = press.read("letterpress.toml");
    let setting = settings
        .lines()
        .nth(usize::try_from(line).unwrap() - 1)
        .unwrap();
    assert!(setting.starts_with("subject"), "{setting}");
}

#[test]
fn warnings_stop_nothing() {
    let block = "{% block masthead %}<p style=\"color:#888888\">Faint</p>{% endblock masthead %}\n";
    let press = with_template(&format!("{GOOD}{block}"));
    let what = "warning: `Faint` is #888888 on";
    press.run(&["check"]).succeeds().prints(what);
    press.run(&["check", "--strict"]).exits(65).prints(what);
    press.run(&["plan"]).succeeds().prints(what);
    press.run(&["run"]).succeeds();
    assert_eq!(press.files("outbox").len(), 1);
    // Nothing is new now: made-up articles show the same.
    press.run(&["check"]).succeeds().prints(what);
}

#[test]
fn a_letter_that_gmail_cuts_off_is_refused() {
    let press = Press::new();
    press.subscribers(1);
    press.write(
        "templates/long/issue.html",
        "{% extends \"letter/issue.html\" %}\n",
    );
    press.write(
        "templates/long/issue.txt",
        "{% extends \"letter/issue.txt\" %}\n",
    );
    press.set_digest("template", "long");
    let words = "A long sentence about beans, and one more. ".repeat(2600);
    press.article(
        "food/long.md",
        &format!("+++\ntitle = \"Long\"\ndate = 2026-11-26\n+++\n{words}\n"),
    );
    press
        .run(&["send", "weekly"])
        .exits(65)
        .says("and `mail.size_budget` allows 90000")
        .says("Gmail cuts a letter off at 102 KB");
    assert!(!press.path("outbox").exists());
}

#[test]
fn a_template_error_and_an_undefined_name_have_their_line_and_exit_65() {
    for (html, what) in [
        (
            "<p>\n{% if x %}\n{{ y ]]\n</p>\n",
            "templates/weekly/issue.html:3: error: ",
        ),
        (
            "{% extends \"digest/issue.html\" %}\n{% block masthead %}\n{{ issue.numbr }}\n{% endblock masthead %}\n",
            "templates/weekly/issue.html:3: error: ",
        ),
    ] {
        let press = with_template(html);
        press.run(&["check"]).exits(65).prints(what);
        press.run(&["run"]).exits(65);
        assert!(!press.path("outbox").exists(), "{html}");
    }
}
