"""When stored term weights no longer suit what is current: a tenant's mean length has moved by more than a fifth."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.release.counting import counted_by_tenant
from pipelines.release.lengths import drifted, frozen, mean_lengths
from pipelines.release.points import DesiredPoint
from search_index.bm25 import Bm25Settings, count_terms

TEN_TERMS = "otter badger heron swift newt dipper lathe kiln pump gland"
STANDING = pa.table({"point_id": ["p1", "p2"], "tenant": ["north"] * 2, "term_counts": [[1] * 10, [2] * 5]})


def added(*texts: str, tenant: str = "north") -> list[DesiredPoint]:
    payloads: list[dict[str, object]] = [{"header": "", "text": text} for text in texts]
    return [DesiredPoint(f"c{n}", "d", "s", tenant, ("everyone",), "k", payload, memoryview(b""), "") for n, payload in enumerate(payloads)]


@pytest.mark.parametrize(
    ("retired", "texts", "moved"),
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
def test_the_mean_length_is_of_what_stays_and_what_comes(retired: list[str], texts: list[str], moved: bool) -> None:
    assert count_terms(TEN_TERMS).length == 10
    settings = Bm25Settings(avgdl={"north": 10.0})
    assert drifted(mean_lengths(STANDING, added(*texts), retired), settings) == ({"north"} if moved else set())
    beside = [*added(*texts), *added(*["otter"] * 40, tenant="south")]
    assert drifted(mean_lengths(STANDING, beside, retired), settings) == ({"north"} if moved else set()), (
        "others' lengths count for nothing"
    )


def test_a_tenant_keeps_what_was_frozen_whatever_others_do() -> None:
    before = Bm25Settings(avgdl={"north": 9.0, "south": 3.0, "gone": 7.0})
    lengths = mean_lengths(STANDING, [*added("otter", tenant="south"), *added(TEN_TERMS, tenant="west")], [])
    assert drifted(lengths, before) == {"south"}
    assert frozen(lengths, before).avgdl == {"north": 9.0, "south": 1.0, "gone": 7.0, "west": 10.0}
    assert frozen(lengths, before).follows(Bm25Settings(avgdl={"north": 9.0}))


def test_passages_without_terms_have_a_length_all_the_same() -> None:
    assert mean_lengths(STANDING, added("of the", tenant="south"), [])["south"] == 1.0


def test_changes_are_counted_for_each_tenant() -> None:
    assert counted_by_tenant({}, added("otter"), STANDING, ["p1"]) == {}
