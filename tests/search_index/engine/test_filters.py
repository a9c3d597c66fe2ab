"""What a query may see, before any engine is asked."""

from __future__ import annotations

import pytest

from search_index.engine.filters import OneOf, conditions
from search_index.engine.interface import Visibility


@pytest.mark.parametrize(("tenant", "groups"), [("", {"everyone"}), ("north", set()), ("", set())])
def test_without_a_tenant_or_without_groups_nothing_can_be_seen(tenant: str, groups: set[str]) -> None:
    assert conditions(Visibility(1, tenant, frozenset(groups))) is None


def test_a_tenant_has_to_be_named_and_is_always_asked_for() -> None:
    with pytest.raises(TypeError):
        Visibility(1, frozenset({"everyone"}))  # type: ignore[call-arg,arg-type]
    wanted = conditions(Visibility(1, "north", frozenset({"everyone"})))
    assert wanted is not None
    assert OneOf("tenant", ("north",)) in wanted.must
