"""What is true of collections, ledgers and servers that are away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import fsspec
import pytest
from pydantic import SecretStr
from qdrant_client import models

from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Delta, Engine, Kept
from search_index.engine.opening import read_about
from search_index.engine.server import ServerEngine
from search_index.engine.server_client import Server, connect
from search_index.engine.server_restore import restore
from search_index.errors import DiskFull, HomeDamaged, PlumblineError, RevisionUnknown, ServerUnavailable
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.local_server import LocalServer, engine_on
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, Passage, passages, published, seen_at, sparse, table, vector_of

FIRST = passages(12)


@pytest.fixture
def server() -> LocalServer:
    return LocalServer()


@pytest.fixture
def engine(server: LocalServer, tmp_path: Path) -> ServerEngine:
    return engine_on(server, tmp_path / "_indexes")


def names(server: LocalServer) -> list[str]:
    return sorted(each.name for each in server.get_collections().collections)


def kept(published: set[int], retained: set[int], reserves: int) -> Kept:
    every = frozenset((INDEX, revision) for revision in published)
    return Kept(every, frozenset(each for each in every if each[1] in retained), reserves)


def test_all_revisions_of_an_index_are_in_one_collection_with_an_index_of_each_field(
    server: LocalServer, engine: ServerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(server, "create_payload_index", lambda collection, field, kind, **_: made.append((collection, field)))
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, passages(3, seed=1))
    (collection,) = names(server)
    assert collection.startswith(f"plumbline_{INDEX}_r0000001_")
    assert {field for _, field in made} == {
        "tenant", "valid_from", "valid_to", "access", "source", "document_id", "chunk_id", "uri", "modified_ts",
    }  # fmt: skip


def test_an_index_begun_anew_leaves_the_older_one_to_those_who_ask_for_it(server: LocalServer, engine: ServerEngine) -> None:
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, passages(3, seed=1))
    published(engine, None, 5, passages(4, seed=2))
    for revision, seen in ((1, 12), (2, 15), (5, 4)):
        with closing(engine.open(INDEX, revision, 5)) as reader:
            assert reader.count(seen_at(revision)) == seen
    assert len(names(server)) == 2
    assert engine.superseded(kept({1, 2, 5}, {2, 5}, 2)) == []
    found = engine.superseded(kept({1, 2, 5}, {5}, 2))
    assert [(each.revision, each.why) for each in found] == [(r, "of an index no kept release is in") for r in (1, 2)]
    engine.recover(kept({1, 2, 5}, {5}, 2))
    (collection,) = names(server)
    assert collection.startswith(f"plumbline_{INDEX}_r0000005_")
    with pytest.raises(RevisionUnknown):
        engine.open(INDEX, 2, 5)


def test_ledgers_of_older_releases_go_and_their_points_stay(engine: ServerEngine) -> None:
    for head, revision in ((None, 1), (1, 2), (2, 3), (3, 4)):
        published(engine, head, revision, passages(3, seed=revision))
    published(engine, 4, 5, passages(3, seed=5))  # and then the process died before the pointer moved
    assert [(each.revision, each.why) for each in engine.superseded(kept({1, 2, 3, 4}, {1, 2, 3, 4}, 2))] == [
        (1, "superseded"), (2, "superseded"), (5, "never published"),
    ]  # fmt: skip
    done = engine.recover(kept({1, 2, 3, 4}, {1, 2, 3, 4}, 2))
    assert [line.split(", which ")[1] for line in done if line.startswith("Removed")] == [
        "was superseded.", "was superseded.", "was never published.",
    ]  # fmt: skip
    assert "Took back 3 points" in done[0]
    assert engine.folders.revisions(INDEX) == [3, 4]
    for revision in (1, 2, 3, 4):
        with closing(engine.open(INDEX, revision, 4)) as reader:
            assert reader.count(seen_at(revision)) == 3 * revision
    assert engine.verify(INDEX, 4) == []


def test_homes_that_share_a_server_do_not_share_collections(server: LocalServer, engine: ServerEngine, tmp_path: Path) -> None:
    published(engine, None, 1, FIRST)
    other = engine_on(server, tmp_path / "another home")
    published(other, None, 1, passages(3))
    other.stage(INDEX, 1, 2, Delta(table(passages(3, seed=1), 2)), BM25, DIMENSION, None)
    other.recover(kept({1}, {1}, 1))
    apart = engine_on(server, tmp_path / "a third", Server("http://127.0.0.1:6333", prefix="third"))
    published(apart, None, 1, passages(4))
    apart.recover(Kept(frozenset(), frozenset(), 1))
    assert len(names(server)) == 2
    for home, seen in ((engine, 12), (other, 3)):
        with closing(home.open(INDEX, 1)) as reader:
            assert reader.count(seen_at(1)) == seen


def test_what_somebody_else_did_to_a_collection_is_found(server: LocalServer, engine: ServerEngine) -> None:
    published(engine, None, 1, FIRST)
    (collection,) = names(server)
    lost, altered, ended = (passage.point(1) for passage in FIRST[:3])
    server.set_payload(collection, {"text": "forged"}, [altered])
    server.set_payload(collection, {"valid_to": 1}, [ended])
    server.upsert(collection, [models.PointStruct(id=7, vector={"dense": [1.0] * DIMENSION}, payload={"valid_from": 1, "valid_to": 9})])
    server.delete(collection, [lost])
    said = " ".join(engine.verify(INDEX, 1))
    for what in ("1 points are missing", "1 points are of another payload", "1 points are of another validity", "the ledger of revision 1"):
        assert what in said
    with pytest.raises(HomeDamaged, match="11 points that revision 1 sees, and its ledger 12"):
        engine.open(INDEX, 1)
    server.delete_collection(collection)
    assert engine.verify(INDEX, 1) == [f"The collection {collection} is missing."]
    with pytest.raises(HomeDamaged):
        engine.open(INDEX, 1)


def test_nothing_is_published_that_a_second_writer_took_away(server: LocalServer, engine: ServerEngine, tmp_path: Path) -> None:
    published(engine, None, 1, FIRST)
    candidate = engine.stage(INDEX, 1, 2, Delta(table(passages(3, seed=1), 2)), BM25, DIMENSION, None)
    engine_on(server, tmp_path / "_indexes").stage(INDEX, 1, 3, Delta(table([], 3)), BM25, DIMENSION, None)
    with pytest.raises(HomeDamaged, match="was discarded"):
        candidate.publish()
    candidate = engine.stage(INDEX, 1, 4, Delta(table(passages(3, seed=1), 4)), BM25, DIMENSION, None)
    server.delete(names(server)[0], [FIRST[0].point(1)])
    with pytest.raises(HomeDamaged, match="14 points that revision 4 sees, and its ledger 15"):
        candidate.publish()
    for revision in (2, 4):
        with pytest.raises(RevisionUnknown):
            engine.open(INDEX, revision)


def test_what_the_server_lost_is_put_back_from_another_engine(server: LocalServer, engine: ServerEngine, tmp_path: Path) -> None:
    copy = EmbeddedEngine(tmp_path / "copy")
    for each in (engine, copy):
        published(each, None, 1, [Passage("x.md", "golden gate", metadata={"lang": "en"}), *FIRST])
        published(each, 1, 2, passages(3, seed=1), [FIRST[0].point(1)])
        published(each, 2, 3, passages(2, seed=2), [FIRST[1].point(1)], retained=[1, 2])
    before = engine.open(INDEX, 3)
    server.delete(names(server)[0], [FIRST[2].point(1)])
    with closing(copy.open(INDEX, 3)) as whole:
        assert whole.content == before.content
        for _ in range(2):
            restore(engine, INDEX, read_about(tmp_path / "copy" / INDEX / "r0000003"), whole)
            assert engine.verify(INDEX, 3) == []
        with closing(engine.open(INDEX, 1)) as reader:
            assert reader.metadata_fields == ["lang"]
            for revision in (1, 2, 3):
                for ask in (lambda r, seen: sparse(r, "golden recall", seen), lambda r, seen: r.dense(vector_of("x"), seen, 10)):
                    mine, theirs = ask(reader, seen_at(revision)), ask(whole, seen_at(revision))
                    assert mine.ids == theirs.ids
                    assert mine.scores == pytest.approx(theirs.scores, abs=1e-6)
                assert reader.statistics(revision, DEFAULT_TENANT).digest == whole.statistics(revision, DEFAULT_TENANT).digest
    engine.recover(kept({1, 2, 3}, {1, 2, 3}, 1))
    published(engine, 3, 4, passages(2, seed=4))
    assert engine.verify(INDEX, 4) == []
    engine.recover(kept({1, 2, 3, 4}, {3, 4}, 1))
    assert len(names(server)) == 1


def test_a_ledger_that_is_not_what_was_written_is_not_read(engine: ServerEngine, tmp_path: Path) -> None:
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, [])
    folder = tmp_path / "_indexes" / INDEX
    about = json.loads((folder / "r0000002" / "about.json").read_text())
    (folder / "r0000002" / "about.json").write_text(json.dumps({**about, "content": "0" * 64}))
    with pytest.raises(HomeDamaged, match="not the one that was written"):
        engine.open(INDEX, 2)
    (folder / "r0000002" / "points.arrow").write_bytes(b"cut short")
    with pytest.raises(HomeDamaged):
        engine.ledger(INDEX, 2)


def test_a_closed_reader_refuses_and_the_others_go_on(engine: ServerEngine) -> None:
    published(engine, None, 1, FIRST)
    one, other = engine.open(INDEX, 1), engine.open(INDEX, 1)
    one.close()
    one.close()
    with pytest.raises(HomeDamaged, match="was closed"):
        one.dense(vector_of("x"), seen_at(1), 5)
    assert len(other.dense(vector_of("x"), seen_at(1), 5).ids) == 5


def test_ledgers_in_a_bucket(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    endpoint = "http://{}:{}".format(*moto.get_host_and_port())
    for name, value in {
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": "secret",
        "DEFAULT_REGION": "us-east-1",
        "ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    files = fsspec.filesystem("s3", endpoint_url=endpoint, skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("lake")
    engine = ServerEngine(Server("http://127.0.0.1:6333"), "s3://lake/home/_indexes", lambda _: server)
    published(engine, None, 1, FIRST)
    candidate = published(engine, 1, 2, passages(3, seed=1), [FIRST[0].point(1)])
    with closing(engine.open(INDEX, 1, 2)) as reader:
        assert (reader.content, reader.count(seen_at(1)), reader.count(seen_at(2))) == (candidate.content, 12, 14)
        assert reader.statistics(1, DEFAULT_TENANT).documents == 12
    candidate.discard()
    assert engine.folders.revisions(INDEX) == [1]
    assert engine.verify(INDEX, 1) == []
    moto.stop()


class Answering(BaseHTTPRequestHandler):
    """Answers everything with what the server was told to."""

    def _answer(self) -> None:
        status, body, more = self.server.told  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Answering) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "more", "error"),
    [
        (503, b"secret passage", {}, ServerUnavailable),
        (500, b"secret passage", {}, ServerUnavailable),
        (500, b"Service internal error: No space left on device", {}, DiskFull),
        (401, b"secret passage", {}, ServerUnavailable),
        (403, b"secret passage", {}, ServerUnavailable),
        (429, b'{"status":{"error":"secret passage"}}', {"retry-after": "1"}, ServerUnavailable),
        (429, b"secret passage", {"retry-after": "Mon, 01 Jan 2029 00:00:00 GMT"}, ServerUnavailable),
        (404, b"secret passage", {}, HomeDamaged),
        (400, b"secret passage", {}, HomeDamaged),
        (200, b"<html>secret passage", {}, ServerUnavailable),
    ],
)
def test_each_failure_says_whose_it_is_and_quotes_nothing(
    answering: HTTPServer, tmp_path: Path, status: int, body: bytes, more: dict[str, str], error: type[PlumblineError]
) -> None:
    answering.told = status, body, more  # type: ignore[attr-defined]
    engine: Engine = ServerEngine(Server(f"http://127.0.0.1:{answering.server_port}"), str(tmp_path), connect)
    with pytest.raises(PlumblineError) as raised:
        published(engine, None, 1, FIRST)
    engine.close()
    assert type(raised.value) is error
    assert raised.value.remedy
    assert "secret" not in str(raised.value)


def test_a_server_that_is_away_is_not_damage(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Answering) as closed_at_once:
        port = closed_at_once.server_port
    engine = ServerEngine(Server(f"http://127.0.0.1:{port}"), str(tmp_path), connect)
    with pytest.raises(ServerUnavailable, match="does not answer") as raised:
        published(engine, None, 1, FIRST)
    engine.close()
    assert (raised.value.status, raised.value.slug) == (503, "server-unavailable")


def test_the_key_is_sent_and_never_shown(answering: HTTPServer) -> None:
    server = Server("https://127.0.0.1:1", api_key=SecretStr("hush"))
    assert "hush" not in repr(server)
    client = connect(server)
    assert client.init_options["api_key"] == "hush"
    client.close()
