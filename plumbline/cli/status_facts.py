"""The facts behind ``plumbline status``. Looking changes nothing: no home is made, no table written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.cli.advice import advise
from plumbline.cli.banner import standing_orders
from plumbline.cli.facts import Facts, LiveFacts, SourceFacts
from plumbline.cli.quarantine import quarantined_documents
from plumbline.cli.ready import address_of, answers, fetch
from plumbline.cli.settings import has_home
from plumbline.cli.up_report import ndcg_of
from plumbline.up import up_state

if TYPE_CHECKING:
    from quality_checks.contracts import Contract
    from search_index.catalog import Catalog
    from search_index.home import Home
    from search_index.model.release import ReleaseRecord
    from search_index.settings import Settings


def gather(settings: Settings) -> Facts:
    """Look at everything once."""
    address = address_of(settings)
    service = address if answers(f"{address}/health/live", timeout_s=0.5) else None
    facts = Facts(
        home=str(settings.root),
        disk=_disk(settings),
        service=service,
        port=settings.port,
        trouble=_trouble(service) if service else None,
        golden_queries=_golden_queries(settings),
        up=up_state(settings),
        writer=writer_of(settings),
        undelivered=_undelivered(settings),
    )
    if has_home(settings):
        from search_index.home import Home

        _from_catalog(settings, Home(settings), facts)
    else:
        _sources(settings, None, None, facts)
    facts.advice = advise(facts)
    return facts


def _from_catalog(settings: Settings, home: Home, facts: Facts) -> None:
    from search_index.model.operating import BY_SERVICE

    catalog = home.catalog
    standing, pointer = standing_orders(home), catalog.pointer()
    facts.frozen, facts.override, facts.altered_overrides = standing.frozen, standing.override, standing.altered
    facts.head, facts.paused = pointer.head, pointer.paused
    facts.canary, ended = catalog.canary(), catalog.last_canary()
    if facts.canary is None and ended is not None and ended.ended_by == BY_SERVICE:
        facts.withdrawn = ended
    record = catalog.release(pointer.live) if pointer.live is not None else None
    if record is not None and record.manifest is not None and record.published_at is not None:
        counts = record.manifest.counts
        facts.live = LiveFacts(
            record.revision, record.published_at, counts.documents, counts.chunks, ndcg_of(record.scores), record.overridden
        )
    newest = next(iter(catalog.releases(1)), None)
    if newest is not None and newest.status == "rejected":
        facts.last_refused = (newest.revision, newest.reasons)
    facts.overlaid = catalog.overlaid()
    facts.probe = catalog.last_probe()
    facts.waiting = [change for change in catalog.changes() if change.accepted_at is None]
    facts.quarantine = quarantined_documents(settings, catalog.quarantined())
    _sources(settings, catalog, record, facts)


def _trouble(service: str) -> tuple[str, str, str] | None:
    """What the service says of itself, where it does not serve the release that it should."""
    ready = fetch(f"{service}/health/ready") or {}
    trouble = ready.get("trouble")
    if isinstance(trouble, dict):
        return (
            f"release {ready.get('revision')} answers instead of {trouble.get('subject')}",
            str(trouble["reason"]),
            str(trouble["remedy"]),
        )
    if "revision" not in ready and ready:
        return "it answers no search", str(ready.get("detail")), str(ready.get("remedy"))
    return None


def _golden_queries(settings: Settings) -> int | None:
    from quality_checks.golden import load_golden_folder
    from search_index.errors import PlumblineError

    try:
        return sum(len(golden.queries) for golden in load_golden_folder([folder / "golden" for folder in settings.contract_folders]))
    except PlumblineError:  # `plumbline golden check` says what is wrong with them
        return None


def _sources(settings: Settings, catalog: Catalog | None, live: ReleaseRecord | None, facts: Facts) -> None:
    from quality_checks.contracts import load_contracts
    from search_index.lag import current_at, last_changes
    from search_index.model.release import now
    from search_index.model.tenant import DEFAULT_TENANT

    contracts, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    quarantined = catalog.quarantined() if catalog else {}
    lanes = {(lane.source, str(lane.stage)): lane for lane in catalog.lanes()} if catalog else {}
    changed = last_changes(catalog) if catalog else {}
    published = live.manifest.sources if live and live.manifest else {}
    held = {h.source: h.reasons for h in live.manifest.held} if live and live.manifest else {}
    for name in sorted(contracts.keys() | broken.keys() | published.keys()):
        contract, pin = contracts.get(name), published.get(name)
        reasons = list(held.get(name, []))
        if name in broken:
            reasons = [str(broken[name])]
        elif contract is None and not reasons:
            reasons = ["its contract is gone"]
        manifest = lanes.get((name, "manifest"))
        problem = manifest.state.get("problem") if manifest else None
        if problem and not reasons:
            reasons = [str(problem)]
        # A contract that is gone or broken holds the source, whatever its last run came to.
        current = current_at(live, name, lanes) if contract is not None or live is None else live.published_at
        lag = (now() - current).total_seconds() if current else None
        sla = contract.freshness_sla.total_seconds() if contract and contract.freshness_sla else None
        facts.sources.append(
            SourceFacts(
                name=name,
                state=_state(contract, reasons, pin is not None, manifest is not None),
                documents=pin.documents.rows if pin else 0,
                chunks=pin.chunks.rows if pin else 0,
                quarantined=quarantined.get(name, 0),
                location=contract.location if contract else "-",
                tenant=pin.tenant if pin else contract.tenant if contract else DEFAULT_TENANT,
                changed_at=changed.get(name),
                current_at=current,
                lag_s=lag,
                sla_s=sla,
                within_sla=None if lag is None or sla is None else lag <= sla,
                reasons=reasons,
            )
        )


def _state(contract: Contract | None, reasons: list[str], published: bool, looked_at: bool) -> str:
    if reasons:
        return "held" if published or contract else "broken"
    return "live" if published else "not published" if looked_at else "never run"


def _undelivered(settings: Settings) -> list[str]:
    """Why alerts wait, a reason each, without addresses: those are often secrets."""
    from pipelines.alerts.messages import undelivered

    return [f"since {m.at}: {m.error or 'not tried yet'}" for m in undelivered(settings)]


def _disk(settings: Settings) -> dict[str, int]:
    there = settings.root
    while not there.exists():
        there = there.parent
    sizes = {"index": _bytes(settings.root / "index"), "models": _bytes(settings.models_dir)}
    if "://" not in settings.lake:
        sizes = {"lake": _bytes(Path(settings.lake)), **sizes}
    return {**sizes, "free": shutil.disk_usage(there).free}


def _bytes(folder: Path) -> int:
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(base, name)).st_blocks * 512
            except OSError:  # a run replaced it while we counted
                continue
    return total


def writer_of(settings: Settings) -> str | None:
    """Who writes to the home right now, None when nobody does."""
    from filelock import FileLock, Timeout

    path = settings.root / "lease.lock"
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = settings.root / "lease.holder"
        return holder.read_text() if holder.exists() else "another process"
    except OSError:
        return None
    lock.release()
    return None
