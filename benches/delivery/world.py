"""What the measurements share: a publication with readers, servers, a stopwatch."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / "target" / "release" / "letterpress"
AT = "2026-11-27T08:00:00+02:00"

SETTINGS = """
[publication]
title = "The Garden Table"
base_url = "https://garden.example.org/"
timezone = "Africa/Johannesburg"
id_authority = "garden.example.org,2026"
authors = [{{ name = "Nomsa Dube", email = "nomsa@garden.example.org" }}]

[[digest]]
name = "weekly"
title = "The Garden Table, weekly"
schedule = "0 7 * * FRI"
first_issue = "latest"
template = "whole"

[mail]
from = "The Garden Table <news@garden.example.org>"
relay = "{relay}"
connections = {sessions}
messages_per_connection = 1000000
relay_patience = "1s"

[mail.list]
postal_address = "1 Example Street, 0001 Pretoria"

[bounces]
domain = "bounces.example.org"

[serve]
public_url = "https://letters.example.org/"
"""

DKIM = """
[mail.dkim]
selector = "bench"
key_file = "dkim.pem"
"""

# The whole article and little else, so that messages can be small and large.
TEMPLATES = {
    "issue.html": """<!DOCTYPE html>
<html lang="{{ publication.language }}"><body>
{{ issue.lead.html }}
<p><a href="{{ reader.unsubscribe_url }}">Unsubscribe</a></p>
<p>{{ list.postal_address }}</p>
</body></html>
""",
    "issue.txt": """{{ issue.lead.text }}

Unsubscribe: {{ reader.unsubscribe_url }}
{{ list.postal_address }}
""",
}

SENTENCE = "Water the young trees at dusk, and let the old ones look after themselves. "


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(folder, *arguments, **options):
    """Runs letterpress in a folder; its words only when it fails."""
    command = [PROGRAM, "--quiet", "--at", AT, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


class Press:
    """A publication whose next issue has about `size` bytes as a message."""

    def __init__(self, folder, size, readers, is_signed):
        self.folder, self.readers, self.is_signed = folder, readers, is_signed
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "content" / "garden").mkdir(parents=True)
        (folder / "content" / "garden" / "_index.md").write_text('+++\ntitle = "Garden"\n+++\n')
        whole = folder / "templates" / "whole"
        whole.mkdir(parents=True)
        for name, text in TEMPLATES.items():
            (whole / name).write_text(text)
        if is_signed:
            key = ["openssl", "genrsa", "-out", folder / "dkim.pem", "2048"]
            subprocess.run(key, check=True, capture_output=True)
            (folder / "dkim.pem").chmod(0o600)
        self.message_bytes = self.fit(size)
        self.fill()

    def settings(self, relay, sessions=10):
        text = SETTINGS.format(relay=relay, sessions=sessions)
        (self.folder / "letterpress.toml").write_text(text + (DKIM if self.is_signed else ""))

    def fit(self, size):
        """Writes an article so long that a message has about this size."""
        length = max(size // 4, 100)
        for _ in range(4):
            self.article(length)
            found = self.probe()
            if abs(found - size) < 200 or length <= 1:
                return found
            # A text stands in the message twice: as HTML and as plain text.
            length = max(1, length + (size - found) // 2)
        return found

    def article(self, length):
        text = (SENTENCE * (length // len(SENTENCE) + 1))[:length]
        paragraphs = [text[at : at + 600] for at in range(0, len(text), 600)]
        head = '+++\ntitle = "After the first rain"\ndate = 2026-11-24\n+++\n'
        (self.folder / "content" / "garden" / "rain.md").write_text(head + "\n\n".join(paragraphs) + "\n")

    def probe(self):
        self.settings("folder:probe")
        program(self.folder, "send", "weekly", "--test", "reader0000000@example.org")
        return next((self.folder / "probe").glob("*.eml")).stat().st_size

    def fill(self):
        rows = "".join(f"reader{number:07}@example.org,Nomsa\n" for number in range(self.readers))
        (self.folder / "readers.csv").write_text("email,name\n" + rows)
        program(self.folder, "subscribers", "import", "readers.csv")
        self.keep()

    def keep(self):
        for file in self.folder.glob("letterpress.db*"):
            shutil.copy2(file, self.folder / ("kept-" + file.name))

    def restore(self):
        """The ledger as it was before anything was sent."""
        for file in self.folder.glob("letterpress.db*"):
            file.unlink()
        for file in self.folder.glob("kept-letterpress.db*"):
            shutil.copy2(file, self.folder / file.name.removeprefix("kept-"))
        os.sync()

    def command(self, *arguments):
        return [PROGRAM, "--quiet", "--at", AT, *(arguments or ("send", "weekly"))]


def peak(pid):
    """The most memory a process had so far, in MiB; 0 once it has ended."""
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return 0


def measured(command, folder, log):
    """Runs a command: wall seconds, CPU seconds, peak memory in MiB."""
    with open(log, "ab") as out:
        began = time.monotonic()
        child = subprocess.Popen([str(part) for part in command], cwd=folder, stdout=out, stderr=out)
        memory, ended = 0, 0
        # What wait4 says of memory begins with our own, before the exec.
        while not ended:
            memory = max(memory, peak(child.pid))
            time.sleep(0.01)
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed with {child.returncode}; see {log}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": memory}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(3) == b"220":
                return
        time.sleep(0.05)
    sys.exit(f"nothing answers on port {port}")


@contextlib.contextmanager
def running(command, port):
    child = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        child.kill()
        child.wait()


def sink():
    """Postfix's smtp-sink, which keeps nothing."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    return running(["smtp-sink", *user, f"127.0.0.1:{port}", "1000"], port)


def refusing(one_in):
    """A server to which one reader in so many is unknown; 0: nobody."""
    port = free_port()
    return running([sys.executable, HERE / "refusing.py", str(port), str(one_in)], port)


def delayed(port, milliseconds):
    """The same server, so many milliseconds of round trip away."""
    own = free_port()
    return running([sys.executable, HERE / "delay.py", str(own), str(port), str(milliseconds)], own)


class FirstMessage:
    """A server that takes mail and remembers when the first message was whole."""

    def __init__(self):
        self.port = free_port()
        self.first = None

    async def serve(self, reader, writer):
        # A killed sender leaves sessions behind, which end with the loop.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.write(b"220 first ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-first\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self.first = self.first or time.monotonic()
                    writer.write(b"250 2.0.0 taken\r\n")
                else:
                    writer.write(b"250 2.0.0 fine\r\n")
        writer.close()

    async def until_first(self, press, *arguments):
        """Seconds from the start of the program to the first message; then it is killed."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=1 << 20)
        began = time.monotonic()
        child = subprocess.Popen(press.command(*arguments), cwd=press.folder, stderr=subprocess.DEVNULL)
        while self.first is None and child.poll() is None:
            await asyncio.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
        server.close()
        if self.first is None:
            sys.exit("the program ended without a message")
        return self.first - began


def until_first(press, *arguments):
    server = FirstMessage()
    press.settings(f"smtp://127.0.0.1:{server.port}?tls=none")
    return asyncio.run(server.until_first(press, *arguments))
