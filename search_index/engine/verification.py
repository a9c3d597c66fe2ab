"""Holding what an engine stores against its ledger."""

from __future__ import annotations

import pyarrow.compute as pc

from search_index.bm25 import TermStatistics
from search_index.engine import tenant_statistics
from search_index.engine.interface import IndexReader
from search_index.engine.stored_point import payload_sha256, vector_sha256

_PAGE = 1000


def differences(reader: IndexReader, revision: int) -> list[str]:
    """What is wrong with the points, of all revisions, and with the term statistics of ``revision``; a sentence each.

    Reads everything, a page at a time: 50,000 points take about half a minute.
    """
    ledger = reader.ledger()
    rows = ledger.select(["point_id", "payload_sha256", "vector_sha256", "valid_to"])
    wrong: dict[str, list[str]] = {"missing": [], "of another payload": [], "of another vector": [], "of another validity": []}
    for start in range(0, rows.num_rows, _PAGE):
        page = rows.slice(start, _PAGE).to_pylist()
        payloads = reader.payloads([row["point_id"] for row in page])
        there = [row for row in page if row["point_id"] in payloads]
        wrong["missing"] += [row["point_id"] for row in page if row["point_id"] not in payloads]
        for row, vector in zip(there, reader.vectors([row["point_id"] for row in there]), strict=True):
            point, payload = row["point_id"], payloads[row["point_id"]]
            wrong["of another payload"] += [point] if payload_sha256(payload) != row["payload_sha256"] else []
            wrong["of another vector"] += [point] if vector_sha256(vector) != row["vector_sha256"] else []
            wrong["of another validity"] += [point] if payload.get("valid_to") != row["valid_to"] else []
    said = [f"{len(points)} points are {kind}, {points[0]} for one." for kind, points in wrong.items() if points]
    visible = ledger.filter((pc.field("valid_from") <= revision) & (pc.field("valid_to") > revision))
    counted = tenant_statistics.updated({}, visible, visible.slice(0, 0))
    return said + [
        f"The term statistics of tenant {tenant} in revision {revision} are not those of its points."
        for tenant in sorted(tenant_statistics.tenants_of(ledger))
        if counted.get(tenant, TermStatistics.empty()).digest != reader.statistics(revision, tenant).digest
    ]
