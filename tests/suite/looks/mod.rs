//! Letters and notices as readers see them: in a browser, wide and narrow, by
//! light and in the dark, without styles and without pictures.

use std::path::Path;
use std::process::Command;

use crate::press::Press;
use crate::tools::{program, python};

const NOTICES: [&str; 3] = ["confirm", "welcome", "goodbye"];

/// Everything that an article can bring into a letter.
const RICH: &str = "+++\ntitle = \"What the tide leaves: supercalifragilisticexpialidocious finds\"\n\
    date = 2026-11-26\nkicker = \"By the sea\"\nauthors = [{ name = \"Naledi Khumalo\" }, { name = \"Pieter Brandt\" }]\n\
    standfirst = \"A sentence under the headline that says what this is about.\"\n\
    [hero]\nsrc = \"wide.png\"\nalt = \"A wide picture\"\ncaption = \"What it shows.\"\ncredit = \"Photograph: N. K.\"\n+++\n\
    An opening with a [link](https://example.org/) and `code`.\n\n## A heading\n\n\
    > A quotation of somebody.\n\n- One\n- Two\n\n1. First\n2. Second\n\n\
    | Of | How much |\n|---|---|\n| Salt | a pinch |\n| Water | a great deal of it, and then some more |\n\n\
    ```\na line of code that is much longer than a narrow screen is wide, and goes on and on and on\n```\n\n\
    ![Wide](wide.png)\n\n---\n\n### A smaller heading\n\nThe end.\n";

/// A publication whose letters have every part, in this language.
fn press(language: &str) -> Press {
    let press = Press::new();
    press.article("garden/rich.md", RICH);
    press.picture("garden/wide.png", 1200, 675);
    for number in 1..=5 {
        press.article(
            &format!("garden/more-{number}.md"),
            &format!(
                "+++\ntitle = \"Another of the articles, number {number}\"\ndate = 2026-11-2{number}\n\
                 hero = {{ src = \"wide.png\", alt = \"Wide\", credit = \"Photograph: N. K.\" }}\n+++\n\
                 The text of it is short, and says little.\n"
            ),
        );
    }
    press.picture("logo.png", 288, 288);
    press.set("publication.logo", "content/logo.png");
    press.set("publication.language", language);
    press.set("serve.public_url", "https://letters.example.org/");
    press.set("theme.footer", "A sentence at the foot.");
    let link = toml::toml! {
        title = "Write to us"
        url = "mailto:editor@example.org"
    };
    press.set("theme.links", vec![toml::Value::Table(link)]);
    press
}

fn findings(letters: &[String], root: &Path) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/looks/looks.py");
    let looked = Command::new(python())
        .arg(script)
        .args([program("chromium"), program("chromedriver")])
        .args(letters)
        .current_dir(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&looked.stderr);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}\n{trouble}"))
}

#[test]
fn every_letter_and_notice_can_be_read_and_pressed_on_every_screen() {
    for language in ["en-ZA", "ar"] {
        let press = press(language);
        let mut letters = Vec::new();
        for kind in ["digest", "letter", "announcement"] {
            let out = format!("out/{kind}");
            press
                .run(&["render", "weekly", "--kind", kind, "--out", &out])
                .succeeds();
            let html = press.read(&format!("{out}/issue.html"));
            press.write(&format!("out/{kind}.html"), &html);
            letters.push(format!("out/{kind}.html"));
        }
        for notice in NOTICES {
            press
                .run(&["render", "--kind", notice, "--out", "out"])
                .succeeds();
            letters.push(format!("out/{notice}.html"));
        }
        let found = findings(&letters, press.dir());
        assert_eq!(found, Vec::<String>::new(), "{language}");
    }
}
