from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from pipelines.near_duplicates import MARKED_PLACES, SIGNATURE_VALUES, Duplicates, clusters, duplicates_of, signature
from quality_checks.contract_terms import NearDuplicates

WORDS = [f"word{n}" for n in range(5000)]


def text(seed: int, words: int = 400) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def edited(said: str, changes: int, seed: int = 0) -> str:
    words = said.split()
    for at in random.Random(seed).sample(range(len(words)), changes):
        words[at] = "edited"
    return " ".join(words)


def jaccard(one: str, other: str) -> float:
    a, b = ({tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (one.split(), other.split()))
    return len(a & b) / len(a | b)


def agreement(one: str, other: str) -> float:
    a, b = (np.frombuffer(signature(said), dtype="<u4") for said in (one, other))
    return float((a == b).mean())


def table(documents: dict[str, str], access: dict[str, list[str]] | None = None) -> pa.Table:
    return pa.table(
        {
            "uri": list(documents),
            "document_id": [f"id-{uri}" for uri in documents],
            "status": ["ok"] * len(documents),
            "access": [(access or {}).get(uri, ["everyone"]) for uri in documents],
            "minhash": pa.array([signature(said) for said in documents.values()], pa.binary()),
        }
    )


def once(documents: dict[str, str], access: dict[str, list[str]] | None = None) -> Duplicates:
    return duplicates_of(table(documents, access), NearDuplicates(policy="index_once"))


@pytest.mark.parametrize("changes", [0, 2, 8, 40])
def test_signatures_agree_as_far_as_shingles_do(changes: int) -> None:
    one = text(1)
    other = edited(one, changes)
    assert agreement(one, other) == pytest.approx(jaccard(one, other), abs=0.13)


def test_case_and_white_space_do_not_count_and_a_signature_is_always_the_same() -> None:
    said = text(2)
    assert signature(said) == signature(said.upper().replace(" ", "\n  "))
    assert len(signature("")) == len(signature(said)) == SIGNATURE_VALUES * 4
    assert signature("A few words")[:8].hex() == "2a6f355d3771aea4"


def test_a_short_text_is_like_its_equal_only() -> None:
    assert signature("Four words in all") == signature("four words in ALL!")
    assert agreement("four words in all", "four words in any") < 0.1
    assert agreement("!!!", "???") < 0.1


def test_writing_without_blanks_is_compared_by_its_characters() -> None:
    said = "".join(chr(0x4E00 + random.Random(n).randrange(2000)) for n in range(600))
    assert agreement(said, said[:300] + "新" + said[300:]) > 0.9


def test_a_text_longer_than_a_portion_is_compared_whole() -> None:
    long = text(3, 40_000)
    assert agreement(long, " ".join(long.split()[20_000:])) == pytest.approx(0.5, abs=0.13)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 1.0])
def test_clusters_are_those_of_comparing_every_pair(threshold: float) -> None:
    made = random.Random(4)
    texts = [edited(text(n % 12), made.choice([0, 1, 3, 6, 12, 25]), n) for n in range(120)]
    signed = np.array([np.frombuffer(signature(said), dtype="<u4") for said in texts])
    groups = [{n} for n in range(len(texts))]
    for a, b in itertools.combinations(range(len(texts)), 2):
        if (signed[a] == signed[b]).mean() >= threshold and groups[a] is not groups[b]:
            groups[a] |= groups[b]
            for member in groups[b]:
                groups[member] = groups[a]
    expected = sorted({tuple(sorted(group)) for group in groups if len(group) > 1})
    assert [tuple(group) for group in clusters(signed, threshold)] == expected
    assert expected


def test_many_copies_and_few_documents_are_no_trouble() -> None:
    copies = np.frombuffer(signature("the same again and again") * 5000, dtype="<u4").reshape(-1, SIGNATURE_VALUES)
    assert [len(group) for group in clusters(copies, 0.9)] == [5000]
    assert clusters(copies[:1], 0.9) == clusters(copies[:0], 0.9) == []


def test_the_smallest_address_stands_for_its_cluster_whatever_the_order() -> None:
    documents = {"s:b": text(5), "s:a": edited(text(5), 1), "s:c": text(6), "s:d": text(5)}
    for order in itertools.permutations(documents):
        found = once({uri: documents[uri] for uri in order})
        assert found == Duplicates(2, frozenset({"id-s:b", "id-s:d"}), {"id-s:a": ("s:b", "s:d")})


def test_a_chain_of_likeness_is_one_cluster() -> None:
    first = text(7)
    chain = [first]
    for n in range(6):
        chain.append(edited(chain[-1], 3, n))
    assert agreement(first, chain[-1]) < 0.9
    assert once({f"s:{n}": said for n, said in enumerate(chain)}).found == 6


def test_only_documents_of_the_same_readers_stand_for_one_another() -> None:
    documents = dict.fromkeys(["s:a", "s:b", "s:c", "s:d"], text(8))
    found = once(documents, {"s:a": ["board"], "s:b": ["staff", "board"], "s:c": ["board", "staff"]})
    assert found == Duplicates(1, frozenset({"id-s:c"}), {"id-s:b": ("s:c",)})


def test_what_could_not_be_parsed_is_nobodys_duplicate() -> None:
    broken = table({"s:a": text(9), "s:b": text(9)}).set_column(2, "status", pa.array(["ok", "quarantined"]))
    assert duplicates_of(broken, NearDuplicates(policy="index_once")) == Duplicates(0, frozenset(), {})


def test_keep_counts_and_mark_names_every_place_up_to_a_limit() -> None:
    documents = {f"s:{n:03}": text(10) for n in range(MARKED_PLACES + 30)} | {"s:else": text(11)}
    kept = duplicates_of(table(documents), NearDuplicates())
    assert kept == Duplicates(MARKED_PLACES + 29, frozenset(), {})
    marked = duplicates_of(table(documents), NearDuplicates(policy="mark"))
    assert marked.left_out == frozenset()
    assert {len(places) for places in marked.also_at.values()} == {MARKED_PLACES}
    assert all(document.removeprefix("id-") not in places for document, places in marked.also_at.items())
    assert marked.also_at["id-s:000"][0] == "s:001"
    assert "id-s:else" not in marked.also_at
