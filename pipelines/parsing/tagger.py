"""Keeps unstructured off the network: its tagger is the spaCy model where installed, else a lexicon that ships with textblob.

Left alone, unstructured downloads ``en_core_web_sm`` from GitHub at the first paragraph it classifies, and reports each
call to its makers. It uses the tagger to tell narrative text from fragments, for which a lexicon is enough.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MODEL = "en_core_web_sm"
_UNUSED_PIPES = ["ner", "lemmatizer", "attribute_ruler"]


@cache
def tagger_name() -> str:
    """Which tagger this installation classifies paragraphs with, with its version; imports nothing heavy."""
    try:
        return f"{MODEL} {metadata.version(MODEL)}"
    except metadata.PackageNotFoundError:
        return f"textblob {metadata.version('textblob')} lexicon"


def prepare_unstructured() -> None:
    """Switch off unstructured's telemetry, notice and model download. Call before its first use; calling again changes nothing."""
    for variable in ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE"):
        os.environ.setdefault(variable, "1")
    import unstructured.nlp.tokenize as tokenize

    tokenize._load_spacy_model = load_tagger


def load_tagger() -> Language:
    """The spaCy pipeline unstructured asks for: tags and sentence ends."""
    import spacy

    if spacy.util.is_package(MODEL):
        return spacy.load(MODEL, exclude=_UNUSED_PIPES)
    return lexicon_pipeline()


def lexicon_pipeline() -> Language:
    """A blank English pipeline with rule-based sentences and the most frequent Penn tag of each word.

    Words the lexicon does not hold get their tag from their ending, as in textblob's own tagger.
    """
    import spacy
    from spacy.language import Language as SpacyLanguage

    lexicon = _read_lexicon()

    @SpacyLanguage.component("plumbline_lexicon_tagger")
    def tag(doc: Doc) -> Doc:
        for token in doc:
            token.tag_ = lexicon.get(token.text) or lexicon.get(token.lower_) or _tag_by_ending(token.lower_)
        return doc

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.add_pipe("plumbline_lexicon_tagger")
    return pipeline


def _tag_by_ending(word: str) -> str:
    if not word[:1].isalpha():
        return "CD" if word[:1].isdigit() else "SYM"
    return "VBG" if word.endswith("ing") else "VBD" if word.endswith("ed") else "NN"


def _read_lexicon() -> dict[str, str]:
    """The word list of textblob, read from its file: importing textblob would import NLTK, which takes two seconds."""
    spec = util.find_spec("textblob")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("textblob is not installed", name="textblob")
    path = Path(spec.submodule_search_locations[0], "en", "en-lexicon.txt")
    pairs = (line.split() for line in path.read_text("utf-8").splitlines() if not line.startswith(";;;"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
