"""The writer's lease where the catalog is in PostgreSQL: machines that share no folder share it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search_index.errors import Busy, ServerUnavailable
from search_index.lease import Lease
from tests.conftest import ROOT
from tests.postgresql import PostgreSQL

HOLD = (
    "import sys, time; from pathlib import Path; from search_index.lease import Lease;"
    "Lease(Path(sys.argv[1]), sys.argv[2]).acquire(wait_s=0, waiting=print); print('held', flush=True); time.sleep(60)"
)


def said(_: str) -> None:
    """Nobody listens."""


def test_homes_on_two_machines_take_turns(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url, heard = postgresql.database(), list[str]()
    one, other = (Lease(tmp_path / name, url) for name in ("one", "other"))
    one.acquire(wait_s=0, waiting=said)
    with pytest.raises(Busy, match="another machine"):
        other.acquire(wait_s=0, waiting=heard.append)
    with pytest.raises(Busy):
        other.acquire(wait_s=0.1, waiting=heard.append)
    assert len(heard) == 1
    Lease(tmp_path / "other").acquire(wait_s=0, waiting=said)  # what could not be had everywhere is not kept here
    elsewhere = Lease(tmp_path / "third", postgresql.database())
    elsewhere.acquire(wait_s=0, waiting=said)
    elsewhere.release()
    one.release()
    one.release()


def test_a_killed_writer_leaves_none_behind(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = postgresql.database()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "one"), url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    lease = Lease(tmp_path / "other", url)
    with pytest.raises(Busy):
        lease.acquire(wait_s=0, waiting=said)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    lease.acquire(wait_s=20, waiting=said)
    lease.release()


def test_a_database_that_is_away_is_no_other_writer(tmp_path: Path) -> None:
    lease = Lease(tmp_path, "postgresql+psycopg://plumbline:hush@127.0.0.1:1/none")
    with pytest.raises(ServerUnavailable) as raised:
        lease.acquire(wait_s=0, waiting=said)
    assert "hush" not in str(raised.value)
    Lease(tmp_path).acquire(wait_s=0, waiting=said)
