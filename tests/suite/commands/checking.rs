//! `check`: every problem of everything in one run.

use crate::press::Press;

/// A publication with every fault that `check` knows by name.
fn faulty() -> Press {
    let press = Press::new();
    press
        .article("food/toml.md", "+++\ntitle = \"A\"\nbroken\n+++\nx\n")
        .article("food/yaml.md", "---\ntitle: \"B\ndate: [\n---\nx\n")
        .article(
            "food/key.md",
            "+++\ntitle = \"C\"\ndate = \"someday\"\nauthers = [\"x\"]\n+++\nx\n",
        )
        .article(
            "food/one.md",
            "+++\ntitle = \"One\"\nid = \"same\"\ndate = 2026-11-01\n+++\n\
             ![](none.png) [x](none.md)\n\n{{ youtube(id=1) }}\n",
        )
        .article(
            "food/two.md",
            "+++\ntitle = \"Two\"\nid = \"same\"\ndate = 2026-11-02\n+++\nx\n",
        )
        .article(
            "food/three.md",
            "+++\ntitle = \"Three\"\nslug = \"apricots\"\ndate = 2026-11-03\n+++\nx\n",
        )
        .article(
            "food/four.md",
            "+++\ntitle = \"Four\"\npath = \"/garden/shade/\"\ndate = 2026-11-03\n+++\nx\n",
        )
        .write(
            "templates/weekly/issue.html",
            "<p>\n{% if x %}\n{{ y ]]\n</p>\n",
        );
    press
}

#[test]
fn all_problems_are_told_in_one_run_with_file_line_and_remedy() {
    let press = faulty();
    let found = press.run(&["check"]);
    found.exits(65);
    for line in [
        "content/food/toml.md:3: error: the front matter is not TOML",
        "content/food/yaml.md:2: error: the front matter is not YAML",
        "content/food/key.md:3: error: `someday` is not a date; write `2026-08-01`",
        "content/food/key.md:4: error: unknown key `authers`; did you mean `authors`?",
        "content/food/one.md:6: error: there is no picture `none.png`; put the file there",
        "content/food/one.md:6: warning: the picture `none.png` has no alternative text; say",
        "content/food/one.md:6: error: the link `none.md` leads to no article; correct the path",
        "content/food/one.md:8: warning: unknown shortcode `youtube`",
        "content/food/two.md:2: error: the id `same` is also that of content/food/one.md; give",
        "content/food/three.md:2: error: the slug `apricots` is also that of \
         content/food/apricots.md; rename",
        "/garden/shade/ is also that of content/food/four.md; change `slug` or `path`",
        "templates/weekly/issue.html:3: error: ",
    ] {
        found.prints(line);
    }
    found.says("10 errors, 2 warnings");
    assert!(!press.database().exists(), "check writes no ledger");
    assert!(!press.path("public").exists(), "check writes no output");
}

#[test]
fn problems_come_as_one_json_document() {
    let found = faulty().run(&["check", "--format", "json"]);
    found.exits(65);
    let document = found.json();
    assert_eq!(document["errors"], 10, "{found}");
    assert_eq!(document["warnings"], 2, "{found}");
    let problems = document["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 12);
    for problem in problems {
        assert!(problem["file"].is_string(), "{problem}");
        assert!(problem["line"].is_u64(), "{problem}");
        assert!(problem["what"].is_string(), "{problem}");
        assert!(problem["remedy"].is_string(), "{problem}");
    }
}

#[test]
fn one_slug_in_two_articles_is_an_error_that_names_both() {
    let press = Press::new();
    press.article(
        "food/second.md",
        "+++\ntitle = \"Second\"\nslug = \"flatbread\"\ndate = 2026-11-21\n+++\nx\n",
    );
    press
        .run(&["check"])
        .exits(65)
        .prints("content/food/second.md")
        .prints("content/food/flatbread.md");
}

#[test]
fn strict_makes_warnings_count() {
    let press = Press::new();
    press.run(&["check", "--strict"]).succeeds();
    press.article(
        "food/warned.md",
        "+++\ntitle = \"Warned\"\ndate = 2026-11-21\n+++\n![](apricots.png)\n",
    );
    press.run(&["check"]).succeeds().prints("warning");
    press
        .run(&["check", "--strict"])
        .exits(65)
        .prints("warning");
    press.run(&["build"]).succeeds();
}

#[test]
fn without_a_configuration_check_says_what_makes_one() {
    let press = Press::empty();
    press
        .run(&["check"])
        .exits(66)
        .says("there is no letterpress.toml in ")
        .says("hint: `letterpress init`");
    press
        .run(&["--config", "none.toml", "check"])
        .exits(66)
        .says("none.toml cannot be read");
}

#[test]
fn a_bad_configuration_is_told_by_line_and_exits_78() {
    let press = Press::new();
    press
        .set_digest("schedule", "at seven")
        .set("mail.rale", "x")
        .set("publication.timezone", "Africa/Jozi");
    press
        .run(&["check"])
        .exits(78)
        .says("error: `at seven` is not a cron expression")
        .says("[mail] has no key `rale`; did you mean `rate`?")
        .says("unknown time zone `Africa/Jozi`");
}

#[test]
fn an_archive_with_lost_pictures_can_be_built_when_told() {
    let press = Press::new();
    press.article(
        "food/old.md",
        "+++\ntitle = \"Old\"\ndate = 2010-11-21\nhero = { src = \"lost.jpg\", alt = \"x\" }\n\
         +++\n![x](lost.png) [y](lost.md)\n",
    );
    press.run(&["check"]).exits(65).says("3 errors, 0 warnings");
    press.set("content.missing", "warning");
    press
        .run(&["check"])
        .succeeds()
        .says("0 errors, 3 warnings");
    press.run(&["build"]).succeeds();
    assert!(press.read("public/rss.xml").contains("<title>Old</title>"));
}

#[test]
fn a_missing_content_folder_exits_66() {
    let press = Press::new();
    press.set("content.dir", "texts");
    press
        .run(&["check"])
        .exits(66)
        .says("the content folder `texts` does not exist");
}

#[test]
fn notices_are_looked_at_as_letters_are() {
    let press = Press::new();
    press.write(
        "templates/goodbye/message.html",
        "{% extends \"notice.html\" %}{% block preheader %}Bye{% endblock preheader %}\
         {% block body %}<tr><td style=\"background: #ffffff\">\
         <p style=\"color: #aaaaaa; font-size: 16px\">Goodbye, and thank you.</p>\
         <p><a href=\"/again/\" style=\"color: #0b5d4e\">Come back</a></p></td></tr>{% endblock body %}\n",
    );
    press
        .run(&["check"])
        .exits(65)
        .prints("weekly/goodbye.html (rendered):")
        .prints("[contrast]")
        .prints("templates/goodbye/message.html:1: error: ")
        .prints("[link]");
    // Nobody's letter waits for that.
    press.subscribers(1);
    press.run(&["send", "weekly"]).succeeds();
}
