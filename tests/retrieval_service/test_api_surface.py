"""Nothing of ``/v1`` that somebody may rely on goes or changes (docs/versioning.md)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from tests.retrieval_service.api_surface import PROMISED, Surface, added, broken, current

SEARCH = "POST /v1/search"


@pytest.fixture(scope="module")
def now() -> Surface:
    return current()


@pytest.fixture
def promised() -> Surface:
    surface: Surface = json.loads(PROMISED.read_text())
    return surface


def test_nobody_who_uses_it_as_promised_trips(promised: Surface, now: Surface) -> None:
    found = broken(promised, now)
    assert not found, "This breaks `/v1` for those who use it; make it an addition, or deprecate first:\n" + "\n".join(found)


def test_what_is_new_is_promised_from_now_on(promised: Surface, now: Surface) -> None:
    found = added(promised, now)
    assert not found, "New in the API. Write it down with `python -m tests.retrieval_service.api_surface`:\n" + "\n".join(found)


def gone(surface: Surface) -> None:
    del surface[SEARCH]


def renamed(surface: Surface) -> None:
    surface[SEARCH]["id"] = "find"


def field_gone(surface: Surface) -> None:
    del surface[SEARCH]["takes"]["body.limit"]


def answer_gone(surface: Surface) -> None:
    del surface[SEARCH]["gives"]["answer.hits[].uri"]


def now_required(surface: Surface) -> None:
    surface[SEARCH]["takes"]["body.limit"] += "!"


def new_and_required(surface: Surface) -> None:
    surface[SEARCH]["takes"]["body.reason"] = "string!"


def word_gone(surface: Surface) -> None:
    surface[SEARCH]["takes"]["body.mode"] = "'dense' | 'hybrid' | 'sparse'"


def other_type(surface: Surface) -> None:
    surface[SEARCH]["gives"]["answer.took_ms"] = "string"


def may_be_null(surface: Surface) -> None:
    surface[SEARCH]["gives"]["answer.query"] = "null | string"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (gone, "POST /v1/search is gone"),
        (renamed, "its operation id was search and is find"),
        (field_gone, "no longer takes body.limit"),
        (answer_gone, "no longer gives answer.hits[].uri"),
        (now_required, "took body.limit as integer and takes it as integer!"),
        (new_and_required, "now has to be sent body.reason"),
        (word_gone, "took body.mode as"),
        (other_type, "gave answer.took_ms as number and gives it as string"),
        (may_be_null, "gave answer.query as string"),
    ],
)
def test_each_kind_of_break_is_found_and_named(promised: Surface, change: Callable[[Surface], None], says: str) -> None:
    after = copy.deepcopy(promised)
    change(after)
    (found,) = broken(promised, after)
    assert says in found


def test_additions_break_nobody_and_are_named(promised: Surface) -> None:
    after = copy.deepcopy(promised)
    after["GET /v1/new"] = {"id": "new", "takes": {}, "gives": {}}
    after[SEARCH]["takes"]["body.boost"] = "number"
    after[SEARCH]["gives"]["answer.cost"] = "number"
    after[SEARCH]["takes"]["body.mode"] += " | 'visual'"
    after[SEARCH]["gives"]["answer.mode"] += " | 'visual'"
    assert broken(promised, after) == []
    assert len(added(promised, after)) == 5
