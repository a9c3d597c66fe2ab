"""What one run works with: the home, its lake and contracts, the lease, and what the steps have to say to each other."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.evaluation.tuning_outcome import Tuning
from pipelines.release.outcomes import Decision, DoneAhead, Nothing, StagedCandidate, StepReport
from pipelines.tables import Lake
from quality_checks.contracts import Contract, load_contracts
from quality_checks.golden import GoldenSet, load_golden_folder
from search_index.embedding import Encoder, EncoderCard
from search_index.embedding.card import card_of
from search_index.errors import ContractInvalid, ModelMismatch
from search_index.home import Home
from search_index.lease import Lease
from search_index.model.release import ModelPin, Stage
from search_index.reranking import Reranking
from search_index.retention import kept
from search_index.settings import Settings


class Progress(Protocol):
    """How a step says how far it is: a bar in a terminal, a log line elsewhere."""

    def start(self, what: str, total: int) -> None:
        """A stretch of work begins."""
        ...

    def advance(self, done: int) -> None:
        """``done`` more of it is finished."""
        ...

    def finish(self) -> None:
        """The stretch is over."""
        ...


class LogProgress:
    """Progress as a line now and then, for a run without a terminal."""

    def __init__(self, log: Callable[[str], None], every_s: float = 10.0) -> None:
        self._log, self._every = log, every_s
        self._what, self._total, self._done, self._began, self._said = "", 0, 0, 0.0, 0.0

    def start(self, what: str, total: int) -> None:
        """See ``Progress.start``."""
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def advance(self, done: int) -> None:
        """See ``Progress.advance``."""
        self._done += done
        elapsed = time.monotonic() - self._began
        if time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            self._log(f"{self._what}: {self._done} of {self._total}, {self._done / elapsed:.1f} a second")

    def finish(self) -> None:
        """See ``Progress.finish``."""


class Workspace:
    """Everything the steps of one run share. It lives as long as the run; ``close`` gives back the lease."""

    def __init__(self, settings: Settings, progress: Progress, home: Home | None = None) -> None:
        self.settings = settings
        self.progress = progress
        self.home = home or Home(settings)
        self.lake = Lake(settings.lake)
        self.lease = Lease(settings.root, settings.catalog_url)
        self.reports: dict[str, dict[Stage, StepReport]] = {}
        self.ahead: defaultdict[str, DoneAhead] = defaultdict(DoneAhead)
        self.candidate: StagedCandidate | None = None
        self.nothing: Nothing | None = None
        self.tuning: Tuning | None = None
        self.decision: Decision | None = None

    @cached_property
    def _loaded(self) -> tuple[dict[str, Contract], dict[str, ContractInvalid]]:
        return load_contracts(self.settings.contract_folders, self.settings.contract_variables)

    @property
    def contracts(self) -> dict[str, Contract]:
        """Valid contracts by source name."""
        return self._loaded[0]

    @property
    def broken_contracts(self) -> dict[str, ContractInvalid]:
        """Why each contract that does not validate does not."""
        return self._loaded[1]

    @cached_property
    def _judged(self) -> list[GoldenSet]:
        return load_golden_folder([folder / "golden" for folder in self.settings.contract_folders])

    @property
    def golden_sets(self) -> list[GoldenSet]:
        """The golden sets beside the contracts, in folders ``golden``, that releases are measured on."""
        return [golden for golden in self._judged if golden.purpose == "evaluation"]

    @property
    def training_sets(self) -> list[GoldenSet]:
        """Those that rankings learn from, and that therefore measure nothing."""
        return [golden for golden in self._judged if golden.purpose == "training"]

    @cached_property
    def encoder_folder(self) -> Path:
        """The exported graph of the model that settings ask for, made when it is not there yet."""
        return export_model(resolve_model(self.settings.model), self.settings.models_dir, self.settings.runtime)

    @property
    def encoder(self) -> Encoder:
        """The encoder of that model, loaded."""
        return self.home.encoder(self.model_pin)

    @cached_property
    def encoder_card(self) -> EncoderCard:
        """What identifies the encoder and how it was checked: enough for a run that has nothing to encode.

        Errors:
            ModelMismatch: the exported folder has no readable card.
        """
        card = card_of(self.encoder_folder)
        if card is None:
            raise ModelMismatch(f"The model folder {self.encoder_folder} has no readable card.", "Remove it and ingest again.")
        return card

    @property
    def passage_tokens(self) -> int:
        """Most tokens a passage may have for none of it to be cut off."""
        return self.encoder.max_tokens if self.encoder_card.document_prompt else self.encoder_card.limit

    @property
    def model_pin(self) -> ModelPin:
        """What a release says of the model."""
        card = self.encoder_card
        return ModelPin(
            name=card.name,
            digest=card.weights_digest,
            encoder=card.fingerprint(),
            runtime=f"{card.runtime} {card.precision}",
            dimension=card.dimension,
        )

    @cached_property
    def reranking(self) -> Reranking | None:
        """See ``Home.wanted_reranking``."""
        return self.home.wanted_reranking()

    def begin(self, *, wait_s: float, waiting: Callable[[str], None]) -> list[str]:
        """Take the lease and clear away what a killed run left. Returns what was cleared, a sentence each.

        Errors:
            Busy: another run holds the lease for longer than ``wait_s`` seconds (negative: wait for as long as it takes).
        """
        self.lease.acquire(wait_s=wait_s, waiting=waiting)
        catalog, done = self.home.catalog, []
        for revision in catalog.abandoned():
            catalog.reject(revision, ["the run that staged it ended before a decision"])
            done.append(f"release {revision} was left undecided by a run that ended early; it is rejected")
        return done + self.home.engine.recover(kept(self.home))

    def end(self) -> None:
        """Drop a candidate nobody decided on, and give the lease back."""
        if self.candidate is not None:
            self.candidate.candidate.discard()
            self.home.catalog.reject(self.candidate.manifest.revision, ["the run ended before a decision"])
            self.candidate = None
        self.lease.release()

    def report(self, report: StepReport) -> StepReport:
        """Keep a step's report for the summary at the end."""
        self.reports.setdefault(report.source, {})[report.stage] = report
        return report
