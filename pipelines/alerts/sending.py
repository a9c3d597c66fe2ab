"""What is worth an alert: how a run ended, how old what is served is, and in what it drifted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import JsonValue as Json

from pipelines.alerts.messages import Alert, send
from pipelines.automation.freshness import Freshness
from pipelines.release.outcomes import Decision
from search_index.model.release import digest_of
from search_index.model.service_probe import ServiceProbe
from search_index.settings import Settings


def alert_decision(settings: Settings, decision: Decision, log: Callable[[str], None]) -> None:
    """Tell how a run's release ended. A source that is held for the same reasons as before is not told of again."""
    if not settings.webhook_urls:
        return
    told = _told(settings)
    held = {source: digest_of(list(reasons)) for source, reasons in decision.held.items()}
    before = told.get("held", {})
    alerts = [_held(settings, source, decision.held[source]) for source in held if before.get(source) != held[source]]
    if decision.status in ("published", "beside"):
        alerts.append(_published(settings, decision))
    if decision.status == "refused":
        alerts.append(_refused(settings, decision))
    send(settings, alerts, log)
    _remember(settings, told | {"held": held}, log)


def alert_failure(settings: Settings, subject: str, run_id: str, what: str, remedy: str, log: Callable[[str], None]) -> None:
    """Tell that a step, or a whole run, failed."""
    if settings.webhook_urls:
        link = f"http://127.0.0.1:{settings.dagster_port}/runs/{run_id}"
        remedy = remedy or "Look at the run in the Dagster UI; what is live is untouched, and the next run goes on where this one stopped."
        send(settings, [Alert(kind="failed", subject=subject, what=what, remedy=remedy, facts={"run": run_id}, link=link)], log)


def alert_freshness(settings: Settings, sources: Iterable[Freshness], log: Callable[[str], None]) -> None:
    """Tell of each source that became older than its contract promises, and of each that is fresh again; deliver what waits."""
    if not settings.webhook_urls:
        return
    told, sources = _told(settings), list(sources)
    before, stale = told.get("stale", {}), {s.source: s for s in sources if s.stale}
    alerts = [_stale(settings, s) for name, s in stale.items() if name not in before]
    alerts += [
        Alert(kind="fresh", subject=s.source, what=f"{s.source} is as fresh as its contract promises again.", link=_service(settings, ""))
        for s in sources
        if s.source in before and not s.stale
    ]
    send(settings, alerts, log)
    if before.keys() != stale.keys():
        _remember(settings, told | {"stale": dict.fromkeys(stale, "stale")}, log)


def alert_drift(settings: Settings, source: str, asset: str, drifted: Mapping[str, str], log: Callable[[str], None]) -> None:
    """Tell in what a source, or what people ask, has drifted. What is still adrift in the same ways as yesterday is not told of again.

    Args:
        asset: whose checks say how, as Dagster's addresses name it.
        drifted: how, by what drifted; counts and figures, never text.
    """
    if not settings.webhook_urls:
        return
    told = _told(settings)
    before, now = dict(told.get("drift", {})), digest_of(sorted(drifted)) if drifted else ""
    if before.get(source, "") == now:
        return
    if drifted:
        send(settings, [_drift(settings, source, asset, drifted)], log)
    standing = {name: digest for name, digest in before.items() if name != source} | ({source: now} if drifted else {})
    _remember(settings, told | {"drift": standing}, log)


def alert_probe(settings: Settings, found: ServiceProbe, before: ServiceProbe | None, log: Callable[[str], None]) -> None:
    """Tell that the running service stopped answering, or answers worse than it should, and when it is well again; each once.

    Args:
        before: what the probe before found. Where that found no service either, there may be none on purpose, and nobody is told.
    """
    if not settings.webhook_urls:
        return
    told = _told(settings)
    known = dict(told.get("probe", {})).get("service", "")
    stopped = not found.reachable and (known == "unreachable" or (before is not None and before.reachable))
    standing = "unreachable" if stopped else digest_of(sorted(found.problems)) if found.problems else ""
    if standing == known or not (found.reachable or stopped):
        return
    what = found.why if stopped else "; ".join(found.problems.values())
    send(settings, [_probe(settings, found, what)], log)
    _remember(settings, told | {"probe": {"service": standing} if standing else {}}, log)


def _probe(settings: Settings, found: ServiceProbe, what: str) -> Alert:
    facts: dict[str, Json] = {
        "revision": found.revision,
        "asked": found.asked,
        "answered": found.answered,
        "degraded": found.degraded,
        "ndcg@10": found.measures.get("ndcg@10"),
        "recorded": found.recorded,
        "problems": list[Json](sorted(found.problems)),
    }
    said = f"The search service does not answer as it should: {what}." if what else "The search service answers as it should again."
    remedy = "Look at `plumbline status`, the service's log and its `/health/ready`." if what else ""
    return Alert(kind="probe", subject="service", what=said, remedy=remedy, facts=facts, link=_asset(settings, "service_probe"))


def _held(settings: Settings, source: str, reasons: list[str]) -> Alert:
    return Alert(
        kind="held",
        subject=source,
        what=f"{source} is held at its published state: {'; '.join(reasons)}",
        remedy="Correct the cause and run `plumbline ingest`; `plumbline sources` lists what waits to be accepted.",
        facts={"reasons": list(reasons)},
        link=_dagster(settings, f"asset-groups/{source}/lineage"),
    )


def _published(settings: Settings, decision: Decision) -> Alert:
    counts: dict[str, Json] = dict(decision.counts)
    held = f"; held: {', '.join(sorted(decision.held))}" if decision.held else ""
    spite = f", in spite of failed checks: {decision.override.says}" if decision.overridden and decision.override else ""
    stands = "is live" if decision.status == "published" else f"waits beside release {decision.live}, which is live,"
    holds = f"with {counts.get('documents')} documents and {counts.get('chunks')} passages"
    what = f"Release {decision.revision} {stands} {holds}{held}{spite}."
    facts: dict[str, Json] = {
        "revision": decision.revision,
        "counts": counts,
        "held": list[Json](sorted(decision.held)),
        "overridden": list[Json](decision.overridden),
    }
    return Alert(kind="published", subject="release", what=what, facts=facts, link=_service(settings, f"/v1/releases/{decision.revision}"))


def _refused(settings: Settings, decision: Decision) -> Alert:
    return Alert(
        kind="refused",
        subject="release",
        what=f"Release {decision.revision} was refused; release {decision.live} is still live.",
        remedy=f"See why with `plumbline releases show {decision.revision}`, correct it and run `plumbline ingest`.",
        facts={"revision": decision.revision, "live": decision.live, "reasons": list(decision.reasons)},
        link=_service(settings, f"/v1/releases/{decision.revision}"),
    )


def _stale(settings: Settings, source: Freshness) -> Alert:
    lag, sla = round(source.lag_s or 0), round(source.sla_s or 0)
    return Alert(
        kind="stale",
        subject=source.source,
        what=f"{source.source} was last known to be up to date {lag // 60} minutes ago; its contract promises {sla // 60}.",
        remedy="Look at `plumbline status`: a source that is held, a run that failed, or automation that is turned off.",
        facts={"lag_s": lag, "sla_s": sla},
        link=_dagster(settings, f"asset-groups/{source.source}/lineage"),
    )


def _drift(settings: Settings, source: str, asset: str, drifted: Mapping[str, str]) -> Alert:
    return Alert(
        kind="drift",
        subject=source,
        what=f"{source} drifted: {', '.join(sorted(drifted))}.",
        remedy=f"Look at the checks of the asset `{asset}`: what was meant needs nothing; else look for what changed.",
        facts={"drifted": dict[str, Json](drifted)},
        link=_asset(settings, asset),
    )


def _service(settings: Settings, path: str) -> str:
    return f"http://{settings.host}:{settings.port}{path}"


def _dagster(settings: Settings, path: str) -> str:
    return f"http://127.0.0.1:{settings.dagster_port}/locations/plumbline/{path}"


def _asset(settings: Settings, key: str) -> str:
    return f"http://127.0.0.1:{settings.dagster_port}/assets/{key}?view=checks"


def _state(settings: Settings) -> Path:
    return settings.root / "alerts" / "told.json"


def _told(settings: Settings) -> dict[str, Mapping[str, str]]:
    """What people have been told and is still so."""
    try:
        found = json.loads(_state(settings).read_text())
    except (OSError, ValueError):  # nothing yet, or half a file: telling twice is better than not at all
        return {}
    return found if isinstance(found, dict) else {}


def _remember(settings: Settings, told: Mapping[str, Mapping[str, str]], log: Callable[[str], None]) -> None:
    path = _state(settings)
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({key: dict(value) for key, value in told.items()}, sort_keys=True))
        partial.replace(path)
    except OSError as e:
        log(f"{path} cannot be written: {e.strerror or e}. Some alerts may be sent twice.")
