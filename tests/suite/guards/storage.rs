//! Storage that fails in the middle, or cannot be what it must be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{READERS, one_uncertain, other_hands, press};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::ledger::Ledger;
use crate::harness::oracle::{Policy, assert_reconciled};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Fate;
use crate::harness::tools::program;

/// Fills the ledger's disk to its last block while a dot waits for its answer.
const FILLED: &str = r#"
run() { "$LETTERPRESS" --at 2026-11-27T08:00:00+02:00 run 2>>said; }
mkdir full kept
mount -t tmpfs -o size=24m ledger ledger
"$LETTERPRESS" subscribers import subscribers.csv >&2
run & pid=$!
while [ ! -e held ]; do sleep 0.05; done
test -s ledger/letterpress.db.ballast
cat /dev/zero > ledger/filler || true
touch filled
code=0; wait $pid || code=$?; echo "full $code"
cp ledger/letterpress.db full/
test ! -e ledger/letterpress.db-wal || cp ledger/letterpress.db-wal full/
ls ledger > left
rm ledger/filler
code=0; run || code=$?; echo "roomy $code"
ls ledger > after
cp ledger/letterpress.db* kept/
"#;

#[test]
fn what_the_relay_said_is_kept_on_a_full_disk_and_nothing_new_is_sent() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = Press::new();
    press
        .limit(Duration::from_secs(100))
        .subscribers(READERS)
        .relay(&sink.url())
        .ledger_apart();
    sink.hold_dots();
    let script = press.script_in_own_mounts(FILLED);
    sink.wait_for_held(1);
    press.write("held", "");
    let is_filled = || press.path("filled").exists();
    assert!(crate::harness::net::holds_within(
        Duration::from_secs(30),
        is_filled
    ));
    sink.release();
    let end = script.wait();
    let said = press.read("said");
    assert!(end.stdout.starts_with("full 74\n"), "{end}\n{said}");
    assert!(
        said.contains("error: the ledger cannot be written (disk full on ")
            && said.contains(
                "ledger/letterpress.db): stopped before sending; free space and run again\n"
            ),
        "{said}"
    );
    let full = Ledger::open(&press.path("full/letterpress.db"));
    let states = full.sums_hold().states();
    assert_eq!(full.count("inflight"), 0, "{states:?}");
    let sent = full.count("sent");
    assert_eq!(full.count("queued"), READERS - sent, "{states:?}");
    assert!(sent >= 1, "{states:?}");
    assert!(!press.read("left").contains("ballast"));

    assert!(end.stdout.ends_with("roomy 0\n"), "{end}\n{said}");
    assert!(press.read("after").contains("letterpress.db.ballast"));
    let ledger = Ledger::open(&press.path("kept/letterpress.db"));
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    assert_eq!(sink.count(Fate::Accepted), READERS, "0 uncertain, 0 twice");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn after_a_failed_sync_the_file_handle_is_not_trusted_again() {
    let (press, sink) = press();
    press.run(&["build"]).succeeds();
    let log = press.path("letterpress.db-wal");
    let log = log.to_string_lossy();
    let inject = "--inject=fdatasync,fsync:error=EIO:when=15+";
    let strace = ["strace", "-f", "-o", "/dev/null", "-P", &log, inject];
    let end = press.spawn_under(&strace, &["run"]).wait();
    end.exits(74)
        .says("error: the ledger cannot be written (stable storage failed on ")
        .says("letterpress.db, not trusting this file handle)");
    let ledger = press.ledger();
    let accepted = sink.count(Fate::Accepted);
    assert!((1..READERS).contains(&accepted), "{accepted} accepted");
    assert_reconciled(&ledger.rows(), &sink.receipts(), Policy::Once);
    let open = ledger.count("inflight");
    assert!(open > 0, "nothing was under way");
    let end = press.run(&["run"]);
    let uncertain = press.ledger().sums_hold().count("uncertain");
    assert!(
        uncertain <= 10 && open <= uncertain,
        "{uncertain} uncertain"
    );
    end.exits(if uncertain > 0 { 3 } else { 0 });
    assert_eq!(press.ledger().count("sent") + uncertain, READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

const READ_ONLY: &str = r#"
mount -t tmpfs -o size=8m ledger ledger
"$LETTERPRESS" subscribers import subscribers.csv >/dev/null
mount -o remount,ro ledger
"$LETTERPRESS" --at 2026-11-27T08:00:00+02:00 run
"#;

#[test]
fn a_read_only_disk_is_named_before_anything_is_sent() {
    let (press, sink) = press();
    press.ledger_apart();
    let end = press.script_in_own_mounts(READ_ONLY).wait();
    end.exits(74)
        .says("error: the ledger cannot be written (read-only: ")
        .says("ledger/letterpress.db");
    assert_eq!(sink.connections(), 0);
}

#[test]
fn a_ledger_of_somebody_else_is_named_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let (press, sink) = press();
    let open = |path: &std::path::Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    open(press.dir());
    // Where nobody else may look into the folder of this build.
    fs::copy(env!("CARGO_BIN_EXE_letterpress"), press.path("program")).unwrap();
    open(&press.path("program"));
    let mut command = Command::new(program("setpriv"));
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(press.path("program"))
        .args(["--at", crate::harness::press::FRIDAY, "run"])
        .current_dir(press.dir())
        .env_clear();
    Running::start(command, b"", Duration::from_secs(60))
        .wait()
        .exits(74)
        .says("error: the ledger cannot be opened (no permission: ")
        .says("/letterpress.db")
        .says("hint: run as the owner of the ledger");
    assert_eq!(sink.connections(), 0);
}

#[test]
fn flipped_bits_are_found_and_never_mended() {
    let (press, sink) = press();
    press.run(&["run"]).succeeds();
    let sent = sink.count(Fate::Accepted);
    let mut bytes = press.read_bytes("letterpress.db");
    for page in bytes.chunks_mut(4096).skip(1) {
        for byte in page.iter_mut().take(64) {
            *byte ^= 0xA5;
        }
    }
    press.write_bytes("letterpress.db", &bytes);
    for arguments in [&["run"][..], &["store", "verify"], &["send", "weekly"]] {
        press
            .run(arguments)
            .exits(74)
            .says("the ledger fails its integrity check at ")
            .says("see `restore` in docs/delivery.md");
    }
    assert_eq!(press.read_bytes("letterpress.db"), bytes);
    assert_eq!(sink.count(Fate::Accepted), sent, "nothing was sent");
}

#[test]
fn damage_in_the_middle_of_an_issue_ends_it_and_is_never_mended() {
    for (table, at) in [
        ("deliveries", 0..64),
        ("subscribers", 0..64),
        ("editions", 0..64),
        // In its text, of which the database knows nothing.
        ("editions", 3_000..3_001),
    ] {
        let (press, sink) = one_uncertain(|_| {});
        let pages: Vec<u32> = {
            let hands = other_hands(&press);
            hands
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
                .unwrap();
            let pages = "SELECT pageno FROM dbstat WHERE name = ?1";
            let mut select = hands.prepare(pages).unwrap();
            let pages = select.query_map([table], |row| row.get(0)).unwrap();
            pages.collect::<Result<_, _>>().unwrap()
        };
        let mut bytes = press.read_bytes("letterpress.db");
        for page in &pages {
            let begin = (*page as usize - 1) * 4096;
            bytes[begin..][at.clone()]
                .iter_mut()
                .for_each(|byte| *byte ^= 0xA5);
        }
        press.write_bytes("letterpress.db", &bytes);
        let accepted = sink.count(Fate::Accepted);
        press
            .run(&["run"])
            .exits(74)
            .says("the ledger fails its integrity check at ")
            .says("see `restore` in docs/delivery.md");
        assert_eq!(sink.count(Fate::Accepted), accepted, "{table}: it was sent");
        let verify = press.run(&["store", "verify"]);
        verify
            .exits(74)
            .says("the ledger fails its integrity check at ");
        if at == (3_000..3_001) {
            verify.prints("issue weekly/1, edition 1: the stored edition is damaged");
        }
        let after = press.read_bytes("letterpress.db");
        for page in pages {
            let begin = (page as usize - 1) * 4096;
            let range = begin..begin + 4096;
            assert!(
                after[range.clone()] == bytes[range],
                "{table}: it was mended"
            );
        }
    }
}

#[test]
fn an_issue_that_does_not_add_up_stops_the_run() {
    let (press, sink) = one_uncertain(|_| {});
    let hands = other_hands(&press);
    hands
        .execute_batch("DELETE FROM deliveries WHERE id = 20")
        .unwrap();
    // Only the whole reading sees a lost row; tallies a run looks at itself.
    press
        .run(&["store", "verify"])
        .exits(74)
        .prints("issue 1: 30 candidates, but 29 deliveries and 0 exclusions")
        .says("hint: it is never mended by itself");
    hands
        .execute_batch("UPDATE tallies SET count = 11 WHERE state = 0")
        .unwrap();
    let before = sink.count(Fate::Accepted);
    press
        .run(&["run"])
        .exits(74)
        .says("caused by: issue weekly/1 does not add up");
    assert_eq!(sink.count(Fate::Accepted), before);
    let told = press.run(&["--format", "json", "store", "verify"]);
    assert_eq!(told.json()["ok"], false, "{told}");
}

#[test]
fn a_network_file_system_is_refused_unless_it_is_allowed() {
    let (press, sink) = press();
    // The kernel's answer to statfs says NFS (0x6969).
    let inject = "--inject=statfs:poke_exit=@arg2=6969000000000000";
    let strace = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=statfs",
        inject,
    ];
    press
        .spawn_under(&strace, &["run"])
        .wait()
        .exits(78)
        .says("letterpress.db is on a network file system (NFS)")
        .says("set `store.allow_network_file_system = true`");
    assert_eq!(sink.connections(), 0);
    press.set("store.allow_network_file_system", true);
    press.spawn_under(&strace, &["run"]).wait().succeeds();
    assert_eq!(press.ledger().sums_hold().count("sent"), READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_log_that_grows_while_somebody_reads_is_told_and_sending_goes_on() {
    let (press, sink) = press();
    press.run(&["build"]).succeeds();
    let reader = other_hands(&press);
    reader.execute_batch("BEGIN").unwrap();
    let rows = reader.query_row("SELECT count(*) FROM subscribers", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(rows.unwrap(), 30);
    let writer = other_hands(&press);
    writer
        .execute_batch(
            "PRAGMA synchronous = OFF; CREATE TABLE much (bytes BLOB);
             INSERT INTO much SELECT zeroblob(1 << 24) FROM (SELECT 1 UNION ALL SELECT 2
               UNION ALL SELECT 3 UNION ALL SELECT 4), (SELECT 1 UNION ALL SELECT 2
               UNION ALL SELECT 3 UNION ALL SELECT 4);
             INSERT INTO much VALUES (zeroblob(1 << 20)); DROP TABLE much;",
        )
        .unwrap();
    press
        .run(&["run"])
        .succeeds()
        .says("warning: the log of changes ")
        .says("letterpress.db-wal has 2")
        .says("sending goes on");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(press.ledger().sums_hold().count("sent"), READERS);
    assert_reconciled(&press.ledger().rows(), &sink.receipts(), Policy::Once);
}

#[test]
fn a_ledger_behind_a_link_has_all_its_companions_where_it_lies() {
    let (press, _sink) = press();
    let state = press.path("state");
    fs::create_dir(&state).unwrap();
    fs::rename(press.database(), state.join("ledger.db")).unwrap();
    symlink(state.join("ledger.db"), press.database()).unwrap();
    press.run(&["run"]).succeeds();
    press.run(&["build"]).succeeds();
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let companions = names(&state);
    for end in [
        "",
        ".articles.cache",
        ".build.lock",
        ".lock",
        ".output.cache",
        ".runs",
    ] {
        let name = format!("ledger.db{end}");
        assert!(companions.contains(&name), "{name}: {companions:?}");
    }
    let beside_link = names(press.database().parent().unwrap());
    let named: Vec<_> = beside_link
        .iter()
        .filter(|name| name.starts_with("letterpress.db"))
        .collect();
    assert_eq!(named, ["letterpress.db"]);
}

/// A ledger as the first version of the schema made it.
fn first_version(press: &Press) {
    super::remove_database(press);
    let old = other_hands(press);
    old.execute_batch(include_str!(
        "../../../src/store/migrations/0001_ledger.sql"
    ))
    .unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x4C505253; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
         INSERT INTO installation VALUES (1, zeroblob(32), 0);",
    )
    .unwrap();
}

#[test]
fn versions_of_the_schema_are_told_and_an_old_one_is_migrated_by_run() {
    let (press, sink) = press();
    first_version(&press);
    press
        .run(&["status"])
        .exits(78)
        .says("letterpress.db has schema version 1; this program works with version ")
        .says("hint: `letterpress run` migrates it");
    press.run(&["run"]).exits(0);
    press.run(&["status"]).succeeds();
    press.run(&["store", "verify"]).succeeds();
    let hands = other_hands(&press);
    hands.execute_batch("PRAGMA user_version = 99").unwrap();
    press
        .run(&["run"])
        .exits(78)
        .says("has schema version 99; this program works with version ")
        .says("hint: a newer Letterpress wrote it");
    assert_eq!(sink.connections(), 0);
}

#[test]
fn a_migration_that_is_killed_is_resumed() {
    let (press, _sink) = press();
    let mut killed = 0;
    for when in [1, 2, 3, 5, 8, 13, 21] {
        first_version(&press);
        let log = press.path("letterpress.db-wal");
        let log = log.to_string_lossy();
        let inject = format!("--inject=pwrite64,fdatasync:signal=KILL:when={when}");
        let strace = ["strace", "-f", "-o", "/dev/null", "-P", &log, &inject];
        let arguments = ["subscribers", "add", "anna@example.org"];
        let end = press.spawn_under(&strace, &arguments).wait();
        killed += usize::from(end.killed_by().is_some());
        press.run(&arguments).succeeds();
        press.run(&["store", "verify"]).succeeds();
    }
    assert!(killed >= 5, "{killed} were killed");
}
