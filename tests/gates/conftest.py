"""The healthy pipeline, published once a module, and a bench for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.embedding_model.export import export_model, resolve_model
from search_index.settings import DEFAULT_MODEL
from tests.gates import healthy
from tests.project import Project, copied


@pytest.fixture(scope="module")
def healthy_once(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, shared_data: Callable[[str], Path]
) -> Iterator[tuple[Project, Path]]:
    """The project and the folder that it is copied from."""
    root = tmp_path_factory.mktemp("healthy")
    export_model(resolve_model(DEFAULT_MODEL), models_dir)  # before the encoder is patched, which its export measures
    with pytest.MonkeyPatch.context() as patch:
        healthy.one_encoder(patch)
        medicine = healthy.texts_of(shared_data("nfcorpus"), healthy.DOCUMENTS + 4 * healthy.LONG_DOCUMENTS)
        library = healthy.texts_of(shared_data("cisi"), healthy.OF_OTHER)
        project = healthy.build(root / "project", medicine, library)
        copied(project.root, root / "kept")
        yield project, root / "kept"


@pytest.fixture
def bench(healthy_once: tuple[Project, Path], monkeypatch: pytest.MonkeyPatch) -> healthy.Bench:
    """A fresh copy of it."""
    return healthy.Bench(*healthy_once, monkeypatch)
