"""Every pattern that is held against what a caller sends, against what makes patterns slow.

``SEEN`` lists them, and a test finds those that are not in it: whoever adds one says here what it is good against.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from retrieval_service.access import authority
from retrieval_service.agent import landscape, names, parts, periods
from search_index import bm25, verbatim
from search_index.model import keys
from search_index.model.search import SearchRequest

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 4000
"""Code points of a query."""
GROWS = 40.0
"""Ten times the text takes so many times as long at most: a square would take a hundred, and what explodes would not end."""
QUICK_S = 0.12
"""Of the processor, for all patterns together: below that it does not matter how it grows."""
SEEN = {
    "retrieval_service/telemetry.py": "one class, at most 64 characters",
    "retrieval_service/access/authority.py": "tested here; at most 8192 bytes",
    "retrieval_service/agent/parts.py": "tested here",
    "retrieval_service/agent/names.py": "tested here",
    "retrieval_service/agent/periods.py": "tested here",
    "retrieval_service/agent/landscape.py": "one class; of addresses, which a push can choose",
    "search_index/bm25.py": "tested here",
    "search_index/verbatim.py": "tested here",
    "search_index/model/keys.py": "tested here; fixed length",
    "search_index/model/tenant.py": "one class; of a token's claim",
}
ELSEWHERE = {"quality_checks/contracts.py", "quality_checks/default_contract.py"}
"""Of what an operator writes."""
UNITS = [
    "a", " ", "1", "1.", "a.", ".", "-", "_", "x_", "'", "x'", "'s", "and ", " and how", "from ", "over the ", "over a b ", "most ",
    "the ", "2020", "2020 ", "2020 to ",
    "2020-", "q1 ", "1q", "first ", "first fiscal ", "jan ", "jan 1 ", "1/1/", "1 jan ", "fy ", "of the fiscal year ", "v1", "v1.1", "?",
    "? ", "!\n", "A", "Ab ", "aB", "A&",
    "\u4e00", "\u0e01", "\u017f", "\u0131", "\u0660", "\ufdfa", "a\u0301", "=", "==", "\\", "(", "[", "*", "+",
]  # fmt: skip


def texts(unit: str, length: int) -> list[str]:
    """The unit again and again, alone, after what begins a match, and before what breaks one."""
    long = (unit * length)[:length]
    return [long, "from " + long, "2020 " + long, "over " + long, long + "!", long + "\x00", "Bearer " + long]


def work(text: str) -> None:
    """All of them, as the service applies them."""
    parts.parts_of(text)
    found = names.candidates(text)
    for each in found[:2]:
        names.known_as(each.text, [], 10)
    for pattern in (parts._OVER_TIME, parts._LATEST, periods._BEGINS_RANGE, periods._VERSIONED_NAME):
        pattern.search(text)
    names._NO_PLAIN_WORD.match(text)
    periods.without(text, [(each.start, each.end) for each in (*periods.periods_in(text), *periods.versions_in(text))])
    landscape._series(text[:LONGEST])
    bm25.tokenize(text)
    bm25.words_in(text)
    verbatim.words(text)
    authority._BEARER.fullmatch(text)
    keys._SECRET.fullmatch(text)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_no_pattern_takes_more_than_in_proportion(unit: str) -> None:
    for short, long in zip(texts(unit, LONGEST // 10), texts(unit, LONGEST), strict=True):
        full = _took(long)
        if full > QUICK_S:
            brief, full = min(_took(short) for _ in range(3)), min(full, _took(long))
            assert full < GROWS * brief, f"{long[:20]!r}: {brief:.4f} s for a tenth, {full:.4f} s for all"


def test_a_name_is_looked_up_in_any_passage_without_going_back_and_forth() -> None:
    for candidate in ("a" * names.LONGEST, "a " * (names.LONGEST // 2), "." * names.LONGEST):
        pattern = re.compile(rf"(?<!\w){re.escape(candidate)}(?!\w)", re.IGNORECASE)
        began = time.process_time()
        pattern.findall(candidate[:-1] * 200)
        assert time.process_time() - began < 1


def test_a_quotation_of_one_word_over_and_over_is_compared_in_time() -> None:
    query = ("ab " * (LONGEST // 3)).split()
    began = time.process_time()
    verbatim.quotedness(query, {"ab": 1.0}, "ab " * 1300 + "b" + " ab" * 1300)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "letters",
    ["\u017fep 2023", "f\u0131rst quarter of 2023", "\u017fecond quarter", "1\u017ft quarter 2020", "\u0130an 2020", "\uff11q 2020"],
)
def test_letters_that_only_look_like_others_are_no_month_and_no_defect(letters: str) -> None:
    assert all(each.period.month is None and each.period.quarter is None for each in periods.periods_in(letters))


def test_a_query_of_endless_words_is_not_remembered() -> None:
    kept = bm25._known_stem.cache_info().currsize, bm25._known_id.cache_info().currsize
    for number in range(50):
        bm25.count_terms(f"{number:0200d}x")
    assert (bm25._known_stem.cache_info().currsize, bm25._known_id.cache_info().currsize) == kept


def test_every_pattern_is_known_here() -> None:
    folders = ("retrieval_service", "search_index", "quality_checks/contracts.py", "quality_checks/default_contract.py")
    files = [path for folder in folders for path in ([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"))]
    having = {str(path.relative_to(ROOT)) for path in files if re.search(r"\bre\.[a-z]+\(", path.read_text())}
    assert having == SEEN.keys() | ELSEWHERE


def test_a_query_is_not_longer_than_what_was_tried() -> None:
    schema = SearchRequest.model_json_schema()["properties"]["query"]
    assert schema["maxLength"] == LONGEST


def _took(text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began
