"""Data contracts: one YAML file a source, in the layout of the Open Data Contract Standard v3.

The layout is held by ``contract_schema.json``; what cannot be said in a schema (variables, columns, names) is checked here.
Every problem of a file is reported at once, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

from pydantic import JsonValue as Json

from quality_checks.contract_layout import read_layout
from quality_checks.contract_terms import Chunking, Contract, Limits, NearDuplicates, Parsing, Privacy, RecordMapping, SourceFormat, Website
from quality_checks.located import Located, Problem, Unreadable, did_you_mean, listing, read_yaml
from quality_checks.rules import read_rules
from search_index.errors import ContractInvalid
from search_index.model.release import digest_of
from search_index.model.search import EVERYONE, Scalar
from search_index.model.tenant import DEFAULT_TENANT

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
__all__ = ["RESERVED_NAMES", "Contract", "RecordMapping", "load_contract", "load_contracts"]

RESERVED_NAMES = frozenset({"candidate", "evaluation", "release", "embedding_model", "golden_set"})
"""What the assets that all sources share are called; a source of that name could not be told from them."""
_RESERVED_METADATA = frozenset({"source", "uri", "title", "text", "access", "document_id", "chunk_id"})


def load_contract(path: Path, variables: Mapping[str, str]) -> Contract:
    """Read one contract.

    Args:
        path: the YAML file. A relative location is relative to its folder.
        variables: what ``${NAME}`` may stand for in the location; the environment is not consulted.

    Raises:
        ContractInvalid: with ``file:line: reason`` for each problem.
    """
    try:
        located, problems = read_layout(path)
    except Unreadable as error:
        raise _invalid(path, [error.problem]) from error
    except OSError as error:
        what = f"The data contract {path} cannot be read: {error.strerror}."
        raise ContractInvalid(what, "Check that it exists and may be read.") from error
    if problems or not isinstance(located.data, dict):
        raise _invalid(path, problems)
    contract, problems = _contract(located.data, located, path.resolve().parent, variables)
    if problems:
        raise _invalid(path, problems)
    return contract


def load_contracts(folders: Iterable[Path], variables: Mapping[str, str]) -> tuple[dict[str, Contract], dict[str, ContractInvalid]]:
    """Every ``*.yaml`` and ``*.yml`` of the folders: the good contracts and what is wrong with the others, each by source name.

    A name that two files claim belongs to neither. Folders that do not exist hold no contracts.
    """
    files = [path for folder in folders for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])]
    claims: dict[str, list[Path]] = {}
    for path in files:
        claims.setdefault(_name_in(path), []).append(path)
    good: dict[str, Contract] = {}
    broken: dict[str, ContractInvalid] = {}
    for name, paths in claims.items():
        if len(paths) > 1:
            listed = " and ".join(str(path) for path in paths)
            broken[name] = ContractInvalid(f"The source name {name!r} is claimed by {listed}.", "Rename the source in all of them but one.")
            continue
        try:
            good[name] = load_contract(paths[0], variables)
        except ContractInvalid as error:
            broken[name] = error
    return good, broken


def _invalid(path: Path, problems: Sequence[Problem]) -> ContractInvalid:
    return ContractInvalid(f"The data contract {path} is not valid:\n{listing(path, problems)}\n", "Correct these lines and run it again.")


def _name_in(path: Path) -> str:
    """The name a file claims, or one made from the file's own when it does not say."""
    try:
        data = read_yaml(path).data
    except (Unreadable, OSError):
        data = None
    name = data.get("name") if isinstance(data, dict) else None
    if isinstance(name, str) and re.fullmatch("[a-z][a-z0-9_]*", name):
        return name
    return re.sub("[^a-z0-9]+", "_", path.stem.lower()).strip("_")


def _contract(data: dict[str, Json], located: Located, folder: Path, variables: Mapping[str, str]) -> tuple[Contract, list[Problem]]:
    problems: list[Problem] = []

    def note(path: Sequence[str | int], reason: str) -> None:
        problems.append(Problem(located.line(path), reason))

    custom: dict[str, Json] = {}
    places: dict[str, list[str | int]] = {}
    for at, item in enumerate(_dicts(data.get("customProperties"))):
        if item["property"] in custom:
            note(["customProperties", at], f"the custom property {item['property']!r} is given twice")
        custom[str(item["property"])] = item["value"]
        places[str(item["property"])] = ["customProperties", at, "value"]
    rules, wrong = read_rules(_dicts(data.get("schema")), located)
    problems += wrong
    server = _dicts(data["servers"])[0]
    key = "path" if server["type"] == "local" else "location"
    format_ = cast("SourceFormat", server.get("format", "files"))
    if format_ == "records" and "records" not in custom:
        note(["servers", 0, "format"], "records want the custom property 'records' that names their id and text fields")
    for name, wanted in (("records", "records"), ("website", "website")):
        if name in custom and format_ != wanted:
            note(places[name], f"{name!r} is for a server whose format is {wanted!r}")
    if "options" in custom and server["type"] != "custom":
        note(places["options"], "'options' is for a server whose type is 'custom'")
    chunking = Chunking.model_validate(custom.get("chunking", {}))
    if chunking.overlap_tokens * 2 > chunking.max_tokens:
        note(
            [*places["chunking"], "overlap_tokens"],
            f"overlap_tokens ({chunking.overlap_tokens}) is more than half of max_tokens ({chunking.max_tokens})",
        )
    if data["name"] in RESERVED_NAMES:
        note(["name"], f"{data['name']!r} is the name of an asset that all sources share; choose another")
    metadata = custom.get("metadata", {})
    assert isinstance(metadata, dict)
    for name in sorted(_RESERVED_METADATA & metadata.keys()):
        note([*places["metadata"], name], f"metadata may not set {name!r}: every document already has one")
    description = data.get("description", {})
    about = {name: str(text).strip() for name, text in description.items()} if isinstance(description, dict) else {}
    contract = Contract(
        name=str(data["name"]),
        tenant=str(data.get("tenant", DEFAULT_TENANT)),
        version=str(data["version"]),
        digest=digest_of(data),
        status=str(data["status"]),
        owner=_owner(data, note),
        domain=str(data["domain"]) if "domain" in data else None,
        description=about.get("purpose", ""),
        usage=about.get("usage", ""),
        limitations=about.get("limitations", ""),
        server_type=str(server["type"]),
        location=_location(
            str(server[key]), folder, variables, lambda reason: note(["servers", 0, key], reason), local=server["type"] == "local"
        ),
        endpoint_url=str(server["endpointUrl"]) if "endpointUrl" in server else None,
        format=format_,
        include=_strings(custom.get("include")),
        exclude=_strings(custom.get("exclude")),
        limits=Limits.model_validate(custom.get("limits", {})),
        records=RecordMapping.model_validate(custom["records"]) if "records" in custom else None,
        website=Website.model_validate(custom.get("website", {})) if format_ == "website" else None,
        options=cast("dict[str, Scalar]", custom.get("options", {})),
        parsing=Parsing.model_validate(custom.get("parsing", {})),
        freshness_sla=_duration(data, "latency") or _duration(data, "frequency"),
        frequency=_duration(data, "frequency"),
        retention=_duration(data, "retention"),
        access_groups=_access(data, note),
        chunking=chunking,
        near_duplicates=NearDuplicates.model_validate(custom.get("nearDuplicates", {})),
        partitioned=bool(custom.get("partitioned", False)),
        privacy=Privacy.model_validate(custom.get("privacy", {})),
        removal_threshold=float(str(custom.get("removalThreshold", 0.5))),
        golden=str(custom["golden"]) if "golden" in custom else None,
        languages=_strings(custom.get("languages")),
        rules=rules,
        tags={key: value for key, _, value in (tag.partition(":") for tag in _strings(data.get("tags")))},
        metadata={key: _metadata_value(value) for key, value in metadata.items()},
    )
    return contract, problems


def _owner(data: dict[str, Json], note: Callable[[Sequence[str | int], str], None]) -> str:
    team = _dicts(data.get("team"))
    owners = [member for member in team if str(member.get("role", "")).lower() == "owner"] or team
    if owners:
        return str(owners[0]["username"])
    support = _dicts(data.get("support"))
    if support:
        return str(support[0]["url"]).removeprefix("mailto:")
    note([], "nobody owns this source: add `team: [{username: ..., role: owner}]`")
    return ""


def _access(data: dict[str, Json], note: Callable[[Sequence[str | int], str], None]) -> tuple[str, ...]:
    if "roles" not in data:
        return (EVERYONE,)
    groups = tuple(dict.fromkeys(str(role["role"]) for role in _dicts(data["roles"]) if role.get("access", "read") == "read"))
    if not groups:
        note(["roles"], "no role has `access: read`, so nobody could ever read this source")
    return groups


def _location(text: str, folder: Path, variables: Mapping[str, str], note: Callable[[str], None], *, local: bool) -> str:
    for name in re.findall(r"\$\{([^}]*)\}", text):
        if name not in variables:
            note(f"nothing is known as ${{{name}}}{did_you_mean(name, variables.keys())}; known: {', '.join(sorted(variables)) or 'none'}")
    text = re.sub(r"\$\{([^}]*)\}", lambda found: variables.get(found[1], found[0]), text)
    return str((folder / text).resolve()) if local and "://" not in text else text


def _duration(data: dict[str, Json], name: str) -> timedelta | None:
    for item in _dicts(data.get("slaProperties")):
        if item["property"] == name:
            return float(str(item["value"])) * _UNITS[str(item["unit"])[0]]
    return None


def _metadata_value(value: Json) -> Scalar | list[str]:
    return value if isinstance(value, str | bool | int | float) else list(_strings(value))


def _strings(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _dicts(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
