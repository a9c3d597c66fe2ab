"""The assets that make a release of all lanes: candidate, evaluation, release; and what they are measured with.

Dagster reads the annotations of an asset's function, so this module does not postpone them.
"""

from collections.abc import Callable, Iterable, Sequence

import dagster as dg

from pipelines.alerts.sending import alert_decision
from pipelines.automation.starting import follows_its_inputs
from pipelines.evaluation.candidate import evaluate_candidate, expected_chunks
from pipelines.failing import explained
from pipelines.lane.assets import EMBEDDING_MODEL
from pipelines.lane.narrowing import settle
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, Decision, Nothing
from pipelines.release.publishing import conclude
from pipelines.release.staging import stage_candidate
from pipelines.release.vacuum import vacuum_after_publish
from pipelines.show.checks import check_result
from pipelines.show.model import tried_table
from pipelines.show.quality import TREND_SHOWN, trend, worst_table
from pipelines.show.tables import changed_tables
from pipelines.show.tuning import ranking_metadata
from pipelines.workspace import Workspace
from quality_checks.gates import CANDIDATE, CANDIDATE_CHECKS, EVALUATION_CHECKS, PlainCheck
from quality_checks.golden import golden_digest
from quality_checks.index_checks import check_index
from search_index.errors import PlumblineError
from search_index.model.release import Held, Verdict, digest_of

CANDIDATE_ASSET = dg.AssetKey("candidate")
EVALUATION_ASSET = dg.AssetKey("evaluation")
RELEASE_ASSET = dg.AssetKey("release")
GOLDEN_SET = dg.AssetKey("golden_set")
SOURCES_HELD = "no_source_held"
_OWNERS = ["team:plumbline"]
_GROUP = "release"


@dg.asset(
    key=EMBEDDING_MODEL,
    group_name=_GROUP,
    owners=_OWNERS,
    kinds={"openvino", "huggingface"},
    code_version="1",
    description="The embedding model as one exported graph: its name, digest, runtime and fidelity. Every release pins it.",
)
def embedding_model(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Export the model when it is not there yet."""
    with explained(workspace.settings, context):
        pin, card = workspace.model_pin, workspace.encoder_card
    return dg.MaterializeResult(
        data_version=dg.DataVersion(pin.encoder),
        metadata={"encoder": pin.encoder, **card.model_dump(exclude={"files", "tried"}), **tried_table(card)},
    )


@dg.asset(
    key=GOLDEN_SET,
    group_name=_GROUP,
    owners=_OWNERS,
    kinds={"yaml"},
    code_version="1",
    description="Queries with graded relevant passages, judged by document and quoted text.",
)
def golden_set(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Read the golden sets that lie beside the contracts."""
    with explained(workspace.settings, context):
        sets = [*workspace.golden_sets, *workspace.training_sets]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(golden_digest(sets)),
        metadata={
            "sets": len(sets),
            "queries": sum(len(s.queries) for s in workspace.golden_sets),
            "training_queries": sum(len(s.queries) for s in workspace.training_sets),
        },
    )


def candidate_asset(lanes: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The candidate of all lanes."""

    @dg.asset(
        key=CANDIDATE_ASSET,
        deps=lanes,
        group_name=_GROUP,
        owners=_OWNERS,
        kinds={"qdrant"},
        code_version="1",
        automation_condition=follows_its_inputs(),
        description="The next revision, staged as the difference to the head where no search sees it.",
        check_specs=[*_specs(CANDIDATE_CHECKS, CANDIDATE_ASSET), _held_spec()],
    )
    def candidate(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with explained(workspace.settings, context):
            staged = stage_candidate(workspace, context.run.run_id)
        if isinstance(staged, Nothing):
            workspace.nothing = staged
            return _unchanged(workspace, staged, CANDIDATE_ASSET, CANDIDATE_CHECKS)
        workspace.candidate = staged
        reader = staged.candidate.reader()
        try:
            verdicts = check_index(staged.manifest, reader, expected_chunks(workspace, staged.manifest), context.run.run_id)
        finally:
            reader.close()
        workspace.home.catalog.add_verdicts(verdicts)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(staged.manifest.content),
            metadata={
                "revision": staged.manifest.revision,
                "index": staged.manifest.index,
                **staged.manifest.counts.model_dump(),
                "unchanged": False,
                **ranking_metadata(staged.manifest, workspace.tuning),
                **changed_tables(staged.changed[:CHANGED_ROWS_SHOWN], workspace.settings),
            },
            check_results=[*(check_result(v, CANDIDATE_ASSET) for v in verdicts), _held_result(staged.manifest.held)],
        )

    return candidate


@dg.asset(
    key=EVALUATION_ASSET,
    deps=[CANDIDATE_ASSET, GOLDEN_SET],
    group_name=_GROUP,
    owners=_OWNERS,
    kinds={"python"},
    code_version="1",
    automation_condition=follows_its_inputs(),
    description="The golden queries asked of the candidate and of the live release, through the searcher that is served.",
    check_specs=[dg.AssetCheckSpec(c.name, asset=EVALUATION_ASSET, description=c.description) for c in EVALUATION_CHECKS],
)
def evaluation(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Measure the candidate."""
    staged = workspace.candidate
    if staged is None:
        return _unchanged(workspace, workspace.nothing or Nothing(None, []), EVALUATION_ASSET, EVALUATION_CHECKS)
    with explained(workspace.settings, context):
        measured = evaluate_candidate(workspace, staged, context.run.run_id)
    catalog = workspace.home.catalog
    catalog.record_scores(staged.manifest.revision, measured.scores)
    catalog.add_verdicts(measured.verdicts)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest_of([staged.manifest.digest, measured.scores])),
        metadata={
            "revision": staged.manifest.revision,
            "scores": dg.MetadataValue.json(measured.scores),
            "unchanged": False,
            **worst_table(measured.worst),
            **trend(catalog.releases(TREND_SHOWN)),
        },
        check_results=[check_result(v, EVALUATION_ASSET) for v in measured.verdicts],
    )


@dg.asset(
    key=RELEASE_ASSET,
    deps=[CANDIDATE_ASSET, EVALUATION_ASSET],
    group_name=_GROUP,
    owners=_OWNERS,
    kinds={"qdrant"},
    code_version="1",
    automation_condition=follows_its_inputs(),
    description="The live release. Reads the verdicts, and publishes the candidate or discards it.",
)
def release(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish or refuse, and tell people."""
    with explained(workspace.settings, context):
        decision = conclude(workspace)
    workspace.decision = decision
    _tidy(workspace, decision, context.log.warning)
    _settle(workspace, decision, context.log.warning)
    alert_decision(workspace.settings, decision, context.log.warning)
    if decision.status == "refused":
        reasons = "\n".join(f"- {r}" for r in decision.reasons)
        raise dg.Failure(
            description=f"Release {decision.revision} was refused; release {decision.live} is still live.\n{reasons}",
            metadata={"reasons": dg.MetadataValue.md(reasons), "revision": decision.revision or 0},
            allow_retries=False,
        )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(str(decision.live)),
        metadata={
            "status": decision.status,
            "live": decision.live or 0,
            "unchanged": decision.status not in ("published", "beside"),
            "held": dg.MetadataValue.json(dict(decision.held)),
            "counts": dg.MetadataValue.json(decision.counts),
            "reasons": dg.MetadataValue.json(list(decision.reasons)),
            **_override(decision),
        },
    )


def _override(decision: Decision) -> dict[str, dg.MetadataValue]:
    """The override that stands, and what it excused: on the page of the asset until it expires."""
    if decision.override is None:
        return {}
    return {"override": dg.MetadataValue.text(decision.override.says), "overridden": dg.MetadataValue.json(list(decision.overridden))}


def _tidy(workspace: Workspace, decision: Decision, warn: Callable[[str], None]) -> None:
    """Delete what the release just published has made too old. That it could not be deleted is no reason to fail a publish."""
    if decision.status in ("published", "beside"):
        try:
            vacuum_after_publish(workspace.home, workspace.lake)
        except PlumblineError as e:
            warn(f"What is no longer needed was not deleted: {e.what} {e.remedy}")


def _settle(workspace: Workspace, decision: Decision, warn: Callable[[str], None]) -> None:
    """Take out of the overlay what the releases say themselves by now. Where that cannot be told, less is shown than could be."""
    try:
        settle(workspace, decision)
    except PlumblineError as e:
        warn(f"What is withheld beside the releases was left as it is: {e.what} {e.remedy}")


def _specs(checks: Iterable[PlainCheck], asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(c.name, asset=asset, description=c.description) for c in checks]


def _held_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(SOURCES_HELD, asset=CANDIDATE_ASSET, description="Every source's newest state is in the candidate.")


def _held_result(held: list[Held]) -> dg.AssetCheckResult:
    said = "\n".join(f"- **{h.source}**: {'; '.join(h.reasons)}" for h in held)
    return dg.AssetCheckResult(
        passed=not held,
        check_name=SOURCES_HELD,
        asset_key=CANDIDATE_ASSET,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"Held at its published state:\n{said}" if held else "No source is held.",
        metadata={"held": dg.MetadataValue.json([h.model_dump() for h in held])},
    )


def _unchanged(workspace: Workspace, nothing: Nothing, asset: dg.AssetKey, checks: Sequence[PlainCheck]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Nothing new to judge: the verdicts that stand are shown again."""
    standing: dict[str, Verdict] = {}
    if nothing.head is not None:
        standing = {v.check: v for v in workspace.home.catalog.verdicts(nothing.head) if v.subject == CANDIDATE}
    results = [
        check_result(standing[c.name], asset)
        if c.name in standing
        else dg.AssetCheckResult(
            passed=False, check_name=c.name, asset_key=asset, severity=dg.AssetCheckSeverity.WARN, description="No candidate to check."
        )
        for c in checks
    ]
    if asset == CANDIDATE_ASSET:
        results.append(_held_result(nothing.held))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(str(nothing.head)), metadata={"unchanged": True, "live": nothing.head or 0}, check_results=results
    )
