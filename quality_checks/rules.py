"""A contract's quality rules, read from the Open Data Contract Standard's words into expectations on a stage's table.

Library metrics (``rowCount``, ``nullValues``, ``missingValues``, ``invalidValues``, ``duplicateValues``) and Great Expectations
by name become the same thing: an expectation's type and arguments. No rule may read a document's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import JsonValue as Json

from quality_checks.located import Located, Problem, did_you_mean
from search_index.model.release import Severity, digest_of

Stage = Literal["documents", "chunks", "vectors"]
STAGES: tuple[Stage, ...] = ("documents", "chunks", "vectors")
Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues"]
Path = list[str | int]

RULE_COLUMNS: dict[Stage, tuple[str, ...]] = {
    "documents": (
        "document_id", "uri", "path", "title", "status", "reason", "raw_sha256", "size", "parser", "modified_at",
        "text_length", "access_count", "replacement_char_share", "damage_share", "quarantined",
    ),
    "chunks": (
        "chunk_id", "document_id", "ordinal", "start", "end", "tokens", "page_first", "page_last",
        "text_length", "header_length", "access_count",
    ),
    "vectors": ("vector_key", "vector_dim", "vector_norm", "nan_count"),
}  # fmt: skip
"""The columns a rule may read: values about the documents, never their text."""

_METRICS: dict[str, Metric] = {
    "nullCheck": "nullValues", "nullValues": "nullValues", "missingValues": "missingValues", "invalidValues": "invalidValues",
    "validValues": "invalidValues", "duplicateCount": "duplicateValues", "duplicateValues": "duplicateValues", "unique": "duplicateValues",
}  # fmt: skip


class Indicator(BaseModel):
    """A column to make before the check: true on every row that the library metric counts."""

    model_config = ConfigDict(frozen=True)

    metric: Metric
    columns: tuple[str, ...]
    values: tuple[Json, ...] = ()
    pattern: str | None = None

    @property
    def column(self) -> str:
        """The name of the column, another for every other definition."""
        return f"{self.subject} {digest_of(self.model_dump())[:8]}"

    @property
    def subject(self) -> str:
        """What is counted, for names that people read."""
        return f"{self.metric}({', '.join(self.columns)})"


class QualityRule(BaseModel):
    """One rule of a contract: an expectation (Great Expectations' type and arguments) on one stage's table."""

    model_config = ConfigDict(frozen=True)

    name: str
    table: Stage
    severity: Severity
    dimension: str | None
    description: str
    expectation: str
    kwargs: dict[str, Json]
    indicator: Indicator | None = None


def read_rules(tables: Sequence[dict[str, Json]], located: Located) -> tuple[tuple[QualityRule, ...], list[Problem]]:
    """The rules under ``schema``, which must have passed the contract's JSON schema, and what is wrong with them."""
    rules: dict[str, QualityRule] = {}
    problems: list[Problem] = []
    for table, column, raw, path in _raw_rules(tables):
        found = _rule(table, column, raw)
        if isinstance(found, str):
            problems.append(Problem(located.line(path), found))
        elif found is not None and found.name in rules:
            problems.append(Problem(located.line(path), f"two rules are called {found.name!r}: give one another `name`"))
        elif found is not None:
            rules[found.name] = found
    return tuple(rules.values()), problems


def _raw_rules(tables: Sequence[dict[str, Json]]) -> Iterator[tuple[Stage, str | None, dict[str, Json], Path]]:
    for at, table in enumerate(tables):
        stage: Stage = next(stage for stage in STAGES if stage == table["name"])
        for number, rule in enumerate(_list(table.get("quality"))):
            yield stage, None, rule, ["schema", at, "quality", number]
        for position, column in enumerate(_list(table.get("properties"))):
            name = str(column["name"])
            where: Path = ["schema", at, "properties", position]
            if column.get("required"):
                yield stage, name, {"metric": "nullValues", "dimension": "completeness"}, [*where, "required"]
            if column.get("unique"):
                yield stage, name, {"metric": "duplicateValues", "dimension": "uniqueness"}, [*where, "unique"]
            for number, rule in enumerate(_list(column.get("quality"))):
                yield stage, name, rule, [*where, "quality", number]


def _rule(stage: Stage, column: str | None, raw: dict[str, Json]) -> QualityRule | str | None:
    """The rule, what is wrong with it, or None for a rule meant for human readers only."""
    kind = raw.get("type", "library")
    if kind == "text":
        return None
    made = _custom(column, raw) if kind == "custom" else _library(column, raw)
    if isinstance(made, str):
        return made
    expectation, kwargs, indicator = made
    read = indicator.columns if indicator else tuple(_columns(kwargs))
    for name in read:
        if name not in RULE_COLUMNS[stage]:
            hint = " (a rule may not read text; use 'text_length')" if name == "text" else did_you_mean(name, RULE_COLUMNS[stage])
            return f"{stage} have no column {name!r} that a rule may read{hint}"
    subject = indicator.subject if indicator else "_".join([expectation.removeprefix("expect_"), *read])
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(raw.get("name") or f"{stage}_{subject}"))
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    return QualityRule(
        name=f"contract_{slug or stage}",
        table=stage,
        severity="warning" if raw.get("severity") == "warning" else "error",
        dimension=str(raw["dimension"]) if "dimension" in raw else None,
        description=str(raw.get("description") or raw.get("name") or subject),
        expectation=expectation,
        kwargs=kwargs,
        indicator=indicator,
    )


def _custom(column: str | None, raw: dict[str, Json]) -> tuple[str, dict[str, Json], None] | str:
    implementation = raw["implementation"]
    assert isinstance(implementation, dict)
    arguments = implementation["kwargs"]
    assert isinstance(arguments, dict)
    expectation, kwargs = str(implementation["type"]), dict(arguments)
    if column is not None and expectation.startswith("expect_column_") and "_pair_" not in expectation:
        kwargs.setdefault("column", column)
    if not expectation.startswith("expect_table_") and not _columns(kwargs):
        return f"{expectation} names no column"
    return _broken_pattern(kwargs.get("regex")) or (expectation, kwargs, None)


def _library(column: str | None, raw: dict[str, Json]) -> tuple[str, dict[str, Json], Indicator | None] | str:
    word = str(raw.get("metric") or raw.get("rule"))
    arguments = raw.get("arguments", {})
    assert isinstance(arguments, dict)
    bounds = _bounds(raw)
    if isinstance(bounds, str):
        return bounds
    if word == "rowCount":
        return _row_count(bounds, raw)
    metric = _METRICS[word]
    columns = tuple(str(name) for name in _items(arguments.get("properties"))) or ((column,) if column else ())
    if not columns or (len(columns) > 1 and metric != "duplicateValues"):
        return f"{word} wants one column: put the rule under `properties`, or name it in `arguments: {{properties: [...]}}`"
    values = _items(arguments.get("missingValues" if metric == "missingValues" else "validValues")) or _items(raw.get("validValues"))
    pattern = arguments.get("pattern")
    if metric in ("missingValues", "invalidValues") and not values and not (metric == "invalidValues" and pattern):
        return f"{word} wants `arguments` that say which values count"
    if problem := _broken_pattern(pattern):
        return problem
    indicator = Indicator(metric=metric, columns=columns, values=values, pattern=str(pattern) if pattern else None)
    if raw.get("unit") == "percent":
        shares = {key: value / 100 if isinstance(value, float) else value for key, value in bounds.items()}
        return "expect_column_mean_to_be_between", {"column": indicator.column, **shares}, indicator
    return "expect_column_sum_to_be_between", {"column": indicator.column, **bounds}, indicator


def _bounds(raw: dict[str, Json]) -> dict[str, float | bool] | str:
    """The operators as an interval. Without one, a metric that counts defects must be nought."""
    low: list[tuple[float, bool]] = []
    high: list[tuple[float, bool]] = []
    for operator, sides, strict in (
        ("mustBe", (low, high), False), ("mustBeGreaterThan", (low,), True), ("mustBeGreaterOrEqualTo", (low,), False),
        ("mustBeLessThan", (high,), True), ("mustBeLessOrEqualTo", (high,), False),
    ):  # fmt: skip
        value = raw.get(operator)
        if isinstance(value, int | float):
            for side in sides:
                side.append((float(value), strict))
    if isinstance(between := raw.get("mustBeBetween"), list):
        ends = [float(end) for end in between if isinstance(end, int | float)]
        low.append((ends[0], False))
        high.append((ends[1], False))
    if not low and not high:
        return {"min_value": 0.0, "max_value": 0.0}
    found: dict[str, float | bool] = {}
    if low:
        found["min_value"], found["strict_min"] = max(low)
    if high:
        found["max_value"], found["strict_max"] = min(high, key=lambda bound: (bound[0], not bound[1]))
    if low and high and found["min_value"] > found["max_value"]:
        return f"no number is at least {found['min_value']:g} and at most {found['max_value']:g}"
    return found


def _row_count(bounds: dict[str, float | bool], raw: dict[str, Json]) -> tuple[str, dict[str, Json], None] | str:
    if raw.get("unit") == "percent":
        return "rowCount cannot be a percentage"
    if not any(key.startswith("mustBe") for key in raw):
        return "rowCount wants an operator such as `mustBeGreaterThan: 0`"
    kwargs: dict[str, Json] = {}
    if "min_value" in bounds:
        kwargs["min_value"] = int(bounds["min_value"]) + (1 if bounds["strict_min"] else 0)
    if "max_value" in bounds:
        kwargs["max_value"] = int(bounds["max_value"]) - (1 if bounds["strict_max"] else 0)
    return "expect_table_row_count_to_be_between", kwargs, None


def _columns(kwargs: dict[str, Json]) -> list[str]:
    named = [str(kwargs[key]) for key in ("column", "column_A", "column_B") if key in kwargs]
    return named + [str(name) for name in _items(kwargs.get("column_list"))]


def _broken_pattern(pattern: Json) -> str:
    try:
        re.compile(str(pattern or ""))
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""


def _items(value: Json) -> tuple[Json, ...]:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _list(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
