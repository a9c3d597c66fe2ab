from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.retrieval_service.fakes import CHUNK, RUN, FakeIndex, Passage, wait_until_served

OTHER = "6f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01"


def publish(index: FakeIndex, client: TestClient) -> None:
    wait_until_served(client, index.publish())


def edges(answer: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(e["subject"], e["relation"], e["object"]) for e in answer["edges"]}


def nodes(answer: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [n for n in answer["nodes"] if n["kind"] == kind]


def test_a_chunk_leads_back_to_its_file_and_forth_to_its_releases(client: TestClient, index: FakeIndex) -> None:
    publish(index, client)
    answer = client.get(f"/v1/lineage/{CHUNK}").json()
    chunk, document = f"chunk:{CHUNK}@1", nodes(answer, "document")[0]["key"]
    assert answer["subject"] == chunk
    (file,) = nodes(answer, "file")
    assert (file["uri"], file["raw_sha256"], file["modified_at"]) == ("handbook:guide/rollback.md", "9b" * 32, "2026-03-01T09:30:00Z")
    assert {
        (document, "read_from", file["key"]),
        (document, "parsed_by", "parser:unstructured 0.27.32"),
        (chunk, "part_of", document),
        (chunk, "cut_by", f"chunker:{'c4' * 32}"),
        (chunk, "embedded_by", f"model:{'e1' * 32}"),
        (chunk, "made_by", f"run:{RUN}"),
        ("release:1", "holds", chunk),
        ("release:2", "holds", chunk),
        ("release:2", "published_by", f"run:{RUN}"),
    } <= edges(answer)
    (model,) = nodes(answer, "model")
    assert (model["name"], model["digest"]) == ("all-MiniLM-L6-v2", "53" * 32)


def test_a_chunk_names_the_checks_of_its_source_and_of_the_whole_up_to_their_runs(client: TestClient) -> None:
    answer = client.get(f"/v1/lineage/{CHUNK}").json()
    checks = {c["check"]: c for c in nodes(answer, "check")}
    assert set(checks) == {"documents_complete", "golden_set"}, "not those of other sources"
    assert (checks["documents_complete"]["outcome"], checks["documents_complete"]["summary"]) == (
        "passed",
        "128 of 128 documents are there",
    )
    assert {
        ("release:1", "decided_by", checks["golden_set"]["key"]),
        (checks["golden_set"]["key"], "ran_in", f"run:{RUN}"),
        (checks["documents_complete"]["key"], "judged", "source:handbook@1"),
    } <= edges(answer)


def test_every_edge_joins_nodes_that_are_there(client: TestClient, index: FakeIndex) -> None:
    publish(index, client)
    for id in (CHUNK, "handbook:guide/rollback.md", "1", "2"):
        answer = client.get(f"/v1/lineage/{id}").json()
        keys = [n["key"] for n in answer["nodes"]]
        assert len(keys) == len(set(keys))
        assert answer["subject"] in keys
        assert {end for s, _, o in edges(answer) for end in (s, o)} <= set(keys)


def test_a_document_is_found_by_address_and_by_id(client: TestClient, index: FakeIndex) -> None:
    index.passages.append(Passage("A second passage.", chunk_id=OTHER))
    by_uri = client.get("/v1/lineage/handbook:guide/rollback.md").json()
    by_id = client.get(f"/v1/lineage/{index.passages[0].document}").json()
    assert by_uri == by_id
    assert by_uri["subject"] == f"document:{index.passages[0].document}"
    assert {c["chunk_id"] for c in nodes(by_uri, "chunk")} == {CHUNK, OTHER}


def test_a_passage_that_only_older_releases_hold_is_found_with_its_end(client: TestClient, index: FakeIndex) -> None:
    index.passages[0].valid_to = 2
    publish(index, client)
    answer = client.get(f"/v1/lineage/{CHUNK}").json()
    (chunk,) = nodes(answer, "chunk")
    assert (chunk["valid_from"], chunk["valid_to"]) == (1, 2)
    assert [r["revision"] for r in nodes(answer, "release")] == [1]


def test_a_release_shows_what_it_was_made_of(client: TestClient, index: FakeIndex) -> None:
    publish(index, client)
    answer = client.get("/v1/lineage/2").json()
    assert answer["subject"] == "release:2"
    assert {
        ("release:2", "built_on", "release:1"),
        ("release:2", "made_of", "source:handbook@2"),
        ("release:2", "made_of", "source:tickets@2"),
        ("release:2", "embedded_by", f"model:{'e1' * 32}"),
    } <= edges(answer)
    assert {c["check"] for c in nodes(answer, "check")} == {"documents_complete", "vectors_unit_length", "golden_set"}


def test_a_refused_release_says_why(client: TestClient, index: FakeIndex) -> None:
    refused = index.refuse(["it was worse"])
    answer = client.get(f"/v1/lineage/{refused}").json()
    assert nodes(answer, "release")[0]["reasons"] == ["it was worse"]
    assert (f"release:{refused}", "made_by", f"run:{RUN}") in edges(answer)


def test_no_passage_text_is_in_it(client: TestClient, index: FakeIndex) -> None:
    assert index.passages[0].text not in client.get(f"/v1/lineage/{CHUNK}").text


@pytest.mark.parametrize(
    "id", ["nonsense", OTHER, "handbook:no/such.md", ":", "0", "99", "9" * 5000, "%00", "handbook:%F0%9F%93%84", CHUNK.upper()]
)
def test_what_does_not_exist_is_not_found(client: TestClient, id: str) -> None:
    answer = client.get(f"/v1/lineage/{id}")
    assert answer.status_code == 404
    assert answer.json()["type"] in ("urn:plumbline:problem:not-found", "urn:plumbline:problem:revision-unknown")


def test_what_may_not_be_read_looks_like_what_does_not_exist(client: TestClient, index: FakeIndex) -> None:
    index.passages.append(Passage("For the board.", path="board.md", chunk_id=OTHER, groups=frozenset({"board"})))
    forbidden, absent = client.get("/v1/lineage/handbook:board.md"), client.get("/v1/lineage/handbook:other.md")
    assert forbidden.status_code == absent.status_code == 404
    assert forbidden.json()["detail"].replace("board.md", "") == absent.json()["detail"].replace("other.md", "")
