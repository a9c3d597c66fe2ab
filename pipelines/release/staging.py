"""Staging: what the next release would be, as the difference to the head, built where nobody sees it."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.evaluation.tuning import has_new_judgements, inherited_ranking, tuned_ranking
from pipelines.release.counting import counted, counted_by_tenant
from pipelines.release.lengths import drifted, frozen, mean_lengths
from pipelines.release.outcomes import ChangedRow, Nothing, StagedCandidate
from pipelines.release.points import DesiredPoint, desired_points, points_table
from pipelines.workspace import Workspace
from quality_checks.changes import how_to_accept, source_removed
from quality_checks.gates import expected_of_source, shortfalls
from quality_checks.golden import golden_digest
from search_index.bm25 import Bm25Settings
from search_index.engine.interface import LEDGER, Delta
from search_index.errors import Refused
from search_index.fusion import Ranking
from search_index.home import trusted_manifest
from search_index.model.operating import Override
from search_index.model.release import Held, Manifest, ModelPin, ReleaseRecord, SourcePin, TablePin, digest_of, now
from search_index.model.search import OPEN_END
from search_index.retention import retained_revisions


def current_pin(workspace: Workspace, source: str) -> SourcePin | None:
    """What a source's lane last came to, None while it has not been through all its steps."""
    catalog, contract = workspace.home.catalog, workspace.contracts[source]
    lanes = [catalog.lane(source, stage) for stage in ("manifest", "documents", "chunks", "vectors")]
    pins = []
    for lane in lanes:
        if lane is None:
            return None
        version, rows = lane.state.get("version"), lane.state.get("rows", lane.state.get("files"))
        pins.append(
            TablePin(
                version=version if isinstance(version, int) else -1,
                digest=lane.data_version,
                rows=rows if isinstance(rows, int) else 0,
            )
        )
    chunks_lane = lanes[2]
    pin = SourcePin(
        contract=contract.digest,
        contract_version=contract.version,
        tenant=contract.tenant,
        access=list(contract.access_groups),
        checks=[],
        manifest=pins[0],
        documents=pins[1],
        chunks=pins[2],
        vectors=pins[3],
        chunker=str(chunks_lane.state.get("chunker")) if chunks_lane else "",
        quarantined=int(str(lanes[1].state.get("quarantined", 0))) if lanes[1] else 0,
    )
    return pin.model_copy(update={"checks": sorted(e.check for e in expected_of_source(contract, pin) if e.severity == "error")})


def settle_sources(
    workspace: Workspace, head: Manifest | None, override: Override | None = None
) -> tuple[dict[str, SourcePin], list[Held]]:
    """Which state of each source the candidate takes: its newest where every gate of it is met or overridden, the head's where not.

    A source that is held before it was ever published is left out.
    """
    published = dict(head.sources) if head else {}
    pins: dict[str, SourcePin] = {}
    held: list[Held] = []

    def hold(source: str, reasons: list[str]) -> None:
        contract, pin = workspace.contracts.get(source), published.get(source)
        # Of whom it stands in the release: to others nothing may be said of it, not even that it waits to be theirs.
        held.append(Held(source=source, reasons=reasons, tenant=pin.tenant if pin else contract.tenant if contract else None))
        if pin is not None:
            pins[source] = pin

    for source, contract in sorted(workspace.contracts.items()):
        pin = current_pin(workspace, source)
        if pin is None:
            if source in published:
                pins[source] = published[source]
            continue
        expected = expected_of_source(contract, pin)
        verdicts = workspace.home.catalog.verdicts_on(source, {e.inputs_digest for e in expected})
        reasons = shortfalls(expected, verdicts, override)
        if reasons:
            hold(source, reasons)
        else:
            pins[source] = pin
    for source, error in sorted(workspace.broken_contracts.items()):
        hold(source, [f"contract_valid: {error}"])
    for source in sorted(published.keys() - workspace.contracts.keys() - workspace.broken_contracts.keys()):
        change = workspace.home.catalog.propose_change(source_removed(source, published[source].documents.rows))
        if change.accepted_at is None:
            hold(source, [f"contract_present: {how_to_accept(change)}"])
    return pins, held


def stage_candidate(workspace: Workspace, run_id: str) -> StagedCandidate | Nothing:
    """Build the next revision, or say that there is nothing to build.

    Errors:
        Refused: publishing is paused, or a new model cannot go live while a source is held or was not ingested with it.
        ReleaseUntrusted: the head is not what was signed.
        DiskFull: there is no room for the copy; nothing is left behind.
    """
    catalog = workspace.home.catalog
    pointer = catalog.pointer()
    if pointer.paused:
        raise Refused(f"Publishing is paused: {pointer.paused}.", "`plumbline releases resume` lifts it.")
    head_record = catalog.release(pointer.head) if pointer.head is not None else None
    head = trusted_manifest(workspace.home, head_record) if head_record else None
    override = catalog.override(workspace.home.signing_key())
    pins, held = settle_sources(workspace, head, override)
    model = _model_of(workspace, head, pins)
    if left := [s for s in sorted(pins.keys() - {h.source for h in held}) if _made_by(workspace, s) not in ("", model.encoder)]:
        raise Refused(
            f"The vectors of {', '.join(left)} were made by another model than {model.name}.", "Ingest every source: `plumbline ingest`."
        )
    ranking = inherited_ranking(workspace, head, model)
    golden = golden_digest(workspace.golden_sets)
    if not pins or (head is not None and _same(head, pins, model, ranking) and not has_new_judgements(workspace, ranking)):
        return Nothing(head.revision if head else None, held)
    return _build(workspace, run_id, head_record, head, pins, held, model, ranking, golden, override)


def _model_of(workspace: Workspace, head: Manifest | None, pins: dict[str, SourcePin]) -> ModelPin:
    """The head's model while nothing new has come, so that an idle run need not load one."""
    if head is not None and all(s in head.sources and head.sources[s].same_rows(p) for s, p in pins.items()):
        return head.model
    return workspace.model_pin


def _made_by(workspace: Workspace, source: str) -> str:
    """The encoder that a source's lane last ran with; empty where the lane does not say."""
    lane = workspace.home.catalog.lane(source, "vectors")
    return str(lane.state.get("encoder", "")) if lane else ""


def _same(head: Manifest, pins: dict[str, SourcePin], model: ModelPin, ranking: Ranking) -> bool:
    if pins.keys() != head.sources.keys() or model.encoder != head.model.encoder or ranking != Ranking.model_validate(head.ranking):
        return False
    return all(head.sources[s].same_rows(p) and head.sources[s].access == p.access for s, p in pins.items())


def _build(
    workspace: Workspace,
    run_id: str,
    head_record: ReleaseRecord | None,
    head: Manifest | None,
    pins: dict[str, SourcePin],
    held: list[Held],
    model: ModelPin,
    ranking: Ranking,
    golden: str,
    override: Override | None,
) -> StagedCandidate:
    lake, catalog, engine = workspace.lake, workspace.home.catalog, workspace.home.engine
    same_model = head is not None and head.model.encoder == model.encoder
    if head is not None and not same_model and any(h.source in pins for h in held):
        raise Refused(
            f"A new model cannot go live while sources are held: {', '.join(h.source for h in held)}.",
            "Mend or accept what holds them, then run the ingest again.",
        )
    desired: dict[str, list[DesiredPoint]] = {}
    base = head if same_model else None
    for source, pin in pins.items():
        if base is None or source not in base.sources or not base.sources[source].same_rows(pin):
            desired[source] = desired_points(lake, source, pin, model)
    ledger = _ledger(workspace, base)
    difference = _difference(ledger, desired, set(pins))
    lengths = mean_lengths(ledger, difference.added, difference.retired)
    before = _settings(base) if base is not None else Bm25Settings(avgdl={})
    if drifted(lengths, before):
        base = None
        for source, pin in pins.items():
            if source not in desired:
                desired[source] = desired_points(lake, source, pin, model)
        difference = _difference(_ledger(workspace, None), desired, set(pins))
    bm25 = frozen(lengths, before)
    # Tenants that come in are added to the settings of the index they come into.
    index = base.index if base is not None else digest_of([model.encoder, bm25.fingerprint])[:16]
    added, retired, changed = difference
    revision = catalog.begin(run_id)
    # One fewer than settings say, for this revision will be one of them; the head always, for a rollback.
    retained = retained_revisions(catalog, max(workspace.settings.retain_releases - 1, 1))
    workspace.progress.start("staging", len(added))
    candidate = engine.stage(
        index=index,
        head=base.revision if base is not None else None,
        revision=revision,
        delta=Delta(points_table(added, revision, run_id), retired),
        bm25=bm25,
        dimension=model.dimension,
        retained=retained or None,
    )
    workspace.progress.advance(len(added))
    workspace.progress.finish()
    draft = Manifest(
        revision=revision,
        parent=head_record.revision if head_record else None,
        index=index,
        content=candidate.content,
        sources=pins,
        held=held,
        model=model,
        bm25=asdict(bm25),
        ranking=ranking.model_dump(mode="json"),
        golden=golden,
        counts=counted(pins.values(), len(added), len(retired)),
        tenants=counted_by_tenant(pins, added, ledger, retired),
        run_id=run_id,
        created_at=now(),
        retained=candidate.answers_for,
        override=override,
    )
    manifest = draft.model_copy(update={"ranking": tuned_ranking(workspace, draft, candidate).model_dump(mode="json")})
    catalog.record_manifest(manifest, None)
    return StagedCandidate(manifest, head, candidate, changed)


def _settings(manifest: Manifest) -> Bm25Settings:
    stored = manifest.bm25
    return Bm25Settings(**{f.name: stored[f.name] for f in fields(Bm25Settings)})  # type: ignore[arg-type]


def _ledger(workspace: Workspace, base: Manifest | None) -> pa.Table:
    """The points that are current at the head."""
    if base is None:
        return LEDGER.empty_table()
    ledger = workspace.home.engine.ledger(base.index, base.revision, head=base.revision)
    return ledger.filter(pc.equal(ledger["valid_to"], OPEN_END))


class _Difference(NamedTuple):
    added: list[DesiredPoint]
    retired: list[str]
    changed: list[ChangedRow]


def _difference(ledger: pa.Table, desired: dict[str, list[DesiredPoint]], sources: set[str]) -> _Difference:
    """What to add and what to retire so that the sources in ``desired`` stand as they should, and others are gone."""
    columns = ledger.select(["point_id", "chunk_id", "source", "payload_digest"]).to_pylist()
    standing = {r["chunk_id"]: r for r in columns if r["source"] in desired}
    wanted = {p.chunk_id: p for points in desired.values() for p in points}
    added = [p for p in wanted.values() if p.chunk_id not in standing or standing[p.chunk_id]["payload_digest"] != p.digest]
    replaced = {p.chunk_id for p in added}
    retired = [r["point_id"] for c, r in standing.items() if c not in wanted or c in replaced]
    retired += [r["point_id"] for r in columns if r["source"] not in sources]
    changed = [ChangedRow(p.chunk_id, "replaced" if p.chunk_id in standing else "added", str(p.payload["uri"])) for p in added]
    changed += [ChangedRow(c, "retired", r["source"]) for c, r in standing.items() if c not in wanted]
    return _Difference(added, sorted(retired), changed)
