//! Promises of notices: what answers a reader, and what never stands in it.

use super::*;
use crate::mail::pictures::Pictures;

fn notice(world: &World, notice: Notice) -> Result<Rendered, RenderError> {
    notice_in(world, notice, None)
}

fn notice_in(
    world: &World,
    notice: Notice,
    language: Option<&str>,
) -> Result<Rendered, RenderError> {
    let input = NoticeInput {
        language,
        publication: &world.publication,
        digest: &world.digest,
        pictures: &Pictures::default(),
        date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
    };
    render_notice(
        notice,
        &input,
        &world.templates,
        &world.settings,
        &world.signer,
        None,
    )
}

fn sent(world: &World, rendered: &Rendered, name: Option<&str>) -> Vec<u8> {
    let address = "thandi@example.org".parse().unwrap();
    composer(&rendered.edition)
        .message(&addressed(&address, name, 1), &world.signer)
        .unwrap()
        .to_bytes()
}

#[test]
fn a_confirm_asks_by_one_link_and_holds_nothing_a_stranger_typed() {
    let world = world();
    let rendered = notice(&world, Notice::Confirm).unwrap();
    assert_eq!(rendered.subject, "Please confirm: The Friday Letter");
    let typed = "Buy pills at http://spam.example.net";
    let message = sent(&world, &rendered, Some(typed));
    let parsed = MessageParser::default().parse(&message).unwrap();
    let (html, text) = (parsed.body_html(0).unwrap(), parsed.body_text(0).unwrap());
    for part in [&*html, &*text, &String::from_utf8_lossy(&message)] {
        assert!(
            !part.contains("pills") && !part.contains("spam.example"),
            "{part}"
        );
    }
    assert_eq!(header(&message, "To"), "thandi@example.org");
    let token = text
        .split("https://letters.example.org/confirm/")
        .nth(1)
        .unwrap();
    let token = token.split_whitespace().next().unwrap();
    let payload = world.signer.verify(Purpose::Confirm, token).unwrap();
    assert_eq!(
        payload,
        Payload::Asked {
            subscriber: SubscriberId([1; 16]),
            digest: crate::links::DigestTag::of(&world.digest.name),
            delivery: 1,
        }
    );
    // The button, the one Outlook draws, and the address in full.
    let link = format!("href=\"https://letters.example.org/confirm/{token}\"");
    assert_eq!(html.matches(&link).count(), 3, "{html}");
    assert!(html.contains("Never write to this address again"));
    assert!(text.contains("works for 72 hours"), "{text}");
    assert!(!String::from_utf8_lossy(&message).contains("List-Unsubscribe"));
    assert_eq!(header(&message, "Auto-Submitted"), "auto-replied");
}

#[test]
fn a_confirm_without_a_page_to_lead_to_is_refused() {
    let mut world = world();
    world.settings.public_url = None;
    let error = notice(&world, Notice::Confirm).unwrap_err();
    assert!(error.to_string().contains("serve.public_url"), "{error}");
    assert!(notice(&world, Notice::Welcome).is_ok());
}

#[test]
fn a_welcome_is_mail_of_the_list_and_a_goodbye_is_not() {
    let world = world();
    let welcome = sent(
        &world,
        &notice(&world, Notice::Welcome).unwrap(),
        Some("Thandi"),
    );
    assert!(header(&welcome, "List-Unsubscribe").contains("/unsubscribe/"));
    assert!(header(&welcome, "List-Id").contains("weekly.magazine.example.org"));
    assert_eq!(header(&welcome, "To"), "Thandi <thandi@example.org>");
    let goodbye = sent(&world, &notice(&world, Notice::Goodbye).unwrap(), None);
    let goodbye = String::from_utf8_lossy(&goodbye).into_owned();
    assert!(
        !goodbye.contains("List-") && !goodbye.contains("/unsubscribe/"),
        "{goodbye}"
    );
}

#[test]
fn every_notice_is_whole_in_every_language() {
    let mut world = world();
    for language in ["en", "af", "de", "fr", "ar"] {
        world.publication.language = language.to_owned();
        for kind in Notice::ALL {
            let rendered = notice(&world, kind).unwrap();
            assert!(
                rendered
                    .html
                    .contains(&format!("<html lang=\"{language}\""))
            );
            assert!(rendered.html.contains("12 Lower Main Road"), "{kind:?}");
            assert!(rendered.text.contains("12 Lower Main Road"), "{kind:?}");
            assert!(!rendered.html.contains("lpslot") && !rendered.text.contains("\n\n\n"));
            for line in rendered.text.lines().filter(|line| !line.contains("://")) {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= 78, "{line}");
            }
        }
        let World {
            publication,
            digest,
            templates,
            settings,
            ..
        } = &world;
        assert_eq!(check_notices(publication, digest, templates, settings), []);
    }
}

#[test]
fn everything_a_notice_sees_is_documented() {
    let documentation = include_str!("../../../docs/templates.md");
    let (_, rest) = documentation.split_once("### Notices\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let world = world();
    let input = NoticeInput {
        language: None,
        publication: &world.publication,
        digest: &world.digest,
        pictures: &Pictures::default(),
        date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
    };
    let marks = crate::mail::slot::Marks::new("key");
    for kind in Notice::ALL {
        let context = crate::mail::notice::NoticeContext::new(
            kind,
            &input,
            &world.settings,
            &world.templates,
        )
        .for_body("S", &marks);
        for top in ["notice", "reader"] {
            let value = context.get(top).unwrap();
            assert!(section.contains(&format!("`{top}`")), "{top}");
            for name in value.as_map().unwrap().keys() {
                assert!(section.contains(&format!("`{name}`")), "{kind:?}: {name}");
            }
        }
    }
}

#[test]
fn a_name_in_a_confirm_is_an_undefined_name() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("templates/confirm");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("message.txt"), "one\nDear {{ reader.name }},").unwrap();
    let mut world = world();
    world.templates = Templates::load(Some(&root.path().join("templates"))).0;
    let error = notice(&world, Notice::Confirm).unwrap_err().to_string();
    assert!(
        error.starts_with("templates/confirm/message.txt:2: field `name` is not defined"),
        "{error}"
    );
}

#[test]
fn a_notice_speaks_the_language_of_its_reader() {
    let world = world();
    let english = notice(&world, Notice::Confirm).unwrap();
    let german = notice_in(&world, Notice::Confirm, Some("de")).unwrap();
    assert_ne!(english.subject, german.subject);
    assert!(german.html.contains("lang=\"de\""), "{}", german.html);
    assert!(german.text.contains("Noch ein Schritt"), "{}", german.text);
}
