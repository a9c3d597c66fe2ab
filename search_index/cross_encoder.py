"""A cross-encoder of sentence-transformers as a reranker: kept in the home by the hash of its files, loaded as it was signed.

Torch and sentence-transformers are imported when a model is loaded, so who pins no reranker never pays for them.
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from search_index.embedding.card import file_digest
from search_index.errors import DiskFull, HomeDamaged, ModelMismatch, ReleaseUntrusted, WrongUsage
from search_index.model.release import digest_of

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

BATCH: Final = 32
_HEADS: Final = ("ForSequenceClassification", "ForCausalLM")
"""Architectures that sentence-transformers makes a cross-encoder of; to any other it would give a head of random weights."""
_OTHER_RUNTIMES: Final = frozenset({"onnx", "openvino"})
_DECIMALS: Final = 4
_GIVE: Final = "Set PLUMBLINE_RERANKER to a folder saved by sentence-transformers' CrossEncoder with one label, or unset it."
_PUT_BACK: Final = (
    "Put back the folder from a copy, roll back with `plumbline releases rollback`, or run `plumbline ingest` for a new release."
)


class CrossEncoderReranker:
    """The sigmoid of a cross-encoder's logit. Passages are read one batch at a time on the CPU, cut off at what the model takes.

    Threads take turns: the tokenizer cannot be shared, and one batch already keeps every core at work.
    """

    def __init__(self, digest: str, model: CrossEncoder) -> None:
        self.digest = digest
        self._model = model
        self._turn = threading.Lock()

    def scores(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """See ``Reranker.scores``. Logits are rounded, for what else is in a batch moves their last digits."""
        from torch.nn import Identity

        if not texts:
            return np.empty(0, np.float64)
        with self._turn:
            logits = self._model.predict(
                [(query, text) for text in texts], batch_size=BATCH, show_progress_bar=False, activation_fn=Identity()
            )
        return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, dtype=np.float64).round(_DECIMALS), -60.0, 60.0)))


def check_reranker(folder: Path) -> None:
    """Look whether a folder says that it holds a cross-encoder; without torch, and so in no time.

    Errors:
        WrongUsage: it is not there, or says something else.
    """
    if not folder.is_dir():
        raise WrongUsage(f"The reranker's folder {folder} is not there.", _GIVE)
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise WrongUsage(f"The reranker's folder {folder} has no readable config.json.", _GIVE) from error
    heads = config.get("architectures") if isinstance(config, dict) else None
    if not isinstance(heads, list) or not any(str(head).endswith(_HEADS) for head in heads):
        raise WrongUsage(f"The model in {folder} is no cross-encoder: it scores no pairs of texts.", _GIVE)


def store_reranker(folder: Path, into: Path) -> str:
    """Copy a cross-encoder to ``<into>/<digest>``, at once or not at all; one that is there and whole is left alone.

    Hidden files and copies for other runtimes (``onnx``, ``openvino``) are left out. Only to be called by the writer of the home.

    Returns:
        sha256 over the names and bytes of its files.

    Errors:
        WrongUsage: the folder is missing or holds no cross-encoder with one label.
        DiskFull: there is no room for the copy; nothing is left behind.
    """
    check_reranker(folder)
    digest = folder_digest(folder)
    kept = into / digest
    if kept.is_dir() and folder_digest(kept) == digest:
        return digest
    into.mkdir(parents=True, exist_ok=True)
    for left_over in into.glob(".partial-*"):  # of a killed run
        shutil.rmtree(left_over, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=into))
    try:
        copy = scratch / digest
        _copy(folder, copy)
        if folder_digest(copy) != digest:
            raise WrongUsage(f"The reranker's folder {folder} changed while it was copied.", "Run the command again.")
        try:
            _loaded(copy, digest)
        except ModelMismatch as error:
            raise WrongUsage(f"The folder {folder} cannot be used as a reranker: {error.what}", _GIVE) from error
        if kept.exists():
            kept.rename(scratch / "damaged")
        copy.rename(kept)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return digest


def load_reranker(folder: Path, digest: str) -> CrossEncoderReranker:
    """The reranker that a release pins.

    Args:
        folder: what ``store_reranker`` copied into.

    Errors:
        HomeDamaged: its files are missing or cannot be read.
        ReleaseUntrusted: its files are not those that the release was signed with.
        ModelMismatch: this installation cannot run it.
    """
    kept = folder / digest
    if not kept.is_dir():
        raise HomeDamaged(f"The reranker {kept} that the release pins is missing.", _PUT_BACK)
    try:
        found = folder_digest(kept)
    except OSError as error:
        raise HomeDamaged(f"The reranker {kept} that the release pins cannot be read: {error.strerror}.", _PUT_BACK) from error
    if found != digest:
        raise ReleaseUntrusted(f"The reranker {kept} is not what the release was signed with.", _PUT_BACK)
    return _loaded(kept, digest)


def unpinned_rerankers(folder: Path, kept: Collection[str]) -> dict[str, int]:
    """The rerankers that no release pins any more, and the bytes of each."""
    gone = [path for path in sorted(folder.glob("[0-9a-f]*")) if path.is_dir() and path.name not in kept]
    return {path.name: sum(file.stat().st_size for _, file in _files(path)) for path in gone}


def prune_rerankers(folder: Path, kept: Collection[str]) -> list[str]:
    """Remove the rerankers that no release pins any more; returns the names of those removed."""
    gone = list(unpinned_rerankers(folder, kept))
    for name in gone:
        shutil.rmtree(folder / name)
    return gone


def folder_digest(folder: Path) -> str:
    """sha256 over the names and bytes of a model's files."""
    return digest_of([(name, file_digest(path)) for name, path in _files(folder)])


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in _OTHER_RUNTIMES and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), path


def _copy(folder: Path, to: Path) -> None:
    try:
        for name, path in _files(folder):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / name)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"There is no room for a copy of the reranker {folder}.", "Free some space and run it again.") from error
        raise


def _loaded(folder: Path, digest: str) -> CrossEncoderReranker:
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
        labels = model.num_labels
        # Weights of half precision are slow on a CPU, where there are kernels for them at all.
        reranker = CrossEncoderReranker(digest, model.float().eval())
        tried = reranker.scores("what is tried", ["a passage", "a second and longer passage"]) if labels == 1 else np.empty(0)
    except Exception as error:  # a foreign model's files can fail in as many ways as there are readers of them
        raise ModelMismatch(f"sentence-transformers cannot run the reranker {digest[:12]}: {error}", _PUT_BACK) from error
    if labels != 1:
        raise ModelMismatch(f"The model {digest[:12]} gives a pair of texts {labels} scores; a reranker gives one.", _PUT_BACK)
    if tried.shape != (2,) or not np.isfinite(tried).all():
        raise ModelMismatch(f"The scores of the model {digest[:12]} are no numbers.", _PUT_BACK)
    return reranker
