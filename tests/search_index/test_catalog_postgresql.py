"""A catalog in PostgreSQL: where its tables are, what it takes of a user, and what its failures say."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import make_url

from search_index.catalog import Catalog
from search_index.errors import HomeDamaged, PlumblineError, ServerUnavailable, WrongUsage
from search_index.model.release import now
from tests.postgresql import PASSWORD, PostgreSQL
from tests.search_index.test_catalog import KEY, published


def database_of(url: str) -> str:
    return str(make_url(url).database)


def test_its_tables_are_in_a_schema_of_their_own_and_the_driver_need_not_be_named(postgresql: PostgreSQL) -> None:
    url = postgresql.database().replace("postgresql+psycopg://", "postgresql://")
    Catalog.open(url).close()
    with postgresql.connected(database_of(url)) as connection:
        found = connection.execute("select distinct schemaname from pg_tables where schemaname not in ('pg_catalog', 'information_schema')")
        assert found.fetchall() == [("plumbline_catalog",)]


def test_instants_are_utc_whatever_the_server_thinks(postgresql: PostgreSQL) -> None:
    catalog = Catalog.open(postgresql.database(), lambda: KEY)
    before = now()
    revision = published(catalog, None)
    at = catalog.release(revision).published_at
    assert at is not None
    assert at.isoformat().endswith("+00:00")
    assert before <= at <= now()
    assert catalog.resolve(now()).revision == revision
    catalog.close()


def test_a_user_needs_no_more_than_the_schema(postgresql: PostgreSQL) -> None:
    url = make_url(postgresql.database())
    with postgresql.connected(str(url.database)) as connection:
        name = f"modest_{url.database}"
        connection.execute(f"create role {name} login password 'modest'")
        connection.execute(f"revoke create on database {url.database} from public")
        modest = url.set(username=name, password="modest").render_as_string(hide_password=False)
        with pytest.raises(HomeDamaged, match=r"InsufficientPrivilege.*rights to the schema"):
            Catalog.open(modest)
        connection.execute(f"create schema plumbline_catalog authorization {name}")
    catalog = Catalog.open(modest)
    assert published(catalog, None) == 1
    catalog.close()


def test_who_is_not_let_in_is_told_so_without_the_password(postgresql: PostgreSQL) -> None:
    url = postgresql.database()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = make_url(url).set(port=taken.getsockname()[1]).render_as_string(hide_password=False)
        for wrong in (postgresql.url(database_of(url), "another secret"), postgresql.url("no_such"), nobody):
            with pytest.raises(ServerUnavailable, match="cannot be reached") as raised:
                Catalog.open(wrong)
            assert raised.value.status == 503
            assert f":***@127.0.0.1:{make_url(wrong).port}/" in raised.value.what
            assert not any(part in str(raised.value) for part in (PASSWORD, "secret", "never%20to%20be"))


@pytest.mark.parametrize(
    "url", ["postgresql://user:hush@host:port/db", "hush", "mysql://user:hush@host/db", "oracle+nonesuch://user:hush@host/db"]
)
def test_a_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(WrongUsage) as raised:
        Catalog.open(url)
    assert "hush" not in str(raised.value)


def test_a_failure_quotes_no_row(postgresql: PostgreSQL) -> None:
    catalog = Catalog.open(postgresql.database())
    with pytest.raises(PlumblineError, match="StringDataRightTruncation") as raised:
        catalog.begin("a secret " * 20)
    assert "secret" not in str(raised.value)
    with pytest.raises(HomeDamaged, match="DataError"):  # it knows no text with a zero in it
        catalog.begin("a\x00b")
    assert catalog.begin("run") == 1
    catalog.close()


def test_a_server_that_was_started_again_is_asked_anew(postgresql: PostgreSQL) -> None:
    url = postgresql.database()
    catalog = Catalog.open(url)
    assert catalog.pointer().live is None
    with postgresql.connected("postgres") as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database_of(url)])
    assert catalog.pointer().live is None
    catalog.close()
