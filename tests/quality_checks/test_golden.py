"""Golden sets: both formats, mistakes with their line, and quotes found again in changed documents."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quality_checks.folding import fold
from quality_checks.golden import (
    GoldenInvalid,
    GoldenQuery,
    GoldenSet,
    Judgement,
    golden_digest,
    import_beir,
    load_golden,
    load_golden_folder,
)
from quality_checks.resolution import Resolver, resolve
from search_index.model.document import normalise

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SET = """\
name: handbook
version: 1.2.0
author: maintainers
date: 2026-01-31
queries:
  - id: rollback
    query: how is a release rolled back?
    tags: [operations]
    relevant:
      - {document: "handbook:docs/releases.md", quote: "Roll back by moving the pointer", grade: 3}
      - document: handbook:docs/faq.md
        span: [0, 12]
      - document: handbook:README.md
"""


def written(folder: Path, text: str, name: str = "golden.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def one(*relevant: Judgement) -> GoldenSet:
    return GoldenSet(name="g", queries=(GoldenQuery(id="q", query="?", relevant=relevant),))


def test_a_yaml_set_and_the_same_in_json_lines_are_equal(tmp_path: Path) -> None:
    golden = load_golden(written(tmp_path, SET))
    assert golden.date == "2026-01-31"
    assert [judgement.grade for judgement in golden.queries[0].relevant] == [3, 1, 1]
    head = golden.model_dump(mode="json", exclude={"queries"})
    lines = [head, *(query.model_dump(mode="json") for query in golden.queries)]
    again = load_golden(written(tmp_path, "\n".join(json.dumps(line) for line in lines), "golden.jsonl"))
    assert again == golden
    assert golden_digest([again]) == golden_digest([golden])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    tags:", "    tag:", ":8: unknown key 'tag' (did you mean 'tags'?)"),
        ("grade: 3", "grade: 4", ":10: queries.0.relevant.0.grade"),
        ("handbook:README.md", "README.md", ":13: queries.0.relevant.2.document"),
        ("span: [0, 12]", "span: [12, 0]", ":11: queries.0.relevant.1: [12, 0] is no span"),
        ("  - id: rollback\n    query:", "  - query:", ":6: queries.0.id: Field required"),
        ("handbook:README.md", "handbook:docs/faq.md\n        span: [0, 12]", ":6: queries.0: the same passage is judged twice"),
        ("queries:", "queries", ":6: could not find expected ':'"),
        ("name: handbook\n", "name: handbook\nname: twice\n", ":2: found duplicate key"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SET
    path = written(tmp_path, SET.replace(old, new))
    with pytest.raises(GoldenInvalid) as raised:
        load_golden(path)
    assert f"{path}{said}" in raised.value.what


def test_a_mistake_in_json_lines_is_reported_with_its_line(tmp_path: Path) -> None:
    good = {"id": 7, "query": "seven?", "relevant": [{"document": "a:b"}]}
    path = written(tmp_path, "\n".join(json.dumps(line) for line in ({"name": "x"}, good, good | {"id": 8, "relevant": []})), "x.jsonl")
    with pytest.raises(GoldenInvalid, match=r"x\.jsonl:3: queries\.1\.relevant"):
        load_golden(path)
    with pytest.raises(GoldenInvalid, match=r"x\.jsonl:2: not JSON"):
        load_golden(written(tmp_path, json.dumps(good) + "\n{", "x.jsonl"))
    assert load_golden(written(tmp_path, json.dumps(good), "x.jsonl")).queries[0].id == "7"


def test_ids_and_set_names_are_unique(tmp_path: Path) -> None:
    with pytest.raises(GoldenInvalid, match="two queries have the id 'rollback'"):
        load_golden(written(tmp_path, SET + SET.split("queries:\n")[1]))
    written(tmp_path, SET, "one.yaml")
    written(tmp_path, SET.replace("handbook\n", "other\n", 1), "golden.yaml")
    assert [golden.name for golden in load_golden_folder([tmp_path, tmp_path / "absent"])] == ["handbook", "other"]
    written(tmp_path, SET, "two.yaml")
    with pytest.raises(GoldenInvalid, match=r"one\.yaml and .*two\.yaml"):
        load_golden_folder([tmp_path])


def test_the_digest_knows_content_and_not_order() -> None:
    a, b = (
        one(Judgement(document="s:a")),
        GoldenSet(name="h", queries=(GoldenQuery(id="q", query="?", relevant=(Judgement(document="s:b"),)),)),
    )
    assert golden_digest([a, b]) == golden_digest([b, a])
    assert golden_digest([a]) != golden_digest([b])
    assert golden_digest([one(Judgement(document="s:a", grade=2))]) != golden_digest([a])


@pytest.mark.skipif(not (DATA / "nfcorpus").is_dir(), reason="wants the NFCorpus data set beside the checkout, at ../shared/data/nfcorpus")
def test_a_beir_collection_becomes_a_golden_set() -> None:
    golden = import_beir(DATA / "nfcorpus/queries.jsonl", DATA / "nfcorpus/qrels.tsv", "nfcorpus", lambda name: f"{name}.pdf")
    assert len(golden.queries) == 324
    assert Judgement(document="nfcorpus:MED-2421.pdf", grade=2) in next(q for q in golden.queries if q.id == "PLAIN-1").relevant


def test_beir_files_that_are_not_are_refused(tmp_path: Path) -> None:
    queries = written(tmp_path, '{"_id": "1", "text": "one"}\n{"_id": "2", "text": "two"}\n', "queries.jsonl")
    head = "query-id\tcorpus-id\tscore\n"
    assert [q.id for q in import_beir(queries, written(tmp_path, f"{head}1\ta\t1\n2\tb\t0\n", "qrels.tsv"), "s").queries] == ["1"]
    with pytest.raises(GoldenInvalid, match="not a BEIR collection"):
        import_beir(queries, written(tmp_path, f"{head}1\ta\n", "qrels.tsv"), "s")
    with pytest.raises(GoldenInvalid, match="No query"):
        import_beir(queries, written(tmp_path, f"{head}9\ta\t1\n", "qrels.tsv"), "s")


@pytest.mark.parametrize(
    ("text", "quote", "found"),
    [
        ("One two\n  three four", "TWO three", "two\n  three"),
        ("the ﬁrst ofﬁce", "first office", "ﬁrst ofﬁce"),
        ("Die Straße ist naß.", "strasse IST nass", "Straße ist naß"),
        ("a\u00a0b  c", "a b c", "a\u00a0b  c"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "full width", "Ｆｕｌｌ ｗｉｄｔｈ"),
        ("un cafe\u0301 noir", "café", "caf\u00e9"),
        ("½ cup", "1⁄2", "½"),
        ("x = 1", "\n x = 1 \n", "x = 1"),
    ],
)
def test_a_quote_is_found_and_mapped_back_to_the_original(text: str, quote: str, found: str) -> None:
    text = normalise(text)
    places = Resolver({"s:d": text}).quote_places("s:d", quote)
    assert [text[start:end] for start, end in places] == [found]


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80))
@example("İstanbul ǅungla ΐ ﬀ", 0, 20)
@example("a \u0301b", 1, 4)
def test_any_part_of_any_text_is_found_where_it_stands(text: str, a: int, b: int) -> None:
    text = normalise(text)
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    while start < end and (text[start].isspace() or unicodedata.combining(text[start]) or not fold(text[start]).text.strip()):
        start += 1
    while end > start and (
        text[end - 1].isspace() or not fold(text[end - 1]).text.strip() or (end < len(text) and unicodedata.combining(text[end]))
    ):
        end -= 1
    needle = fold(text[start:end]).text
    if needle != needle.strip(" ") or not needle:
        return
    places = fold(text).find(needle)
    assert places
    assert all(fold(text[s:e]).text.strip(" ").find(needle) >= 0 for s, e in places)
    assert places[0][0] <= start
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_ascii_folds_the_same_by_either_way(text: str) -> None:
    quick, thorough = fold(text), fold(text + "é")
    assert quick.text == thorough.text[:-1]
    assert quick.starts.tolist() == thorough.starts.tolist()[:-1]


def test_every_place_of_a_quote_counts_and_half_of_it_is_enough() -> None:
    text = "0123456789 again 0123456789"
    found = resolve(one(Judgement(document="s:d", quote="0123456789", grade=2)), {"s:d": text})
    (unit,) = found.units["q"]
    assert unit.places == ((0, 10), (17, 27))
    assert found.relevant_units("q", "s:d", (0, 5)) == [unit.id]
    assert found.relevant_units("q", "s:d", (22, 40)) == [unit.id]
    assert found.relevant_units("q", "s:d", (6, 21)) == []
    assert found.relevant_units("q", "s:d", (10, 17)) == []
    assert found.relevant_units("q", "s:d", (3, 6)) == [unit.id], "a passage cut out of what was judged"
    assert found.relevant_units("q", "s:d", (9, 14)) == []
    assert found.relevant_units("q", "s:other", (0, 27)) == []
    assert found.relevant_units("unknown", "s:d", (0, 27)) == []


def test_what_no_longer_stands_is_stale_and_not_counted() -> None:
    golden = one(
        Judgement(document="s:gone"),
        Judgement(document="s:d", quote="was edited away"),
        Judgement(document="s:d", span=(0, 99)),
        Judgement(document="s:d", quote="still here", grade=3),
    )
    found = resolve(golden, {"s:d": "it is Still  Here"})
    assert [(stale.document, stale.reason) for stale in found.stale] == [
        ("s:gone", "no such document"),
        ("s:d", "quote not found"),
        ("s:d", "span ends after the text"),
    ]
    assert list(found.qrels["q"].values()) == [3]
    assert resolve(one(Judgement(document="s:gone")), {}).qrels == {}


def test_what_is_judged_of_a_document_that_is_not_indexed_is_looked_for_in_the_one_that_is() -> None:
    documents = {"s:a": "A new page. The pump is primed. It runs.", "s:b": "The pump is primed. It stops."}
    judged = one(
        Judgement(document="s:b", quote="the pump is PRIMED", grade=2),
        Judgement(document="s:b", span=(0, 19), grade=1),
        Judgement(document="s:b", quote="It stops."),
        Judgement(document="s:b", span=(0, 99)),
    )
    found = Resolver(documents, {"s:b": "s:a"}).resolve(judged)
    assert [(unit.document, unit.places) for unit in found.units["q"]] == [("s:a", ((12, 30),)), ("s:a", ((12, 31),))]
    assert found.relevant_units("q", "s:a", (10, 32))
    assert found.relevant_units("q", "s:b", (0, 19)) == []
    assert [stale.reason for stale in found.stale] == ["quote not found in s:a, which is indexed instead", "span ends after the text"]
    whole = Resolver(documents, {"s:b": "s:a"}).resolve(one(Judgement(document="s:b")))
    assert [unit.id for unit in whole.units["q"]] == ["s:a"]


def test_a_units_id_outlives_edits_around_its_quote() -> None:
    golden = one(Judgement(document="s:d", quote="the quoted words"))
    before, after = resolve(golden, {"s:d": "The quoted words."}), resolve(golden, {"s:d": "A new start. THE quoted\nwords."})
    assert list(before.qrels["q"]) == list(after.qrels["q"])
    assert before.units["q"][0].places != after.units["q"][0].places


def test_a_whole_document_is_hit_by_any_of_its_passages() -> None:
    found = resolve(one(Judgement(document="s:d")), {"s:d": ""})
    assert found.relevant_units("q", "s:d", (500, 600)) == ["s:d"]
