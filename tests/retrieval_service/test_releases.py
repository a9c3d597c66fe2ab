from __future__ import annotations

from fastapi.testclient import TestClient

from search_index.model.release import Held
from tests.retrieval_service.fakes import RUN, FakeIndex, wait_until


def test_the_list_says_what_is_live_and_why_others_are_not(client: TestClient, index: FakeIndex) -> None:
    index.refuse(["nDCG@10 fell by 0.09"])
    index.publish(held=[Held(source="tickets", reasons=["51 h old"])], scores={"modes": {"hybrid": {"ndcg@10": 0.7}}})
    answer = client.get("/v1/releases").json()
    assert (answer["live"], answer["head"], answer["paused"]) == (3, 3, None)
    newest, refused, first = answer["releases"]
    assert (newest["revision"], newest["status"], newest["held"]) == (
        3,
        "live",
        [{"source": "tickets", "reasons": ["51 h old"], "tenant": None}],
    )
    assert newest["scores"] == {"modes": {"hybrid": {"ndcg@10": 0.7}}}
    assert (refused["status"], refused["reasons"], refused["published_at"]) == ("rejected", ["nDCG@10 fell by 0.09"], None)
    assert (first["status"], first["sources"], first["run_id"]) == ("retired", ["handbook", "tickets"], RUN)
    assert first["counts"] == {"documents": 256, "chunks": 3840, "staged": 120, "retired": 14}


def test_a_rollback_shows_live_head_and_the_pause(client: TestClient, index: FakeIndex) -> None:
    index.publish()
    index.rollback(1)
    answer = client.get("/v1/releases?limit=1").json()
    assert (answer["live"], answer["head"], answer["paused"]) == (1, 2, "rolled back by hand")
    assert len(answer["releases"]) == 1


def test_one_release_shows_its_manifest_and_the_verdicts_that_decided_it(client: TestClient) -> None:
    answer = client.get("/v1/releases/1").json()
    assert answer["manifest"]["revision"] == 1
    assert answer["manifest"]["sources"]["handbook"]["contract_version"] == "1.2.0"
    assert len(answer["manifest_digest"]) == len(answer["signature"]) == 64
    assert {(v["check"], v["subject"], v["outcome"]) for v in answer["verdicts"]} == {
        ("documents_complete", "handbook", "passed"),
        ("vectors_unit_length", "tickets", "passed"),
        ("golden_set", "candidate", "passed"),
    }


def test_a_run_that_died_early_is_listed_without_a_manifest(client: TestClient, index: FakeIndex) -> None:
    catalog = index.home.catalog
    revision = catalog.begin(RUN)
    catalog.close()
    answer = client.get(f"/v1/releases/{revision}").json()
    assert (answer["status"], answer["manifest"], answer["counts"], answer["verdicts"]) == ("candidate", None, None, [])


def test_an_unknown_release_is_not_found(client: TestClient) -> None:
    assert client.get("/v1/releases/99").json()["type"] == "urn:plumbline:problem:revision-unknown"
    for wrong in ("0", "-1", "one", str(10**30)):
        assert client.get(f"/v1/releases/{wrong}").status_code == 422


def test_releases_can_be_read_although_none_can_be_served(index: FakeIndex, empty: TestClient) -> None:
    index.publish(signed=False)
    wait_until(lambda: empty.get("/v1/releases").status_code == 200, "no releases")
    assert empty.get("/v1/releases").json()["live"] == 1
