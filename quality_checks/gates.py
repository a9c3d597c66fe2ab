"""Gates: what has to be true of a candidate before it may go live, and the one function that decides.

Checks write verdicts; ``decide`` reads them. It wants one verdict for every expected check, made from exactly the inputs
that the manifest pins. A missing verdict, or one about older or newer data, counts as no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quality_checks.contracts import Contract
from quality_checks.expectations import CheckSpec, checks_for
from search_index.model.operating import Override
from search_index.model.release import Manifest, Severity, SourcePin, Stage, Verdict, digest_of

STAGES: tuple[Stage, ...] = ("manifest", "documents", "chunks", "vectors")
CANDIDATE = "candidate"
"""Subject of the verdicts on a candidate as a whole."""


@dataclass(frozen=True)
class PlainCheck:
    """A check that needs no table engine: what it looks at and which version of its code looks."""

    name: str
    severity: Severity
    description: str
    version: int

    @property
    def code(self) -> str:
        """Digest that changes when the check does."""
        return digest_of([self.name, self.severity, self.version])


MANIFEST_CHECKS = (
    PlainCheck("source_reachable", "error", "The source can be listed.", 1),
    PlainCheck("removal_accepted", "error", "No more documents vanished at once than the contract lets go unconfirmed.", 1),
    PlainCheck("contract_accepted", "error", "The contract lets nobody read more, and demands no less, without acknowledgement.", 2),
    PlainCheck("contract_version_raised", "warning", "A contract that says something else has another version.", 1),
    PlainCheck("source_fresh", "warning", "Something in the source changed within the time its contract promises.", 1),
)
DOCUMENT_CHECKS = (
    PlainCheck("document_text_kept", "error", "Files whose bytes did not change give about as much text as they did.", 1),
    PlainCheck("volume_kept", "error", "Documents that are still there did not lose most of their text.", 1),
    PlainCheck("volume_growth_low", "warning", "The source did not grow to several times its size at once.", 1),
    PlainCheck("duplicates_kept", "error", "The share of documents that repeat another's text did not jump.", 1),
    PlainCheck("boilerplate_kept", "error", "The share of text that stands in many documents did not jump.", 1),
    PlainCheck("language_kept", "error", "The documents are in the languages of the contract, or of the published release.", 1),
    PlainCheck("languages_known", "warning", "What is new is in those languages too.", 1),
)
"""Checks of documents against the published release. What fails them may be meant: a person can accept it."""
VECTOR_CHECKS = (
    PlainCheck("vectors_of_this_model", "error", "Every vector says that this model made it, and has its dimension.", 1),
    PlainCheck("vectors_made_again", "error", "Passages embedded again give the stored vectors, to a cosine of 0.99.", 1),
    PlainCheck("vectors_precise", "warning", "Passages embedded again give the stored vectors, to a cosine of 0.9999.", 1),
)
CANDIDATE_CHECKS = (
    PlainCheck("index_reconciled", "error", "The index holds exactly the chunks that the tables hold, with vectors, tenant and access.", 2),
    PlainCheck("access_on_every_point", "error", "Every point names at least one group that may read it.", 1),
    PlainCheck("payloads_exact", "error", "Every added point is of the tables' document, span, text, tenant and access.", 2),
    PlainCheck("dense_arm_complete", "error", "Every added point has its vector in the dense arm, as the tables have it.", 1),
    PlainCheck("dense_finds_itself", "error", "A chunk asked for with its own vector is found by the dense arm.", 1),
    PlainCheck("dense_recall_at_10", "error", "The dense arm finds at least 95% of the ten nearest that an exhaustive look finds.", 1),
    PlainCheck("sparse_arm_complete", "error", "Every added point is found by the sparse arm.", 1),
    PlainCheck("terms_are_the_texts", "error", "The stored terms of added points are those of their text.", 1),
    PlainCheck("sparse_agrees_with_rank_bm25", "error", "The sparse arm finds what rank-bm25 finds on the same chunks.", 2),
)
EVALUATION_CHECKS = (
    PlainCheck("golden_sets_resolve", "warning", "Every golden quote is found in a document.", 1),
    PlainCheck("known_items_found", "error", "Each arm finds passages by their own most distinctive sentences.", 1),
    PlainCheck("confidence_calibrated", "warning", "Answers are as often right as their confidence says.", 1),
    PlainCheck("golden_floor", "error", "nDCG@10 on the golden sets is not below the floor.", 1),
    PlainCheck("golden_regression", "error", "nDCG@10 on the golden sets is not worse than the live release's.", 2),
)


PLAIN_CHECKS: Mapping[Stage, tuple[PlainCheck, ...]] = {"manifest": MANIFEST_CHECKS, "documents": DOCUMENT_CHECKS, "vectors": VECTOR_CHECKS}
"""What a lane's steps are asked besides expectations on their tables."""


@dataclass(frozen=True)
class Expected:
    """A verdict that has to be there: on this subject, by this check, from exactly these inputs."""

    check: str
    subject: str
    severity: Severity
    inputs: dict[str, str]

    @property
    def inputs_digest(self) -> str:
        """As ``Verdict.inputs_digest``."""
        return digest_of(self.inputs)


def verdict_inputs(stage: Stage, rows: Mapping[Stage, str], contract: str, code: str) -> dict[str, str]:
    """What a verdict on one stage of a source is bound to.

    Args:
        rows: digest of each stage's rows. Chunks are judged against the documents they were cut from, vectors against the
            chunks they are of, so those are bound as well.
        contract: digest of the contract.
        code: digest of the check.
    """
    upstream: dict[Stage, tuple[Stage, ...]] = {"chunks": ("documents",), "vectors": ("chunks",)}
    return {"contract": contract, "code": code, **{name: rows[name] for name in (stage, *upstream.get(stage, ()))}}


def candidate_inputs(manifest: Manifest, code: str) -> dict[str, str]:
    """What a verdict on a candidate is bound to: the whole manifest and the check's code."""
    return {"manifest": manifest.digest, "code": code}


def expected_of_source(contract: Contract, pin: SourcePin) -> list[Expected]:
    """Every verdict a source needs so as not to be held."""
    rows = {stage: pin.pin(stage).digest for stage in STAGES}
    return [
        Expected(c.name, contract.name, c.severity, verdict_inputs(stage, rows, pin.contract, c.code))
        for stage in STAGES
        for c in stage_checks(contract, stage)
    ]


def stage_checks(contract: Contract, stage: Stage) -> Sequence[PlainCheck | CheckSpec]:
    """The checks of one stage of a source, in order."""
    return MANIFEST_CHECKS if stage == "manifest" else (*checks_for(contract, stage), *PLAIN_CHECKS.get(stage, ()))


def expected_of_candidate(manifest: Manifest) -> list[Expected]:
    """Every verdict a candidate as a whole needs."""
    checks = CANDIDATE_CHECKS + EVALUATION_CHECKS
    return [Expected(c.name, CANDIDATE, c.severity, candidate_inputs(manifest, c.code)) for c in checks]


def shortfalls(expected: Iterable[Expected], verdicts: Iterable[Verdict], override: Override | None = None) -> list[str]:
    """Why these expectations are not met, a sentence each; empty when they all are.

    A failed verdict of severity ``warning`` is no shortfall, nor one that ``override`` excuses; a missing one is, whatever its
    severity and whatever is overridden.
    """
    found = {(v.subject, v.check, v.inputs_digest): v for v in verdicts}
    reasons = []
    for e in expected:
        verdict = found.get((e.subject, e.check, e.inputs_digest))
        if verdict is None:
            reasons.append(f"{e.check} has no verdict on this data")
        elif verdict.outcome == "failed" and e.severity == "error" and not (override is not None and override.excuses(e.check)):
            reasons.append(f"{e.check}: {verdict.summary}")
    return reasons


@dataclass(frozen=True)
class Ruling:
    """What the gates say of a candidate."""

    outcome: Literal["publish", "refuse"]
    reasons: list[str]
    decided_by: list[Verdict] = field(default_factory=list)
    overridden: list[str] = field(default_factory=list)


def decide(
    manifest: Manifest,
    parent: Manifest | None,
    expected: Sequence[Expected],
    verdicts: Sequence[Verdict],
    override: Override | None = None,
) -> Ruling:
    """Whether a candidate goes live. Pure: the same manifest and verdicts always give the same ruling.

    Args:
        manifest: what the candidate is.
        parent: the manifest of the head it was staged against; held sources have to stand exactly as they stand there.
        expected: every verdict that has to be there, of each source that is not held and of the candidate as a whole.
        verdicts: those found in the catalog.
        override: excuses failed verdicts of the checks it names. Counts only where the manifest names the very same.
    """
    override = override if override == manifest.override else None
    reasons = []
    for held in manifest.held:
        mine, theirs = manifest.sources.get(held.source), parent.sources.get(held.source) if parent else None
        if mine != theirs:
            reasons.append(f"source {held.source} is held, yet does not stand as in the head")
    subjects = {e.subject for e in expected}
    unheld = manifest.sources.keys() - {h.source for h in manifest.held}
    reasons += [f"source {s} has no expected checks" for s in sorted(unheld - subjects)]
    if CANDIDATE not in subjects:
        reasons.append("the candidate has no expected checks")
    strict = shortfalls(expected, verdicts)
    unmet = shortfalls(expected, verdicts, override)
    reasons += unmet
    wanted = {(e.subject, e.check, e.inputs_digest) for e in expected}
    decided_by = [v for v in verdicts if (v.subject, v.check, v.inputs_digest) in wanted]
    return Ruling("refuse" if reasons else "publish", reasons, decided_by, [why for why in strict if why not in unmet])
