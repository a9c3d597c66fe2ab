"""A PostgreSQL server of the tests' own, from Debian's package."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

PASSWORD = "a password: never to be shown"
_USER = "plumbline"
_SKIPPED = "needs PostgreSQL's server: apt-get install postgresql (its programs are looked for in /usr/lib/postgresql/*/bin)"


def binaries() -> Path | None:
    """Where ``initdb`` and ``postgres`` are; Debian has them on no path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    command = shutil.which("initdb")
    return Path(command).resolve().parent if command else None


@dataclass
class PostgreSQL:
    """A server that runs; each test takes a database of its own."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://{_USER}:{password.replace(' ', '%20').replace(':', '%3A')}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with self.connected("postgres") as connection:
            connection.execute(f"create database {name}")
        return self.url(name)

    def connected(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host="127.0.0.1", port=self.port, user=_USER, password=PASSWORD, dbname=database, autocommit=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def started() -> PostgreSQL | str:
    """A server on loopback, or why there is none. It refuses to run as root, and then runs as ``nobody``."""
    programs = binaries()
    if programs is None:
        return _SKIPPED
    # pytest's own folders let nobody but their owner pass.
    folder = Path(tempfile.mkdtemp(prefix="plumbline-postgresql-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    somebody: list[str] = []
    if os.geteuid() == 0:
        somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(folder, 65534, 65534)
        os.chown(secret, 65534, 65534)
    data, plain = folder / "data", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    init = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "-E", "UTF8", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    subprocess.run([*somebody, *init], check=True, capture_output=True, env=plain, cwd=folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    # Nothing here has to outlive a power cut. The zone is one that differs from UTC, as a server's may.
    told = {
        "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(folder), "fsync": "off",
        "full_page_writes": "off", "synchronous_commit": "off", "timezone": "Asia/Kolkata", "max_connections": "60",
    }  # fmt: skip
    options = [part for name, value in told.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*somebody, str(programs / "postgres"), "-D", str(data), *options], stdout=log, stderr=log, env=plain, cwd=folder
        )
    server = PostgreSQL(port, process, folder)
    until = time.monotonic() + 30
    while True:
        try:
            server.connected("postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return server
