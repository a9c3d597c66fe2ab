"""Nothing of a document that the caller may not read is in an answer, its aspects or its trace: no word, no count."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval_service.agent.executing import Explored
from search_index.model.agent import AgentStep
from search_index.model.document import document_id
from tests.retrieval_service.agent.library import BOARD, BRIDGES, EVERYONE, HIDDEN, OPEN, SECRET_PLACES, Library, documents, done

QUESTIONS = [
    "How did the load on Sand Bridge change over time?",
    "What load did Sand Bridge carry in 2024?",
    "What is the latest load of Sand Bridge?",
    "What do the treasury and the vault say of Gold Dam, and how does it compare with Sand Bridge?",
    "how did the load of gold dam change",
    "What was found in 2024?",
    "which bridges were inspected in the vault by the treasury",
]


def everything(found: Explored, trace: list[AgentStep]) -> str:
    """All that is answered but for what repeats the question: its words in `query` and in `why`."""
    said = [hit.model_dump_json() for hit in found.hits]
    said += [step.model_dump_json(exclude={"query", "why"}) for step in trace]
    return "\n".join([*said, found.first.model_dump_json(exclude={"query"})])


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("mode", ["hybrid", "sparse"])
def test_the_answer_is_as_if_they_had_never_been_written(library: Library, open_library: Library, question: str, mode: str) -> None:
    (found, trace), (other, same) = library.explore(question, mode=mode, steps=20), open_library.explore(question, mode=mode, steps=20)
    assert done(trace) == done(same)
    assert found.aspects == other.aspects
    assert [hit.model_dump() for hit in found.hits] == [hit.model_dump() for hit in other.hits]


@pytest.mark.parametrize("question", QUESTIONS)
def test_who_may_read_them_finds_them(library: Library, question: str) -> None:
    found, trace = library.explore(question, BOARD, steps=20)
    if "Gold Dam" in question or "2024" in question or "treasury" in question:
        assert any(hit.source == "vault" for hit in found.hits)
    hidden = {passage.document for passage in HIDDEN}
    without, _ = library.explore(question, BOARD, excluded=hidden, steps=20)
    assert not hidden & {hit.document_id for hit in without.hits}
    assert trace


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_was_taken_back_since_is_gone(library: Library, open_library: Library, question: str) -> None:
    (found, trace), (_, same) = (
        library.explore(question, BOARD, excluded={each.document for each in HIDDEN}, steps=20),
        open_library.explore(question, steps=20),
    )
    assert done(trace) == done(same)
    assert not any(place in everything(found, trace) for place in SECRET_PLACES if place != "2024")


_WORDS = st.sampled_from(
    [
        *BRIDGES,
        "Gold Dam",
        "gold dam",
        "load",
        "treasury",
        "vault",
        "2024",
        "2023",
        "latest",
        "over time",
        "PipelineRunner",
        "2.19",
        "harbour office",
        "and how",
        "?",
    ]
)


@given(
    words=st.lists(_WORDS, min_size=1, max_size=8),
    excluded=st.sets(st.sampled_from(sorted({each.document for each in OPEN})), max_size=4),
    board=st.booleans(),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_brings_out_anything(library: Library, words: list[str], excluded: set[str], board: bool) -> None:
    found, trace = library.explore(" ".join(words), BOARD if board else EVERYONE, excluded=excluded, mode="sparse")
    assert not excluded & {hit.document_id for hit in found.hits}
    said = everything(found, trace)
    for each in excluded:
        assert each not in said
    if not board:
        assert not any(secret in said for secret in ("vault:", "gold-dam.pdf", "2024/", *(passage.chunk for passage in HIDDEN)))
        assert not any(name in said for name in ("treasury", "vault") if not any(name in word for word in words))


def test_addresses_of_hidden_documents_are_no_documents_of_an_aspect(library: Library) -> None:
    found, _ = library.explore("Compare Sand Bridge with Gold Dam")
    assert [(each.name, each.documents) for each in found.aspects] == [("Sand Bridge", 3)]
    found, _ = library.explore("Compare Sand Bridge with Gold Dam", BOARD)
    assert [(each.name, each.documents) for each in found.aspects] == [("Sand Bridge", 4), ("Gold Dam", 1)]
    assert document_id("vault", "2023/gold-dam.pdf") in {hit.document_id for hit in found.hits}
    assert "2023/gold-dam.pdf" in documents(found)
