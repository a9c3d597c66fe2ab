from __future__ import annotations

from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from tests.retrieval_service.fakes import FakeIndex


def scores(value: float) -> dict[str, Json]:
    return {"modes": {"hybrid": {"ndcg@10": {"value": value, "ci95": [value - 0.02, value + 0.02]}}}}


def test_live_scores_and_the_series_oldest_first_with_the_refused(client: TestClient, index: FakeIndex) -> None:
    index.publish(scores=scores(0.71))
    index.refuse(["worse"], scores=scores(0.5))
    index.publish(scores=scores(0.73))
    answer = client.get("/v1/quality").json()
    assert (answer["live"]["revision"], answer["live"]["scores"]) == (4, scores(0.73))
    assert [(m["revision"], m["status"]) for m in answer["series"]] == [(2, "retired"), (3, "rejected"), (4, "live")]


def test_releases_without_a_golden_set_are_no_points_of_the_series(client: TestClient) -> None:
    answer = client.get("/v1/quality").json()
    assert (answer["live"]["revision"], answer["live"]["scores"], answer["series"]) == (1, {}, [])
