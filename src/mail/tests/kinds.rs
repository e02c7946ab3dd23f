//! Promises of the kinds of letters, of the theme, and of languages.

use super::*;
use crate::domain::theme::Palette;

fn world_of(kind: &str) -> World {
    let mut world = world();
    world.digest.template = kind.to_owned();
    world.digest.subject = None;
    world
}

#[test]
fn a_letter_has_its_lead_in_full_and_the_rest_as_headlines() {
    for kind in ["letter", "announcement"] {
        let rendered = world_of(kind).render().unwrap();
        assert_eq!(rendered.subject, "Five soups for a cold week");
        for (part, question) in [
            (&rendered.html, "A question?</h2>"),
            (&rendered.text, "A QUESTION?"),
        ] {
            assert_eq!(part.matches(question).count(), 1, "{kind}: {part}");
            assert!(part.contains("2 more stories"), "{kind}: {part}");
        }
    }
    let digest = world_of("digest").render().unwrap();
    assert!(!digest.html.contains("A question?"));
    assert_eq!(digest.subject, "Five soups for a cold week and 2 more");
}

#[test]
fn an_article_shows_as_much_as_it_is_given() {
    use Shown::{Full, Summary, Title};
    for kind in ["digest", "letter", "announcement"] {
        let mut world = world_of(kind);
        world.articles = vec![full_article()];
        let mut sizes = Vec::new();
        for shown in [Title, Summary, Full] {
            world.shown = vec![shown];
            let rendered = world.render().unwrap();
            let has = |text: &str| rendered.html.contains(text) && rendered.text.contains(text);
            assert!(has("Five soups for a cold week"), "{kind} {shown:?}");
            assert_eq!(
                has("The first paragraph, with"),
                shown != Title,
                "{kind} {shown:?}"
            );
            assert_eq!(
                rendered.html.contains("A question?"),
                shown == Full,
                "{kind} {shown:?}"
            );
            sizes.push(rendered.html.len());
        }
        assert!(sizes[0] < sizes[1], "{kind}: {sizes:?}");
    }
    // `content = "full"` shows every article of a digest in full.
    let mut world = world_of("digest");
    world.digest.content = Some(Full);
    let rendered = world.render().unwrap();
    assert_eq!(rendered.html.matches("A question?").count(), 2);
    assert_eq!(rendered.text.matches("A QUESTION?").count(), 2);
}

#[test]
fn a_table_of_contents_leads_to_headlines_in_the_letter() {
    let mut world = world_of("digest");
    world.articles = (0..6).map(|_| full_article()).collect();
    let html = world.render().unwrap().html;
    assert!(html.find("id=\"a1\"") < html.find("href=\"#a2\""));
    for number in 2..=6 {
        assert!(html.contains(&format!("href=\"#a{number}\"")), "{number}");
        assert_eq!(html.matches(&format!("id=\"a{number}\"")).count(), 1);
    }
}

#[test]
fn a_button_is_drawn_in_outlook_and_nowhere_twice() {
    let html = world_of("digest").render().unwrap().html;
    let (before, rest) = html.split_once("<!--[if mso]><v:roundrect").unwrap();
    let (drawn, rest) = rest.split_once("<![endif]-->").unwrap();
    assert!(drawn.contains("fillcolor=\"#8a2b1f\""), "{drawn}");
    assert!(drawn.contains(">Read the whole story</center>"), "{drawn}");
    // 20 letters of 10 pixels, and two margins.
    assert!(drawn.contains("width:256px"), "{drawn}");
    assert!(
        before
            .ends_with("align=\"center\" style=\"border-radius:3px;background-color:#8a2b1f\">\n"),
        "{before}"
    );
    assert!(
        rest.trim_start()
            .starts_with("<!--[if !mso]><!--><a class=\"press\""),
        "{rest}"
    );
}

#[test]
fn the_theme_colours_letters_by_day_and_by_night() {
    let mut world = world_of("digest");
    let theme = &mut world.publication.theme;
    theme.light = Palette {
        accent: "#0b5d4e".parse().unwrap(),
        ..Palette::light()
    };
    theme.dark.accent = "#aaffee".parse().unwrap();
    theme.heading_font = "Palatino, \"Book Antiqua\", serif".to_owned();
    theme.footer = Some("Printed on <nothing>.".to_owned());
    theme.links = vec![crate::domain::theme::FooterLink {
        title: "Write to us".to_owned(),
        url: "mailto:editor@example.org".parse().unwrap(),
    }];
    let rendered = world.render().unwrap();
    let html = &rendered.html;
    assert!(html.contains("background-color:#0b5d4e") && !html.contains("#8a2b1f"));
    assert!(
        html.contains("#aaffee!important") || html.contains("#aaffee !important"),
        "{html}"
    );
    assert!(html.contains("Palatino"), "{html}");
    assert!(html.contains("Printed on &lt;nothing&gt;."));
    for part in [html, &rendered.text] {
        assert!(part.contains("mailto:editor@example.org"), "{part}");
        assert!(part.contains("Write to us"), "{part}");
    }
}

#[test]
fn a_letter_speaks_the_language_of_its_publication() {
    for (language, dir, words) in [
        (
            "af",
            "ltr",
            [
                "Deur Naledi Khumalo en Pieter Brandt",
                "Teken uit",
                "Vrydag 27 November 2026",
            ],
        ),
        (
            "de-AT",
            "ltr",
            [
                "Von Naledi Khumalo und Pieter Brandt",
                "Abbestellen",
                "Freitag, 27. November 2026",
            ],
        ),
        (
            "fr",
            "ltr",
            [
                "Par Naledi Khumalo et Pieter Brandt",
                "Se désabonner",
                "vendredi 27 novembre 2026",
            ],
        ),
        (
            "ar",
            "rtl",
            [
                "بقلم Naledi Khumalo وPieter Brandt",
                "إلغاء الاشتراك",
                "الجمعة، 27 نوفمبر 2026",
            ],
        ),
    ] {
        let mut world = world_of("digest");
        world.publication.language = language.to_owned();
        let rendered = world.render().unwrap();
        let start = format!("<html lang=\"{language}\" dir=\"{dir}\">");
        assert!(rendered.html.contains(&start), "{}", rendered.html);
        for part in [&rendered.html, &rendered.text] {
            for word in words {
                assert!(part.contains(word), "{language}: {word} is not in {part}");
            }
            for english in ["Unsubscribe", "Read on", "Read the whole", "By ", "browser"] {
                assert!(
                    !part.contains(english),
                    "{language}: {english} is in {part}"
                );
            }
        }
    }
}

#[test]
fn a_letter_leads_to_its_page_and_to_the_choices_of_its_reader_where_they_are() {
    let mut world = world_of("digest");
    let rendered = world.render().unwrap();
    let page = "https://magazine.example.org/letters/weekly/7/";
    for part in [&rendered.html, &rendered.text] {
        assert!(part.contains(page), "{part}");
        let token = part
            .split("https://letters.example.org/preferences/")
            .nth(1)
            .unwrap();
        let token = token.split(['"', '\n']).next().unwrap();
        let payload = world.signer.verify(Purpose::Manage, token).unwrap();
        assert!(matches!(payload, Payload::Reader { .. }));
        assert_eq!(world.signer.verify(Purpose::Unsubscribe, token), None);
    }
    // The page itself does not lead to itself, nor to one reader's choices.
    let base = &world.publication.base_url;
    let everybody = Everybody {
        address: "our readers",
        base_url: base,
    };
    let shown = rendered.edition.for_the_web(everybody).unwrap();
    assert!(
        !shown.html.contains("View in your browser"),
        "{}",
        shown.html
    );
    assert!(
        !shown.html.contains("Choose what you get"),
        "{}",
        shown.html
    );
    world.settings.public_url = None;
    let rendered = world.render().unwrap();
    assert!(!rendered.html.contains("Choose what you get"));
    assert!(!rendered.text.contains("Choose what you get"));
}

#[test]
fn an_edition_frozen_before_there_were_these_slots_is_still_read() {
    let edition = world_of("digest").render().unwrap().edition;
    let bytes = edition.to_bytes();
    let (length, rest) = bytes[8..].split_first_chunk().unwrap();
    let (head, fixed) = rest.split_at(u32::from_le_bytes(*length) as usize);
    let mut head: serde_json::Value = serde_json::from_slice(head).unwrap();
    let facts = head["facts"].as_object_mut().unwrap();
    for new in ["preferences_page", "confirm_page", "web_url"] {
        facts.remove(new);
    }
    let head = serde_json::to_vec(&head).unwrap();
    let mut old = b"LPE\x01".to_vec();
    old.extend(u32::try_from(head.len()).unwrap().to_le_bytes());
    old.extend(&head);
    old.extend(fixed);
    let read = Edition::from_bytes(&old).unwrap();
    assert_eq!(read.subject(), edition.subject());
}
