"""Finding, pinning and exporting embedding models: the one that comes along, and small ones made here of other shapes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.embedding_model import export, graph
from pipelines.embedding_model import source as model_source
from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.embedding_model.fidelity import PROBES
from search_index.embedding import Encoder
from search_index.embedding.card import checked_card
from search_index.errors import ModelMismatch, WrongUsage
from search_index.settings import DEFAULT_MODEL
from tests.pipelines.tiny_models import tiny_model

DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS = ["a gate", "holds a release until its checks pass, all of them", "x" * 30, "deeds of the dead " * 30]


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """Saves a tiny model and returns its folder."""

    def save(name: str = "tiny", pooling: str = "mean", extra: str = "", prompts: dict[str, str] | None = None, seed: int = 0) -> Path:
        folder = tmp_path / name
        tiny_model(tmp_path / "scratch", pooling, extra, prompts, seed).save(str(folder))
        return folder

    return save


def export_elsewhere(folder: Path, models: Path) -> subprocess.Popen[str]:
    """Export in a process of its own; it prints the exported folder and whether torch was imported."""
    program = (
        "import sys; from pathlib import Path; from pipelines.embedding_model.export import export_model, resolve_model\n"
        "print(export_model(resolve_model(sys.argv[1]), Path(sys.argv[2])), 'torch' in sys.modules)"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(folder), str(models)], stdout=subprocess.PIPE, text=True)


def only_folders(models: Path) -> list[str]:
    """What lies in a models folder, and that nothing half-made lies beside it."""
    assert [path for path in (models / ".partial").iterdir() if path.is_dir()] == []
    return sorted(path.name for path in models.iterdir() if path.name != ".partial")


# finding and pinning


def test_the_model_that_comes_along_is_pinned() -> None:
    source = resolve_model(DEFAULT_MODEL)
    assert (source.name, source.weights_digest) == ("all-MiniLM-L6-v2", DIGEST)
    assert resolve_model("sentence-transformers/all-MiniLM-L6-v2") == source
    assert resolve_model(f"all-MiniLM-L6-v2@sha256:{DIGEST.upper()}") == source


def test_wrong_weights_of_the_model_that_comes_along_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(model_source, "_bundled_folder", lambda: tmp_path)
    with pytest.raises(ModelMismatch) as refused:
        resolve_model(DEFAULT_MODEL)
    got = resolve_model(str(tmp_path)).weights_digest
    assert all(part in refused.value.what for part in (str(tmp_path / "model.safetensors"), f"expected sha256 {DIGEST}", f"got {got}"))
    assert "pip install --force-reinstall" in refused.value.remedy


def test_any_model_can_be_pinned_by_the_one_who_names_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = resolve_model(str(tmp_path)).weights_digest
    assert resolve_model(f"{tmp_path}@sha256:{digest}").weights_digest == digest
    with pytest.raises(ModelMismatch, match=f"expected sha256 {'0' * 64}, got {digest}"):
        resolve_model(f"{tmp_path}@sha256:{'0' * 64}")
    with pytest.raises(ModelMismatch, match="expected sha256 0000"):
        resolve_model(f"{DEFAULT_MODEL}@sha256:{'0' * 64}")
    with pytest.raises(WrongUsage, match="not a sha256"):
        resolve_model(f"{tmp_path}@sha256:{digest[:12]}")


def test_a_changed_file_changes_the_source(tmp_path: Path) -> None:
    def write(weights: bytes, pooling: str) -> None:
        (tmp_path / "1_Pooling").mkdir(exist_ok=True)
        (tmp_path / "modules.json").write_text(json.dumps([{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Absent"}]))
        (tmp_path / "model.safetensors").write_bytes(weights)
        (tmp_path / "1_Pooling" / "config.json").write_text(pooling)

    write(b"one", "mean")
    first = resolve_model(str(tmp_path))
    write(b"two", "mean")  # as long as before, and maybe within the clock's tick
    second = resolve_model(str(tmp_path))
    write(b"one", "cls")
    third = resolve_model(str(tmp_path))
    assert len({first.weights_digest, second.weights_digest}) == 2
    assert third.weights_digest == first.weights_digest
    assert third.config_digest != first.config_digest == second.config_digest
    (tmp_path / "1_Pooling" / "model.safetensors").write_bytes(b"dense")
    assert resolve_model(str(tmp_path)).weights_digest not in {first.weights_digest, second.weights_digest}


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model", "not a name!", "/no/such/folder"])
def test_a_model_that_is_not_here_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(WrongUsage, match="nothing is downloaded") as refused:
        resolve_model(name)
    assert "hf download" in refused.value.remedy


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="holds no weights"):
        resolve_model(str(tmp_path))


# exporting


def test_the_default_model_is_faithful_and_is_exported_once(models_dir: Path) -> None:
    source = resolve_model(DEFAULT_MODEL)
    folder = export_model(source, models_dir)
    card = checked_card(folder)
    assert card.fidelity_min_cosine >= 0.9999
    assert (card.dimension, card.limit, card.forced, card.probes) == (384, 256, False, len(PROBES))
    assert card.weights_digest == DIGEST
    before = (folder / "encoder.json").stat()
    assert export_model(source, models_dir) == folder
    assert (folder / "encoder.json").stat() == before
    process = export_elsewhere(Path(DEFAULT_MODEL), models_dir)
    assert process.communicate()[0].split() == [str(folder), "False"], "what is there is found without torch"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pooling", "extra", "dimension", "prompts"),
    [
        ("mean", "normalize", 32, None),
        ("cls", "", 32, {"query": "ask: ", "document": "told: "}),
        ("max", "dense", 12, None),
        ("lasttoken", "", 32, None),
    ],
)
def test_models_of_any_shape_give_the_vectors_of_sentence_transformers(
    tiny: Callable[..., Path], tmp_path: Path, pooling: str, extra: str, dimension: int, prompts: dict[str, str] | None
) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny(pooling=pooling, extra=extra, prompts=prompts)
    encoder = Encoder.load(export_model(resolve_model(str(folder)), tmp_path / "models"), threads=1)
    original = SentenceTransformer(str(folder), device="cpu")
    assert encoder.dimension == dimension
    assert encoder.max_tokens == 48 - (5 if prompts else 0)
    documents = original.encode_document(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    queries = original.encode_query(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.allclose(encoder.encode(TEXTS), documents, atol=1e-5)
    assert np.allclose([encoder.encode_query(text) for text in TEXTS], queries, atol=1e-5)
    assert np.allclose(documents, queries, atol=1e-5) == (prompts is None)


@pytest.mark.slow
def test_a_damaged_export_is_made_anew_and_left_overs_are_cleared(tiny: Callable[..., Path], tmp_path: Path) -> None:
    source, models = resolve_model(str(tiny())), tmp_path / "models"
    folder = export_model(source, models, "openvino")
    fingerprint = Encoder.fingerprint_of(folder)
    for damage in (
        lambda: (folder / "graph.bin").write_bytes(b""),
        (folder / "tokenizer.json").unlink,
        lambda: (folder / "encoder.json").write_text("{"),
        lambda: shutil.rmtree(folder),
    ):
        damage()
        (models / ".partial" / f"{folder.name}-of-a-killed-run").mkdir()
        assert export_model(source, models, "openvino") == folder
        assert Encoder.load(folder, threads=1).fingerprint == fingerprint
        assert only_folders(models) == [folder.name]


@pytest.mark.slow
def test_a_graph_that_is_not_the_model_is_refused_and_leaves_nothing(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, models = resolve_model(str(tiny())), tmp_path / "models"
    real, other = graph.write_graphs, tiny_model(tmp_path / "scratch", seed=1)
    monkeypatch.setattr(export, "write_graphs", lambda _model, *rest: real(other, *rest))
    with pytest.raises(ModelMismatch, match=r"openvino .* f32: the worst cosine .*onnxruntime .* f32: the worst cosine"):
        export_model(source, models)
    assert only_folders(models) == []


@pytest.mark.slow
def test_two_processes_that_export_at_once_both_succeed(tiny: Callable[..., Path], tmp_path: Path) -> None:
    folder, models = tiny(), tmp_path / "models"
    pair = [export_elsewhere(folder, models) for _ in range(2)]
    answers = {process.communicate()[0].split()[0] for process in pair}
    assert [process.returncode for process in pair] == [0, 0]
    assert [Path(answer).name for answer in answers] == only_folders(models)
    Encoder.load(Path(answers.pop()), threads=1)


@pytest.mark.slow
def test_a_killed_export_leaves_nothing_that_is_taken_for_a_model(tiny: Callable[..., Path], tmp_path: Path) -> None:
    folder, models = tiny(), tmp_path / "models"
    process = export_elsewhere(folder, models)
    while process.poll() is None and not list(models.glob(".partial/*/graph.xml")):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [path for path in models.iterdir() if path.name != ".partial"] == []
    exported = export_model(resolve_model(str(folder)), models)
    Encoder.load(exported, threads=1)
    assert only_folders(models) == [exported.name]


@pytest.mark.slow
def test_what_cannot_be_one_graph_says_so(tiny: Callable[..., Path], tmp_path: Path) -> None:
    folder = tiny(prompts={"query": "ask: "})
    config = folder / "1_Pooling" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"include_prompt": False}))
    with pytest.raises(ModelMismatch, match="prompt out of the pooling"):
        export_model(resolve_model(str(folder)), tmp_path / "models")
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelMismatch, match="cannot load"):
        export_model(resolve_model(str(folder)), tmp_path / "models")
