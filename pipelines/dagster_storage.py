"""Where Dagster keeps its event log: its own SQLite files, with what a connection needs prepared once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from dagster._config import UserConfigSchema
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool

# Dagster keeps a file per run and one for all; a daemon comes by many runs, and only the last ones are written to.
_ENGINES_KEPT = 16


class EventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, where files and rows are as Dagster makes them.

    Dagster makes a new engine for each of the hundreds of events of a run, so that SQLAlchemy compiles each statement again: a
    third of what a run costs in which nothing changed. Here an engine lasts; its connections, as before, do not.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]) -> Self:
        """The log in ``DAGSTER_HOME``, where Dagster's own default has it, so that the folder may move."""
        return cls(str(Path(os.environ["DAGSTER_HOME"], "history", "runs")), inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether the log has a table; asked for each check's result. A table that was there stays."""
        if table_name not in self._tables:
            engine = _engine(self.conn_string_for_shard(INDEX_SHARD_NAME))
            self._tables.update(sa.inspect(engine).get_table_names())
        return table_name in self._tables

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection


@lru_cache(_ENGINES_KEPT)
def _engine(address: str) -> sa.Engine:
    return sa.create_engine(address, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
