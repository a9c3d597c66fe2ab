"""Great Expectations, in one room: it runs the checks of a stage and is imported nowhere else, and not before it is needed."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, get_args

from pydantic import JsonValue as Json

from quality_checks.columns import Frame, Frames, derive
from quality_checks.suites import CheckSpec, checks_for
from search_index.model.release import Severity

if TYPE_CHECKING:
    import pyarrow as pa
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition

__all__ = ["CheckResult", "CheckSpec", "checks_for", "run_checks"]

EXAMPLES = 20
"""At most so many ids stand in a check's evidence."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    ``evidence`` holds ``rows``, and where they mean something ``failed`` and ``percent`` (of the rows), ``observed`` (the sum, mean
    or count that was compared) and ``ids`` of up to 20 offending rows. It never holds text.
    """

    name: str
    severity: Severity
    passed: bool
    summary: str
    evidence: dict[str, Json] = field(default_factory=dict)


def run_checks(specs: Sequence[CheckSpec], table: pa.Table, expected: Collection[str] = ()) -> list[CheckResult]:
    """Run checks of one stage, and answer in their order. A check that cannot be evaluated has failed.

    Args:
        specs: checks of one stage, as from ``checks_for``.
        table: the rows of that stage of one source, with the columns that ``columns.derive`` wants.
        expected: for chunks, the ids of the documents that should have one; for vectors, the vector keys of the chunks.
    """
    if not specs:
        return []
    frames = derive(specs[0].stage, table, expected, [spec.indicator for spec in specs if spec.indicator])
    found: dict[str, CheckResult] = {}
    for name in get_args(Frame):
        asked = [spec for spec in specs if spec.frame == name]
        if not frames.ids[name]:  # means of nothing are NaN, yet there is nothing wrong with nothing
            vacuous = [spec for spec in asked if not spec.expectation.startswith("expect_table_")]
            found |= {spec.name: CheckResult(spec.name, spec.severity, True, "nothing to check", {"rows": 0}) for spec in vacuous}
        found |= {result.name: result for result in _validate([spec for spec in asked if spec.name not in found], name, frames)}
    return [found[spec.name] for spec in specs]


@cache
def _batches() -> BatchDefinition[None]:
    """One ephemeral context a process: making one costs more than a stage's checks."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return context.data_sources.add_pandas("plumbline").add_dataframe_asset("stage").add_batch_definition_whole_dataframe("rows")


def _validate(specs: Sequence[CheckSpec], frame: Frame, frames: Frames) -> list[CheckResult]:
    if not specs:
        return []
    definition = _batches()
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    results: list[CheckResult] = []
    expectations = []
    by_name = {spec.name: spec for spec in specs}
    for spec in specs:
        try:
            configuration = ExpectationConfiguration(type=spec.expectation, kwargs=dict(spec.kwargs), meta={"check": spec.name})
            expectations.append(configuration.to_domain_obj())
        except (ValueError, TypeError) as error:  # a contract's arguments do not fit the expectation; no data is in this message
            results.append(_not_evaluated(spec, len(frames.ids[frame]), str(error).splitlines()[0]))
    # Given at once: one added later would replace another of its type on the same column.
    suite = ExpectationSuite(name=frame, expectations=expectations)
    batch = definition.get_batch({"dataframe": frames.frames[frame]})
    # Rows are told by position: naming an index column would put cell values into the result, and takes six times as long.
    outcome = batch.validate(suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES})
    return results + [_result(by_name[_check_of(found)], frame, frames, found) for found in outcome.results]


def _check_of(found: ExpectationValidationResult) -> str:
    configuration = found.expectation_config
    return str(configuration.meta["check"]) if configuration and configuration.meta else ""


def _result(spec: CheckSpec, frame: Frame, frames: Frames, found: ExpectationValidationResult) -> CheckResult:
    ids, said = frames.ids[frame], found.result
    if not said:
        return _not_evaluated(spec, len(ids), "it cannot be evaluated on this table")
    evidence: dict[str, Json] = {"rows": len(ids)}
    offending: list[int] = []
    if "unexpected_count" in said:
        failed = int(said["unexpected_count"])
        offending = [int(position) for position in said["partial_unexpected_index_list"]]
        summary = f"{failed} of {len(ids)} fail"
    else:
        observed = said.get("observed_value")
        number = float(observed) if isinstance(observed, int | float) and math.isfinite(observed) else None
        evidence["observed"] = number
        marked = frames.frames[frame][spec.marks].to_numpy().nonzero()[0] if spec.marks else ()
        failed, offending = len(marked), [int(position) for position in marked[:EXAMPLES]]
        summary = f"{failed} of {len(ids)} count" if spec.marks else f"observed {number if number is None else format(number, '.6g')}"
    if spec.marks or "unexpected_count" in said:
        evidence |= {"failed": failed, "percent": round(100 * failed / max(len(ids), 1), 3)}
    if offending:
        evidence["ids"] = [ids[position] for position in offending]
    passed = bool(found.success)
    return CheckResult(spec.name, spec.severity, passed, summary if passed else f"{summary}; wanted: {spec.description}", evidence)


def _not_evaluated(spec: CheckSpec, rows: int, why: str) -> CheckResult:
    return CheckResult(spec.name, spec.severity, False, f"could not be evaluated: {why}", {"rows": rows})
