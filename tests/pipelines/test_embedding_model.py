"""Finding, pinning and exporting embedding models: the one that comes along, and small ones made here of other shapes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipelines import embedding_model, model_graph, model_source
from pipelines.embedding_model import export_model, resolve_model
from pipelines.model_fidelity import PROBES, Measured, choose
from search_index.embedding import Encoder
from search_index.embedding.card import checked_card
from search_index.errors import ModelMismatch, WrongUsage
from search_index.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS = ["a gate", "holds a release until its checks pass, all of them", "x" * 30, "deeds of the dead " * 30]


def tiny_model(pooling: str = "mean", extra: str = "", prompts: dict[str, str] | None = None, seed: int = 0) -> SentenceTransformer:
    """A sentence-transformers model of two thin layers with random weights, whose tokens are letters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:-"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({token: at for at, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    scratch = Path(os.environ["PLUMBLINE_TINY"])
    BertModel(config).save_pretrained(scratch)
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    ).save_pretrained(scratch)  # fmt: skip
    modules: list[torch.nn.Module] = [Transformer(str(scratch), max_seq_length=48), Pooling(32, pooling_mode=pooling)]
    if extra == "dense":
        modules.append(Dense(in_features=32, out_features=12))
    elif extra == "normalize":
        modules.append(Normalize())
    return SentenceTransformer(modules=modules, device="cpu", prompts=prompts)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Saves a tiny model and returns its folder."""
    monkeypatch.setenv("PLUMBLINE_TINY", str(tmp_path / "scratch"))

    def save(name: str = "tiny", pooling: str = "mean", extra: str = "", prompts: dict[str, str] | None = None, seed: int = 0) -> Path:
        folder = tmp_path / name
        tiny_model(pooling, extra, prompts, seed).save(str(folder))
        return folder

    return save


def export_elsewhere(folder: Path, models: Path) -> subprocess.Popen[str]:
    """Export in a process of its own; it prints the exported folder and whether torch was imported."""
    program = (
        "import sys; from pathlib import Path; from pipelines.embedding_model import export_model, resolve_model\n"
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
    assert (card.dimension, card.limit, card.batch_invariant, card.probes) == (384, 256, True, len(PROBES))
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
    folder = export_model(source, models)
    fingerprint = Encoder.fingerprint_of(folder)
    for damage in (
        lambda: (folder / "graph.bin").write_bytes(b""),
        (folder / "tokenizer.json").unlink,
        lambda: (folder / "encoder.json").write_text("{"),
        lambda: shutil.rmtree(folder),
    ):
        damage()
        (models / ".partial" / f"{folder.name}-of-a-killed-run").mkdir()
        assert export_model(source, models) == folder
        assert Encoder.load(folder, threads=1).fingerprint == fingerprint
        assert only_folders(models) == [folder.name]


@pytest.mark.slow
def test_a_graph_that_is_not_the_model_is_refused_and_leaves_nothing(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, models = resolve_model(str(tiny())), tmp_path / "models"
    real, other = model_graph.write_graph, tiny_model(seed=1)
    monkeypatch.setattr(embedding_model, "write_graph", lambda _model, facts, folder: real(other, facts, folder))
    with pytest.raises(ModelMismatch, match="worst cosine"):
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


# precision


def test_a_lower_precision_is_taken_only_if_it_is_faithful_steady_and_faster() -> None:
    f32 = Measured("f32", 1.0, 1.0, batch_invariant=True, cpu_ms=10.0)
    bf16 = Measured("bf16", 0.9995, 0.9999, batch_invariant=True, cpu_ms=5.0)
    assert choose([f32]) is f32
    assert choose([f32, bf16]) is bf16
    for worse in (replace(bf16, min_cosine=0.9989), replace(bf16, batch_invariant=False), replace(bf16, cpu_ms=9.5)):
        assert choose([f32, worse]) is f32
