use super::{settings::*, *};

const GOOD: &str = r#"
[publication]
title = "Tide"
base_url = "https://magazine.example.org"
timezone = "Africa/Johannesburg"
id_authority = "magazine.example.org,2026"

[[digest]]
name = "weekly"
schedule = "0 7 * * FRI"

[mail]
from = "Tide <news@magazine.example.org>"
relay = "smtp://127.0.0.1:2525?tls=none"
rate = "20/s"
"#;

fn parse(text: &str) -> Result<(Config, Vec<Problem>), Vec<String>> {
    Config::parse(text, PathBuf::from(FILE_NAME), PathBuf::from("/site")).map_err(|error| {
        match error {
            ConfigError::Invalid(problems) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other}"),
        }
    })
}

fn problems(text: &str) -> Vec<String> {
    parse(text).map(|_| ()).unwrap_err()
}

#[test]
fn a_short_file_has_every_default() {
    let (config, warnings) = parse(GOOD).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(
        config.publication.base_url.as_str(),
        "https://magazine.example.org/"
    );
    assert_eq!(config.feeds.entries, 20);
    assert_eq!(config.feeds.archive_size, Some(100));
    assert_eq!(config.store.path, PathBuf::from("/site/letterpress.db"));
    let weekly = config.digest("weekly").unwrap();
    assert_eq!(weekly.max_articles, 12);
    assert_eq!(weekly.template, "digest");
    let mail = config.mail.unwrap();
    assert_eq!(mail.from.name, "Tide");
    assert_eq!(mail.relays[0].rate.unwrap().count.get(), 20);
    assert_eq!(mail.timeouts.dot.as_secs(), 600);
    assert_eq!(mail.size_budget, 90_000);
    assert!(matches!(
        mail.relays[0].relay,
        Relay::Smtp(SmtpRelay {
            tls: RelayTls::None,
            port: 2525,
            ..
        })
    ));
}

#[test]
fn archives_can_be_sized_and_left_out() {
    let with = |feeds: &str| parse(&format!("{GOOD}\n[feeds]\n{feeds}\n"));
    let size = |feeds: &str| with(feeds).unwrap().0.feeds.archive_size;
    assert_eq!(size("archive_size = 50"), Some(50));
    assert_eq!(size("archive = false\narchive_size = 50"), None);
    assert!(with("archive_size = 0").unwrap_err()[0].contains("feeds.archive_size is 0"));
}

#[test]
fn every_unknown_key_is_named_with_its_line_and_a_suggestion() {
    let text = GOOD
        .replace("base_url", "colour = 1\nbase_url")
        .replace("schedule =", "shedule = \"x\"\nschedule =");
    let found = problems(&text);
    assert_eq!(
        found,
        [
            "letterpress.toml:4: error: [publication] has no key `colour`; remove it; \
             docs/configuration.md lists every key",
            "letterpress.toml:11: error: [digest] has no key `shedule`; did you mean `schedule`?",
        ]
    );
}

#[test]
fn every_bad_value_is_reported_in_one_run() {
    let text = GOOD
        .replace("https://magazine.example.org\"", "magazine.example.org\"")
        .replace("Africa/Johannesburg", "Africa/Jozi")
        .replace("0 7 * * FRI", "at seven")
        .replace("20/s", "fast");
    let found = problems(&text).join("\n");
    for part in [
        ":4: error: `magazine.example.org` is not an absolute URL",
        ":5: error: unknown time zone `Africa/Jozi`",
        ":10: error: `at seven` is not a cron expression",
        ":15: error: mail.rate is `fast`",
    ] {
        assert!(found.contains(part), "{part} not in\n{found}");
    }
}

#[test]
fn a_relay_never_gets_a_login_or_strangers_mail_in_plain_text() {
    let with = |relay: &str| GOOD.replace("smtp://127.0.0.1:2525?tls=none", relay);
    for (relay, word) in [
        ("smtp://mail.example.org:25?tls=none", "in plain text"),
        ("smtp://ann@127.0.0.1?tls=none", "login in plain text"),
        ("smtps://ann:pw@mail.example.org", "contains a password"),
        ("ftp://mail.example.org", "mail.relay is"),
        ("smtp://mail.example.org?starttls=1", "unknown part"),
    ] {
        let found = problems(&with(relay)).join("\n");
        assert!(found.contains(word), "{relay}: {found}");
        assert!(!found.contains(":pw"), "{found}");
    }
    let (config, _) = parse(&with("smtps://ann%40x@mail.example.org")).unwrap();
    let mail = config.mail.unwrap();
    let Relay::Smtp(relay) = &mail.relays[0].relay else {
        panic!("a folder")
    };
    assert_eq!(relay.login.as_deref(), Some("ann@x"));
    assert_eq!((relay.tls, relay.port), (RelayTls::Implicit, 465));
}

#[test]
fn what_is_missing_is_an_error_unless_told() {
    let (config, _) = parse(GOOD).unwrap();
    assert_eq!(config.content.missing, Level::Error);
    let with = |level: &str| format!("{GOOD}\n[content]\nmissing = \"{level}\"\n");
    let (config, _) = parse(&with("warning")).unwrap();
    assert_eq!(config.content.missing, Level::Warning);
    let found = problems(&with("ignore")).join("\n");
    assert!(
        found.contains("content.missing is `ignore`; use \"error\" or"),
        "{found}"
    );
}

#[test]
fn a_sender_with_a_line_break_is_refused() {
    let text = GOOD.replace("Tide <news", "Tide\\r\\nBcc: x@example.org <news");
    assert!(problems(&text).join("\n").contains("control character"));
}

#[test]
fn the_mailbox_of_bounces_is_known_without_a_word() {
    let text = format!("{GOOD}\n[bounces]\nsource = \"maildir:bounces\"\n");
    let (config, warnings) = parse(&text).unwrap();
    assert_eq!(warnings.len(), 0, "{warnings:?}");
    let source = config.bounces.unwrap().to_string();
    assert!(source.ends_with("/bounces"), "{source}");
    let text = text.replace("maildir:", "pop3://");
    let found = problems(&text).join("\n");
    assert!(
        found.contains("bounces.source is `pop3://bounces`; use `maildir:"),
        "{found}"
    );
}

#[test]
fn broken_toml_names_the_line() {
    let found = problems("[publication]\ntitle = \n");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("letterpress.toml:2: error:"),
        "{found:?}"
    );
}

#[test]
fn a_dkim_table_needs_selector_and_key_and_signs_as_the_sender_unless_told() {
    let table = "\n[mail.dkim]\nselector = \"LP1\"\nkey_file = \"keys/1.pem\"\n";
    let (config, _) = parse(&format!("{GOOD}{table}")).unwrap();
    let dkim = config.mail.unwrap().dkim.unwrap();
    assert_eq!(dkim.domain, "magazine.example.org");
    assert_eq!(dkim.keys[0].selector, "lp1");
    assert_eq!(dkim.keys[0].file, PathBuf::from("/site/keys/1.pem"));
    assert_eq!((dkim.keys.len(), dkim.valid_for), (1, None));
    for (added, complaint) in [
        (
            "domain = \"example.net\"",
            "mail.dkim.domain is `example.net`, and mail.from is at",
        ),
        (
            "second_selector = \"two\"",
            "mail.dkim.second_key_file is missing",
        ),
        (
            "second_selector = \"lp1\"\nsecond_key_file = \"2.pem\"",
            "both keys of [mail.dkim] have the selector `lp1`",
        ),
        ("valid_for = \"72h\"", "use at least 8days"),
        ("l = 100", "[mail.dkim] has no key `l`"),
    ] {
        let found = problems(&format!("{GOOD}{table}{added}\n")).join("\n");
        assert!(found.contains(complaint), "{found}");
    }
    let found = problems(&format!("{GOOD}\n[mail.dkim]\n")).join("\n");
    assert!(found.contains("mail.dkim.selector is missing"), "{found}");
    assert!(found.contains("mail.dkim.key_file is missing"), "{found}");
}

#[test]
fn a_theme_is_checked_for_what_people_cannot_read_with_the_line_and_a_remedy() {
    let with = |theme: &str| format!("{GOOD}\n{theme}");
    let (config, warnings) = parse(&with(
        "[theme]\nheading_font = \"Palatino, 'Book Antiqua', serif\"\n[theme.light]\naccent = \"#05a\"\n",
    ))
    .unwrap();
    assert_eq!(warnings, []);
    let theme = &config.publication.theme;
    assert_eq!(theme.heading_font, "Palatino, \"Book Antiqua\", serif");
    assert_eq!(theme.light.accent.to_string(), "#0055aa");
    // By night the same colour, as light as it must be.
    assert!(theme.dark.accent.contrast(theme.dark.paper) >= 4.5);
    assert_ne!(
        theme.dark.accent,
        crate::domain::theme::Palette::dark().accent
    );

    let (_, warnings) = parse(&with("[theme.light]\nquiet = \"#777777\"\n")).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings[0].starts_with("letterpress.toml:18: warning: theme.light: `quiet` on "),
        "{warnings:?}"
    );
    assert!(warnings[0].ends_with("people need 4.5 to 1 to read it; #656565 would do"));

    let found = problems(&with(
        "[theme]\ntext_font = \"x; } body { display: none\"\nlinks = [{ title = \"x\", url = \"javascript:1\" }]\n\
         [theme.dark]\nink = \"#333\"\naccent = \"red\"\n",
    ))
    .join("\n");
    for wanted in [
        "letterpress.toml:18: error: theme.text_font is no list of fonts",
        "letterpress.toml:19: error: `javascript:1` is no address a letter can link to",
        "letterpress.toml:21: error: theme.dark: `ink` on `paper` has a contrast of 1.",
        "letterpress.toml:22: error: `red` is no colour; write it as `#rrggbb`",
    ] {
        assert!(found.contains(wanted), "{wanted} is not in {found}");
    }
}

#[test]
fn a_size_budget_is_a_size_that_a_letter_can_have() {
    let with = |size: &str| {
        let key = format!("size_budget = \"{size}\"\nrate =");
        parse(&GOOD.replace("rate =", &key))
    };
    for (size, bytes) in [("60 KB", 60_000), ("10KB", 10_000), ("1 MiB", 1_048_576)] {
        let mail = with(size).unwrap().0.mail.unwrap();
        assert_eq!(mail.size_budget, bytes, "{size}");
    }
    for size in ["much", "9 KB", "1 GB", "-3"] {
        let found = with(size).unwrap_err().join("\n");
        assert!(
            found.contains(&format!(
                "error: mail.size_budget is `{size}`; use a size from"
            )),
            "{found}"
        );
    }
}
