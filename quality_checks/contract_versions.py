"""What a changed contract changed, and whether it lets more through than the one before: then a person has to say so."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue as Json

from quality_checks.contracts import Contract
from search_index.model.contract_version import TermChange
from search_index.model.search import EVERYONE
from search_index.model.tenant import DEFAULT_TENANT

Terms = Mapping[str, Json]
_CLASSIFICATIONS = ("public", "internal", "confidential", "restricted")
_NOT_TERMS = {"digest", "rules", "freshness_sla", "retention", "frequency"}


def terms_of(contract: Contract) -> dict[str, Json]:
    """Every term by its dotted name; durations in seconds, a rule as one term called ``rules.NAME``."""
    stated = contract.model_dump(mode="json", exclude=_NOT_TERMS)
    durations = {name: getattr(contract, name) for name in ("freshness_sla", "retention", "frequency")}
    stated |= {name: long.total_seconds() for name, long in durations.items() if long is not None}
    rules = {f"rules.{rule.name}": rule.model_dump(mode="json", exclude={"name"}) for rule in contract.rules}
    return {**_flat("", stated), **rules}


def _flat(prefix: str, value: Mapping[str, Json]) -> dict[str, Json]:
    flat: dict[str, Json] = {}
    for name, term in value.items():
        if isinstance(term, dict) and term:
            flat |= _flat(f"{prefix}{name}.", term)
        else:
            flat[f"{prefix}{name}"] = term
    return flat


def differences(old: Terms, new: Terms) -> list[TermChange]:
    """The terms that are not what they were, by name; the version itself is none."""
    names = sorted((old.keys() | new.keys()) - {"version"})
    return [TermChange(term=n, old=old.get(n), new=new.get(n)) for n in names if old.get(n) != new.get(n)]


def opened(old: Terms, new: Terms) -> list[str]:
    """Groups that may read now and could not before."""
    before, after = _names(old.get("access_groups")), _names(new.get("access_groups"))
    return [] if EVERYONE in before else sorted(after - before)


def weakened(old: Terms, new: Terms) -> list[str]:
    """In what a contract demands or protects less than the one before, a sentence each, but for who may read."""
    said = moved(*(str(terms.get("tenant", DEFAULT_TENANT)) for terms in (old, new)))
    rules = sorted(name for name in old.keys() | new.keys() if name.startswith("rules."))
    for name in rules:
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and before["severity"] == "error" and before != after:
            said += _weaker_rule(name.removeprefix("rules."), before, after if isinstance(after, dict) else None)
    if _number(new.get("removal_threshold")) > _number(old.get("removal_threshold")):
        said.append(f"lets {_number(new.get('removal_threshold')):.0%} of the documents vanish at once")
    classes = [str(terms.get("privacy.classification")) for terms in (old, new)]
    if all(c in _CLASSIFICATIONS for c in classes) and _CLASSIFICATIONS.index(classes[1]) < _CLASSIFICATIONS.index(classes[0]):
        said.append(f"is {classes[1]} where it was {classes[0]}")
    if old.get("privacy.personal_data") is True and new.get("privacy.personal_data") is not True:
        said.append("says that it holds no personal data")
    if old.get("freshness_sla") is not None and not 0 < _number(new.get("freshness_sla")) <= _number(old.get("freshness_sla")):
        said.append("promises less freshness")
    return said


def moved(before: str, after: str) -> list[str]:
    """That a source belongs to another tenant than before, whose people may then read it."""
    return [f"moves the source from the tenant {before} to the tenant {after}"] if before != after else []


def _weaker_rule(name: str, old: Mapping[str, Json], new: Mapping[str, Json] | None) -> list[str]:
    """Where a rule that could hold the source is gone, a warning, or wider. What cannot be told from a wider one counts as wider."""
    if new is None:
        return [f"drops the rule {name}"]
    if new["severity"] != "error":
        return [f"makes the rule {name} a warning"]
    if any(old.get(key) != new.get(key) for key in ("table", "expectation", "indicator")):
        return [f"asks something else by the rule {name}"]
    before, after = (_without_indicator(kwargs) for kwargs in (old["kwargs"], new["kwargs"]))
    wider = sorted(key for key in before.keys() | after.keys() if _wider(key, before.get(key), after.get(key)))
    return [f"weakens the rule {name} ({', '.join(wider)})"] if wider else []


def _without_indicator(kwargs: Json) -> dict[str, Json]:
    """Arguments without the name of the column that a library metric counts in: it says what the indicator says."""
    return {key: value for key, value in kwargs.items() if key != "column" or "(" not in str(value)} if isinstance(kwargs, dict) else {}


def _wider(key: str, old: Json, new: Json) -> bool:
    if old == new:
        return False
    if key in ("min_value", "mostly"):
        return new is None or (old is not None and _number(new) < _number(old)) or (key == "mostly" and old is None)
    if key == "max_value":
        return new is None or (old is not None and _number(new) > _number(old))
    if key in ("strict_min", "strict_max"):
        return not new
    return not (key == "value_set" and isinstance(old, list) and isinstance(new, list) and all(value in old for value in new))


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _names(value: Json) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()
