"""When stored term weights no longer suit what is current: the mean length has moved by more than a fifth."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.release.points import DesiredPoint
from pipelines.release.staging import _Difference, _drifted
from search_index.bm25 import Bm25Settings, count_terms

TEN_TERMS = "otter badger heron swift newt dipper lathe kiln pump gland"
STANDING = pa.table({"point_id": ["p1", "p2"], "term_counts": [[1] * 10, [2] * 5]})


def added(*texts: str) -> list[DesiredPoint]:
    payloads: list[dict[str, object]] = [{"header": "", "text": text} for text in texts]
    return [DesiredPoint(f"c{n}", "d", "s", ("everyone",), "k", payload, memoryview(b""), "") for n, payload in enumerate(payloads)]


@pytest.mark.parametrize(
    ("retired", "texts", "drifted"),
    [
        ([], [], False),
        ([], [TEN_TERMS], False),
        ([], [TEN_TERMS] * 2 + ["otter"] * 2, True),
        (["p1", "p2"], [TEN_TERMS], False),
        (["p1"], ["otter"], True),
        (["p1", "p2"], [" ".join(TEN_TERMS.split()[:7])], True),
        (["p1", "p2"], [], False),
    ],
)
def test_the_mean_length_is_of_what_stays_and_what_comes(retired: list[str], texts: list[str], drifted: bool) -> None:
    assert count_terms(TEN_TERMS).length == 10
    assert _drifted(STANDING, _Difference(added(*texts), retired, []), Bm25Settings(avgdl=10.0)) is drifted
