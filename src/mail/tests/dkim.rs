//! Promises of DKIM that need no second program; that others can verify our
//! signatures is shown by the suite, on mail that a real Postfix stored.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use aws_lc_rs::rsa::KeySize;

use super::{
    super::dkim::{Algorithm, Key, KeyError, Keys, Mismatch},
    *,
};
use crate::config::settings::{DkimKey, DkimSettings};

/// Key files in a folder of their own, and how the settings name them.
struct KeyFiles {
    folder: tempfile::TempDir,
    settings: DkimSettings,
}

impl KeyFiles {
    fn new(algorithms: &[Algorithm]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = algorithms
            .iter()
            .map(|algorithm| {
                let (_, pem) = match algorithm {
                    Algorithm::Rsa => Key::new_rsa(KeySize::Rsa2048).unwrap(),
                    Algorithm::Ed25519 => Key::new_ed25519().unwrap(),
                };
                let file = folder.path().join(format!("{algorithm}.pem"));
                write(&file, &pem, 0o600);
                DkimKey {
                    selector: format!("s-{algorithm}"),
                    file,
                    line: None,
                }
            })
            .collect();
        let settings = DkimSettings {
            domain: "magazine.example.org".to_owned(),
            keys,
            valid_for: None,
        };
        Self { folder, settings }
    }

    fn load(&self) -> Keys {
        Keys::load(&self.settings).unwrap()
    }
}

fn write(file: &Path, text: &str, mode: u32) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

fn signed(world: &World, edition: &Edition, keys: &Keys) -> Vec<u8> {
    let address = "anna@example.org".parse().unwrap();
    let to = addressed(&address, Some("Ünna Ökonomidis"), 3);
    let composer = Composer::new(edition.clone(), Some(keys)).unwrap();
    composer.message(&to, &world.signer).unwrap().to_bytes()
}

/// The tags of the first signature, without the blanks of folding.
fn tags(message: &[u8]) -> BTreeMap<String, String> {
    header(message, "DKIM-Signature")
        .split(';')
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| {
            let value = value.split_ascii_whitespace().collect();
            (name.trim().to_owned(), value)
        })
        .collect()
}

#[test]
fn every_attempt_has_the_same_signature_also_from_the_stored_edition() {
    let world = world();
    let keys = KeyFiles::new(&[Algorithm::Rsa, Algorithm::Ed25519]).load();
    let edition = world.render_with(Some(&keys)).unwrap().edition;
    let stored = Edition::from_bytes(&edition.to_bytes()).unwrap();
    let first = signed(&world, &edition, &keys);
    assert_eq!(first, signed(&world, &stored, &keys));
    assert!(first.starts_with(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;"));
    let text = String::from_utf8(first).unwrap();
    assert_eq!(text.matches("DKIM-Signature: ").count(), 2);
}

#[test]
fn a_signature_covers_what_mail_programs_act_on_and_lets_none_of_it_be_added() {
    let world = world();
    let keys = KeyFiles::new(&[Algorithm::Rsa]).load();
    let rendered = world.render_with(Some(&keys)).unwrap();
    let tags = tags(&rendered.eml);
    let listed: Vec<&str> = tags["h"].split(':').collect();
    let (head, _) = lines(&rendered.eml);
    let in_message = |name: &str| {
        let start = format!("{name}: ");
        head.iter().filter(|line| line.starts_with(&start)).count()
    };
    for name in [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Reply-To",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Cc",
    ] {
        let times = listed.iter().filter(|listed| **listed == name).count();
        assert_eq!(times, in_message(name) + 1, "{name}");
    }
    // Every field of ours is signed.
    for line in head.iter().filter(|line| !line.starts_with([' ', '\t'])) {
        let name = line.split(':').next().unwrap();
        assert!(name == "DKIM-Signature" || listed.contains(&name), "{name}");
    }
    assert!(!tags.contains_key("l") && !tags.contains_key("x"));
    // 2026-11-27T07:00:00+02:00, the Date of the issue.
    assert_eq!(tags["t"], "1795755600");
    assert_eq!(
        (tags["d"].as_str(), tags["s"].as_str()),
        ("magazine.example.org", "s-rsa")
    );
}

#[test]
fn the_signature_is_folded_and_a_limited_one_says_until_when_it_holds() {
    let world = world();
    let mut files = KeyFiles::new(&[Algorithm::Rsa]);
    files.settings.valid_for = Some(Duration::from_secs(864_000));
    files.settings.domain = format!("{}.magazine.example.org", "x".repeat(40));
    let message = world.render_with(Some(&files.load())).unwrap().eml;
    assert_eq!(tags(&message)["x"], (1_795_755_600 + 864_000).to_string());
    let (head, _) = lines(&message);
    for line in head.iter().take_while(|line| !line.starts_with("Date")) {
        assert!(line.len() <= 78, "{line}");
    }
}

#[test]
fn an_issue_is_signed_with_the_keys_it_was_frozen_with_or_not_at_all() {
    let world = world();
    let files = KeyFiles::new(&[Algorithm::Rsa, Algorithm::Ed25519]);
    let keys = files.load();
    let edition = world.render_with(Some(&keys)).unwrap().edition;
    let refused = |keys: Option<&Keys>| Composer::new(edition.clone(), keys).unwrap_err();
    let said = refused(None).to_string();
    assert!(
        said.contains("letterpress.toml has no [mail.dkim]"),
        "{said}"
    );
    let others = KeyFiles::new(&[Algorithm::Rsa, Algorithm::Ed25519]).load();
    assert!(matches!(
        refused(Some(&others)),
        Mismatch::Key {
            algorithm: Algorithm::Rsa,
            ..
        }
    ));
    let mut settings = files.settings.clone();
    settings.keys[1].selector = "other".to_owned();
    let renamed = Keys::load(&settings).unwrap();
    assert!(matches!(
        refused(Some(&renamed)),
        Mismatch::Key {
            algorithm: Algorithm::Ed25519,
            ..
        }
    ));
    settings = files.settings.clone();
    settings.domain = "example.org".to_owned();
    let elsewhere = Keys::load(&settings).unwrap();
    assert!(matches!(refused(Some(&elsewhere)), Mismatch::Domain { .. }));
    // A second key that came later changes nothing for this issue.
    settings = files.settings.clone();
    settings.keys.truncate(1);
    let one = world
        .render_with(Some(&Keys::load(&settings).unwrap()))
        .unwrap()
        .edition;
    assert_eq!(
        signed(&world, &one, &keys),
        signed(&world, &one, &Keys::load(&settings).unwrap())
    );
    // What was frozen unsigned stays so.
    let unsigned = world.render().unwrap().edition;
    assert!(!signed(&world, &unsigned, &keys).starts_with(b"DKIM"));
}

#[test]
fn a_key_that_others_can_read_or_that_is_too_weak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (pem, bits) in [
        (
            openssl(&[
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:3072",
            ]),
            3072,
        ),
        (openssl(&["genrsa", "-traditional", "2048"]), 2048),
        (openssl(&["genpkey", "-algorithm", "ED25519"]), 256),
    ] {
        write(&file, &pem, 0o640);
        assert_eq!(Key::load(&file).unwrap().bits(), bits, "{pem}");
        write(&file, &pem, 0o644);
        let error = Key::load(&file).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    write(&file, &openssl(&["genrsa", "1024"]), 0o600);
    assert!(matches!(Key::load(&file), Err(KeyError::Short { .. })));
    let curve = [
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ];
    write(&file, &openssl(&curve), 0o600);
    assert!(matches!(Key::load(&file), Err(KeyError::Unfit { .. })));
    write(
        &file,
        "-----BEGIN PRIVATE KEY-----\nhunter2secret!\n-----END PRIVATE KEY-----\n",
        0o600,
    );
    let error = Key::load(&file).unwrap_err();
    assert!(matches!(error, KeyError::Pem { .. }));
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[test]
fn a_new_key_reads_back_as_itself_and_never_prints_its_secret() {
    for (key, pem) in [
        Key::new_rsa(KeySize::Rsa2048).unwrap(),
        Key::new_ed25519().unwrap(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        write(&file, &pem, 0o600);
        let read = Key::load(&file).unwrap();
        assert_eq!(read.fingerprint(), key.fingerprint());
        let shown = format!("{read:?}");
        assert!(shown.contains("SHA256:") && shown.len() < 80, "{shown}");
        // The form that other programs expect.
        let output = std::process::Command::new("openssl")
            .args(["pkey", "-noout", "-in"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn two_keys_of_one_kind_are_refused() {
    let mut files = KeyFiles::new(&[Algorithm::Ed25519]);
    let (_, pem) = Key::new_ed25519().unwrap();
    let file = files.folder.path().join("second.pem");
    write(&file, &pem, 0o600);
    files.settings.keys.push(DkimKey {
        selector: "second".to_owned(),
        file,
        line: None,
    });
    let error = Keys::load(&files.settings).unwrap_err();
    assert!(
        matches!(error, KeyError::SameKind(Algorithm::Ed25519)),
        "{error}"
    );
}
