"""An audit as a page of Markdown."""

from __future__ import annotations

from pipelines.reports.audit_facts import Audit, AuditedChange, AuditedRelease, AuditedSource
from pipelines.reports.writing import rows


def audit_page(audit: Audit) -> str:
    """What needs a person first, then everything else."""
    problems = [f"- {problem}" for problem in audit.problems] or ["Nothing needs anybody's attention."]
    parts = [
        f"# Audit of {audit.at:%Y-%m-%d %H:%M} UTC",
        _standing(audit),
        "## What needs a look",
        "\n".join(problems),
        "## Verified",
        rows(("part", "whole", "found"), [(found.part, _yes(found.whole), found.says) for found in audit.verification]),
        "## Sources",
        rows(
            ("source", "documents", "passages", "quarantined", "last changed", "lag", "promised", "held"),
            [_source(source) for source in audit.sources],
        ),
        "## Releases",
        rows(
            ("release", "status", "published", "signed", "verdicts passed", "failed", "overridden", "kept", "reasons"),
            [_release(release) for release in audit.releases],
        ),
        "## Overrides and acceptances",
        audit.override.says if audit.override else "No gate is overridden.",
        _changes(audit.accepted),
        "## Pins",
        rows(("release", "by", "since", "why"), [(pin.revision, pin.actor, f"{pin.at:%Y-%m-%d}", pin.reason) for pin in audit.pins])
        if audit.pins
        else "No release is pinned.",
        "## Stale judgements",
        "\n".join(f"- {each}" for each in audit.stale_judgements) or "None.",
        "## Disk",
        rows(("what", "MB"), [(name, f"{size / 1e6:,.1f}") for name, size in audit.disk.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _standing(audit: Audit) -> str:
    said = [f"Release {audit.live} is live, {audit.head} is the head." if audit.live is not None else "Nothing is published yet."]
    said += [f"Publishing is paused: {audit.paused}."] if audit.paused else []
    said += [f"{audit.frozen[0].upper()}{audit.frozen[1:]}."] if audit.frozen else []
    return " ".join(said)


def _source(s: AuditedSource) -> tuple[object, ...]:
    changed = s.changed_at and f"{s.changed_at:%Y-%m-%d}"
    return s.name, s.documents, s.passages, s.quarantined, changed, _hours(s.lag_s), _hours(s.sla_s), "; ".join(s.held) or s.problem


def _release(r: AuditedRelease) -> tuple[object, ...]:
    published = r.published_at and f"{r.published_at:%Y-%m-%d %H:%M}"
    signed = None if r.signed is None else _yes(r.signed)
    said = (", ".join(r.failed), "; ".join(r.overridden), _yes(r.retained), "; ".join(r.reasons))
    return r.revision, r.status, published, signed, r.passed, *said


def _changes(accepted: list[AuditedChange]) -> str:
    if not accepted:
        return "No change was accepted by hand."
    return rows(
        ("source", "change", "kind", "accepted", "by", "why"),
        [(c.source, c.change[:12], c.kind, c.accepted_at and f"{c.accepted_at:%Y-%m-%d}", c.actor, c.reason) for c in accepted],
    )


def _hours(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds / 3600:.1f} h"


def _yes(fact: bool) -> str:
    return "yes" if fact else "NO"
