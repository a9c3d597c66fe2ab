"""Narrower access holds at once: documents that fewer may read than an index says go into the overlay, before any gate.

An entry is made when a lane's manifest step meets other access groups than it met last, so that a source that is then held does not
keep its old readers. It is widened, or leaves, only when a run ends with the source's state published: what a contract gives waits for
the release, what it takes away does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.release.outcomes import Decision
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.errors import HomeDamaged, RevisionUnknown
from search_index.home import Home, trusted_manifest
from search_index.model.release import Manifest, ReleaseRecord

_BETWEEN = "\x1f"  # no group's name has it
_SETTLED = ("published", "beside", "unchanged", "held")

Groups = frozenset[str]
Readers = tuple[str, Groups]


@dataclass
class StandingAccess:
    """What indexes let be read of one document: tenants and their groups, at the head (empty: it is not in it) and in any revision."""

    at_head: set[Readers] = field(default_factory=set)
    ever: set[Readers] = field(default_factory=set)

    def left_by(self, contract: Contract) -> Groups:
        """Who may read it still: the contract's groups that could before. One that is new waits for the release."""
        before = [groups for tenant, groups in self.at_head or self.ever if tenant == contract.tenant]
        return frozenset(contract.access_groups).intersection(frozenset().union(*before))

    def carried(self, tenant: str, groups: Groups) -> bool:
        """Whether every index lets no more than these groups of this tenant read it, so that nothing beside it has to say so."""
        return all(owner == tenant and others <= groups for owner, others in self.ever)


def narrow(workspace: Workspace, contract: Contract, run_id: str) -> int:
    """Withhold what the contract no longer lets be read of what is, or was, published. Returns how many documents that concerns anew.

    Errors:
        HomeDamaged: what the head holds cannot be read.
    """
    home, tenant = workspace.home, contract.tenant
    standing, _ = standing_access(home, contract.name)
    may_read = {document: access.left_by(contract) for document, access in standing.items()}
    narrowed = {document: groups for document, groups in may_read.items() if not standing[document].carried(tenant, groups)}
    return home.catalog.narrow_documents(contract.name, tenant, narrowed, f"run {run_id}") if narrowed else 0


def settle(workspace: Workspace, decision: Decision) -> int:
    """Bring the overlay to what is published now, and take out what every index carries. Returns how many entries changed or left.

    Sources that are held, and all of them after a refusal, keep their entries as they are.

    Errors:
        HomeDamaged: what the head holds cannot be read. Entries stay.
    """
    home, catalog = workspace.home, workspace.home.catalog
    if decision.status not in _SETTLED:
        return 0
    changed = 0
    for source in sorted({entry.source for entry in catalog.overlay_entries() if entry.why == "narrowed"}):
        entries = [entry for entry in catalog.overlay_entries(source) if entry.why == "narrowed"]
        standing, complete = standing_access(home, source)
        leaving = {entry.document_id for entry in entries if entry.document_id not in standing} if complete else set()
        may_read: dict[str, Groups] = {}
        contract = workspace.contracts.get(source)
        if contract is not None and source not in decision.held and _published(home, contract):
            for entry in entries:
                if (access := standing.get(entry.document_id)) is None:
                    continue
                may_read[entry.document_id] = access.left_by(contract)
                if complete and access.carried(contract.tenant, may_read[entry.document_id]):
                    leaving.add(entry.document_id)
        changed += catalog.settle_narrowed(source, contract.tenant if contract else "", may_read, leaving)
    return changed


def standing_access(home: Home, source: str) -> tuple[dict[str, StandingAccess], bool]:
    """By document, who could read it going by the indexes that releases can be opened from; and whether all of these could be read.

    Errors:
        HomeDamaged: what the head holds cannot be read.
    """
    found: dict[str, StandingAccess] = {}
    complete, head = True, _head(home)
    for record in _newest_of_each_index(home):
        manifest = record.manifest
        assert manifest is not None
        try:
            ledger = home.engine.ledger(manifest.index, record.revision, head=record.revision)
        except RevisionUnknown:  # it was vacuumed: nothing can be read of it
            continue
        except HomeDamaged:
            if head is not None and manifest.index == head.index:
                raise
            complete = False
            continue
        for document, readers, current in _accesses(ledger, source, head.revision if head and head.index == manifest.index else None):
            access = found.setdefault(document, StandingAccess())
            access.ever.add(readers)
            if current:
                access.at_head.add(readers)
    return found, complete


def _accesses(ledger: pa.Table, source: str, head: int | None) -> Iterable[tuple[str, Readers, bool]]:
    rows = ledger.filter(pc.equal(ledger["source"], source)).select(["document_id", "tenant", "access", "valid_from", "valid_to"])
    current = pc.and_(pc.less_equal(rows["valid_from"], head or 0), pc.greater(rows["valid_to"], head or 0))
    columns = {"document": rows["document_id"], "tenant": rows["tenant"], "access": pc.binary_join(rows["access"], _BETWEEN)}
    told = pa.table({**columns, "current": current})
    for row in told.group_by(["document", "tenant", "access", "current"]).aggregate([]).to_pylist():
        groups = frozenset(filter(None, row["access"].split(_BETWEEN)))
        yield row["document"], (row["tenant"], groups), row["current"] and head is not None


def _newest_of_each_index(home: Home) -> list[ReleaseRecord]:
    """Whose directories hold what all releases of their index can show."""
    newest: dict[str, ReleaseRecord] = {}
    for record in home.catalog.releases(limit=10_000, published_only=True):
        if record.manifest is not None:
            newest.setdefault(record.manifest.index, record)
    return list(newest.values())


def _head(home: Home) -> Manifest | None:
    head = home.catalog.pointer().head
    return trusted_manifest(home, home.catalog.release(head)) if head is not None else None


def _published(home: Home, contract: Contract) -> bool:
    """Whether the head was made under the access that the contract gives now."""
    head = _head(home)
    pin = head.sources.get(contract.name) if head is not None else None
    return pin is not None and pin.tenant == contract.tenant and set(pin.access) == set(contract.access_groups)
