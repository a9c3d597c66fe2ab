"""Golden sets: queries with graded relevant passages, judged by document and quoted text or span, never by chunk.

A set is one YAML file, or a JSON Lines file whose first line may be the head (``name``, ``version``, ``author``, ``date``) and whose
other lines are queries.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic import JsonValue as Json

from quality_checks.located import Problem, Unreadable, did_you_mean, listing, read_json_lines, read_yaml
from search_index.errors import PlumblineError
from search_index.model.document import document_uri
from search_index.model.release import digest_of
from search_index.model.tenant import DEFAULT_TENANT, LONGEST_TENANT

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class GoldenInvalid(PlumblineError):
    """A golden set does not validate."""

    exit_code = 2
    slug = "golden-invalid"
    status = 400


class Judgement(BaseModel):
    """A document, or a passage of it told by its words or its span, and how relevant it is: 1 somewhat to 3 fully."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*:.+$")]
    quote: _Text | None = None
    span: tuple[int, int] | None = None
    grade: int = Field(1, ge=1, le=3)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.quote is not None and self.span is not None:
            raise ValueError("give a quote or a span, not both")
        if self.span is not None and not 0 <= self.span[0] < self.span[1]:
            raise ValueError(f"{list(self.span)} is no span: it wants [start, end] with 0 <= start < end")
        return self


class GoldenQuery(BaseModel):
    """One query and what answers it."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    id: _Text
    query: _Text
    tags: tuple[str, ...] = ()
    relevant: tuple[Judgement, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _judged_once(self) -> Self:
        places = [(judgement.document, judgement.quote, judgement.span) for judgement in self.relevant]
        if len(set(places)) < len(places):
            raise ValueError("the same passage is judged twice")
        return self


class GoldenSet(BaseModel):
    """A named, versioned set of judged queries."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    name: _Text
    version: _Text = "1"
    author: str = ""
    date: str = ""
    purpose: Literal["evaluation", "training"] = Field(
        "evaluation", description="releases are measured on the one and learn from the other"
    )
    tenant: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=LONGEST_TENANT)] = Field(
        DEFAULT_TENANT, description="whose documents it is asked of, and no other's"
    )
    weight: float = Field(1.0, gt=0, le=1, description="how much a training set's judgements count: less where nobody made them by hand")
    queries: tuple[GoldenQuery, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_unique(self) -> Self:
        seen: set[str] = set()
        for query in self.queries:
            if query.id in seen:
                raise ValueError(f"two queries have the id {query.id!r}")
            seen.add(query.id)
        return self

    @cached_property
    def digest(self) -> str:
        """sha256 of all that it says."""
        return digest_of(self.model_dump(mode="json"))


def load_golden(path: Path) -> GoldenSet:
    """Read one golden set, YAML or JSON Lines (``.jsonl``).

    Raises:
        GoldenInvalid: with ``file:line: reason`` for each problem.
    """
    try:
        data, line_of = _read_lines(path) if path.suffix == ".jsonl" else _read_whole(path)
    except Unreadable as error:
        raise _invalid(path, [error.problem]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenInvalid(f"The golden set {path} cannot be read: {error}.", "Check that it exists, may be read and is UTF-8.") from error
    try:
        return GoldenSet.model_validate(data)
    except ValidationError as error:
        raise _invalid(path, [_problem(found["loc"], found["type"], found["msg"], line_of) for found in error.errors()]) from error


def load_golden_folder(folders: Iterable[Path]) -> list[GoldenSet]:
    """Every golden set of the folders, by name. Folders that do not exist hold none.

    Raises:
        GoldenInvalid: a file does not validate, or two have the same name.
    """
    found: dict[str, Path] = {}
    sets: list[GoldenSet] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*")) if path.suffix in (".yaml", ".yml", ".jsonl")):
        golden = load_golden(path)
        if golden.name in found:
            raise GoldenInvalid(
                f"The golden set name {golden.name!r} is claimed by {found[golden.name]} and {path}.", "Rename one of them."
            )
        found[golden.name] = path
        sets.append(golden)
    return sorted(sets, key=lambda golden: golden.name)


def import_beir(queries: Path, qrels: Path, source: str, path_of: Callable[[str], str] = str) -> GoldenSet:
    """A golden set of whole documents from a BEIR collection. Unjudged queries and grades of 0 or less are left out; 3 is the top.

    Args:
        queries: ``queries.jsonl`` with ``_id`` and ``text``.
        qrels: ``qrels.tsv`` with a header and the columns query, document, grade.
        source: the name of the source the documents are in.
        path_of: a document's path in the source, from its id in the collection.

    Raises:
        GoldenInvalid: a file is not what it should be.
    """
    judged: dict[str, list[Judgement]] = {}
    try:
        with qrels.open(encoding="utf-8", newline="") as rows:
            for row in list(csv.reader(rows, delimiter="\t"))[1:]:
                if (grade := int(row[2])) > 0:
                    judgement = Judgement(document=document_uri(source, path_of(row[1])), grade=min(grade, 3))
                    judged.setdefault(row[0], []).append(judgement)
        texts = {str(line["_id"]): str(line["text"]) for _, line in read_json_lines(queries) if isinstance(line, dict)}
    except Unreadable as error:
        raise _invalid(queries, [error.problem]) from error
    except (OSError, UnicodeDecodeError, ValueError, IndexError, KeyError) as error:
        what = f"{queries} and {qrels} are not a BEIR collection's queries and judgements: {type(error).__name__} {error}."
        raise GoldenInvalid(what, "Give queries.jsonl (_id, text) and qrels.tsv (query-id, corpus-id, score, with a header).") from error
    kept = [GoldenQuery(id=name, query=text, relevant=tuple(judged[name])) for name, text in texts.items() if name in judged]
    if not kept:
        raise GoldenInvalid(f"No query of {queries} is judged in {qrels}.", "Check that the two belong together.")
    return GoldenSet(name=source, queries=tuple(kept))


def golden_digest(sets: Iterable[GoldenSet]) -> str:
    """sha256 of the sets, whatever their order."""
    return digest_of(sorted(golden.digest for golden in sets))


_LineOf = Callable[[tuple[int | str, ...]], int]


def _read_whole(path: Path) -> tuple[Json, _LineOf]:
    located = read_yaml(path)
    return located.data, located.line


def _read_lines(path: Path) -> tuple[Json, _LineOf]:
    values = read_json_lines(path)
    head: dict[str, Json] = {"name": path.stem}
    if values and isinstance(first := values[0][1], dict) and "query" not in first:
        head |= first
        values = values[1:]
    numbers = [number for number, _ in values]
    data: dict[str, Json] = head | {"queries": [value for _, value in values]}

    def line_of(where: tuple[int | str, ...]) -> int:
        return numbers[where[1]] if len(where) > 1 and where[0] == "queries" and isinstance(where[1], int) else 1

    return data, line_of


def _problem(where: tuple[int | str, ...], kind: str, message: str, line_of: _LineOf) -> Problem:
    if kind == "extra_forbidden":
        known = {*GoldenSet.model_fields, *GoldenQuery.model_fields, *Judgement.model_fields}
        return Problem(line_of(where), f"unknown key {where[-1]!r}{did_you_mean(str(where[-1]), known)}")
    return Problem(line_of(where), f"{'.'.join(str(step) for step in where) or 'the set'}: {message.removeprefix('Value error, ')}")


def _invalid(path: Path, problems: list[Problem]) -> GoldenInvalid:
    return GoldenInvalid(f"The golden set {path} is not valid:\n{listing(path, problems)}\n", "Correct these lines and run it again.")
