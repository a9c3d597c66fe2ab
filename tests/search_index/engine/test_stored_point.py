"""The weights that an engine stores of a point: with the average length of the point's own tenant."""

from __future__ import annotations

import pytest

from search_index.bm25 import count_terms, document_weights
from search_index.engine.stored_point import batches
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import BM25, DIMENSION, OTHERS, Passage, table


def test_a_stored_weight_is_made_with_the_average_length_of_its_tenant() -> None:
    text = "golden recall of the release index and the golden gate"
    (batch,) = batches(table([Passage("a.md", text), Passage("b.md", text, tenant=OTHERS)], 1), 1, BM25, DIMENSION, 10)
    stored = {str(payload["tenant"]): weights for payload, (_, weights) in zip(batch.payloads, batch.terms, strict=True)}
    for tenant in (DEFAULT_TENANT, OTHERS):
        assert stored[tenant] == pytest.approx(document_weights(count_terms(text), BM25, tenant)[1].tolist())
    assert stored[DEFAULT_TENANT] != stored[OTHERS]
