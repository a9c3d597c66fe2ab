"""The encoder as the pipeline and the service use it: same bytes in any batch, safe between threads, no torch, no damaged files."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.embedding_model.export import export_model, resolve_model
from search_index.embedding import Encoder, vector_key
from search_index.embedding.card import checked_card
from search_index.embedding.runtimes import Vectors
from search_index.errors import ModelMismatch
from search_index.settings import DEFAULT_MODEL

TEXTS = [
    " ".join(f"{word} {n}" for word in ("contract", "release", "Straße", "索引")[: 1 + n % 4]) * (1 + n * n % 23) for n in range(40)
] + [""]


@pytest.fixture(scope="module")
def folder(models_dir: Path) -> Path:
    return export_model(resolve_model(DEFAULT_MODEL), models_dir, "openvino")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder.load(folder, threads=2)


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_vectors_are_unit_float32_rows_in_the_order_given(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for at in (0, 7, 40):
        assert vectors[at].tobytes() == encoder.encode([TEXTS[at]])[0].tobytes()
    assert encoder.encode([]).shape == (0, 384)


@pytest.mark.slow
def test_a_text_has_the_same_bytes_whatever_it_is_embedded_with(folder: Path, encoder: Encoder) -> None:
    whole = dict(zip(TEXTS, encoder.encode(TEXTS), strict=True))
    single = Encoder.load(folder, threads=1)
    dice = random.Random(7)
    for batch_tokens in (1, 64, 512, 4096):
        some = dice.sample(TEXTS, k=dice.randint(2, len(TEXTS)))
        for found in (encoder.encode(some, batch_tokens=batch_tokens), single.encode(some, batch_tokens=batch_tokens)):
            assert [v.tobytes() for v in found] == [whole[text].tobytes() for text in some]


def test_a_query_lies_nearest_to_the_passage_that_answers_it(encoder: Encoder) -> None:
    passages = ["A release is rolled back by moving the pointer.", "Vitamin D in mothers' milk.", "Pressure on a swept wing at Mach 2."]
    assert int(np.argmax(encoder.encode(passages) @ encoder.encode_query("how do I undo a publish of the index?"))) == 0


def test_many_threads_share_one_encoder(encoder: Encoder) -> None:
    expected = [encoder.encode_query(text).tobytes() for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: encoder.encode_query(text).tobytes(), TEXTS * 2))
    assert found == expected * 2


def test_a_vector_is_not_overwritten_by_the_next(encoder: Encoder) -> None:
    first = encoder.encode_query("first")
    kept = first.copy()
    encoder.encode_query("second")
    assert np.array_equal(first, kept)


def test_what_is_too_long_is_cut_and_what_is_no_text_is_replaced(encoder: Encoder) -> None:
    fits = "gate " * (encoder.max_tokens - 2)
    assert len(encoder.tokenizer.encode(fits).ids) == encoder.max_tokens == 256
    assert len(encoder.tokenizer.encode(fits + "more").ids) == 257, "the tokenizer counts without cutting"
    assert encoder.encode([fits])[0].tobytes() == encoder.encode([fits + "and so on " * 500])[0].tobytes()
    assert encoder.encode(["a lone \ud800 surrogate"]).tobytes() == encoder.encode(["a lone ? surrogate"]).tobytes()


def test_progress_counts_every_text_once(encoder: Encoder) -> None:
    steps: list[int] = []
    encoder.encode(TEXTS, progress=steps.append)
    assert sum(steps) == len(TEXTS)
    assert len(steps) > 1


def test_prompts_are_put_before_the_text_and_leave_less_room_for_it(folder: Path, encoder: Encoder) -> None:
    card = checked_card(folder).model_copy(update={"query_prompt": "query: ", "document_prompt": "passage: "})
    prompted = Encoder.of(card, folder, threads=1)
    assert prompted.encode_query("gates").tobytes() == encoder.encode_query("query: gates").tobytes()
    assert prompted.encode(["gates"])[0].tobytes() == encoder.encode(["passage: gates"])[0].tobytes()
    assert prompted.max_tokens == encoder.max_tokens - len(encoder.tokenizer.encode("passage: ", add_special_tokens=False).ids)


def test_where_a_batch_changes_the_bytes_every_text_runs_alone(folder: Path) -> None:
    card = checked_card(folder).model_copy(update={"batch_invariant": False})
    steps: list[int] = []
    Encoder.of(card, folder, threads=1).encode(TEXTS, progress=steps.append)
    assert steps == [1] * len(TEXTS)


def test_the_fingerprint_is_of_what_decides_the_vectors(folder: Path, encoder: Encoder) -> None:
    card = checked_card(folder)
    assert Encoder.fingerprint_of(folder) == encoder.fingerprint == card.fingerprint()
    same = card.model_copy(update={"cpu_ms_per_probe": 99.0, "name": "another name for it"})
    assert same.fingerprint() == card.fingerprint()
    changes: list[dict[str, object]] = [
        {"weights_digest": "0"}, {"config_digest": "0"}, {"tokenizer_digest": "0"}, {"limit": 128}, {"pooling": "cls"},
        {"runtime": "other 1.0"}, {"precision": "bf16"}, {"query_prompt": "q: "}, {"document_prompt": "d: "},
    ]  # fmt: skip
    assert len({card.fingerprint(), *(card.model_copy(update=change).fingerprint() for change in changes)}) == len(changes) + 1


def test_a_vector_key_is_of_the_exact_text_and_the_encoder() -> None:
    keys = {vector_key(encoder, text) for encoder in ("a", "b") for text in ("x", "x ", "X", "\ud800", "")}
    assert len(keys) == 10
    assert vector_key("a", "x") == vector_key("a", "x")


@pytest.mark.parametrize("name", ["graph.bin", "graph.xml", "tokenizer.json"])
def test_a_damaged_file_is_refused_by_name(damaged: Path, name: str) -> None:
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    with pytest.raises(ModelMismatch, match=name) as refused:
        Encoder.load(damaged)
    assert "expected sha256" in refused.value.what
    assert refused.value.remedy


def test_a_missing_file_and_a_missing_card_are_refused(damaged: Path) -> None:
    (damaged / "graph.bin").unlink()
    with pytest.raises(ModelMismatch, match="no file"):
        Encoder.load(damaged)
    (damaged / "encoder.json").write_text('{"name": ')
    with pytest.raises(ModelMismatch, match=r"encoder\.json"):
        Encoder.load(damaged)
    assert Encoder.fingerprint_of(damaged) == ""


def test_a_graph_of_another_width_than_its_card_is_refused(damaged: Path) -> None:
    card = json.loads((damaged / "encoder.json").read_text())
    (damaged / "encoder.json").write_text(json.dumps(card | {"dimension": 768}))
    with pytest.raises(ModelMismatch, match="384 dimensions, the model says 768"):
        Encoder.load(damaged)


def test_the_encoder_runs_without_torch(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from search_index.embedding import Encoder\n"
        "e = Encoder.load(Path(sys.argv[1]), 1); e.encode_query('x'); e.encode(['y'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_query_is_encoded_once_while_queries_are_kept(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    infer = encoder._infer
    asked: list[int] = []

    def counted(rows: Sequence[NDArray[np.int32]]) -> Vectors:
        asked.append(len(rows))
        return infer(rows)

    monkeypatch.setattr(encoder, "_infer", counted)
    plain = encoder.encode_query("where does the otter sleep")
    with encoder.keeping_queries():
        kept = [encoder.encode_query("where does the otter sleep") for _ in range(3)]
        encoder.encode_query("another")
    assert len(asked) == 3
    encoder.encode_query("where does the otter sleep")
    assert len(asked) == 4, "nothing is kept afterwards"
    assert all(vector.tobytes() == plain.tobytes() for vector in kept)


def test_queries_have_the_same_bits_together_as_alone(encoder: Encoder) -> None:
    texts = ["otters", "what do herons eat at the weir", "a", "", "the history of the canal " * 9, "swifts", "locks of the canal"]
    for vector, text in zip(encoder.encode_queries(texts), texts, strict=True):
        assert np.array_equal(vector, encoder.encode_query(text))
    assert encoder.encode_queries([]) == []
