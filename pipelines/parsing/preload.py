"""Imported once by the server that forks parser processes, so that each of them starts with the parsers in memory."""

from __future__ import annotations

import sys
from importlib import import_module

from pipelines.parsing.tagger import prepare_unstructured

# spaCy would import torch if it could: two seconds and 200 MB, for nothing that parsing uses
sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
prepare_unstructured()
for _name in ("html", "text"):
    import_module(f"unstructured.partition.{_name}")
