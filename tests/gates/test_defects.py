"""Seeded defects, one a line: each is held, refused or warned of by the check that is meant for it, with what is live untouched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from search_index.bm25 import count_terms
from search_index.engine.interface import Scored
from tests.gates import bugs
from tests.gates.bugs import Inject, column, cutting, embedding, every, parsing, staging, telling, telling_documents
from tests.gates.healthy import OTHER, SOURCE, Bench
from tests.gates.test_page import every_check

pytestmark = pytest.mark.slow
Severity = Literal["held", "refused", "warned"]

GERMAN = (
    "Die Ernährung hat einen großen Einfluss auf die Gesundheit des Menschen, und viele Untersuchungen der letzten Jahre haben gezeigt, "
    "dass Gemüse, Obst und Vollkornprodukte das Risiko für zahlreiche Erkrankungen verringern können, während Fleisch es eher erhöht. "
)
NAVIGATION = (
    "Home | About us | Our services | Contact | Subscribe to our newsletter | Follow us on all channels | Terms of use | Privacy policy | "
    "Cookie settings | Accessibility statement | All rights reserved, reproduction only with the written permission of the publisher. "
)


@dataclass(frozen=True)
class Defect:
    """What is done, and who must notice it how."""

    name: str
    inject: Inject
    severity: Severity
    check: str


def rewriting(change: Callable[[str], str], count: int | None = None) -> Inject:
    return lambda bench: bench.rewrite(change, count)


def german(text: str) -> str:
    title = text.splitlines()[0]
    return f"{title}\n\n" + GERMAN * 3 + f"Nummer {len(title) * 7 + ord(title[0])}.\n"


def some_german(bench: Bench) -> None:
    for path in bench.files[8:16]:
        path.write_text(german(path.read_text()))


def mojibake(text: str) -> str:
    return text.replace("e", "é").encode().decode("latin-1")


def thinned(bench: Bench) -> None:
    (bench.folder / "huge.md").write_text("# Huge\n\nA few words.\n\n" + "<!-- nothing but a comment here -->\n" * 400)


def copies(count: int) -> Inject:
    def inject(bench: Bench) -> None:
        text = bench.files[-1].read_text()
        for number in range(count):
            (bench.folder / f"copy{number}.md").write_text(text)

    return inject


def removing(count: int) -> Inject:
    def inject(bench: Bench) -> None:
        for path in bench.files[-count:]:
            path.unlink()

    return inject


def broken_files(count: int) -> Inject:
    def inject(bench: Bench) -> None:
        for number in range(count):
            (bench.folder / f"broken{number}.pdf").write_bytes(b"%PDF-1.7 and then nothing of the kind")

    return inject


def unreachable(bench: Bench) -> None:
    bench.folder.rename(bench.folder.with_name("unmounted"))


def stale(bench: Bench) -> None:
    bench.edit(len(bench.files))
    for path in bench.files:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    bench.contract(lambda text: text + "slaProperties:\n  - {property: frequency, value: 1, unit: d}\n")


def contract(*changes: tuple[str, str]) -> Inject:
    """Another contract, which calls itself another version."""

    def inject(bench: Bench) -> None:
        def changed(text: str) -> str:
            for old, new in (*changes, ("version: 1.0.0", "version: 2.0.0")):
                assert old in text, old
                text = text.replace(old, new)
            return text

        bench.contract(changed)
        bench.edit(1)

    return inject


def same_version(bench: Bench) -> None:
    bench.contract(lambda text: text.replace("mustBeGreaterThan: 15", "mustBeGreaterThan: 16"))
    bench.edit(1)


def golden_queries(bench: Bench) -> list[dict[str, object]]:
    path = bench.project.root / "contracts" / "golden" / "golden.yaml"
    queries = json.loads(path.read_text())["queries"]
    assert isinstance(queries, list)
    return queries


def flooding(bench: Bench) -> None:
    """Documents that answer nothing, and look more like the golden questions than the answers do."""
    folder = bench.project.root / "sources" / OTHER
    for query in golden_queries(bench):
        for number in range(3):
            (folder / f"spam-{query['id']}-{number}.md").write_text(f"{query['query']}? {query['query']}! Page {number}.\n")


def forgetting_answers(bench: Bench) -> None:
    """What the golden set quotes is in no document any more."""
    for path in bench.files[-6:]:
        path.write_text(path.read_text()[:-120] + " and so on.\n")


def without_sparse_vectors(bench: Bench) -> None:
    bench.edit()

    def made(original: Callable[..., object]) -> Callable[..., object]:
        return lambda ids, weights: original([], [])

    bench.patch("search_index.engine.shard.edge.SparseVector", made)


def wrong_statistics(bench: Bench) -> None:
    bench.edit()

    def made(original: Callable[..., object]) -> Callable[..., object]:
        return lambda statistics, ids: np.asarray(original(statistics, ids)) * 1.2

    bench.patch("search_index.bm25.TermStatistics.idf", made)


def poor_approximation(bench: Bench) -> None:
    """The graph of the dense arm misses every second neighbour."""
    bench.edit()

    def made(original: Callable[..., object]) -> Callable[..., object]:
        def dense(reader: object, vector: object, visibility: object, limit: int) -> Scored:
            found = original(reader, vector, visibility, 2 * limit)
            assert isinstance(found, Scored)
            return Scored(found.ids[::2], found.scores[::2])

        return dense

    bench.patch("search_index.engine.embedded_reader.EmbeddedReader.dense", made)


def deaf_to_meaning(bench: Bench) -> None:
    """Questions are embedded by something else than passages are."""
    bench.edit()

    def made(original: Callable[..., object]) -> Callable[..., object]:
        return lambda encoder, text: np.asarray(original(encoder, text))[::-1].copy()

    bench.patch("search_index.embedding.encoder.Encoder.encode_query", made)


def an_extra_point(points: pa.Table) -> pa.Table:
    extra = column("chunk_id", lambda ids: ["00000000-0000-5000-8000-000000000000" for _ in ids])(points.slice(0, 1))
    return pa.concat_tables([points, column("point_id", lambda ids: ["00000000-0000-5000-8000-000000000001" for _ in ids])(extra)])


def doubled_point(points: pa.Table) -> pa.Table:
    return pa.concat_tables(
        [points, column("point_id", lambda ids: ["00000000-0000-5000-8000-000000000001" for _ in ids])(points.slice(0, 1))]
    )


def german_terms(points: pa.Table) -> pa.Table:
    counted = [count_terms(json.loads(payload)["text"], "german") for payload in points["payload"].to_pylist()]
    return every(
        [column("term_ids", lambda _: [c.ids for c in counted]), column("term_counts", lambda _: [c.counts for c in counted])],
    )(points)


def no_terms(points: pa.Table) -> pa.Table:
    return every([column("term_ids", lambda rows: [[] for _ in rows]), column("term_counts", lambda rows: [[] for _ in rows])])(points)


def another_text(payloads: list[object]) -> list[object]:
    return [json.dumps(json.loads(str(payload)) | {"text": "something else"}) for payload in payloads]


DEFECTS = [
    # vectors
    Defect("vectors zeroed", embedding(bugs.zeroed), "held", "vector_not_zero"),
    Defect("vectors not numbers", embedding(bugs.not_a_number), "held", "vector_values_finite"),
    Defect("vectors shuffled between passages", embedding(bugs.shuffled), "held", "vectors_made_again"),
    Defect("vectors of another model", embedding(bugs.of_another_model), "held", "vectors_made_again"),
    Defect("vectors of another dimension", embedding(bugs.of_another_dimension), "held", "vectors_of_this_model"),
    Defect("vectors of eight bits", embedding(bugs.eight_bits), "warned", "vectors_precise"),
    Defect("vectors of one bit", embedding(bugs.one_bit), "held", "vectors_made_again"),
    Defect("vectors not of length one", embedding(bugs.stretched), "held", "vector_norms_unit"),
    Defect("vectors missing", embedding(bugs.lost), "held", "chunk_vectors_present"),
    Defect("vectors all the same", embedding(bugs.constant, edited=None), "held", "vector_duplicates_bounded"),
    Defect("vectors nearly the same", embedding(bugs.nearly_constant, edited=None), "held", "vector_twins_bounded"),
    # chunks
    Defect("chunks cut short", cutting(bugs.cut_short), "held", "chunk_documents_covered"),
    Defect("chunks left out", cutting(bugs.without_the_middle), "held", "chunk_documents_covered"),
    Defect("chunk spans moved", cutting(bugs.moved_spans), "held", "chunk_spans_exact"),
    Defect("chunk digests stale", cutting(bugs.stale_digests), "held", "chunk_digests_exact"),
    Defect("chunks too long", cutting(bugs.too_long), "held", "chunk_tokens_within_limit"),
    Defect("chunks with one id", cutting(bugs.one_id), "held", "chunk_ids_unique"),
    Defect("chunks that repeat the one before", cutting(bugs.repeating), "held", "chunk_overlap_as_configured"),
    Defect("chunks blank", cutting(bugs.blank), "held", "chunk_text_not_empty"),
    Defect("documents without chunks", cutting(bugs.none), "held", "document_chunks_present"),
    Defect("chunks without documents", bugs.orphans, "held", "chunk_documents_known"),
    Defect("chunks for other groups", telling(["everyone"]), "held", "chunk_access_as_document"),
    Defect("chunks for no group", telling([]), "held", "chunk_access_present"),
    # documents
    Defect("documents for other groups", telling_documents(["everyone"]), "held", "document_access_as_contract"),
    Defect("documents for no group", telling_documents([]), "held", "document_access_present"),
    Defect("half of what was parsed is lost", bugs.losing_new_documents, "held", "listed_documents_present"),
    Defect("half of what changed is not parsed", parsing(bugs.half_of_them), "held", "document_bytes_current"),
    Defect("documents emptied by the parser", parsing(bugs.emptied), "held", "document_text_not_empty"),
    Defect("documents cut to their first words", parsing(bugs.first_words, edited=12), "held", "volume_kept"),
    Defect("bytes not hashed", parsing(bugs.unhashed), "held", "document_raw_sha256_well_formed"),
    Defect("a new parser loses text", bugs.another_parser, "held", "document_text_kept"),
    Defect("a file gives next to no text", thinned, "warned", "document_text_not_thin"),
    Defect("half of the source missing", removing(16), "held", "removal_accepted"),
    Defect("source empty", removing(32), "held", "source_not_empty"),
    Defect("source unreachable", unreachable, "held", "source_reachable"),
    Defect("source stale", stale, "warned", "source_fresh"),
    Defect("most files broken", broken_files(40), "held", "quarantine_share_bounded"),
    Defect("some files broken", broken_files(6), "warned", "quarantine_share_low"),
    Defect("a flood of copies", copies(60), "held", "duplicates_kept"),
    Defect("some copies", copies(10), "warned", "document_duplicates_low"),
    Defect("navigation on every page", rewriting(lambda text: text + ("\n\n" + NAVIGATION) * 2), "warned", "boilerplate_share_low"),
    Defect("pages of navigation", rewriting(lambda text: text[:400] + ("\n\n" + NAVIGATION) * 8), "held", "boilerplate_kept"),
    Defect("mojibake everywhere", rewriting(mojibake), "held", "document_encoding_damage_bounded"),
    Defect("mojibake in a document", rewriting(mojibake, 1), "warned", "document_encoding_intact"),
    Defect("characters lost", rewriting(lambda text: text.replace("e", "\ufffd"), 2), "warned", "document_encoding_intact"),
    Defect("language switched", rewriting(german), "held", "language_kept"),
    Defect("another language comes in", some_german, "warned", "languages_known"),
    # contract
    Defect("contract lets others read", contract(("roles:", "roles:\n  - {role: everyone, access: read}")), "held", "contract_accepted"),
    Defect(
        "contract drops a rule",
        contract(("      - {name: enough documents, rule: rowCount, mustBeGreaterThan: 15}", "      []")),
        "held",
        "contract_accepted",
    ),
    Defect("contract weakens a rule", contract(("mustBeGreaterThan: 15", "mustBeGreaterThan: 5")), "held", "contract_accepted"),
    Defect(
        "contract makes a rule a warning",
        contract(("mustBeGreaterThan: 15", "mustBeGreaterThan: 15, severity: warning")),
        "held",
        "contract_accepted",
    ),
    Defect("contract lets more vanish", contract(("value: 0.4", "value: 0.9")), "held", "contract_accepted"),
    Defect("contract protects less", contract(("classification: confidential", "classification: public")), "held", "contract_accepted"),
    Defect("contract changed under one version", same_version, "warned", "contract_version_raised"),
    Defect(
        "contract broken", lambda bench: bench.contract(lambda text: text.replace("DataContract", "DataContact")), "held", "contract_valid"
    ),
    # the index
    Defect("a point missing", staging(lambda points: points.slice(1)), "refused", "index_reconciled"),
    Defect("a point too many", staging(an_extra_point), "refused", "index_reconciled"),
    Defect("a point twice", staging(doubled_point), "refused", "index_reconciled"),
    Defect("points for other groups", staging(column("access", lambda rows: [["everyone"] for _ in rows])), "refused", "index_reconciled"),
    Defect("points for no group", staging(column("access", lambda rows: [[] for _ in rows])), "refused", "access_on_every_point"),
    Defect("points with another text", staging(column("payload", another_text)), "refused", "payloads_exact"),
    Defect("points with another's vector", staging(column("vector", lambda rows: rows[1:] + rows[:1])), "refused", "dense_arm_complete"),
    Defect("terms of another language", staging(german_terms), "refused", "terms_are_the_texts"),
    Defect("points without terms", staging(no_terms), "refused", "terms_are_the_texts"),
    Defect("points missing from the sparse arm", without_sparse_vectors, "refused", "sparse_arm_complete"),
    Defect("term statistics wrong", wrong_statistics, "refused", "sparse_agrees_with_rank_bm25"),
    Defect("approximate search poor", poor_approximation, "refused", "dense_recall_at_10"),
    # what is found
    Defect("golden answers pushed down", flooding, "refused", "golden_regression"),
    Defect("golden quotes gone", forgetting_answers, "warned", "golden_sets_resolve"),
    Defect("questions embedded by another model", deaf_to_meaning, "refused", "known_items_found"),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_is_noticed_by_its_check(bench: Bench, defect: Defect, record_property: Callable[[str, object], None]) -> None:
    record_property("defect", f"{defect.name}|{defect.severity}|{defect.check}")
    before = bench.answers()
    defect.inject(bench)
    ran = bench.run()
    bench.monkeypatch.undo()
    if defect.severity == "warned":
        assert (ran.decision.status, ran.reasons) == ("published", [])
        assert defect.check in ran.failed("warning")
        return
    assert bench.live == 1
    assert ran.decision.status == defect.severity
    assert any(reason.startswith(f"{defect.check}:") for reason in ran.reasons), ran.reasons
    if defect.severity == "refused":
        assert bench.project.home.catalog.release(2).status == "rejected"
    else:
        assert list(ran.decision.held) == [SOURCE]
    assert bench.answers() == before


def test_the_table_names_checks_that_there_are(tmp_path: Path) -> None:
    known = {check.name for check in every_check(tmp_path)} | {"contract_valid"}
    assert {defect.check for defect in DEFECTS} <= known
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 25
