"""Attacks that somebody would try by hand, one test each; ``docs/security.md`` lists them."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from itertools import product

import pytest
from fastapi.testclient import TestClient

from search_index.model.keys import ApiKey, key_id_of
from search_index.model.release import now
from tests.retrieval_service.access.conftest import issue, metric
from tests.retrieval_service.fuzzing.conftest import Keys, Service, authorization, resident_mb
from tests.retrieval_service.fuzzing.judging import LONGEST_PROBLEM
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import SECRET

JSON = {"Content-Type": "application/json"}
KEY_PATHS = [
    'lang"', '"', "lang].x[", "lang[0]", "lang.x", "a.b", "metadata.lang", '".access', '"."access', "../access", "lang\x00",
    "lang' OR '1'='1", "$where", "*", "[]", "access",
    "tenant", "valid_from", "\u202elang", "l\u0430ng", "LANG", "la\u200bng",
]  # fmt: skip


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(service()) as made:
        yield made


VALUES = ("' OR 1=1 --", "*", "wiki*", "wi%", "wiki\x00", ".*", '"}]}', "\uff57iki", "WIKI", "wiki ", "w\u0456ki", "wi\u200bki")


def test_the_name_of_a_metadata_field_is_a_name_and_no_path_or_expression(client: TestClient) -> None:
    for name in KEY_PATHS:
        for wanted in ("board", ["board"], {"any": ["board", "default"]}, {"exists": False}, {"gte": -1e308}):
            answer = client.post("/v1/search", json={"query": "golden secret", "filters": {"metadata": {name: wanted}}})
            assert (answer.status_code, answer.json().get("type")) == (422, "urn:plumbline:problem:filter-invalid"), name
        facets = client.post("/v1/search", json={"query": "golden", "facets": [f"metadata.{name}"]})
        assert facets.status_code in (400, 422), name


def test_a_value_of_a_filter_is_compared_and_never_interpreted(client: TestClient) -> None:
    for value in VALUES:
        for filters in ({"sources": [value]}, {"documents": [value]}, {"metadata": {"lang": value}}):
            answer = client.post("/v1/search", json={"query": "golden part", "filters": filters})
            assert (answer.status_code, answer.json()["hits"]) == (200, []), value


def test_nothing_that_is_filtered_for_shows_what_may_not_be_read(service: Service, keys: Keys) -> None:
    with TestClient(service()) as client:
        for name, way in product(("lang", "verdict"), ("fr", {"any": ["fr", "guilty"]}, {"exists": True}, {"none": ["en", "de"]})):
            body = {"query": SECRET, "filters": {"metadata": {name: way}}}
            answer = client.post("/v1/search", json=body, headers=authorization(keys.search))
            assert "boardroom" not in answer.text
            assert "guilty" not in answer.text.replace("'guilty'", "")


def test_what_one_principal_was_answered_is_not_kept_for_another(service: Service, keys: Keys) -> None:
    asked = [
        {"query": SECRET, "limit": 20},
        {"query": SECRET, "facets": ["source", "metadata.lang"]},
        {"query": SECRET, "filters": {"metadata": {"lang": "en"}}},
    ]
    with TestClient(service()) as client:

        def answered(secret: str) -> list[object]:
            told = [client.post("/v1/search", json=body, headers=authorization(secret)).json() for body in asked]
            return [{name: value for name, value in each.items() if name not in ("id", "took_ms")} for each in told]

        alone = answered(keys.search)
        allowed = answered(keys.admin)
        assert "boardroom" in json.dumps(allowed)
        assert "boardroom" not in json.dumps(alone)
        for _ in range(3):
            assert (answered(keys.search), answered(keys.admin)) == (alone, allowed)


WRONG_VALUES = {
    "fields that there are not": {"query": "x", **{f"k{n}": 1 for n in range(80_000)}},
    "lists of lists": {"query": "x", "filters": {"metadata": {f"k{n}": {"any": [[]] * 10_000} for n in range(20)}}},
    "bare lists of lists": {"query": "x", "filters": {"metadata": {f"k{n}": [[]] * 12_000 for n in range(20)}}},
    "conditions": {"query": "x", "filters": {"metadata": {f"k{n}": {"any": 1} for n in range(40_000)}}},
    "metadata": {"source": "s", "access": ["everyone"], "documents": [{"path": "a", "text": "b",
    "metadata": {f"k{n}": [] for n in range(60_000)}}]},
    "documents": {"source": "s", "access": ["everyone"], "documents": [{f"k{n}{m}": 0 for n in range(60)} for m in range(100)]},
    "searches": {"requests": [{f"k{n}{m}": 0 for n in range(60)} for m in range(32)]},
    "values to compare with": {"query": "x", "filters": {"metadata": {f"k{n}": list(range(8000)) for n in range(18)}}},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG_VALUES)
def test_a_megabyte_of_what_is_wrong_is_refused_for_the_first_of_it(real: RealIndex, what: str) -> None:
    from retrieval_service.app import create_app

    body = json.dumps(WRONG_VALUES[what])
    assert len(body) <= 1_048_576
    method, path = {
        "metadata": ("PUT", "/v1/documents"),
        "documents": ("PUT", "/v1/documents"),
        "searches": ("POST", "/v1/search/batch"),
    }.get(what, ("POST", "/v1/search"))
    with TestClient(create_app(real.settings, load=real.load)) as client:
        client.post("/v1/search", json={"query": "golden"})
        before, began = resident_mb(), time.process_time()
        answer = client.request(method, path, content=body, headers=JSON)
        took = time.process_time() - began
    assert answer.status_code == 422
    assert len(answer.content) < LONGEST_PROBLEM
    assert len(answer.json()["errors"]) <= 50
    assert resident_mb() - before < 100
    assert took < 5, "a service that asks all of it is silent for twenty seconds"


def test_nothing_in_a_request_is_an_address_that_is_asked(client: TestClient) -> None:
    reached: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: reached.append(server.accept()), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        client.post(
            "/v1/search", json={"query": url, "filters": {"documents": [url], "sources": [url]}}, headers={"Referer": url, "Origin": url}
        )
        client.post("/v1/agent/search", json={"query": f"what does {url} say and who wrote it"})
        client.post("/v1/feedback", json={"answer": "0" * 24, "kind": "correction", "uri": url, "quote": url})
        client.put(
            "/v1/documents", json={"source": "s", "access": ["everyone"], "documents": [{"path": "a.html", "text": f"<img src={url}>"}]}
        )
        for place in ("/v1/documents/", "/v1/lineage/"):
            client.get(place + url)
    assert not reached


def test_a_redirect_leads_nowhere_for_there_is_none(client: TestClient) -> None:
    for path in ("/v1/search/", "/v1/releases/", "/health/live/", "/mcp/"):
        answer = client.request("POST", path, headers={"Host": "localhost"}, follow_redirects=False)
        assert answer.status_code in (404, 405)
        assert "location" not in answer.headers


def test_methods_that_nobody_knows_make_no_metric_of_their_own(service: Service, keys: Keys) -> None:
    with TestClient(service()) as client:
        for number in range(20):
            client.request(f"METHOD{number}", "/v1/search", headers=authorization(keys.admin))
        assert metric(client, keys.admin, 'plumbline_requests_total{method="any",route="/v1/search",status="405"}') == 20


def test_how_long_a_wrong_secret_takes_says_nothing_of_how_much_of_it_is_right(real: RealIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians of many comparisons, in turn: they differ by less than one comparison with ``==`` of strings that long could tell."""
    held = issue(real)
    catalog = real.home.catalog
    key: ApiKey = next(each for each in catalog.api_keys() if each.id == key_id_of(held.secret))
    catalog.close()
    compared: list[int] = []
    honest = hmac.compare_digest

    def counted(a: str, b: str) -> bool:
        compared.append(len(a))
        return honest(a, b)

    monkeypatch.setattr("search_index.model.keys.hmac.compare_digest", counted)
    assert not key.proven_by(held.secret[:-1] + "A", now())
    assert compared, "secrets are compared by other means"
    monkeypatch.undo()
    guesses = [held.secret[:-1] + ("A" if held.secret[-1] != "A" else "B"), f"plb_{key.id}_" + secrets.token_urlsafe(32)]
    at, took = now(), ([], [])  # type: tuple[object, tuple[list[int], list[int]]]
    for number in range(4000):
        which = number % 2
        began = time.perf_counter_ns()
        key.proven_by(guesses[which], at)  # type: ignore[arg-type]
        took[which].append(time.perf_counter_ns() - began)
    nearly, random = (statistics.median(each) for each in took)
    assert abs(nearly - random) < 0.5 * min(nearly, random)
