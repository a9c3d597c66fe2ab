"""The asset factory: one contract becomes one lane of four assets, each with its checks.

Dagster reads the annotations of an asset's function, so this module does not postpone them.
"""

import resource
import time
from collections.abc import Callable, Sequence

import dagster as dg

from pipelines.automation.starting import files_key, follows_its_inputs, follows_its_source
from pipelines.failing import explained
from pipelines.lane.chunks import converge_chunks
from pipelines.lane.documents import converge_documents
from pipelines.lane.judging import judge
from pipelines.lane.manifest import converge_manifest
from pipelines.lane.vectors import converge_vectors
from pipelines.release.outcomes import StepReport
from pipelines.show.checks import check_result
from pipelines.show.steps import lane_metadata, standing_plots
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from quality_checks.gates import stage_checks
from search_index.errors import ContractInvalid
from search_index.model.release import Stage

EMBEDDING_MODEL = dg.AssetKey("embedding_model")
Step = Callable[[Workspace, Contract, str], StepReport]

KINDS: dict[Stage, set[str]] = {
    "manifest": {"file"},
    "documents": {"deltalake", "unstructured"},
    "chunks": {"deltalake"},
    "vectors": {"deltalake", "openvino"},
}
SAYS: dict[Stage, str] = {
    "manifest": "What the source holds: each file's path, size and sha256.",
    "documents": "Files parsed into text and elements; what cannot be read is quarantined with its reason.",
    "chunks": "Passages that fit the encoder, each a span of its document.",
    "vectors": "A vector for every passage, shared by equal texts.",
}
VERSION: dict[Stage, str] = {"manifest": "1", "documents": "1", "chunks": "1", "vectors": "1"}


def lane_assets(contract: Contract) -> list[dg.AssetsDefinition]:
    """The lane of one source: manifest, documents, chunks, vectors."""

    return [
        manifest_asset(contract),
        _asset(contract, "documents", converge_documents, [lane_key(contract, "manifest")]),
        _asset(contract, "chunks", converge_chunks, [lane_key(contract, "documents"), EMBEDDING_MODEL]),
        _asset(contract, "vectors", converge_vectors, [lane_key(contract, "chunks"), EMBEDDING_MODEL]),
    ]


def manifest_asset(contract: Contract) -> dg.AssetsDefinition:
    """Where a lane begins."""
    return _asset(contract, "manifest", converge_manifest, [files_key(contract.name)])


def broken_lane(source: str, error: ContractInvalid) -> list[dg.AssetsDefinition]:
    """The lane of a contract that does not validate: a manifest that fails with the line and the reason."""

    @dg.asset(
        key=dg.AssetKey([source, "manifest"]),
        group_name=source,
        description=f"**This contract does not validate.** {error}",
        owners=["team:unknown"],
        kinds={"file"},
        tags={"plumbline/contract": "invalid"},
        code_version=VERSION["manifest"],
    )
    def manifest() -> None:
        raise dg.Failure(description=str(error), allow_retries=False)

    return [manifest]


def lane_key(contract: Contract, stage: Stage) -> dg.AssetKey:
    """The asset of one step of a source."""
    return dg.AssetKey([contract.name, stage])


def _specs(contract: Contract, stage: Stage) -> Sequence[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(c.name, asset=lane_key(contract, stage), description=c.description) for c in stage_checks(contract, stage)]


def _asset(contract: Contract, stage: Stage, step: Step, deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
    tags = {"plumbline/stage": stage, **governance_tags(contract)}

    @dg.asset(
        key=lane_key(contract, stage),
        deps=deps,
        group_name=contract.name,
        description=f"{SAYS[stage]}\n\n{contract.description}".strip(),
        owners=[owner_of(contract)],
        kinds=KINDS[stage],
        tags=tags,
        code_version=VERSION[stage],
        freshness_policy=freshness_policy(contract),
        automation_condition=follows_its_source(contract) if stage == "manifest" else follows_its_inputs(),
        check_specs=_specs(contract, stage),
        metadata={"contract": f"{contract.name} {contract.version}", "location": contract.location},
    )
    def run(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        began, cpu = time.perf_counter(), cpu_seconds()
        with explained(workspace.settings, context):
            report = step(workspace, contract, context.run.run_id)
            verdicts = judge(workspace, contract, stage, context.run.run_id)
        report.wall_s, report.cpu_s = time.perf_counter() - began, cpu_seconds() - cpu
        standing = standing_plots(context.instance, lane_key(contract, stage))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(report.data_version),
            metadata=lane_metadata(report, workspace, contract, standing),
            check_results=[check_result(v, lane_key(contract, stage)) for v in verdicts],
        )

    return run


def freshness_policy(contract: Contract) -> dg.FreshnessPolicy | None:
    """What the contract promises, as Dagster watches it."""
    return dg.FreshnessPolicy.time_window(fail_window=contract.freshness_sla) if contract.freshness_sla else None


def governance_tags(contract: Contract) -> dict[str, str]:
    """What a reviewer filters the catalog by. A tag's value may have 63 letters, digits, dots, dashes and underscores."""
    told = {
        "source": contract.name,
        "owner": contract.owner,
        "domain": contract.domain or "",
        "classification": contract.privacy.classification,
        "personal_data": "yes" if contract.privacy.personal_data else "no",
        "legal_basis": contract.privacy.legal_basis or "",
        "retention": f"{contract.retention.days}d" if contract.retention else "",
        "contract_version": contract.version,
        **{f"access-{group}": "yes" for group in contract.access_groups},
    }
    return {f"plumbline/{_tag(key)}": _tag(value) for key, value in told.items() if value}


def _tag(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in text)[:63]


def owner_of(contract: Contract) -> str:
    """The contract's owner as Dagster takes it: an address, or a team."""
    owner = contract.owner
    return owner if "@" in owner else "team:" + "".join(c if c.isalnum() or c in "_-" else "_" for c in owner)


def cpu_seconds() -> float:
    """CPU time of this process and of those it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
