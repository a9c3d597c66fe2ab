"""Connections to the catalog's database, SQLite or PostgreSQL: how each is opened, locked, and what its failures mean."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from search_index.errors import Busy, DiskFull, HomeDamaged, PlumblineError, ServerUnavailable, WrongUsage

SCHEMA = "plumbline_catalog"
"""Where the tables are in PostgreSQL, so that Dagster's, some of which have the same names, can be in the same database.

It is not called as the user may be: what is in a schema of the user's own name, everybody finds without asking for it.
"""
_LOCK = int.from_bytes(b"plumblin")
_WAIT_S = 30
_EXAMPLES = "Give PLUMBLINE_DATABASE_URL as postgresql+psycopg://user:password@host/database or sqlite:////folder/catalog.db."
_OPTIONS = f"-c search_path={SCHEMA} -c lock_timeout={_WAIT_S}s -c statement_timeout=120s"
# Nobody is let in, or nothing can be asked now: SQLSTATE classes 08 and 28, and what an operator, a limit or a missing database causes.
_AWAY = ("08", "28", "3D000", "53200", "53300", "57P0", "58")
# Another transaction was there first: unique and other constraints, serialisation, deadlock, a lock or an end waited for in vain.
_CONTENDED = ("23", "40001", "40P01", "55P03", "57014")


def engine_of(url: str) -> Engine:
    """An engine for a SQLAlchemy URL. A file's folder is made; nothing is connected to yet.

    Raises:
        WrongUsage: it is no URL, of another database, or the driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            connect = {"options": _OPTIONS, "connect_timeout": 10, "application_name": "plumbline"}
            # A server that was started again has closed what the pool keeps.
            return create_engine(parsed, connect_args=connect, pool_pre_ping=True, hide_parameters=True)
        if parsed.get_backend_name() == "sqlite":
            Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": _WAIT_S}, hide_parameters=True)
            event.listen(engine, "connect", _sqlite_pragmas)
            return engine
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        # The URL is not shown: where it cannot be parsed, nobody knows where in it the password is.
        raise WrongUsage("PLUMBLINE_DATABASE_URL cannot be understood.", _EXAMPLES) from error
    except ModuleNotFoundError as error:
        raise WrongUsage("The driver of PostgreSQL is not installed.", 'Install it: pip install "plumbline[postgres]".') from error
    raise WrongUsage(f"The catalog cannot be in {parsed.get_backend_name()}.", _EXAMPLES)


def begin_alone(connection: Connection) -> None:
    """Make the transaction that begins the only one of its kind: whoever else begins alone waits until it ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.exec_driver_sql("begin immediate")


def ensure_schema(connection: Connection) -> None:
    """Make the schema in PostgreSQL. Looked for first, since only making it takes a right that an operator may not want to give."""
    if connection.dialect.name != "postgresql":
        return
    if connection.execute(text("select 1 from pg_namespace where nspname = :name"), {"name": SCHEMA}).scalar() is None:
        connection.execute(text(f"create schema {SCHEMA}"))


def failure(engine: Engine, error: SQLAlchemyError) -> PlumblineError:
    """What a person is told. Passwords are hidden, and of PostgreSQL's messages, which quote rows, only their kind is given."""
    where = engine.url.set(query={}).render_as_string(hide_password=True)
    if engine.dialect.name == "postgresql":
        return _of_postgresql(where, error)
    if isinstance(error, IntegrityError):
        return Busy(f"The catalog at {where} was changed at the same time by another process.", "Run the command again.")
    if isinstance(error, OperationalError):
        if "full" in str(error.orig):
            return DiskFull("The catalog cannot be written: the disk is full.", "Make room and run the command again.")
        return HomeDamaged(
            f"The catalog at {where} cannot be used: {error.orig}.",
            "Check that the folder is readable and writable by this user; `plumbline doctor` says more.",
        )
    if isinstance(error, DatabaseError):
        return HomeDamaged(
            f"The catalog at {where} is damaged: {error.orig}.",
            "Put back a copy of it; the tables and index directories beside it are untouched.",
        )
    return HomeDamaged(f"The catalog at {where} cannot be used: {error}.", "See `plumbline doctor`.")


def _of_postgresql(where: str, error: SQLAlchemyError) -> PlumblineError:
    orig = error.orig if isinstance(error, DatabaseError) else error
    state = str(getattr(orig, "sqlstate", None) or "")
    kind = f"{type(orig).__name__}, SQLSTATE {state}" if state else type(orig).__name__
    if state == "53100":
        return DiskFull("The catalog cannot be written: the database server's disk is full.", "Make room there and run the command again.")
    if state.startswith(_CONTENDED):
        return Busy(f"The catalog at {where} was changed at the same time by another process ({kind}).", "Run the command again.")
    if state.startswith(_AWAY) or (not state and isinstance(error, OperationalError | InterfaceError)):
        return ServerUnavailable(
            f"The catalog at {where} cannot be reached ({kind}).",
            "Look whether the database server runs, and whether the database, the user and the password are right.",
        )
    return HomeDamaged(
        f"The catalog at {where} cannot be used ({kind}).", f"Give the user the rights to the schema `{SCHEMA}`, or put back a copy of it."
    )


def _sqlite_pragmas(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # WAL lets the service read while a run writes; FULL makes a published pointer survive a power cut.
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=full")
    cursor.close()
