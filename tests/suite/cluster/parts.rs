//! The servers, proxies and poolers that the other tests here stand on.

use std::time::Duration;

use crate::net::{answers, holds_within};
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
