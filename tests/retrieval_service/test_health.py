from __future__ import annotations

import re

from fastapi.testclient import TestClient

from tests.retrieval_service.fakes import FakeIndex, damaged, search_body, wait_until


def metric(client: TestClient, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_for(client: TestClient, name: str, least: float) -> None:
    wait_until(lambda: metric(client, name) >= least, name)


def test_alive_even_with_nothing_to_serve(empty: TestClient) -> None:
    assert empty.get("/health/live").json() == {"status": "alive"}
    assert empty.get("/health/ready").status_code == 503


def test_ready_names_the_release(client: TestClient) -> None:
    answer = client.get("/health/ready").json()
    assert (answer["status"], answer["revision"], answer["index"], answer["trouble"]) == ("ready", 1, "1d" * 32, None)


def test_the_first_release_makes_it_ready(empty: TestClient, index: FakeIndex) -> None:
    index.publish()
    wait_for(empty, "plumbline_live_revision", 1)
    assert empty.get("/health/ready").json()["revision"] == 1
    assert empty.post("/v1/search", json=search_body()).json()["hits"]


def test_a_release_that_cannot_be_loaded_is_told_while_the_old_one_answers(client: TestClient, index: FakeIndex) -> None:
    index.broken[2] = damaged(2)
    index.publish()
    wait_for(client, 'plumbline_failed_loads_total{reason="home-damaged"}', 1)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)
    trouble = answer.json()["trouble"]
    assert (trouble["subject"], trouble["problem"]) == ("release 2", "home-damaged")
    assert "rebuild" in trouble["remedy"]
    assert client.post("/v1/search", json=search_body()).headers["Plumbline-Release"] == "1"


def test_an_unsigned_first_release_is_the_reason_for_not_being_ready(empty: TestClient, index: FakeIndex) -> None:
    index.publish(signed=False)
    wait_for(empty, 'plumbline_failed_loads_total{reason="release-untrusted"}', 1)
    answer = empty.get("/health/ready")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:plumbline:problem:release-untrusted")


def test_metrics_count_requests_by_route_and_searches_by_mode(client: TestClient) -> None:
    client.post("/v1/search", json=search_body())
    client.post("/v1/search", json=search_body("zzz", mode="sparse"))
    client.post("/v1/search", json={})
    client.get("/v1/releases/1")
    client.get("/somewhere/else")
    assert metric(client, 'plumbline_requests_total{method="POST",route="/v1/search",status="200"}') == 2
    assert metric(client, 'plumbline_requests_total{method="POST",route="/v1/search",status="422"}') == 1
    assert metric(client, 'plumbline_requests_total{method="GET",route="/v1/releases/{revision}",status="200"}') == 1
    assert metric(client, 'plumbline_requests_total{method="any",route="unmatched",status="404"}') == 1
    assert metric(client, 'plumbline_search_seconds_count{mode="hybrid"}') == 1
    assert metric(client, 'plumbline_zero_results_total{mode="sparse"}') == 1


def test_metrics_tell_release_age_and_swaps(client: TestClient, index: FakeIndex) -> None:
    assert metric(client, "plumbline_live_revision") == 1
    assert metric(client, "plumbline_swaps_total") == 1
    index.publish()
    wait_for(client, "plumbline_swaps_total", 2)
    wait_for(client, "plumbline_live_revision", 2)
    assert 0 < metric(client, "plumbline_release_age_seconds") < 60
