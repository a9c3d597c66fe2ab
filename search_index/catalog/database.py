"""The catalog's database: opened, migrated, and asked in transactions whose failures say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from search_index.catalog.connecting import begin_alone, engine_of, ensure_schema, failure
from search_index.errors import HomeDamaged

_HEAD = "0600"


class Database:
    """Releases, the live pointer, verdicts, lane state and pending changes.

    Every method is one transaction. Instants are UTC.

    Errors:
        HomeDamaged: the database cannot be read or is from a newer version.
        DiskFull: it cannot be written for want of room.
        ServerUnavailable: it is on a server that does not answer, or that does not let this user in.
        Busy: another process wrote the same at the same time.
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
        catalog = cls(engine_of(url), key)
        try:
            catalog._bring_up_to_date()
        except BaseException:
            catalog.close()
            raise
        return catalog

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self._transaction() as c:
            if _version(c) == _HEAD:
                return
        with self._alone() as c:
            if _version(c) != _HEAD:  # nobody else has made the tables while this one waited
                ensure_schema(c)
                _migrate(c)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise failure(self._engine, error) from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction for what is read first and then written: of two at once the second sees what the first has done."""
        with self._transaction() as connection:
            begin_alone(connection)
            yield connection


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return str(connection.execute(text("select version_num from alembic_version")).scalar())


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
