"""``plumbline status`` tells how many documents fewer may read than releases say."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.cli import status
from plumbline.cli.status_facts import gather
from search_index.home import Home
from search_index.settings import Settings


def test_narrowed_and_erased_documents_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(home=tmp_path / "home", contracts=tmp_path / "contracts", port=9)
    home = Home(settings)
    home.catalog.narrow_documents("wiki", "default", {"a": frozenset(), "b": frozenset()}, "run 1")
    home.catalog.erase_documents({"c": "wiki"}, "ada")
    home.close()
    facts = gather(settings)
    assert facts.document()["overlaid"] == {"narrowed": 2, "erased": 1}
    status._show(facts)
    assert "1 document erased, 2 documents narrowed" in capsys.readouterr().out
