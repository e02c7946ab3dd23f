//! The parameters that links of a letter get, and those that get none.

use crate::mailbox::Mail;
use crate::press::Press;

fn params(press: &Press, value: &str) {
    press.config(|config| {
        let mail = config["mail"].as_table_mut().unwrap();
        let params = toml::from_str::<toml::Table>(&format!(
            "utm_campaign = {value}\nutm_source = \"letter\""
        ));
        mail.insert("link_params".to_owned(), params.unwrap().into());
    });
}

#[test]
fn links_to_the_publication_are_marked_and_a_readers_own_are_not() {
    let press = Press::new();
    press.subscribe(["anna@example.org"]);
    press.set("serve.public_url", "https://garden.example.org/letters/");
    params(&press, r#""{{ digest.name }}-{{ issue.number }} & é""#);
    press.run(&["run"]).succeeds();
    let mail = Mail::parse(&press.read_bytes(&press.files("outbox")[0]));
    let (html, text) = (mail.html.as_deref().unwrap(), mail.text.as_deref().unwrap());
    let added = "utm_campaign=weekly-1+%26+%C3%A9&utm_source=letter";
    let article = format!("https://garden.example.org/food/apricots/?{added}");
    assert!(html.contains(&article.replace('&', "&amp;")), "{html}");
    assert!(text.contains(&article), "{text}");
    for link in html.split(" href=\"").skip(1) {
        let link = link.split('"').next().unwrap();
        let is_own =
            link.contains("/letters/unsubscribe/") || link.contains("/letters/preferences/");
        assert_eq!(!is_own, link.contains("utm_source"), "{link}");
    }
    for word in text
        .split_whitespace()
        .filter(|word| word.starts_with("https://"))
    {
        let is_own =
            word.contains("/letters/unsubscribe/") || word.contains("/letters/preferences/");
        assert_eq!(!is_own, word.contains("utm_source"), "{word}");
    }
    for picture in html.split(" src=\"").skip(1) {
        assert!(!picture.split('"').next().unwrap().contains("utm"));
    }
    for header in ["List-Unsubscribe", "List-Archive"] {
        assert!(!mail.header(header).unwrap().contains("utm"), "{header}");
    }
    // The letter's page is no letter.
    press.run(&["build"]).succeeds();
    let page = press.read("public/letters/weekly/1/index.html");
    assert!(page.contains("href=\"/food/apricots/\""), "{page}");
    assert!(!page.contains("utm_"), "{page}");
}

#[test]
fn parameters_that_cannot_be_used_are_told_with_their_line() {
    let press = Press::new();
    press.config(|config| {
        let mail = config["mail"].as_table_mut().unwrap();
        let table = r#"link_params = { "utm source" = "x", utm_medium = " " }
            pictures = "inline"
            text_links = "below""#;
        mail.extend(toml::from_str::<toml::Table>(table).unwrap());
    });
    let check = press.run(&["check"]);
    check
        .exits(78)
        .says("error: mail.link_params has the name `utm source`; write it like")
        .says("error: mail.link_params.utm_medium is empty")
        .says("error: mail.pictures is `inline`; use \"remote\"")
        .says("error: mail.text_links is `below`; use \"numbered\"");
    let lines = check.stderr.lines().filter(|line| line.contains("mail."));
    for line in lines {
        let number = line.strip_prefix("letterpress.toml:").unwrap();
        assert!(number.split(':').next().unwrap().parse::<u32>().is_ok());
    }
    let press = Press::new();
    press.subscribers(1);
    params(&press, r#""{{ digest.nmae }}""#);
    press
        .run(&["render", "weekly", "--out", "look"])
        .exits(65)
        .says("`mail.link_params.utm_campaign`: field `nmae` is not defined");
}
