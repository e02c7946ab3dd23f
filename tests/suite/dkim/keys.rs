//! Making keys, looking at them, and changing them while an issue is under way.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(press: &Press, file: &str) -> u32 {
    fs::metadata(press.path(file)).unwrap().permissions().mode() & 0o777
}

/// Replaces the key of a file, as somebody would who starts anew.
fn replace_key(press: &Press, file: &str, algorithm: &str) -> Vec<u8> {
    let old = press.read_bytes(file);
    fs::remove_file(press.path(file)).unwrap();
    press
        .run(&["dkim", "generate", "--algorithm", algorithm])
        .succeeds();
    old
}

#[test]
fn a_key_is_made_for_its_owner_only_and_never_overwritten() {
    let press = Press::new();
    let printed = press.run(&["dkim", "generate"]);
    printed
        .succeeds()
        .prints("lp202611._domainkey.garden.example.org")
        .prints("v=DKIM1; k=rsa; p=MIIBIjAN")
        .prints("IN TXT ( \"v=DKIM1;")
        .prints("key_file = \"dkim-lp202611.pem\"")
        .conceals("PRIVATE KEY");
    assert_eq!(mode(&press, "dkim-lp202611.pem"), 0o600);
    let before = press.read_bytes("dkim-lp202611.pem");
    press
        .run(&["dkim", "generate"])
        .exits(65)
        .says("dkim-lp202611.pem exists already");
    assert_eq!(press.read_bytes("dkim-lp202611.pem"), before);
    let elsewhere = Press::empty();
    elsewhere
        .run(&["dkim", "generate"])
        .exits(66)
        .says("`--domain`");
    let made = elsewhere
        .run(&[
            "dkim",
            "generate",
            "--domain",
            "Example.ORG",
            "--selector",
            "s1",
            "--key-file",
            "k/s1.pem",
            "--bits",
            "3072",
            "--format",
            "json",
        ])
        .json();
    assert_eq!(text(&made["name"]), "s1._domainkey.example.org");
    assert_eq!(made["bits"], 3072);
    let strings = made["strings"].as_array().unwrap();
    assert!(strings.len() > 1 && strings.iter().all(|part| text(part).len() <= 255));
    let joined: String = strings.iter().map(text).collect();
    assert_eq!(joined, text(&made["value"]));
    let again = elsewhere
        .run(&[
            "dkim",
            "record",
            "--domain",
            "example.org",
            "--selector",
            "s1",
            "--key-file",
            "k/s1.pem",
            "--format",
            "json",
        ])
        .json();
    assert_eq!(again[0]["value"], made["value"]);
}

#[test]
fn the_lines_that_generate_prints_are_all_that_the_settings_need() {
    let press = Press::new();
    let first = press.run(&["dkim", "generate", "--format", "json"]).json();
    let settings = press.read("letterpress.toml");
    press.write(
        "letterpress.toml",
        &format!("{settings}\n{}\n", text(&first["toml"])),
    );
    press.run(&["check"]).succeeds();
    // The second of two keys has other names for its lines.
    let second = press
        .run(&[
            "dkim",
            "generate",
            "--algorithm",
            "ed25519",
            "--format",
            "json",
        ])
        .json();
    let lines = text(&second["toml"]);
    assert!(lines.contains("second_selector = \"lp202611e\""), "{lines}");
    press.write(
        "letterpress.toml",
        &format!(
            "{settings}\n{}\n{}\n",
            text(&first["toml"]),
            lines
                .lines()
                .filter(|line| line.starts_with("second_"))
                .collect::<Vec<_>>()
                .join("\n")
        ),
    );
    let records = press.run(&["dkim", "record", "--format", "json"]).json();
    assert_eq!(records[0]["value"], first["value"]);
    assert_eq!(records[1]["value"], second["value"]);
}

#[test]
fn check_and_run_tell_of_a_key_that_cannot_sign_before_anything_is_frozen() {
    let press = signing_press(&["rsa"]);
    press.subscribers(3);
    let file = press.path("keys/rsa.pem");
    let line = press
        .read("letterpress.toml")
        .lines()
        .position(|line| line.starts_with("key_file"))
        .unwrap()
        + 1;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    press
        .run(&["check"])
        .exits(78)
        .prints(&format!("letterpress.toml:{line}: error: the secret file"))
        .prints("is open to others (mode 644)");
    press
        .run(&["send", "weekly"])
        .exits(78)
        .says("is open to others")
        .says("unsigned mail does not go out by surprise");
    fs::remove_file(&file).unwrap();
    press.run(&["check"]).exits(78).prints("cannot be read");
    press
        .run(&["send", "weekly"])
        .exits(78)
        .says("cannot be read");
    assert_eq!(press.files("outbox"), Vec::<String>::new());
    let issues = press.run(&["issues", "list", "--format", "json"]).json();
    assert_eq!(issues.as_array().map(Vec::len), Some(0), "{issues}");
}

#[test]
fn what_render_and_a_test_message_show_is_signed_too() {
    let press = signing_press(&["rsa", "ed25519"]);
    press
        .run(&["render", "weekly", "--out", "shown"])
        .succeeds();
    press
        .run(&["send", "weekly", "--test", "editor@example.org"])
        .succeeds();
    let test = press.files("outbox").remove(0);
    let messages = [press.read_bytes("shown/issue.eml"), press.read_bytes(&test)];
    let verdicts = Verifiers::knowing(&press).verdicts(messages.iter().map(Vec::as_slice));
    assert_eq!(verdicts, [Verdicts::all(true, 2), Verdicts::all(true, 2)]);
}

#[test]
fn an_issue_waits_for_the_key_it_was_frozen_with() {
    let press = signing_press(&["ed25519"]);
    press.subscribers(5);
    // Frozen, and nothing sent: the folder relay's folder is a file.
    press.write("outbox", "in the way");
    press.run(&["send", "weekly"]).exits(74);
    fs::remove_file(press.path("outbox")).unwrap();
    let old = replace_key(&press, "keys/ed25519.pem", "ed25519");
    press
        .run(&["run"])
        .exits(78)
        .says("cannot be signed as it was frozen")
        .says("of selector lp-ed25519, which is not the one letterpress.toml has")
        .says("put that key back");
    assert_eq!(press.files("outbox"), Vec::<String>::new());
    fs::write(press.path("keys/ed25519.pem"), old).unwrap();
    fs::set_permissions(
        press.path("keys/ed25519.pem"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    press.run(&["run"]).succeeds();
    let sent: Vec<Vec<u8>> = press
        .files("outbox")
        .iter()
        .map(|file| press.read_bytes(file))
        .collect();
    assert_eq!(sent.len(), 5);
    let verdicts = Verifiers::knowing(&press).verdicts(sent.iter().map(Vec::as_slice));
    assert!(
        verdicts.iter().all(|one| *one == Verdicts::all(true, 1)),
        "{verdicts:?}"
    );
}
