"""Taking pushed documents in: who may push where, the source's contract, and what became of a push."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Final

from quality_checks.contracts import RESERVED_NAMES, load_contracts
from quality_checks.default_contract import default_contract
from retrieval_service.live import LiveRelease, Serving
from retrieval_service.problems import Forbidden, Starting
from search_index.catalog import Catalog
from search_index.engine.interface import Payload
from search_index.errors import NothingPublished, Refused, WrongUsage
from search_index.model.pushing import PushedState, PushReceipt, PushRequest, PushStatus, Taken
from search_index.model.release import now
from search_index.model.search import Principal
from search_index.model.state import LaneState
from search_index.pushing import RECORD_FIELDS, PushedSource, PushFolder
from search_index.settings import Settings

MOST_SOURCES: Final = 200
"""Each is a lane of its own, that every run looks at."""


def take(request: PushRequest, principal: Principal, settings: Settings) -> PushReceipt:
    """Put documents where the next run finds them. When this comes back they are on the disk.

    Errors:
        Forbidden: the source is not the principal's to push to, or its access would be wider than the principal's own.
        WrongUsage: a new source needs ``access``; or the source holds the other kind of documents, or is read by other groups.
        Refused: an operator has taken the source's contract away, or there are too many sources.
        NothingPublished: there is no home yet.
        DiskFull: there is no room.
    """
    folder = _folder(settings)
    source = folder.source(request.source) or folder.establish(_wanted(request, principal, folder, settings))
    _check_theirs(source, principal)
    if source.kind != request.kind:
        raise WrongUsage(f"Source {source.name} holds {source.kind}.", f"Push {request.kind} to a source of their own.")
    if request.access is not None and frozenset(request.access) != source.access:
        raise WrongUsage(
            f"Source {source.name} was made for other groups.",
            "Leave `access` out; its contract says who may read it, and an operator edits that.",
        )
    _ensure_contract(source, folder, principal, settings)
    taken = folder.put(source, request.documents)
    return folder.keep_receipt(source, taken, now())


def take_away(name: str, paths: list[str], principal: Principal, settings: Settings) -> PushReceipt:
    """Take documents out of a source. They go with the next release, through the same gates.

    Errors:
        Forbidden: it is not the principal's to push to.
    """
    folder = _folder(settings)
    source = folder.source(name)
    if source is None:
        raise _not_theirs(name)
    _check_theirs(source, principal)
    return folder.keep_receipt(source, folder.remove(source, paths), now())


def status_of(name: str, principal: Principal, live: LiveRelease, settings: Settings) -> PushStatus:
    """What became of a push.

    Errors:
        NotFound: there is no such receipt, or it is somebody else's.
        HomeDamaged: the catalog cannot be read.
    """
    receipt = _folder(settings).receipt(name, principal.tenant, principal.groups)
    lane, checks = _taken_in(receipt.source, receipt.at, live)
    with ExitStack() as stack:
        try:
            serving = stack.enter_context(live.acquire())
        except (NothingPublished, Starting):  # the first release is not out, or is being loaded
            serving = None
        states = [_state(taken, lane, checks, serving, principal, receipt.source) for taken in receipt.documents]
    return PushStatus(
        receipt=name, source=receipt.source, at=receipt.at, live=all(each.state == "live" for each in states), documents=states
    )


def _wanted(request: PushRequest, principal: Principal, folder: PushFolder, settings: Settings) -> PushedSource:
    if request.access is None:
        raise WrongUsage(
            f"There is no source {request.source} that you may push to, and a new one needs `access`.",
            "Say which groups may read it, each one that you are in.",
        )
    if beyond := sorted(set(request.access) - principal.groups):
        raise Forbidden(
            f"{principal.name} is not in {', '.join(map(repr, beyond))}, and may let nobody read what it could not read itself.",
            "Name groups that the key has.",
        )
    good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    if request.source in good.keys() | broken.keys() | RESERVED_NAMES:
        raise _not_theirs(request.source)
    if folder.count() >= MOST_SOURCES:
        raise Refused(f"There are {MOST_SOURCES} sources that are pushed to already.", "Push to one of those that there are.")
    return PushedSource(name=request.source, kind=request.kind, tenant=principal.tenant, access=frozenset(request.access))


def _check_theirs(source: PushedSource, principal: Principal) -> None:
    if source.tenant != principal.tenant or not source.access <= principal.groups:
        raise _not_theirs(source.name)


def _not_theirs(name: str) -> Forbidden:
    """The same whether there is such a source or not, so that names are not told by trying."""
    return Forbidden(
        f"There is no source {name} that you may push to.", "Push to one that was made by a push of your own groups, or name a new one."
    )


def _ensure_contract(source: PushedSource, folder: PushFolder, principal: Principal, settings: Settings) -> None:
    """Write the source's contract when it is new. It is an operator's from then on, and is never written again."""
    place = settings.root / "contracts" / f"{source.name}.yaml"
    if place.is_file():
        return
    if folder.has_contract(source.name):
        good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
        if source.name not in good.keys() | broken.keys():
            raise Refused(f"The contract of source {source.name} was taken away.", "Ask an operator, or push to a new source.")
        return
    where = f"${{PLUMBLINE_HOME}}/{folder.documents(source.name).relative_to(settings.root)}"
    text = default_contract(
        source.name,
        where,
        RECORD_FIELDS if source.kind == "texts" else None,
        access=sorted(source.access),
        tenant=source.tenant,
        owner=principal.name,
    )
    folder.write_beside(source.name, text.encode(), place)
    folder.note_contract(source.name)


def _taken_in(source: str, at: datetime, live: LiveRelease) -> tuple[LaneState | None, list[str]]:
    """The source's manifest as of the last run that began after the push, None where none did; and the checks that failed since."""
    try:
        catalog: Catalog = live.catalog
    except NothingPublished:
        return None, []
    lane = catalog.lane(source, "manifest")
    began = lane.state.get("began") if lane is not None else None
    if lane is None or lane.state.get("problem") or not isinstance(began, str) or datetime.fromisoformat(began) <= at:
        return None, []
    return lane, catalog.failed_checks(source, datetime.fromisoformat(began))


def _state(
    taken: Taken, lane: LaneState | None, checks: list[str], serving: Serving | None, principal: Principal, source: str
) -> PushedState:
    found: list[Payload] = []
    made_with_it = False
    if serving is not None:
        loaded = serving.loaded
        found = loaded.reader.find(loaded.searcher.sight(loaded.record.revision, principal), document_id=taken.document_id)
        pin = loaded.manifest.sources.get(source)
        made_with_it = pin is not None and lane is not None and pin.manifest.digest == lane.data_version
    told = taken.model_dump()
    if taken.sha256 is not None and found and found[0]["raw_sha256"] == taken.sha256:
        return PushedState(**told, state="live", release=min(int(str(payload["valid_from"])) for payload in found))
    if made_with_it and serving is not None:
        if taken.sha256 is None and not found:
            return PushedState(**told, state="live", release=serving.loaded.record.revision)
        return PushedState(**told, state="unreadable")
    if checks:
        return PushedState(**told, state="held", checks=checks)
    return PushedState(**told, state="waiting" if lane is None else "ingested")


def _folder(settings: Settings) -> PushFolder:
    """Errors: NothingPublished: there is no home; one is not made where someone may have mistyped its name."""
    if not Path(settings.root).is_dir():
        raise NothingPublished(f"There is no home at {settings.root} yet.", "Run `plumbline up` or `plumbline ingest PATH` first.")
    return PushFolder(settings.pushed_dir)
