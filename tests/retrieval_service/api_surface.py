"""What callers of ``/v1`` rely on: operations, what they take and give, by name and type. ``api_surface.json`` is what was promised.

``python -m tests.retrieval_service.api_surface`` writes down what is new. It refuses while something that was promised is broken.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.settings import Settings

PROMISED = Path(__file__).with_name("api_surface.json")
Schema: TypeAlias = dict[str, Any]
Fields: TypeAlias = dict[str, str]
"""Each field by its path, with its type; one that has to be sent ends with an exclamation mark."""
Surface: TypeAlias = dict[str, dict[str, Any]]


def surface_of(document: Schema) -> Surface:
    """The surface of ``/v1`` and of what load balancers ask, from an OpenAPI document."""
    found: Surface = {}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items()):
            takes = {
                f"{parameter['in']} {parameter['name']}": _type(parameter["schema"], document) + ("!" if parameter["required"] else "")
                for parameter in operation.get("parameters", [])
            }
            sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if sent is not None:
                takes |= _fields(sent, document, "body")
            given = operation["responses"].get("200", operation["responses"].get("202", {}))
            answer = given.get("content", {}).get("application/json", {}).get("schema")
            found[f"{method.upper()} {path}"] = {
                "id": operation["operationId"],
                "takes": dict(sorted(takes.items())),
                "gives": dict(sorted(_fields(answer, document, "answer").items())) if answer is not None else {},
            }
    return found


def broken(promised: Surface, now: Surface) -> list[str]:
    """What a caller who relied on ``promised`` would trip over, in words."""
    found: list[str] = []
    for name, before in promised.items():
        after = now.get(name)
        if after is None:
            found.append(f"{name} is gone")
            continue
        if before["id"] != after["id"]:
            found.append(f"{name}: its operation id was {before['id']} and is {after['id']}")
        found += [f"{name} no longer takes {field}" for field in before["takes"] if field not in after["takes"]]
        found += [f"{name} no longer gives {field}" for field in before["gives"] if field not in after["gives"]]
        for field, kind in after["takes"].items():
            known = before["takes"].get(field)
            if known is None and kind.endswith("!") and field.rpartition(".")[0].rstrip("[]{}") in {"", "body", *before["takes"]}:
                found.append(f"{name} now has to be sent {field}")
            elif known is not None and not _accepts(known, kind):
                found.append(f"{name} took {field} as {known} and takes it as {kind}")
        for field, kind in after["gives"].items():
            known = before["gives"].get(field)
            if known is not None and not _within(kind, known):
                found.append(f"{name} gave {field} as {known} and gives it as {kind}")
    return found


def added(promised: Surface, now: Surface) -> list[str]:
    """What is new, and not promised yet."""
    found = [name for name in now if name not in promised]
    for name, after in now.items():
        before = promised.get(name, after)
        found += [f"{name}: {field}" for way in ("takes", "gives") for field in after[way] if field not in before[way]]
        found += [
            f"{name}: {field} is {kind}, and was {before[way][field]}"
            for way in ("takes", "gives")
            for field, kind in after[way].items()
            if field in before[way] and before[way][field] != kind
        ]
    return found


def current() -> Surface:
    """The surface of the service as it is."""
    with tempfile.TemporaryDirectory() as folder:
        return surface_of(create_app(Settings(home=Path(folder) / "home"), telemetry=Telemetry(io.StringIO())).openapi())


def _accepts(before: str, after: str) -> bool:
    """Whether what could be sent still can be."""
    return (before.endswith("!") or not after.endswith("!")) and set(before.rstrip("!").split(" | ")) <= set(after.rstrip("!").split(" | "))


def _within(after: str, before: str) -> bool:
    """Whether all that is given now could have been given before. New words of an enumeration are additions that clients must bear."""
    return {_plain(kind) for kind in after.split(" | ")} <= {_plain(kind) for kind in before.split(" | ")}


def _plain(kind: str) -> str:
    return "word" if kind.startswith("'") else kind


def _fields(schema: Schema, document: Schema, at: str, inside: tuple[str, ...] = ()) -> Fields:
    """Every field below a schema, by its path. What holds itself is followed once."""
    name = schema.get("$ref", "")
    if name:
        if name in inside:
            return {}
        return _fields(_resolved(schema, document), document, at, (*inside, name))
    found: Fields = {}
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        found |= _fields(each, document, at, inside)
    if "items" in schema:
        found |= _fields(schema["items"], document, f"{at}[]", inside)
    if isinstance(schema.get("additionalProperties"), dict):
        found |= _fields(schema["additionalProperties"], document, f"{at}{{}}", inside)
    for field, its in schema.get("properties", {}).items():
        found[f"{at}.{field}"] = _type(its, document) + ("!" if at.startswith("body") and field in schema.get("required", ()) else "")
        found |= _fields(its, document, f"{at}.{field}", inside)
    return found


def _type(schema: Schema, document: Schema) -> str:
    """The kinds that a value may be, sorted; words of an enumeration each by itself."""
    schema = _resolved(schema, document)
    several = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if several:
        return " | ".join(sorted({kind for each in several for kind in _type(each, document).split(" | ")}))
    if "enum" in schema or "const" in schema:
        return " | ".join(sorted(repr(word) for word in schema.get("enum", [schema.get("const")])))
    return str(schema.get("type", "anything"))


def _resolved(schema: Schema, document: Schema) -> Schema:
    name = schema.get("$ref")
    return document["components"]["schemas"][name.rpartition("/")[2]] if name else schema


if __name__ == "__main__":
    now = current()
    trouble = broken(json.loads(PROMISED.read_text()), now) if PROMISED.exists() else []
    if trouble:
        sys.exit("Not written, for callers would trip over:\n" + "\n".join(trouble))
    PROMISED.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
