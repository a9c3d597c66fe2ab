"""A home with as many passages as are wanted: those of a real collection, each many times over, every copy a little different."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from search_index.engine.interface import POINTS, Delta, Payload
from search_index.home import Home, newest_with_index, trusted_manifest
from search_index.model.document import chunk_id, document_id, document_uri, point_id
from search_index.model.release import digest_of

SPREAD = 0.35
"""Length of what is added to a passage's unit vector: copies are as near to each other as passages on one matter are."""
KEPT_TERMS = 0.9
CHANGED = 0.01


def enlarge(home: Home, size: int) -> int:
    """Publish, in an index of its own, ``size`` passages made of the live release's, and a second release with one in a hundred changed.

    Both are signed like any other; no gate looks at them, which is why this is no part of the product. Returns the first's revision.
    """
    catalog, engine = home.catalog, home.engine
    record = catalog.resolve(None)
    manifest = trusted_manifest(home, record)
    newest = newest_with_index(home, manifest.index)
    reader = engine.open(manifest.index, newest.revision, head=newest.revision)
    try:
        ledger = reader.ledger()
        current = ledger.filter((pc.field("valid_from") <= record.revision) & (pc.field("valid_to") > record.revision))
        ids = current["point_id"].to_pylist()
        payloads, vectors, settings = reader.payloads(ids), reader.vectors(ids), reader.bm25
    finally:
        reader.close()
    index = digest_of({"enlarged": manifest.index, "to": size})
    rows = current.to_pylist()
    drawn = np.random.default_rng(0)

    def points(numbers: range, revision: int) -> pa.Table:
        return pa.Table.from_pylist(
            [_copy(rows[n % len(rows)], payloads[ids[n % len(rows)]], vectors[n % len(rows)], n, revision, drawn) for n in numbers],
            schema=POINTS,
        )

    head: int | None = None
    first = 0
    changed = range(0, size, round(1 / CHANGED))
    for step in range(2):
        revision = catalog.begin("benchmark")
        first = first or revision
        retired = [] if step == 0 else [point_id(_chunk(rows[n % len(rows)], n), first) for n in changed]
        added = points(range(size), revision) if step == 0 else points(changed, revision)
        candidate = engine.stage(index, head, revision, Delta(added, retired), settings, manifest.model.dimension, None)
        candidate.publish()
        made = manifest.model_copy(
            update={"revision": revision, "parent": catalog.pointer().head, "index": index, "content": candidate.content, "retained": None}
        )
        catalog.record_manifest(made, made.sign(home.signing_key()))
        catalog.record_decision(revision, [])
        catalog.publish(revision, catalog.pointer().head, "benchmark")
        head = revision
    return first


def _chunk(row: dict[str, object], number: int) -> str:
    return chunk_id(str(row["chunk_id"]), "copy", number, number + 1, "")


def _copy(
    row: dict[str, object], payload: Payload, vector: np.ndarray, number: int, revision: int, drawn: np.random.Generator
) -> dict[str, object]:
    source = str(row["source"])
    path = f"{number}/{str(payload['uri']).partition(':')[2]}"
    noise = drawn.standard_normal(len(vector))
    moved = vector + SPREAD * noise / np.linalg.norm(noise)
    own = ("chunk_id", "document_id", "source", "tenant", "vector_key", "access", "valid_from", "valid_to")
    kept = drawn.random(len(row["term_ids"])) < KEPT_TERMS  # type: ignore[arg-type]
    made = {key: value for key, value in payload.items() if key not in own} | {"uri": document_uri(source, path)}
    chunk = _chunk(row, number)
    return {
        **{name: row[name] for name in ("source", "tenant", "access")},
        "point_id": point_id(chunk, revision),
        "chunk_id": chunk,
        "document_id": document_id(source, path),
        "payload": json.dumps(made),
        "payload_digest": digest_of([str(row["payload_digest"]), number]),
        "vector_key": f"{row['vector_key']}-{number}",
        "vector": (moved / np.linalg.norm(moved)).astype(np.float32),
        "term_ids": [term for term, keep in zip(row["term_ids"], kept, strict=True) if keep],  # type: ignore[call-overload]
        "term_counts": [count for count, keep in zip(row["term_counts"], kept, strict=True) if keep],  # type: ignore[call-overload]
    }
