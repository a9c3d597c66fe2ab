"""Where Dagster keeps its event log: its own SQLite files, with what a connection needs prepared once."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from dagster._config import UserConfigSchema
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData

_FILES_KEPT_OPEN = 8
"""Dagster keeps a file per run and one for all; a daemon comes by many runs, and only the last ones are written to."""


class EventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, where files and rows are as Dagster makes them.

    Dagster makes an engine and opens the file anew for each of the hundreds of events of a run: SQLAlchemy compiles each statement
    again, and SQLite empties its write-ahead log each time. That is half of what a run costs in which nothing changed. Here a file
    stays open until others were needed since, or the log is disposed of.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
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
            # Asked in the middle of a write as well, so not over the connection, nor under the lock, of that.
            engine = sa.create_engine(self.conn_string_for_shard(INDEX_SHARD_NAME), poolclass=sa.NullPool)
            self._tables.update(sa.inspect(engine).get_table_names())
        return table_name in self._tables

    def dispose(self) -> None:
        """Close the files."""
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            if len(self._engines) >= _FILES_KEPT_OPEN:
                self._engines.popitem(last=False)[1].dispose()
            timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            self._engines[shard] = sa.create_engine(self.conn_string_for_shard(shard), connect_args=timeout)
        self._engines.move_to_end(shard)
        return self._engines[shard]
