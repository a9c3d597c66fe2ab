"""A source's contract beside those that earlier runs met: each new one is kept, with what it changed."""

from __future__ import annotations

from pipelines.workspace import Workspace
from quality_checks.contract_versions import differences, moved, opened, terms_of, weakened
from quality_checks.contracts import Contract
from quality_checks.finding import Finding
from search_index.model.contract_version import ContractVersion
from search_index.model.release import SourcePin, now


def recorded_version(workspace: Workspace, contract: Contract) -> Finding:
    """Keep the contract if it is new, and tell whether one that says something else has another version than the one before."""
    catalog, terms = workspace.home.catalog, terms_of(contract)
    known = catalog.contract_versions(contract.name, limit=2)
    if not known or known[0].digest != contract.digest:
        before = known[0] if known else None
        made = ContractVersion(
            source=contract.name,
            version=contract.version,
            digest=contract.digest,
            terms=terms,
            changes=differences(before.terms, terms) if before else [],
            breaking=[*(f"lets {group} read" for group in opened(before.terms, terms)), *weakened(before.terms, terms)] if before else [],
            at=now(),
        )
        catalog.record_contract(made)
        known = [made, *known]
    newest, *earlier = known[:2]
    same = bool(earlier) and earlier[0].version == newest.version
    problem = f"the contract changed, and still calls itself version {newest.version}" if same else None
    return Finding(problem, {"version": newest.version, "changed_terms": [change.term for change in newest.changes]})


def weakened_since(workspace: Workspace, contract: Contract, published: SourcePin | None) -> list[str]:
    """In what the contract demands less than the published one, as far as that one is known; and that the source changes its tenant."""
    if published is None or published.contract == contract.digest:
        return []
    before = workspace.home.catalog.contract_terms(contract.name, published.contract)
    return weakened(before.terms, terms_of(contract)) if before is not None else moved(published.tenant, contract.tenant)
