"""Exports an embedding model as one graph that the pipeline and the service run without torch.

Every runtime that is installed gets its own file of the same graph and is measured; the fastest whose vectors are those of
torch is kept. The folder of a model depends on its files and on the runtimes there were to choose from, so another runtime makes
another folder and the old one stays for the releases that were made with it; what its vectors are worth depends on the chosen
runtime alone. Torch is imported only when there is something to export.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.embedding_model.fidelity import PROBES, Measured, choose, failure, measure, torch_reference, tried
from pipelines.embedding_model.graph import GraphFacts, graph_facts, write_graphs
from pipelines.embedding_model.source import ModelSource, resolve_model
from search_index.embedding.card import CARD, FILES, TOKENIZER, EncoderCard, card_of, checked_card, file_digest
from search_index.embedding.runtimes.offers import Offer, offers
from search_index.errors import ModelMismatch
from search_index.model.release import digest_of
from search_index.settings import RuntimeChoice

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["ModelSource", "export_model", "resolve_model"]

EXPORTER = 1
"""Raised when the exported graph changes for the same model."""
_PARTIAL = ".partial"


def export_model(source: ModelSource, models_dir: Path, runtime: RuntimeChoice = "auto") -> Path:
    """The folder of ``source``'s exported graph below ``models_dir``, exporting it unless it is there and whole.

    A folder appears at once or not at all; one that is damaged is replaced. Several processes may export the same model: the
    first does, the others wait and take what it made.

    Args:
        runtime: the only one to try, or ``auto`` for all that are here.

    Raises:
        ModelMismatch: the model cannot be exported as one graph, or no runtime makes the vectors of torch.
        WrongUsage: the runtime asked for is not here.
    """
    to_try = offers(runtime)
    folder = models_dir / _folder_name(source, to_try)
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
                card = _export(source, to_try, _chosen_before(source, models_dir), partial)
                write_card(card.model_copy(update={"forced": runtime != "auto"}), partial)
                partial.chmod(0o755)  # mkdtemp's is for the owner alone, and the service may be another user
                if folder.exists():
                    folder.rename(partials / f"{folder.name}-damaged")
                partial.rename(folder)
            finally:
                for left_over in partials.glob(f"{folder.name}-*"):
                    shutil.rmtree(left_over, ignore_errors=True)
    return folder


def _folder_name(source: ModelSource, to_try: Sequence[Offer]) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", source.name.rstrip("/").rpartition("/")[2].lower()).strip("-")[:40] or "model"
    runtimes = ", ".join(offer.label for offer in to_try)
    return f"{slug}-{digest_of([source.name, source.weights_digest, source.config_digest, runtimes, EXPORTER])[:12]}"


def _chosen_before(source: ModelSource, models_dir: Path) -> tuple[str, str]:
    """Runtime and precision that the newest export of the same model chose; empty strings where there is none."""
    same = (source.name, source.weights_digest, source.config_digest)
    for path in sorted(models_dir.glob(f"*/{CARD}"), key=_written, reverse=True):
        card = card_of(path.parent)
        if card and not card.forced and (card.name, card.weights_digest, card.config_digest) == same:
            return card.runtime, card.precision
    return "", ""


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process is replacing that folder
        return 0.0


def _whole(folder: Path) -> bool:
    try:
        checked_card(folder)
    except ModelMismatch:
        return False
    return True


def _export(source: ModelSource, to_try: Sequence[Offer], before: tuple[str, str], folder: Path) -> EncoderCard:
    """Write all files but the card, which is returned."""
    model = _load(source)
    facts = graph_facts(model, source.name)
    cannot = write_graphs(model, facts, folder, {offer.engine for offer in to_try})
    (folder / TOKENIZER).write_text(facts.tokenizer, encoding="utf-8")
    draft = _draft(source, facts, to_try[0], folder)
    reference = torch_reference(model)
    measured, failed = list[Measured](), [failure(each, "f32", cannot[each.engine]) for each in to_try if each.engine in cannot]
    for offer in (each for each in to_try if each.engine not in cannot):
        ran, did_not = measure(draft, offer, folder, reference)
        measured += ran
        failed += did_not
    best = choose(measured, before, len(os.sched_getaffinity(0)))
    all_tried = [*tried(measured, best), *failed]
    if best is None:
        reasons = "; ".join(f"{each.runtime} {each.precision}: {each.refused}" for each in all_tried)
        raise ModelMismatch(
            f"No exported graph of {source.name} makes the vectors of sentence-transformers on {len(PROBES)} probe texts. {reasons}.",
            "Use another model, or another version of the runtime or of torch.",
        )
    chosen = next(offer for offer in to_try if offer.label == best.runtime)
    for name in {name for names in FILES.values() for name in names} - set(FILES[chosen.engine]):
        (folder / name).unlink(missing_ok=True)
    change: dict[str, object] = {
        "files": {name: file_digest(folder / name) for name in (*FILES[chosen.engine], TOKENIZER)},
        "runtime": chosen.label,
        "engine": chosen.engine,
        "device": chosen.device,
        "precision": best.precision,
        "batch_invariant": best.batch_invariant,
        "fidelity_min_cosine": best.min_cosine,
        "fidelity_mean_cosine": best.mean_cosine,
        "cpu_ms_per_probe": best.cpu_ms,
        "wall_ms_per_probe": best.wall_ms,
        "torch_cpu_ms_per_probe": reference.cpu_ms,
        "tried": tuple(all_tried),
    }
    return draft.model_copy(update=change)


def _draft(source: ModelSource, facts: GraphFacts, offer: Offer, folder: Path) -> EncoderCard:
    """The card with all that is known before anything is measured."""
    return EncoderCard(
        name=source.name,
        weights_digest=source.weights_digest,
        config_digest=source.config_digest,
        tokenizer_digest=file_digest(folder / TOKENIZER),
        files={},
        dimension=facts.dimension,
        limit=facts.limit,
        pooling=facts.pooling,
        runtime=offer.label,
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
