"""Bugs, put into the pipeline at the places where such bugs would be: each gives a function that does it to a bench."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.lane.chunks import ChunksWork
from search_index.model.document import sha256
from tests.gates.healthy import SOURCE, Bench

Row: TypeAlias = dict[str, object]
Vectors: TypeAlias = npt.NDArray[np.float32]
Inject: TypeAlias = Callable[[Bench], None]


def embedding(change: Callable[[list[str], Vectors], tuple[list[str], Vectors]], edited: int | None = 8) -> Inject:
    """The vectors that are stored are not those the encoder gave: of some documents' ends, or of all passages."""

    def inject(bench: Bench) -> None:
        if edited is None:
            bench.rewrite(lambda text: text.replace("\n", " (reviewed)\n", 1))  # a title is in every passage of its document
        else:
            bench.edit(edited)

        def made(original: Callable[..., object]) -> Callable[..., object]:
            def embed(texts: object, have: object, encoder: object, flush: Callable[..., None], progress: object = None) -> object:
                return original(texts, have, encoder, lambda keys, vectors: flush(*change(keys, vectors)), progress=progress)

            return embed

        for module in ("vectors", "ahead"):
            bench.patch(f"pipelines.lane.{module}.embed_missing", made)

    return inject


def zeroed(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, np.zeros_like(vectors)


def not_a_number(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, np.full_like(vectors, np.nan)


def shuffled(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, np.roll(vectors, 1, axis=0)


def of_another_model(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    made = np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    return keys, made / np.linalg.norm(made, axis=1, keepdims=True)


def of_another_dimension(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    cut = vectors[:, :128]
    return keys, cut / np.linalg.norm(cut, axis=1, keepdims=True)


def eight_bits(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    rounded = np.round(vectors * 127) / 127
    return keys, (rounded / np.linalg.norm(rounded, axis=1, keepdims=True)).astype(np.float32)


def one_bit(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, (np.sign(vectors) / np.sqrt(vectors.shape[1])).astype(np.float32)


def stretched(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, vectors * np.float32(1.5)


def lost(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys[::2], vectors[::2]


def constant(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    return keys, np.repeat(vectors[:1], len(keys), axis=0)


def nearly_constant(keys: list[str], vectors: Vectors) -> tuple[list[str], Vectors]:
    noise = np.random.default_rng(1).normal(scale=1e-5, size=vectors.shape)
    made = vectors[:1] + noise
    return keys, (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def cutting(change: Callable[[list[Row]], list[Row]]) -> Inject:
    """The chunks that are stored are not those the chunker gave."""

    def inject(bench: Bench) -> None:
        bench.edit()

        def made(original: Callable[..., object]) -> Callable[..., object]:
            def rows(cutter: object, document: Row) -> list[Row]:
                cut = original(cutter, document)
                assert isinstance(cut, list)
                return change(cut)

            return rows

        bench.patch("pipelines.lane.cutting.Cutter.rows", made)

    return inject


def _retold(row: Row, start: int, text: str) -> Row:
    """A chunk whose span, text and digest agree with one another."""
    return row | {"start": start, "end": start + len(text), "text": text, "text_sha256": sha256(text)}


def cut_short(rows: list[Row]) -> list[Row]:
    return [_retold(row, int(str(row["start"])), str(row["text"])[: len(str(row["text"])) // 2].rstrip()) for row in rows]


def moved_spans(rows: list[Row]) -> list[Row]:
    return [row | {"start": int(str(row["start"])) + 5, "end": int(str(row["end"])) + 5} for row in rows]


def stale_digests(rows: list[Row]) -> list[Row]:
    return [row | {"text_sha256": "0" * 64} for row in rows]


def without_the_middle(rows: list[Row]) -> list[Row]:
    return [row for at, row in enumerate(rows) if at != 1]


def too_long(rows: list[Row]) -> list[Row]:
    return [row | {"tokens": 300} for row in rows]


def one_id(rows: list[Row]) -> list[Row]:
    return [row | {"chunk_id": rows[0]["chunk_id"]} for row in rows]


def none(rows: list[Row]) -> list[Row]:
    return []


def repeating(rows: list[Row]) -> list[Row]:
    """Each chunk begins with all of the one before."""
    out = rows[:1]
    for before, row in pairwise(rows):
        start = int(str(before["start"])) + 1
        out.append(_retold(row, start, str(before["text"])[1:] + "\n\n" + str(row["text"])))
    return out


def blank(rows: list[Row]) -> list[Row]:
    return [_retold(row, int(str(row["start"])), "") for row in rows]


def telling(groups: list[str]) -> Inject:
    """Chunks say that other groups may read them than their documents do."""

    def inject(bench: Bench) -> None:
        bench.edit()

        def made(original: Callable[..., object]) -> Callable[..., object]:
            def told(document: Row, duplicates: object) -> object:
                ours = str(document["uri"]).startswith(f"{SOURCE}:")
                return {"access": groups, "also_at": []} if ours else original(document, duplicates)

            return told

        bench.patch("pipelines.lane.chunks._told", made)

    return inject


def telling_documents(groups: list[str]) -> Inject:
    """Documents say that other groups may read them than the contract does."""

    def inject(bench: Bench) -> None:
        bench.edit()
        bench.patch("pipelines.lane.document_rows.told_by", lambda _: lambda contract: {"access": groups, "metadata": {}})

    return inject


def orphans(bench: Bench) -> None:
    """A document goes, and its chunks stay."""
    bench.files[-1].unlink()

    def made(original: Callable[..., object]) -> Callable[..., object]:
        def work(*arguments: object) -> ChunksWork:
            found = original(*arguments)
            assert isinstance(found, ChunksWork)
            return ChunksWork(found.cutter, found.duplicates, found.to_cut, found.restated, [])

        return work

    bench.patch("pipelines.lane.chunks.chunks_work", made)


def parsing(change: Callable[[Iterable[Row]], Iterable[Row]], edited: int = 8) -> Inject:
    """Documents are not what the parser gave."""

    def inject(bench: Bench) -> None:
        bench.edit(edited)
        _parsed(bench, change)

    return inject


def _parsed(bench: Bench, change: Callable[[Iterable[Row]], Iterable[Row]]) -> None:
    def made(original: Callable[..., object]) -> Callable[..., object]:
        def rows(contract: object, listed: object) -> Iterator[Row]:
            found = original(contract, listed)
            assert isinstance(found, Iterator)
            yield from change(found)

        return rows

    bench.patch("pipelines.lane.documents.parsed_rows", made)


def half_of_them(rows: Iterable[Row]) -> Iterable[Row]:
    return [row for at, row in enumerate(rows) if at % 2]


def losing_new_documents(bench: Bench) -> None:
    """Documents come in, and half of them are forgotten."""
    for number, path in enumerate(bench.files[-6:]):
        (bench.folder / f"new{number}.md").write_text(path.read_text() + "\nThis is the second edition of it.\n")
    _parsed(bench, half_of_them)


def emptied(rows: Iterable[Row]) -> Iterable[Row]:
    return [row | {"text": "", "elements": "[]"} for row in rows]


def first_words(rows: Iterable[Row]) -> Iterable[Row]:
    return [row | {"text": str(row["text"])[:30], "elements": "[]"} for row in rows]


def unhashed(rows: Iterable[Row]) -> Iterable[Row]:
    return [row | {"raw_sha256": ""} for row in rows]


def another_parser(bench: Bench) -> None:
    """A new version of the parser reads the same bytes, and gives a third of their text."""

    def made(original: Callable[..., object]) -> Callable[..., object]:
        return lambda contract, path: f"{original(contract, path)}{' 2' if str(path).startswith('b0') else ''}"

    bench.patch("pipelines.lane.documents.parser_of", made)
    _parsed(bench, lambda rows: [row | {"text": str(row["text"])[: len(str(row["text"])) // 3], "elements": "[]"} for row in rows])


def staging(change: Callable[[pa.Table], pa.Table]) -> Inject:
    """The points that are staged are not those the tables make."""

    def inject(bench: Bench) -> None:
        bench.edit()
        bench.patch("pipelines.release.staging.points_table", lambda original: lambda *arguments: change(_table(original(*arguments))))

    return inject


def _table(value: object) -> pa.Table:
    assert isinstance(value, pa.Table)
    return value


def column(name: str, change: Callable[[list[object]], Sequence[object]]) -> Callable[[pa.Table], pa.Table]:
    """Another column in a table of points."""

    def changed(points: pa.Table) -> pa.Table:
        at = points.schema.get_field_index(name)
        values = pa.array(change(points[name].to_pylist()), points.schema.field(name).type)
        return points.set_column(at, points.schema.field(name), values)

    return changed


def every(changes: Sequence[Callable[[pa.Table], pa.Table]]) -> Callable[[pa.Table], pa.Table]:
    """One change after the other."""

    def changed(points: pa.Table) -> pa.Table:
        for change in changes:
            points = change(points)
        return points

    return changed
