"""Settings from the environment."""

from __future__ import annotations

import pytest

from search_index.settings import DEFAULT_MODEL, Settings


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLUMBLINE_MODELS", "PLUMBLINE_HOME", "PLUMBLINE_MODEL", "PLUMBLINE_RETAIN_RELEASES"):
        monkeypatch.setenv(name, "")
    found = Settings()
    assert found.models_dir == found.root / "models", "and not the folder that the command was started in"
    assert found.root.name == ".plumbline"
    assert (found.model, found.retain_releases) == (DEFAULT_MODEL, 10)
