//! Debian's PgBouncer in transaction mode: a session of a client is another
//! session of the server in every transaction, and nothing of it remains.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::net::{answers, free_port, holds_within};
use crate::harness::postgres::keeper::Keeper;
use crate::harness::postgres::{ROLE, folder};
use crate::harness::tools::program;

/// A running pooler; ended when dropped.
pub(crate) struct PgBouncer {
    // Before the folder: it is dropped first, and ends who writes there.
    keeper: Keeper,
    world: TempDir,
    port: u16,
}

impl PgBouncer {
    /// Starts one in front of the server on `server`, with at most `sessions`
    /// sessions there per database.
    pub(crate) fn start(server: u16, sessions: usize) -> Self {
        // Another process may take the port between the choice and the bind.
        for _ in 0..5 {
            let (world, port) = (folder(), free_port());
            let settings = CONFIGURATION
                .replace("@world@", &world.path().to_string_lossy())
                .replace("@server@", &server.to_string())
                .replace("@port@", &port.to_string())
                .replace("@sessions@", &sessions.to_string());
            fs::write(world.path().join("pgbouncer.ini"), settings).unwrap();
            fs::write(world.path().join("users"), format!("\"{ROLE}\" \"\"\n")).unwrap();
            let file = world.path().join("pgbouncer.ini");
            let pooler = program("pgbouncer");
            let words = [pooler.as_os_str(), "-q".as_ref(), file.as_os_str()];
            let keeper = Keeper::start(&words, "TERM", world.path(), false);
            let pooler = Self {
                keeper,
                world,
                port,
            };
            let ended = || answers(port) || !pooler.keeper.server_lives();
            if holds_within(Duration::from_secs(20), ended) && pooler.keeper.server_lives() {
                return pooler;
            }
            eprintln!("PgBouncer did not start:\n{}", pooler.log());
        }
        panic!("PgBouncer did not start; its log is above");
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.world.path().join("log")).unwrap_or_default()
    }
}

// Nothing is let through that its default refuses: what a client asks for at
// the start of a session must work as it comes from the package.
const CONFIGURATION: &str = "\
[databases]
* = host=127.0.0.1 port=@server@
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = @port@
unix_socket_dir =
auth_type = trust
auth_file = @world@/users
pool_mode = transaction
default_pool_size = @sessions@
max_client_conn = 500
";
