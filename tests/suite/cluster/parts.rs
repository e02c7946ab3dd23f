//! The servers, proxies and poolers that the other tests here stand on.

use std::thread;
use std::time::Duration;

use crate::cutter::{Cutter, Loss};
use crate::net::{answers, holds_within};
use crate::pgbouncer::PgBouncer;
use crate::postgres::keeper::exists;
use crate::postgres::{self, Options, Server, Stop};

#[test]
fn every_test_has_an_empty_database_of_its_own_which_goes_with_it() {
    let (first, second) = (postgres::database(), postgres::database());
    assert_ne!(first.url(), second.url());
    first.execute("CREATE TABLE here (line text); INSERT INTO here VALUES ('a'), ('b')");
    assert_eq!(
        first.rows("SELECT line, 1 FROM here ORDER BY line").len(),
        2
    );
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(second.value(tables), "0");

    let name = first.name().to_owned();
    drop(first);
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(second.value(&left), "0");
}

#[test]
fn the_shared_server_is_durable_and_its_tests_have_no_special_rights() {
    let database = postgres::database();
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(database.value(&format!("SHOW {setting}")), "on");
    }
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    assert_eq!(database.value(superuser), "f");
}

#[test]
fn a_server_that_ends_at_once_comes_back_on_its_port_with_what_was_committed() {
    let mut server = Server::start(&Options::default());
    let database = server.database();
    database.execute("CREATE TABLE here (line text); INSERT INTO here VALUES ('kept')");
    server.stop(Stop::Immediate);
    assert!(!answers(server.port()));
    server.set("synchronous_commit", "off");
    server.restart();
    assert_eq!(database.value("SELECT line FROM here"), "kept");
    assert_eq!(database.value("SHOW synchronous_commit"), "off");
    assert!(server.log().contains("automatic recovery in progress"));
}

#[test]
fn a_server_goes_with_whoever_started_it_however_that_ended() {
    let server = Server::start(&Options::default());
    let port = server.port();
    let (process, data) = server.abandon();
    let gone = || !exists(process) && !data.exists() && !answers(port);
    assert!(holds_within(Duration::from_secs(20), gone), "{data:?}");
}

#[test]
fn a_promoted_standby_has_what_it_had_received() {
    let primary = Server::start(&Options::default());
    let database = primary.database();
    database.execute("CREATE TABLE here (line text); INSERT INTO here VALUES ('kept')");
    let standby = primary.standby_by(primary.port());
    let caught_up = || standby.has_caught_up_with(&primary);
    assert!(holds_within(Duration::from_secs(20), caught_up));
    drop(primary);
    let second = standby.promote();
    let database = database.on(second.port());
    assert_eq!(database.value("SELECT line FROM here"), "kept");
    database.execute("INSERT INTO here VALUES ('taken after the promotion')");
    let timeline = "SELECT timeline_id FROM pg_control_checkpoint()";
    assert_eq!(database.value(timeline), "2");
}

/// One transaction, statement by statement.
const TRANSACTION: [&str; 3] = ["BEGIN", "INSERT INTO here VALUES ('new')", "COMMIT"];

#[test]
fn of_a_lost_commit_the_client_cannot_tell_whether_the_server_has_done_it() {
    let server = Server::start(&Options::default());
    for (loss, rows) in [(Loss::Question, "0"), (Loss::Answer, "1")] {
        let (database, line) = (server.database(), Cutter::to(server.port()));
        database.execute("CREATE TABLE here (line text); CREATE TABLE there (line text)");
        line.lose_a_commit(loss, "INTO here");
        let other = ["BEGIN", "INSERT INTO there VALUES ('old')", "COMMIT"];
        let passed = database.session_by(line.port(), &other);
        assert!(passed.status.success(), "the wrong one was lost");
        assert_eq!(line.lost(), 0);

        let cut = database.session_by(line.port(), &TRANSACTION);
        let said = String::from_utf8_lossy(&cut.stderr);
        assert!(said.contains("server closed the connection"), "{said}");
        line.wait_for_lost(1);
        assert_eq!(
            database.value("SELECT count(*) FROM here"),
            rows,
            "{loss:?}"
        );

        let again = database.session_by(line.port(), &TRANSACTION);
        assert!(again.status.success(), "only one was to be lost");
        assert_eq!(line.lost(), 1);
    }
}

#[test]
fn a_line_can_go_silent_close_and_lead_to_another_server() {
    let (first, second) = (
        Server::start(&Options::default()),
        Server::start(&Options::default()),
    );
    let databases = [first.database(), second.database()];
    for (number, database) in databases.iter().enumerate() {
        database.execute(&format!(
            "CREATE TABLE here (n int); INSERT INTO here VALUES ({number})"
        ));
    }
    let line = Cutter::to(first.port());
    let asks = || {
        let output = databases[0].session_by(line.port(), &["SELECT n FROM here"]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(asks(), "0\n");
    line.close();
    assert_eq!(asks(), "");
    line.admit();
    line.lead_to(second.port());
    assert_eq!(asks(), "1\n");

    line.silence();
    thread::scope(|scope| {
        let waiting = scope.spawn(asks);
        assert!(holds_within(Duration::from_secs(20), || line.open() == 1));
        thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished());
        line.resume();
        assert_eq!(waiting.join().unwrap(), "1\n");
    });
}

#[test]
fn behind_the_pooler_a_client_finds_what_another_left_in_the_session() {
    let server = Server::start(&Options::default());
    let database = server.database();
    let pooler = PgBouncer::start(server.port(), 1);
    let of = |statements: &[&str]| database.session_by(pooler.port(), statements);
    let passed = of(&[
        "CREATE TABLE here (line text)",
        "INSERT INTO here VALUES ('kept')",
    ]);
    assert!(passed.status.success(), "{}", pooler.log());
    assert_eq!(database.value("SELECT line FROM here"), "kept");
    // The one session of the server is shared: another client finds in it what
    // the first has set, and a statement of the same name already prepared.
    let prepare = ["PREPARE one AS SELECT 1"];
    assert!(of(&prepare).status.success(), "{}", pooler.log());
    let second = of(&prepare);
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("\"one\" already exists"), "{said}");
}
