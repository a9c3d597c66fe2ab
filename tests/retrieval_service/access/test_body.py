"""Bodies that are too large, announced or not, and too deep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.retrieval_service.access.conftest import Services, bearer, issue, problem
from tests.retrieval_service.fakes import search_body

MOST = 4096


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.client(max_body=MOST) as made:
        yield made


def chunks(size: int, read: list[int]) -> Iterator[bytes]:
    """A body of unknown length, which notes how much of it was taken."""
    for _ in range(size // 1024):
        read.append(1024)
        yield b" " * 1024


@pytest.mark.parametrize("path", ["/v1/search", "/v1/nothing-there"])
def test_a_body_that_announces_too_much_is_not_read(client: TestClient, path: str) -> None:
    answer = client.post(path, content=b"x" * (MOST + 1))
    assert (answer.status_code, problem(answer)) == (413, "body-too-large")


@pytest.mark.parametrize("length", ["99999999999999999999999", "-1", "1e3", "x", "0x10", "+5", " "])
def test_a_length_that_is_none_is_refused(client: TestClient, length: str) -> None:
    answer = client.post("/v1/search", content=b"{}", headers={"Content-Length": length})
    assert (answer.status_code, problem(answer)) == (413, "body-too-large")


def test_a_body_that_does_not_announce_itself_is_stopped_while_it_is_read(client: TestClient) -> None:
    answer = client.post("/v1/search", content=chunks(MOST * 4, []), headers={"Content-Type": "application/json"})
    assert (answer.status_code, problem(answer)) == (413, "body-too-large")


def test_a_body_up_to_the_limit_is_read(client: TestClient) -> None:
    body = b'{"query": "release pointer"}'
    answer = client.post("/v1/search", content=body.ljust(MOST), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_a_large_body_without_a_key_is_refused_for_want_of_the_key(services: Services) -> None:
    issue(services.index)
    read: list[int] = []
    with services.client(max_body=MOST) as client:
        answer = client.post("/v1/search", content=chunks(MOST * 4, read), headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"query": [', b'{"query": "x", "filters": {"metadata": {"a": ['])
def test_json_nested_a_hundred_thousand_deep_is_no_defect(services: Services, opening: bytes) -> None:
    with services.client(max_body=1_048_576) as client:
        for body in (opening * 60_000, opening + b"[" * 100_000, opening + b"[" * 100_000 + b"]" * 100_000):
            answer = client.post("/v1/search", content=body[:1_048_576], headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), answer.text[:200]
            problem(answer)


def test_a_problem_of_the_body_does_not_cost_the_next_request(services: Services) -> None:
    held = issue(services.index)
    with services.client(max_body=MOST) as client:
        client.post("/v1/search", content=b"x" * (MOST + 1), headers=bearer(held.secret))
        assert client.post("/v1/search", json=search_body(), headers=bearer(held.secret)).status_code == 200
