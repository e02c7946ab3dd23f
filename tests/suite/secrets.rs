//! What nobody may see: the password, the install key, whole addresses. They
//! are planted, and then looked for in everything that a run leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::BASE64;

use crate::chaos::behaviour::{Behaviour, Encryption};
use crate::chaos::{ChaosSink, Heard};
use crate::press::Press;
use crate::receipt::Fate;

const PASSWORD: &str = "canary-vermilion-5521";
const READER: &str = "zinnia.canary@example.org";
/// The login and a password as AUTH PLAIN (RFC 4616) sends them, up to where
/// the padding may change them.
fn on_the_wire(password: &str) -> String {
    let plain = format!("\0press\0{password}");
    let whole_groups = plain.len() / 3 * 3;
    BASE64.encode(&plain.as_bytes()[..whole_groups])
}

fn press_at(sink: &ChaosSink, password: &str) -> Press {
    let press = Press::new();
    press.subscribe([READER, "ben@example.com"]);
    press.relay(&format!("smtps://press@127.0.0.1:{}", sink.port()));
    press.set(
        "mail.tls_ca_file",
        sink.authority().to_string_lossy().into_owned(),
    );
    press.write("secrets/relay-password", &format!("{password}\n"));
    fs::set_permissions(
        press.path("secrets/relay-password"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    press.set("mail.password_file", "secrets/relay-password");
    press
}

fn sink() -> ChaosSink {
    ChaosSink::start(Behaviour {
        encryption: Encryption::Implicit,
        ..Behaviour::with_login("press", PASSWORD)
    })
}

/// Every file of the publication but the secrets themselves that holds `canary`.
fn files_with(press: &Press, canary: &[u8]) -> Vec<String> {
    walkdir::WalkDir::new(press.dir())
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| {
            !["relay-password", "dkim.pem"]
                .map(Some)
                .contains(&entry.file_name().to_str())
        })
        .filter(|entry| holds(entry.path(), canary))
        .map(|entry| entry.path().display().to_string())
        .collect()
}

fn holds(path: &Path, canary: &[u8]) -> bool {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.windows(canary.len()).any(|window| window == canary)
}

/// The install key as a person would recognise it.
fn key_in_hexadecimal(press: &Press) -> String {
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    let key: Vec<u8> = ledger
        .query_row("SELECT install_key FROM installation", [], |row| row.get(0))
        .unwrap();
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn no_secret_leaves_its_place_whatever_is_asked_and_however_it_goes() {
    for (password, exit, accepted) in [(PASSWORD, 0, 2), ("canary-cobalt-1188", 77, 0)] {
        let sink = sink();
        let on_the_wire = on_the_wire(password);
        let press = press_at(&sink, password);
        let key = key_in_hexadecimal(&press);
        let asked: [&[&str]; 9] = [
            &["-v", "check"],
            &["-v", "plan"],
            &["--format", "json", "plan"],
            &["-v", "run"],
            &["-v", "--format", "json", "status"],
            &["--format", "json", "issues", "list"],
            &["-v", "issues", "show", "weekly/1"],
            &["uncertain", "list", "--full"],
            &["-v", "why", READER],
        ];
        for arguments in asked {
            let run = press.run(arguments);
            if arguments.contains(&"run") {
                run.exits(exit);
            }
            run.conceals(password).conceals(&on_the_wire).conceals(&key);
        }
        assert_eq!(sink.count(Fate::Accepted), accepted);
        let shows_it = |heard: &Heard| heard.line.contains(&on_the_wire);
        assert!(sink.commands().iter().any(shows_it), "not how it was sent");
        for canary in [password, &on_the_wire, &key] {
            let found = files_with(&press, canary.as_bytes());
            assert!(found.is_empty(), "{canary} stands in {found:?}");
        }
    }
}

/// Has the press sign with a key of its own; hands back what nobody may see of
/// it: the lines of its file behind the modulus, which the DNS has as well.
fn sign(press: &Press) -> Vec<Vec<u8>> {
    press.set("mail.dkim.selector", "canary");
    press.set("mail.dkim.key_file", "secrets/dkim.pem");
    press
        .run(&["dkim", "generate", "--algorithm", "rsa"])
        .succeeds();
    let pem = press.read("secrets/dkim.pem");
    let body: Vec<&str> = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    assert!(body.len() > 20, "not the key of an RSA pair");
    let secret = &body[body.len() / 3..body.len() - 1];
    secret.iter().map(|line| line.as_bytes().to_vec()).collect()
}

#[test]
fn no_part_of_a_signing_key_leaves_its_file() {
    let sink = sink();
    for relay in [None, Some("folder:outbox")] {
        let press = press_at(&sink, PASSWORD);
        if let Some(relay) = relay {
            press.relay(relay);
            press.config(|settings| {
                settings["mail"]
                    .as_table_mut()
                    .unwrap()
                    .remove("password_file");
            });
        }
        let canaries = sign(&press);
        let asked: [&[&str]; 8] = [
            &["-v", "check"],
            &["-v", "--format", "json", "dkim", "record"],
            &["-v", "plan"],
            &["-v", "render", "weekly", "--out", "rendered"],
            &["-v", "run"],
            &["-v", "--format", "json", "status"],
            &["-v", "issues", "show", "weekly/1"],
            &["-v", "why", READER],
        ];
        for arguments in asked {
            let run = press.run(arguments);
            run.succeeds();
            for canary in &canaries {
                for stream in [&run.stdout, &run.stderr] {
                    let shown = stream
                        .as_bytes()
                        .windows(canary.len())
                        .any(|part| part == canary);
                    assert!(!shown, "a part of the key is printed\n{run}");
                }
            }
        }
        for canary in &canaries {
            let found = files_with(&press, canary);
            assert!(found.is_empty(), "a part of the key stands in {found:?}");
        }
        for entry in sink.journal() {
            let message = entry.data();
            assert!(message.starts_with(b"DKIM-Signature:"), "it was signed");
            let leaks = |canary: &Vec<u8>| message.windows(canary.len()).any(|part| part == canary);
            assert!(!canaries.iter().any(leaks), "a part of the key was sent");
        }
    }
    assert_eq!(sink.count(Fate::Accepted), 2);
}

#[test]
fn whole_addresses_are_shown_only_to_those_who_ask_for_them() {
    let sink = sink();
    let press = press_at(&sink, PASSWORD);
    for arguments in [
        ["-v", "plan"].as_slice(),
        &["-v", "run"],
        &["-v", "status"],
        &["-v", "issues", "show", "weekly/1"],
        &["--format", "json", "issues", "show", "weekly/1"],
        &["uncertain", "list"],
    ] {
        press.run(arguments).conceals(READER);
    }
    assert!(
        !holds(&press.path("letterpress.db.lock"), READER.as_bytes()),
        "the lock names a reader"
    );
    assert_eq!(sink.count(Fate::Accepted), 2, "both were really written to");
}

#[test]
fn a_run_leaves_no_core_file_and_shows_no_secret_in_the_process_list() {
    let sink = sink();
    let press = press_at(&sink, PASSWORD);
    let key = sign(&press);
    sink.hold_dots();
    let mut run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let about = Path::new("/proc").join(run.pid().to_string());
    let limits = fs::read_to_string(about.join("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let figures: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(figures, ["0", "0"], "{core}");
    assert!(!holds(&about.join("cmdline"), PASSWORD.as_bytes()));
    assert!(!holds(&about.join("environ"), PASSWORD.as_bytes()));
    for part in ["cmdline", "environ"] {
        let shows = |canary: &Vec<u8>| holds(&about.join(part), canary);
        assert!(!key.iter().any(shows), "{part} shows the key");
    }
    assert!(run.is_running());
    sink.release();
    run.wait().exits(0);
}
