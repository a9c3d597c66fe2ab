"""A source's documents held against those of the published release: what may be a change of the source, and may be a fault.

No threshold tells the two apart for sure, so what fails here with severity ``error`` holds the source until a person has looked and said
``plumbline sources accept``. Below these sizes an edit is an ordinary one, and goes through unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json

from quality_checks.finding import EXAMPLES, Finding, share_of
from quality_checks.languages import language_of, languages_of
from quality_checks.text_signs import boilerplate_shares, repeated

LEAST_DOCUMENTS = 10
"""Of fewer documents a share says little."""
SMALL_CHANGE = 0.05
"""Where a smaller share of the documents changed, no share of the whole can jump, and none is worked out."""
LOSS_FROM_CHARACTERS = 200
KEPT_LENGTH = 0.8
KEPT_VOLUME = 0.5
LOSERS_SHARE = 0.05
EMPTIED_LENGTH, EMPTIED_SHARE = 0.2, 0.2
GROWTH, GROWTH_DOCUMENTS = 3, 100
JUMP = 0.3
LANGUAGE_SAMPLE = 100
LANGUAGE_FROM_SHARE = 0.1
"""A language is known to a source when so large a share of its published documents is in it."""
LANGUAGE_MINIMUM = 5


@dataclass(frozen=True)
class Document:
    """One document as a table has it; ``text`` is empty where it could not be read."""

    raw_sha256: str
    text: str


@dataclass(frozen=True)
class DocumentChange:
    """A source's documents as they are published and as they are now, by id.

    ``changed`` are the ids of those that were written since, or are no more. Where they are few (``is_small``) the two mappings
    need hold no others.
    """

    published: Mapping[str, Document]
    now: Mapping[str, Document]
    changed: frozenset[str]
    documents_published: int
    documents_now: int
    declared: tuple[str, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether too little changed for any share of the whole to jump."""
        return is_small(len(self.changed), self.documents_published)


def is_small(changed: int, documents: int) -> bool:
    """Whether a change of so many among so many documents is an ordinary edit."""
    return changed < LANGUAGE_MINIMUM or changed < SMALL_CHANGE * documents


def findings(change: DocumentChange) -> dict[str, Finding]:
    """What each check found, by its name."""
    both = sorted(change.published.keys() & change.now.keys() & change.changed)
    return {
        "document_text_kept": _text_kept(change, both),
        "volume_kept": _volume_kept(change, both),
        "volume_growth_low": _growth_low(change),
        "duplicates_kept": _jump(change, "of the documents repeat another's text", lambda texts: repeated(texts).tolist()),
        "boilerplate_kept": _jump(change, "of a document's text stand in many others", lambda texts: boilerplate_shares(texts).tolist()),
        **_languages(change),
    }


def _text_kept(change: DocumentChange, both: Sequence[str]) -> Finding:
    """The same bytes give about as much text as they did: less is the parser's loss."""
    again = [
        d
        for d in both
        if change.published[d].raw_sha256 == change.now[d].raw_sha256 and len(change.published[d].text) >= LOSS_FROM_CHARACTERS
    ]
    lost = [d for d in again if len(change.now[d].text) < KEPT_LENGTH * len(change.published[d].text)]
    evidence: dict[str, Json] = {
        "rows": len(again),
        "failed": len(lost),
        "percent": share_of(len(lost), len(again)),
        "ids": [*lost[:EXAMPLES]],
    }
    bad = len(lost) > LOSERS_SHARE * len(again)
    return Finding(f"{len(lost)} of {len(again)} files that did not change give much less text than they did" if bad else None, evidence)


def _volume_kept(change: DocumentChange, both: Sequence[str]) -> Finding:
    """Documents that are still there are not emptied. How many are gone is another check's matter."""
    before = sum(len(change.published[d].text) for d in both)
    now = sum(len(change.now[d].text) for d in both)
    emptied = [
        d
        for d in both
        if len(change.published[d].text) >= LOSS_FROM_CHARACTERS
        and len(change.now[d].text) < EMPTIED_LENGTH * len(change.published[d].text)
    ]
    evidence: dict[str, Json] = {
        "rows": change.documents_published, "failed": len(emptied), "percent": share_of(len(emptied), change.documents_published),
        "characters_before": before, "characters_now": now, "ids": [*emptied[:EXAMPLES]],
    }  # fmt: skip
    if change.is_small or change.documents_published < LEAST_DOCUMENTS:
        return Finding(None, evidence)
    if len(emptied) > EMPTIED_SHARE * change.documents_published:
        return Finding(f"{len(emptied)} of {change.documents_published} documents lost most of their text", evidence)
    whole = sum(len(document.text) for document in change.published.values())
    if before - now > (1 - KEPT_VOLUME) * whole:
        return Finding(f"the documents that were there have {now:,} characters, and had {before:,}", evidence)
    return Finding(None, evidence)


def _growth_low(change: DocumentChange) -> Finding:
    before, now = change.documents_published, change.documents_now
    problem = f"{now:,} documents, where {before:,} are published" if now > GROWTH * before + GROWTH_DOCUMENTS else None
    return Finding(problem, {"documents_before": before, "documents_now": now})


def _jump(change: DocumentChange, what: str, shares: Callable[[Sequence[str]], Sequence[float]]) -> Finding:
    """The mean of a share over all documents does not rise by much from one release to the next."""
    if change.is_small or change.documents_now < LEAST_DOCUMENTS:
        return Finding(None, {"changed": len(change.changed)})
    published = [document.text for document in change.published.values() if document.text]
    ids = [d for d, document in sorted(change.now.items()) if document.text]
    each = shares([change.now[d].text for d in ids])
    before, now = sum(shares(published)) / max(len(published), 1), sum(each) / max(len(ids), 1)
    marked = [d for d, share in zip(ids, each, strict=True) if share]
    evidence: dict[str, Json] = {
        "rows": len(ids), "failed": len(marked), "percent": share_of(len(marked), len(ids)), "was": round(before, 4), "is": round(now, 4),
        "ids": [*marked[:EXAMPLES]],
    }  # fmt: skip
    return Finding(f"{now:.0%} {what}, where {before:.0%} did" if now - before > JUMP else None, evidence)


def _languages(change: DocumentChange) -> dict[str, Finding]:
    """Whether the documents are in a language of the source: declared in its contract, or found in its published release."""
    if change.is_small:
        return dict.fromkeys(("language_kept", "languages_known"), Finding(None, {"changed": len(change.changed)}))
    before = languages_of(_sample(change.published, change.published.keys()))
    total = sum(before.values())
    found = {language for language, count in before.items() if total >= LANGUAGE_MINIMUM and count >= LANGUAGE_FROM_SHARE * total}
    known = set(change.declared) or found
    sampled = {d: language for d in _sampled(change.now, change.now.keys()) if (language := language_of(change.now[d].text)) is not None}
    fresh = {d: language for d in _sampled(change.now, change.changed) if (language := language_of(change.now[d].text)) is not None}
    strange = [d for d, language in sampled.items() if language not in known]
    new_strange = [d for d, language in fresh.items() if language not in known]
    evidence: dict[str, Json] = {"known": [*sorted(known)], "languages": dict(Counter(sampled.values()))}
    if not known:
        return dict.fromkeys(("language_kept", "languages_known"), Finding(None, evidence))

    def finding(among: Mapping[str, str], odd: Sequence[str], most: float) -> Finding:
        told: dict[str, Json] = {
            "rows": len(among),
            "failed": len(odd),
            "percent": share_of(len(odd), len(among)),
            "ids": [*odd[:EXAMPLES]],
        }
        bad = len(odd) >= LANGUAGE_MINIMUM and len(odd) > most * len(among)
        problem = f"{len(odd)} of {len(among)} documents looked at are not in {', '.join(sorted(known))}" if bad else None
        return Finding(problem, evidence | told)

    return {"language_kept": finding(sampled, strange, 0.5), "languages_known": finding(fresh, new_strange, 0.1)}


def _sampled(documents: Mapping[str, Document], among: Iterable[str]) -> list[str]:
    """Ids are hashes: the lowest are a random sample, and nearly the same one from release to release."""
    return sorted(d for d in among if d in documents and documents[d].text)[:LANGUAGE_SAMPLE]


def _sample(documents: Mapping[str, Document], among: Iterable[str]) -> list[str]:
    return [documents[d].text for d in _sampled(documents, among)]
