"""Exports an embedding model as one graph that the pipeline and the service run without torch.

The folder of a model depends on its files and on the runtime, so a new runtime makes a new folder and the old one stays
for the releases that were made with it. Torch is imported only when there is something to export.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.model_fidelity import LEAST_COSINE, PROBES, Measured, choose, measure_precisions, torch_reference
from pipelines.model_graph import graph_facts, write_graph
from pipelines.model_source import ModelSource, resolve_model
from search_index.embedding.card import CARD, GRAPH, TOKENIZER, WEIGHTS, EncoderCard, checked_card, file_digest
from search_index.errors import ModelMismatch
from search_index.model.release import digest_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["ModelSource", "export_model", "resolve_model"]

EXPORTER = 1
"""Raised when the exported graph changes for the same model."""
_PARTIAL = ".partial"


def export_model(source: ModelSource, models_dir: Path) -> Path:
    """The folder of ``source``'s exported graph below ``models_dir``, exporting it unless it is there and whole.

    A folder appears at once or not at all; one that is damaged is replaced. Several processes may export the same model: the
    first does, the others wait and take what it made.

    Raises:
        ModelMismatch: the model cannot be exported as one graph, or the graph's vectors are not those of torch.
    """
    folder = models_dir / _folder_name(source)
    if _whole(folder):
        return folder
    from filelock import FileLock

    partials = models_dir / _PARTIAL
    partials.mkdir(parents=True, exist_ok=True)
    with FileLock(partials / f"{folder.name}.lock"):
        if not _whole(folder):
            for left_over in partials.glob(f"{folder.name}-*"):  # of a killed export: nobody else is here under the lock
                shutil.rmtree(left_over, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=partials))
            try:
                _export(source, partial)
                partial.chmod(0o755)  # mkdtemp's is for the owner alone, and the service may be another user
                if folder.exists():
                    folder.rename(partials / f"{folder.name}-damaged")
                partial.rename(folder)
            finally:
                for left_over in partials.glob(f"{folder.name}-*"):
                    shutil.rmtree(left_over, ignore_errors=True)
    return folder


def runtime() -> str:
    """The runtime that makes the vectors, to the minor version: patches of it are taken to compute the same."""
    return "openvino " + ".".join(version("openvino").split(".")[:2])


def _folder_name(source: ModelSource) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", source.name.rstrip("/").rpartition("/")[2].lower()).strip("-")[:40] or "model"
    return f"{slug}-{digest_of([source.name, source.weights_digest, source.config_digest, runtime(), EXPORTER])[:12]}"


def _whole(folder: Path) -> bool:
    try:
        checked_card(folder)
    except ModelMismatch:
        return False
    return True


def _export(source: ModelSource, folder: Path) -> None:
    model = _load(source)
    facts = graph_facts(model, source.name)
    write_graph(model, facts, folder)
    (folder / TOKENIZER).write_text(facts.tokenizer, encoding="utf-8")
    draft = EncoderCard(
        name=source.name,
        weights_digest=source.weights_digest,
        config_digest=source.config_digest,
        tokenizer_digest=file_digest(folder / TOKENIZER),
        files={name: file_digest(folder / name) for name in (GRAPH, WEIGHTS, TOKENIZER)},
        dimension=facts.dimension,
        limit=facts.limit,
        pooling=facts.pooling,
        runtime=runtime(),
        precision="f32",
        query_prompt=facts.query_prompt,
        document_prompt=facts.document_prompt,
        pad_id=facts.pad_id,
        padding_side=facts.padding_side,
        batch_invariant=True,
        fidelity_min_cosine=0.0,
        fidelity_mean_cosine=0.0,
        cpu_ms_per_probe=0.0,
        torch_cpu_ms_per_probe=0.0,
        probes=len(PROBES),
    )
    reference = torch_reference(model)
    best = choose(measure_precisions(draft, folder, reference))
    if best.min_cosine < LEAST_COSINE:
        raise ModelMismatch(
            f"The exported graph of {source.name} does not make the vectors of sentence-transformers: on {len(PROBES)} probe texts "
            f"the worst cosine is {best.min_cosine:.6f}, at least {LEAST_COSINE} is wanted.",
            "Use another model, or another version of openvino or torch.",
        )
    write_card(_measured(draft, best, reference.cpu_ms), folder)


def _measured(draft: EncoderCard, best: Measured, torch_cpu_ms: float) -> EncoderCard:
    return draft.model_copy(
        update={
            "precision": best.precision,
            "batch_invariant": best.batch_invariant,
            "fidelity_min_cosine": best.min_cosine,
            "fidelity_mean_cosine": best.mean_cosine,
            "cpu_ms_per_probe": best.cpu_ms,
            "torch_cpu_ms_per_probe": torch_cpu_ms,
        }
    )


def write_card(card: EncoderCard, folder: Path) -> None:
    """Write the card, last of all files: a folder without one is not an encoder's."""
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _load(source: ModelSource) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(source.folder), device="cpu", local_files_only=True).eval()
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelMismatch(
            f"sentence-transformers cannot load {source.name} from {source.folder}: {error}", "Give a folder it can load."
        ) from error
