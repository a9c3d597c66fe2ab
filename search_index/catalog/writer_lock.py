"""One writer a catalog, where it is in PostgreSQL and writers may be on several machines."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from search_index.catalog.connecting import engine_of, failure
from search_index.errors import Busy

_LOCK = int.from_bytes(b"writers!")
_LOOK_EVERY_S = 0.5


class WriterLock:
    """A lock that the server holds for a connection: it ends with the process that has it, however that ends."""

    def __init__(self, url: str) -> None:
        self._engine = engine_of(url)
        self._held: Connection | None = None

    def acquire(self, *, wait_s: float, waiting: Callable[[str], None]) -> None:
        """Take the lock, waiting at most ``wait_s`` seconds (negative: for as long as it takes).

        Raises:
            Busy: another process has it.
            ServerUnavailable: the database does not answer.
        """
        try:
            # Nothing is kept open but the session: a transaction would keep the server from cleaning its tables.
            self._held = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            until, said = time.monotonic() + wait_s, False
            while not self._held.execute(text("select pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar():
                if wait_s >= 0 and time.monotonic() >= until:
                    raise Busy("A run on another machine, or of another home, is writing to this catalog.", "Wait for it.")
                if not said:
                    waiting("A run on another machine, or of another home, is writing to this catalog; waiting for it.")
                    said = True
                time.sleep(_LOOK_EVERY_S)
        except SQLAlchemyError as error:
            self.release()
            raise failure(self._engine, error) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        held, self._held = self._held, None
        if held is not None:
            held.invalidate()  # a connection that goes back to a pool would keep the lock
            held.close()
        self._engine.dispose()
