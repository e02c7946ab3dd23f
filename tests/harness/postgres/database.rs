//! A database of one test's own, looked at through `psql`.

use std::process::{Command, Output};

use super::{ROLE, as_account, program, succeeds};

/// Between two values of a row; in no text of a test.
const SEPARATOR: char = '\u{1f}';

/// A database on a running server; removed when dropped.
pub(crate) struct Database {
    port: u16,
    name: String,
}

impl Database {
    #[track_caller]
    pub(super) fn create(port: u16, name: String) -> Self {
        let database = Self { port, name };
        let Self { name, .. } = &database;
        let create = format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0");
        psql(port, "postgres", "postgres", &create);
        database
    }

    /// As a setting `store.url`.
    pub(crate) fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same database by way of another port: a proxy, a pooler.
    pub(crate) fn url_by(&self, port: u16) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{port}/{}", self.name)
    }

    /// Runs statements one by one in one session by way of another port, and
    /// hands back how that ended.
    pub(crate) fn session_by(&self, port: u16, statements: &[&str]) -> Output {
        let (first, rest) = statements.split_first().unwrap();
        let mut command = command(port, ROLE, &self.name, first);
        for statement in rest {
            command.args(["--command", statement]);
        }
        command.output().unwrap()
    }

    /// The port of its server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What every session in it finds set from its start.
    #[track_caller]
    pub(crate) fn set_for_everyone(&self, setting: &str, value: &str) {
        let alter = format!("ALTER DATABASE {} SET {setting} = {value}", self.name);
        psql(self.port, "postgres", "postgres", &alter);
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements as the owner.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        self.rows(sql);
    }

    /// What statements answer, as text.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = psql(self.port, ROLE, &self.name, sql);
        let values = |line: &str| line.split(SEPARATOR).map(str::to_owned).collect();
        text.lines().map(values).collect()
    }

    /// The one value of the one row that a statement answers.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: {rows:?}");
        rows[0][0].clone()
    }

    /// Restores a dump of this database, as it is now, into another one.
    #[track_caller]
    pub(crate) fn dumped_into(&self, other: &Self) {
        let address = |database: &Self| {
            format!(
                "--host=127.0.0.1 --username={ROLE} --port={} --dbname={}",
                database.port, database.name
            )
        };
        let script = format!(
            "set -e; {} --no-owner {} >dump; {} --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
             --file=dump {}",
            program("pg_dump").display(),
            address(self),
            program("psql").display(),
            address(other)
        );
        let folder = super::folder();
        let mut shell = as_account("/bin/sh");
        shell.current_dir(folder.path()).args(["-c", &script]);
        succeeds("a dump and its restoring", &shell.output().unwrap());
    }

    /// The same database on another server, after a failover.
    pub(crate) fn on(&self, port: u16) -> Self {
        Self {
            port,
            name: self.name.clone(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may be down on purpose, and goes as a whole then.
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let mut command = command(self.port, "postgres", "postgres", &drop_it);
        drop(command.output());
    }
}

/// Runs statements and hands back what they print.
#[track_caller]
pub(super) fn psql(port: u16, role: &str, database: &str, sql: &str) -> String {
    let output = command(port, role, database, sql).output().unwrap();
    succeeds(sql, &output);
    String::from_utf8(output.stdout).unwrap()
}

fn command(port: u16, role: &str, database: &str, sql: &str) -> Command {
    let mut command = as_account(program("psql"));
    command
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set=ON_ERROR_STOP=1", "--host=127.0.0.1"])
        .arg(format!("--field-separator={SEPARATOR}"))
        .arg(format!("--port={port}"))
        .arg(format!("--username={role}"))
        .arg(format!("--dbname={database}"))
        .args(["--command", sql]);
    command
}
