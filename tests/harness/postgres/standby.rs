//! A second server that follows the first, asynchronously, until it is promoted.

use super::{Options, Server, as_account, program, succeeds};

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

    /// Ends its following: it begins a new timeline and takes writes.
    #[track_caller]
    pub(crate) fn promote(self) -> Server {
        self.0.control(&["promote", "--wait"]);
        self.0
    }
}
