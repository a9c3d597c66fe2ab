"""Counts tokens as the embedding model will, without its truncation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

_SURROGATE = re.compile("[\ud800-\udfff]")


class TokenCounter:
    """Wraps an embedding model's tokenizer; the one passed in is copied, not changed."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @classmethod
    def from_file(cls, path: Path) -> TokenCounter:
        """From a model's ``tokenizer.json``."""
        return cls(Tokenizer.from_file(str(path)))

    @property
    def special(self) -> int:
        """How many special tokens a single text gets."""
        return int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of ``text`` stands, in code points, without special tokens, in order."""
        return list(self._tokenizer.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False).offsets)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens the encoder sees of each text, special tokens included."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast([_SURROGATE.sub("\ufffd", text) for text in texts])]
