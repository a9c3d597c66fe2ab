"""The catalog's database: opened, migrated, and asked in transactions whose failures say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from search_index.errors import DiskFull, HomeDamaged, PlumblineError

_HEAD = "0100"


class Database:
    """Releases, the live pointer, verdicts, lane state and pending changes.

    Every method is one transaction. Instants are UTC.

    Errors:
        HomeDamaged: the database cannot be read or is from a newer version.
        DiskFull: it cannot be written for want of room.
    """

    def __init__(self, engine: Engine, key: Callable[[], bytes] | None = None) -> None:
        self._engine = engine
        self._key = key

    @classmethod
    def open(cls, url: str, key: Callable[[], bytes] | None = None) -> Self:
        """Open the database at a SQLAlchemy URL, making or migrating its tables when they are not there.

        Args:
            key: gives the home's signing key. With it verdicts are signed, and those that are not are not found; without it
                nothing is signed, which is for looking only.
        """
        engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
        if url.startswith("sqlite"):
            Path(engine.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            event.listen(engine, "connect", _sqlite_pragmas)
        catalog = cls(engine, key)
        with catalog._transaction() as c:
            if not inspect(c).has_table("alembic_version") or c.execute(text("select version_num from alembic_version")).scalar() != _HEAD:
                _migrate(c)
        return catalog

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except PlumblineError:
            raise
        except OperationalError as e:
            if "full" in str(e.orig):
                raise DiskFull("The catalog cannot be written: the disk is full.", "Make room and run the command again.") from e
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} cannot be used: {e.orig}.",
                "Check that the folder is readable and writable by this user; `plumbline doctor` says more.",
            ) from e
        except DatabaseError as e:
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} is damaged: {e.orig}.",
                "Put back a copy of it; the tables and index directories beside it are untouched.",
            ) from e
        except SQLAlchemyError as e:
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} cannot be used: {e}.", "See `plumbline doctor`."
            ) from e


def _sqlite_pragmas(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # WAL lets the service read while a run writes; FULL makes a published pointer survive a power cut.
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=full")
    cursor.close()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except command.util.CommandError as e:  # type: ignore[attr-defined]
        raise HomeDamaged(
            f"The catalog is from another version of Plumbline: {e}.", "Install the version that wrote it, or a newer one."
        ) from e
