//! The server goes away.

use super::press_on;
use crate::postgres::{Options, Server, Stop};

#[test]
fn a_server_that_cannot_be_reached_is_named_without_a_login() {
    let mut server = Server::start(&Options::default());
    let (press, sink) = press_on(server.database(), 3);
    let port = server.port();
    let name = press.server().name().to_owned();
    press.set(
        "store.url",
        format!("postgres://letterpress:open-sesame@127.0.0.1:{port}/{name}"),
    );
    server.stop(Stop::Fast);
    for command in [
        &["run"][..],
        &["send", "weekly"],
        &["status"],
        &["store", "verify"],
    ] {
        press
            .run(command)
            .exits(69)
            .says(&format!(
                "the database postgres://127.0.0.1:{port}/{name} is away\n"
            ))
            .says("hint: when the server is back, run the same command again")
            .conceals("open-sesame");
    }
    assert_eq!(sink.connections(), 0);
}
