"""Every runtime makes the same vectors, from any number of threads, and is imported only for a model that was exported for it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipelines.embedding_model.export import export_model, resolve_model
from search_index.embedding import Encoder, encoder
from search_index.embedding.card import Engine, checked_card
from search_index.embedding.runtimes import Features, Opened, Session, Vectors, open_runtime
from search_index.errors import ModelMismatch
from search_index.settings import DEFAULT_MODEL

TEXTS = [" ".join(("contract", "release", "Straße", "索引")[: 1 + n % 4]) * (1 + n * n % 31) for n in range(32)] + [""]
FIRST_INFERENCES = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from search_index.embedding import Encoder

encoder, together = Encoder.load(Path(sys.argv[1]), 4), Barrier(4)

def encode(number):
    together.wait()
    return encoder.encode_query(f"query {number}").tobytes()

with ThreadPoolExecutor(4) as pool:
    at_once = list(pool.map(encode, range(4)))
print(at_once == [encoder.encode_query(f"query {number}").tobytes() for number in range(4)])
"""


@pytest.fixture(scope="module")
def openvino_folder(models_dir: Path) -> Path:
    return export_model(resolve_model(DEFAULT_MODEL), models_dir, "openvino")


@pytest.fixture(scope="module")
def onnx_folder(models_dir: Path) -> Path:
    return export_model(resolve_model(DEFAULT_MODEL), models_dir, "onnxruntime")


@pytest.fixture(scope="module")
def on_onnx(onnx_folder: Path) -> Encoder:
    return Encoder.load(onnx_folder, threads=2)


def test_onnx_runtime_makes_the_vectors_of_openvino(openvino_folder: Path, on_onnx: Encoder) -> None:
    found, expected = on_onnx.encode(TEXTS), Encoder.load(openvino_folder, threads=1).encode(TEXTS)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert (found.astype(np.float64) * expected).sum(1).min() > 0.9999
    assert on_onnx.runtime.startswith("onnxruntime ")
    assert on_onnx.fingerprint != Encoder.fingerprint_of(openvino_folder), "near is not the same"


def test_on_onnx_runtime_a_text_has_the_same_bytes_whatever_it_is_embedded_with(onnx_folder: Path, on_onnx: Encoder) -> None:
    whole = dict(zip(TEXTS, on_onnx.encode(TEXTS), strict=True))
    single, dice = Encoder.load(onnx_folder, threads=1), random.Random(7)
    for batch_tokens in (1, 4096):
        some = dice.sample(TEXTS, k=12)
        assert [v.tobytes() for v in single.encode(some, batch_tokens=batch_tokens)] == [whole[text].tobytes() for text in some]


def test_many_threads_share_one_onnx_session(on_onnx: Encoder) -> None:
    expected = [on_onnx.encode_query(text).tobytes() for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: on_onnx.encode_query(text).tobytes(), TEXTS)) == expected


def test_the_loading_thread_makes_the_first_inference(openvino_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads at their first inference in OpenVINO's bindings have been seen to wait for each other for ever."""
    ran_on: list[int] = []

    def noting(*given: object) -> Opened:
        opened = open_runtime(*given)  # type: ignore[arg-type]

        def session() -> Session:
            real = opened.session()

            def run(features: Features) -> Vectors:
                ran_on.append(threading.get_ident())
                return real(features)

            return run

        return Opened(opened.inputs, session, opened.threads, opened.batch_tokens)

    monkeypatch.setattr(encoder, "open_runtime", noting)
    loaded = Encoder.load(openvino_folder, threads=4)
    assert ran_on == [threading.get_ident()]
    loaded.encode(["one", "two"])
    assert threading.get_ident() not in ran_on[1:]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_first_queries_of_several_threads_never_wait_for_each_other(models_dir: Path, engine: Engine, rounds: int) -> None:
    folder = export_model(resolve_model(DEFAULT_MODEL), models_dir, engine)
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", FIRST_INFERENCES, str(folder)], capture_output=True, text=True, check=True, timeout=90)
        assert done.stdout.strip() == "True"


def test_only_the_runtime_that_the_card_names_is_imported(onnx_folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from search_index.embedding import Encoder\n"
        "look = {'torch', 'transformers', 'openvino', 'onnx', 'onnxruntime', 'tokenizers'}\n"
        "print(sorted(look & set(sys.modules)))\n"
        "Encoder.load(Path(sys.argv[1]), 1).encode(['y'])\n"
        "print(sorted(look & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(onnx_folder)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['onnxruntime', 'tokenizers']"]


@pytest.mark.parametrize(("engine", "command"), [("openvino", "pip install openvino"), ("onnxruntime", "plumbline[onnxruntime]")])
def test_a_runtime_that_is_not_installed_is_named_with_how_to_get_it(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine, command: str
) -> None:
    folder = export_model(resolve_model(DEFAULT_MODEL), models_dir, engine)
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ModelMismatch, match=f"{engine} is not installed here") as refused:
        Encoder.load(folder)
    assert command in refused.value.remedy


def test_a_file_that_onnx_runtime_cannot_read_is_refused(onnx_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelMismatch, match="cannot load"):
        Encoder.of(checked_card(onnx_folder), tmp_path, threads=1)
