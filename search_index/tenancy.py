"""What may be told of a release to somebody of one tenant: nothing of another's sources, and no figure that counts them.

Where a release holds one tenant's sources alone, and it is theirs, all of it is told as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from search_index.model.release import Counts, Held, Manifest, ReleaseRecord, Verdict

OF_THE_WHOLE: Final = "It is about the whole release, which holds sources of others as well."


def is_whole(manifest: Manifest, tenant: str) -> bool:
    """Whether everything in a release that is known to be somebody's is this tenant's."""
    return all(pin.tenant == tenant for pin in manifest.sources.values()) and all(h.tenant in (tenant, None) for h in manifest.held)


def held_for(manifest: Manifest, tenant: str) -> list[Held]:
    """The sources that are held and that the tenant may know of."""
    whole = is_whole(manifest, tenant)
    return [held for held in manifest.held if held.tenant == tenant or (whole and held.tenant is None)]


def quarantined_for(
    quarantined: Mapping[str, int], manifest: Manifest | None, tenant: str, lanes: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Unreadable files of the sources that the tenant may know of.

    Args:
        manifest: of the live release; None while there is none.
        lanes: whose sources are going by their lanes, which know it sooner.
    """
    known: dict[str, str | None] = {}
    if manifest is not None:
        known |= {held.source: held.tenant for held in manifest.held} | {source: pin.tenant for source, pin in manifest.sources.items()}
    known |= lanes or {}
    unknown = tenant if manifest is not None and is_whole(manifest, tenant) else None
    return {source: count for source, count in quarantined.items() if (known.get(source) or unknown) == tenant}


def record_for(record: ReleaseRecord, tenant: str) -> ReleaseRecord:
    """A release as the tenant may see it; without scores, reasons and signature where these are of more than its own."""
    manifest = record.manifest
    if manifest is None or is_whole(manifest, tenant):
        return record
    narrowed = manifest.model_copy(
        update={
            "sources": {source: pin for source, pin in manifest.sources.items() if pin.tenant == tenant},
            "held": held_for(manifest, tenant),
            "counts": manifest.tenants.get(tenant, Counts()),
            "tenants": {name: counts for name, counts in manifest.tenants.items() if name == tenant},
            "bm25": {name: _own(value, tenant) if name == "avgdl" else value for name, value in manifest.bm25.items()},
            "ranking": {name: value for name, value in manifest.ranking.items() if name not in ("tuned", "confidence")},
        }
    )
    left_out: dict[str, object] = {"signed_text": None, "signature": None, "reasons": [], "overridden": [], "scores": {}}
    return record.model_copy(update={"manifest": narrowed, **left_out})


def verdicts_for(verdicts: Iterable[Verdict], manifest: Manifest | None, tenant: str) -> list[Verdict]:
    """The verdicts on the tenant's sources, and on the whole that there were some, without what they found."""
    found = list(verdicts)
    if manifest is None or is_whole(manifest, tenant):
        return found
    of_others = {source for source, pin in manifest.sources.items() if pin.tenant != tenant}
    of_others |= {held.source for held in manifest.held} - {held.source for held in held_for(manifest, tenant)}
    own = {source for source, pin in manifest.sources.items() if pin.tenant == tenant} | {h.source for h in held_for(manifest, tenant)}
    return [
        verdict if verdict.subject in own else verdict.model_copy(update={"summary": OF_THE_WHOLE, "evidence": {}})
        for verdict in found
        if verdict.subject not in of_others
    ]


def _own(value: object, tenant: str) -> object:
    return {name: each for name, each in value.items() if name == tenant} if isinstance(value, dict) else value
