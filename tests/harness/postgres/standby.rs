//! A second server that follows the first, asynchronously, until it is promoted.

use super::{Options, Server, Stop, as_account, program, succeeds};

/// A streaming standby; a server like any other once promoted.
pub(crate) struct Standby(Server);

impl Server {
    /// Copies this server and follows it by way of `port`: its own, or that of
    /// a proxy which can hold the stream up.
    #[track_caller]
    pub(crate) fn standby_by(&self, port: u16) -> Standby {
        let options = Options {
            is_kept: self.options.is_kept,
            ..Options::default()
        };
        let standby = Self::with_folder(&options, super::free_port());
        let copied = as_account(program("pg_basebackup"))
            .args(["--host=127.0.0.1", "--username=postgres"])
            .arg(format!("--port={port}"))
            .args(["--checkpoint=fast", "--wal-method=stream"])
            .args(["--write-recovery-conf", "--no-sync", "--pgdata"])
            .arg(standby.data())
            .output()
            .unwrap();
        succeeds("pg_basebackup", &copied);
        Standby(standby.launched())
    }
}

impl Standby {
    /// Whether it has received and applied everything up to now.
    pub(crate) fn has_caught_up_with(&self, primary: &Server) -> bool {
        let now = "SELECT pg_current_wal_flush_lsn()";
        let now = super::database::psql(primary.port, "postgres", "postgres", now);
        let reached = format!(
            "SELECT coalesce(pg_last_wal_replay_lsn() >= '{}'::pg_lsn, false)",
            now.trim()
        );
        super::database::psql(self.0.port, "postgres", "postgres", &reached).trim() == "t"
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.0.port()
    }

    /// Hears of nothing from now on: it is down until it is promoted.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.0.stop(Stop::Fast);
    }

    /// Ends its following: it begins a new timeline and takes writes.
    #[track_caller]
    pub(crate) fn promote(mut self) -> Server {
        if self.0.keeper.is_none() {
            self.0.restart();
        }
        self.0.control(&["promote", "--wait"]);
        self.0
    }
}
