"""The layout of a data contract, held by ``contract_schema.json``, and its breaches in words a person can act on."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from quality_checks.located import Located, Problem, did_you_mean, read_yaml

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError


def read_layout(path: Path) -> tuple[Located, list[Problem]]:
    """A contract file's content and every way in which it departs from the layout.

    Raises:
        Unreadable: the file is not YAML.
        OSError: the file cannot be read.
    """
    located = read_yaml(path)
    return located, [problem for error in _validator().iter_errors(located.data) for problem in _explain(error, located)]


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((Path(__file__).parent / "contract_schema.json").read_text(encoding="utf-8")))


def _explain(error: ValidationError, located: Located) -> list[Problem]:
    """One JSON schema error as problems a person can act on."""
    path = list(error.absolute_path)
    line = located.line(path)
    where = ".".join(str(step) for step in path) or "the contract"
    if error.validator == "additionalProperties" and error.validator_value is False and isinstance(error.instance, dict):
        known = list(error.schema["properties"])
        unknown = [key for key in error.instance if key not in known]
        return [Problem(located.line([*path, key]), f"unknown key {key!r} in {where}{did_you_mean(key, known)}") for key in unknown]
    if error.validator == "required" and isinstance(error.instance, dict):
        return [Problem(line, f"{key!r} is missing from {where}") for key in error.validator_value if key not in error.instance][:1] or [
            Problem(line, error.message)
        ]
    if error.validator == "enum":
        choices = [str(choice) for choice in error.validator_value]
        hint = did_you_mean(str(error.instance), choices) or f" (one of {', '.join(choices)})"
        return [Problem(line, f"{where} cannot be {error.instance!r}{hint}")]
    if error.validator == "oneOf":
        return [Problem(line, f"{where} wants `rule` or `metric`, and not both")]
    if error.validator == "type" and error.validator_value == "string" and isinstance(error.instance, int | float):
        return [Problem(line, f"{where} must be text: put {error.instance!r} in quotes")]
    return [Problem(line, f"{where}: {error.message[:300]}")]
