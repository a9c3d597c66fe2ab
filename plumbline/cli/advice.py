"""From what ``plumbline status`` sees, over why it is so, to the command that helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from plumbline.cli.facts import Advice, Facts, SourceFacts
from plumbline.cli.output import counted
from search_index.model.operating import Freeze

if TYPE_CHECKING:
    from search_index.model.state import Change

LOW_DISK_BYTES = 2_000_000_000


def advise(facts: Facts) -> list[Advice]:
    """A symptom, its cause and a remedy each, the gravest first; empty when all is well."""
    return [*_of_publishing(facts), *_of_overrides(facts), *_of_sources(facts), *_of_service(facts), *_of_probe(facts), *_of_house(facts)]


def _of_publishing(facts: Facts) -> Iterator[Advice]:
    if facts.live is None and not facts.writer:
        command = "plumbline ingest" if facts.sources else "plumbline ingest PATH"
        yield Advice("Nothing is published yet.", command, "no run has published anything")
    if facts.frozen is not None:
        yield Advice("Publishing is frozen: runs go on, and nothing goes live.", "plumbline releases resume", facts.frozen.says)
    if facts.paused:
        seen = f"plumbline releases diff {facts.live.revision} {facts.head}; then: " if facts.live is not None else ""
        yield Advice(
            f"Publishing is paused: {facts.paused}.",
            f"{seen}plumbline releases resume",
            "a rollback pauses it, and automation with it, so that the next run does not bring back what was rolled back",
        )
    if facts.last_refused is not None:
        revision, reasons = facts.last_refused
        if not any(reason.startswith(Freeze.SAYS) for reason in reasons):
            symptom = f"Release {revision} was refused; what was live before still is."
            yield Advice(symptom, f"plumbline releases show {revision}", "; ".join(reasons))
        elif facts.frozen is None:
            symptom = f"Release {revision} passed its gates and was discarded."
            yield Advice(symptom, "plumbline ingest", "publishing was frozen then, and no longer is")


def _of_overrides(facts: Facts) -> Iterator[Advice]:
    if facts.override is not None:
        symptom = "Gates are overridden: candidates go live in spite of failed checks."
        yield Advice(symptom, "plumbline releases revoke", facts.override.says)
    for id in facts.altered_overrides:
        why = "it is not what was signed: somebody edited the catalog"
        yield Advice(f"Override {id} does not count.", "find out who, then: plumbline releases revoke", why)
    if facts.live is not None and facts.live.overridden:
        command = f"plumbline releases show {facts.live.revision}"
        yield Advice("The live release did not pass all its gates.", command, f"overridden: {'; '.join(facts.live.overridden)}")


def _of_sources(facts: Facts) -> Iterator[Advice]:
    waiting = {change.source for change in facts.waiting}
    for change in facts.waiting:
        why = "such a change goes through only when somebody takes it upon themselves"
        yield Advice(f"{change.source} waits for a person: {change.description}.", accept_command(change), why)
    for source in facts.sources:
        if source.reasons and source.name not in waiting:
            yield Advice(
                f"{source.name} is held at its published state, while the others go on.",
                "mend that, then: plumbline ingest",
                "; ".join(source.reasons),
            )
    for source in facts.sources:
        if source.within_sla is False and not source.reasons:
            yield _stale(facts, source)
    quarantined = sum(source.quarantined for source in facts.sources)
    if quarantined:
        files = counted(quarantined, "file")
        why = "each says above what is wrong with it; they are tried again when they change"
        yield Advice(f"{files} could not be read.", "mend or replace what is listed above, then: plumbline ingest", why)
    if facts.live is not None and facts.golden_queries == 0:
        yield Advice(
            "Answers are not measured: a release that ranks worse passes all the same.",
            "plumbline golden suggest --source NAME --output FILE, or write your own; see docs/golden-sets.md",
            "there is no golden set beside the contracts",
        )


def _stale(facts: Facts, source: SourceFacts) -> Advice:
    """Stale is a symptom of something else: what keeps new states from going live, or that nothing looks at the source."""
    symptom = f"{source.name} is older than its contract promises ({source.freshness})."
    if facts.frozen is not None or facts.paused:
        return Advice(symptom, "plumbline releases resume", "publishing is frozen" if facts.frozen is not None else "publishing is paused")
    if facts.last_refused is not None:
        revision = facts.last_refused[0]
        return Advice(
            symptom, f"plumbline releases show {revision}", f"release {revision}, which would have brought it up to date, was refused"
        )
    if facts.up is None:
        return Advice(
            symptom, "plumbline ingest; to have it done by itself: plumbline up", "nothing runs by itself: `plumbline up` is not running"
        )
    return Advice(symptom, f"the switch `automation` at {facts.up.dagster}; now: plumbline ingest", "no run has looked at it in time")


def _of_service(facts: Facts) -> Iterator[Advice]:
    if facts.withdrawn is not None and facts.live is not None and facts.withdrawn.revision > facts.live.revision:
        canary = facts.withdrawn
        command = f"plumbline releases diff {facts.live.revision} {canary.revision}"
        yield Advice(f"Release {canary.revision} was withdrawn while it answered {canary.share:.0%}.", command, canary.why)
    if facts.live is not None and facts.service is None:
        yield Advice("The search service is not running.", "plumbline up", f"nothing answers at port {facts.port}")
    if facts.trouble is not None:
        what, why, remedy = facts.trouble
        yield Advice(f"The search service does not serve what it should: {what}.", remedy, why)


def _of_probe(facts: Facts) -> Iterator[Advice]:
    if facts.probe is not None and facts.probe.problems:
        symptom = f"Golden queries asked of the search service at {facts.probe.at:%Y-%m-%d %H:%M} UTC were not answered as they should be."
        command = "look at the service's log; to ask again: the asset `service_probe` in the Dagster UI"
        yield Advice(symptom, command, "; ".join(facts.probe.problems.values()))


def _of_house(facts: Facts) -> Iterator[Advice]:
    if facts.undelivered:
        alerts = counted(len(facts.undelivered), "alert")
        yield Advice(f"{alerts} could not be delivered.", "check PLUMBLINE_WEBHOOK_URL and what listens there", facts.undelivered[-1])
    if facts.disk["free"] < LOW_DISK_BYTES:
        yield Advice(
            "There is little room on the disk.",
            "plumbline releases vacuum --dry-run; then free some, or lower PLUMBLINE_RETAIN_RELEASES",
            f"{facts.disk['free'] / 1e9:,.1f} GB are free, and a publish copies the index directory",
        )


def accept_command(change: Change) -> str:
    """The command that lets a waiting change through."""
    return f'plumbline sources accept {change.source} --change {change.change} --reason "..."'
