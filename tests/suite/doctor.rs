//! `doctor`, with a real DNS server, a real relay and a real page behind TLS.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant, SystemTime};

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Behaviour, Encryption};
use crate::chaos::tls::Identity;
use crate::dns::Dns;
use crate::harness::small_disk::SmallDisk;
use crate::press::Press;
use crate::process::Running;
use crate::sink::SmtpSink;
use crate::tls_front::TlsFront;
use crate::websub::http::{Response, Server};

const FROM: &str = "garden.example.org";
const ENVELOPE: &str = "bounces.example.org";

/// A publication about which there is nothing to mend.
struct World {
    press: Press,
    dns: Dns,
    relay: SmtpSink,
    pages: Option<Running>,
}

impl World {
    fn new() -> Self {
        Self::with(Identity::Good)
    }

    fn with(identity: Identity) -> Self {
        let mut press = Press::new();
        press.real_clock();
        press.set("mail.dkim.key_file", "keys/rsa.pem");
        press.set("mail.dkim.selector", "lp1");
        press.set("mail.dkim.second_key_file", "keys/ed25519.pem");
        press.set("mail.dkim.second_selector", "lp2");
        for algorithm in ["rsa", "ed25519"] {
            press
                .run(&["dkim", "generate", "--algorithm", algorithm])
                .succeeds();
        }
        press.subscribers(1);
        press.run(&["build"]).succeeds();
        let relay = SmtpSink::start(&[]);
        press.relay(&relay.url());
        let mut pages = press.spawn(&["serve", "--listen", "127.0.0.1:0"]);
        let line = pages.first_line();
        let port = line.trim_end_matches('/').rsplit(':').next().unwrap();
        let front = TlsFront::before(port.parse().unwrap(), identity);
        press.set("serve.public_url", front.url());
        press.write("authority.pem", front.authority_pem());
        let authority = press.path("authority.pem").display().to_string();
        press.env("SSL_CERT_FILE", &authority);
        let dns = Dns::start();
        dns.exchange(FROM, 10, "mx.example.org")
            .exchange(ENVELOPE, 10, "mx.example.org")
            .address_of("mx.example.org", "203.0.113.25")
            .text(ENVELOPE, "v=spf1 mx ~all")
            .text("_dmarc.garden.example.org", "v=DMARC1; p=none");
        press.run(&["store", "backup", "copy.db"]).succeeds();
        let world = Self {
            press,
            dns,
            relay,
            pages: Some(pages),
        };
        for (name, value) in world.keys() {
            world.dns.text(&name, &value);
        }
        world
    }

    /// The records that `dkim record` says to publish.
    fn keys(&self) -> Vec<(String, String)> {
        let told = self.press.run(&["--format", "json", "dkim", "record"]);
        let told = told.json();
        let word = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap().to_owned();
        let records = told.as_array().unwrap().iter();
        records
            .map(|record| (word(record, "name"), word(record, "value")))
            .collect()
    }

    fn doctor(&self, more: &[&str]) -> crate::process::Finished {
        let resolver = self.dns.address().to_string();
        let mut arguments = vec!["doctor", "--resolver", resolver.as_str()];
        arguments.extend(more);
        self.press.run(&arguments)
    }
}

#[test]
fn nothing_is_to_mend_where_everything_is_right_and_nothing_is_changed() {
    let world = World::new();
    let before = world.press.ledger().count("queued");
    let found = world.doctor(&["-v"]);
    found
        .succeeds()
        .says("13 as it should be, 0 warnings, 0 errors")
        .prints("DKIM       lp1._domainkey.garden.example.org has the rsa key of `lp1`, 2048 bits")
        .prints("DKIM       lp2._domainkey.garden.example.org has the ed25519 key of `lp2`")
        .prints("SPF        bounces.example.org has one record, which takes 1 of 10 look-ups")
        .prints("one-click  https://localhost:")
        .prints("lets readers leave with one click")
        .prints("ledger     ")
        .prints("backup     the newest copy of the ledger is of ");
    // Silent but for the sum where nobody asks for more.
    assert_eq!(world.doctor(&[]).stdout, "");
    assert_eq!(world.press.ledger().count("queued"), before);
    assert!(world.relay.messages().is_empty());
    let readers = world.press.run(&["subscribers", "export"]);
    readers.succeeds().prints("active");
}

#[test]
fn each_record_that_is_missing_or_wrong_is_told_with_the_one_to_publish() {
    let world = World::new();
    let keys = world.keys();
    let (name, value) = &keys[0];
    for (records, level, says) in [
        (vec![], "error", "the rsa key `lp1` is not published"),
        (
            vec![keys[1].1.as_str()],
            "error",
            "has another key than the file of `lp1`",
        ),
        (
            vec!["v=DKIM1; k=rsa; p="],
            "error",
            "says that its key was revoked",
        ),
        (vec!["hello"], "error", "is no DKIM record"),
        (vec![value, value], "error", "has 2 TXT records"),
    ] {
        world.dns.without(name);
        for record in records {
            world.dns.text(name, record);
        }
        let found = world.doctor(&[]);
        found.exits(78).prints(says).prints(level);
        // Strings of at most 255 bytes, as zone files want them.
        let line = format!("publish: {name}. IN TXT \"{}\" \"", &value[..255]);
        found.prints(&line);
    }
    world.dns.without(name).text(name, &format!("{value}; t=y"));
    world
        .doctor(&[])
        .succeeds()
        .prints("warning  DKIM")
        .says("1 warning, 0 errors");
    world.dns.without(name).text(name, value);
    world.dns.without("_dmarc.garden.example.org");
    let found = world.doctor(&["--format", "json"]);
    let found = found.exits(78).json();
    assert_eq!(found["errors"], 1);
    let all = found["findings"].as_array().unwrap();
    let dmarc = all.iter().find(|one| one["level"] == "error").unwrap();
    assert_eq!(dmarc["topic"], "dmarc");
    assert_eq!(dmarc["record"]["name"], "_dmarc.garden.example.org");
    assert_eq!(
        dmarc["record"]["value"],
        "v=DMARC1; p=none; rua=mailto:postmaster@garden.example.org"
    );
}

#[test]
fn a_relay_and_a_page_that_are_away_are_told_with_what_to_do() {
    let mut world = World::new();
    world.relay.kill();
    world
        .doctor(&[])
        .exits(78)
        .prints("error    relay")
        .prints("connection refused");
    world.relay.restart(None);
    drop(world.pages.take().unwrap().kill());
    world
        .doctor(&[])
        .exits(78)
        .prints("error    one-click")
        .prints("start `letterpress serve` and the proxy");
    // A proxy that sends everybody elsewhere breaks one click (RFC 8058 3.2).
    let elsewhere = Server::start(|_| Response::status(302));
    let front = TlsFront::before(elsewhere.port(), Identity::Good);
    world.press.write("authority.pem", front.authority_pem());
    world.press.set("serve.public_url", front.url());
    world
        .doctor(&[])
        .exits(78)
        .prints("answers the link to leave with 302");
}

#[test]
fn a_page_with_a_certificate_of_another_name_is_an_error() {
    let world = World::with(Identity::WrongName);
    world.doctor(&[]).exits(78).prints("error    one-click");
}

#[test]
fn a_disk_with_little_room_is_told_before_it_is_full() {
    let world = World::new();
    world.press.ledger_apart();
    world.press.subscribers(1);
    let resolver = world.dns.address().to_string();
    for (kilobytes, level) in [(20_000, "error  "), (200_000, "warning")] {
        let _ = fs::remove_dir_all(world.press.path("ledger.kept"));
        let disk = SmallDisk::over(&world.press, "ledger", kilobytes);
        let found = disk.run(&world.press, &["doctor", "--resolver", &resolver]);
        found.prints(&format!("{level}  disk"));
        found
            .prints("MB free beside the ledger")
            .prints("make room");
        found.exits(if level == "warning" { 0 } else { 78 });
    }
}

#[test]
fn a_damaged_ledger_is_an_error_and_stays_as_it_is() {
    let mut world = World::new();
    drop(world.pages.take().unwrap().kill());
    world.press.run(&["run"]).succeeds();
    let mut bytes = world.press.read_bytes("letterpress.db");
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..64].iter_mut().for_each(|byte| *byte ^= 0xA5);
    }
    world.press.write_bytes("letterpress.db", &bytes);
    let found = world.doctor(&[]);
    found.exits(78).prints("error    ledger");
    assert_eq!(world.press.read_bytes("letterpress.db"), bytes);
}

#[test]
fn a_login_that_is_refused_is_an_error_after_one_try() {
    let world = World::new();
    let sink = ChaosSink::start(Behaviour {
        encryption: Encryption::Implicit,
        identity: Identity::Good,
        ..Behaviour::with_login("press", "correct-horse-9741")
    });
    let press = &world.press;
    press.relay(&format!("smtps://press@127.0.0.1:{}", sink.port()));
    press.write("secrets/relay-password", "wrong-horse-9741\n");
    let owner_only = fs::Permissions::from_mode(0o600);
    fs::set_permissions(press.path("secrets/relay-password"), owner_only).unwrap();
    press.set("mail.password_file", "secrets/relay-password");
    press.set("mail.tls_ca_file", sink.authority().display().to_string());
    let found = world.doctor(&[]);
    found
        .exits(78)
        .prints("error    relay")
        .prints("its words say why");
    assert!(!found.stdout.contains("horse"), "{found}");
    assert_eq!(sink.heard("AUTH"), 1);
    press.write("secrets/relay-password", "correct-horse-9741\n");
    world.doctor(&["-v"]).prints("and the login works");
}

#[test]
fn relays_are_asked_at_once_so_that_a_silent_one_keeps_nobody_waiting() {
    let world = World::new();
    // They take a connection and say nothing.
    let silent: Vec<TcpListener> = (0..4)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let relays = silent.iter().map(|one| {
        let port = one.local_addr().unwrap().port();
        let url = format!("smtp://127.0.0.1:{port}?tls=none");
        toml::Value::Table([("url".to_owned(), url.into())].into_iter().collect())
    });
    world.press.config(|settings| {
        let mail = settings["mail"].as_table_mut().unwrap();
        mail.remove("relay");
        mail.insert("relays".to_owned(), relays.collect::<Vec<_>>().into());
    });
    world.press.set("mail.timeouts.greeting", "8s");
    let begun = Instant::now();
    let found = world.doctor(&[]);
    let took = begun.elapsed();
    found.exits(78);
    assert_eq!(found.stdout.matches("error    relay").count(), 4, "{found}");
    // One after another they would take four times eight seconds.
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn certificates_about_to_end_are_told_with_their_day_and_a_refused_login_with_its_words() {
    let world = World::with(Identity::EndsSoon);
    let relay = ChaosSink::start(Behaviour {
        encryption: Encryption::Implicit,
        identity: Identity::EndsSoon,
        ..Behaviour::with_login("press", "s3cret")
    });
    let press = &world.press;
    press.relay(&format!("smtps://press@localhost:{}", relay.port()));
    let authority = relay.authority().to_string_lossy().into_owned();
    press.set("mail.tls_ca_file", authority);
    press.set("mail.password_file", "password");
    let log_in_with = |password: &str| {
        press.write("password", password);
        fs::set_permissions(press.path("password"), fs::Permissions::from_mode(0o600)).unwrap();
        world.doctor(&["-v"])
    };
    let end = chrono::Utc::now() + chrono::TimeDelta::days(6);
    let says = format!(" ends on {}, in ", end.format("%Y-%m-%d"));
    let found = log_in_with("s3cret");
    found
        .succeeds()
        .prints("over TLS, with a certificate of its name, and the login works")
        .prints("warning  relay      the certificate of ")
        .prints("warning  one-click  the certificate of localhost")
        .says("2 warnings, 0 errors");
    assert_eq!(found.stdout.matches(&says).count(), 2, "{found}");
    log_in_with("wrong")
        .exits(78)
        .prints("error    relay")
        .prints("535 5.7.8 authentication credentials invalid")
        .prints("its words say why");
}

#[test]
fn an_old_copy_and_missing_room_are_told() {
    let mut world = World::new();
    drop(world.pages.take().unwrap().kill());
    let press = &world.press;
    press.relay("folder:outbox");
    press.run(&["run"]).succeeds();
    let told = || world.doctor(&[]);

    let noted = press.path("letterpress.db.backed-up");
    let long_ago = SystemTime::now() - Duration::from_secs(9 * 86_400);
    File::options()
        .write(true)
        .open(&noted)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    told().prints("9 days ago").prints("warning  backup");
    fs::remove_file(&noted).unwrap();
    told().prints("nobody has made a copy of the ledger");

    assert!(!told().stdout.contains("no room is set aside"));
    fs::remove_file(press.path("letterpress.db.ballast")).unwrap();
    told().prints("warning  disk       no room is set aside");
}
