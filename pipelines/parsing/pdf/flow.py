"""Lines of a paragraph as running text: words that were parted at the end of a line are put together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.parsing.pdf.line import Line

_HYPHENS = "-\u00ad\u2010\ufffe"
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_WITHOUT_BLANKS = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese are written without blanks between words."""


def known_words(lines: Sequence[Line]) -> Counter[str]:
    """How often the document writes each word, without those that are parted at the end of a line."""
    texts = []
    parted = False
    for line in lines:
        text = line.text.partition(" ")[2] if parted else line.text
        parted = line.text[-1] in _HYPHENS and line.text[-2:-1].isalpha()
        texts.append(text.rpartition(" ")[0] if parted else text)
    return Counter(_WORDS.findall("\n".join(texts).casefold()))


def flow(block: Sequence[Line], words: Counter[str]) -> str:
    """The lines as running text, with words that were parted at the end of a line put together.

    ``words`` are those of the document, by which compounds are told from parted words.
    """
    text = block[0].text
    for line in block[1:]:
        head, tail = _WORDS.findall(text[-40:-1])[-1:], _WORDS.match(line.text)
        if _WITHOUT_BLANKS.match(text[-1]) and _WITHOUT_BLANKS.match(line.text):
            text += line.text
        elif text[-1] not in _HYPHENS or not text[-2:-1].isalnum():
            text = f"{text} {line.text}"
        elif head and tail and text[-2].isalpha() and line.text[0].islower() and not _is_compound(head[0], tail.group(), text[-1], words):
            text = text[:-1] + line.text
        else:
            text = f"{text[:-1]}-{line.text}"
    return text


def _is_compound(head: str, tail: str, hyphen: str, words: Counter[str]) -> bool:
    """Whether the hyphen belongs to the word: the document writes it so elsewhere, or knows both halves but not the whole."""
    head, tail = head.casefold(), tail.casefold()
    if words[f"{head}-{tail}"] or words[head + tail]:
        return words[f"{head}-{tail}"] > words[head + tail]
    return hyphen != "\u00ad" and words[head.rsplit("-", 1)[-1]] > 1 and words[tail] > 1
