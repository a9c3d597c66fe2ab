"""Runs the exported graph on the runtime that its card names, for documents and queries alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search_index.embedding.card import TOKENIZER, EncoderCard, card_of, checked_card
from search_index.embedding.runtimes import Opened, Session, Vectors, open_runtime
from search_index.errors import ModelMismatch

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LENGTH_STEP = 8
"""Texts are padded to a multiple of this many tokens: few shapes for the runtime to prepare, and little padding."""
TOKENIZE_AT_ONCE = 256


class Encoder:
    """Texts to unit vectors. Safe to share between threads: each has its own session on the one loaded graph.

    On the CPU a session runs on a single thread, so a text's bytes do not depend on how many cores there are, and no CPU time
    is spent on threads waiting for each other.
    """

    def __init__(self, card: EncoderCard, opened: Opened, tokenizer: Tokenizer, truncating: Tokenizer) -> None:
        self.card = card
        self.fingerprint = card.fingerprint()
        self.dimension = card.dimension
        self.model_name = card.name
        self.model_digest = card.weights_digest
        self.runtime = f"{card.runtime} {card.precision}"
        self.tokenizer = tokenizer
        prompt = len(tokenizer.encode(card.document_prompt, add_special_tokens=False).ids) if card.document_prompt else 0
        self.max_tokens = card.limit - prompt
        """Most tokens a passage may have, special tokens included, for none of it to be cut off."""
        self.threads = opened.threads
        self._opened = opened
        self._truncating = truncating
        self._own = threading.local()
        self._kept_queries: dict[str, Vectors] | None = None

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> Encoder:
        """Load an exported folder.

        Args:
            folder: what ``pipelines.embedding_model.export.export_model`` returned.
            threads: texts encoded side by side on the CPU; by default as many as there are CPUs to run on.

        Raises:
            ModelMismatch: a file is missing or damaged, its runtime is not here, or the graph does not fit its card.
        """
        return cls.of(checked_card(folder), folder, threads)

    @classmethod
    def of(cls, card: EncoderCard, folder: Path, threads: int | None = None) -> Encoder:
        """As :meth:`load`, with a card given instead of the folder's own: how the exporter tries what it just made."""
        from tokenizers import Tokenizer

        opened = open_runtime(card, folder, threads or len(os.sched_getaffinity(0)))
        truncating = Tokenizer.from_file(str(folder / TOKENIZER))
        truncating.enable_truncation(card.limit)
        encoder = cls(card, opened, Tokenizer.from_file(str(folder / TOKENIZER)), truncating)
        # OpenVINO's bindings set up their type tables at first use: two threads that do so at once wait for each other for ever.
        width = encoder._infer([np.zeros(1, dtype=np.int32)]).shape[1]
        if width != card.dimension:
            raise ModelMismatch(
                f"The graph in {folder} makes vectors of {width} dimensions, the model says {card.dimension}.",
                "Remove the folder and ingest again: the model is then exported anew.",
            )
        return encoder

    @staticmethod
    def fingerprint_of(folder: Path) -> str:
        """The fingerprint of an exported folder's encoder without loading it; empty where its card cannot be read."""
        card = card_of(folder)
        return card.fingerprint() if card else ""

    def encode_query(self, text: str) -> Vectors:
        """The unit vector of one query, shape (dimension,)."""
        kept = self._kept_queries
        if kept is not None and text in kept:
            return kept[text]
        vector = self.encode_queries([text])[0]
        if kept is not None:
            kept[text] = vector
        return vector

    def encode_queries(self, texts: Sequence[str]) -> list[Vectors]:
        """The unit vectors of queries, each of shape (dimension,) and the same bits as alone; made on this thread."""
        rows = self._tokenize([self.card.query_prompt + text for text in texts])
        vectors: list[Vectors] = [np.empty(0, np.float32)] * len(rows)
        for batch in self._batches(rows, self._opened.batch_tokens):
            for position, vector in zip(batch, self._infer([rows[i] for i in batch]), strict=True):
                vectors[position] = vector
        return vectors

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special ones not counted and nothing cut off."""
        return len(self.tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"), add_special_tokens=False).ids)

    @contextmanager
    def keeping_queries(self) -> Iterator[None]:
        """Until the end of the block no query is encoded twice: the same ones are asked in several modes and of several releases."""
        self._kept_queries = {}
        try:
            yield
        finally:
            self._kept_queries = None

    def encode(self, texts: Sequence[str], batch_tokens: int | None = None, progress: Callable[[int], None] | None = None) -> Vectors:
        """The unit vectors of passages, shape (len(texts), dimension), in the order given.

        A text's vector has the same bytes whatever its neighbours, their order and ``batch_tokens`` are: the length it is
        padded to depends on itself alone, and rows do not touch each other (checked when the model was exported; where a
        CPU breaks it, every text is run by itself). What is longer than the model takes is cut off at the end.

        Args:
            texts: contextual header included; the model's document prompt, if it has one, is put before each.
            batch_tokens: most padded tokens in one inference; bounds the memory. By default what suits the runtime.
            progress: called with the number of texts finished since the last call.

        Raises:
            ModelMismatch: the model answered with something that is not a number.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        rows: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), TOKENIZE_AT_ONCE):
            rows += self._tokenize([self.card.document_prompt + text for text in texts[start : start + TOKENIZE_AT_ONCE]])
        batches = self._batches(rows, batch_tokens or self._opened.batch_tokens)
        # Threads of this call alone: a session holds the buffers of its largest batch, and should go with them.
        with ThreadPoolExecutor(self.threads, thread_name_prefix="encode") as pool:
            for batch, found in zip(batches, pool.map(lambda batch: self._infer([rows[i] for i in batch]), batches), strict=True):
                vectors[batch] = found
                if progress is not None:
                    progress(len(batch))
        return vectors

    def _batches(self, rows: Sequence[NDArray[np.int32]], batch_tokens: int) -> list[list[int]]:
        """Positions of texts padded to the same length, longest first so that buffers are made once."""
        groups: dict[int, list[int]] = {}
        for position, row in enumerate(rows):
            groups.setdefault(_padded(len(row)), []).append(position)
        batches: list[list[int]] = []
        for length, members in sorted(groups.items(), reverse=True):
            size = max(1, batch_tokens // length) if self.card.batch_invariant else 1
            batches += [members[start : start + size] for start in range(0, len(members), size)]
        return batches

    def _tokenize(self, texts: list[str]) -> list[NDArray[np.int32]]:
        # A lone surrogate is not text to the tokenizer and would fail the whole batch.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        # Without special tokens an empty text has no tokens at all, and attention over nothing is not a number.
        return [np.array(each.ids or [self.card.pad_id], dtype=np.int32) for each in self._truncating.encode_batch_fast(clean)]

    def _infer(self, rows: Sequence[NDArray[np.int32]]) -> Vectors:
        """Unit vectors, shape (len(rows), dimension), of token ids that share one padded length."""
        length = _padded(max(len(row) for row in rows))
        ids = np.full((len(rows), length), self.card.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for at, row in enumerate(rows):
            place = slice(0, len(row)) if self.card.padding_side == "right" else slice(length - len(row), length)
            ids[at, place] = row
            mask[at, place] = 1
        features = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        vectors = self._session()({name: features[name] for name in self._opened.inputs})
        if not np.isfinite(vectors).all():
            raise ModelMismatch(f"{self.model_name} answered with vectors that are not numbers.", "Export the model again, or use another.")
        return vectors

    def _session(self) -> Session:
        """This thread's own."""
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self._opened.session()
        return session


def _padded(tokens: int) -> int:
    """A multiple of LENGTH_STEP that depends on the text alone, never on what it is batched with."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP
