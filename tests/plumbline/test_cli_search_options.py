"""What a search can be asked for on the command line, and how it is shown."""

from __future__ import annotations

import pytest

from plumbline.cli.search_filters import metadata_filters, scalar
from plumbline.cli.search_report import explained, facet_said
from search_index.errors import WrongUsage
from search_index.model.explanation import ArmShare, DiversityPart, Explanation, FeedbackPart, RerankPart
from search_index.model.passage import Facet, FacetValue
from search_index.model.search import Filters


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["lang=en"], {"lang": {"any": ["en"]}}),
        (["lang=en", "lang = de"], {"lang": {"any": ["en", "de"]}}),
        (["pages>=10", "pages<20"], {"pages": {"gte": 10, "lt": 20}}),
        (["on<2025-01-01"], {"on": {"lt": "2025-01-01"}}),
        (["status!=draft"], {"status": {"none": ["draft"]}}),
        (["odd key.=a=b"], {"odd key.": {"any": ["a=b"]}}),
        (["x="], {"x": {"any": [""]}}),
        ([], {}),
    ],
)
def test_conditions_are_read_and_validate(typed: list[str], expected: dict[str, object]) -> None:
    assert metadata_filters(typed) == expected
    Filters.model_validate({"metadata": expected})


@pytest.mark.parametrize("typed", ["lang", "", "=en", ">3"])
def test_what_is_no_condition_says_what_one_is(typed: str) -> None:
    with pytest.raises(WrongUsage, match="no condition"):
        metadata_filters([typed])


def test_quotes_keep_a_number_a_text() -> None:
    assert [scalar(text) for text in ("7", "'7'", "7.5", "false", '"', "1e3")] == [7, "7", 7.5, False, '"', 1000.0]


def test_an_explanation_reads_as_a_sum() -> None:
    arms = {
        "dense": ArmShare(rank=2, raw=0.5, normalised=0.5, weight=0.5),
        "sparse": ArmShare(rank=None, raw=0.0, normalised=0.0, weight=0.5),
    }
    explanation = Explanation(
        method="convex",
        arms=arms,  # type: ignore[arg-type]
        feedback=FeedbackPart(top=3, share=0.5),
        verbatim=0.25,
        fused=0.5,
        rerank=RerankPart(score=0.9, shift=0.0),
        diversity=DiversityPart(relevance=1.0, nearest=0.4, value=0.3),
        score=0.9,
    )
    assert explained(explanation) == (
        "0.500 = 0.50 * 0.500 (dense rank 2) + 0.50 * 0.000 (sparse not found by it) + 0.250 (quoted);"
        " query moved 50% towards the first 3; reranked to 0.900; likeness to those above 0.40"
    )


def test_a_facet_reads_in_one_line() -> None:
    values = [FacetValue(value="en", documents=3), FacetValue(value=True, documents=1)]
    assert facet_said("metadata.x", Facet(values=values, more_values=2, documents=5, missing=1)) == (
        "metadata.x: en 3, true 1 and 2 more; 1 document without"
    )


def test_a_value_of_a_document_cannot_drive_the_terminal() -> None:
    values = [FacetValue(value="a\x1b]0;owned\x07b", documents=1)]
    assert facet_said("metadata.x", Facet(values=values, more_values=0, documents=1, missing=0)) == "metadata.x: a]0;ownedb 1"
