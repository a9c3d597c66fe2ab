"""A source's documents beside the published ones: what may be a fault waits for a person, an ordinary edit does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quality_checks.document_changes import Document, DocumentChange, findings, is_small

ENGLISH = (
    "The crested newt courts in ponds without fish and hibernates under logs, and it is seen less often than it was in former years. " * 3
)
NAVIGATION = "Home, about us, contact, terms of use and privacy. " * 20
GERMAN = "Der Kammmolch lebt in Teichen ohne Fische, überwintert unter Holz und wird heute seltener gesehen als in früheren Jahren. " * 3
Documents = dict[str, Document]


def documents(count: int = 40) -> Documents:
    return {f"d{n:02}": Document(f"sha{n}", f"Number {n} of them. {ENGLISH}") for n in range(count)}


def retold(change: Callable[[str], str], count: int, fresh_bytes: bool) -> Callable[[Documents], Documents]:
    """The first so many documents with another text."""

    def made(before: Documents) -> Documents:
        texts = {d: Document(f"{doc.raw_sha256}b" if fresh_bytes else doc.raw_sha256, change(doc.text)) for d, doc in before.items()}
        return {d: texts[d] if n < count else doc for n, (d, doc) in enumerate(before.items())}

    return made


def added(count: int, text: Callable[[int], str]) -> Callable[[Documents], Documents]:
    return lambda before: before | {f"e{n:03}": Document(f"new{n}", text(n)) for n in range(count)}


def failed(change: Callable[[Documents], Documents], declared: tuple[str, ...] = ()) -> set[str]:
    before = documents()
    now = change(before)
    changed = frozenset(d for d in before.keys() | now.keys() if before.get(d) != now.get(d))
    found = findings(DocumentChange(before, now, changed, len(before), len(now), declared))
    return {name for name, finding in found.items() if finding.problem}


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (lambda before: before, set()),
        (retold(lambda text: text + " It was seen again.", 40, fresh_bytes=True), set()),
        (retold(lambda text: text[: len(text) // 3], 5, fresh_bytes=True), set()),
        (retold(lambda text: text[: len(text) // 3], 5, fresh_bytes=False), {"document_text_kept"}),
        (retold(lambda text: "", 1, fresh_bytes=False), {"document_text_kept"}),
        (retold(lambda text: text[:20], 12, fresh_bytes=True), {"volume_kept"}),
        (retold(lambda text: text[:150], 40, fresh_bytes=True), {"volume_kept"}),
        (retold(lambda text: text[:20], 7, fresh_bytes=True), set()),
        (lambda before: dict(list(before.items())[:15]), set()),
        (added(60, lambda n: f"Number 0 of them. {ENGLISH}"), {"duplicates_kept"}),
        (added(10, lambda n: f"Number 0 of them. {ENGLISH}"), set()),
        (added(300, lambda n: f"Page {n} says {ENGLISH}"), {"volume_growth_low"}),
        (retold(lambda text: text + "\n" + NAVIGATION, 40, fresh_bytes=True), {"boilerplate_kept"}),
        (retold(lambda text: GERMAN + text[:9], 30, fresh_bytes=True), {"language_kept", "languages_known"}),
        (retold(lambda text: GERMAN + text[:9], 8, fresh_bytes=True), {"languages_known"}),
        (retold(lambda text: GERMAN + text[:9], 3, fresh_bytes=True), set()),
    ],
)  # fmt: skip
def test_a_change_fails_exactly_its_checks(change: Callable[[Documents], Documents], failing: set[str]) -> None:
    assert failed(change) == failing


def test_a_declared_language_is_known_from_the_start() -> None:
    assert failed(retold(lambda text: GERMAN + text[:9], 30, fresh_bytes=True), declared=("en", "de")) == set()
    assert failed(retold(lambda text: text + "!", 30, fresh_bytes=True), declared=("de",)) == {"language_kept", "languages_known"}


def test_evidence_has_counts_and_ids_and_no_text() -> None:
    before = documents()
    now = retold(lambda text: text[:20], 12, fresh_bytes=True)(before)
    found = findings(DocumentChange(before, now, frozenset(sorted(before)[:12]), 40, 40))["volume_kept"]
    assert found.problem == "12 of 40 documents lost most of their text"
    assert (found.evidence["rows"], found.evidence["failed"], found.evidence["percent"]) == (40, 12, 30.0)
    assert found.evidence["ids"] == sorted(before)[:12]
    assert "newt" not in str(
        {name: str(f.evidence) for name, f in findings(DocumentChange(before, now, frozenset(before), 40, 40)).items()}
    )


def test_a_few_documents_of_many_are_a_small_change() -> None:
    assert is_small(4, 6)
    assert is_small(40, 1000)
    assert not is_small(50, 1000)
