from __future__ import annotations

import subprocess
import sys

from pipelines.parsing.tagger import lexicon_pipeline, tagger_name


def test_the_lexicon_tags_verbs_and_finds_sentences() -> None:
    document = lexicon_pipeline()("The parser reads every file. Nothing was frobnicated by it.")
    assert len(list(document.sents)) == 2
    tags = {token.text: token.tag_ for token in document}
    assert tags["reads"].startswith("VB")
    assert tags["frobnicated"].startswith("VB")
    assert tags["parser"].startswith("NN")


def test_narrative_text_is_told_from_fragments_without_network_or_torch_or_nltk() -> None:
    """In a process of its own, where whatever reaches for the network fails."""
    code = """
import socket, sys
def refuse(*_): raise AssertionError("the network was used")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from pipelines.parsing.partition import parse
html = b"<div>The committee approved the budget after a long debate.</div><div>Ada Lovelace</div>"
print(*[element.kind for element in parse(html, "a.html").elements], "nltk" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == ["NarrativeText", "UncategorizedText", "False"]


def test_the_tagger_has_a_name_for_lineage() -> None:
    assert tagger_name().startswith(("en_core_web_sm ", "textblob "))
