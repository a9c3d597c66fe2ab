"""Every way of asking over a release that was ingested, with its real model."""

from __future__ import annotations

import io

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.embedding import Encoder
from search_index.home import encoder_folders
from tests.project import Project

pytestmark = pytest.mark.slow


def test_every_way_of_asking_answers_from_the_ingested_documents(published: Project) -> None:
    encoder = Encoder.load(encoder_folders(published.settings.models_dir)[0])
    with TestClient(create_app(published.settings, telemetry=Telemetry(io.StringIO()))) as client:
        asked = {
            "query": "where does the otter sleep?",
            "explain": True,
            "highlight": True,
            "neighbours": 1,
            "group_by": "document",
            "diversity": 0.2,
            "facets": ["source", "modified_at.year"],
        }
        answer = client.post("/v1/search", json=asked).json()
        first = answer["hits"][0]
        assert first["uri"] == "animals:otter.md"
        assert "sleeps" in [first["text"][each["start"] : each["end"]] for each in first["highlights"]]
        arms = first["explanation"]["arms"].values()
        parts = sum(arm["weight"] * arm["normalised"] for arm in arms) + first["explanation"]["verbatim"]
        assert first["score"] == pytest.approx(parts)
        assert {value["value"]: value["documents"] for value in answer["facets"]["source"]["values"]} == {"animals": 4, "machines": 3}
        for budget in (30, 60, 200):
            context = client.post("/v1/context", json={"query": asked["query"], "budget": budget}).json()
            assert context["tokens"] == encoder.count_tokens(context["text"]) <= budget
            assert context["passages"][0]["uri"] == "animals:otter.md"
            assert context["tokenizer"] == encoder.model_name
        document = client.get("/v1/documents/animals:otter.md").json()
        assert first["text"] in [passage["text"] for passage in document["passages"]]
        batch = client.post("/v1/search/batch", json={"requests": [{"query": "otter"}, {"query": "lathe"}]}).json()
        assert [item["answer"]["hits"][0]["uri"] for item in batch["answers"]] == ["animals:otter.md", "machines:lathe.md"]
        agent = client.post("/v1/agent/search", json={"query": asked["query"]}).json()
        assert agent["hits"][0]["uri"] == "animals:otter.md"
        assert agent["tokens"] == sum(encoder.count_tokens(hit["text"]) for hit in agent["hits"])
        schema = client.get("/openapi.json").json()
        for path in ("/v1/search", "/v1/search/batch", "/v1/context", "/v1/agent/search"):
            name = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            for example in schema["components"]["schemas"][name]["examples"]:
                assert client.post(path, json=example).status_code == 200, example
