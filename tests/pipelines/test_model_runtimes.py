"""The exporter's choice among runtimes: what is tried, what is kept, what stays as it was, and what an operator can force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from pipelines.embedding_model import export, graph
from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.embedding_model.fidelity import Measured, choose
from pipelines.embedding_model.graph import GraphFacts, graph_facts
from pipelines.embedding_model.source import ModelSource
from pipelines.show.model import tried_table
from search_index.embedding import Encoder, EncoderCard
from search_index.embedding.card import Engine, Tried, checked_card
from search_index.embedding.runtimes import offers as offering
from search_index.embedding.runtimes.offers import Offer, offers
from search_index.errors import ModelMismatch, WrongUsage
from search_index.settings import DEFAULT_MODEL, Settings
from tests.pipelines.tiny_models import tiny_model

ON_OPENVINO = Measured("openvino 1.0", on_device=False, precision="f32", min_cosine=1.0, mean_cosine=1.0, batch_invariant=True,
                       repeatable=True, cpu_ms=10.0, wall_ms=11.0)  # fmt: skip
ON_ORT = replace(ON_OPENVINO, runtime="onnxruntime 1.0", cpu_ms=5.0)
ON_DEVICE = replace(ON_OPENVINO, runtime="torch 2.0 cuda", on_device=True, cpu_ms=50.0, wall_ms=1.0)
NOTHING = ("", "")
TEXTS = ["a gate", "holds a release until its checks pass, all of them", "x" * 30, "deeds of the dead " * 30]


@pytest.fixture
def tiny(tmp_path: Path) -> ModelSource:
    tiny_model(tmp_path / "scratch").save(str(tmp_path / "tiny"))
    return resolve_model(str(tmp_path / "tiny"))


def without(monkeypatch: pytest.MonkeyPatch, *gone: str) -> None:
    """As if these distributions were not installed."""

    def found(distribution: str) -> str:
        if distribution in gone:
            raise PackageNotFoundError(distribution)
        return version(distribution)

    monkeypatch.setattr(offering, "version", found)


# choosing


def test_the_first_stays_unless_another_is_clearly_faster() -> None:
    assert choose([ON_OPENVINO], NOTHING, 2) is ON_OPENVINO
    assert choose([ON_OPENVINO, ON_ORT], NOTHING, 2) is ON_ORT
    assert choose([ON_OPENVINO, replace(ON_ORT, cpu_ms=9.5)], NOTHING, 2) is ON_OPENVINO


def test_what_is_not_faithful_or_not_repeatable_is_never_chosen() -> None:
    for broken in (replace(ON_ORT, min_cosine=0.9989), replace(ON_ORT, repeatable=False)):
        assert broken.refused
        assert choose([ON_OPENVINO, broken], NOTHING, 2) is ON_OPENVINO
        assert choose([ON_OPENVINO, broken], ("onnxruntime 1.0", "f32"), 2) is ON_OPENVINO
        assert choose([broken], NOTHING, 2) is None
    alone = replace(ON_ORT, batch_invariant=False)
    assert choose([ON_OPENVINO, alone], NOTHING, 2) is alone, "its times are those of running every text by itself"


def test_what_was_chosen_before_stays_unless_another_is_clearly_faster() -> None:
    slower = replace(ON_ORT, cpu_ms=10.5)
    before = (slower.runtime, slower.precision)
    assert choose([ON_OPENVINO, slower], NOTHING, 2) is ON_OPENVINO
    assert choose([ON_OPENVINO, slower], before, 2) is slower
    assert choose([replace(ON_OPENVINO, cpu_ms=9.0), slower], before, 2) != slower
    assert choose([ON_OPENVINO, slower], ("onnxruntime 0.9", "f32"), 2) is ON_OPENVINO, "another version is another runtime"


def test_a_device_is_compared_by_wall_time_with_all_cpus_together() -> None:
    assert choose([ON_OPENVINO, ON_DEVICE], NOTHING, 2) is ON_DEVICE
    assert choose([ON_OPENVINO, ON_DEVICE], NOTHING, 64) is ON_OPENVINO


# what is here


def test_what_is_installed_is_offered_openvino_first() -> None:
    found = offers("auto")
    assert [offer.label for offer in found][:2] == [
        f"{name} {'.'.join(version(name).split('.')[:2])}" for name in ("openvino", "onnxruntime")
    ]
    assert [offer.engine for offer in offers("onnxruntime")][:1] == ["onnxruntime"]


def test_a_runtime_that_is_asked_for_and_missing_is_an_error_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without(monkeypatch, "onnxruntime", "onnxruntime-gpu", "torch")
    assert [offer.engine for offer in offers("auto")] == ["openvino"]
    with pytest.raises(WrongUsage, match="PLUMBLINE_RUNTIME asks for onnxruntime") as refused:
        export_model(resolve_model(DEFAULT_MODEL), tmp_path, "onnxruntime")
    assert 'pip install "plumbline[onnxruntime]"' in refused.value.remedy
    with pytest.raises(WrongUsage, match="asks for torch") as refused:
        offers("torch")
    assert "CUDA" in refused.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_the_setting_takes_the_runtimes_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().runtime == "auto"
    monkeypatch.setenv("PLUMBLINE_RUNTIME", "onnxruntime")
    assert Settings().runtime == "onnxruntime"
    monkeypatch.setenv("PLUMBLINE_RUNTIME", "tensorflow")
    with pytest.raises(ValueError, match="runtime"):
        Settings()


# exporting


@pytest.mark.slow
def test_every_runtime_is_tried_and_only_the_chosen_one_is_kept(tiny: ModelSource, tmp_path: Path) -> None:
    kept = {
        "auto": None,
        "openvino": {"graph.xml", "graph.bin", "tokenizer.json", "encoder.json"},
        "onnxruntime": {"graph.onnx", "tokenizer.json", "encoder.json"},
    }
    fingerprints = {}
    for choice, files in kept.items():
        folder = export_model(tiny, tmp_path / choice, choice)  # type: ignore[arg-type]
        card = checked_card(folder)
        assert EncoderCard.model_validate_json((folder / "encoder.json").read_bytes()) == card
        assert {path.name for path in folder.iterdir()} == (files or kept[card.engine])
        assert [(each.runtime, each.chosen) for each in card.tried if each.precision == "f32"] == [
            (offer.label, offer.label == card.runtime) for offer in offers(choice)  # type: ignore[arg-type]
        ]  # fmt: skip
        assert all(each.min_cosine and each.min_cosine > 0.9999 and each.cpu_ms and not each.refused for each in card.tried)
        fingerprints[choice] = card.fingerprint()
    assert fingerprints["openvino"] != fingerprints["onnxruntime"]
    assert fingerprints["auto"] in fingerprints.values()


@pytest.mark.slow
def test_a_runtime_that_makes_other_vectors_leaves_the_other_chosen(
    tiny: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, other = graph.write_graphs, tiny_model(tmp_path / "scratch", seed=1)

    def broken(engine: Engine, damage: Callable[[GraphFacts, Path], object]) -> EncoderCard:
        def writes(model: object, facts: GraphFacts, folder: Path, engines: frozenset[Engine]) -> dict[Engine, ModelMismatch]:
            failed = write(model, facts, folder, engines)  # type: ignore[arg-type]
            damage(facts, folder)
            return failed

        monkeypatch.setattr(export, "write_graphs", writes)
        card = checked_card(export_model(tiny, tmp_path / f"without-{engine}-{len(list(tmp_path.iterdir()))}"))
        refused = {each.runtime.split()[0]: each.refused for each in card.tried if each.precision == "f32"}
        assert refused.pop(engine)
        assert refused == {card.engine: ""}
        return card

    assert broken("openvino", lambda facts, folder: write(other, facts, folder, {"openvino"})).engine == "onnxruntime"
    assert broken("onnxruntime", lambda facts, folder: write(other, facts, folder, {"onnxruntime"})).engine == "openvino"
    card = broken("onnxruntime", lambda _facts, folder: (folder / "graph.onnx").write_bytes(b"no graph"))
    assert any("cannot load" in each.refused and each.min_cosine is None for each in card.tried)


@pytest.mark.slow
def test_another_runtime_that_is_not_chosen_changes_the_folder_and_no_vector(
    tiny: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        without(patched, "onnxruntime", "onnxruntime-gpu", "torch")
        first = export_model(tiny, tmp_path / "models")
    # However fast the newcomer is on this machine: it does not win.
    monkeypatch.setattr(export, "choose", lambda measured, before, _cpus: choose(measured, before, 1) and measured[0])
    second = export_model(tiny, tmp_path / "models")
    assert first != second
    assert checked_card(first).fingerprint() == checked_card(second).fingerprint()
    assert {each.runtime.split()[0] for each in checked_card(second).tried} == {"openvino", "onnxruntime"}
    assert first.is_dir(), "the releases that were made with it still find it"


@pytest.mark.slow
def test_the_choice_of_the_last_export_is_what_stays(tiny: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def note(measured: list[Measured], before: tuple[str, str], _cpus: int) -> Measured:
        asked.append(before)
        return measured[-1]

    monkeypatch.setattr(export, "choose", note)
    with monkeypatch.context() as patched:
        without(patched, "openvino", "torch")
        first = export_model(tiny, tmp_path / "models")
    export_model(replace(tiny, weights_digest="0" * 64), tmp_path / "models")
    forced = export_model(tiny, tmp_path / "models", "openvino")
    assert (checked_card(first).forced, checked_card(forced).forced) == (False, True)
    export_model(tiny, tmp_path / "models")
    assert asked == [NOTHING, NOTHING, (offers("onnxruntime")[0].label, "f32"), (offers("onnxruntime")[0].label, "f32")]


# torch


@pytest.mark.slow
def test_an_exported_program_makes_the_vectors_of_sentence_transformers(tmp_path: Path) -> None:
    """The program is the same for every device; here it runs on the CPU."""
    model = tiny_model(tmp_path / "scratch", pooling="cls", extra="dense")
    facts = graph_facts(model, "tiny")
    assert graph.write_graphs(model, facts, tmp_path, {"torch"}) == {}
    (tmp_path / "tokenizer.json").write_text(facts.tokenizer)
    card = card_of_facts(facts, tmp_path)
    encoder = Encoder.of(card, tmp_path, threads=2)
    documents = model.encode_document(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.allclose(encoder.encode(TEXTS), documents, atol=1e-5)
    assert np.allclose(encoder.encode_query(TEXTS[0]), documents[0], atol=1e-5)
    lower = Encoder.of(card.model_copy(update={"precision": "bf16"}), tmp_path, threads=2).encode(TEXTS)
    assert np.allclose(np.linalg.norm(lower, axis=1), 1.0, atol=1e-6)
    assert 1e-4 < np.abs(lower - documents).max() < 0.02, "near, and of the lower precision"


def test_a_model_exported_for_cuda_says_so_where_there_is_none(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a CUDA device")
    card = EncoderCard.model_construct(name="tiny", engine="torch", device="cuda", runtime="torch 2.0 cuda", precision="f32")
    with pytest.raises(ModelMismatch, match="finds no CUDA device") as refused:
        Encoder.of(card, tmp_path)
    assert "PLUMBLINE_RUNTIME=openvino" in refused.value.remedy


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["torch", "onnxruntime"])
def test_on_a_cuda_device_the_vectors_are_those_of_the_cpu(tiny: ModelSource, tmp_path: Path, choice: Engine) -> None:
    if not any(offer.device == "cuda" for offer in offers("auto") if offer.engine == choice):
        pytest.skip(f"needs a CUDA device and a CUDA build of {choice}")
    on_cuda = Encoder.load(export_model(tiny, tmp_path / "models", choice))
    on_cpu = Encoder.load(export_model(tiny, tmp_path / "models", "openvino"))
    assert ((on_cuda.encode(TEXTS) * on_cpu.encode(TEXTS)).sum(1) > 0.999).all()
    assert any(each.runtime.endswith(" cuda") and each.min_cosine for each in on_cuda.card.tried)


def card_of_facts(facts: GraphFacts, folder: Path) -> EncoderCard:
    source = ModelSource(name="tiny", folder=folder, weights_digest="", config_digest="")
    draft = export._draft(source, facts, Offer("torch", "cpu", "2.0"), folder)
    return draft.model_copy(update={"engine": "torch"})


# showing


def test_the_asset_shows_all_that_was_tried() -> None:
    tried = (
        Tried(runtime="openvino 1.0", precision="f32", min_cosine=0.99999991, cpu_ms=10.04, wall_ms=11.0, chosen=True),
        Tried(runtime="torch 2.0 cuda", precision="f16", min_cosine=None, cpu_ms=None, wall_ms=None, chosen=False, refused="out of memory"),
    )
    shown = tried_table(EncoderCard.model_construct(tried=tried))["tried"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [list(record.data.values()) for record in shown.records] == [
        ["openvino 1.0", "f32", "yes", "1.000000", "10.0", "11.0", "-"],
        ["torch 2.0 cuda", "f16", "no", "-", "-", "-", "out of memory"],
    ]
    assert tried_table(EncoderCard.model_construct(tried=())) == {}
