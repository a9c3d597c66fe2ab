"""A lane step's metadata: counts and rates always, plots and tables where there is something to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import dagster as dg
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.release.outcomes import StepReport
from pipelines.show.languages import SAMPLE, language_shares
from pipelines.show.plots import lengths_plot, shares_plot
from pipelines.show.tables import changed_tables, quarantine_tables
from pipelines.tables import Lake, bucket_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract

Metadata = dict[str, dg.MetadataValue | float | int | str | bool]
_WORK: Mapping[str, str] = {"manifest": "seen", "documents": "parsed", "chunks": "cut", "vectors": "embedded"}
"""Which of a step's counts says how much it worked."""
SINCE = "changed_since_plots"
PLOTS = frozenset({"lengths", "tokens", "formats", "languages", SINCE})
"""What is drawn, and counted with it, when enough has changed."""
REDRAWN_FROM = 0.05
"""The share of a source's documents that may change before its plots are drawn anew."""


def step_metadata(report: StepReport) -> Metadata:
    """What every step shows."""
    metadata: Metadata = {
        **report.counts,
        "unchanged": report.unchanged,
        "wall_s": round(report.wall_s, 3),
        "cpu_s": round(report.cpu_s, 3),
    }
    done = report.counts.get(_WORK[report.stage], 0)
    if done and report.wall_s > 0:
        metadata["per_second"] = round(done / report.wall_s, 1)
    if done and report.cpu_s > 0:
        metadata["cpu_ms_each"] = round(1000 * report.cpu_s / done, 2)
    return metadata


def standing_plots(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Metadata:
    """The plots of an asset's last materialization: what is shown again, without drawing it, while little has changed."""
    event = instance.get_latest_materialization_event(asset)
    last = event.asset_materialization if event is not None else None
    return {key: value for key, value in last.metadata.items() if key in PLOTS} if last is not None else {}


def lane_metadata(report: StepReport, workspace: Workspace, contract: Contract, standing: Metadata) -> Metadata:
    """What a step of a lane shows: the quarantine even when nothing changed, and plots.

    Args:
        standing: the plots that are shown now. They are drawn anew only when more than ``REDRAWN_FROM`` of the documents have
            changed since, for drawing them costs more than taking in a handful of changes does.
    """
    metadata = step_metadata(report)
    if report.stage == "documents":
        metadata |= quarantine_tables(workspace.lake, contract, workspace.settings)
    if report.stage in ("documents", "chunks"):
        metadata |= _plots(report, workspace, contract, standing)
    return metadata | changed_tables(report.changed, workspace.settings)


def _plots(report: StepReport, workspace: Workspace, contract: Contract, standing: Metadata) -> Metadata:
    counts = workspace.reports.get(contract.name, {}).get("documents", report).counts
    worked = report.counts.get(_WORK[report.stage], 0)
    changed = 0 if report.unchanged else max(1, worked) + counts.get("removed", 0)
    earlier = standing.get(SINCE)
    since = changed + (earlier.value or 0 if isinstance(earlier, dg.IntMetadataValue) else 0)
    if standing and since <= REDRAWN_FROM * counts.get("documents", 0):
        return standing | {SINCE: since}
    if report.unchanged and not standing:
        return {}
    drawn = _documents(workspace, contract) if report.stage == "documents" else _chunks(workspace, contract)
    return drawn | {SINCE: 0} if drawn else {}


def _chunks(workspace: Workspace, contract: Contract) -> Metadata:
    tokens = workspace.lake.read_source("chunks", contract.name, columns=["tokens"])["tokens"].to_pylist()
    if not tokens:
        return {}
    limit = min(contract.chunking.max_tokens, workspace.encoder_card.limit)
    return {"lengths": lengths_plot(tokens, limit, contract.name), "tokens": sum(tokens)}


def _documents(workspace: Workspace, contract: Contract) -> Metadata:
    name = contract.name
    rows = workspace.lake.read_source("documents", name, columns=["document_id", "path", "status"])
    rows = rows.filter(pc.equal(rows["status"], "ok"))
    if not rows.num_rows:
        return {}
    formats = Counter(_format_of(path) for path in rows["path"].to_pylist())
    metadata: Metadata = {"formats": shares_plot(formats, f"{name}: formats of {rows.num_rows:,} documents", "documents")}
    sample = _sample(rows["document_id"].to_pylist())
    languages = language_shares(_texts(workspace.lake, name, sample))
    sampled = "" if len(sample) == rows.num_rows else f" of a sample of {len(sample)}"
    metadata["languages"] = shares_plot(languages, f"{name}: languages{sampled}", "documents")
    return metadata


def _sample(documents: list[str]) -> list[str]:
    """Ids are hashes: the lowest of one bucket are a random sample, the same each time, and found by reading one bucket."""
    if len(documents) <= SAMPLE:
        return documents
    bucket = bucket_of(min(documents))
    return sorted(d for d in documents if bucket_of(d) == bucket)[:SAMPLE]


def _texts(lake: Lake, source: str, documents: list[str]) -> list[str]:
    buckets = sorted({bucket_of(d) for d in documents})
    where = (ds.field("source") == source) & ds.field("bucket").isin(buckets) & ds.field("document_id").isin(documents)
    texts: list[str] = lake.read("documents", columns=["text"], where=where)["text"].to_pylist()
    return texts


def _format_of(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[-1].lower() if "." in name else "no extension"
