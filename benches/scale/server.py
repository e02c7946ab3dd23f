"""A private PostgreSQL on loopback, and lists and histories of any size in it."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "delivery"))
from world import free_port  # noqa: E402

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
shared_buffers = '1GB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
track_io_timing = on
"""


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("there is no PostgreSQL in /usr/lib/postgresql: install Debian's `postgresql`")
    return found[-1].parent


class Server:
    """Durable as it comes: fsync and synchronous_commit are on."""

    def __init__(self, folder):
        self.bin, self.folder, self.port = programs(), folder, free_port()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # It refuses to be run by the superuser.
        self.account = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        if self.account:
            shutil.chown(folder, "nobody", "nogroup")
        self.call("initdb", "--auth=trust", "--username=letterpress", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata", folder / "data")
        with open(folder / "data" / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS.format(port=self.port))
        self.call("pg_ctl", "start", "--wait", "--pgdata", folder / "data", "--log", folder / "data" / "log")
        self.postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        self.database = None

    def call(self, name, *arguments):
        command = [str(part) for part in (self.bin / name, *arguments)]
        # The server keeps what it was started with: no pipe may hang on it.
        done = subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.account)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed with {done.returncode}")

    def fresh(self, name):
        if self.database:
            self.sql(f"DROP DATABASE {self.database} WITH (FORCE)", "postgres")
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0", "postgres")
        self.database = name

    def url(self):
        return f"postgres://letterpress@127.0.0.1:{self.port}/{self.database}"

    def sql(self, text, database=None):
        command = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "letterpress"]
        command += ["-d", database or self.database, "-c", text]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{text}\n{done.stderr}")
        return done.stdout.strip()

    def cpu(self):
        """Seconds of CPU that it has used, its ended sessions included."""
        tick = os.sysconf("SC_CLK_TCK")
        total = sum(self.times(self.postmaster))
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.postmaster:
                total += int(fields[11]) + int(fields[12])
        return total / tick

    @staticmethod
    def times(pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return [int(field) for field in fields[11:15]]

    def busy(self):
        """Seconds that sessions have spent in statements."""
        # Sessions report once a second at most.
        time.sleep(1.1)
        return float(self.sql(f"SELECT active_time FROM pg_stat_database WHERE datname = '{self.database}'")) / 1000

    def readers(self, number):
        self.sql(
            "INSERT INTO subscribers (public_id, address, address_key, address_hash, name, status, source, created_at, changed_at)"
            " SELECT decode(md5(n::text), 'hex'), a, a, sha256(a::bytea), 'Nomsa', 0, 'bench', 0, 0"
            f" FROM (SELECT n, format('reader%s@example.org', lpad(n::text, 9, '0')) AS a FROM generate_series(1, {number}) n) r;"
            " ANALYZE subscribers"
        )

    def history(self, rows):
        """Issues that are over, with one attempt for each delivery."""
        readers = int(self.sql("SELECT count(*) FROM subscribers"))
        done = int(self.sql("SELECT count(*) FROM deliveries"))
        while done < rows:
            part = min(readers, rows - done)
            self.sql(
                "WITH issue AS (INSERT INTO issues (digest, occasion, number, title, subject, sender_name, sender_address, state,"
                " frozen_at, expire_at, candidates, first_delivery, last_delivery)"
                f" SELECT 'history', to_char(timestamp '2000-01-07 07:00' + interval '1 minute' * ({done} / {readers}), 'YYYY-MM-DD\"T\"HH24:MI'), 1 + {done} / {readers}, 't', 's', 'n', 'a@example.org', 2, 0, 0, {part}, {done} + 1, {done} + {part}"
                " RETURNING id)"
                " INSERT INTO deliveries (issue_id, subscriber_id, next_attempt_at, state, attempts, attempt_id, address, name)"
                f" SELECT issue.id, s.id, 0, 3, 1, {done} + row_number() OVER (ORDER BY s.id), s.address, s.name"
                f" FROM issue, (SELECT * FROM subscribers ORDER BY id LIMIT {part}) s"
            )
            self.sql(
                "INSERT INTO attempts (delivery_id, started_at, ended_at, outcome, code, reply)"
                f" SELECT id, 0, 1, 1, 250, '2.0.0 Ok: queued as 4XkT3b0q1Fz9' FROM deliveries WHERE id > {done} ORDER BY id"
            )
            done += part
        self.sql("VACUUM ANALYZE deliveries")
        self.sql("VACUUM ANALYZE attempts")

    def stop(self):
        self.call("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", self.folder / "data")
        shutil.rmtree(self.folder, ignore_errors=True)
