"""Which runtimes this machine has, found without importing them where that can be."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from search_index.embedding.card import Device, Engine, Precision
from search_index.errors import WrongUsage
from search_index.settings import RuntimeChoice

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")
_GET = {
    "openvino": "Install it: pip install openvino.",
    "onnxruntime": 'Install it: pip install "plumbline[onnxruntime]", or for CUDA: pip install onnxruntime-gpu.',
    "torch": "It is for CUDA devices: install a CUDA build (pip install torch) on a machine that has one.",
}


@dataclass(frozen=True)
class Offer:
    """A runtime on a device. ``version`` is the minor one: patches are taken to compute the same."""

    engine: Engine
    device: Device
    version: str

    @property
    def label(self) -> str:
        """How cards name it, for instance ``openvino 2026.4`` or ``torch 2.13 cuda``."""
        return f"{self.engine} {self.version}" + ("" if self.device == "cpu" else f" {self.device}")

    def precisions(self) -> tuple[Precision, ...]:
        """Those worth trying, float32 first. Imports the runtime where the CPU has to be asked."""
        if self.engine == "openvino":
            from search_index.embedding.runtimes.on_openvino import precisions
        elif self.engine == "onnxruntime":
            from search_index.embedding.runtimes.on_onnxruntime import precisions
        else:
            from search_index.embedding.runtimes.on_torch import precisions
        return precisions()


def offers(choice: RuntimeChoice) -> tuple[Offer, ...]:
    """The runtimes to try, the one that stays when none is clearly faster first.

    Raises:
        WrongUsage: the runtime asked for is not there.
    """
    found = tuple(offer for offer in (*_openvino(), *_onnxruntime(), *_torch()) if choice in ("auto", offer.engine))
    if not found:
        wanted = "openvino" if choice == "auto" else choice
        raise WrongUsage(f"PLUMBLINE_RUNTIME asks for {choice}, which cannot run here.", f"{_GET[wanted]} Or set PLUMBLINE_RUNTIME=auto.")
    return found


def _openvino() -> tuple[Offer, ...]:
    installed = _version("openvino")
    return (Offer("openvino", "cpu", _minor(installed)),) if installed else ()


def _onnxruntime() -> tuple[Offer, ...]:
    for_cuda = _version("onnxruntime-gpu")
    installed = for_cuda or _version("onnxruntime")
    if not installed:
        return ()
    on_cpu = Offer("onnxruntime", "cpu", _minor(installed))
    return (on_cpu, Offer("onnxruntime", "cuda", on_cpu.version)) if for_cuda and _has_driver() else (on_cpu,)


def _torch() -> tuple[Offer, ...]:
    installed = _version("torch")
    # Importing torch to hear that it is a build without CUDA would cost every run seconds.
    if not installed or installed.endswith("+cpu") or not _has_driver():
        return ()
    import torch

    return (Offer("torch", "cuda", _minor(installed)),) if torch.cuda.is_available() else ()


def _has_driver() -> bool:
    return any(Path(path).exists() for path in _DRIVERS)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _minor(full: str) -> str:
    return ".".join(full.partition("+")[0].split(".")[:2])
