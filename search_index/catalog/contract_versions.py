"""Every version of each source's data contract that a run has met, with what it changed."""

from __future__ import annotations

from sqlalchemy import insert, select

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.contract_version import ContractVersion


class ContractVersions(Database):
    """Contract versions. Nothing is overwritten: one that comes back is recorded anew."""

    def contract_versions(self, source: str, limit: int = 50) -> list[ContractVersion]:
        """A source's contract versions, newest first."""
        query = select(t.contract_versions.c.body).where(t.contract_versions.c.source == source).order_by(t.contract_versions.c.id.desc())
        with self._transaction() as c:
            return [ContractVersion.model_validate_json(body) for body in c.execute(query.limit(limit)).scalars()]

    def contract_terms(self, source: str, digest: str) -> ContractVersion | None:
        """The version of this digest, None where no run has met it."""
        query = select(t.contract_versions.c.body).where(t.contract_versions.c.source == source, t.contract_versions.c.digest == digest)
        with self._transaction() as c:
            body = c.execute(query.order_by(t.contract_versions.c.id.desc()).limit(1)).scalar()
        return ContractVersion.model_validate_json(body) if body is not None else None

    def record_contract(self, version: ContractVersion) -> None:
        """Keep a version."""
        with self._transaction() as c:
            c.execute(
                insert(t.contract_versions).values(
                    source=version.source, version=version.version, digest=version.digest, body=version.model_dump_json(), at=version.at
                )
            )
